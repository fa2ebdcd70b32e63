//! Deleting in every order: what is still needed stays and says why, the rest goes.

use e2e::world::{Expect, World, WorldOptions};
use serde_json::json;

use super::{
    PATIENCE,
    exposed::{
        Caller, class, cloud_is, cluster_is, condition, consumer, example, exposed, gone,
        helloworld, intranet_service, mutations, now, ready, secret,
    },
};

#[tokio::test]
async fn what_is_still_needed_waits_and_goes_by_itself_later() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    let cluster = world.objects().await.unwrap();
    let cloud = world.cloud_objects().await.unwrap();
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;

    let production = class("production");
    world.delete(&production).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = world.wait_for(&production, &blocked, PATIENCE).await;
    let (_, _, message) = condition(&blocked.unwrap(), "Ready").unwrap();
    for word in ["GatewayBinding default/helloworld", "Delete them first"] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
    assert_eq!(caller.get("/").await.unwrap().status, 200, "nothing broke");

    // The caller is taken away although a binding allows it: it may no longer call.
    let knative = consumer("default", "knative");
    world.delete(&knative).await.unwrap();
    gone(&world, &knative).await;
    gone(&world, &secret("default", "knative-caller")).await;
    let missing = Expect::condition_with_reason("ResolvedRefs", "False", "ConsumerNotFound");
    world
        .wait_for(&helloworld(), &missing, PATIENCE)
        .await
        .unwrap();
    let refused = caller.get("/").await.unwrap();
    assert_eq!(refused.status, 400, "{refused:?}");

    world
        .delete_all(&super::exposed::example_file("knative-service.yaml"))
        .await
        .unwrap();
    world.delete(&helloworld()).await.unwrap();
    for target in [helloworld(), production, intranet_service()] {
        gone(&world, &target).await;
    }
    cloud_is(&world, &cloud).await;
    cluster_is(&world, &cluster).await;
}

#[tokio::test]
async fn retain_leaves_everything_in_place_and_the_next_binding_takes_it_up() {
    let world = exposed().await;
    let retain = json!({"spec": {"deletionPolicy": "Retain"}});
    world.patch(&helloworld(), &retain).await.unwrap();
    let before = ready(&world, &helloworld()).await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    world.cloud.reset_calls().await.unwrap();

    world.delete(&helloworld()).await.unwrap();
    gone(&world, &helloworld()).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);
    now(&world, &intranet_service()).await;
    assert_eq!(mutations(&world).await, Vec::<String>::new());

    world
        .apply(&super::exposed::example_file("binding.yaml"))
        .await
        .unwrap();
    let after = ready(&world, &helloworld()).await;
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    for field in ["loadBalancer", "apiGateway", "urls"] {
        assert_eq!(after.data["status"][field], before.data["status"][field]);
    }
}

#[tokio::test]
async fn a_deletion_that_the_cloud_refuses_says_so_and_detach_is_the_way_out() {
    let world = exposed().await;
    let refusal = json!({"rules": [{"action": "DeleteApi", "effect":
        {"type": "error", "status": 403, "code": "Forbidden.RAM", "message": "The user is not authorized."}}]});
    world.cloud.faults(&refusal).await.unwrap();
    world.delete(&helloworld()).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = world.wait_for(&helloworld(), &blocked, PATIENCE).await;
    let (_, _, message) = condition(&blocked.unwrap(), "Ready").unwrap();
    for word in ["DeleteApi", "Forbidden.RAM", "The user is not authorized."] {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }

    let detach = json!({"metadata": {"annotations": {"gatewaybinding.dev/detach": "true"}}});
    world.patch(&helloworld(), &detach).await.unwrap();
    gone(&world, &helloworld()).await;
    let apis = world.cloud.state().await.unwrap()["cloudapi"]["apis"].clone();
    assert_eq!(apis.as_object().unwrap().len(), 1, "it was left: {apis}");
}
