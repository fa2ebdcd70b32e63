//! A step in plain words.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{
    ApiAuth, ApiKeyLocation, ApiSpec, BackendSpec, Environment, GroupSpec, Path, PolicyRules,
    PolicySpec, Protocol, Throttling, Window,
};
use jiff::Timestamp;
use serde_json::Value;

use super::planned::Planned;
use crate::core::desired::ServiceShape;
use crate::core::diff::FieldChange;
use crate::core::exposure::method_str;
use crate::core::foresee::{LATER, known_later, waits_for};
use crate::core::key::{ApiKey, ObjectKey, id_of};
use crate::core::plan::{Operation, Step};

/// A step in plain words.
pub(super) struct Explained {
    /// What it concerns.
    pub(super) object: String,
    /// What is done and what for.
    pub(super) detail: String,
    /// What will be set, by a word for it.
    pub(super) rows: Vec<(&'static str, String)>,
}

/// Says what a step of a plan is about.
pub(super) fn explain(step: &Step, planned: &Planned) -> Explained {
    let mut rows = match &step.operation {
        Operation::CreateService { shape, annotations } => service(shape, annotations, planned),
        Operation::CreateGroup(spec) => group(spec),
        Operation::CreateBackend(spec) => backend(spec),
        Operation::CreateApi(spec) => api(spec),
        Operation::CreatePolicy(spec) => policy(spec),
        Operation::Attach { policy } => vec![("policy", id(policy).to_owned())],
        Operation::Grant { until, .. } | Operation::Regrant { until, .. } => {
            vec![("until", end(*until))]
        }
        _ => Vec::new(),
    };
    rows.extend(
        step.changes
            .iter()
            .map(|change| ("change", changed(change))),
    );
    Explained {
        object: object(&step.key),
        detail: detail(step),
        rows,
    }
}

/// What a key names, in words.
pub(super) fn object(key: &ObjectKey) -> String {
    let api_in = |api: &ApiKey| format!("API {} of group {}", id(&api.name), id(&api.group));
    match key {
        ObjectKey::Service { namespace, name } => format!("Service {namespace}/{name}"),
        ObjectKey::Group { name } => format!("API group {}", id(name)),
        ObjectKey::Backend { name } => format!("VPC authorization {}", id(name)),
        ObjectKey::Policy { name } => format!("throttling policy {}", id(name)),
        ObjectKey::Api(api) => api_in(api),
        ObjectKey::Deployment { api, environment } => {
            format!("publication of {} in {}", id(&api.name), word(*environment))
        }
        ObjectKey::Attachment { api, environment } => {
            format!("throttling of {} in {}", id(&api.name), word(*environment))
        }
        ObjectKey::Grant {
            api,
            environment,
            consumer,
        } => format!(
            "permission of consumer {consumer} for {} in {}",
            id(&api.name),
            word(*environment)
        ),
    }
}

/// A name, or the id of what is adopted by it.
fn id(name: &str) -> &str {
    id_of(name).unwrap_or(name)
}

fn detail(step: &Step) -> String {
    let text = match &step.operation {
        Operation::CreateService { .. } => {
            "Makes a Service of type LoadBalancer; the cloud controller manager makes the load balancer for it."
        }
        Operation::ApplyService { .. } => {
            "Sets what the load balancer of this Service is to be; the cloud controller manager carries it out."
        }
        Operation::ReleaseService { .. } => {
            "Puts the annotations back to what they were; the Service stays."
        }
        Operation::DeleteService { .. } => "Deletes the Service, which this operator made.",
        Operation::CreateGroup(_) => "Makes the group that the APIs live in.",
        Operation::UpdateGroup(_) => "Changes the group that the APIs live in.",
        Operation::DeleteGroup => "Deletes the group, which is empty and which nobody else uses.",
        Operation::CreateBackend(_) => "Lets the API gateway reach the load balancer in its VPC.",
        Operation::UpdateBackend(_) => "Points the API gateway to another load balancer or port.",
        Operation::DeleteBackend(_) => "Takes the way to the load balancer away again.",
        Operation::CreateApi(_) => "Defines the API. Nobody can call it before it is published.",
        Operation::UpdateApi(_) => {
            "Changes the definition. What runs stays as it is until it is published again."
        }
        Operation::AmendApi(_) => {
            "Changes the definition where it says something else; the rest stays. What runs stays as it is until it is published again."
        }
        Operation::DeleteApi => "Deletes the definition.",
        Operation::Deploy { .. } => "Publishes the API: from now on it answers.",
        Operation::Redeploy { .. } => {
            "Publishes the changed definition in place of the running one."
        }
        Operation::Undeploy => "Takes the API offline.",
        Operation::CreatePolicy(_) => {
            "Makes the limits. They act once they are attached to an API."
        }
        Operation::UpdatePolicy(_) => "Changes the limits wherever they are attached.",
        Operation::DeletePolicy => "Deletes the limits, which nothing uses any more.",
        Operation::Attach { .. } => "Puts the limits into effect.",
        Operation::Detach { .. } => "Takes the limits off.",
        Operation::Grant { .. } => "Lets the consumer call the API.",
        Operation::Regrant { .. } => "Moves the end of the consumer's permission.",
        Operation::Revoke { .. } => "Takes the consumer's permission away.",
    };
    text.to_owned()
}

fn service(
    shape: &ServiceShape,
    annotations: &BTreeMap<String, String>,
    planned: &Planned,
) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(source) = &planned.copied_from {
        rows.push(("copied from", format!("Service {source}")));
    }
    if planned.shape_is_known {
        let selector: Vec<String> = shape
            .selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        rows.push(("selector", selector.join(", ")));
        let ports: Vec<String> = shape
            .ports
            .iter()
            .map(|port| match &port.name {
                Some(name) => format!("{} ({name})", port.port),
                None => port.port.to_string(),
            })
            .collect();
        rows.push(("ports", ports.join(", ")));
    } else {
        rows.push(("selector", LATER.to_owned()));
        rows.push(("ports", LATER.to_owned()));
    }
    let annotations = annotations
        .iter()
        .map(|(key, value)| ("annotation", format!("{key}: {value}")));
    rows.extend(annotations);
    rows
}

fn group(spec: &GroupSpec) -> Vec<(&'static str, String)> {
    let instance = spec.instance.as_deref().unwrap_or("the shared one");
    let domain = if spec.test_domain {
        "answers, for tests: 1,000 calls a day"
    } else {
        "does not answer"
    };
    vec![
        ("instance", instance.to_owned()),
        ("public name", domain.to_owned()),
        ("description", spec.description.clone()),
    ]
}

fn backend(spec: &BackendSpec) -> Vec<(&'static str, String)> {
    vec![
        (
            "load balancer",
            known_later(&spec.load_balancer_id).to_owned(),
        ),
        ("VPC", known_later(&spec.vpc_id).to_owned()),
        ("port", spec.port.to_string()),
    ]
}

fn api(spec: &ApiSpec) -> Vec<(&'static str, String)> {
    let method = match method_str(spec.method) {
        "ANY" => "any",
        method => method,
    };
    let protocols: Vec<&str> = spec
        .protocols
        .iter()
        .map(|protocol| match protocol {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
        })
        .collect();
    let path = match &spec.path {
        Path::Exact(path) => format!("{path} → {}", spec.backend.path),
        Path::Prefix(prefix) => format!("{prefix} and below → {}", spec.backend.path),
    };
    let host = spec.backend.host.as_deref();
    vec![
        ("methods", method.to_owned()),
        ("protocols", protocols.join(", ")),
        ("path", path),
        (
            "Host",
            host.unwrap_or("as the API gateway sets it").to_owned(),
        ),
        (
            "backend",
            format!("VPC authorization {}", id(spec.backend.name.as_str())),
        ),
        ("timeout", milliseconds(spec.backend.timeout_ms)),
        ("callers", callers(&spec.auth)),
    ]
}

fn milliseconds(milliseconds: u32) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{} s", milliseconds / 1000)
    } else {
        format!("{milliseconds} ms")
    }
}

fn callers(auth: &ApiAuth) -> String {
    match auth {
        ApiAuth::Anonymous => "everybody, without a credential".to_owned(),
        ApiAuth::Consumer { api_key, signature } => {
            let places: Vec<&str> = api_key
                .iter()
                .map(|location| match location {
                    ApiKeyLocation::Header => "header",
                    ApiKeyLocation::Query => "query",
                })
                .collect();
            let mut ways = Vec::new();
            if !places.is_empty() {
                ways.push(format!("an API key in {}", places.join(" or ")));
            }
            if *signature {
                ways.push("a signed request".to_owned());
            }
            format!("consumers with permission, by {}", ways.join(", or by "))
        }
    }
}

fn policy(spec: &PolicySpec) -> Vec<(&'static str, String)> {
    match &spec.rules {
        PolicyRules::Throttling(limits) => throttling(limits),
        PolicyRules::Other { kind, .. } => vec![("kind", kind.clone())],
    }
}

fn throttling(limits: &Throttling) -> Vec<(&'static str, String)> {
    let per = match limits.window {
        Window::Second => "a second",
        Window::Minute => "a minute",
        Window::Hour => "an hour",
        Window::Day => "a day",
    };
    let row = |whose: &str, requests: u64| ("limit", format!("{whose}: {requests} requests {per}"));
    let mut rows = vec![row("all callers together", limits.api)];
    rows.extend(
        limits
            .account
            .map(|requests| row("all consumers of one cloud account", requests)),
    );
    rows.extend(
        limits
            .consumer
            .map(|requests| row("each consumer", requests)),
    );
    for (consumer, requests) in &limits.consumers {
        rows.push(row(waits_for(consumer.as_str()), *requests));
    }
    rows
}

fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "no end".to_owned(), |until| until.to_string())
}

fn word(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "Test",
        Environment::Pre => "Pre",
        Environment::Release => "Release",
    }
}

fn changed(change: &FieldChange) -> String {
    let text = |value: &Option<Value>| match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    format!(
        "{}: {} → {}",
        change.path,
        text(&change.from),
        text(&change.to)
    )
}
