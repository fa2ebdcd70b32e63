//! What stands in the cluster: the gateway's Service, the exposed service, revisions, pods.

use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::Value;

use super::{Chain, Node, Sought, State, Target};

/// The gateway's Service and all below it.
pub(super) fn below(chain: &Chain) -> Node {
    let namespace = chain.binding.metadata.namespace.as_deref();
    let namespace = namespace.unwrap_or_default();
    let exposed = format!("{namespace}/{}", chain.binding.spec.service_ref.name);
    let status = chain.binding.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let gateway = balancer.and_then(|balancer| balancer.service.as_ref());
    let name = gateway.map_or_else(|| "of the gateway".to_owned(), ToString::to_string);
    match &chain.target {
        Target::Plain { pods: found, .. } if name == exposed => {
            pods(gateway_service(chain, &name), found, "no pod is selected")
        }
        Target::Plain {
            service,
            pods: found,
        } => {
            let node = sought(format!("Service {exposed}"), service, |node, service| {
                node.note(ports(service))
            });
            gateway_service(chain, &name).with(pods(node, found, "no pod is selected"))
        }
        Target::Knative {
            service,
            route,
            revisions,
        } => {
            let knative = format!("Knative Service {exposed}");
            let knative = sought(knative, service, judged);
            let way = sought(format!("Route {exposed}"), route, |node, route| {
                let judged = judged(node, route);
                match judged.state {
                    State::Good => judged.note(text(route, "/status/url")),
                    State::Bad | State::Unknown => judged,
                }
            });
            let shares = shares(route);
            let way = revisions.iter().zip(shares).fold(
                way,
                |way, ((revision, found), (name, percent))| {
                    way.with(self::revision(revision, found, &name, percent))
                },
            );
            gateway_service(chain, &name).with(knative.with(way))
        }
    }
}

fn gateway_service(chain: &Chain, name: &str) -> Node {
    let node = sought(
        format!("Service {name}"),
        &chain.gateway,
        |node, service| node.note(ports(service)),
    );
    if node.state != State::Good {
        return node;
    }
    let ports = node.note.clone().unwrap_or_default();
    match &chain.gateway_endpoints {
        Sought::There(0) => {
            let mut node = node.note(format!("{ports}, no ready endpoint"));
            node.state = State::Bad;
            node
        }
        Sought::There(1) => node.note(format!("{ports}, 1 ready endpoint")),
        Sought::There(count) => node.note(format!("{ports}, {count} ready endpoints")),
        Sought::Unread(why) => node.note(format!("{ports}; {why}")),
        Sought::Missing | Sought::Unnamed => node,
    }
}

/// Something, if it was found, else that it was not.
fn sought<T>(what: String, found: &Sought<T>, there: impl FnOnce(Node, &T) -> Node) -> Node {
    match found {
        Sought::There(it) => there(Node::new(what, State::Good), it),
        Sought::Missing => Node::new(what, State::Bad).note("does not exist"),
        Sought::Unread(why) => Node::new(what, State::Unknown).note(why.as_str()),
        Sought::Unnamed => Node::new(what, State::Unknown).note("not decided yet"),
    }
}

fn ports(service: &Service) -> String {
    let spec = service.spec.as_ref();
    let type_ = spec.and_then(|spec| spec.type_.as_deref());
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or(&[]);
    let ports: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
    let word = if ports.len() == 1 { "port" } else { "ports" };
    format!(
        "{}, {word} {}",
        type_.unwrap_or("ClusterIP"),
        ports.join(", ")
    )
}

/// A Knative object, by its condition Ready.
fn judged(mut node: Node, object: &Value) -> Node {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let Some(ready) = ready else {
        node.state = State::Unknown;
        return node.note("says nothing about itself yet");
    };
    match text(ready, "/status").as_str() {
        "True" => node,
        "False" => {
            node.state = State::Bad;
            node.note(format!(
                "{}: {}",
                text(ready, "/reason"),
                text(ready, "/message")
            ))
        }
        _ => {
            node.state = State::Unknown;
            node.note("not ready yet")
        }
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The revisions that a route sends requests to, with their shares in percent.
pub(crate) fn shares_of(route: &Value) -> Vec<(String, i64)> {
    let traffic = route.pointer("/status/traffic").and_then(Value::as_array);
    let targets = traffic.into_iter().flatten();
    let targets = targets.filter_map(|target| {
        let name = target.get("revisionName")?.as_str()?.to_owned();
        Some((
            name,
            target.get("percent").and_then(Value::as_i64).unwrap_or(0),
        ))
    });
    targets.filter(|(_, percent)| *percent > 0).collect()
}

fn shares(route: &Sought<Value>) -> Vec<(String, i64)> {
    match route {
        Sought::There(route) => shares_of(route),
        _ => Vec::new(),
    }
}

fn revision(found: &Sought<Value>, pods_: &Sought<Vec<Pod>>, name: &str, percent: i64) -> Node {
    let what = format!("Revision {name}, {percent} %");
    let node = sought(what, found, judged);
    pods(
        node,
        pods_,
        "no pod: scaled to zero, the first request starts one",
    )
}

fn pods(node: Node, found: &Sought<Vec<Pod>>, none: &str) -> Node {
    match found {
        // Where something else is wrong, that is what matters.
        Sought::There(pods) if pods.is_empty() && node.state == State::Good => {
            let notes = [node.note.clone(), Some(none.to_owned())];
            let notes: Vec<String> = notes.into_iter().flatten().collect();
            node.note(notes.join("; "))
        }
        Sought::There(pods) => pods.iter().fold(node, |node, it| node.with(pod(it))),
        Sought::Unread(why) => node.with(Node::new("pods", State::Unknown).note(why.as_str())),
        Sought::Missing | Sought::Unnamed => node,
    }
}

fn pod(pod: &Pod) -> Node {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    let containers = status.and_then(|status| status.container_statuses.as_deref());
    let containers = containers.unwrap_or(&[]);
    let ready = containers
        .iter()
        .filter(|container| container.ready)
        .count();
    let all = containers.len();
    let state = match (phase, ready == all && all > 0) {
        (Some("Running"), true) => State::Good,
        (Some("Failed"), _) | (Some("Running"), false) => State::Bad,
        _ => State::Unknown,
    };
    let phase = phase.unwrap_or("Unknown");
    Node::new(format!("Pod {name}"), state).note(format!("{phase}, {ready}/{all} ready"))
}
