//! A cloud account that does not answer holds up nobody but the bindings that need it.

use std::{io, net::Ipv4Addr};

use e2e::world::World;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{
    PATIENCE,
    exposed::{Caller, exposed, helloworld, ready},
    namespace,
};

/// Accepts connections and never says a word.
async fn silent() -> (u16, JoinHandle<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = tokio::spawn(async move { listener.accept().await.unwrap().0 });
    (port, first)
}

/// Whether the other side still waits for an answer. The request it sent is read away.
fn still_waits(stream: &TcpStream) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match stream.try_read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// More bindings than the operator works on at once, in a class whose account never answers.
async fn apply_neighbours(world: &World, port: u16) {
    namespace(world, "stuck").await;
    let class = format!(
        "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {{name: silent}}
spec:
  cloud:
    regionId: cn-beijing
    clusterId: c1f0
    credentials: {{type: Environment}}
    endpoints: [{{product: STS, url: \"http://127.0.0.1:{port}\"}}]
  defaults: {{gateway: only}}
  gateways:
  - name: only
    slb:
      service: {{namespace: istio-system, name: silent, createFrom: {{name: istio-ingressgateway}}}}
      settings: {{addressType: Intranet}}
"
    );
    let binding = |number| {
        format!(
            "{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {{name: stuck-{number}, namespace: stuck}}, \
             spec: {{className: silent, serviceRef: {{kind: KnativeService, name: hello}}}}}}"
        )
    };
    let bindings: Vec<_> = (0..12).map(binding).collect();
    let yaml = format!("{class}\n---\n{}", bindings.join("\n---\n"));
    world.apply(&yaml).await.unwrap();
}

#[tokio::test]
async fn a_silent_account_does_not_hold_up_the_others() {
    let world = exposed().await;
    let caller = Caller::of(&world, &helloworld()).await;
    caller.get_until("/", 200).await;
    let (port, first) = silent().await;
    apply_neighbours(&world, port).await;
    let connection = tokio::time::timeout(PATIENCE, first).await;
    let connection = connection.expect("nobody asked the account").unwrap();
    connection.readable().await.unwrap();

    for path in ["/one", "/two"] {
        let route = json!([{"name": "all", "path": {"prefix": path}}]);
        let patch = json!({"spec": {"apiGateway": {"routes": route}}});
        world.patch(&helloworld(), &patch).await.unwrap();
        ready(&world, &helloworld()).await;
        assert_eq!(caller.get(path).await.unwrap().status, 200);
    }
    assert!(
        still_waits(&connection),
        "the edit was done only after the silent account had been given up"
    );
}
