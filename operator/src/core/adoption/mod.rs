//! Things that others made and the spec adopts by their ids: what the spec says about each, and what
//! becomes of it. What the spec does not speak of is left as it is.

mod claims;
mod spec;

use std::collections::BTreeSet;

use cloud_adapter::gateway::classic::{Fate, fate};
use cloud_adapter::gateway::model::{
    ApiSpec, ConsumerId, GroupSpec, PolicyRules, PolicySpec, Throttling,
};

pub use claims::{Adopted, Claim, Holder, watched};
pub use spec::{backends, consent, group, handle};

/// What a class says about an API group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupWish {
    /// Name of the group that the operator would make instead.
    pub instead: String,
    /// See [`GroupSpec::description`].
    pub description: Option<String>,
    /// See [`GroupSpec::test_domain`].
    pub test_domain: Option<bool>,
    /// See [`GroupSpec::instance`].
    pub instance: Option<String>,
    /// Whether requests must arrive with the Host that an API sets.
    pub needs_host: bool,
}

impl GroupWish {
    /// The group as it is to be. The instance cannot change.
    pub fn applied_to(&self, seen: &GroupSpec) -> GroupSpec {
        GroupSpec {
            description: self
                .description
                .clone()
                .unwrap_or_else(|| seen.description.clone()),
            test_domain: self.test_domain.unwrap_or(seen.test_domain),
            ..seen.clone()
        }
    }
}

/// What a route says about an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiWish {
    /// Name of the route.
    pub route: String,
    /// The definition that an API of the operator would have.
    pub spec: ApiSpec,
    /// The binding does not give protocols.
    pub any_protocols: bool,
    /// The binding does not give a timeout.
    pub any_timeout: bool,
}

impl ApiWish {
    /// The definition as it is to be.
    pub fn applied_to(&self, seen: &ApiSpec) -> ApiSpec {
        let mut spec = self.spec.clone();
        spec.name.clone_from(&seen.name);
        spec.description.clone_from(&seen.description);
        if self.any_protocols {
            spec.protocols.clone_from(&seen.protocols);
        }
        if self.any_timeout {
            spec.backend.timeout_ms = seen.backend.timeout_ms;
        }
        if spec.backend.host.is_none() {
            spec.backend.host.clone_from(&seen.backend.host);
        }
        let stays = |(name, value): &(&String, &String)| {
            fate(name, value, self.any_protocols) != Fate::Goes
        };
        let unmodelled = seen.unmodelled.iter().filter(stays);
        spec.unmodelled = unmodelled
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        spec
    }
}

/// Settings that a change of the definition would lose.
pub fn lost(seen: &ApiSpec) -> Vec<&str> {
    let settings = seen.unmodelled.iter();
    settings
        .filter(|(name, value)| fate(name, value, false) == Fate::Lost)
        .map(|(name, _)| name.as_str())
        .collect()
}

/// What a binding says about a throttling policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWish {
    /// The limits; none: it is used as it is.
    pub limits: Option<Throttling>,
    /// The consumers that the binding speaks of. Limits of others stay.
    pub speaks_of: BTreeSet<ConsumerId>,
}

impl PolicyWish {
    /// The policy as it is to be; none: its rules say more than limits can.
    pub fn applied_to(&self, seen: &PolicySpec) -> Option<PolicySpec> {
        let Some(limits) = &self.limits else {
            return Some(seen.clone());
        };
        let PolicyRules::Throttling(present) = &seen.rules else {
            return None;
        };
        let mut limits = limits.clone();
        for (consumer, requests) in &present.consumers {
            if !self.speaks_of.contains(consumer) {
                limits.consumers.insert(consumer.clone(), *requests);
            }
        }
        Some(PolicySpec {
            rules: PolicyRules::Throttling(limits),
            ..seen.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cloud_adapter::gateway::model::{
        ApiAuth, ApiBackend, ApiKeyLocation, BackendName, Method, Path, Protocol, Window,
    };

    use super::*;

    fn spec() -> ApiSpec {
        ApiSpec {
            name: "by_hand".into(),
            description: "mine".into(),
            method: Method::Get,
            path: Path::Exact("/old".into()),
            protocols: [Protocol::Http].into(),
            auth: ApiAuth::Anonymous,
            backend: ApiBackend {
                name: BackendName("old".into()),
                path: "/".into(),
                host: Some("old.example.com".into()),
                timeout_ms: 5000,
            },
            unmodelled: BTreeMap::from([
                ("Mock".to_owned(), "TRUE".to_owned()),
                ("RequestParameters".to_owned(), "who".to_owned()),
            ]),
        }
    }

    #[test]
    fn an_api_keeps_what_the_binding_does_not_speak_of() {
        let wanted = ApiSpec {
            name: "ours".into(),
            description: "ours".into(),
            method: Method::Any,
            path: Path::Prefix("/new".into()),
            protocols: [Protocol::Https].into(),
            auth: ApiAuth::Consumer {
                api_key: [ApiKeyLocation::Header].into(),
                signature: true,
            },
            backend: ApiBackend {
                name: BackendName("new".into()),
                path: "/".into(),
                host: None,
                timeout_ms: 10_000,
            },
            unmodelled: BTreeMap::new(),
        };
        let mut wish = ApiWish {
            route: "all".into(),
            spec: wanted.clone(),
            any_protocols: true,
            any_timeout: true,
        };
        let seen = spec();
        let applied = wish.applied_to(&seen);
        let expected = ApiSpec {
            name: seen.name.clone(),
            description: seen.description.clone(),
            protocols: seen.protocols.clone(),
            backend: ApiBackend {
                host: seen.backend.host.clone(),
                timeout_ms: 5000,
                ..wanted.backend.clone()
            },
            unmodelled: BTreeMap::from([("RequestParameters".to_owned(), "who".to_owned())]),
            ..wanted.clone()
        };
        assert_eq!(applied, expected);
        assert_eq!(wish.applied_to(&applied), applied, "and once is enough");
        wish.any_protocols = false;
        wish.any_timeout = false;
        wish.spec.backend.host = Some("new.example.com".into());
        let applied = wish.applied_to(&seen);
        assert_eq!(applied.protocols, wanted.protocols);
        assert_eq!(applied.backend.timeout_ms, 10_000);
        assert_eq!(applied.backend.host.as_deref(), Some("new.example.com"));
    }

    #[test]
    fn a_policy_keeps_the_limits_of_consumers_that_the_binding_does_not_know() {
        let limits = |api, consumers: &[(&str, u64)]| Throttling {
            window: Window::Minute,
            api,
            account: None,
            consumer: None,
            consumers: consumers
                .iter()
                .map(|(id, requests)| (ConsumerId::from(*id), *requests))
                .collect(),
        };
        let seen = PolicySpec {
            name: "by_hand".into(),
            description: String::new(),
            rules: PolicyRules::Throttling(limits(100, &[("known", 1), ("stranger", 2)])),
        };
        let wish = PolicyWish {
            limits: Some(limits(200, &[])),
            speaks_of: [ConsumerId::from("known")].into(),
        };
        let applied = wish.applied_to(&seen).unwrap();
        assert_eq!(applied.name, "by_hand");
        assert_eq!(
            applied.rules,
            PolicyRules::Throttling(limits(200, &[("stranger", 2)]))
        );
        let more = PolicySpec {
            rules: PolicyRules::Other {
                kind: "trafficControl".into(),
                data: "unit: DAY".into(),
            },
            ..seen.clone()
        };
        assert_eq!(wish.applied_to(&more), None);
        let as_it_is = PolicyWish {
            limits: None,
            ..wish
        };
        assert_eq!(as_it_is.applied_to(&more), Some(more));
    }
}
