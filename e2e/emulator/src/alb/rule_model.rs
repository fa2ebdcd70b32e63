//! Forwarding rules: what they ask of a request and what they do with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A forwarding rule of a listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `rule-…`
    pub id: String,
    /// Its listener.
    pub listener_id: String,
    /// The load balancer of that.
    pub load_balancer_id: String,
    /// Its name.
    pub name: String,
    /// 1 to 10000, unique in listener and direction; lower ones are tried first.
    pub priority: u32,
    /// What it looks at.
    pub direction: Direction,
    /// All must be met.
    pub conditions: Vec<Condition>,
    /// Carried out in this order.
    pub actions: Vec<Action>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When the last change is through.
    pub settled: Timestamp,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Direction {
    /// Requests.
    #[default]
    Request,
    /// Answers.
    Response,
}

/// What a request has to have. Of the values, one is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is looked at.
    pub kind: ConditionKind,
    /// Name of the header.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Names and patterns, for cookies and query strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<Pair>,
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the product")]
pub enum ConditionKind {
    Host,
    Path,
    Header,
    Cookie,
    QueryString,
    Method,
    SourceIp,
    ResponseHeader,
    ResponseStatusCode,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A step of a rule and its place among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// 1 to 50000, unique in the rule.
    pub order: u32,
    /// What is done.
    #[serde(flatten)]
    pub step: Step,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the words of the product")]
pub enum Step {
    ForwardGroup {
        tuples: Vec<Tuple>,
        sticky_seconds: Option<u32>,
    },
    Redirect {
        host: String,
        path: String,
        port: String,
        protocol: String,
        query: String,
        http_code: String,
    },
    FixedResponse {
        content: String,
        content_type: String,
        http_code: String,
    },
    InsertHeader {
        key: String,
        value: String,
        value_type: String,
    },
    RemoveHeader {
        key: String,
    },
    Rewrite {
        host: String,
        path: String,
        query: String,
    },
    TrafficLimit {
        qps: Option<i64>,
        per_ip_qps: Option<i64>,
    },
    TrafficMirror {
        server_groups: Vec<String>,
    },
    Cors {
        settings: BTreeMap<String, Vec<String>>,
    },
}

/// A server group and its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tuple {
    /// `sgp-…`
    pub server_group_id: String,
    /// 0 to 100.
    pub weight: u32,
}

/// What a call did to one rule; in the call log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleWrite {
    /// The rule.
    pub rule_id: String,
    /// Its priority after the call.
    pub priority: u32,
    /// What happened.
    pub effect: Effect,
    /// Its hosts before and after.
    pub hosts: Vec<String>,
}

/// What a call did to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// It is new.
    Created,
    /// Its content or priority differs from what it was.
    Changed,
    /// It was written as it was already.
    Identical,
    /// It is gone.
    Deleted,
}

impl Direction {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
        }
    }
}

impl ConditionKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Host,
        Self::Path,
        Self::Header,
        Self::Cookie,
        Self::QueryString,
        Self::Method,
        Self::SourceIp,
        Self::ResponseHeader,
        Self::ResponseStatusCode,
    ];

    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Path => "Path",
            Self::Header => "Header",
            Self::Cookie => "Cookie",
            Self::QueryString => "QueryString",
            Self::Method => "Method",
            Self::SourceIp => "SourceIp",
            Self::ResponseHeader => "ResponseHeader",
            Self::ResponseStatusCode => "ResponseStatusCode",
        }
    }
}

impl Step {
    /// As the API writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ForwardGroup { .. } => "ForwardGroup",
            Self::Redirect { .. } => "Redirect",
            Self::FixedResponse { .. } => "FixedResponse",
            Self::InsertHeader { .. } => "InsertHeader",
            Self::RemoveHeader { .. } => "RemoveHeader",
            Self::Rewrite { .. } => "Rewrite",
            Self::TrafficLimit { .. } => "TrafficLimit",
            Self::TrafficMirror { .. } => "TrafficMirror",
            Self::Cors { .. } => "Cors",
        }
    }

    /// Whether a request ends with this step.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::ForwardGroup { .. } | Self::Redirect { .. } | Self::FixedResponse { .. }
        )
    }

    /// The configuration as the API shows it.
    fn view(&self) -> Value {
        match self {
            Self::ForwardGroup {
                tuples,
                sticky_seconds,
            } => {
                let tuples: Vec<Value> = tuples.iter().map(Tuple::view).collect();
                let mut group = json!({ "ServerGroupTuples": tuples });
                if let Some(seconds) = sticky_seconds {
                    group["ServerGroupStickySession"] =
                        json!({"Enabled": true, "Timeout": seconds});
                }
                group
            }
            Self::Redirect {
                host,
                path,
                port,
                protocol,
                query,
                http_code,
            } => json!({
                "Host": host, "Path": path, "Port": port, "Protocol": protocol, "Query": query,
                "HttpCode": http_code,
            }),
            Self::FixedResponse {
                content,
                content_type,
                http_code,
            } => json!({"Content": content, "ContentType": content_type, "HttpCode": http_code}),
            Self::InsertHeader {
                key,
                value,
                value_type,
            } => json!({"Key": key, "Value": value, "ValueType": value_type}),
            Self::RemoveHeader { key } => json!({ "Key": key }),
            Self::Rewrite { host, path, query } => {
                json!({"Host": host, "Path": path, "Query": query})
            }
            Self::TrafficLimit { qps, per_ip_qps } => limits_view(*qps, *per_ip_qps),
            Self::TrafficMirror { server_groups } => {
                let tuples: Vec<Value> = server_groups
                    .iter()
                    .map(|id| json!({"ServerGroupId": id, "Weight": 100}))
                    .collect();
                json!({
                    "TargetType": "ForwardGroupMirror",
                    "MirrorGroupConfig": {"ServerGroupTuples": tuples},
                })
            }
            Self::Cors { settings } => cors_view(settings),
        }
    }
}

fn limits_view(qps: Option<i64>, per_ip_qps: Option<i64>) -> Value {
    let both = [("QPS", qps), ("PerIpQps", per_ip_qps)];
    let given = both
        .into_iter()
        .filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))));
    Value::Object(given.collect())
}

fn cors_view(settings: &BTreeMap<String, Vec<String>>) -> Value {
    let members = settings.iter().map(|(name, values)| {
        let first = values.first().map_or("", String::as_str);
        let value = match name.as_str() {
            "AllowCredentials" => json!(first),
            "MaxAge" => json!(first.parse::<i64>().unwrap_or_default()),
            _ => json!(values),
        };
        (name.clone(), value)
    });
    Value::Object(members.collect())
}

impl Tuple {
    /// As the API shows it.
    pub fn view(&self) -> Value {
        json!({"ServerGroupId": self.server_group_id, "Weight": self.weight})
    }
}

impl Action {
    /// As the API shows it.
    pub fn view(&self) -> Value {
        let name = self.step.name();
        let config = match &self.step {
            Step::ForwardGroup { .. } => "ForwardGroupConfig".to_owned(),
            _ => format!("{name}Config"),
        };
        json!({"Type": name, "Order": self.order, config: self.step.view()})
    }
}

impl Condition {
    /// As the API shows it.
    pub fn view(&self) -> Value {
        let mut config = Map::new();
        if !self.key.is_empty() {
            config.insert("Key".to_owned(), json!(self.key));
        }
        let pairs = self.pairs.iter();
        let pairs: Vec<Value> = pairs
            .map(|pair| json!({"Key": pair.key, "Value": pair.value}))
            .collect();
        let values = match pairs.is_empty() {
            true => json!(self.values),
            false => json!(pairs),
        };
        config.insert("Values".to_owned(), values);
        json!({"Type": self.kind.name(), format!("{}Config", self.kind.name()): config})
    }
}

impl Rule {
    /// `Provisioning`, `Configuring` or `Available`.
    pub fn status(&self, now: Timestamp, settling: SignedDuration) -> &'static str {
        match now >= self.settled {
            true => "Available",
            false if self.settled <= self.created + settling => "Provisioning",
            false => "Configuring",
        }
    }

    /// The server groups that it leads to.
    pub fn server_groups(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().flat_map(|action| match &action.step {
            Step::ForwardGroup { tuples, .. } => tuples
                .iter()
                .map(|tuple| tuple.server_group_id.as_str())
                .collect::<Vec<_>>(),
            Step::TrafficMirror { server_groups } => {
                server_groups.iter().map(String::as_str).collect()
            }
            _ => Vec::new(),
        })
    }

    /// The hosts that it asks for.
    pub fn hosts(&self) -> Vec<String> {
        let hosts = self.conditions.iter();
        hosts
            .filter(|condition| condition.kind == ConditionKind::Host)
            .flat_map(|condition| condition.values.clone())
            .collect()
    }

    /// Whether another rule does the same at the same place.
    pub fn same_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.priority == other.priority
            && self.conditions == other.conditions
            && self.actions == other.actions
    }
}
