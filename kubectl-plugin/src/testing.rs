//! Objects as the operator leaves them, for tests of what is printed.

use crds::{GatewayBinding, GatewayBindingClass};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::object::Object;
use crate::render::tree::{Chain, Sought, Target};

fn read<T: DeserializeOwned>(yaml: &str) -> T {
    // By way of a JSON value, as from the API server.
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    serde_json::from_value(value).unwrap()
}

/// When the tests print.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// A binding that is Ready.
pub(crate) fn binding() -> GatewayBinding {
    read(include_str!("testing/binding.yaml"))
}

/// The same with a caller that does not exist, and without a VPC authorization.
pub(crate) fn broken() -> GatewayBinding {
    let broken: GatewayBinding = read(include_str!("testing/broken.yaml"));
    let mut binding = binding();
    let mut status = binding.status.take().unwrap();
    status.conditions = broken.status.unwrap().conditions;
    let gone = ["Backend", "Deployment"];
    status
        .ledger
        .retain(|entry| !gone.contains(&entry.kind.as_str()));
    binding.status = Some(status);
    binding
}

/// A binding that no operator has looked at.
pub(crate) fn unobserved() -> GatewayBinding {
    let mut binding = binding();
    binding.status = None;
    binding
}

/// A binding with mode Plan.
pub(crate) fn planned() -> GatewayBinding {
    read(include_str!("testing/planned.yaml"))
}

/// A class with orphans.
pub(crate) fn class() -> GatewayBindingClass {
    read(include_str!("testing/class.yaml"))
}

/// Some of each kind.
pub(crate) fn objects() -> Vec<Object> {
    let mut second = broken();
    second.metadata.name = Some("checkout".to_owned());
    let mut third = unobserved();
    third.metadata.name = Some("search".to_owned());
    let mut edited = binding();
    edited.metadata.name = Some("edited".to_owned());
    edited.metadata.generation = Some(7);
    let bindings = [binding(), second, edited, third].map(|one| Object::Binding(Box::new(one)));
    let mut objects = Vec::from(bindings);
    objects.push(Object::Class(Box::new(class())));
    objects.push(Object::Consumer(Box::new(read(include_str!(
        "testing/consumer.yaml"
    )))));
    objects
}

/// The way to [`binding`].
pub(crate) fn chain() -> Chain {
    let ready = "{status: {conditions: [{type: Ready, status: 'True'}]}}";
    let route = "{status: {url: 'http://cart.shop.example.com', conditions: [{type: Ready, status: 'True'}],
        traffic: [{revisionName: cart-00002, percent: 90}, {revisionName: cart-00003, percent: 10},
        {revisionName: cart-00001, percent: 0, tag: old}]}}";
    let starting = "{status: {conditions: [{type: Ready, status: 'False', reason: ContainerMissing,
        message: 'Unable to fetch image.'}]}}";
    Chain {
        binding: binding(),
        gateway: Sought::There(read(
            "{spec: {type: LoadBalancer, ports: [{port: 80}, {port: 443}]}}",
        )),
        gateway_endpoints: Sought::There(2),
        target: Target::Knative {
            service: Sought::There(read(ready)),
            route: Sought::There(read(route)),
            revisions: vec![
                (
                    Sought::There(read(ready)),
                    Sought::There(vec![pod("cart-00002-a", true)]),
                ),
                (Sought::There(read(starting)), Sought::There(Vec::new())),
            ],
        },
    }
}

/// A binding of a Service with a load balancer of its own.
pub(crate) fn plain_chain() -> Chain {
    let service: Service = read("{spec: {type: LoadBalancer, ports: [{port: 80}]}}");
    Chain {
        binding: read(include_str!("testing/plain.yaml")),
        gateway: Sought::There(service.clone()),
        gateway_endpoints: Sought::There(0),
        target: Target::Plain {
            service: Sought::There(Box::new(service)),
            pods: Sought::There(vec![pod("nginx-a", false)]),
        },
    }
}

fn pod(name: &str, ready: bool) -> Pod {
    let mut pod: Pod = read("{status: {phase: Running, containerStatuses: []}}");
    pod.metadata.name = Some(name.to_owned());
    let status = serde_json::json!({"name": "user", "ready": ready, "image": "x", "imageID": "x", "restartCount": 0});
    let statuses = vec![serde_json::from_value(status).unwrap()];
    pod.status.as_mut().unwrap().container_statuses = Some(statuses);
    pod
}
