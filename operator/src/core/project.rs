//! From what was found and done to the status of a binding. Nothing volatile goes in, or the
//! controller would wake itself.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{Environment, Path, Protocol};
use crds::v1alpha1::{
    ApiGatewayStatus, ApiGatewayType, ConditionStatus, ConditionType, ConditionUpdate,
    FieldConflict, GatewayBindingStatus, ListenerStatus, LoadBalancerStatus, LoadBalancerZone,
    NamespacedName, PlanStatus, PublishedApi, Reason, RouteStatus,
};
use jiff::Timestamp;

use super::balancer::LoadBalancer;
use super::conditions::{Standing, judge};
use super::exposure::{Exposure, method_str};
use super::key::{ApiKey, ObjectKey};
use super::ledger::Ledger;
use super::nlb::NlbState;
use super::observed::{ListenerState, LoadBalancerState, ServiceState};
use super::plan::Step;
use super::problem::Problem;
use super::published::omitted;
use super::slb::legacy::masked;
use super::validate::{Gateway, Validated};

/// What a pass over a binding has come to.
pub struct View<'a> {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// For transition times.
    pub now: Timestamp,
    /// The status so far.
    pub previous: Option<&'a GatewayBindingStatus>,
    /// The class, once known.
    pub class: Option<&'a str>,
    /// The binding as it is meant, if it is valid.
    pub validated: Option<&'a Validated>,
    /// What stands in the way.
    pub problems: &'a [Problem],
    /// Steps that are planned and were not done.
    pub open: &'a [Step],
    /// What is wanted and not there, without a step that could bring it yet.
    pub missing: &'a [ObjectKey],
    /// What is published as the plan (`mode: Plan`).
    pub plan: Option<PlanStatus>,
    /// Ids of what is there.
    pub ids: &'a BTreeMap<ObjectKey, String>,
    /// The gateway's Service.
    pub service: Option<&'a ServiceState>,
    /// Its load balancer, as far as it could be read.
    pub load_balancer: Option<&'a LoadBalancer>,
    /// The group's public test name, if it is on.
    pub sub_domain: Option<&'a str>,
    /// Fields that other bindings hold.
    pub conflicts: &'a [FieldConflict],
    /// What is claimed.
    pub ledger: &'a Ledger,
    /// What `Ready` says while it is true.
    pub note: &'a str,
}

/// The new status.
pub fn status(view: &View<'_>) -> GatewayBindingStatus {
    let previous = view.previous.cloned().unwrap_or_default();
    let mut status = GatewayBindingStatus {
        observed_generation: view.generation,
        class_name: view
            .class
            .map(str::to_owned)
            .or_else(|| previous.class_name.clone()),
        ledger: view.ledger.write(),
        conditions: previous.conditions.clone(),
        ..GatewayBindingStatus::default()
    };
    match view.validated {
        Some(validated) => describe(&mut status, validated, view),
        None => {
            status.gateway = previous.gateway;
            status.address = previous.address;
            status.urls = previous.urls;
            status.load_balancer = previous.load_balancer;
            status.api_gateway = previous.api_gateway;
        }
    }
    let shown = view
        .conflicts
        .len()
        .min(GatewayBindingStatus::MAX_CONFLICTS);
    status.conflicts = view.conflicts.iter().take(shown).cloned().collect();
    status.conflicts_omitted = omitted(view.conflicts.len(), shown);
    status.plan.clone_from(&view.plan);
    conditions(&mut status, view);
    status
}

fn describe(status: &mut GatewayBindingStatus, validated: &Validated, view: &View<'_>) {
    if let Some(gateway) = &validated.gateway {
        status.gateway = Some(gateway.name.clone());
        let address = view.service.and_then(|service| service.address.clone());
        status.load_balancer = Some(load_balancer(gateway, view));
        status.address = address;
    }
    if let Some(exposure) = &validated.exposure {
        status.api_gateway = Some(api_gateway(exposure, view.ids));
        status.urls = urls(exposure, view);
        if let Some(url) = status.urls.first() {
            status.address = Some(url.clone());
        }
    }
}

fn load_balancer(gateway: &Gateway, view: &View<'_>) -> LoadBalancerStatus {
    let id = view
        .service
        .and_then(|service| service.load_balancer_id.clone());
    let place = NamespacedName {
        namespace: gateway.service.namespace.clone(),
        name: gateway.service.name.clone(),
    };
    let previous = view
        .previous
        .and_then(|status| status.load_balancer.clone());
    // What could not be read this time is as it was seen last.
    let known = previous.filter(|previous| id.is_some() && previous.id == id);
    let seen = view
        .load_balancer
        .filter(|seen| id.as_deref() == Some(seen.id()))
        .map(described)
        .or(known)
        .unwrap_or_default();
    LoadBalancerStatus {
        id,
        address: view.service.and_then(|service| service.address.clone()),
        service: Some(place),
        warnings: view.service.map(warnings).unwrap_or_default(),
        ..seen
    }
}

fn warnings(service: &ServiceState) -> Vec<String> {
    let all = masked(service, &[]).into_iter();
    all.take(LoadBalancerStatus::MAX_WARNINGS)
        .map(|warning| {
            warning
                .chars()
                .take(LoadBalancerStatus::MAX_WARNING)
                .collect()
        })
        .collect()
}

/// What the cloud says of a load balancer.
fn described(seen: &LoadBalancer) -> LoadBalancerStatus {
    match seen {
        LoadBalancer::Classic(seen) => classic(seen),
        LoadBalancer::Network(seen) => network(seen),
    }
}

fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn classic(seen: &LoadBalancerState) -> LoadBalancerStatus {
    LoadBalancerStatus {
        address_type: said(&seen.address_type),
        vpc_id: said(&seen.vpc_id),
        vswitch_id: said(&seen.vswitch_id),
        primary_zone: said(&seen.primary_zone),
        backup_zone: said(&seen.backup_zone),
        instance_charge: said(&seen.instance_charge),
        spec: said(&seen.spec),
        listeners: listeners(seen.listeners.as_deref()),
        ..LoadBalancerStatus::default()
    }
}

fn network(seen: &NlbState) -> LoadBalancerStatus {
    let zones = seen.zones.iter().map(|zone| LoadBalancerZone {
        zone_id: zone.id.clone(),
        vswitch_id: said(&zone.vswitch_id),
        address: said(&zone.address),
    });
    LoadBalancerStatus {
        address_type: said(&seen.address_type.to_lowercase()),
        vpc_id: said(&seen.vpc_id),
        zones: zones.take(LoadBalancerStatus::MAX_ZONES).collect(),
        listeners: listeners(seen.listeners.as_deref()),
        ..LoadBalancerStatus::default()
    }
}

fn listeners(seen: Option<&[ListenerState]>) -> Vec<ListenerStatus> {
    let seen = seen.into_iter().flatten();
    let shown = seen.map(|listener| ListenerStatus {
        port: listener.port.into(),
        protocol: listener.protocol.to_lowercase(),
        state: said(&listener.status.to_lowercase()),
    });
    shown.take(LoadBalancerStatus::MAX_LISTENERS).collect()
}

fn api_key(exposure: &Exposure, name: &str) -> ObjectKey {
    ObjectKey::Api(ApiKey {
        group: exposure.group.name.clone(),
        name: name.to_owned(),
    })
}

fn api_gateway(exposure: &Exposure, ids: &BTreeMap<ObjectKey, String>) -> ApiGatewayStatus {
    let mut routes: Vec<RouteStatus> = Vec::new();
    for api in &exposure.apis {
        let Some(id) = ids.get(&api_key(exposure, &api.name)) else {
            continue;
        };
        let published = exposure
            .environments
            .iter()
            .map(|environment| PublishedApi {
                method: method_str(api.method).to_owned(),
                id: id.clone(),
                environment: environment_status(*environment),
            });
        match routes.iter_mut().find(|route| route.name == api.route) {
            Some(route) => route.apis.extend(published),
            None => routes.push(RouteStatus {
                name: api.route.clone(),
                apis: published.collect(),
            }),
        }
    }
    let group = ObjectKey::Group {
        name: exposure.group.name.clone(),
    };
    ApiGatewayStatus {
        type_: ApiGatewayType::Classic,
        gateway: exposure.gateway.clone(),
        group: exposure.group_name.clone(),
        group_id: ids.get(&group).cloned(),
        routes,
    }
}

fn environment_status(environment: Environment) -> crds::v1alpha1::Environment {
    match environment {
        Environment::Test => crds::v1alpha1::Environment::Test,
        Environment::Pre => crds::v1alpha1::Environment::Pre,
        Environment::Release => crds::v1alpha1::Environment::Release,
    }
}

/// Addresses that callers can use, of routes that exist.
fn urls(exposure: &Exposure, view: &View<'_>) -> Vec<String> {
    // One that is adopted may answer without the class saying so.
    let answers = exposure.group.test_domain || exposure.adopted_group.is_some();
    let Some(host) = view.sub_domain.filter(|_| answers) else {
        return Vec::new();
    };
    let scheme = if exposure.protocols.contains(&Protocol::Https) {
        "https"
    } else {
        "http"
    };
    let mut urls: Vec<String> = Vec::new();
    for api in &exposure.apis {
        let (Path::Exact(path) | Path::Prefix(path)) = &api.path;
        let url = format!("{scheme}://{host}{path}");
        if view.ids.contains_key(&api_key(exposure, &api.name)) && !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls.truncate(16);
    urls
}

fn conditions(status: &mut GatewayBindingStatus, view: &View<'_>) {
    let standing = Standing {
        generation: view.generation,
        now: view.now,
        problems: view.problems,
        programmed: programmed(view),
        note: view.note,
    };
    standing.write(&mut status.conditions);
}

fn programmed(view: &View<'_>) -> ConditionUpdate {
    let judged = judge(ConditionType::Programmed, Reason::Programmed, view.problems);
    if judged.status == ConditionStatus::False {
        return judged;
    }
    let message = match (view.open, view.missing) {
        ([], []) => return judged,
        ([], missing) => {
            let keys: Vec<String> = missing.iter().map(ToString::to_string).collect();
            format!("not there yet: {}.", keys.join(", "))
        }
        ([first, ..], _) => format!(
            "{} steps are still to be done, the next one on {}.",
            view.open.len(),
            first.key
        ),
    };
    ConditionUpdate {
        status: ConditionStatus::False,
        reason: Reason::Pending,
        message,
        ..judged
    }
}
