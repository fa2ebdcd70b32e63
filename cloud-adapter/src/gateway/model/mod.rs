//! What an API gateway holds, in words that fit both of Alibaba Cloud's products.
//!
//! | here | API Gateway (CloudAPI 2016-07-14) | cloud-native gateway (APIG 2024-03-27) |
//! |---|---|---|
//! | `Group` | API group | HTTP API |
//! | `Backend` | VPC access authorization | service of type VIP |
//! | `Api` | API | route or operation |
//! | `Deployment` | API deployed to a stage | deployment to an environment |
//! | `Consumer` | app | consumer |
//! | `Grant` | authorization of an app | authorization rule |
//! | `Policy` | plugin | policy |
//! | `Attachment` | plugin attachment | policy attachment |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod callers;
mod inventory;
mod policies;

pub use callers::*;
pub use inventory::*;
pub use policies::*;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as the cloud writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }
    };
}

id!(
    /// Id of a [`Group`], made by the cloud.
    GroupId
);
id!(
    /// Id of an [`Api`], made by the cloud.
    ApiId
);
id!(
    /// Id of a [`Consumer`], made by the cloud.
    ConsumerId
);
id!(
    /// Id of a [`Policy`], made by the cloud.
    PolicyId
);
id!(
    /// Name of a [`Backend`]: APIs refer to a backend by its name, which never changes.
    BackendName
);

/// Proof that an object is ours: written when it is created, read back before it is changed or
/// deleted. Kept in tags where the product has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// The cluster that manages the object (`spec.cloud.clusterId` of the class).
    pub cluster: String,
    /// What in the cluster the object stands for, for example `GatewayBinding/default/helloworld`
    /// or, for an object that many share, `GatewayBindingClass/production`.
    pub owner: String,
}

/// Tag key that carries [`Marker::cluster`].
pub const CLUSTER_TAG: &str = "gatewaybinding.dev/cluster";
/// Tag key that carries [`Marker::owner`].
pub const OWNER_TAG: &str = "gatewaybinding.dev/owner";

/// Where a definition runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Environment {
    /// For tests.
    Test,
    /// Before release.
    Pre,
    /// Production.
    Release,
}

/// A protocol that callers may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Plain HTTP.
    #[serde(rename = "HTTP")]
    Http,
    /// HTTP over TLS.
    #[serde(rename = "HTTPS")]
    Https,
}

/// An HTTP method, or any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Any,
    Get,
    Post,
    Put,
    Delete,
    Head,
    Patch,
    Options,
}

/// A public path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Path {
    /// This path only.
    Exact(String),
    /// This path and everything below it. Begins with `/`, has no trailing `/` unless it is `/`.
    Prefix(String),
}

/// A namespace of APIs with a public name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSpec {
    /// Unique in account and region.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Instance the group lives on; none for the shared one. Fixed at creation.
    pub instance: Option<String>,
    /// Whether the product's own public name answers (for tests: 1,000 calls a day).
    pub test_domain: bool,
    /// Whether the caller's Host is passed on to back ends. Ours is never: it would override the
    /// Host that an API sets. Compared, so that a hand edit shows as drift.
    pub pass_host: bool,
}

/// A group as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Made by the cloud.
    pub id: GroupId,
    /// What it says.
    pub spec: GroupSpec,
    /// The product's own public host name.
    pub sub_domain: String,
    /// Whose it is; none: somebody else's.
    pub marker: Option<Marker>,
}

/// Permission for the gateway to reach a port of a load balancer in a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendSpec {
    /// Unique in account and region; what APIs refer to.
    pub name: BackendName,
    /// The VPC of the load balancer.
    pub vpc_id: String,
    /// The load balancer.
    pub load_balancer_id: String,
    /// Its listener's port.
    pub port: u16,
    /// A Host that overrides the one each API sets. Ours is always none. Compared, so that a hand
    /// edit, which would break every API behind it, shows as drift.
    pub host_override: Option<String>,
}

/// A backend as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// What it says.
    pub spec: BackendSpec,
    /// Made by the cloud.
    pub id: String,
    /// Whose it is; none: somebody else's.
    pub marker: Option<Marker>,
}

/// Who may call an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiAuth {
    /// Everybody.
    Anonymous,
    /// Consumers with a [`Grant`].
    Consumer {
        /// Where an API key is looked for; none: API keys are refused. The classic product can do
        /// header alone or header and query, not query alone.
        api_key: BTreeSet<ApiKeyLocation>,
        /// Whether a signed request is accepted. The classic product accepts it always.
        signature: bool,
    },
}

/// Where a caller puts an API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ApiKeyLocation {
    /// A request header.
    Header,
    /// The query string.
    Query,
}

/// Where an API sends requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiBackend {
    /// The [`Backend`].
    pub name: BackendName,
    /// Path at the backend. For a [`Path::Prefix`] the rest of the request's path is appended.
    pub path: String,
    /// Host that the backend sees; none: the gateway's default.
    pub host: Option<String>,
    /// How long the gateway waits for the answer, in milliseconds.
    pub timeout_ms: u32,
}

/// The definition of one public path and method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// Unique in its group.
    pub name: String,
    /// Free text; the caller may keep a digest of the definition in it.
    pub description: String,
    /// Public method.
    pub method: Method,
    /// Public path; unique with the method within a group.
    pub path: Path,
    /// Protocols that callers may use.
    pub protocols: BTreeSet<Protocol>,
    /// Who may call.
    pub auth: ApiAuth,
    /// Where requests go.
    pub backend: ApiBackend,
    /// Settings found in the cloud that this model has no word for and that differ from what the
    /// adapter writes: name to value. Ours is always empty, so a hand edit shows as drift; that of an
    /// API that others made names what is left as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unmodelled: BTreeMap<String, String>,
}

/// An API as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Made by the cloud.
    pub id: ApiId,
    /// Its group.
    pub group: GroupId,
    /// Name, method and path are in every list, so they are known for foreign APIs as well.
    pub name: String,
    /// See [`ApiSpec::method`].
    pub method: Method,
    /// See [`ApiSpec::path`].
    pub path: Path,
    /// The cloud's mark of the draft's version (CloudAPI `ModifiedTime`): another one means that
    /// somebody changed it. Empty after a write of ours until the API is read.
    pub modified: String,
    /// The whole definition (the draft), as far as it has been read: see `ApiGateway::read_api`.
    pub spec: Option<Arc<ApiSpec>>,
    /// What runs, by environment.
    pub deployments: BTreeMap<Environment, Deployment>,
    /// Whose it is; none: somebody else's.
    pub marker: Option<Marker>,
}

/// A definition that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The cloud's version of it; moves with each deployment. Empty after one of ours until the
    /// API is read.
    pub version: String,
    /// The definition that runs, as far as it has been read. Its name and description are
    /// those of the draft, since the deployed one carries neither reliably.
    pub spec: Option<Arc<ApiSpec>>,
}
