//! Things that were made in the cloud console, and who may take them over.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that was made in the cloud console, by its id there.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Existing {
    /// Its id, as the console shows it. A name would prove nothing. Example:
    /// 0009db9c828549768a200320714b8930.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub id: String,
}

/// A kind of thing that bindings and consumers may adopt.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub enum Adoptable {
    /// APIs in a group that the binding may publish in.
    API,
    /// Throttling policies of the account.
    Policy,
    /// Consumers of the account, with their credentials.
    Consumer,
}

/// A way to a gateway's load balancer that was made in the cloud console.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExistingBackend {
    /// Name of one of the gateways of the class.
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub gateway: String,

    /// Port of the load balancer, 1 to 65535. Requests for Knative Services enter through 80.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// The way, with the classic API Gateway a VPC authorization. It has to lead to that port of the
    /// load balancer of that gateway. It is used as it is, and never changed or deleted.
    pub existing: Existing,
}

/// A consumer that was made in the cloud console of one account.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExistingConsumer {
    /// Id of the account.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+$"))]
    pub account_id: String,

    /// Id of the region. Example: cn-beijing.
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub region_id: String,

    /// Id of the consumer there, with the classic API Gateway that of an app. Example: 110840611.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub id: String,
}
