//! The least permissions: what `ram-policy` prints for the example is enough for its whole life, and
//! each of it is needed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex},
};

use crds::{GatewayBinding, GatewayConsumer};
use e2e::{
    binaries,
    world::{Expect, OperatorOptions, Target, World, WorldOptions},
};
use futures::StreamExt;
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    PATIENCE,
    drift_cases::{Drift, Person},
    exposed::{consumer, example, gone, helloworld, now, ready},
};

const EXAMPLE: &str = "api-gateway-intranet-slb";
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
/// How a condition names what is missing.
const MISSING: (&str, &str) = ("(the permission ", " is missing)");

const TASK: &str = "apigateway:DescribeUpdateVpcInfoTask";

fn folder(example: &str) -> String {
    format!("{EXAMPLES}/{example}")
}

/// What `ram-policy` prints for an example.
pub(super) async fn generated(example: &str, more: &[&str]) -> Value {
    let program = &binaries::ensure(|_| ()).await.unwrap().operator;
    let mut command = Command::new(program);
    command.args(["ram-policy", "-f", &folder(example)]);
    command.args(more);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    let all = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    all.map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// A policy with these of its actions; RAM takes no empty one.
pub(super) fn only(policy: &Value, wanted: &BTreeSet<String>) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        actions.retain(|action| wanted.contains(action.as_str().unwrap()));
        if actions.is_empty() {
            actions.push(json!("apigateway:Nothing"));
        }
    }
    policy
}

/// A world whose operator compares everything with the cloud often, and does not run yet.
pub(super) async fn start() -> (World, OperatorOptions) {
    let often = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    let world = World::start(WorldOptions::default().without_operator());
    (world.await.unwrap(), often)
}

/// Actions of the operator that the cloud carried out, or else refused for want of permission.
pub(super) async fn called(world: &World, outcome: &str) -> BTreeSet<String> {
    let operator = &world.options().operator_keys.id;
    let calls = world.cloud.calls().await.unwrap();
    let calls = calls
        .into_iter()
        .filter(|call| call.access_key_id == *operator && call.outcome == outcome);
    calls.map(|call| call.action).collect()
}

/// Reason and message of every condition that was ever seen: some stand for a moment only.
type Told = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Notes what the conditions of a kind say, for as long as the test runs.
fn listen<K>(world: &World, told: &Told)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let (told, client) = (told.clone(), world.client());
    tokio::spawn(async move {
        let objects = watcher(Api::<K>::all(client), watcher::Config::default());
        let mut objects = pin!(objects.applied_objects());
        while let Some(object) = objects.next().await {
            let object = serde_json::to_value(object.unwrap()).unwrap();
            let conditions = object
                .pointer("/status/conditions")
                .and_then(Value::as_array);
            for condition in conditions.into_iter().flatten() {
                let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
                told.lock()
                    .unwrap()
                    .insert((text("reason"), text("message")));
            }
        }
    });
}

/// An administrator who grants a permission once a condition asks for it, and never before.
pub(super) struct Grudging<'a> {
    world: &'a World,
    /// What is asked for things, and told of them.
    targets: Vec<Target>,
    policy: Value,
    /// The policies of other keys.
    others: Value,
    granted: RefCell<BTreeSet<String>>,
    told: Told,
    nudges: Cell<usize>,
}

impl<'a> Grudging<'a> {
    /// One who has granted nothing yet.
    pub(super) async fn new(
        world: &'a World,
        targets: Vec<Target>,
        policy: Value,
        others: Value,
    ) -> Self {
        let grudging = Self {
            world,
            targets,
            policy,
            others,
            granted: RefCell::default(),
            told: Told::default(),
            nudges: Cell::default(),
        };
        grudging.enforce().await;
        listen::<GatewayBinding>(world, &grudging.told);
        listen::<GatewayConsumer>(world, &grudging.told);
        grudging
    }

    async fn enforce(&self) {
        let granted = only(&self.policy, &self.granted.borrow());
        let mut policies = self.others.clone();
        policies[&self.world.options().operator_keys.id] = granted;
        self.world.cloud.ram_policies(&policies).await.unwrap();
    }

    /// Grants what is asked for, one after the other, until `done`.
    pub(super) async fn until(
        &self,
        expected: &str,
        mut done: impl AsyncFnMut() -> Result<(), String>,
    ) {
        loop {
            let look = async || match (self.asked_for().await, done().await) {
                (Some(action), _) => Ok(Some(action)),
                (None, Ok(())) => Ok(None),
                (None, Err(missing)) => Err(missing),
            };
            let waited = self
                .world
                .wait_until("the example", expected, PATIENCE, look);
            match waited.await.unwrap() {
                None => return,
                Some(action) => {
                    self.granted.borrow_mut().insert(action);
                    self.enforce().await;
                    self.nudge().await;
                }
            }
        }
    }

    /// A permission that a condition said is missing, and that was in fact refused.
    async fn asked_for(&self) -> Option<String> {
        let told = self.told.lock().unwrap().clone();
        for (reason, message) in told {
            let Some((_, rest)) = message.split_once(MISSING.0) else {
                continue;
            };
            let (action, _) = rest.split_once(MISSING.1).unwrap();
            if self.granted.borrow().contains(action) {
                continue;
            }
            assert!(
                ["PermissionDenied", "DeletionBlocked"].contains(&reason.as_str()),
                "{reason}: {message}"
            );
            assert!(message.contains("operator ram-policy"), "{message}");
            let all = actions(&self.policy);
            assert!(all.contains(action), "the policy lacks it: {message}");
            let (_, name) = action.split_once(':').unwrap();
            let refused = called(self.world, "Forbidden.RAM").await;
            assert!(refused.contains(name), "{action} was not refused");
            return Some(action.to_owned());
        }
        None
    }

    /// Has everything looked at now, instead of after the delay that follows an error.
    async fn nudge(&self) {
        self.nudges.set(self.nudges.get() + 1);
        let time = format!("2026-01-01T00:{:02}:00Z", self.nudges.get());
        let patch = json!({"metadata": {"annotations": {"gatewaybinding.dev/reconcile-at": time}}});
        for target in &self.targets {
            let patched = self.world.patch(target, &patch).await;
            let api = target.api(self.world.client());
            // What is deleted goes at any moment.
            if api.get_opt(target.name()).await.unwrap().is_some() {
                patched.unwrap();
            }
        }
    }

    pub(super) async fn until_ready(&self) {
        let all_ready = async || {
            for target in &self.targets {
                let object = now(self.world, target).await;
                Expect::condition("Ready", "True").check(Some(&object))?;
            }
            Ok(())
        };
        self.until("Ready", all_ready).await;
    }

    pub(super) async fn until_gone(&self) {
        let all_gone = async || {
            for target in &self.targets {
                let api = target.api(self.world.client());
                let object = api.get_opt(target.name()).await.unwrap();
                Expect::gone().check(object.as_ref())?;
            }
            Ok(())
        };
        self.until("gone", all_gone).await;
    }

    /// What was never asked for.
    pub(super) fn needless(&self) -> BTreeSet<String> {
        let granted = self.granted.borrow();
        actions(&self.policy)
            .difference(&granted)
            .cloned()
            .collect()
    }

    /// Until the cloud has carried out these since the last reset of the calls, and all is Ready.
    async fn until_called(&self, wanted: &[&str]) {
        let carried_out = async || {
            let called = called(self.world, "ok").await;
            match wanted.iter().find(|action| !called.contains(**action)) {
                None => Ok(()),
                Some(missing) => Err(format!("{missing} was not carried out")),
            }
        };
        let expected = format!("{wanted:?} carried out");
        self.until(&expected, carried_out).await;
        self.until_ready().await;
        self.world.cloud.reset_calls().await.unwrap();
    }

    async fn change(&self, target: &Target, spec: Value, wanted: &[&str]) {
        self.world.cloud.reset_calls().await.unwrap();
        let patch = json!({ "spec": spec });
        self.world.patch(target, &patch).await.unwrap();
        self.until_called(wanted).await;
    }
}

#[tokio::test]
async fn each_permission_of_the_policy_is_needed_and_asked_for_by_name() {
    let (mut world, often) = start().await;
    let policy = generated(EXAMPLE, &[]).await;
    let nothing = json!({ &world.options().operator_keys.id: only(&policy, &BTreeSet::new()) });
    world.cloud.ram_policies(&nothing).await.unwrap();
    world.start_operator(&often).await.unwrap();
    world.apply(&example()).await.unwrap();

    let targets = vec![helloworld(), consumer("default", "knative")];
    let permissions = Grudging::new(&world, targets, policy, json!({})).await;
    permissions.until_ready().await;
    repairs(&permissions).await;
    credentials(&permissions).await;
    fewer(&permissions).await;
    world.delete_all(&example()).await.unwrap();
    permissions.until_gone().await;
    assert_eq!(permissions.needless(), BTreeSet::new(), "went without them");
}

/// What somebody changes at the console is put back.
async fn repairs(permissions: &Grudging<'_>) {
    // Whether the APIs have moved is asked once, when the authorization was changed: what was refused
    // then is granted for the next time.
    let world = permissions.world;
    Person::of(world).await.make(Drift::BackendHost).await;
    let asked = async || match permissions.granted.borrow().iter().any(|a| a == TASK) {
        true => Ok(()),
        false => Err(format!("{TASK} was not asked for")),
    };
    permissions.until("moved", asked).await;
    permissions.until_ready().await;

    for (drift, repair) in [
        (Drift::GroupName, &["ModifyApiGroup"][..]),
        (
            Drift::BackendHost,
            &["ModifyVpcAccessAndUpdateApis", "DescribeUpdateVpcInfoTask"],
        ),
        (Drift::Throttling, &["ModifyPlugin"]),
        (Drift::Definition, &["ModifyApi", "DeployApi"]),
    ] {
        let person = Person::of(world).await;
        world.cloud.reset_calls().await.unwrap();
        person.make(drift).await;
        permissions.until_called(repair).await;
    }
}

/// Credentials come and go; a region that does not have the newer list of them yet.
async fn credentials(permissions: &Grudging<'_>) {
    let knative = consumer("default", "knative");
    let credential = |name: &str, secret: &str| json!({"name": name, "type": "Generated", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": secret}});
    let (first, second) = (
        credential("first", "knative-caller"),
        credential("second", "knative-caller-2"),
    );
    let both = json!({"credentials": [first, second]});
    let made = ["CreateAppCode", "CreateAppKey"];
    permissions.change(&knative, both, &made).await;
    let only = json!({"credentials": [second]});
    let removed = ["DeleteAppCode", "DeleteAppKey"];
    permissions.change(&knative, only, &removed).await;

    let absent = json!({"rules": [{"action": "DescribeAppSecurities",
        "effect": {"type": "error", "status": 404, "code": "InvalidApi.NotFound", "message": "Specified api is not found."}}]});
    permissions.world.cloud.faults(&absent).await.unwrap();
    let third = json!({"credentials": [second, credential("third", "knative-caller-3")]});
    let read = ["DescribeAppSecurity", "CreateAppCode"];
    permissions.change(&knative, third, &read).await;
    let none = json!({"rules": []});
    permissions.world.cloud.faults(&none).await.unwrap();
    let disabled = json!({"state": "Disabled"});
    permissions.change(&knative, disabled, &["ModifyApp"]).await;
}

/// Limits and permissions are taken away while the API stays.
async fn fewer(permissions: &Grudging<'_>) {
    let unlimited = json!({"apiGateway": {"throttling": null}});
    let detached = ["DetachPlugin", "DeletePlugin"];
    permissions
        .change(&helloworld(), unlimited, &detached)
        .await;
    let nobody = json!({"apiGateway": {"auth": {"consumer": {"allow": []}}}});
    let revoked = ["RemoveAppsAuthorities", "DeleteApp"];
    permissions.change(&helloworld(), nobody, &revoked).await;
}

#[tokio::test]
async fn with_the_policy_nothing_is_refused_and_to_plan_it_is_enough_to_read() {
    let (mut world, often) = start().await;
    let (whole, reading) = (
        generated(EXAMPLE, &[]).await,
        generated(EXAMPLE, &["--read-only"]).await,
    );
    let options = world.options().clone();
    let (operator, person) = (&options.operator_keys.id, &options.console_keys);
    let policies = json!({ operator: whole, &person.id: reading });
    world.cloud.ram_policies(&policies).await.unwrap();
    plan(&world).await;

    world.start_operator(&often).await.unwrap();
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    plan(&world).await;
    let calls = world.cloud.calls().await.unwrap();
    let planned = calls.iter().filter(|call| call.access_key_id == person.id);
    let planned: Vec<_> = planned.collect();
    assert!(!planned.is_empty(), "plan looks into the cloud");
    assert!(planned.iter().all(|call| !call.mutating), "{planned:?}");

    // The person may only look from now on, so another one makes the drift.
    let policies = json!({ operator: whole });
    world.cloud.ram_policies(&policies).await.unwrap();
    let hand = Person::of(&world).await;
    hand.make(Drift::Throttling).await;
    let repaired = async || match called(&world, "ok").await.contains("ModifyPlugin") {
        true => Ok(()),
        false => Err("ModifyPlugin was not called".to_owned()),
    };
    let waited = world.wait_until("the plugin", "put back", PATIENCE, repaired);
    waited.await.unwrap();
    ready(&world, &helloworld()).await;
    world.delete_all(&example()).await.unwrap();
    gone(&world, &helloworld()).await;
    gone(&world, &consumer("default", "knative")).await;

    let calls = world.cloud.calls().await.unwrap();
    let refused: Vec<_> = calls
        .iter()
        .filter(|call| call.outcome == "Forbidden.RAM")
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// `plan` with the keys of a person, against cluster and cloud.
async fn plan(world: &World) {
    let program = &binaries::ensure(|_| ()).await.unwrap().operator;
    let keys = &world.options().console_keys;
    let output = Command::new(program)
        .args(["plan", "-f", &folder(EXAMPLE), "--kubeconfig"])
        .arg(world.control_plane.kubeconfig().path())
        .args(["--cloud-endpoint", world.cloud.url()])
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", &keys.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &keys.secret)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output);
    let output = output.await.expect("plan ends in time").unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
