//! What happens while the operator is away is made up for when it comes back.

use std::collections::BTreeMap;

use e2e::world::{Expect, World};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    exposed::{
        Caller, class, cloud_is, cluster_is, consumer, example, exposed_without_limits, gone,
        helloworld, intranet_service, now, ready,
    },
};

async fn away(world: &mut World) {
    let operator = world.operator.take().unwrap();
    operator.terminate(PATIENCE).await.unwrap();
}

async fn back(world: &mut World) {
    let options = world.options().operator.clone().unwrap();
    world.start_operator(&options).await.unwrap();
}

#[tokio::test]
async fn edits_and_deletions_in_its_absence_are_made_up_for() {
    let mut world = e2e::world::World::start(Default::default()).await.unwrap();
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    let caller_host = Caller::of(&world, &helloworld()).await.host().to_owned();

    away(&mut world).await;
    let route = json!([{"name": "all", "path": {"prefix": "/edited"}}]);
    let patch = json!({"spec": {"apiGateway": {"routes": route}}});
    world.patch(&helloworld(), &patch).await.unwrap();
    world.delete(&intranet_service()).await.unwrap();
    gone(&world, &intranet_service()).await;
    back(&mut world).await;
    ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    assert_eq!(caller.host(), caller_host, "the group is the same");
    caller.get_until("/edited", 200).await;

    away(&mut world).await;
    world.delete_all(&example()).await.unwrap();
    back(&mut world).await;
    nothing_is_left(&world, &cluster, &cloud).await;
}

/// `kubectl replace --force`: an object of the same name, and another uid.
#[tokio::test]
async fn an_object_that_is_deleted_and_made_again_at_once_ends_up_ready() {
    let world = exposed_without_limits().await;
    for file in ["binding.yaml", "consumer.yaml", "knative-service.yaml"] {
        let path = format!(
            "{}/../examples/api-gateway-intranet-slb/{file}",
            env!("CARGO_MANIFEST_DIR")
        );
        let replace = ["replace", "--force", "--timeout=30s", "-f", &path];
        world.kubectl(&replace).await.unwrap();
        let uid = now(&world, &helloworld()).await.metadata.uid;
        assert!(uid.is_some());
        ready(&world, &super::ksvc("default", "helloworld")).await;
        ready(&world, &consumer("default", "knative")).await;
        world
            .wait_for(&helloworld(), &Expect::condition("Ready", "True"), PATIENCE)
            .await
            .unwrap();
        let caller = Caller::of(&world, &helloworld()).await;
        caller.get_until("/", 200).await;
    }
}

/// Status is lost and everything deleted at once, before anybody could make it again.
#[tokio::test]
async fn what_is_deleted_after_its_status_was_lost_is_cleaned_up_all_the_same() {
    let mut world = e2e::world::World::start(Default::default()).await.unwrap();
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    ready(&world, &consumer("default", "knative")).await;
    away(&mut world).await;
    lose_statuses(&world).await;
    world.delete_all(&example()).await.unwrap();
    back(&mut world).await;
    nothing_is_left(&world, &cluster, &cloud).await;
}

/// The example is gone, and cluster and cloud are as they were before it.
async fn nothing_is_left(
    world: &World,
    cluster: &BTreeMap<String, String>,
    cloud: &BTreeMap<String, Value>,
) {
    for target in [
        helloworld(),
        consumer("default", "knative"),
        class("production"),
    ] {
        gone(world, &target).await;
    }
    cloud_is(world, cloud).await;
    cluster_is(world, cluster).await;
}

async fn lose_statuses(world: &World) {
    for object in ["gwb/helloworld", "gwc/knative", "gwbc/production"] {
        let lose = r#"{"status": null}"#;
        let lose = [
            "patch",
            object,
            "--subresource=status",
            "--type=merge",
            "-p",
            lose,
        ];
        world.kubectl(&lose).await.unwrap();
    }
}

/// Status is lost, as in a restore from a backup without it: it is made again from what is there.
#[tokio::test]
async fn a_lost_status_is_made_again_and_then_everything_can_still_be_cleaned_up() {
    let mut world = e2e::world::World::start(Default::default()).await.unwrap();
    let (cluster, cloud) = (
        world.objects().await.unwrap(),
        world.cloud_objects().await.unwrap(),
    );
    world.apply(&example()).await.unwrap();
    let before = ready(&world, &helloworld()).await;
    away(&mut world).await;
    lose_statuses(&world).await;
    world.cloud.reset_calls().await.unwrap();
    back(&mut world).await;
    let after = ready(&world, &helloworld()).await;
    assert_eq!(
        super::exposed::mutations(&world).await,
        Vec::<String>::new()
    );
    for field in ["apiGateway", "loadBalancer", "urls", "ledger"] {
        let (before, after) = (&before.data["status"][field], &after.data["status"][field]);
        assert_eq!(before, after, "{field}");
    }
    world.delete_all(&example()).await.unwrap();
    for target in [helloworld(), class("production")] {
        gone(&world, &target).await;
    }
    cloud_is(&world, &cloud).await;
    cluster_is(&world, &cluster).await;
}
