//! Knative Serving runs on the node as in a cluster.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::time::Duration;

use control_plane::ControlPlane;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
    core::GroupVersionKind,
};
use local_node::serving::{API_SERVER_FLAG, HELLO, Serving};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(120);

fn api(client: &Client, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), "default", &resource)
}

async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(missing) if Instant::now() > deadline => panic!("{what}: {missing}"),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_knative_service_gets_pods_that_answer_and_an_ingress() {
    let flags = [API_SERVER_FLAG.to_owned()];
    let control_plane = ControlPlane::builder()
        .apiserver_flags(flags)
        .start()
        .await
        .unwrap();
    let settings = [
        (
            "config-network",
            "ingress-class",
            "nobody.ingress.networking.knative.dev",
        ),
        ("config-domain", "example.com", ""),
    ];
    let folder = control_plane.folder().join("pods");
    let serving = Serving::start(&control_plane, &settings, &folder)
        .await
        .unwrap();

    let client = control_plane.client();
    let services = api(&client, "serving.knative.dev", "v1", "Service");
    let service = json!({
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": {"template": {
            "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}},
            "spec": {"containers": [{"image": HELLO, "env": [{"name": "TARGET", "value": "Knative"}]}]},
        }},
    });
    let service: DynamicObject = serde_json::from_value(service).unwrap();
    services
        .create(&PostParams::default(), &service)
        .await
        .unwrap();

    let revisions = api(&client, "serving.knative.dev", "v1", "Revision");
    wait_for("the revision is ready", async || {
        let revision = revisions
            .get("hello-00001")
            .await
            .map_err(|error| error.to_string())?;
        let conditions = revision.data["status"]["conditions"].as_array().cloned();
        let mut conditions = conditions.unwrap_or_default().into_iter();
        let ready = conditions.find(|condition| condition["type"] == "Ready");
        match ready {
            Some(ready) if ready["status"] == "True" => Ok(()),
            ready => Err(format!("{ready:?}")),
        }
    })
    .await;

    let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(client.clone(), "default");
    let of_revision = ListParams::default().labels("serving.knative.dev/revision=hello-00001");
    let address = pods.list(&of_revision).await.unwrap().items[0]
        .status
        .clone()
        .unwrap()
        .pod_ip
        .unwrap();
    let answer = reqwest::get(format!("http://{address}:8012/path?x=1"))
        .await
        .unwrap();
    let said: Value = answer.json().await.unwrap();
    assert_eq!(said["message"], "Hello Knative!");
    assert_eq!(said["revision"], "hello-00001");
    assert_eq!(said["path"], "/path?x=1");

    let ingresses = api(
        &client,
        "networking.internal.knative.dev",
        "v1alpha1",
        "Ingress",
    );
    let ingress = wait_for("an ingress", async || {
        ingresses
            .get("hello")
            .await
            .map_err(|error| error.to_string())
    })
    .await;
    let hosts = &ingress.data["spec"]["rules"];
    assert!(
        hosts.to_string().contains("hello.default.example.com"),
        "{hosts}"
    );
    drop(serving);
    control_plane.stop().await.unwrap();
}
