//! The steps, as the data file has them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A story about one or a few Services.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// Whether load balancers by specification are for sale.
    #[serde(default)]
    pub sells_pay_by_spec: bool,
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub say: String,
    /// The Service it is about.
    #[serde(default = "gateway")]
    pub service: String,
    /// Nothing comes of it.
    #[serde(default)]
    pub quiet: bool,
    #[serde(rename = "do")]
    pub action: Action,
}

fn gateway() -> String {
    "gw".to_owned()
}

/// What happens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A Service appears; only what differs from a plain one is said.
    Create {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
        #[serde(default)]
        spec: Value,
    },
    /// Annotations are set, or taken away; short keys are settings of load balancers.
    Annotate(BTreeMap<String, Option<String>>),
    /// A merge patch of the Service.
    Patch(Value),
    Delete,
    /// A merge patch of a node.
    Node {
        name: String,
        patch: Value,
    },
    /// The endpoints of the Service: addresses and the nodes they are on.
    Endpoints(Vec<(String, String)>),
    /// Somebody calls the cloud.
    Cloud {
        product: String,
        action: String,
        params: BTreeMap<String, String>,
    },
}
