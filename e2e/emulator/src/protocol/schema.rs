//! Which actions exist and what their parameters must be, from the published API metadata.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use crate::api::{ApiError, Params, Product};

/// The request side of one action.
#[derive(Debug)]
pub struct ActionSchema {
    params: BTreeMap<String, Param>,
    also_known: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
    Json,
    List,
}

#[derive(Debug)]
struct Param {
    kind: Kind,
    required: bool,
}

#[derive(Deserialize)]
struct File {
    actions: BTreeMap<String, RawAction>,
}

#[derive(Deserialize)]
struct RawAction {
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    params_sdk_only: BTreeMap<String, Value>,
}

/// All actions of all products.
type Tables = BTreeMap<Product, BTreeMap<String, ActionSchema>>;

/// The common parameters of the protocol, which no action lists.
const COMMON: &[&str] = &[
    "AccessKeyId",
    "Action",
    "Format",
    "OwnerAccount",
    "OwnerId",
    "RegionId",
    "ResourceOwnerAccount",
    "ResourceOwnerId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// The schema of an action, `None` when the product has no such action.
pub fn action_schema(
    product: Product,
    action: &str,
) -> Result<Option<&'static ActionSchema>, ApiError> {
    static TABLES: OnceLock<Result<Tables, String>> = OnceLock::new();
    match TABLES.get_or_init(load) {
        Ok(tables) => Ok(tables.get(&product).and_then(|actions| actions.get(action))),
        Err(problem) => Err(ApiError::internal(format!(
            "the embedded API metadata is broken: {problem}"
        ))),
    }
}

fn load() -> Result<Tables, String> {
    let sources = [
        (
            Product::CloudApi,
            include_str!("../../openapi/cloudapi.json"),
        ),
        (Product::Alb, include_str!("../../openapi/alb.json")),
        (Product::Nlb, include_str!("../../openapi/nlb.json")),
        (Product::Slb, include_str!("../../openapi/slb.json")),
        (Product::Vpc, include_str!("../../openapi/vpc.json")),
        (Product::Sts, include_str!("../../openapi/sts.json")),
    ];
    let parse = |(product, text): (Product, &str)| {
        let file: File =
            serde_json::from_str(text).map_err(|error| format!("{product}: {error}"))?;
        let actions = file
            .actions
            .into_iter()
            .map(|(name, raw)| (name, ActionSchema::from(raw)))
            .collect();
        Ok((product, actions))
    };
    sources.into_iter().map(parse).collect()
}

impl From<RawAction> for ActionSchema {
    fn from(raw: RawAction) -> Self {
        let params = raw
            .params
            .into_iter()
            .filter_map(|(name, value)| Some((name, Param::parse(&value)?)));
        Self {
            params: params.collect(),
            also_known: raw.params_sdk_only.into_keys().collect(),
        }
    }
}

impl Param {
    /// `"Integer!@body"`, or an object whose `type` reads like that.
    fn parse(value: &Value) -> Option<Self> {
        let text = value.as_str().or_else(|| value.get("type")?.as_str())?;
        let (kind, _position) = text.split_once('@').unwrap_or((text, ""));
        let required = kind.ends_with('!');
        let kind = match kind.trim_end_matches('!') {
            "Integer" | "Long" | "int" => Kind::Integer,
            "Boolean" => Kind::Boolean,
            "Json" => Kind::Json,
            "RepeatList" | "Array" | "Struct" => Kind::List,
            _ => Kind::Text,
        };
        Some(Self { kind, required })
    }
}

impl ActionSchema {
    /// Required parameters and types.
    pub fn check(&self, params: &Params) -> Result<(), ApiError> {
        for (name, param) in &self.params {
            param.check(name, params)?;
        }
        Ok(())
    }

    /// Names that were sent but that the action does not have. The cloud ignores them in silence;
    /// the call log shows them.
    pub fn unknown<'a>(&self, params: &'a Params) -> Vec<&'a str> {
        let known = |name: &str| {
            let root = name.split('.').next().unwrap_or(name);
            COMMON.contains(&name)
                || self.params.contains_key(name)
                || self.params.contains_key(root)
                || self.also_known.iter().any(|other| other == root)
        };
        params
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !known(name))
            .collect()
    }
}

impl Param {
    fn check(&self, name: &str, params: &Params) -> Result<(), ApiError> {
        let prefix = format!("{name}.");
        let given = match self.kind {
            Kind::List => {
                params.iter().any(|(key, _)| key.starts_with(&prefix))
                    || params.filled(name).is_some()
            }
            _ => params.filled(name).is_some(),
        };
        match self.kind {
            _ if !given => {
                // Some required texts may be sent empty (a listener without a certificate).
                if self.required && params.get(name).is_none() {
                    Err(params.missing(name))
                } else {
                    Ok(())
                }
            }
            Kind::Integer => params.int(name).map(drop),
            Kind::Boolean => params.bool(name).map(drop),
            Kind::Json => {
                let text = params.filled(name).unwrap_or("null");
                serde_json::from_str::<serde::de::IgnoredAny>(text)
                    .map(drop)
                    .map_err(|_| params.invalid(name))
            }
            Kind::Text | Kind::List => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(product: Product, pairs: &[(&str, &str)]) -> Params {
        Params::new(
            product,
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    fn schema(product: Product, action: &str) -> &'static ActionSchema {
        action_schema(product, action)
            .expect("tables parse")
            .expect("the action exists")
    }

    #[test]
    fn all_tables_parse_and_know_their_actions() {
        assert!(
            action_schema(Product::CloudApi, "CreateApi")
                .expect("tables parse")
                .is_some()
        );
        assert!(
            action_schema(Product::Slb, "CreateApi")
                .expect("tables parse")
                .is_none()
        );
    }

    #[test]
    fn required_and_typed_parameters_are_checked() {
        let listener = schema(Product::Slb, "CreateLoadBalancerTCPListener");
        let missing = listener.check(&params(
            Product::Slb,
            &[("LoadBalancerId", "lb"), ("Bandwidth", "-1")],
        ));
        assert_eq!(missing.expect_err("no port").code, "MissingParameter");
        let mistyped = [
            ("LoadBalancerId", "lb"),
            ("Bandwidth", "-1"),
            ("ListenerPort", "http"),
        ];
        let refusal = listener
            .check(&params(Product::Slb, &mistyped))
            .expect_err("port is no number");
        assert!(
            refusal.message.contains("ListenerPort"),
            "{}",
            refusal.message
        );
    }

    #[test]
    fn json_parameters_must_be_json() {
        let create = schema(Product::CloudApi, "CreateApi");
        let broken = params(Product::CloudApi, &[("RequestConfig", "{")]);
        assert!(create.check(&broken).is_err());
    }

    #[test]
    fn unknown_names_are_reported_not_refused() {
        let tag = schema(Product::Slb, "TagResources");
        let sent = [
            ("RegionId", "r"),
            ("ResourceType", "instance"),
            ("ResourceId.1", "lb"),
            ("Tag.1.Key", "k"),
            ("Tagg.1.Key", "k"),
        ];
        let params = params(Product::Slb, &sent);
        assert_eq!(tag.check(&params), Ok(()));
        assert_eq!(tag.unknown(&params), ["Tagg.1.Key"]);
    }
}
