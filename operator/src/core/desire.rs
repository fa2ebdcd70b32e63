//! The resources that a valid binding wants, and what keeps some of them from being wanted yet.

mod adopted;
mod permissions;
mod service;

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{ApiBackend, ApiSpec, BackendName, ConsumerId, Method, Path};
use crds::v1alpha1::{NamespacedName, Reason, ServiceKind};
use jiff::Timestamp;

use super::adoption::{Adopted, GroupWish, Holder};
use super::desired::{BackendDesired, Desired, Item, LoadBalancerPlace};
use super::exposure::{Exposure, RouteApi, method_str};
use super::key::{ApiKey, ConsumerKey, ObjectKey};
use super::problem::Problem;
use super::references::{ConsumerState, References, Target};
use super::settings::Settings;
use super::slb::Fault;
use super::validate::{Gateway, Validated, owner};
use super::{names, throttling};

/// The port of a gateway's Service that Knative requests enter through.
const HTTP_PORT: u16 = 80;

/// The port of the gateway's Service that requests for a binding enter through.
fn port(binding: &Validated) -> u16 {
    let own = binding.target.port;
    own.and_then(|port| u16::try_from(port).ok())
        .unwrap_or(HTTP_PORT)
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The resources, in the order of their keys.
    pub items: Vec<Item>,
    /// What stands in the way of the rest.
    pub problems: Vec<Problem>,
    /// When to look again although nothing changes: the next end of a permission.
    pub next_check: Option<Timestamp>,
    /// Nothing is planned: all that is claimed stays as it is.
    pub stands_still: bool,
}

impl Wanted {
    fn push(&mut self, key: ObjectKey, desired: Desired) {
        self.items.push(Item { key, desired });
    }
}

/// What the other bindings of the class leave to this one.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// The gateway's settings, merged over all bindings.
    pub settings: Settings,
    /// Why the binding's own part of them was left out.
    pub refused: Option<Fault>,
    /// Paths of the group that another binding holds.
    pub taken: BTreeMap<(Method, Path), NamespacedName>,
    /// What this one wants to adopt and another binding has.
    pub adopted_elsewhere: BTreeMap<Adopted, Holder>,
    /// The class has no load balancer left for this one: the most there may be.
    pub used_up: Option<i32>,
}

/// The resources that a valid binding wants.
pub fn desire(binding: &Validated, references: &References, shares: &Shares) -> Wanted {
    let mut wanted = Wanted::default();
    let Some(gateway) = &binding.gateway else {
        return wanted;
    };
    if let Some(most) = shares.used_up {
        wanted.problems.push(used_up(binding, gateway, most));
        wanted.stands_still = true;
        return wanted;
    }
    service::service(gateway, references, shares, &mut wanted);
    wanted.problems.extend(service::load_balancer_problem(
        binding,
        gateway,
        references,
        &shares.settings,
    ));
    let host = target_host(binding, references, &mut wanted);
    if let Some(exposure) = &binding.exposure {
        expose(
            binding,
            gateway,
            exposure,
            references,
            shares,
            host,
            &mut wanted,
        );
    }
    wanted.items.sort_by(|a, b| a.key.cmp(&b.key));
    wanted
}

/// The class has as many load balancers as it allows.
fn used_up(binding: &Validated, gateway: &Gateway, most: i32) -> Problem {
    let message = format!(
        "gateway \"{}\" of GatewayBindingClass \"{}\" allows {most} load balancers (perBinding.maxInstances), and other bindings have them. Delete one of those, ask for more, or use another gateway.",
        gateway.name, binding.class
    );
    Problem::blocked(Reason::LimitReached, message)
}

/// The Host that requests must carry to reach the target. `None`: not known.
fn target_host(
    binding: &Validated,
    references: &References,
    wanted: &mut Wanted,
) -> Option<Option<String>> {
    let name = format!("{}/{}", binding.binding.namespace, binding.target.name);
    match &references.target {
        Target::Host(host) => Some(Some(host.clone())),
        Target::Service => Some(None),
        Target::Missing => {
            let kind = match binding.target.kind {
                ServiceKind::KnativeService => "Knative Service",
                ServiceKind::Service => "Service",
            };
            wanted.problems.push(Problem::unresolved(
                Reason::ServiceNotFound,
                format!(
                    "spec.serviceRef: there is no {kind} {name}. Create it, or correct the name."
                ),
            ));
            None
        }
        Target::NotReady(why) => {
            wanted.problems.push(Problem::unresolved(
                Reason::RouteNotReady,
                format!("spec.serviceRef: the Route of Knative Service {name} is not ready: {why}"),
            ));
            None
        }
    }
}

fn expose(
    binding: &Validated,
    gateway: &Gateway,
    exposure: &Exposure,
    references: &References,
    shares: &Shares,
    host: Option<Option<String>>,
    wanted: &mut Wanted,
) {
    let group = exposure.group.name.clone();
    let key = ObjectKey::Group {
        name: group.clone(),
    };
    let needs_host = matches!(host, Some(Some(_)));
    let desired = group_desired(binding, exposure, needs_host, shares, &mut wanted.problems);
    wanted.push(key, desired);

    let backend = backend(binding, gateway, references, shares, wanted);
    let ids = consumer_ids(references);
    let policy = policy(binding, exposure, &ids, shares, wanted);
    let allowed = permissions::permissions(exposure, references, wanted);
    for route in &exposure.apis {
        if let Some(holder) = shares.taken.get(&(route.method, route.path.clone())) {
            wanted.problems.push(path_conflict(route, &group, holder));
            continue;
        }
        let api = ApiKey {
            group: group.clone(),
            name: route.name.clone(),
        };
        let path = format!("spec.apiGateway.routes[{}].existing", route.route);
        let elsewhere = adopted::elsewhere(adopted::api(&route.name), &path, shares);
        if let Some(problem) = elsewhere {
            wanted.problems.push(problem);
            wanted.push(ObjectKey::Api(api), Desired::Refused);
            continue;
        }
        let definition = host
            .as_ref()
            .map(|host| definition(binding, exposure, route, &backend, host.clone()));
        let decide = |running| match definition.clone() {
            None => Desired::Undecided,
            Some(spec) => adopted::definition(exposure, route, spec, running),
        };
        wanted.push(ObjectKey::Api(api.clone()), decide(false));
        for environment in exposure.environments.iter().copied() {
            let api = api.clone();
            let key = ObjectKey::Deployment {
                api: api.clone(),
                environment,
            };
            wanted.push(key, decide(true));
            if let Some(policy) = &policy {
                let (api, policy) = (api.clone(), policy.clone());
                let key = ObjectKey::Attachment { api, environment };
                wanted.push(key, Desired::Attachment { policy });
            }
            for (consumer, desired) in &allowed {
                let (api, consumer) = (api.clone(), consumer.clone());
                let key = ObjectKey::Grant {
                    api,
                    environment,
                    consumer,
                };
                wanted.push(key, desired.clone());
            }
        }
    }
}

fn group_desired(
    binding: &Validated,
    exposure: &Exposure,
    needs_host: bool,
    shares: &Shares,
    problems: &mut Vec<Problem>,
) -> Desired {
    if let Some(wish) = &exposure.adopted_group {
        let path = format!("existing of group \"{}\" in the class", exposure.group_name);
        let what = adopted::group(&exposure.group.name);
        return match adopted::elsewhere(what, &path, shares) {
            Some(problem) => {
                problems.push(problem);
                Desired::Refused
            }
            None => Desired::AdoptedGroup(GroupWish {
                needs_host,
                ..wish.clone()
            }),
        };
    }
    let mut spec = exposure.group.clone();
    if spec.description.is_empty() {
        spec.description = format!(
            "Managed by gatewaybinding.dev in cluster {}",
            binding.cluster
        );
    }
    Desired::Group(spec)
}

/// The policy that limits requests, if one does: how keys name it.
fn policy(
    binding: &Validated,
    exposure: &Exposure,
    ids: &BTreeMap<ConsumerKey, ConsumerId>,
    shares: &Shares,
    wanted: &mut Wanted,
) -> Option<String> {
    let (name, desired) = if let Some(name) = &exposure.adopted_policy {
        let path = "spec.apiGateway.throttling.existing";
        match adopted::elsewhere(adopted::policy(name), path, shares) {
            Some(problem) => {
                wanted.problems.push(problem);
                (name.clone(), Desired::Refused)
            }
            None => {
                let wish = adopted::policy_wish(exposure, ids);
                (name.clone(), Desired::AdoptedPolicy(wish))
            }
        }
    } else {
        let limits = exposure.limits.as_ref()?;
        let policy = throttling::policy(limits, (&binding.cluster, &binding.class), ids);
        (policy.name.clone(), Desired::Policy(policy))
    };
    wanted.push(ObjectKey::Policy { name: name.clone() }, desired);
    Some(name)
}

/// The backend that a binding's requests go through: its port, and its name or, of one that the class
/// adopts, how keys name it.
pub fn backend_of(binding: &Validated, gateway: &Gateway) -> (u16, String) {
    let port = port(binding);
    let exposure = binding.exposure.as_ref();
    let place = (gateway.name.clone(), port);
    if let Some(name) = exposure.and_then(|exposure| exposure.adopted_backends.get(&place)) {
        return (port, name.clone());
    }
    let service = &gateway.service;
    let name = names::backend_name(&binding.cluster, &service.namespace, &service.name, port);
    (port, name)
}

fn backend(
    binding: &Validated,
    gateway: &Gateway,
    references: &References,
    shares: &Shares,
    wanted: &mut Wanted,
) -> BackendName {
    let (port, name) = backend_of(binding, gateway);
    let service = &gateway.service;
    let ports = references
        .service
        .as_ref()
        .map(|service| &service.shape)
        .or(references.source.as_ref());
    if let Some(shape) = ports
        && !shape
            .ports
            .iter()
            .any(|offered| offered.port == i32::from(port))
    {
        wanted.problems.push(Problem::unresolved(
            Reason::ServiceInvalid,
            format!("Service {}/{} of gateway \"{}\" has no port {port}, which requests would enter through. Add the port to the Service.", service.namespace, service.name, gateway.name),
        ));
    }
    let load_balancer = references
        .load_balancer
        .as_ref()
        .map(|load_balancer| LoadBalancerPlace {
            id: load_balancer.id().to_owned(),
            vpc_id: load_balancer.vpc_id().to_owned(),
        });
    let backend = BackendName(name.clone());
    let path = format!(
        "backends of API gateway \"{}\" in the class",
        binding
            .exposure
            .as_ref()
            .map_or("", |exposure| exposure.gateway.as_str())
    );
    if let Some(problem) = adopted::elsewhere(adopted::backend(&name), &path, shares) {
        wanted.problems.push(problem);
        wanted.push(ObjectKey::Backend { name }, Desired::Refused);
        return backend;
    }
    let desired = BackendDesired {
        name: backend.clone(),
        port,
        load_balancer,
    };
    wanted.push(ObjectKey::Backend { name }, Desired::Backend(desired));
    backend
}

fn definition(
    binding: &Validated,
    exposure: &Exposure,
    route: &RouteApi,
    backend: &BackendName,
    host: Option<String>,
) -> ApiSpec {
    let owner = owner(&binding.binding);
    let description = format!(
        "{owner} route {} ({})",
        route.route,
        method_str(route.method)
    );
    ApiSpec {
        name: route.own_name.clone(),
        description: description.chars().take(180).collect(),
        method: route.method,
        path: route.path.clone(),
        protocols: exposure.protocols.clone(),
        auth: exposure.auth.clone(),
        backend: ApiBackend {
            name: backend.clone(),
            path: route.backend_path.clone(),
            host,
            timeout_ms: exposure.timeout_ms,
        },
        unmodelled: BTreeMap::new(),
    }
}

fn consumer_ids(references: &References) -> BTreeMap<ConsumerKey, ConsumerId> {
    references
        .consumers
        .iter()
        .filter_map(|(key, state)| match state {
            ConsumerState::Ready(id) => Some((key.clone(), id.clone())),
            _ => None,
        })
        .collect()
}

fn path_conflict(route: &RouteApi, group: &str, holder: &NamespacedName) -> Problem {
    let path = match &route.path {
        Path::Exact(path) => path.clone(),
        Path::Prefix(path) => format!("{path} and all below it"),
    };
    Problem::blocked(
        Reason::PathConflict,
        format!(
            "spec.apiGateway.routes[{}]: {} {path} of group \"{group}\" is held by GatewayBinding {holder}. Use another path, or another group.",
            route.route,
            method_str(route.method)
        ),
    )
}
