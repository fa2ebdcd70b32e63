//! The rights that the chart grants are enough and least: the operator runs with the token of its
//! ServiceAccount, and the API server's audit log tells what it used them for.

use std::collections::BTreeSet;

use e2e::{
    chart,
    world::{Asked, Expect, Target, World, WorldOptions},
};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::{Api, api::ListParams};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    charts_installed::Installed,
    exposed::{
        class, cloud_is, consumer, example, gone, helloworld, intranet_service, ready, secret,
    },
};

/// What the operator is let into for the example.
fn let_in() -> Value {
    json!({"rbac": {"secretNamespaces": ["default"], "gatewayNamespaces": ["istio-system"]}})
}

pub(super) async fn installed() -> Installed {
    let options = WorldOptions {
        audited: true,
        ..WorldOptions::default()
    };
    let installed = Installed::prepare(options).await;
    installed.install(&let_in()).await;
    installed
}

/// A verb on a resource that a role of the chart grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    pub(super) role: String,
    pub(super) group: String,
    pub(super) resource: String,
    pub(super) verb: String,
}

/// A role of the operator.
#[derive(Clone, Debug)]
pub(super) struct Granting {
    pub(super) target: Target,
    /// Where it grants; everywhere if empty.
    pub(super) namespace: String,
    pub(super) rules: Vec<PolicyRule>,
}

impl Granting {
    /// As the audit log names it.
    pub(super) fn name(&self) -> String {
        format!("{} \"{}\"", self.target.kind(), self.target.name())
    }

    fn rights(&self) -> impl Iterator<Item = Right> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| self.rights_of(rule))
    }

    pub(super) fn rights_of(&self, rule: &PolicyRule) -> Vec<Right> {
        let mut rights = Vec::new();
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                rights.extend(rule.verbs.iter().map(|verb| Right {
                    role: self.name(),
                    group: group.clone(),
                    resource: resource.clone(),
                    verb: verb.clone(),
                }));
            }
        }
        rights
    }
}

/// The roles of the release that the operator is bound to: not those for people.
pub(super) async fn roles(world: &World) -> Vec<Granting> {
    let ours = ListParams::default().labels("app.kubernetes.io/instance=gatewaybinding-operator");
    let mut found = Vec::new();
    let cluster: Api<ClusterRole> = Api::all(world.client());
    for role in cluster.list(&ours).await.unwrap() {
        let name = role.metadata.name.unwrap();
        if name == chart::OPERATOR {
            let target = Target::of::<ClusterRole>(None, &name);
            found.push(Granting {
                target,
                namespace: String::new(),
                rules: role.rules.unwrap(),
            });
        }
    }
    let namespaced: Api<Role> = Api::all(world.client());
    for role in namespaced.list(&ours).await.unwrap() {
        let metadata = role.metadata;
        let (namespace, name) = (metadata.namespace.unwrap(), metadata.name.unwrap());
        let target = Target::of::<Role>(Some(&namespace), &name);
        found.push(Granting {
            target,
            namespace,
            rules: role.rules.unwrap(),
        });
    }
    found
}

fn rights(roles: &[Granting]) -> BTreeSet<Right> {
    roles.iter().flat_map(Granting::rights).collect()
}

pub(super) fn right(asked: &Asked) -> Right {
    Right {
        role: asked.role.clone(),
        group: asked.group.clone(),
        resource: asked.resource.clone(),
        verb: asked.verb.clone(),
    }
}

pub(super) async fn patch(world: &World, target: &Target, patch: Value) {
    world.patch(target, &patch).await.unwrap();
}

/// Everything that the operator ever does in the cluster, from the example's coming to its going.
async fn all_that_happens(world: &World) {
    world.apply(&example()).await.unwrap();
    ready(world, &helloworld()).await;
    // The gateway's Service gets another annotation: to be written, not made.
    patch(world, &class("production"), json!({"spec": {"gateways": [{
        "name": "intranet",
        "slb": {
            "service": {"namespace": "istio-system", "name": "istio-ingressgateway-intranet", "createFrom": {"name": "istio-ingressgateway"}},
            "settings": {"addressType": "Intranet", "name": "gateway"},
        },
    }]}})).await;
    let renamed = Expect::that("has a name for its load balancer", |service| match service
        .metadata
        .annotations
        .iter()
        .flatten()
        .any(|(_, value)| value == "gateway")
    {
        true => Ok(()),
        false => Err(format!("{:?}", service.metadata.annotations)),
    });
    world
        .wait_for(&intranet_service(), &renamed, PATIENCE)
        .await
        .unwrap();
    // Part of a generated Secret is lost, and comes back.
    let caller = secret("default", "knative-caller");
    patch(world, &caller, json!({"data": {"apiKey": null}})).await;
    let complete = Expect::that(
        "has its API key",
        |secret| match secret.data["data"]["apiKey"].as_str() {
            Some(_) => Ok(()),
            None => Err("it has none".to_owned()),
        },
    );
    world.wait_for(&caller, &complete, PATIENCE).await.unwrap();
    // The same happens twice: an Event becomes a series.
    let suspended = Expect::condition_with_reason("Ready", "False", "Suspended");
    for _ in 0..2 {
        patch(world, &helloworld(), json!({"spec": {"mode": "Suspend"}})).await;
        world
            .wait_for(&helloworld(), &suspended, PATIENCE)
            .await
            .unwrap();
        patch(world, &helloworld(), json!({"spec": {"mode": null}})).await;
        ready(world, &helloworld()).await;
    }
    delete_example(world).await;
}

pub(super) async fn delete_example(world: &World) {
    let all = [
        helloworld(),
        consumer("default", "knative"),
        class("production"),
    ];
    for target in &all {
        world.delete(target).await.unwrap();
    }
    for target in all
        .iter()
        .chain(&[intranet_service(), secret("default", "knative-caller")])
    {
        gone(world, target).await;
    }
}

/// Whether it is needed only after somebody else wrote an object at the same moment.
fn on_conflict(right: &Right) -> bool {
    right.group == "gatewaybinding.dev" && right.verb == "get"
}

#[tokio::test]
async fn with_its_own_token_the_operator_does_all_it_has_to_and_uses_every_right() {
    let mut installed = installed().await;
    let before = installed.world.cloud_objects().await.unwrap();
    installed.start().await;
    all_that_happens(&installed.world).await;
    installed.stop().await;
    let world = &installed.world;
    cloud_is(world, &before).await;

    let asked = world.asked().unwrap();
    let refused: BTreeSet<Right> = asked
        .iter()
        .filter(|asked| !asked.allowed)
        .map(right)
        .collect();
    assert_eq!(refused, BTreeSet::new(), "rights that are missing");
    let used: BTreeSet<Right> = asked
        .iter()
        .map(right)
        // Everybody may ask what they may do.
        .filter(|right| right.resource != "selfsubjectaccessreviews")
        .collect();
    let granted = rights(&roles(world).await);
    let idle = granted.difference(&used);
    let idle: Vec<_> = idle.filter(|right| !on_conflict(right)).collect();
    assert!(idle.is_empty(), "granted and never used: {idle:#?}");
    let elsewhere: Vec<_> = used.difference(&granted).collect();
    assert!(
        elsewhere.is_empty(),
        "not granted by the chart: {elsewhere:#?}"
    );
}
