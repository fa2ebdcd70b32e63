//! `conditions.<backend>` as both parsers read it.

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::failure::Unreadable;
use super::go_json::{self, Reader};
use super::model::Ask;
use super::names::{annotation, either};
use super::paths;

/// What a path of an Ingress asks for by itself.
pub(super) struct Spot<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) path_type: &'a str,
    /// The name of the backend, which annotations go by.
    pub(super) backend: &'a str,
}

/// Conditions of one block, each with its name and structure.
struct Block<'a> {
    kind: String,
    reader: Reader<'a>,
}

impl Block<'_> {
    fn values(&self, config: &str) -> Result<Vec<String>, Unreadable> {
        self.reader
            .inner(config, "configcache.Config")?
            .texts("Values")
    }

    fn key(&self, config: &str) -> Result<String, Unreadable> {
        self.reader.inner(config, "configcache.Config")?.text("Key")
    }

    fn pairs(&self, config: &str) -> Result<Vec<(String, String)>, Unreadable> {
        let config = self.reader.inner(config, "configcache.Config")?;
        let pair = |value: &Value| {
            let pair = go_json::object(value, "configcache.Value")?;
            Ok((pair.text("Key")?, pair.text("Value")?))
        };
        let values = config.items("Values", "[]configcache.Value")?;
        values.iter().map(pair).collect()
    }
}

fn blocks<'a>(value: &'a Value, go_type: &'static str) -> Result<Vec<Block<'a>>, Unreadable> {
    let block = |value: &'a Value| {
        let reader = go_json::object(value, go_type)?;
        let block = Block {
            kind: reader.text("Type")?,
            reader,
        };
        // Go reads all members, whatever the type is, so a wrong one anywhere is an error.
        for config in ["CookieConfig", "QueryStringConfig"] {
            block.pairs(config)?;
        }
        for config in [
            "HeaderConfig",
            "HostConfig",
            "MethodConfig",
            "PathConfig",
            "SourceIpConfig",
            "ResponseStatusCodeConfig",
            "ResponseHeaderConfig",
        ] {
            block.values(config)?;
        }
        Ok(block)
    };
    let items = go_json::list(value, go_type)?;
    items.iter().map(block).collect()
}

fn text<'a>(ingress: &'a Ingress, backend: &str) -> &'a str {
    annotation(ingress, &format!("conditions.{backend}")).unwrap_or_default()
}

fn own_paths(ingress: &Ingress, spot: &Spot<'_>) -> Result<Vec<String>, Unreadable> {
    match spot.path {
        "" => Ok(Vec::new()),
        path => paths::patterns(ingress, path, spot.path_type),
    }
}

/// The array parser: types in any case; hosts, paths, methods, addresses and status codes of all
/// blocks become one condition each, the rest one each block.
pub(super) fn array(ingress: &Ingress, spot: &Spot<'_>) -> Result<Vec<Ask>, Unreadable> {
    let mut conditions = Vec::new();
    let (mut hosts, mut paths, mut methods) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sources, mut codes) = (Vec::new(), Vec::new());
    let text = text(ingress, spot.backend);
    let value = match text {
        "" => Value::Null,
        text => go_json::parse(text)?,
    };
    for block in blocks(&value, "[]configcache.Condition")? {
        match block.kind.to_lowercase().as_str() {
            "host" => hosts.extend(block.values("HostConfig")?),
            "path" => paths.extend(block.values("PathConfig")?),
            "method" => methods.extend(block.values("MethodConfig")?),
            "sourceip" => sources.extend(block.values("SourceIpConfig")?),
            "responsestatuscode" => codes.extend(block.values("ResponseStatusCodeConfig")?),
            "header" => conditions.push(Ask::header(
                block.key("HeaderConfig")?,
                block.values("HeaderConfig")?,
            )),
            "responseheader" => conditions.push(Ask {
                kind: "ResponseHeader".to_owned(),
                ..Ask::header(
                    block.key("ResponseHeaderConfig")?,
                    block.values("ResponseHeaderConfig")?,
                )
            }),
            "querystring" => {
                let pairs = block.pairs("QueryStringConfig")?;
                conditions.push(Ask::with_pairs("QueryString", pairs));
            }
            "cookie" => {
                let pairs = block.pairs("CookieConfig")?;
                conditions.push(Ask::with_pairs("Cookie", pairs));
            }
            _ => {
                return Err(Unreadable::Error(format!(
                    "readCondition Failed(unknown condition type): {}",
                    block.kind
                )));
            }
        }
    }
    if !spot.host.is_empty() {
        hosts.push(spot.host.to_owned());
    }
    paths.extend(own_paths(ingress, spot)?);
    let merged = [
        ("Host", hosts),
        ("Path", paths),
        ("Method", methods),
        ("SourceIp", sources),
        ("ResponseStatusCode", codes),
    ];
    for (kind, values) in merged {
        if !values.is_empty() {
            conditions.push(Ask::of(kind, values));
        }
    }
    if either(ingress, "canary") == "true" {
        conditions.extend(canary(ingress));
    }
    Ok(or_everything(conditions))
}

fn canary(ingress: &Ingress) -> Vec<Ask> {
    let mut conditions = Vec::new();
    let header = either(ingress, "canary-by-header");
    if !header.is_empty() {
        let value = either(ingress, "canary-by-header-value").to_owned();
        conditions.push(Ask::header(header.to_owned(), vec![value]));
    }
    let cookie = either(ingress, "canary-by-cookie");
    if !cookie.is_empty() {
        let pair = (cookie.to_owned(), "always".to_owned());
        conditions.push(Ask::with_pairs("Cookie", vec![pair]));
    }
    conditions
}

fn or_everything(mut conditions: Vec<Ask>) -> Vec<Ask> {
    if conditions.is_empty() {
        conditions.push(Ask::of("Path", vec!["/*".to_owned()]));
    }
    conditions
}

/// The parser of old: host and path of the rule, then the blocks as they are written.
pub(super) fn legacy(ingress: &Ingress, spot: &Spot<'_>) -> Result<Vec<Ask>, Unreadable> {
    let mut conditions = Vec::new();
    if !spot.host.is_empty() {
        conditions.push(Ask::of("Host", vec![spot.host.to_owned()]));
    }
    let paths = own_paths(ingress, spot)?;
    if !paths.is_empty() {
        conditions.push(Ask::of("Path", paths));
    }
    let text = text(ingress, spot.backend);
    if !text.is_empty() {
        let value = go_json::parse(text)?;
        for block in blocks(&value, "[]alb.Condition")? {
            conditions.push(as_written(&block)?);
        }
    }
    Ok(or_everything(conditions))
}

/// A type in another case is passed on, with nothing in it.
fn as_written(block: &Block<'_>) -> Result<Ask, Unreadable> {
    let kind = block.kind.as_str();
    let config = format!("{kind}Config");
    Ok(match kind {
        "Header" | "ResponseHeader" => Ask {
            kind: kind.to_owned(),
            ..Ask::header(block.key(&config)?, block.values(&config)?)
        },
        "Cookie" | "QueryString" => Ask::with_pairs(kind, block.pairs(&config)?),
        "Host" | "Path" | "Method" | "SourceIp" | "ResponseStatusCode" => {
            Ask::of(kind, block.values(&config)?)
        }
        other => Ask::of(other, Vec::new()),
    })
}
