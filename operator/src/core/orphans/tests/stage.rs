//! A cluster and a cloud to look for orphans in.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{
    Api, ApiId, Attachment, Backend, BackendName, BackendSpec, Consumer, ConsumerSpec, Environment,
    Grant, GrantKey, Group, GroupSpec, Inventory, Marker, Method, Path, Policy, PolicyRules,
    PolicySpec,
};
use proptest::prelude::*;

use crate::core::consumer::claims::Location;
use crate::core::observed::ServiceState;
use crate::core::orphans::find::{Speaks, View, find};
use crate::core::orphans::going::{Leaving, Need, Users, World};
use crate::core::orphans::{Id, MarkedSecret, MarkedService, Orphan};

pub(super) const CLUSTER: &str = "c1f0";
pub(super) const OWN: &str = "GatewayBindingClass/production";
pub(super) const OTHER: &str = "GatewayBindingClass/staging";
pub(super) const GONE: &str = "GatewayBindingClass/gone";
pub(super) const HELLO: &str = "GatewayBinding/default/helloworld";
pub(super) const CALLER: &str = "GatewayConsumer/default/knative";

pub(super) fn mark(cluster: &str, owner: &str) -> Option<Marker> {
    Some(Marker {
        cluster: cluster.into(),
        owner: owner.into(),
    })
}

pub(super) fn ours(owner: &str) -> Option<Marker> {
    mark(CLUSTER, owner)
}

fn group(id: &str, marker: Option<Marker>) -> Group {
    Group {
        id: id.into(),
        spec: GroupSpec {
            name: format!("name_{id}"),
            description: String::new(),
            instance: None,
            test_domain: false,
            pass_host: false,
        },
        sub_domain: String::new(),
        marker,
    }
}

fn api(id: &str, group: &str, marker: Option<Marker>) -> Api {
    Api {
        id: id.into(),
        group: group.into(),
        name: format!("name_{id}"),
        method: Method::Any,
        path: Path::Exact(format!("/{id}")),
        modified: String::new(),
        spec: None,
        deployments: BTreeMap::new(),
        marker,
    }
}

fn backend(id: &str, balancer: &str, marker: Option<Marker>) -> Backend {
    Backend {
        spec: BackendSpec {
            name: BackendName(format!("name_{id}")),
            vpc_id: "vpc-1".into(),
            load_balancer_id: balancer.into(),
            port: 80,
            host_override: None,
        },
        id: id.into(),
        marker,
    }
}

fn policy(id: &str, marker: Option<Marker>) -> Policy {
    Policy {
        id: id.into(),
        spec: PolicySpec {
            name: format!("name_{id}"),
            description: String::new(),
            rules: PolicyRules::Other {
                kind: String::new(),
                data: String::new(),
            },
        },
        marker,
    }
}

fn consumer(id: &str, marker: Option<Marker>) -> Consumer {
    Consumer {
        id: id.into(),
        spec: ConsumerSpec {
            name: format!("name_{id}"),
            description: String::new(),
            disabled: false,
        },
        marker,
    }
}

fn service(name: &str, owner: &str) -> MarkedService {
    MarkedService {
        namespace: "istio-system".into(),
        name: name.into(),
        owner: owner.into(),
        state: ServiceState {
            uid: format!("uid-{name}"),
            created_by_us: true,
            load_balancer_id: Some("lb-1".into()),
            ..ServiceState::default()
        },
    }
}

fn secret(name: &str, owner: &str) -> MarkedSecret {
    MarkedSecret {
        namespace: "default".into(),
        name: name.into(),
        owner: owner.into(),
        uid: format!("uid-{name}"),
    }
}

/// A cluster and a cloud.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    pub(super) inventory: Inventory,
    pub(super) services: Vec<MarkedService>,
    pub(super) secrets: Vec<MarkedSecret>,
    pub(super) lives: BTreeSet<String>,
    pub(super) used: BTreeSet<String>,
    pub(super) claimed: BTreeSet<String>,
    pub(super) speaks: Speaks,
}

impl Stage {
    /// Two classes live; this one speaks for all that names none.
    pub(super) fn new() -> Self {
        Self {
            lives: [OWN, OTHER].map(str::to_owned).into(),
            speaks: Speaks {
                place: true,
                cluster: true,
                secrets: true,
            },
            ..Self::default()
        }
    }

    pub(super) fn group(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory.groups.insert(id.into(), group(id, marker));
        self
    }

    pub(super) fn api(mut self, id: &str, group: &str, marker: Option<Marker>) -> Self {
        self.inventory.apis.insert(api(id, group, marker));
        self
    }

    pub(super) fn backend(mut self, id: &str, marker: Option<Marker>) -> Self {
        let backend = backend(id, "lb-1", marker);
        self.inventory
            .backends
            .insert(backend.spec.name.clone(), backend);
        self
    }

    pub(super) fn policy(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory
            .policies
            .insert(id.into(), policy(id, marker));
        self
    }

    pub(super) fn consumer(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory
            .consumers
            .insert(id.into(), consumer(id, marker));
        self
    }

    pub(super) fn attached(mut self, policy: &str, api: &str) -> Self {
        self.inventory.attachments.insert(Attachment {
            policy: policy.into(),
            api: api.into(),
            environment: Environment::Release,
        });
        self
    }

    pub(super) fn granted(mut self, consumer: &str, api: &str) -> Self {
        let key = GrantKey {
            api: api.into(),
            environment: Environment::Release,
            consumer: consumer.into(),
        };
        let grant = Grant {
            key: key.clone(),
            until: None,
            revocable: true,
        };
        self.inventory.grants.insert(key, grant);
        self
    }

    pub(super) fn service(mut self, name: &str, owner: &str) -> Self {
        self.services.push(service(name, owner));
        self
    }

    pub(super) fn secret(mut self, name: &str, owner: &str) -> Self {
        self.secrets.push(secret(name, owner));
        self
    }

    pub(super) fn living(mut self, owner: &str) -> Self {
        self.lives.insert(owner.to_owned());
        self
    }

    pub(super) fn silent(mut self) -> Self {
        self.speaks = Speaks::default();
        self
    }

    pub(super) fn found(&self) -> Vec<Orphan> {
        let location = Location {
            account: "1".into(),
            region: "r".into(),
        };
        find(&View {
            class: "production",
            cluster: CLUSTER,
            location: &location,
            inventory: &self.inventory,
            services: &self.services,
            secrets: &self.secrets,
            speaks: self.speaks,
            lives: &|owner| self.lives.contains(owner),
            used: &|key| self.used.contains(&key.to_string()),
            claimed: &|orphan| self.claimed.contains(&orphan.key),
        })
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let found = self.found();
        found.into_iter().map(|orphan| orphan.id.id).collect()
    }

    /// What keeps each of these orphans, if all of them are to go and these APIs run with backends.
    pub(super) fn needs(
        &self,
        orphans: &[Orphan],
        users: &[(&str, Option<&[&str]>)],
    ) -> BTreeMap<Id, Need> {
        let users: Users = users
            .iter()
            .map(|(name, apis)| {
                let apis = apis.map(|apis| apis.iter().map(|id| ApiId::from(*id)).collect());
                (BackendName::from(*name), apis)
            })
            .collect();
        let world = World {
            inventory: &self.inventory,
            services: &self.services,
            users: &users,
        };
        Leaving::of(orphans, world).needs()
    }
}

fn any_marker() -> impl Strategy<Value = Option<Marker>> {
    let owner = prop::sample::select(vec![
        OWN,
        OTHER,
        GONE,
        HELLO,
        "GatewayBinding/default/other",
        CALLER,
        "GatewayConsumer/default/other",
        "GatewayThing/x",
    ]);
    let cluster = prop::sample::select(vec![CLUSTER, CLUSTER, CLUSTER, "c2"]);
    prop::option::weighted(0.9, (cluster, owner))
        .prop_map(|of| of.and_then(|(cluster, owner)| mark(cluster, owner)))
}

pub(super) fn any_stage() -> impl Strategy<Value = Stage> {
    let few = || prop::collection::vec(any_marker(), 0..4);
    let apis = prop::collection::vec((any_marker(), 0..4usize), 0..6);
    let lives = prop::sample::subsequence(vec![HELLO, CALLER], 0..=2);
    let links = prop::collection::vec((0..4usize, 0..8usize), 0..6);
    (
        few(),
        few(),
        few(),
        few(),
        apis,
        lives,
        links,
        any::<bool>(),
    )
        .prop_map(
            |(groups, backends, policies, consumers, apis, lives, links, speaks)| {
                let mut stage = Stage::new();
                for (number, marker) in groups.into_iter().enumerate() {
                    stage = stage.group(&format!("g{number}"), marker);
                }
                for (number, marker) in backends.into_iter().enumerate() {
                    stage = stage.backend(&format!("b{number}"), marker);
                }
                for (number, marker) in policies.into_iter().enumerate() {
                    stage = stage.policy(&format!("p{number}"), marker);
                }
                for (number, marker) in consumers.into_iter().enumerate() {
                    stage = stage.consumer(&format!("c{number}"), marker);
                }
                for (number, (marker, group)) in apis.into_iter().enumerate() {
                    stage = stage.api(&format!("a{number}"), &format!("g{group}"), marker);
                }
                for (one, api) in links {
                    stage = stage
                        .attached(&format!("p{one}"), &format!("a{api}"))
                        .granted(&format!("c{one}"), &format!("a{api}"));
                }
                stage.lives.extend(lives.into_iter().map(str::to_owned));
                if speaks { stage } else { stage.silent() }
            },
        )
}
