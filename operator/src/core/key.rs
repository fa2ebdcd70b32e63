//! The deterministic key of everything a binding can claim, as the ledger in its status spells it.

use std::fmt;
use std::str::FromStr;

use cloud_adapter::gateway::model::Environment;
use thiserror::Error;

/// An API, by the names that identify it before the cloud has given it an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKey {
    /// Name of its group.
    pub group: String,
    /// Its name in the group.
    pub name: String,
}

/// A `GatewayConsumer` of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ConsumerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What keys say instead of a name of something that others made and the spec adopts by its id. No
/// name in the cloud has a colon.
const BY_ID: &str = "id:";

/// How a key names something adopted.
pub fn by_id(id: &str) -> String {
    format!("{BY_ID}{id}")
}

/// The id of something adopted, by how a key names it.
pub fn id_of(name: &str) -> Option<&str> {
    name.strip_prefix(BY_ID)
}

/// Something in the cluster or the cloud that a binding claims. The order of the variants is the
/// order of creation; objects are removed in the reverse order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    /// The gateway's Kubernetes Service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An API group.
    Group {
        /// Its name.
        name: String,
    },
    /// Permission to reach a load balancer's port.
    Backend {
        /// Its name.
        name: String,
    },
    /// A throttling policy.
    Policy {
        /// Its name.
        name: String,
    },
    /// An API's definition.
    Api(ApiKey),
    /// An API running in an environment.
    Deployment {
        /// The API.
        api: ApiKey,
        /// Where.
        environment: Environment,
    },
    /// A throttling policy acting on an API. There is at most one, whatever its policy.
    Attachment {
        /// The API.
        api: ApiKey,
        /// Where.
        environment: Environment,
    },
    /// A consumer's permission to call an API.
    Grant {
        /// The API.
        api: ApiKey,
        /// Where.
        environment: Environment,
        /// Who.
        consumer: ConsumerKey,
    },
}

impl ObjectKey {
    /// The neutral word for what this is: the ledger's `kind`, a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Service { .. } => "Service",
            Self::Group { .. } => "Group",
            Self::Backend { .. } => "Backend",
            Self::Api(_) => "API",
            Self::Deployment { .. } => "Deployment",
            Self::Policy { .. } => "Policy",
            Self::Attachment { .. } => "Attachment",
            Self::Grant { .. } => "Grant",
        }
    }

    /// The API that it is, or is a part of.
    pub fn api(&self) -> Option<&ApiKey> {
        match self {
            Self::Api(api)
            | Self::Deployment { api, .. }
            | Self::Attachment { api, .. }
            | Self::Grant { api, .. } => Some(api),
            _ => None,
        }
    }

    /// The id of what the spec adopts under this key, if that is what it is.
    pub fn adopted_id(&self) -> Option<&str> {
        match self {
            Self::Group { name } | Self::Backend { name } | Self::Policy { name } => id_of(name),
            Self::Api(api) => id_of(&api.name),
            _ => None,
        }
    }

    /// Whether it is adopted, or a part of an API that is.
    pub fn is_on_adopted(&self) -> bool {
        let of_adopted = |api: &ApiKey| id_of(&api.name).is_some();
        self.adopted_id().is_some() || self.api().is_some_and(of_adopted)
    }

    /// Whether bindings can share it, so that it goes with its last user only.
    pub fn is_shared(&self) -> bool {
        matches!(
            self,
            Self::Service { .. } | Self::Group { .. } | Self::Backend { .. } | Self::Policy { .. }
        )
    }
}

fn environment_str(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "Test",
        Environment::Pre => "Pre",
        Environment::Release => "Release",
    }
}

fn parse_environment(text: &str) -> Option<Environment> {
    match text {
        "Test" => Some(Environment::Test),
        "Pre" => Some(Environment::Pre),
        "Release" => Some(Environment::Release),
        _ => None,
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Service { namespace, name } => write!(f, "kubernetes/{kind}/{namespace}/{name}"),
            Self::Group { name } | Self::Backend { name } | Self::Policy { name } => {
                write!(f, "classic/{kind}/{name}")
            }
            Self::Api(api) => write!(f, "classic/{kind}/{}/{}", api.group, api.name),
            Self::Deployment { api, environment } | Self::Attachment { api, environment } => {
                let environment = environment_str(*environment);
                write!(f, "classic/{kind}/{}/{}/{environment}", api.group, api.name)
            }
            Self::Grant {
                api,
                environment,
                consumer,
            } => {
                let environment = environment_str(*environment);
                let ApiKey { group, name } = api;
                write!(f, "classic/{kind}/{group}/{name}/{environment}/{consumer}")
            }
        }
    }
}

/// A ledger key that this version does not understand: written by a newer one, or by hand.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("ledger key {0:?} is not one this version of the operator writes")]
pub struct UnknownKey(String);

impl FromStr for ObjectKey {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let api = |group: &str, name: &str| ApiKey {
            group: group.to_owned(),
            name: name.to_owned(),
        };
        let unknown = || UnknownKey(text.to_owned());
        let key = match *parts.as_slice() {
            ["kubernetes", "Service", namespace, name] => Self::Service {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            ["classic", "Group", name] => Self::Group {
                name: name.to_owned(),
            },
            ["classic", "Backend", name] => Self::Backend {
                name: name.to_owned(),
            },
            ["classic", "Policy", name] => Self::Policy {
                name: name.to_owned(),
            },
            ["classic", "API", group, name] => Self::Api(api(group, name)),
            ["classic", "Deployment", group, name, environment] => Self::Deployment {
                api: api(group, name),
                environment: parse_environment(environment).ok_or_else(unknown)?,
            },
            ["classic", "Attachment", group, name, environment] => Self::Attachment {
                api: api(group, name),
                environment: parse_environment(environment).ok_or_else(unknown)?,
            },
            [
                "classic",
                "Grant",
                group,
                name,
                environment,
                namespace,
                consumer,
            ] => Self::Grant {
                api: api(group, name),
                environment: parse_environment(environment).ok_or_else(unknown)?,
                consumer: ConsumerKey {
                    namespace: namespace.to_owned(),
                    name: consumer.to_owned(),
                },
            },
            _ => return Err(unknown()),
        };
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_key() -> Vec<ObjectKey> {
        let api = ApiKey {
            group: "knative".into(),
            name: "default_helloworld_all_1a2b3c4d".into(),
        };
        let environment = Environment::Release;
        vec![
            ObjectKey::Service {
                namespace: "istio-system".into(),
                name: "istio-ingressgateway-intranet".into(),
            },
            ObjectKey::Group {
                name: "knative".into(),
            },
            ObjectKey::Backend {
                name: "gwb_c1f0_80".into(),
            },
            ObjectKey::Policy { name: "p".into() },
            ObjectKey::Api(api.clone()),
            ObjectKey::Deployment {
                api: api.clone(),
                environment,
            },
            ObjectKey::Attachment {
                api: api.clone(),
                environment,
            },
            ObjectKey::Grant {
                api,
                environment,
                consumer: ConsumerKey {
                    namespace: "default".into(),
                    name: "knative".into(),
                },
            },
        ]
    }

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        for key in every_key() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn creation_order_is_the_order_of_the_variants() {
        let keys = every_key();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, keys);
    }

    #[test]
    fn what_is_adopted_is_known_by_its_key() {
        let adopted = ApiKey {
            group: by_id("g1"),
            name: by_id("a1"),
        };
        let own = ApiKey {
            name: "own".into(),
            ..adopted.clone()
        };
        let deployment = |api: &ApiKey| ObjectKey::Deployment {
            api: api.clone(),
            environment: Environment::Test,
        };
        let group = ObjectKey::Group { name: by_id("g1") };
        assert_eq!(group.adopted_id(), Some("g1"));
        assert_eq!(ObjectKey::Api(adopted.clone()).adopted_id(), Some("a1"));
        assert_eq!(deployment(&adopted).adopted_id(), None);
        assert!(deployment(&adopted).is_on_adopted());
        assert!(!deployment(&own).is_on_adopted(), "in a group of others");
        let key = deployment(&adopted);
        assert_eq!(key.to_string(), "classic/Deployment/id:g1/id:a1/Test");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["", "classic/Group", "classic/Deployment/g/a/Prod", "x/y/z"] {
            assert!(text.parse::<ObjectKey>().is_err(), "{text}");
        }
    }
}
