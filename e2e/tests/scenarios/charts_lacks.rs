//! None of the chart's rules is too much: without any one of them something fails, and says so.

use std::collections::BTreeSet;

use crds::{UNOBSERVED, keys::FINALIZER};
use e2e::{
    chart::{self, Container},
    world::{Expect, Operator, Target, World},
};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    coordination::v1::Lease,
    events::v1::Event,
    rbac::v1::PolicyRule,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    charts_rights::{Granting, Right, delete_example, installed, patch, right, roles},
    exposed::{
        class, cloud_is, condition, consumer, example_file, gone, helloworld, intranet_service,
        now, ready,
    },
};

/// What somebody sees of the lack of a right.
enum Lack {
    /// `/readyz` names this.
    NotReady(&'static str),
    /// The process never leads, says its metric.
    NoLeader,
    /// An object has no status.
    NoStatus(Target),
    /// An object never holds a condition with this reason and these words.
    Condition(Target, &'static str, &'static str, &'static str),
    /// There are no Events of the operator.
    NoEvents,
    /// The words of the cloud controller manager are in no condition of the binding.
    NotTheWordsOfTheCloud,
}

/// What the lack of a rule looks like, by a role and the first resource and verb of the rule.
fn lack(role: &str, rule: &PolicyRule) -> Lack {
    let resource = rule.resources.iter().flatten().next().unwrap().as_str();
    let verb = rule.verbs.first().unwrap().as_str();
    let denied = "PermissionDenied";
    match (role, resource, verb) {
        (_, "gatewaybindings", "list") => Lack::NotReady("watch of GatewayBindings"),
        (_, "services", "list") => Lack::NotReady("watch of Services"),
        (_, "namespaces", "list") => Lack::NotReady("watch of Namespaces"),
        (_, "routes", "list") => Lack::NotReady("watch of Knative Routes"),
        (_, "secrets", "list") => Lack::NotReady("watch of Secrets in default"),
        (_, "leases", _) => Lack::NoLeader,
        (_, "gatewaybindings/status", "patch") => Lack::NoStatus(class("production")),
        (_, "gatewaybindings", "patch") => {
            Lack::Condition(helloworld(), "Programmed", "InternalError", "finalizer")
        }
        (_, "secrets", "get") => Lack::Condition(
            consumer("default", "knative"),
            "ResolvedRefs",
            denied,
            "rbac.secretNamespaces",
        ),
        (_, "services", "create") => {
            Lack::Condition(helloworld(), "Programmed", denied, "rbac.gatewayNamespaces")
        }
        (_, "events", "create") => Lack::NoEvents,
        (_, "events", "list") => Lack::NotTheWordsOfTheCloud,
        other => panic!("a new rule {other:?}: say here what its lack looks like"),
    }
}

impl Lack {
    /// Rules whose lack lets most go on are tried last.
    fn order(&self) -> usize {
        match self {
            Self::NotReady(_) => 0,
            Self::NoLeader => 1,
            Self::NoStatus(_) => 2,
            Self::Condition(..) => 3,
            Self::NotTheWordsOfTheCloud => 4,
            Self::NoEvents => 5,
        }
    }

    /// Waits until it shows; `missing` tells that the API server refused for lack of the rule.
    async fn shows(
        &self,
        world: &World,
        operator: &Operator,
        refused: impl Fn() -> Result<(), String>,
    ) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let get = async |path: &str| {
            let answer = http
                .get(format!("{}/{path}", operator.health_url()))
                .send()
                .await;
            answer
                .map_err(|error| error.to_string())?
                .text()
                .await
                .map_err(|error| error.to_string())
        };
        let look = async || {
            refused()?;
            match self {
                Self::NotReady(watch) => {
                    let text = get("readyz").await?;
                    if text.contains(watch) {
                        Ok(())
                    } else {
                        Err(text)
                    }
                }
                Self::NoLeader => {
                    let text = get("metrics").await?;
                    let idle = text.lines().any(|line| line == "gatewaybinding_leader 0");
                    if idle {
                        Ok(())
                    } else {
                        Err("it leads".to_owned())
                    }
                }
                Self::NoStatus(target) => match &now(world, target).await.data["status"] {
                    status if *status == json!({"observedGeneration": UNOBSERVED}) => Ok(()),
                    status => Err(status.to_string()),
                },
                Self::Condition(target, type_, reason, word) => {
                    let found = condition(&now(world, target).await, type_);
                    let (status, why, message) = found.ok_or("no such condition")?;
                    if status == "False" && why == *reason && message.contains(word) {
                        return Ok(());
                    }
                    Err(format!("{status} {why}: {message}"))
                }
                Self::NoEvents => no_events(world).await,
                Self::NotTheWordsOfTheCloud => {
                    let (_, why, message) =
                        condition(&now(world, &helloworld()).await, "Programmed")
                            .ok_or("no condition")?;
                    if why == "WaitingForLoadBalancer" {
                        Ok(())
                    } else {
                        Err(format!("{why}: {message}"))
                    }
                }
            }
        };
        world
            .wait_until("the operator", "at a loss", PATIENCE, look)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Events of the operator.
async fn events(world: &World) -> Vec<Event> {
    let all: Api<Event> = Api::all(world.client());
    let all = all.list(&ListParams::default()).await.unwrap();
    let ours = |event: &Event| {
        event.reporting_controller.as_deref() == Some("gatewaybinding.dev/operator")
    };
    all.items.into_iter().filter(ours).collect()
}

async fn no_events(world: &World) -> Result<(), String> {
    match events(world).await.len() {
        0 => Ok(()),
        some => Err(format!("there are {some}")),
    }
}

/// Nothing is left of an earlier operator that would hide what this one lacks.
async fn forget(world: &World, lack: &Lack) {
    match lack {
        Lack::NoLeader => {
            let leases: Api<Lease> = Api::namespaced(world.client(), chart::NAMESPACE);
            let params = (DeleteParams::default(), ListParams::default());
            leases
                .delete_collection(&params.0, &params.1)
                .await
                .unwrap();
        }
        Lack::NoEvents => {
            for event in events(world).await {
                let namespace = event.metadata.namespace.unwrap();
                let api: Api<Event> = Api::namespaced(world.client(), &namespace);
                api.delete(&event.metadata.name.unwrap(), &DeleteParams::default())
                    .await
                    .unwrap();
            }
            // Something has to happen to be told.
            patch(world, &helloworld(), json!({"spec": {"mode": "Suspend"}})).await;
        }
        Lack::Condition(_, _, _, "rbac.gatewayNamespaces") => {
            // An operator that lacked something else may have made it.
            world.delete(&intranet_service()).await.unwrap();
            gone(world, &intranet_service()).await;
        }
        Lack::Condition(_, _, "InternalError", _) => {
            // The class is not held yet, and the binding that needs it is.
            let finalizers = |names: Value| json!({"metadata": {"finalizers": names}});
            patch(world, &class("production"), finalizers(json!(null))).await;
            patch(world, &helloworld(), finalizers(json!([FINALIZER]))).await;
        }
        _ => {}
    }
}

/// A rule of a role.
struct Removal {
    role: Granting,
    rule: PolicyRule,
    lack: Lack,
}

impl Removal {
    fn all(roles: &[Granting]) -> Vec<Self> {
        let mut all: Vec<Self> = roles
            .iter()
            .flat_map(|role| role.rules.iter().map(move |rule| (role, rule)))
            .map(|(role, rule)| Self {
                role: role.clone(),
                rule: rule.clone(),
                lack: lack(&role.name(), rule),
            })
            .collect();
        all.sort_by_key(|removal| removal.lack.order());
        all
    }

    /// Gives the role these rules, and waits until the API server goes by them.
    async fn write(&self, world: &World, rules: &[PolicyRule]) {
        patch(world, &self.role.target, json!({ "rules": rules })).await;
        let wanted = rules.contains(&self.rule);
        let look = async || match self.is_allowed(world).await {
            allowed if allowed == wanted => Ok(()),
            allowed => Err(format!("the answer is {allowed}")),
        };
        let expected = format!("asked whether {:?} is allowed, at {wanted}", self.rule);
        let waited = world.wait_until("the API server", &expected, PATIENCE, look);
        waited.await.unwrap();
    }

    /// Whether the operator may do the first that the rule allows.
    async fn is_allowed(&self, world: &World) -> bool {
        let first = |names: &Option<Vec<String>>| names.iter().flatten().next().cloned();
        let resource = first(&self.rule.resources).unwrap();
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
            None => (resource, None),
        };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(format!(
                    "system:serviceaccount:{}:{}",
                    chart::NAMESPACE,
                    chart::OPERATOR
                )),
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.role.namespace.clone()),
                    group: first(&self.rule.api_groups),
                    resource: Some(resource),
                    subresource,
                    verb: self.rule.verbs.first().cloned(),
                    name: first(&self.rule.resource_names),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(world.client());
        let reviewed = reviews.create(&PostParams::default(), &review).await;
        reviewed.unwrap().status.unwrap().allowed
    }

    /// Runs an operator without the rule until its lack shows.
    async fn run(&self, world: &World, container: &Container) {
        let without: Vec<_> = self
            .role
            .rules
            .iter()
            .filter(|rule| **rule != self.rule)
            .cloned()
            .collect();
        self.write(world, &without).await;
        forget(world, &self.lack).await;
        let before = world.asked().unwrap().len();
        let operator = container.start(world).unwrap();
        let wanted: BTreeSet<Right> = self
            .role
            .rights_of(&self.rule)
            .into_iter()
            .map(no_role)
            .collect();
        let refused = || {
            let asked = world.asked().map_err(|error| error.to_string())?;
            let refused = asked[before..].iter().filter(|asked| !asked.allowed);
            let refused: BTreeSet<Right> = refused.map(right).collect();
            match refused.intersection(&wanted).next() {
                Some(_) => Ok(()),
                None => Err(format!(
                    "nothing of {wanted:?} was refused, only {refused:?}"
                )),
            }
        };
        self.lack.shows(world, &operator, refused).await;
        operator.kill().await.unwrap();
        self.write(world, &self.role.rules).await;
    }
}

/// A right that was asked for and granted by no role.
fn no_role(right: Right) -> Right {
    Right {
        role: String::new(),
        ..right
    }
}

#[tokio::test]
async fn without_any_of_its_rules_something_fails_and_with_all_of_them_it_goes_on() {
    let mut installed = installed().await;
    let world = &installed.world;
    let before = world.cloud_objects().await.unwrap();
    let container = installed.container().await;
    // The cloud makes no load balancer, so that there is always something that is waited for.
    let no_load_balancer = json!({"rules": [{"product": "SLB", "action": "CreateLoadBalancer",
        "effect": {"type": "error", "status": 400, "code": "RegionStoppedSales", "message": "sold out"}}]});
    world.cloud.faults(&no_load_balancer).await.unwrap();
    for file in [
        "class.yaml",
        "consumer.yaml",
        "knative-service.yaml",
        "binding.yaml",
    ] {
        world.apply(&example_file(file)).await.unwrap();
    }
    let removals = Removal::all(&roles(world).await);
    assert!(removals.len() > 10, "{}", removals.len());
    for removal in &removals {
        removal.run(world, &container).await;
    }

    // With all of them: nothing of these failures stayed behind.
    patch(world, &helloworld(), json!({"spec": {"mode": null}})).await;
    installed.start().await;
    let world = &installed.world;
    let words = Expect::that("has the words of the cloud", |binding| {
        let found = condition(binding, "Programmed");
        match found {
            Some((_, reason, message))
                if reason == "LoadBalancerFailed" && message.contains("sold out") =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    });
    world
        .wait_for(&helloworld(), &words, PATIENCE)
        .await
        .unwrap();
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    ready(world, &helloworld()).await;
    assert!(no_events(world).await.is_err(), "no Events with all rights");
    delete_example(world).await;
    cloud_is(world, &before).await;
}
