//! `gatewaybinding-operator plan` against a cluster: says what would be done, and does nothing.

use std::{path::Path, process::Output, time::Duration};

use e2e::{
    binaries,
    world::{World, WorldOptions},
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use super::exposed::{example, example_file, helloworld, mutations, ready};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/api-gateway-intranet-slb"
);

async fn plan(world: &World, more: &[&str]) -> Output {
    plan_of(world, Path::new(EXAMPLE), more).await
}

/// What `plan` says of these manifests.
pub(super) async fn plan_of(world: &World, manifests: &Path, more: &[&str]) -> Output {
    let program = &binaries::ensure(|_| ()).await.unwrap().operator;
    let keys = &world.options().operator_keys;
    let command = Command::new(program)
        .args(["plan", "-f"])
        .arg(manifests)
        .arg("--kubeconfig")
        .arg(kubeconfig(world))
        .args(["--cloud-endpoint", world.cloud.url()])
        .args(more)
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", &keys.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", &keys.secret)
        .kill_on_drop(true)
        .output();
    let limit = Duration::from_secs(30);
    let output = timeout(limit, command).await;
    output.expect("plan ends within 30 s").unwrap()
}

fn kubeconfig(world: &World) -> &Path {
    world.control_plane.kubeconfig().path()
}

pub(super) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[tokio::test]
async fn it_prints_what_would_be_done_and_later_that_nothing_is() {
    let mut world = World::start(WorldOptions::default().without_operator())
        .await
        .unwrap();
    let service = example_file("knative-service.yaml");
    world.apply(&service).await.unwrap();
    ready(&world, &super::ksvc("default", "helloworld")).await;
    let before = world.objects().await.unwrap();
    let output = plan(&world, &[]).await;
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for word in [
        "GatewayBinding default/helloworld",
        "istio-ingressgateway-intranet",
        "knative",
        "8 to create, 0 to change, 0 to remove.",
        "(known after apply)",
        "Quota: APIs in group knative: 0 now, 1 after this, 999 of 1000 left",
    ] {
        assert!(printed.contains(word), "no {word:?} in\n{printed}");
    }
    assert_eq!(world.objects().await.unwrap(), before);
    assert_eq!(mutations(&world).await, Vec::<String>::new());

    world.start_operator(&Default::default()).await.unwrap();
    world.apply(&example()).await.unwrap();
    ready(&world, &helloworld()).await;
    world.cloud.reset_calls().await.unwrap();
    let output = plan(&world, &[]).await;
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let nothing = "0 to create, 0 to change, 0 to remove.";
    assert!(printed.contains(nothing), "{printed}");
    let output = plan(&world, &["-o", "json", "--detailed-exitcode"]).await;
    assert_eq!(output.status.code(), Some(0));
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    let binding = &planned["items"][0];
    assert_eq!(binding["binding"]["name"], "helloworld", "{planned:#}");
    for none in ["steps", "problems", "conflicts", "assumptions"] {
        assert_eq!(binding[none], json!([]), "{none} in {planned:#}");
    }
    assert_eq!(mutations(&world).await, Vec::<String>::new());
}
