//! The endpoint for probes and metrics, over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::time::Duration;

use gatewaybinding_operator::health::{HealthError, HealthServer, Readiness};
use gatewaybinding_operator::metrics::Metrics;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(5);
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Status line, headers and body.
async fn get(address: SocketAddr, path: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(answer) => answer,
        Err(_) => panic!("{path} did not answer within {PATIENCE:?}"),
    }
}

#[tokio::test]
async fn probes_and_metrics_say_where_the_process_stands() {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let readiness = Readiness::default();
    let bindings = readiness.gate("watch GatewayBinding");
    let routes = readiness.gate("CRD routes.serving.knative.dev");
    let server = HealthServer::bind(LOOPBACK, readiness.clone(), registry)
        .await
        .unwrap();
    let address = server.address();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.serve(shutdown.clone()));

    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let list = "waiting for:\n- CRD routes.serving.knative.dev\n- watch GatewayBinding\n";
    assert!(answer.ends_with(list), "{answer}");
    bindings.open();
    let answer = get(address, "/readyz").await;
    assert!(
        !answer.contains("GatewayBinding") && answer.contains("CRD routes"),
        "{answer}"
    );
    routes.open();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    bindings.close();
    assert_eq!(readiness.waiting_for(), ["watch GatewayBinding"]);

    metrics.cloud_call("CloudAPI", "DescribeApis", "ok", 0.1);
    let answer = get(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("application/openmetrics-text; version=1.0.0"),
        "{answer}"
    );
    assert!(
        answer.contains("gatewaybinding_cloud_calls_total{"),
        "{answer}"
    );
    assert!(answer.ends_with("# EOF\n"), "{answer}");

    shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, serving).await;
    ended
        .expect("the server did not stop in time")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_taken_address_is_named_with_its_flag() {
    let first = HealthServer::bind(LOOPBACK, Readiness::default(), Registry::default())
        .await
        .unwrap();
    let second =
        HealthServer::bind(first.address(), Readiness::default(), Registry::default()).await;
    let error: HealthError = second.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&first.address().to_string()), "{text}");
    assert!(text.contains("--metrics-listen"), "{text}");
}
