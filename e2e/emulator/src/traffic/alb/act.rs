//! What the actions of a rule make of a request.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use std::net::IpAddr;

use super::{PLACE_HEADER, choose, own};
use crate::alb::{Listener, Rule, Step, Tuple};
use crate::traffic::Runtime;
use crate::traffic::incoming::Incoming;
use crate::traffic::runtime::Limit;
use crate::world::World;

/// What becomes of a request.
pub(super) enum Outcome {
    /// The load balancer answers.
    Answer(Response),
    /// A server does.
    Forward(Box<Outgoing>),
}

/// A request to a server.
pub(super) struct Outgoing {
    pub(super) servers: Vec<(IpAddr, u16)>,
    pub(super) method: Method,
    pub(super) path_and_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request on its way through the actions.
struct Passing {
    host: String,
    path: String,
    query: String,
    headers: HeaderMap,
}

/// Carries out the actions of a rule, or the listener's own where none fits.
pub(super) fn carry_out(
    world: &World,
    runtime: &Runtime,
    listener: &Listener,
    rule: Option<&Rule>,
    incoming: &Incoming,
    now: Timestamp,
) -> Outcome {
    let mut passing = Passing::new(incoming);
    let Some(rule) = rule else {
        return forward(
            world,
            runtime,
            &listener.id,
            &listener.default_actions,
            passing,
            incoming,
        );
    };
    let mut actions: Vec<_> = rule.actions.iter().collect();
    actions.sort_by_key(|action| action.order);
    for action in actions {
        match &action.step {
            Step::TrafficLimit { qps, per_ip_qps } => {
                if !admitted(runtime, &rule.id, [*qps, *per_ip_qps], incoming, now) {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    return Outcome::Answer(own(
                        status,
                        "the traffic limit of the rule is reached",
                    ));
                }
            }
            Step::InsertHeader {
                key,
                value,
                value_type,
            } => passing.insert(key, &inserted(listener, incoming, value, value_type)),
            Step::RemoveHeader { key } => {
                passing.headers.remove(key.as_str());
            }
            Step::Rewrite { host, path, query } => passing.rewrite(host, path, query),
            Step::FixedResponse {
                content,
                content_type,
                http_code,
            } => return Outcome::Answer(fixed(content, content_type, http_code)),
            Step::Redirect { http_code, .. } => {
                let place = location(&action.step, listener, &passing);
                return Outcome::Answer(redirect(&place, http_code));
            }
            Step::ForwardGroup { tuples, .. } => {
                return forward(world, runtime, &rule.id, tuples, passing, incoming);
            }
            // Not played.
            Step::TrafficMirror { .. } | Step::Cors { .. } => {}
        }
    }
    Outcome::Answer(own(
        StatusCode::BAD_GATEWAY,
        "the rule does nothing with requests",
    ))
}

impl Passing {
    fn new(incoming: &Incoming) -> Self {
        let mut headers = incoming.headers.clone();
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        headers.remove(PLACE_HEADER);
        let client = incoming.client.to_string();
        let before = incoming.header("x-forwarded-for");
        let forwarded = match before {
            "" => client,
            before => format!("{before}, {client}"),
        };
        if let Ok(value) = HeaderValue::from_str(&forwarded) {
            headers.insert("x-forwarded-for", value);
        }
        Self {
            host: incoming.host_header.clone(),
            path: incoming.path.clone(),
            query: incoming.query.clone(),
            headers,
        }
    }

    fn insert(&mut self, key: &str, value: &str) {
        let name = HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }

    fn rewrite(&mut self, host: &str, path: &str, query: &str) {
        let put = |text: &str| {
            text.replace("${host}", &self.host)
                .replace("${path}", &self.path)
                .replace("${query}", &self.query)
        };
        (self.host, self.path, self.query) = (put(host), put(path), put(query));
    }

    fn path_and_query(&self) -> String {
        match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// Counts a request against the limits of a rule.
fn admitted(
    runtime: &Runtime,
    rule_id: &str,
    [all, one]: [Option<i64>; 2],
    incoming: &Incoming,
    now: Timestamp,
) -> bool {
    let limit = |key: String, most: i64| Limit {
        key,
        seconds: 1,
        most,
        what: "rule",
    };
    let all = all.map(|most| limit(format!("{rule_id}/all"), most));
    let one = one.map(|most| limit(format!("{rule_id}/{}", incoming.client), most));
    let limits: Vec<Limit> = all.into_iter().chain(one).collect();
    runtime.take(&limits, now).is_ok()
}

fn inserted(listener: &Listener, incoming: &Incoming, value: &str, value_type: &str) -> String {
    match (value_type, value) {
        ("ReferenceHeader", name) => incoming.header(name).to_owned(),
        ("SystemDefined", "ClientSrcIp") => incoming.client.to_string(),
        ("SystemDefined", "Protocol") => if incoming.secure { "HTTPS" } else { "HTTP" }.to_owned(),
        ("SystemDefined", "SLBId") => listener.load_balancer_id.clone(),
        ("SystemDefined", "SLBPort") => listener.port.to_string(),
        ("SystemDefined", _) => String::new(),
        _ => value.to_owned(),
    }
}

fn fixed(content: &str, content_type: &str, http_code: &str) -> Response {
    let mut response = Response::new(Body::from(content.to_owned()));
    *response.status_mut() = status(http_code);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, value);
    }
    response
}

fn redirect(place: &str, http_code: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status(http_code);
    if let Ok(value) = HeaderValue::from_str(place) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn status(code: &str) -> StatusCode {
    let code = StatusCode::from_bytes(code.as_bytes());
    code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Where a redirect leads to.
fn location(step: &Step, listener: &Listener, passing: &Passing) -> String {
    let Step::Redirect {
        host,
        path,
        port,
        protocol,
        query,
        ..
    } = step
    else {
        return String::new();
    };
    let (name, own_port) = (passing.host.split(':').next(), listener.port.to_string());
    let put = |text: &str| {
        text.replace("${host}", name.unwrap_or_default())
            .replace("${path}", &passing.path)
            .replace("${query}", &passing.query)
            .replace("${port}", &own_port)
            .replace("${protocol}", &listener.protocol)
    };
    let scheme = put(protocol).to_ascii_lowercase();
    let port = match (scheme.as_str(), put(port).as_str()) {
        ("http", "80") | ("https", "443") => String::new(),
        (_, port) => format!(":{port}"),
    };
    let query = match put(query).as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    format!("{scheme}://{}{port}{}{query}", put(host), put(path))
}

fn forward(
    world: &World,
    runtime: &Runtime,
    key: &str,
    tuples: &[Tuple],
    mut passing: Passing,
    incoming: &Incoming,
) -> Outcome {
    let unavailable = |reason| Outcome::Answer(own(StatusCode::SERVICE_UNAVAILABLE, reason));
    let Some(group) = choose::group(runtime, key, tuples) else {
        return unavailable("no server group has a weight");
    };
    let servers = choose::servers(&world.alb, runtime, group);
    if servers.is_empty() {
        return unavailable("no server in the server group");
    }
    if let Ok(host) = HeaderValue::from_str(&passing.host) {
        passing.headers.insert(HOST, host);
    }
    Outcome::Forward(Box::new(Outgoing {
        servers,
        method: incoming.method.clone(),
        path_and_query: passing.path_and_query(),
        headers: passing.headers,
        body: incoming.body.clone(),
    }))
}
