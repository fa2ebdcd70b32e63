//! The objects of the API Gateway product.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::plugin_data::PluginType;
use crate::world::Visible;

/// Tags of an object.
pub type Tags = BTreeMap<String, String>;

/// All API Gateway objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// API groups by id.
    pub groups: BTreeMap<String, Visible<Group>>,
    /// VPC authorizations by name.
    pub vpc_accesses: BTreeMap<String, Visible<VpcAccess>>,
    /// API drafts by id.
    pub apis: BTreeMap<String, Visible<Api>>,
    /// What runs: by API id, then by stage.
    pub deployments: BTreeMap<String, BTreeMap<Stage, Deployment>>,
    /// All publications so far, by API id, oldest first.
    pub history: BTreeMap<String, Vec<Version>>,
    /// Consumers by id.
    pub apps: BTreeMap<i64, Visible<App>>,
    /// Authorizations of consumers.
    pub grants: Vec<Grant>,
    /// Plugins by id.
    pub plugins: BTreeMap<String, Visible<Plugin>>,
    /// Plugins on published APIs.
    pub api_plugins: Vec<ApiPlugin>,
    /// Plugins on groups.
    pub group_plugins: Vec<GroupPlugin>,
    /// Classic throttling policies by id.
    pub traffic_controls: BTreeMap<String, TrafficControl>,
    /// Classic throttling policies on APIs.
    pub traffic_bindings: Vec<TrafficBinding>,
    /// Asynchronous tasks by operation id.
    pub tasks: BTreeMap<String, Task>,
    /// Every code and secret that a consumer ever had, for looking whether one is shown somewhere.
    #[serde(skip)]
    pub issued: BTreeSet<String>,
    /// Calls of `DescribeApps` on the day it was last called; 200 a day are allowed.
    pub app_list_calls: DailyCount,
}

/// A number of events on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DailyCount {
    /// Days since 1970 (UTC).
    pub day: i64,
    /// Events on that day.
    pub count: u32,
}

impl DailyCount {
    /// Counts one event; how many there were on that day, this one included.
    pub fn add(&mut self, now: Timestamp) -> u32 {
        let day = now.as_second().div_euclid(86_400);
        if self.day != day {
            *self = Self { day, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// Where an API is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Stage {
    /// Production.
    Release,
    /// Rehearsal.
    Pre,
    /// Test.
    Test,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 3] = [Self::Release, Self::Pre, Self::Test];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "RELEASE",
            Self::Pre => "PRE",
            Self::Test => "TEST",
        }
    }

    /// The stage that a name means.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An API group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// 32 hex characters.
    pub id: String,
    /// Unique in the account and region.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Prefix of all request paths.
    pub base_path: String,
    /// The instance that serves it.
    pub instance_id: String,
    /// Names of headers that reach the backend unchanged, as sent.
    pub passthrough_headers: String,
    /// `UserLogConfig` as sent.
    pub user_log_config: String,
    /// Other settings of `ModifyApiGroup`, by parameter name, as sent.
    pub settings: BTreeMap<String, String>,
    /// Whether the public second-level domain answers.
    pub test_domain_enabled: bool,
    /// The other switches of `ModifyApiGroupNetworkPolicy`, by parameter name.
    pub network: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Custom domains by name.
    pub domains: BTreeMap<String, Domain>,
}

impl Group {
    /// The public second-level domain, meant for tests: 1000 calls a day.
    pub fn sub_domain(&self, region: &str) -> String {
        format!("{}-{region}.alicloudapi.com", self.id)
    }
}

/// A custom domain of a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Domain {
    /// The one stage it serves; none lets the caller choose by `X-Ca-Stage`.
    pub stage: Option<Stage>,
    /// `INTERNET` or `INTRANET`.
    pub kind: String,
}

/// A VPC authorization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcAccess {
    /// Server-made id, in answers only.
    pub id: String,
    /// Unique name, by which APIs refer to it.
    pub name: String,
    /// The network.
    pub vpc_id: String,
    /// Load balancer or server.
    pub instance_id: String,
    /// Its port.
    pub port: u16,
    /// `Host` towards the backend; empty leaves it alone.
    pub target_host: String,
    /// Free text.
    pub description: String,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created: Timestamp,
}

impl VpcAccess {
    /// What identifies the backend: at most one authorization each.
    pub fn triple(&self) -> (&str, &str, u16) {
        (&self.vpc_id, &self.instance_id, self.port)
    }
}

/// An API: its draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// 32 hex characters.
    pub id: String,
    /// Its group.
    pub group_id: String,
    /// The draft.
    pub definition: Definition,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created: Timestamp,
    /// When the draft was last changed.
    pub modified: Timestamp,
}

/// What runs in a stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// The definition as it was published.
    pub definition: Definition,
    /// The backend as the authorization named it at that moment.
    pub backend: Option<VpcAccess>,
    /// Identifies this publication: the moment in 17 digits.
    pub version: String,
    /// Words of whoever published.
    pub description: String,
    /// When.
    pub deployed: Timestamp,
}

/// One publication of the past or present.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The stage.
    pub stage: Stage,
    /// What was published.
    pub deployment: Deployment,
}

/// A consumer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// A number.
    pub id: i64,
    /// Unique in the account.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Free text of the caller.
    pub extend: String,
    /// Whether calls are refused.
    pub disabled: bool,
    /// Codes, oldest first.
    pub codes: Vec<AppCode>,
    /// Keys, oldest first.
    pub keys: Vec<AppKey>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A code of a consumer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppCode {
    /// The code.
    pub code: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last reset.
    pub modified: Timestamp,
}

/// A key and its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppKey {
    /// The key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last reset.
    pub modified: Timestamp,
}

/// An authorization: this consumer may call this API in this stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The API.
    pub api_id: String,
    /// The stage.
    pub stage: Stage,
    /// The consumer.
    pub app_id: i64,
    /// Free text.
    pub description: String,
    /// End of validity; none is for ever.
    pub valid_until: Option<Timestamp>,
    /// When it was given.
    pub authorized: Timestamp,
}

/// A plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// 32 hex characters.
    pub id: String,
    /// Unique in the account and region.
    pub name: String,
    /// What it does; immutable.
    pub kind: PluginType,
    /// Its settings as sent, YAML or JSON.
    pub data: String,
    /// Free text.
    pub description: String,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A plugin on a published API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiPlugin {
    /// The API.
    pub api_id: String,
    /// The stage.
    pub stage: Stage,
    /// The plugin.
    pub plugin_id: String,
}

/// A plugin on a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupPlugin {
    /// The group.
    pub group_id: String,
    /// The stage.
    pub stage: Stage,
    /// The plugin.
    pub plugin_id: String,
}

/// A classic throttling policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficControl {
    /// 32 hex characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `SECOND`, `MINUTE`, `HOUR` or `DAY`.
    pub unit: String,
    /// Calls of an API in a unit.
    pub api_default: i64,
    /// Calls of a user in a unit.
    pub user_default: Option<i64>,
    /// Calls of a consumer in a unit.
    pub app_default: Option<i64>,
    /// Exceptions: limits by `APP` or `USER`, then by id.
    pub specials: BTreeMap<String, BTreeMap<String, i64>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A classic throttling policy on an API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficBinding {
    /// The API.
    pub api_id: String,
    /// The stage.
    pub stage: Stage,
    /// The policy.
    pub control_id: String,
    /// When it was bound.
    pub bound: Timestamp,
}

/// An asynchronous task and what became of each of its APIs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// What it does.
    pub kind: TaskKind,
    /// From when on the results show; before, they read as being worked on.
    pub done_from: Timestamp,
    /// Its parts.
    pub results: Vec<TaskResult>,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskKind {
    /// `BatchDeployApis`
    Deploy,
    /// `BatchAbolishApis`, `RemoveVpcAccessAndAbolishApis`
    Abolish,
    /// `ModifyVpcAccessAndUpdateApis`
    UpdateVpc,
}

/// What became of one API of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The API.
    pub api_id: String,
    /// Its name.
    pub api_name: String,
    /// Its group.
    pub group_id: String,
    /// Name of the group.
    pub group_name: String,
    /// The stage.
    pub stage: Stage,
    /// Why it failed.
    pub error: Option<String>,
}
