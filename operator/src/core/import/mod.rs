//! From what somebody made with kubectl and in the cloud console to manifests that adopt it as it is.
//! What they cannot say is told, one by one.

mod apis;
mod callers;
mod gateways;
mod label;
mod limits;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{ConsumerId, Group, Inventory};
use crds::v1alpha1::{Adoptable, CredentialKind};
use serde_json::{Value, json};

use self::apis::Part;
use self::callers::Callers;
use self::label::Labels;
pub use self::service::{AnnotatedService, of_service};

/// Name of the API gateway in the class.
const API_GATEWAY: &str = "main";

/// What there is.
pub struct Seen<'a> {
    /// Name that the class is to have.
    pub class: &'a str,
    /// Id of the account.
    pub account: &'a str,
    /// Id of the region.
    pub region: &'a str,
    /// Id of the cluster.
    pub cluster: &'a str,
    /// The group whose APIs are imported.
    pub group: &'a Group,
    /// What the account has in the region, with the definitions of the group's APIs, the permissions
    /// of all apps, and where every plugin acts.
    pub inventory: &'a Inventory,
    /// Services that have a load balancer.
    pub services: &'a [GatewayService],
    /// Hosts of Knative Services, and their namespaces and names.
    pub hosts: &'a BTreeMap<String, (String, String)>,
    /// Which kinds of credentials an app has, and how many of each.
    pub credentials: &'a BTreeMap<ConsumerId, BTreeMap<CredentialKind, usize>>,
}

/// A Service of type LoadBalancer.
#[derive(Clone, Debug)]
pub struct GatewayService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Id of its load balancer.
    pub load_balancer: String,
    /// `internet` or `intranet`, as the cloud says it of the load balancer; none: it has none.
    pub address_type: Option<String>,
}

/// Manifests, and what they do not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// In the order in which they are applied.
    pub manifests: Vec<Manifest>,
    /// What is there and stands in no manifest. It stays as it is.
    pub left: Vec<String>,
}

/// A manifest, and what a reader should know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Notes, a sentence or two each.
    pub notes: Vec<String>,
    /// The object.
    pub object: Value,
}

/// One binding: the APIs of one service that say the same in everything but the route.
struct Exposure<'a> {
    namespace: &'a str,
    name: String,
    parts: Vec<&'a Part<'a>>,
}

/// Class, consumers and bindings that adopt a group.
pub fn import(seen: &Seen<'_>) -> Import {
    let mut left = Vec::new();
    let parts = apis::parts(seen, &mut left);
    if parts.is_empty() {
        return Import {
            manifests: Vec::new(),
            left,
        };
    }
    let exposures = exposures(&parts);
    let callers = Callers::of(seen, &exposures, &mut left);
    limits::others(seen, &parts, &mut left);
    let mut manifests = vec![class(seen, &parts, &callers)];
    manifests.extend(callers.manifests(seen));
    let bindings = exposures
        .iter()
        .map(|exposure| binding(seen, exposure, &exposures, &callers, &parts));
    manifests.extend(bindings);
    Import { manifests, left }
}

fn exposures<'a>(parts: &'a [Part<'a>]) -> Vec<Exposure<'a>> {
    let mut sorted: BTreeMap<_, Vec<&Part<'_>>> = BTreeMap::new();
    for part in parts {
        sorted.entry(part.alike()).or_default().push(part);
    }
    let mut names: BTreeMap<&str, Labels> = BTreeMap::new();
    let parts = sorted.into_values();
    let exposures = parts.filter_map(|parts| {
        let (namespace, service) = parts.first()?.service;
        let names = names.entry(namespace).or_default();
        Some(Exposure {
            namespace,
            name: names.take(service, 63, "api"),
            parts,
        })
    });
    exposures.collect()
}

fn class(seen: &Seen<'_>, parts: &[Part<'_>], callers: &Callers<'_>) -> Manifest {
    let gateways = gateways::gateways(parts);
    let mut notes = vec![format!(
        "Adopts API group \"{}\" of account {} in {}, and everything that follows. The operator never deletes what it adopts.",
        seen.group.spec.name, seen.account, seen.region
    )];
    notes.push("cloud.credentials says where the operator itself gets its credentials; Environment stands for the variables that this command used.".to_owned());
    notes.extend(gateways.iter().flat_map(|gateway| gateway.notes.clone()));
    let mut adoptable = BTreeSet::from([Adoptable::API]);
    if parts.iter().any(|part| part.policy.is_some()) {
        adoptable.insert(Adoptable::Policy);
    }
    if !callers.is_empty() {
        adoptable.insert(Adoptable::Consumer);
    }
    let group = Labels::default().take(&seen.group.spec.name, 50, "group");
    let group = if group.len() < 4 || group.starts_with(|first: char| first.is_ascii_digit()) {
        format!("api-{}", group.chars().take(46).collect::<String>())
    } else {
        group
    };
    let mut defaults = json!({"apiGateway": {"gateway": API_GATEWAY, "group": &group}});
    if let [gateway] = gateways.as_slice() {
        defaults["gateway"] = json!(gateway.name);
    }
    let of = |what: fn(&gateways::Gateway) -> &Value| gateways.iter().map(what).collect::<Vec<_>>();
    let object = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1",
        "kind": "GatewayBindingClass",
        "metadata": {"name": seen.class},
        "spec": {
            "cloud": {
                "accountId": seen.account,
                "regionId": seen.region,
                "clusterId": seen.cluster,
                "credentials": {"type": "Environment"},
            },
            "defaults": defaults,
            "gateways": of(|gateway| &gateway.entry),
            "apiGateways": [{
                "name": API_GATEWAY,
                "type": "Classic",
                "groups": [{"name": &group, "existing": {"id": seen.group.id}}],
                "backends": of(|gateway| &gateway.backend),
            }],
            "adoptable": adoptable,
        },
    });
    Manifest { notes, object }
}

fn binding(
    seen: &Seen<'_>,
    exposure: &Exposure<'_>,
    all: &[Exposure<'_>],
    callers: &Callers<'_>,
    parts: &[Part<'_>],
) -> Manifest {
    let mut notes = Vec::new();
    let mut gateway = apis::api_gateway(&exposure.parts, &mut notes);
    gateway["auth"] = callers.auth(exposure, &mut notes);
    if let Some(throttling) = limits::throttling(seen, exposure, all, callers, &mut notes) {
        gateway["throttling"] = throttling;
    }
    let mut spec = json!({
        "className": seen.class,
        "serviceRef": {"kind": "KnativeService", "name": exposure.service()},
        "apiGateway": gateway,
    });
    if gateways::gateways(parts).len() > 1
        && let Some(part) = exposure.parts.first()
    {
        spec["gateway"] = json!(gateways::name(part.gateway));
    }
    let object = json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1",
        "kind": "GatewayBinding",
        "metadata": {"name": exposure.name, "namespace": exposure.namespace},
        "spec": spec,
    });
    Manifest { notes, object }
}

impl Exposure<'_> {
    fn service(&self) -> &str {
        self.parts.first().map_or("", |part| part.service.1)
    }
}
