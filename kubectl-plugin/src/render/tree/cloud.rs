//! What stands in the cloud: URL, API group, APIs, VPC authorization, load balancer.

use crds::{ApiGatewayStatus, GatewayBindingStatus, LedgerEntry, PublishedApi};

use super::{Chain, Node, State};

/// What a request meets before the cluster, which is `below`.
pub(super) fn below(chain: &Chain, below: Node) -> Node {
    let blank = GatewayBindingStatus::default();
    let status = chain.binding.status.as_ref().unwrap_or(&blank);
    let balancer = load_balancer(status).with(below);
    match &status.api_gateway {
        Some(api_gateway) => urls(status).with(group(status, api_gateway, balancer)),
        None if chain.binding.spec.api_gateway.is_some() => {
            Node::new("API gateway", State::Unknown)
                .note("not decided yet")
                .with(balancer)
        }
        None => balancer,
    }
}

fn urls(status: &GatewayBindingStatus) -> Node {
    if status.urls.is_empty() {
        let note = "the group has no name that callers could use: set testDomain in the class";
        return Node::new("no URL", State::Unknown).note(note);
    }
    Node::new(status.urls.join(", "), State::Good)
}

fn group(status: &GatewayBindingStatus, at: &ApiGatewayStatus, balancer: Node) -> Node {
    let what = format!(
        "API group {} of API gateway {} ({:?})",
        at.group, at.gateway, at.type_
    );
    let mut node = there(what, at.group_id.as_deref());
    let routes = at.routes.iter();
    let apis = routes.flat_map(|route| route.apis.iter().map(move |api| (&route.name, api)));
    for (route, published) in apis {
        node = node.with(api(status, route, published));
    }
    if node.children.is_empty() {
        node = node.with(Node::new("API", State::Bad).note("none is there yet"));
    }
    for policy in of_kind(status, "Policy") {
        let what = format!("throttling policy {}", last(&policy.key));
        node = node.with(there(what, policy.id.as_deref()));
    }
    let backend = of_kind(status, "Backend").next();
    let authorization = match backend {
        // The cloud knows it by its name; it is claimed before it is there.
        Some(entry) => there(
            format!("VPC authorization {}", last(&entry.key)),
            entry.id.as_deref(),
        ),
        None => Node::new("VPC authorization", State::Bad).note("not there yet"),
    };
    node.with(authorization.with(balancer))
}

/// An API, where it is published, and who may call it.
fn api(status: &GatewayBindingStatus, route: &str, published: &PublishedApi) -> Node {
    let PublishedApi {
        method,
        id,
        environment,
    } = published;
    let what = format!("API {method} of route {route}, environment {environment:?}");
    let mut node = Node::new(what, State::Good).id(Some(id));
    let entry = of_kind(status, "API").find(|entry| entry.id.as_ref() == Some(id));
    let Some(name) = entry.and_then(|entry| entry.key.strip_prefix("classic/API/")) else {
        return node;
    };
    let within = format!("{name}/{environment:?}");
    let has = |kind: &str| {
        let key = format!("classic/{kind}/{within}");
        status.ledger.iter().any(|entry| entry.key == key)
    };
    if !has("Deployment") {
        node.state = State::Bad;
        node = node.note("not published");
    } else if has("Attachment") {
        node = node.note("published, throttled");
    } else {
        node = node.note("published");
    }
    let prefix = format!("classic/Grant/{within}/");
    for grant in of_kind(status, "Grant") {
        if let Some(consumer) = grant.key.strip_prefix(&prefix) {
            let what = format!("GatewayConsumer {consumer} may call it");
            node = node.with(Node::new(what, State::Good));
        }
    }
    node
}

fn load_balancer(status: &GatewayBindingStatus) -> Node {
    let Some(balancer) = &status.load_balancer else {
        return Node::new("load balancer", State::Unknown).note("no gateway is decided yet");
    };
    let what = match &balancer.address {
        Some(address) => format!("load balancer (SLB) {address}"),
        None => "load balancer (SLB)".to_owned(),
    };
    there(what, balancer.id.as_deref())
}

/// Something that is there once its id is known.
fn there(what: String, id: Option<&str>) -> Node {
    match id {
        Some(_) => Node::new(what, State::Good).id(id),
        None => Node::new(what, State::Bad).note("not there yet"),
    }
}

fn of_kind<'a>(
    status: &'a GatewayBindingStatus,
    kind: &'a str,
) -> impl Iterator<Item = &'a LedgerEntry> {
    status.ledger.iter().filter(move |entry| entry.kind == kind)
}

fn last(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}
