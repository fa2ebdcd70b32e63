//! `actions.<backend>` as both parsers read it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::failure::Unreadable;
use super::go_json::{self, Reader};
use super::model::{Act, GroupRef, Redirect};

/// Where an action leads to, before the model has its server groups.
pub(super) struct RawTuple {
    pub(super) id: String,
    pub(super) service: String,
    pub(super) port: i64,
    pub(super) weight: i64,
}

/// What an action asks the model for: a server group of this Service and port.
pub(super) type Groups<'a> = dyn FnMut(&str, i64) -> Result<GroupRef, Unreadable> + 'a;

fn tuples(config: Reader<'_>) -> Result<Vec<RawTuple>, Unreadable> {
    let tuple = |value: &Value| {
        let tuple = go_json::object(value, "ServerGroupTuple")?;
        Ok(RawTuple {
            id: tuple.text("serverGroupID")?,
            service: tuple.text("serviceName")?,
            port: tuple.int("servicePort")?,
            weight: tuple.int("weight")?,
        })
    };
    let items = config.items("serverGroups", "[]ServerGroupTuple")?;
    items.iter().map(tuple).collect()
}

fn redirect(config: Reader<'_>) -> Result<Redirect, Unreadable> {
    Ok(Redirect {
        host: config.text("Host")?,
        http_code: config.text("HttpCode")?,
        path: config.text("Path")?,
        port: config.text("Port")?,
        protocol: config.text("Protocol")?,
        query: config.text("Query")?,
    })
}

fn fixed_response(config: Reader<'_>) -> Result<Act, Unreadable> {
    Ok(Act::FixedResponse {
        content: config.text("Content")?,
        content_type: config.text("ContentType")?,
        http_code: config.text("HttpCode")?,
    })
}

/// One action of the array parser, whose members are read whatever the type is.
pub(super) struct Raw<'a> {
    kind: String,
    reader: Reader<'a>,
}

impl<'a> Raw<'a> {
    fn read(value: &'a Value) -> Result<Self, Unreadable> {
        let reader = go_json::object(value, "configcache.Action")?;
        let raw = Self {
            kind: reader.text("Type")?.to_lowercase(),
            reader,
        };
        reader.int("Order")?;
        raw.forward()?;
        raw.of("FixedResponseConfig", fixed_response)?;
        raw.of("RedirectConfig", redirect)?;
        raw.of("InsertHeaderConfig", insert_header)?;
        raw.of("RemoveHeaderConfig", remove_header)?;
        raw.of("RewriteConfig", rewrite)?;
        raw.of("TrafficLimitConfig", limits)?;
        raw.of("TrafficMirrorConfig", mirror)?;
        raw.of("CorsConfig", cors)?;
        Ok(raw)
    }

    fn of<T>(
        &self,
        config: &str,
        read: fn(Reader<'_>) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        let pointer = self.reader.pointer(config, "configcache.Config")?;
        pointer.map(read).transpose()
    }

    fn forward(&self) -> Result<Option<Vec<RawTuple>>, Unreadable> {
        let config = self
            .reader
            .pointer("forwardConfig", "ForwardActionConfig")?;
        if let Some(config) = config
            && let Some(sticky) =
                config.pointer("ServerGroupStickySession", "ServerGroupStickySession")?
        {
            sticky.bool("Enabled")?;
            sticky.int("Timeout")?;
        }
        config.map(tuples).transpose()
    }

    /// A type without its configuration is a nil pointer.
    fn must<T>(
        &self,
        config: &'static str,
        read: fn(Reader<'_>) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        self.of(config, read)?.ok_or(Unreadable::Panic(config))
    }
}

fn insert_header(config: Reader<'_>) -> Result<Act, Unreadable> {
    config.bool("CoverEnabled")?;
    Ok(Act::InsertHeader {
        key: config.text("Key")?,
        value: config.text("Value")?,
        value_type: config.text("ValueType")?,
    })
}

fn remove_header(config: Reader<'_>) -> Result<Act, Unreadable> {
    Ok(Act::RemoveHeader(config.text("Key")?))
}

fn rewrite(config: Reader<'_>) -> Result<Act, Unreadable> {
    Ok(Act::Rewrite {
        host: config.text("Host")?,
        path: config.text("Path")?,
        query: config.text("Query")?,
    })
}

fn limits(config: Reader<'_>) -> Result<(String, String), Unreadable> {
    Ok((config.text("QPS")?, config.text("QPSPerIp")?))
}

fn mirror(config: Reader<'_>) -> Result<Act, Unreadable> {
    let group = config.inner("MirrorGroupConfig", "MirrorGroupConfig")?;
    let items = group.items("ServerGroupTuples", "[]TrafficMirrorServerGroupTuple")?;
    let id = |value: &Value| {
        let tuple = go_json::object(value, "TrafficMirrorServerGroupTuple")?;
        tuple.text("serverGroupID")
    };
    Ok(Act::TrafficMirror {
        target_type: config.text("TargetType")?,
        groups: items.iter().map(id).collect::<Result<_, _>>()?,
    })
}

fn cors(config: Reader<'_>) -> Result<(), Unreadable> {
    for name in ["AllowCredentials", "MaxAge"] {
        config.text(name)?;
    }
    for name in [
        "AllowOrigin",
        "AllowMethods",
        "AllowHeaders",
        "ExposeHeaders",
    ] {
        config.texts(name)?;
    }
    Ok(())
}

/// All actions of the array parser.
pub(super) fn array(text: &str, groups: &mut Groups<'_>) -> Result<Vec<(Act, String)>, Unreadable> {
    let value = go_json::parse(text)?;
    let items = go_json::list(&value, "[]configcache.Action")?;
    let raws: Result<Vec<Raw<'_>>, Unreadable> = items.iter().map(Raw::read).collect();
    let mut actions = Vec::new();
    for raw in raws? {
        let kind = raw.kind.clone();
        actions.push((custom(&raw, groups)?, kind));
    }
    Ok(actions)
}

fn custom(raw: &Raw<'_>, groups: &mut Groups<'_>) -> Result<Act, Unreadable> {
    match raw.kind.as_str() {
        "fixedresponse" => raw.must("FixedResponseConfig", fixed_response),
        // Even members that are not written overwrite the defaults, with nothing. Without any
        // configuration the defaults are lost altogether.
        "redirect" => raw.must("RedirectConfig", redirect).map(Act::Redirect),
        "insertheader" => raw.must("InsertHeaderConfig", insert_header),
        "removeheader" => raw.must("RemoveHeaderConfig", remove_header),
        "rewrite" => raw.must("RewriteConfig", rewrite),
        "trafficmirror" => raw.must("TrafficMirrorConfig", mirror),
        "trafficlimit" => {
            let (qps, per_ip) = raw.must("TrafficLimitConfig", limits)?;
            // The error is noted, but then the action that is not there is used.
            traffic_limit(&qps, &per_ip).map_err(|_| Unreadable::Panic("TrafficLimit"))
        }
        "forwardgroup" => {
            let tuples = raw.forward()?.ok_or(Unreadable::Panic("forwardConfig"))?;
            let target = |tuple: RawTuple| match tuple.id.is_empty() {
                false => Ok((GroupRef::Named(tuple.id), tuple.weight)),
                true => Ok((groups(&tuple.service, tuple.port)?, tuple.weight)),
            };
            let targets: Result<_, Unreadable> = tuples.into_iter().map(target).collect();
            targets.map(Act::Forward)
        }
        // The same with an unknown type.
        _ => Err(Unreadable::Panic("unknown action type")),
    }
}

/// The limits of a rule, as texts.
pub(super) fn traffic_limit(qps: &str, per_ip: &str) -> Result<Act, Unreadable> {
    let number = |text: &str| match text {
        "" => Ok(0),
        text => match text.parse::<i64>() {
            Ok(number) if number >= 1 => Ok(number),
            _ => Err(Unreadable::Error(format!(
                "traffic limit action qps out of range: {text}"
            ))),
        },
    };
    let (qps, per_ip_qps) = (number(qps)?, number(per_ip)?);
    match (qps, per_ip_qps) {
        (0, 0) => Err(Unreadable::Error(
            "invalid parameter for qps limit".to_owned(),
        )),
        (all, one) if all > 0 && one >= all => Err(Unreadable::Error(format!(
            "traffic limit action qps per ip({one})must less than qps({all})"
        ))),
        _ => Ok(Act::TrafficLimit { qps, per_ip_qps }),
    }
}

/// The one action of the parser of old, whose types are exact.
pub(super) fn legacy(text: &str, groups: &mut Groups<'_>) -> Result<Act, Unreadable> {
    let value = go_json::parse(text)?;
    let reader = go_json::object(&value, "alb.Action")?;
    let kind = reader.text("Type")?;
    let forward = reader.pointer("forwardConfig", "alb.ForwardActionConfig")?;
    let targets = forward.map(tuples).transpose()?;
    if let Some(tuple) = targets.iter().flatten().find(|tuple| !tuple.id.is_empty()) {
        return Err(Unreadable::Error(format!(
            "json: cannot unmarshal string into Go struct field ServerGroupTuple.serverGroupID of type core.StringToken ({})",
            tuple.id
        )));
    }
    let fixed = reader.pointer("FixedResponseConfig", "alb.FixedResponseConfig")?;
    let redirected = reader.pointer("RedirectConfig", "alb.RedirectConfig")?;
    match kind.as_str() {
        "FixedResponse" => {
            let fixed = fixed.ok_or(Unreadable::Panic("FixedResponseConfig"))?;
            match fixed.text("ContentType")?.is_empty() {
                true => Err(Unreadable::Error("missing FixedResponseConfig".to_owned())),
                false => fixed_response(fixed),
            }
        }
        "Redirect" => match redirected {
            Some(config) => redirect(config).map(Act::Redirect),
            None => Err(Unreadable::Error("missing RedirectConfig".to_owned())),
        },
        "ForwardGroup" => {
            let missing = || Unreadable::Error("missing ForwardConfig".to_owned());
            let target = |tuple: RawTuple| Ok((groups(&tuple.service, tuple.port)?, tuple.weight));
            let targets = targets.ok_or_else(missing)?.into_iter().map(target);
            targets.collect::<Result<_, _>>().map(Act::Forward)
        }
        other => Err(Unreadable::Error(format!("unknown action type: {other}"))),
    }
}

/// Where a listener without TLS sends requests that are to come with it.
pub(super) fn to_https() -> Act {
    Act::Redirect(Redirect {
        host: "${host}".to_owned(),
        http_code: "308".to_owned(),
        path: "${path}".to_owned(),
        port: "443".to_owned(),
        protocol: "HTTPS".to_owned(),
        query: "${query}".to_owned(),
    })
}

/// The CORS settings in annotations, with the controller's defaults.
pub(super) fn cors_of(setting: impl Fn(&str) -> Option<String>) -> Act {
    let list = |name: &str, default: &str| -> Vec<String> {
        let text = setting(name).unwrap_or_else(|| default.to_owned());
        let parts = text.split(',').map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect()
    };
    let credentials = match setting("cors-allow-credentials").as_deref() {
        Some("false") => "off",
        _ => "on",
    };
    let mut settings = BTreeMap::from([
        ("AllowOrigin", list("cors-allow-origin", "*")),
        (
            "AllowMethods",
            list(
                "cors-allow-methods",
                "GET, PUT, POST, DELETE, PATCH, OPTIONS",
            ),
        ),
        (
            "AllowHeaders",
            list(
                "cors-allow-headers",
                "DNT,X-CustomHeader,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Authorization",
            ),
        ),
        ("AllowCredentials", vec![credentials.to_owned()]),
        (
            "MaxAge",
            vec![setting("cors-max-age").unwrap_or_else(|| "172800".to_owned())],
        ),
    ]);
    let exposed = list("cors-expose-headers", "");
    if !exposed.is_empty() {
        settings.insert("ExposeHeaders", exposed);
    }
    let settings = settings.into_iter();
    Act::Cors(
        settings
            .map(|(name, values)| (name.to_owned(), values))
            .collect(),
    )
}
