//! `import`: the article's morning of clicks as manifests, and nothing changes when they are applied.

use std::process::Output;
use std::time::Duration;

use e2e::binaries;
use e2e::world::{Target, World};
use k8s_openapi::api::core::v1::Service;
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use super::{
    by_hand::{api, text},
    console::{Console, everything},
    exposed::{api_key, binding, consumer, mutations, now, ready},
    plan_command,
};

pub(super) async fn import_of(world: &World, what: &[&str]) -> Output {
    let program = &binaries::ensure(|_| ()).await.unwrap().operator;
    let options = world.options();
    let keys = &options.operator_keys;
    let command = Command::new(program)
        .arg("import")
        .args(what)
        .args(["--class", "production", "--cluster-id", "c1f0"])
        .args(["--region", &options.region, "--kubeconfig"])
        .arg(world.control_plane.kubeconfig().path())
        .args(["--cloud-endpoint", world.cloud.url()])
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", &keys.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &keys.secret)
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(60), command).await;
    output.expect("import ends within 60 s").unwrap()
}

/// The gateway's Service without what its controllers write.
async fn service(world: &World) -> (Value, Value) {
    let target = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway-intranet");
    let service = now(world, &target).await;
    let annotations = serde_json::to_value(&service.metadata.annotations).unwrap();
    (annotations, service.data["spec"].clone())
}

#[tokio::test]
async fn the_articles_clicks_become_manifests_that_change_nothing() {
    let (world, console) = Console::set_up_by_sdk().await;
    // A second app, which may call nothing, and an API that no manifest can say.
    api(&world, "CreateApp", &[("AppName", "nobodys")]).await;
    let before = (everything(&world).await, service(&world).await);
    world.cloud.reset_calls().await.unwrap();

    let output = import_of(&world, &["knative_test"]).await;
    let printed = plan_command::text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let app = [("AppId", console.app.as_str())];
    let secret = text(&api(&world, "DescribeAppSecurity", &app).await, "AppSecret");
    for hidden in [&console.code, &secret] {
        assert!(!printed.contains(hidden), "a secret in\n{printed}");
    }
    for id in [
        &console.group,
        &console.access,
        &console.api,
        &console.plugin,
        &console.app,
    ] {
        assert!(printed.contains(id), "no {id} in\n{printed}");
    }
    assert!(!printed.contains("nobodys"), "{printed}");

    let file = world.folder().join("imported.yaml");
    let manifests = String::from_utf8(output.stdout).unwrap();
    std::fs::write(&file, &manifests).unwrap();
    let plan = plan_command::plan_of(&world, &file, &["--detailed-exitcode"]).await;
    assert_eq!(plan.status.code(), Some(0), "{}", plan_command::text(&plan));

    world.apply(&manifests).await.unwrap();
    ready(&world, &consumer("default", "by-hand")).await;
    ready(&world, &binding("default", "helloworld")).await;
    assert_eq!(api_key(&world, "default", "by-hand").await, console.code);
    console.answers(&world, 200).await;
    assert_eq!((everything(&world).await, service(&world).await), before);
    assert_eq!(mutations(&world).await, Vec::<String>::new());
}
