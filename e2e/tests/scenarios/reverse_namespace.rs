//! In reverse, with all that a team has in a namespace of its own: bindings, consumers, their
//! Secrets, the class with the Secret of its credentials, and the namespace are deleted in any order,
//! and nothing of ours is left, and everything foreign is as it was. With the credentials gone it ends
//! in `DeletionBlocked`, with the way out.

use std::time::Duration;

use e2e::world::{Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::Namespace;
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::json;

use super::{
    exposed::{
        binding, carried_out, class, cloud_is, cluster_is, condition, consumer, example_file, gone,
        now, ready, secret,
    },
    namespace,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Orders that are tried, of all that there are.
const ORDERS: usize = 6;
const SEED: u64 = 5;
const DETACH: &str = "gatewaybinding.dev/detach";

/// What is deleted, besides the namespace, of which all but the class and its credentials are part.
fn all() -> Vec<Target> {
    vec![
        binding("team", "hello"),
        consumer("team", "caller"),
        consumer("team", "partner"),
        secret("team", "caller"),
        secret("team", "partner"),
        class("production"),
        Target::of::<Namespace>(None, "team"),
    ]
}

/// The class's credentials are in a Secret of the platform team.
async fn start() -> World {
    let world = World::start(WorldOptions::default()).await.unwrap();
    namespace(&world, "platform").await;
    credentials(&world).await;
    world
}

async fn credentials(world: &World) {
    let keys = &world.options().operator_keys;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "cloud", "namespace": "platform"},
        "stringData": {"accessKeyId": keys.id, "accessKeySecret": keys.secret},
    });
    world.apply(&secret.to_string()).await.unwrap();
}

async fn apply(world: &World) {
    let in_secret = "      type: Secret\n      secret: {namespace: platform, name: cloud}\n";
    let class = example_file("class.yaml").replace("      type: Environment\n", in_secret);
    world.apply(&class).await.unwrap();
    namespace(world, "team").await;
    super::helloworld(world, "team", "hello", "").await;
    let yaml = r#"
{apiVersion: v1, kind: Secret, metadata: {name: partner, namespace: team}, stringData: {apiKey: a-key-of-the-partner-0001}}
---
{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {name: caller, namespace: team},
 spec: {credentials: [{name: first, type: Generated, kinds: [APIKey], secretRef: {name: caller}}]}}
---
{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {name: partner, namespace: team},
 spec: {credentials: [{name: first, type: Imported, kinds: [APIKey], secretRef: {name: partner}}]}}
---
{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {name: hello, namespace: team},
 spec: {serviceRef: {kind: KnativeService, name: hello},
   apiGateway: {auth: {consumer: {apiKey: {in: [Header]}, signature: {}, allow: [{name: caller}, {name: partner}]}}}}}
"#;
    world.apply(yaml).await.unwrap();
    ready(world, &binding("team", "hello")).await;
    for name in ["caller", "partner"] {
        ready(world, &consumer("team", name)).await;
    }
}

#[tokio::test]
async fn a_teams_things_its_namespace_and_the_class_are_deleted_in_any_order() {
    let world = start().await;
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    let mut random = StdRng::seed_from_u64(SEED);
    for number in 0..ORDERS {
        let mut order = all();
        // The namespace first, then somewhere else each time.
        order.rotate_right(number % 2);
        order.get_mut(number % 2..).unwrap().shuffle(&mut random);
        apply(&world).await;
        world.remember_secrets().await.unwrap();
        for target in &order {
            world.delete(target).await.unwrap();
        }
        // Whatever is not in the namespace was deleted by now; the rest went with it.
        let names: Vec<String> = order.iter().map(ToString::to_string).collect();
        for target in &order {
            let waited = world.wait_for(target, &Expect::gone(), PATIENCE).await;
            waited.unwrap_or_else(|error| panic!("{names:?}: {error}"));
        }
        cloud_is(&world, &cloud).await;
        cluster_is(&world, &cluster).await;
        println!("{names:?}");
    }
}

/// How the credentials get lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// The Secret of the class is deleted.
    Deleted,
    /// The key is revoked.
    Revoked,
}

#[tokio::test]
async fn without_credentials_a_deletion_says_what_is_missing_and_detach_lets_go() {
    for (loss, word) in [
        (Loss::Deleted, "platform/cloud"),
        (Loss::Revoked, "InvalidAccessKeyId"),
    ] {
        let world = start().await;
        apply(&world).await;
        let state = world.cloud.state().await.unwrap()["cloudapi"].clone();
        let revoked = json!({"rules": [{"accessKeyId": world.options().operator_keys.id, "effect":
            {"type": "error", "status": 404, "code": "InvalidAccessKeyId.NotFound", "message": "Specified access key is not found."}}]});
        match loss {
            Loss::Deleted => world.delete(&secret("platform", "cloud")).await.unwrap(),
            Loss::Revoked => world.cloud.faults(&revoked).await.unwrap(),
        }
        let ours = [
            binding("team", "hello"),
            consumer("team", "caller"),
            consumer("team", "partner"),
        ];
        for target in ours.iter().chain(&[class("production")]) {
            world.delete(target).await.unwrap();
        }
        let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
        for target in &ours {
            let told = world.wait_for(target, &blocked, PATIENCE).await.unwrap();
            let (_, _, message) = condition(&told, "Ready").unwrap();
            for word in [word, "What is left: ", DETACH] {
                assert!(
                    message.contains(word),
                    "{loss:?}: no {word:?} in {message:?}"
                );
            }
        }
        let told = world
            .wait_for(&class("production"), &blocked, PATIENCE)
            .await;
        let (_, _, message) = condition(&told.unwrap(), "Ready").unwrap();
        assert!(message.contains("GatewayBinding team/hello"), "{message}");

        world.cloud.reset_calls().await.unwrap();
        let detach = json!({"metadata": {"annotations": {DETACH: "true"}}});
        for target in &ours {
            world.patch(target, &detach).await.unwrap();
            gone(&world, target).await;
        }
        gone(&world, &class("production")).await;
        let left = world.cloud.state().await.unwrap()["cloudapi"].clone();
        for kind in ["groups", "apis", "apps", "grants", "deployments"] {
            assert_eq!(
                left[kind], state[kind],
                "{loss:?}: {kind} are left as they were"
            );
        }
        assert_eq!(carried_out(&world).await, Vec::<String>::new());
    }
}

/// Credentials that come back within the time of a deletion end it in order.
#[tokio::test]
async fn with_the_credentials_back_a_deletion_goes_on_by_itself() {
    let world = start().await;
    let cloud = world.cloud_objects().await.unwrap();
    apply(&world).await;
    let caller = now(&world, &binding("team", "hello")).await;
    assert!(caller.data["status"]["urls"].is_array());
    world.delete(&secret("platform", "cloud")).await.unwrap();
    for target in all().into_iter().rev() {
        world.delete(&target).await.unwrap();
    }
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let hello = binding("team", "hello");
    world.wait_for(&hello, &blocked, PATIENCE).await.unwrap();
    credentials(&world).await;
    for target in all() {
        world
            .wait_for(&target, &Expect::gone(), PATIENCE)
            .await
            .unwrap();
    }
    cloud_is(&world, &cloud).await;
}
