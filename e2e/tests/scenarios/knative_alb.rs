//! Knative Serving itself, switched over to application load balancers by a class and back, without a
//! restart of anything, with a Knative Service that no binding names.

use e2e::world::{Expect, Target, World, WorldOptions};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::json;

use super::{
    alb_knative::{FIRST, address, ask, ready, revision, service},
    alb_stage::{CLASS, alb_configs, children_are, target, vswitches, with_vswitches},
    ksvc,
    mass_changes::LONG,
};

const ALB: &str = "alb.ingress.networking.knative.dev";
const OTHER: &str = "other.ingress.networking.knative.dev";

async fn world() -> World {
    let settings = vec![
        ("config-network", "ingress-class", OTHER),
        ("config-domain", "example.com", ""),
    ];
    let world = World::start(WorldOptions {
        knative: false,
        serving: Some(settings),
        ..WorldOptions::default()
    });
    let world = world.await.unwrap();
    alb_configs(&world).await;
    world
}

fn class() -> Target {
    Target::of::<crds::GatewayBindingClass>(None, "alb")
}

/// The class, which makes its ALB the default of Knative.
async fn apply_class(world: &World, more: &str) {
    let class = with_vswitches(CLASS, &vswitches(world).await);
    let knative = format!("spec:\n  knative: {{gateway: alb{more}}}");
    let class = class.replacen("spec:", &knative, 1);
    world.apply(&class).await.unwrap();
}

/// Waits until Serving has given its Knative Ingress this class.
async fn follows(world: &World, class: &'static str) {
    let expected = Expect::that(
        format!("of class {class}"),
        move |ingress: &DynamicObject| {
            let found = ingress
                .annotations()
                .get("networking.knative.dev/ingress.class");
            if found.is_some_and(|found| found == class) {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        },
    );
    let hello = target("default", "hello");
    world.wait_for(&hello, &expected, LONG).await.unwrap();
}

async fn is_served(world: &World, at: &str) {
    let answer = world.wait_for_answer(
        "the first revision's",
        LONG,
        || ask_well(world, at),
        |answer| answer.status == 200,
    );
    assert_eq!(revision(&answer.await.unwrap()), FIRST);
}

async fn ask_well(world: &World, at: &str) -> Result<e2e::world::Answer, e2e::world::WorldError> {
    Ok(ask(world, at, &[]).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_binding_follows_the_class_to_the_alb_and_back() {
    let world = world().await;
    let latest = json!([{"latestRevision": true, "percent": 100}]);
    world.apply(&service("One", &latest)).await.unwrap();
    follows(&world, OTHER).await;

    // Somebody chose another layer, which is not taken from them without being asked.
    apply_class(&world, "").await;
    let foreign = Expect::condition_with_reason("Ready", "False", "ForeignField");
    world.wait_for(&class(), &foreign, LONG).await.unwrap();
    apply_class(&world, ", foreignFields: Takeover").await;
    let switched = Expect::condition("Ready", "True");
    world.wait_for(&class(), &switched, LONG).await.unwrap();
    // The Knative Ingress that was there already moves as well.
    follows(&world, ALB).await;
    ready(&world, &[(FIRST, 100)]).await;
    let at = address(&world).await;
    is_served(&world, &at).await;

    // A service that asks for the ALB by itself stays there, and keeps the class from going.
    let own = json!({"metadata": {"annotations": {"networking.knative.dev/ingress-class": ALB}}});
    world.patch(&ksvc("default", "hello"), &own).await.unwrap();
    let asked = Expect::that("noted by Serving", |route: &DynamicObject| {
        match route
            .annotations()
            .get("networking.knative.dev/ingress-class")
        {
            Some(_) => Ok(()),
            None => Err(format!("{:?}", route.annotations())),
        }
    });
    let route = Target::of::<e2e::knative::types::Route>(Some("default"), "hello");
    world.wait_for(&route, &asked, LONG).await.unwrap();
    world.delete(&class()).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let found = world.wait_for(&class(), &blocked, LONG).await.unwrap();
    let status = found.data["status"].to_string();
    assert!(status.contains("Knative Ingress default/hello"), "{status}");
    let network = world.kubectl(&[
        "get",
        "configmap",
        "-n",
        "knative-serving",
        "config-network",
        "-o",
        "jsonpath={.data.ingress-class}",
    ]);
    assert_eq!(network.await.unwrap().trim(), OTHER);
    is_served(&world, &at).await;

    // Without its own word it follows Knative's default, which is what it was before.
    let none = json!({"metadata": {"annotations": {"networking.knative.dev/ingress-class": null}}});
    world.patch(&ksvc("default", "hello"), &none).await.unwrap();
    follows(&world, OTHER).await;
    world
        .wait_for(&class(), &Expect::gone(), LONG)
        .await
        .unwrap();
    world.delete(&ksvc("default", "hello")).await.unwrap();
    let none = |found: &(Option<_>, Option<_>)| found.0.is_none() && found.1.is_none();
    children_are(&world, "default", "gone with their Knative Service", none).await;
    world.stop().await.unwrap();
}
