//! Limits on the rate of requests through an API Gateway.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Existing;

/// Limits on the rate of requests.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.limits) || has(self.existing)")
    .message("say which limits: give limits, or existing for a policy that was made in the cloud console, or both")
    .reason(Reason::FieldValueRequired))]
pub struct Throttling {
    /// A throttling policy that was made in the cloud console, with the classic API Gateway a plugin
    /// of type trafficControl. Without limits it acts as it is; with limits it is brought to them, for
    /// every API that it acts on. It is never deleted. The class must let bindings adopt policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,

    /// The limits. All of them hold; a request above any of them is answered with 429. The classic
    /// API Gateway wants the same unit of time in all of them, and no limit for a consumer above that
    /// for an account, nor one for an account above that for the API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub limits: Vec<Limit>,
}

/// A limit on the rate of requests.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.consumer) || self.scope == 'Consumer'")
    .message("consumer may be given with scope: Consumer only")
    .reason(Reason::FieldValueForbidden).field_path(".consumer"))]
#[x_kube(validation = Rule::new("has(self.header) == (self.scope == 'Header') && has(self.parameter) == (self.scope == 'Parameter')")
    .message("header goes with scope: Header, parameter with scope: Parameter, and each is required there")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("has(self.value) == (self.scope == 'Header' || self.scope == 'Parameter')")
    .message("value goes with scope: Header and scope: Parameter, and is required there")
    .reason(Reason::FieldValueInvalid).field_path(".value"))]
pub struct Limit {
    /// Name of the limit, unique within the binding.
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// What is counted together: API for all requests to a route, Account for those of all consumers
    /// of one cloud account, Consumer for those of each consumer. Header and Parameter, which are
    /// Higress' own, for requests whose header or query parameter has a certain value.
    pub scope: LimitScope,

    /// With scope Consumer: the entry of allow that this limit is for, instead of the one for every
    /// consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub consumer: Option<String>,

    /// With scope Header: name of the header. Example: x-ca-key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub header: Option<String>,

    /// With scope Parameter: name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub parameter: Option<String>,

    /// With scope Header or Parameter: the whole value. A number needs quotes. Example: "123456".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[!-~]+$"))]
    pub value: Option<String>,

    /// Number of requests in the unit of time, 1 to 100000000.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub requests: i64,

    /// Unit of time: Second, Minute, Hour or Day.
    pub per: RateUnit,
}

/// What a limit counts together.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum LimitScope {
    /// All requests to a route.
    API,
    /// The requests of all consumers of one cloud account.
    Account,
    /// The requests of each consumer.
    Consumer,
    /// The requests whose header has a certain value.
    Header,
    /// The requests whose query parameter has a certain value.
    Parameter,
}

/// A unit of time.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum RateUnit {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// One day.
    Day,
}
