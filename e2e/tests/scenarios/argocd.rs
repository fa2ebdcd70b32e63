//! Argo CD and kstatus: what they make of every phase of real objects, by their own libraries, with
//! what `deploy/argocd` gives to Argo CD.

use std::{fs, path::PathBuf};

use e2e::{
    gitops::{Gitops, Judgement},
    world::{Expect, OperatorOptions, Target, World, WorldOptions},
};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    drift_cases::{Drift, Person},
    exposed::{class, consumer, example_file, gone, helloworld, now, ready},
};

/// Kinds and their actions besides `discovery.lua`.
const KINDS: [(&str, &[&str]); 3] = [
    ("GatewayBinding", &["reconcile", "suspend", "resume"]),
    ("GatewayBindingClass", &["reconcile"]),
    ("GatewayConsumer", &["reconcile"]),
];

pub(super) fn deploy(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/argocd")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap()
}

/// The ConfigMap that holds the scripts of the folder.
fn config_map() -> String {
    let script = |path: &str, indent: usize| -> String {
        let margin = " ".repeat(indent);
        let text = read(&format!(
            "resource_customizations/gatewaybinding.dev/{path}"
        ));
        let lines = text.lines().map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("{margin}{line}\n"),
        });
        lines.collect()
    };
    let mut text = "# Generated from resource_customizations/; merge it into the ConfigMap argocd-cm of your Argo CD.\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\n  labels:\n    \
        app.kubernetes.io/name: argocd-cm\n    app.kubernetes.io/part-of: argocd\ndata:\n"
        .to_owned();
    for (kind, actions) in KINDS {
        let key =
            |what: &str| format!("  resource.customizations.{what}.gatewaybinding.dev_{kind}: |\n");
        text += &key("health");
        text += &script(&format!("{kind}/health.lua"), 4);
        text += &key("actions");
        text += "    discovery.lua: |\n";
        text += &script(&format!("{kind}/actions/discovery.lua"), 6);
        text += "    definitions:\n";
        for action in actions {
            text += &format!("    - name: {action}\n      action.lua: |\n");
            text += &script(&format!("{kind}/actions/{action}/action.lua"), 8);
        }
    }
    text
}

#[test]
fn the_config_map_holds_the_scripts() {
    let current = config_map();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(deploy("argocd-cm.yaml"), &current).unwrap();
    }
    assert!(
        read("argocd-cm.yaml") == current,
        "deploy/argocd/argocd-cm.yaml is not current. Run UPDATE_GENERATED=1 cargo test -p e2e --test e2e the_config_map."
    );
}

/// A world with both judges at hand.
struct Court {
    world: World,
    gitops: Gitops,
}

impl Court {
    async fn open() -> Self {
        let often = OperatorOptions {
            args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
            ..OperatorOptions::default()
        };
        let options = WorldOptions {
            operator: Some(often),
            ..WorldOptions::default()
        };
        Self {
            world: World::start(options).await.unwrap(),
            gitops: Gitops::new().await.unwrap(),
        }
    }

    async fn object(&self, target: &Target) -> Value {
        serde_json::to_value(now(&self.world, target).await).unwrap()
    }

    async fn judge(&self, object: &Value) -> Judgement {
        let judged = self.gitops.judge(std::slice::from_ref(object)).await;
        judged.unwrap().remove(0)
    }

    /// Waits until the object is as expected, and what both judges say of it then.
    async fn finds(&self, target: &Target, expect: Expect, health: &str, kstatus: &str) -> String {
        let object = self.world.wait_for(target, &expect, PATIENCE).await;
        let object = serde_json::to_value(object.unwrap()).unwrap();
        let judgement = self.judge(&object).await;
        assert_eq!(
            (judgement.health.status.as_str(), judgement.kstatus.as_str()),
            (health, kstatus),
            "{judgement:?}\n{:#}",
            object["status"]["conditions"]
        );
        judgement.health.message
    }

    async fn set(&self, target: &Target, spec: Value) {
        let patch = json!({ "spec": spec });
        self.world.patch(target, &patch).await.unwrap();
    }

    /// As a person who chooses an action in Argo CD.
    async fn act(&self, action: &str, target: &Target) {
        let object = self.object(target).await;
        let judgement = self.judge(&object).await;
        assert!(
            judgement.actions.iter().any(|offered| offered == action),
            "{action} is not offered: {judgement:?}"
        );
        let patch = self.gitops.act(action, &object).await.unwrap();
        self.world.patch(target, &patch).await.unwrap();
    }

    async fn actions(&self, target: &Target) -> Vec<String> {
        let object = self.object(target).await;
        self.judge(&object).await.actions
    }
}

fn because(type_: &str, status: &str, reason: &str) -> Expect {
    Expect::condition_with_reason(type_, status, reason)
}

#[tokio::test]
async fn every_phase_is_what_one_would_expect() {
    let court = Court::open().await;
    let world = &court.world;
    coming(&court).await;
    standing(&court).await;
    going(&court).await;
    for target in [consumer("default", "knative"), class("production")] {
        world.delete(&target).await.unwrap();
        gone(world, &target).await;
    }
}

/// From an object that nobody has looked at to one that is Ready.
async fn coming(court: &Court) {
    let world = &court.world;
    world.apply(&example_file("binding.yaml")).await.unwrap();
    let (binding, class) = (helloworld(), class("production"));
    let waits = because("Accepted", "False", "NoDefaultClass");
    let message = court
        .finds(&binding, waits, "Progressing", "InProgress")
        .await;
    assert!(message.contains("GatewayBindingClass"), "{message}");

    // Not the default one: once the binding has it, it has to stay for it.
    let wrong = example_file("class.yaml")
        .replace("1234567890123456", "9999999999999999")
        .replace("name: production", "name: elsewhere")
        .replace("is-default-class: \"true\"", "is-default-class: \"false\"");
    world.apply(&wrong).await.unwrap();
    let elsewhere = super::exposed::class("elsewhere");
    let stuck = because("Stalled", "True", "AccountMismatch");
    let message = court.finds(&elsewhere, stuck, "Degraded", "Failed").await;
    assert!(message.contains("9999999999999999"), "{message}");
    world.delete(&elsewhere).await.unwrap();
    gone(world, &elsewhere).await;

    // In the order of the waves: each is Healthy before the next is applied.
    world.apply(&example_file("class.yaml")).await.unwrap();
    let is_ready = || Expect::condition("Ready", "True");
    court.finds(&class, is_ready(), "Healthy", "Current").await;
    world.apply(&example_file("consumer.yaml")).await.unwrap();
    let knative = consumer("default", "knative");
    let service = example_file("knative-service.yaml");
    world.apply(&service).await.unwrap();
    court
        .finds(&knative, is_ready(), "Healthy", "Current")
        .await;
    court
        .finds(&binding, is_ready(), "Healthy", "Current")
        .await;
}

/// What may become of one that is Ready.
async fn standing(court: &Court) {
    let world = &court.world;
    let binding = helloworld();
    court.set(&binding, json!({"gateway": "nowhere"})).await;
    let stuck = because("Stalled", "True", "GatewayNotFound");
    let message = court.finds(&binding, stuck, "Degraded", "Failed").await;
    assert!(message.contains("nowhere"), "{message}");
    court.set(&binding, json!({"gateway": null})).await;
    ready(world, &binding).await;

    let missing = json!([{"name": "first", "type": "Imported", "kinds": ["APIKey"], "secretRef": {"name": "missing"}}]);
    let knative = consumer("default", "knative");
    let generated = court.object(&knative).await["spec"]["credentials"].clone();
    court.set(&knative, json!({"credentials": missing})).await;
    let waits = because("ResolvedRefs", "False", "SecretNotFound");
    court
        .finds(&knative, waits, "Progressing", "InProgress")
        .await;
    court.set(&knative, json!({"credentials": generated})).await;
    ready(world, &knative).await;
    court.set(&knative, json!({"state": "Disabled"})).await;
    let disabled = because("Programmed", "True", "Disabled");
    court.finds(&knative, disabled, "Healthy", "Current").await;
    court.set(&knative, json!({"state": null})).await;
    ready(world, &knative).await;

    court.set(&binding, json!({"driftPolicy": "Report"})).await;
    ready(world, &binding).await;
    let person = Person::of(world).await;
    person.make(Drift::Throttling).await;
    let drifted = because("Programmed", "False", "DriftDetected");
    court
        .finds(&binding, drifted, "Degraded", "InProgress")
        .await;
    person.undo(Drift::Throttling).await;
    ready(world, &binding).await;

    let later = json!({"timeout": "20s"});
    let planned = json!({"mode": "Plan", "apiGateway": {"backend": later}});
    court.set(&binding, planned).await;
    let planned = because("Programmed", "False", "PlanOnly");
    let found = court
        .finds(&binding, planned, "Suspended", "InProgress")
        .await;
    assert!(found.contains("status.plan"), "{found}");
    court
        .set(
            &binding,
            json!({"mode": null, "apiGateway": {"backend": null}}),
        )
        .await;
    ready(world, &binding).await;
}

/// A change that the operator has not seen, and the end.
async fn going(court: &Court) {
    let world = &court.world;
    let binding = helloworld();
    court.act("suspend", &binding).await;
    let suspended = because("Ready", "False", "Suspended");
    court
        .finds(&binding, suspended, "Suspended", "InProgress")
        .await;
    assert_eq!(court.actions(&binding).await, ["resume"]);

    world.delete(&binding).await.unwrap();
    let blocked = because("Ready", "False", "DeletionBlocked");
    court
        .finds(&binding, blocked, "Progressing", "Terminating")
        .await;
    world.delete(&class("production")).await.unwrap();
    let held = because("Ready", "False", "DeletionBlocked");
    court
        .finds(&class("production"), held, "Progressing", "Terminating")
        .await;
    court.act("resume", &binding).await;
    gone(world, &binding).await;
    gone(world, &class("production")).await;
}

#[tokio::test]
async fn what_the_operator_has_not_seen_is_not_taken_for_done() {
    let mut court = Court::open().await;
    court.world.apply(&super::exposed::example()).await.unwrap();
    let (binding, class, knative) = (
        helloworld(),
        class("production"),
        consumer("default", "knative"),
    );
    ready(&court.world, &binding).await;
    ready(&court.world, &knative).await;
    let operator = court.world.operator.take().unwrap();
    operator.terminate(PATIENCE).await.unwrap();

    court.set(&binding, json!({"gateway": "intranet"})).await;
    let unseen = Expect::that("changed", |object| match object.metadata.generation {
        Some(generation) if generation > 1 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    court
        .finds(&binding, unseen, "Progressing", "InProgress")
        .await;
    let new = example_file("binding.yaml")
        .replace("name: helloworld\n  namespace", "name: new\n  namespace");
    court.world.apply(&new).await.unwrap();
    let new = super::exposed::binding("default", "new");
    court
        .finds(&new, Expect::exists(), "Progressing", "InProgress")
        .await;
    let other = example_file("consumer.yaml").replace("name: knative\n", "name: other\n");
    court.world.apply(&other).await.unwrap();
    let other = consumer("default", "other");
    court
        .finds(&other, Expect::exists(), "Progressing", "InProgress")
        .await;
    let waited = court
        .world
        .kubectl(&["wait", "--for=condition=Ready", "--timeout=1s", "gwb/new"]);
    assert!(waited.await.is_err(), "it has no condition yet");

    court
        .world
        .start_operator(&OperatorOptions::default())
        .await
        .unwrap();
    ready(&court.world, &binding).await;
    for target in [&binding, &knative] {
        let kind = target.kind().to_lowercase();
        let name = format!("{kind}/{}", target.name());
        let wait = ["wait", "--for=condition=Ready", "--timeout=20s", &name];
        let said = court.world.kubectl(&wait).await.unwrap();
        assert!(said.contains("condition met"), "{said}");
    }
    let name = format!("gatewaybindingclass/{}", class.name());
    let wait = ["wait", "--for=condition=Ready", "--timeout=20s", &name];
    court.world.kubectl(&wait).await.unwrap();
}

/// As Argo CD syncs the example's Application: a wave begins once the one before is Healthy. So nothing of
/// an early wave may wait for a later one.
#[tokio::test]
async fn each_wave_becomes_healthy_without_the_next() {
    let court = Court::open().await;
    let service = super::ksvc("default", "helloworld");
    let mut all = String::new();
    for (file, target) in [
        ("class", class("production")),
        ("consumer", consumer("default", "knative")),
        ("knative-service", service),
        ("binding", helloworld()),
    ] {
        let manifest = read(&format!("example/gateway/{file}.yaml"));
        court.world.apply(&manifest).await.unwrap();
        all = all + &manifest + "\n---\n";
        let is_ready = Expect::condition("Ready", "True");
        court.finds(&target, is_ready, "Healthy", "Current").await;
    }
    // Deleting the Application takes all of it at once.
    for target in court.world.delete_all(&all).await.unwrap() {
        gone(&court.world, &target).await;
    }
}

/// Suspend, resume, and a check on request, as Argo CD's users ask for them.
#[tokio::test]
async fn actions_do_what_their_names_say() {
    let court = Court::open().await;
    court.world.apply(&super::exposed::example()).await.unwrap();
    let (binding, knative) = (helloworld(), consumer("default", "knative"));
    ready(&court.world, &binding).await;
    assert_eq!(court.actions(&binding).await, ["reconcile", "suspend"]);
    assert_eq!(court.actions(&knative).await, ["reconcile"]);

    for target in [binding.clone(), knative, class("production")] {
        let generation = now(&court.world, &target).await.metadata.generation;
        court.act("reconcile", &target).await;
        let object = now(&court.world, &target).await;
        let annotations = object.metadata.annotations.unwrap();
        let time = &annotations["gatewaybinding.dev/reconcile-at"];
        let parsed: Result<k8s_openapi::jiff::Timestamp, _> = time.parse();
        assert!(parsed.is_ok(), "{time}");
        assert_eq!(
            object.metadata.generation, generation,
            "the spec is as it was"
        );
    }
    let before = court.object(&binding).await["spec"].clone();
    court.act("suspend", &binding).await;
    let suspended = because("Ready", "False", "Suspended");
    court
        .world
        .wait_for(&binding, &suspended, PATIENCE)
        .await
        .unwrap();
    court.act("resume", &binding).await;
    ready(&court.world, &binding).await;
    assert_eq!(court.object(&binding).await["spec"], before);
}
