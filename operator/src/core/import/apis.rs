//! APIs as routes of bindings.

use std::collections::BTreeMap;

use cloud_adapter::gateway::classic::fate;
use cloud_adapter::gateway::model::{
    Api, ApiAuth, ApiSpec, Backend, ConsumerId, Environment, Kind, Method, Path, Policy,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::label::Labels;
use super::{GatewayService, Seen};
use crate::core::adoption::lost;
use crate::core::observed::Lookup;

/// Requests for Knative Services enter through this port.
const HTTP: u16 = 80;
/// A list of callers holds that many.
const CALLERS: usize = 100;

/// Who may call, and until when.
pub(super) type Permissions<'a> = BTreeMap<&'a ConsumerId, Option<Timestamp>>;

/// An API that a route can adopt.
pub(super) struct Part<'a> {
    pub(super) api: &'a Api,
    pub(super) spec: &'a ApiSpec,
    /// Namespace and name of the Knative Service.
    pub(super) service: (&'a str, &'a str),
    pub(super) gateway: &'a GatewayService,
    pub(super) backend: &'a Backend,
    pub(super) environments: Vec<Environment>,
    /// In each of the environments.
    pub(super) permissions: Permissions<'a>,
    /// In each of the environments.
    pub(super) policy: Option<&'a Policy>,
}

impl Part<'_> {
    /// What APIs of one binding have in common.
    pub(super) fn alike(&self) -> impl Ord + use<> {
        let callers = self.permissions.iter();
        let callers: Vec<(String, Option<Timestamp>)> =
            callers.map(|(id, until)| (id.0.clone(), *until)).collect();
        (
            (self.service.0.to_owned(), self.service.1.to_owned()),
            self.backend.id.clone(),
            format!("{:?}", self.spec.auth),
            self.environments.clone(),
            self.policy.map(|policy| policy.id.0.clone()),
            callers,
        )
    }
}

/// The APIs of the group that can be adopted. Why the others cannot goes into `left`.
pub(super) fn parts<'a>(seen: &Seen<'a>, left: &mut Vec<String>) -> Vec<Part<'a>> {
    let apis = seen.inventory.apis.of_group(&seen.group.id);
    let parts = apis.filter_map(|api| match part(seen, api) {
        Ok(part) => Some(part),
        Err(why) => {
            left.push(format!("API \"{}\" ({}): {why}", api.name, api.id));
            None
        }
    });
    parts.collect()
}

fn part<'a>(seen: &Seen<'a>, api: &'a Api) -> Result<Part<'a>, String> {
    if let Some(marker) = &api.marker {
        return Err(format!("an operator made it for {}.", marker.owner));
    }
    let unreadable = &seen.inventory.unreadable;
    if let Some(why) = unreadable.get(&(Kind::Apis, api.id.0.clone())) {
        return Err(format!("what the cloud says of it cannot be read ({why})."));
    }
    let Some(spec) = api.spec.as_deref() else {
        return Err("its definition could not be read.".to_owned());
    };
    let backend = backend(seen, spec)?;
    let balancer = &backend.spec.load_balancer_id;
    let mut services = seen.services.iter();
    let gateway = services.find(|service| service.load_balancer == *balancer);
    let gateway = gateway.ok_or_else(|| {
        format!(
            "VPC authorization \"{}\" leads to {balancer}, which is the load balancer of no Service of the cluster.",
            backend.spec.name
        )
    })?;
    let host = spec.backend.host.as_ref();
    let host = host.ok_or("it sends no constant Host, which a Knative Service is found by.")?;
    let service = seen.hosts.get(host);
    let (namespace, name) =
        service.ok_or_else(|| format!("no Knative Service that is ready has its Host {host}."))?;
    let environments: Vec<Environment> = api.deployments.keys().copied().collect();
    if environments.is_empty() {
        return Err("it is not published anywhere, and a binding would publish it.".to_owned());
    }
    Ok(Part {
        permissions: permissions(seen, api, spec, &environments)?,
        policy: policy(seen, api, &environments)?,
        api,
        spec,
        service: (namespace.as_str(), name.as_str()),
        gateway,
        backend,
        environments,
    })
}

fn backend<'a>(seen: &Seen<'a>, spec: &ApiSpec) -> Result<&'a Backend, String> {
    let name = &spec.backend.name;
    let backend = seen.inventory.backends.get(name).ok_or_else(|| {
        "it sends requests elsewhere than through a VPC authorization.".to_owned()
    })?;
    if let Some(marker) = &backend.marker {
        return Err(format!(
            "an operator made its VPC authorization \"{name}\" for {}.",
            marker.owner
        ));
    }
    if let Some(host) = &backend.spec.host_override {
        return Err(format!(
            "its VPC authorization \"{name}\" sends every request with Host \"{host}\"."
        ));
    }
    if backend.spec.port != HTTP {
        return Err(format!(
            "its VPC authorization \"{name}\" leads to port {}; requests for Knative Services enter through {HTTP}.",
            backend.spec.port
        ));
    }
    Ok(backend)
}

/// The same in all environments: a binding has one list for all of them.
fn same<T: PartialEq>(mut each: impl Iterator<Item = T>, what: &str) -> Result<T, String> {
    let first = each.next();
    let first = first.ok_or("it is not published anywhere.")?;
    if each.any(|other| other != first) {
        return Err(format!(
            "its {what} differ between the environments that it is published in, and a binding has the same in all of them."
        ));
    }
    Ok(first)
}

fn permissions<'a>(
    seen: &Seen<'a>,
    api: &Api,
    spec: &ApiSpec,
    environments: &[Environment],
) -> Result<Permissions<'a>, String> {
    if spec.auth == ApiAuth::Anonymous {
        return Ok(Permissions::new());
    }
    let inventory = seen.inventory;
    let each = environments.iter().map(|environment| {
        let grants = inventory.grants.iter();
        let grants = grants
            .filter(|(key, _)| key.api == api.id && key.environment == *environment)
            .filter_map(|(key, grant)| {
                let app = inventory.consumers.get(&key.consumer)?;
                let free = app.marker.is_none() && seen.credentials.contains_key(&app.id);
                free.then_some((&app.id, grant.until))
            });
        grants.collect::<Permissions<'a>>()
    });
    let permissions = same(each, "permissions")?;
    if permissions.len() > CALLERS {
        return Err(format!(
            "{} apps may call it, and a binding lists {CALLERS} at the most.",
            permissions.len()
        ));
    }
    Ok(permissions)
}

fn policy<'a>(
    seen: &Seen<'a>,
    api: &Api,
    environments: &[Environment],
) -> Result<Option<&'a Policy>, String> {
    let inventory = seen.inventory;
    let each = environments
        .iter()
        .map(|environment| inventory.throttling_of(&api.id, *environment));
    let policy = same(each, "limits")?.filter(|policy| policy.spec.rules.limits_requests());
    match policy.and_then(|policy| policy.marker.as_ref()) {
        Some(marker) => Err(format!(
            "an operator made the plugin that limits it for {}.",
            marker.owner
        )),
        None => Ok(policy),
    }
}

/// The block `apiGateway`, without who may call and limits.
pub(super) fn api_gateway(parts: &[&Part<'_>], notes: &mut Vec<String>) -> Value {
    let mut names = Labels::default();
    let routes: Vec<Value> = parts
        .iter()
        .map(|part| {
            note_rest(part, notes);
            route(part, names.take(&part.api.name, 32, "api"))
        })
        .collect();
    let mut block = json!({ "routes": routes });
    if let Some(part) = parts.first() {
        if part.environments != [Environment::Release] {
            let named = part.environments.iter();
            let named = named.map(|environment| json!({ "name": environment }));
            block["environments"] = named.collect();
        }
        let seconds = part.spec.backend.timeout_ms / 1000;
        let whole = part.spec.backend.timeout_ms == seconds * 1000 && (1..=30).contains(&seconds);
        if whole && same_in(parts, |spec| spec.backend.timeout_ms) {
            block["backend"] = json!({"timeout": format!("{seconds}s")});
        }
        if same_in(parts, |spec| spec.protocols.clone()) && parts.iter().all(|part| plain(part)) {
            block["protocols"] = json!(part.spec.protocols);
        }
    }
    block
}

fn same_in<T: PartialEq>(parts: &[&Part<'_>], of: impl Fn(&ApiSpec) -> T) -> bool {
    let mut each = parts.iter().map(|part| of(part.spec));
    let first = each.next();
    each.all(|other| Some(&other) == first.as_ref())
}

/// Whether the protocols can be said: others than HTTP and HTTPS stay only if the binding says none.
fn plain(part: &Part<'_>) -> bool {
    let mut settings = part.spec.unmodelled.iter();
    !part.spec.protocols.is_empty()
        && settings.all(|(name, value)| fate(name, value, true) == fate(name, value, false))
}

fn route(part: &Part<'_>, name: String) -> Value {
    let (kind, path) = match &part.spec.path {
        Path::Exact(path) => ("exact", path),
        Path::Prefix(path) => ("prefix", path),
    };
    let mut place = json!({ kind: path });
    if part.spec.backend.path != *path {
        place["replaceWith"] = json!(part.spec.backend.path);
    }
    let mut route = json!({
        "name": name,
        "path": place,
        "existing": {"id": part.api.id},
    });
    if part.spec.method != Method::Any {
        route["methods"] = json!([part.spec.method]);
    }
    route
}

/// What of an API stays and is not said.
fn note_rest(part: &Part<'_>, notes: &mut Vec<String>) {
    let Api { name, id, .. } = part.api;
    if !part.spec.unmodelled.is_empty() {
        let settings: Vec<&str> = part.spec.unmodelled.keys().map(String::as_str).collect();
        notes.push(format!(
            "API \"{name}\" ({id}) has settings that a binding has no field for; they stay as they are: {}.",
            settings.join(", ")
        ));
    }
    let lost = lost(part.spec);
    if !lost.is_empty() {
        notes.push(format!(
            "API \"{name}\" ({id}) cannot be changed by the operator later, since these would be lost: {}.",
            lost.join(", ")
        ));
    }
}
