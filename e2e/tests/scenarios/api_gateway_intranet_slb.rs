//! `examples/api-gateway-intranet-slb`: one manifest instead of the morning of [`super::by_hand`].

use std::{fs, path::Path, time::Duration};

use crds::{GatewayBinding, GatewayBindingClass, GatewayConsumer, keys::consumer_secret};
use e2e::world::{Answer, Expect, Target, World, WorldOptions};
use k8s_openapi::api::core::v1::{Secret, Service};

use super::PATIENCE;

fn example() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/api-gateway-intranet-slb");
    let files = [
        "class.yaml",
        "knative-service.yaml",
        "consumer.yaml",
        "binding.yaml",
    ];
    files
        .map(|file| fs::read_to_string(folder.join(file)).unwrap())
        .join("\n---\n")
}

fn binding() -> Target {
    Target::of::<GatewayBinding>(Some("default"), "helloworld")
}

fn intranet_service() -> Target {
    Target::of::<Service>(Some("istio-system"), "istio-ingressgateway-intranet")
}

/// A world with the example applied and Ready, and the group's public host.
async fn applied() -> (World, String) {
    let world = World::start(WorldOptions::default()).await.unwrap();
    world.apply(&example()).await.unwrap();
    let ready = world
        .wait_for(&binding(), &Expect::condition("Ready", "True"), PATIENCE)
        .await
        .unwrap();
    let urls = &ready.data["status"]["urls"];
    let url = urls[0]
        .as_str()
        .unwrap_or_else(|| panic!("status.urls is {urls}"));
    let host = url
        .split("://")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    (world, host)
}

async fn code(world: &World) -> String {
    world
        .secret("default", "knative-caller", consumer_secret::API_KEY)
        .await
        .unwrap()
}

fn error_code(answer: &Answer) -> &str {
    answer
        .headers
        .get("x-ca-error-code")
        .map_or("", String::as_str)
}

#[tokio::test]
async fn with_the_appcode_it_answers_without_it_is_refused_and_over_the_limit_throttled() {
    let (world, host) = applied().await;
    let code = code(&world).await;
    let authorization = format!("APPCODE {code}");
    let headers = [("authorization", authorization.as_str())];
    let get = || world.cloud.curl(&host, "/", &headers);
    let answer = get().await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "Hello World!\n"),
        "Ready means that it works: {answer:?}"
    );
    let in_query = world
        .cloud
        .curl(&host, &format!("/a/b?AppCode={code}"), &[])
        .await
        .unwrap();
    assert_eq!(in_query.status, 200, "{in_query:?}");

    let without = world.cloud.curl(&host, "/", &[]).await.unwrap();
    assert_eq!(
        (without.status, error_code(&without)),
        (400, "A400MA"),
        "{without:?}"
    );
    let wrong = world
        .cloud
        .curl(&host, "/", &[("authorization", "APPCODE 0123456789")])
        .await
        .unwrap();
    assert_eq!(
        (wrong.status, error_code(&wrong)),
        (400, "A400AC"),
        "{wrong:?}"
    );

    // 60 a minute for each caller; the minute may turn while we count, hence twice as many.
    let mut throttled = None;
    for _ in 0..121 {
        let answer = get().await.unwrap();
        if answer.status != 200 {
            throttled = Some(answer);
            break;
        }
    }
    let throttled = throttled.expect("121 requests within a minute, and none was throttled");
    assert_eq!(throttled.status, 429, "{throttled:?}");
    assert!(error_code(&throttled).starts_with("T429"), "{throttled:?}");
}

#[tokio::test]
async fn an_app_that_is_not_granted_is_refused() {
    use alicloud_emulator::api::Product::CloudApi;

    let (world, host) = applied().await;
    let keys = &world.options().console_keys;
    let app = world
        .cloud
        .call(keys, CloudApi, "CreateApp", &[("AppName", "stranger")])
        .await
        .unwrap();
    let id = app["AppId"].to_string();
    let security = world
        .cloud
        .call(keys, CloudApi, "DescribeAppSecurity", &[("AppId", &id)])
        .await
        .unwrap();
    let authorization = format!("APPCODE {}", security["AppCode"].as_str().unwrap());
    let answer = world
        .cloud
        .curl(&host, "/", &[("authorization", &authorization)])
        .await
        .unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
}

#[tokio::test]
async fn mutating_calls_are_one_per_object_and_none_when_idle() {
    let (world, _) = applied().await;
    let operator = world.options().operator_keys.id.clone();
    let mutating = async || {
        let calls = world.cloud.calls().await.unwrap();
        let ours = calls
            .into_iter()
            .filter(|call| call.mutating && call.access_key_id == operator);
        ours.map(|call| call.action).collect::<Vec<_>>()
    };
    let made = mutating().await;
    for action in [
        "CreateApiGroup",
        "SetVpcAccess",
        "CreateApi",
        "DeployApi",
        "CreateApp",
    ] {
        assert_eq!(
            made.iter().filter(|made| *made == action).count(),
            1,
            "{action} among {made:?}"
        );
    }
    world.cloud.reset_calls().await.unwrap();
    // Applying the same again changes nothing, and must not make the operator write.
    world.apply(&example()).await.unwrap();
    let touched = world
        .kubectl(&["annotate", "gatewaybinding", "helloworld", "note=touched"])
        .await;
    touched.unwrap();
    world
        .wait_for(&binding(), &Expect::condition("Ready", "True"), PATIENCE)
        .await
        .unwrap();
    assert_eq!(mutating().await, Vec::<String>::new());
}

#[tokio::test]
async fn kubectl_tells_a_newcomer_where_it_stands() {
    let (world, _) = applied().await;
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=10s",
        "gatewaybinding/helloworld",
    ];
    world.kubectl(&wait).await.unwrap();
    let printed = world.kubectl(&["get", "gwb"]).await.unwrap();
    for column in ["READY", "GATEWAY", "ADDRESS", "REASON"] {
        assert!(printed.contains(column), "no {column} in\n{printed}");
    }
    assert!(printed.contains("intranet"), "{printed}");
    let described = world
        .kubectl(&["describe", "gwb", "helloworld"])
        .await
        .unwrap();
    assert!(described.contains("Programmed"), "{described}");
}

#[tokio::test]
async fn deleting_it_leaves_nothing_of_ours_and_everything_foreign() {
    let (world, _) = applied().await;
    let secret = Target::of::<Secret>(Some("default"), "knative-caller");
    let class = Target::of::<GatewayBindingClass>(None, "production");
    let consumer = Target::of::<GatewayConsumer>(Some("default"), "knative");
    world.delete_all(&example()).await.unwrap();
    let gone = Duration::from_secs(60);
    for target in [binding(), consumer, class, intranet_service(), secret] {
        world
            .wait_for(&target, &Expect::gone(), gone)
            .await
            .unwrap();
    }
    let existing = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway");
    world
        .wait_for(&existing, &Expect::exists(), PATIENCE)
        .await
        .unwrap();

    let cloud = world.cloud.state().await.unwrap();
    for kind in ["groups", "apis", "apps", "plugins", "vpcAccesses"] {
        let left = &cloud["cloudapi"][kind];
        let empty = left
            .as_object()
            .map(|all| all.is_empty())
            .or_else(|| left.as_array().map(|all| all.is_empty()));
        assert_eq!(empty, Some(true), "{kind} left in the cloud: {left}");
    }
}
