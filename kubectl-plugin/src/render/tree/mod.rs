//! The way of a request, from the URL down to the pods.

mod cloud;
pub(crate) mod cluster;

use crds::GatewayBinding;
use k8s_openapi::api::core::v1::{Pod, Service};
use serde::Serialize;
use serde_json::Value;

use crate::object::Object;

/// Everything that stands on the way, as far as it could be read.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) binding: GatewayBinding,
    /// The Service of the gateway.
    pub(crate) gateway: Sought<Service>,
    /// How many ready endpoints that Service has.
    pub(crate) gateway_endpoints: Sought<usize>,
    pub(crate) target: Target,
}

/// The service that is exposed.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Knative {
        service: Sought<Value>,
        route: Sought<Value>,
        /// Those that the route sends requests to, with their pods.
        revisions: Vec<(Sought<Value>, Sought<Vec<Pod>>)>,
    },
    Plain {
        service: Sought<Box<Service>>,
        pods: Sought<Vec<Pod>>,
    },
}

/// Something that was looked for.
#[derive(Clone, Debug)]
pub(crate) enum Sought<T> {
    There(T),
    Missing,
    /// It could not be read, and why.
    Unread(String),
    /// Nobody can tell yet what to look for.
    Unnamed,
}

/// One thing on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Node {
    /// What it is, and its name.
    pub(crate) what: String,
    /// Its id in the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Self>,
}

/// Whether a request gets past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum State {
    Good,
    Bad,
    Unknown,
}

impl Node {
    fn new(what: impl Into<String>, state: State) -> Self {
        Self {
            what: what.into(),
            id: None,
            state,
            note: None,
            children: Vec::new(),
        }
    }

    fn id(mut self, id: Option<&str>) -> Self {
        self.id = id.map(str::to_owned);
        self
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into()).filter(|note| !note.is_empty());
        self
    }

    fn with(mut self, child: impl Into<Option<Self>>) -> Self {
        self.children.extend(child.into());
        self
    }
}

/// The way of a request to the binding's service.
pub(crate) fn tree(chain: &Chain) -> Node {
    let object = Object::Binding(Box::new(chain.binding.clone()));
    let standing = object.standing();
    let state = match standing.ready.as_str() {
        "True" => State::Good,
        "False" => State::Bad,
        _ => State::Unknown,
    };
    let mut root = Node::new(object.title(), state);
    if state != State::Good {
        let reason = standing.reason.unwrap_or_default();
        root = root.note(format!("{reason}: {}", standing.message));
    }
    root.with(cloud::below(chain, cluster::below(chain)))
}

/// The tree for people.
pub(crate) fn text(root: &Node) -> String {
    let mut out = String::new();
    write(&mut out, root, "", "");
    out
}

fn write(out: &mut String, node: &Node, first: &str, rest: &str) {
    let sign = match node.state {
        State::Good => '✓',
        State::Bad => '✗',
        State::Unknown => '?',
    };
    let id = node.id.as_ref().map(|id| format!("  [{id}]"));
    let note = node.note.as_ref().map(|note| format!("  {note}"));
    let (id, note) = (id.unwrap_or_default(), note.unwrap_or_default());
    out.push_str(&format!("{first}{sign} {}{id}{note}\n", node.what));
    let last = node.children.len().saturating_sub(1);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, below) = if index == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        write(
            out,
            child,
            &format!("{rest}{branch}"),
            &format!("{rest}{below}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Machine;
    use crate::render::machine;
    use crate::testing;

    #[test]
    fn a_request_finds_its_way() {
        let tree = tree(&testing::chain());
        insta::assert_snapshot!("tree", text(&tree));
        let json = machine("Tree", &tree, Machine::Json).unwrap();
        insta::assert_snapshot!("tree-json", json);
    }

    #[test]
    fn what_is_missing_stands_where_it_is_missed() {
        let mut chain = testing::chain();
        chain.binding = testing::broken();
        chain.gateway = Sought::Missing;
        chain.gateway_endpoints = Sought::Unread("you may not list endpointslices".to_owned());
        if let Target::Knative {
            service,
            route,
            revisions,
        } = &mut chain.target
        {
            (*service, *route) = (Sought::Missing, Sought::Missing);
            revisions.clear();
        }
        insta::assert_snapshot!("tree-broken", text(&tree(&chain)));
    }

    #[test]
    fn nothing_is_known_of_what_nobody_looked_at() {
        let mut chain = testing::chain();
        chain.binding = testing::unobserved();
        (chain.gateway, chain.gateway_endpoints) = (Sought::Unnamed, Sought::Unnamed);
        insta::assert_snapshot!("tree-unobserved", text(&tree(&chain)));
    }

    #[test]
    fn a_service_that_is_its_own_gateway_stands_once() {
        insta::assert_snapshot!("tree-plain", text(&tree(&testing::plain_chain())));
    }
}
