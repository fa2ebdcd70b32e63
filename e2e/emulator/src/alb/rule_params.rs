//! Rules as they come in, each text checked.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::errors;
use super::node::Node;
use super::rule_model::{Action, Condition, ConditionKind, Direction, Pair, Step, Tuple};
use super::texts;
use crate::api::ApiError;

/// Values that one condition may have.
const VALUES_MAX: usize = 10;

/// Addresses that one condition may have.
const ADDRESSES_MAX: usize = 5;

/// A rule of a call, in which a part that is to stay as it is may be absent.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) name: Option<String>,
    pub(super) priority: Option<u32>,
    pub(super) direction: Option<Direction>,
    pub(super) conditions: Option<Vec<Condition>>,
    pub(super) actions: Option<Vec<Action>>,
}

/// Reads a rule.
pub(super) fn wish(node: &Node) -> Result<Wish, ApiError> {
    let name = node.text("RuleName").map(str::to_owned);
    if name.as_deref().is_some_and(|name| !texts::is_name(name)) {
        return Err(errors::illegal("RuleName"));
    }
    let direction = match node.one_of("Direction", &["Request", "Response"])? {
        None => None,
        Some("Response") => Some(Direction::Response),
        Some(_) => Some(Direction::Request),
    };
    Ok(Wish {
        name,
        priority: number(node, "Priority", 1, 10_000)?,
        direction,
        conditions: all(node, "RuleConditions", condition)?,
        actions: all(node, "RuleActions", action)?,
    })
}

fn all<T>(
    node: &Node,
    name: &str,
    read: fn(&Node) -> Result<T, ApiError>,
) -> Result<Option<Vec<T>>, ApiError> {
    let items = node.items(name);
    if items.is_empty() {
        return Ok(None);
    }
    let items: Result<Vec<T>, ApiError> = items.into_iter().map(read).collect();
    items.map(Some)
}

fn number(node: &Node, name: &str, low: i64, high: i64) -> Result<Option<u32>, ApiError> {
    let number = node.int(name, low, high)?;
    number
        .map(|number| u32::try_from(number).map_err(|_| errors::illegal(name)))
        .transpose()
}

fn condition(node: &Node) -> Result<Condition, ApiError> {
    let name = node.required("Type")?;
    let kind = ConditionKind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| errors::illegal("RuleConditions.Type"))?;
    let member = format!("{name}Config");
    let config = node.get(&member).ok_or_else(|| errors::missing(&member))?;
    let with_key = matches!(kind, ConditionKind::Header | ConditionKind::ResponseHeader);
    let condition = Condition {
        kind,
        key: match with_key {
            true => config.required("Key")?.to_owned(),
            false => String::new(),
        },
        values: match kind {
            ConditionKind::Cookie | ConditionKind::QueryString => Vec::new(),
            _ => config.texts("Values"),
        },
        pairs: match kind {
            ConditionKind::Cookie | ConditionKind::QueryString => pairs(config)?,
            _ => Vec::new(),
        },
    };
    match is_written_well(&condition) {
        true => Ok(condition),
        false => Err(errors::illegal(&member)),
    }
}

fn pairs(config: &Node) -> Result<Vec<Pair>, ApiError> {
    let pair = |node: &Node| {
        Ok(Pair {
            key: node.required("Key")?.to_owned(),
            value: node.text("Value").unwrap_or_default().to_owned(),
        })
    };
    config.items("Values").into_iter().map(pair).collect()
}

fn is_written_well(condition: &Condition) -> bool {
    const METHODS: [&str; 7] = ["HEAD", "GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
    let values = &condition.values;
    let count = values.len() + condition.pairs.len();
    let mut unique = values.clone();
    unique.sort();
    unique.dedup();
    if count == 0 || count > VALUES_MAX || unique.len() != values.len() {
        return false;
    }
    let each = |fits: fn(&str) -> bool| values.iter().all(|value| fits(value));
    match condition.kind {
        ConditionKind::Host => each(texts::is_host),
        ConditionKind::Path => each(texts::is_path),
        ConditionKind::Header | ConditionKind::ResponseHeader => {
            texts::is_asked_header(&condition.key) && each(texts::is_header_value)
        }
        ConditionKind::Method => each(|method| METHODS.contains(&method)),
        ConditionKind::SourceIp => count <= ADDRESSES_MAX && each(is_address),
        ConditionKind::ResponseStatusCode => {
            each(|code| matches!(code.parse::<u16>(), Ok(100..=599)))
        }
        ConditionKind::Cookie => condition
            .pairs
            .iter()
            .all(|pair| texts::is_cookie(&pair.key) && texts::is_cookie(&pair.value)),
        ConditionKind::QueryString => condition
            .pairs
            .iter()
            .all(|pair| texts::is_query(&pair.key, 100) && texts::is_query(&pair.value, 128)),
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok()
}

fn action(node: &Node) -> Result<Action, ApiError> {
    let order = number(node, "Order", 1, 50_000)?.ok_or_else(|| errors::missing("Order"))?;
    let config = |name: &str| node.get(name).ok_or_else(|| errors::missing(name));
    let step = match node.required("Type")? {
        "ForwardGroup" => forward(config("ForwardGroupConfig")?)?,
        "Redirect" => redirect(config("RedirectConfig")?)?,
        "FixedResponse" => fixed_response(config("FixedResponseConfig")?)?,
        "InsertHeader" => insert_header(config("InsertHeaderConfig")?)?,
        "RemoveHeader" => remove_header(config("RemoveHeaderConfig")?)?,
        "Rewrite" => rewrite(config("RewriteConfig")?)?,
        "TrafficLimit" => traffic_limit(config("TrafficLimitConfig")?)?,
        "TrafficMirror" => traffic_mirror(config("TrafficMirrorConfig")?)?,
        "Cors" => cors(config("CorsConfig")?),
        _ => return Err(errors::illegal("RuleActions.Type")),
    };
    Ok(Action { order, step })
}

fn forward(config: &Node) -> Result<Step, ApiError> {
    let items = config.items("ServerGroupTuples");
    let tuples = tuples(&items)?;
    let sticky = match config.get("ServerGroupStickySession") {
        Some(sticky) if sticky.bool("Enabled")? == Some(true) => {
            Some(number(sticky, "Timeout", 1, 86_400)?.unwrap_or(1_000))
        }
        _ => None,
    };
    Ok(Step::ForwardGroup {
        tuples,
        sticky_seconds: sticky,
    })
}

/// Server groups with their weights. Of several, each has to have one.
pub(super) fn tuples(items: &[&Node]) -> Result<Vec<Tuple>, ApiError> {
    if items.is_empty() {
        return Err(errors::missing("ServerGroupTuples"));
    }
    let one = items.len() == 1;
    let tuple = |node: &&Node| {
        let weight = match number(node, "Weight", 0, 100)? {
            Some(weight) => weight,
            None if one => 100,
            None => return Err(errors::missing("Weight")),
        };
        Ok(Tuple {
            server_group_id: node.required("ServerGroupId")?.to_owned(),
            weight,
        })
    };
    items.iter().map(tuple).collect()
}

fn redirect(config: &Node) -> Result<Step, ApiError> {
    let or = |name: &str, default: &str| config.text(name).unwrap_or(default).to_owned();
    let codes = ["301", "302", "303", "307", "308"];
    let code = config.one_of("HttpCode", &codes)?.unwrap_or("301");
    let (host, path) = (or("Host", "${host}"), or("Path", "${path}"));
    let (port, protocol) = (or("Port", "${port}"), or("Protocol", "${protocol}"));
    let query = or("Query", "${query}");
    let place = [&host, &path, &port, &protocol, &query];
    let same = ["${host}", "${path}", "${port}", "${protocol}", "${query}"];
    let port_fits = port == "${port}" || matches!(port.parse::<u32>(), Ok(1..=63_335));
    let protocol_fits = ["${protocol}", "HTTP", "HTTPS"].contains(&protocol.as_str());
    if place.iter().zip(same).all(|(value, same)| *value == same) || !port_fits || !protocol_fits {
        return Err(errors::illegal("RedirectConfig"));
    }
    if host != "${host}" && !texts::is_host(&host) || !path.starts_with(['/', '$']) {
        return Err(errors::illegal("RedirectConfig"));
    }
    Ok(Step::Redirect {
        host,
        path,
        port,
        protocol,
        query,
        http_code: code.to_owned(),
    })
}

fn fixed_response(config: &Node) -> Result<Step, ApiError> {
    const TYPES: [&str; 5] = [
        "text/plain",
        "text/css",
        "text/html",
        "application/javascript",
        "application/json",
    ];
    let content = config.text("Content").unwrap_or_default();
    let content_type = config
        .one_of("ContentType", &TYPES)?
        .unwrap_or("text/plain");
    let code = config.required("HttpCode")?;
    let class_fits = matches!(code.parse::<u16>(), Ok(200..=299 | 400..=599));
    if !class_fits || content.len() > 1024 || !content.is_ascii() {
        return Err(errors::illegal("FixedResponseConfig"));
    }
    Ok(Step::FixedResponse {
        content: content.to_owned(),
        content_type: content_type.to_owned(),
        http_code: code.to_owned(),
    })
}

fn insert_header(config: &Node) -> Result<Step, ApiError> {
    const OWN: [&str; 5] = [
        "ClientSrcPort",
        "ClientSrcIp",
        "Protocol",
        "SLBId",
        "SLBPort",
    ];
    let key = config.required("Key")?;
    let value = config.required("Value")?;
    let types = ["UserDefined", "ReferenceHeader", "SystemDefined"];
    let value_type = config
        .one_of("ValueType", &types)?
        .ok_or_else(|| errors::missing("ValueType"))?;
    let fits = match value_type {
        "SystemDefined" => OWN.contains(&value),
        "ReferenceHeader" => texts::is_reference(value),
        _ => texts::is_header_value(value),
    };
    if !texts::is_settable_header(key) || !fits {
        return Err(errors::illegal("InsertHeaderConfig"));
    }
    Ok(Step::InsertHeader {
        key: key.to_owned(),
        value: value.to_owned(),
        value_type: value_type.to_owned(),
    })
}

fn remove_header(config: &Node) -> Result<Step, ApiError> {
    let key = config.required("Key")?;
    match texts::is_settable_header(key) {
        true => Ok(Step::RemoveHeader {
            key: key.to_owned(),
        }),
        false => Err(errors::illegal("RemoveHeaderConfig")),
    }
}

fn rewrite(config: &Node) -> Result<Step, ApiError> {
    let or = |name: &str, default: &str| config.text(name).unwrap_or(default).to_owned();
    let (host, path) = (or("Host", "${host}"), or("Path", "${path}"));
    let host_fits = host == "${host}" || texts::is_host(&host);
    if !host_fits || !path.starts_with(['/', '$']) || path.len() > 128 {
        return Err(errors::illegal("RewriteConfig"));
    }
    Ok(Step::Rewrite {
        host,
        path,
        query: or("Query", "${query}"),
    })
}

fn traffic_limit(config: &Node) -> Result<Step, ApiError> {
    let qps = config.int("QPS", 1, 1_000_000)?;
    let per_ip_qps = config.int("PerIpQps", 1, 1_000_000)?;
    let ordered = match (qps, per_ip_qps) {
        (Some(all), Some(one)) => one < all,
        (None, None) => false,
        _ => true,
    };
    match ordered {
        true => Ok(Step::TrafficLimit { qps, per_ip_qps }),
        false => Err(errors::illegal("TrafficLimitConfig")),
    }
}

fn traffic_mirror(config: &Node) -> Result<Step, ApiError> {
    config.one_of("TargetType", &["ForwardGroupMirror"])?;
    let group = config
        .get("MirrorGroupConfig")
        .ok_or_else(|| errors::missing("MirrorGroupConfig"))?;
    let ids: Result<Vec<String>, ApiError> = group
        .items("ServerGroupTuples")
        .into_iter()
        .map(|node| node.required("ServerGroupId").map(str::to_owned))
        .collect();
    let server_groups = ids?;
    match server_groups.is_empty() {
        true => Err(errors::missing("ServerGroupTuples")),
        false => Ok(Step::TrafficMirror { server_groups }),
    }
}

fn cors(config: &Node) -> Step {
    let mut settings = BTreeMap::new();
    for name in [
        "AllowOrigin",
        "AllowMethods",
        "AllowHeaders",
        "ExposeHeaders",
    ] {
        let values = config.texts(name);
        if !values.is_empty() {
            settings.insert(name.to_owned(), values);
        }
    }
    for name in ["AllowCredentials", "MaxAge"] {
        if let Some(value) = config.text(name) {
            settings.insert(name.to_owned(), vec![value.to_owned()]);
        }
    }
    Step::Cors { settings }
}
