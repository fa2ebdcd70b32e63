//! The gateway routes by Host, and by nothing else.

use std::collections::BTreeSet;

use e2e::world::{Expect, Target, World};
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, ResourceExt as _, api::ListParams};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{PATIENCE, helloworld, world};

const HOST: &str = "helloworld.default.example.com";

async fn status(world: &World, host: &str) -> u16 {
    world.curl_gateway(host, "/").await.unwrap().status
}

#[tokio::test]
async fn requests_find_their_service_by_host_and_a_wrong_one_is_404() {
    let world = world().await;
    assert_eq!(status(&world, HOST).await, 404, "before there is a service");
    helloworld(&world, "default", "helloworld", "").await;

    let answer = world
        .curl_gateway(HOST, "/any/path?and=query")
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "Hello World!\n")
    );
    assert_eq!(status(&world, &format!("{HOST}:80")).await, 200);
    for wrong in [
        "helloworld.default",
        "helloworld.default.svc.cluster.local",
        "other.default.example.com",
        "example.com",
    ] {
        let answer = world.curl_gateway(wrong, "/").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{wrong}");
        assert_eq!(answer.headers["server"], "istio-envoy");
    }
    // Its own address is no host either.
    let address = world.gateway.as_ref().unwrap().address();
    assert_eq!(status(&world, &address.to_string()).await, 404);

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(
        text.starts_with("HTTP/1.1 400 "),
        "a request without any Host: {text}"
    );
}

#[tokio::test]
async fn a_revision_without_endpoints_is_503_and_a_deleted_service_is_404() {
    let world = world().await;
    helloworld(&world, "default", "helloworld", "").await;
    // A second Service's rule leads to a Service that has no endpoints.
    let rule = "apiVersion: networking.internal.knative.dev/v1alpha1\nkind: Ingress\n\
        metadata: {name: empty, namespace: default, annotations: {networking.knative.dev/ingress.class: istio.ingress.networking.knative.dev}}\n\
        spec: {rules: [{hosts: [empty.default.example.com], visibility: ExternalIP, http: {paths: [{splits: [{serviceNamespace: default, serviceName: empty, servicePort: 80, percent: 100}]}]}}]}\n\
        ---\napiVersion: v1\nkind: Service\nmetadata: {name: empty, namespace: default}\nspec: {ports: [{port: 80}]}\n";
    world.apply(rule).await.unwrap();
    let get = || world.curl_gateway("empty.default.example.com", "/");
    let answer = world
        .wait_for_answer("503", PATIENCE, get, |answer| answer.status == 503)
        .await
        .unwrap();
    assert_eq!(answer.body, "no healthy upstream");

    let service = super::ksvc("default", "helloworld");
    world.delete(&service).await.unwrap();
    world
        .wait_for(&service, &Expect::gone(), PATIENCE)
        .await
        .unwrap();
    let get = || world.curl_gateway(HOST, "/");
    world
        .wait_for_answer("404", PATIENCE, get, |answer| answer.status == 404)
        .await
        .unwrap();
}

#[tokio::test]
async fn every_service_that_selects_the_gateways_pods_gets_its_endpoints() {
    let world = world().await;
    world
        .apply(
            "{apiVersion: v1, kind: Service, metadata: {name: second, namespace: istio-system}, spec: {selector: \
             {app: istio-ingressgateway, istio: ingressgateway}, ports: [{name: http2, port: 80, targetPort: 80}]}}",
        )
        .await
        .unwrap();
    let ip = world.gateway.as_ref().unwrap().address().ip().to_string();
    for name in ["istio-ingressgateway", "second"] {
        let slices = Api::<EndpointSlice>::namespaced(world.client(), "istio-system");
        let of_service =
            ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = slices.list(&of_service).await.unwrap().items;
            let ready: BTreeSet<_> = found
                .iter()
                .flat_map(|slice| &slice.endpoints)
                .filter(|endpoint| endpoint.conditions.as_ref().and_then(|c| c.ready) == Some(true))
                .flat_map(|endpoint| endpoint.addresses.clone())
                .collect();
            if ready == BTreeSet::from([ip.clone()]) {
                break;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{name} has {ready:?} instead of {ip}: {found:?}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    let service = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway");
    let service = world
        .wait_for(&service, &Expect::exists(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(service.labels()["istio"], "ingressgateway");
}
