//! What a binding asks of the API gateway, with every default filled in and checked against what
//! the product can do.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{
    ApiAuth, ApiKeyLocation, Environment, GroupSpec, Method, Path, Protocol,
};
use crds::v1alpha1::{
    self as api, ApiGroup, Auth, BindingApiGateway, ClassApiGateway, GatewayBindingClassSpec,
    NamespacedName, Reason, TestDomain,
};
use jiff::Timestamp;

use super::adoption::{self, GroupWish};
use super::key::ConsumerKey;
use super::problem::Problem;
use super::throttling::{self, Limits};
use super::validate::listed;
use super::{class, names};

/// A binding's part in an API gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// Name of the API gateway in the class.
    pub gateway: String,
    /// Name of the group in the class.
    pub group_name: String,
    /// The group, as the class describes it and the cloud spells it; of one that is adopted the name
    /// is how keys name it.
    pub group: GroupSpec,
    /// What the class says about a group that it adopts; none: the operator makes it.
    pub adopted_group: Option<GroupWish>,
    /// How keys name the ways to gateways' ports that the class adopts.
    pub adopted_backends: BTreeMap<(String, u16), String>,
    /// Where the APIs run.
    pub environments: BTreeSet<Environment>,
    /// Protocols that callers may use.
    pub protocols: BTreeSet<Protocol>,
    /// One API for each route and method.
    pub apis: Vec<RouteApi>,
    /// Who may call.
    pub auth: ApiAuth,
    /// The consumers that may call, if `auth` asks for one.
    pub allow: Vec<Allowed>,
    /// Request limits.
    pub limits: Option<Limits>,
    /// How keys name the throttling policy that the binding adopts.
    pub adopted_policy: Option<String>,
    /// How long the gateway waits for an answer, in milliseconds.
    pub timeout_ms: u32,
    /// What of an adopted API stays, since the binding does not give it: protocols.
    pub any_protocols: bool,
    /// The same of the timeout.
    pub any_timeout: bool,
}

/// One method of one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteApi {
    /// Name of the route in the binding.
    pub route: String,
    /// Name in the group; of one that is adopted how keys name it.
    pub name: String,
    /// Name that the API has if the operator makes it.
    pub own_name: String,
    /// Public method.
    pub method: Method,
    /// Public path.
    pub path: Path,
    /// Path at the backend.
    pub backend_path: String,
}

/// A consumer that may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Name of the entry in the binding.
    pub name: String,
    /// The consumer.
    pub consumer: ConsumerKey,
    /// When the permission ends.
    pub until: Option<Timestamp>,
}

/// What a binding's wish is held against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The binding.
    pub binding: &'a NamespacedName,
    /// Its class.
    pub class: &'a GatewayBindingClassSpec,
    /// The class's name.
    pub class_name: &'a str,
    /// Labels of the binding's namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
}

/// Checks what a binding asks of the API gateway.
pub fn validate(wish: &BindingApiGateway, context: &Context<'_>) -> Result<Exposure, Problem> {
    let gateway = gateway(wish, context)?;
    let group = group(wish, gateway, context)?;
    let instance = gateway
        .classic
        .as_ref()
        .map(|classic| classic.instance_id.clone());
    let (auth, allow) = auth(&wish.auth, context.binding)?;
    let limits = match &wish.throttling {
        Some(throttling) if !throttling.limits.is_empty() => {
            Some(throttling::validate(throttling, &allow)?)
        }
        _ => None,
    };
    adoption::consent(wish, context.class, context.class_name)?;
    let existing_policy = wish
        .throttling
        .as_ref()
        .and_then(|throttling| throttling.existing.as_ref());
    Ok(Exposure {
        gateway: gateway.name.clone(),
        group_name: group.name.clone(),
        adopted_group: group
            .existing
            .as_ref()
            .map(|_| adoption::group(group, instance.clone())),
        group: GroupSpec {
            name: group
                .existing
                .as_ref()
                .map_or_else(|| names::group_name(&group.name), adoption::handle),
            description: group.description.clone().unwrap_or_default(),
            instance,
            test_domain: group.test_domain() == TestDomain::Enabled,
            pass_host: false,
        },
        adopted_backends: adoption::backends(gateway),
        environments: wish.environments().into_iter().map(environment).collect(),
        protocols: wish.protocols().into_iter().map(protocol).collect(),
        apis: apis(wish, context.binding)?,
        auth,
        allow,
        limits,
        adopted_policy: existing_policy.map(adoption::handle),
        timeout_ms: timeout_ms(wish)?,
        any_protocols: wish.protocols.is_none(),
        any_timeout: wish
            .backend
            .as_ref()
            .is_none_or(|backend| backend.timeout.is_none()),
    })
}

fn gateway<'a>(
    wish: &BindingApiGateway,
    context: &Context<'a>,
) -> Result<&'a ClassApiGateway, Problem> {
    let Context {
        class, class_name, ..
    } = context;
    let default = class
        .defaults
        .as_ref()
        .and_then(|defaults| defaults.api_gateway.as_ref());
    let name = wish
        .gateway
        .as_deref()
        .or_else(|| default.and_then(|default| default.gateway.as_deref()));
    let offered = || {
        listed(
            class
                .api_gateways
                .iter()
                .flatten()
                .map(|gateway| gateway.name.as_str()),
        )
    };
    let Some(name) = name else {
        return Err(Problem::rejected(
            Reason::GatewayNotFound,
            format!(
                "spec.apiGateway.gateway is not set, and GatewayBindingClass \"{class_name}\" has no default one: set it to one of {}.",
                offered()
            ),
        ));
    };
    class.api_gateway(name).ok_or_else(|| {
        Problem::rejected(
            Reason::GatewayNotFound,
            format!("spec.apiGateway.gateway: GatewayBindingClass \"{class_name}\" has no API gateway \"{name}\"; it has {}.", offered()),
        )
    })
}

fn group<'a>(
    wish: &BindingApiGateway,
    gateway: &'a ClassApiGateway,
    context: &Context<'_>,
) -> Result<&'a ApiGroup, Problem> {
    let Context {
        class, class_name, ..
    } = context;
    let default = class
        .defaults
        .as_ref()
        .and_then(|defaults| defaults.api_gateway.as_ref())
        .filter(|default| {
            default
                .gateway
                .as_deref()
                .is_none_or(|name| name == gateway.name)
        });
    let name = wish
        .group
        .as_deref()
        .or_else(|| default.and_then(|default| default.group.as_deref()));
    let offered = || listed(gateway.groups.iter().map(|group| group.name.as_str()));
    let Some(name) = name else {
        return Err(Problem::rejected(
            Reason::GroupNotFound,
            format!(
                "spec.apiGateway.group is not set, and GatewayBindingClass \"{class_name}\" has no default one: set it to one of {}.",
                offered()
            ),
        ));
    };
    let Some(group) = gateway.groups.iter().find(|group| group.name == name) else {
        return Err(Problem::rejected(
            Reason::GroupNotFound,
            format!(
                "spec.apiGateway.group: API gateway \"{}\" of GatewayBindingClass \"{class_name}\" has no group \"{name}\"; it has {}.",
                gateway.name,
                offered()
            ),
        ));
    };
    if !class::allows(group.allowed_namespaces.as_ref(), context.namespace_labels) {
        return Err(Problem::rejected(
            Reason::NamespaceNotAllowed,
            format!(
                "spec.apiGateway.group: namespace \"{}\" is not let in by allowedNamespaces of group \"{name}\" in GatewayBindingClass \"{class_name}\". Use another group, or ask the owner of the class.",
                context.binding.namespace
            ),
        ));
    }
    if group.existing.is_none() && !(4..=50).contains(&name.chars().count()) {
        let reason = if name.chars().count() > 50 {
            Reason::NameTooLong
        } else {
            Reason::InvalidSpec
        };
        return Err(Problem::rejected(
            reason,
            format!(
                "spec.apiGateway.group: \"{name}\" has {} characters; the classic API gateway wants 4 to 50. Rename the group in GatewayBindingClass \"{class_name}\".",
                name.chars().count()
            ),
        ));
    }
    Ok(group)
}

fn auth(auth: &Auth, binding: &NamespacedName) -> Result<(ApiAuth, Vec<Allowed>), Problem> {
    only_classic(auth)?;
    let Some(consumer) = &auth.consumer else {
        return Ok((ApiAuth::Anonymous, Vec::new()));
    };
    let api_key: BTreeSet<ApiKeyLocation> = consumer
        .api_key
        .iter()
        .flat_map(|api_key| &api_key.in_)
        .map(|location| match location {
            api::ApiKeyLocation::Header => ApiKeyLocation::Header,
            api::ApiKeyLocation::Query => ApiKeyLocation::Query,
        })
        .collect();
    if api_key == BTreeSet::from([ApiKeyLocation::Query]) {
        return Err(Problem::rejected(
            Reason::Unsupported,
            "spec.apiGateway.auth.consumer.apiKey.in: [Query] alone is more than the classic API gateway can do: it reads an API key from the header, or from header and query. Use [Header] or [Header, Query].",
        ));
    }
    if consumer.signature.is_none() {
        return Err(Problem::rejected(
            Reason::Unsupported,
            "spec.apiGateway.auth.consumer.signature: the classic API gateway accepts signed requests of every allowed consumer and cannot be told not to. Say so with signature: {}.",
        ));
    }
    let allow = consumer
        .allow
        .iter()
        .map(|allowed| {
            let consumer = allowed.consumer(&binding.namespace);
            Allowed {
                name: allowed.name.clone(),
                consumer: ConsumerKey {
                    namespace: consumer.namespace,
                    name: consumer.name,
                },
                until: allowed.until.as_ref().map(|until| until.0),
            }
        })
        .collect();
    let auth = ApiAuth::Consumer {
        api_key,
        signature: true,
    };
    no_consumer_twice(allow).map(|allow| (auth, allow))
}

/// Refuses what other gateways can do and this one cannot: dropping it would leave a door open.
fn only_classic(auth: &Auth) -> Result<(), Problem> {
    let consumer = auth.consumer.as_ref();
    let api_key = consumer.and_then(|consumer| consumer.api_key.as_ref());
    let beyond = [
        ("jwt", auth.jwt.is_some()),
        (
            "consumer.basic",
            consumer.is_some_and(|consumer| consumer.basic.is_some()),
        ),
        (
            "consumer.deny",
            consumer.is_some_and(|consumer| consumer.deny.is_some()),
        ),
        (
            "consumer.apiKey.names",
            api_key.is_some_and(|api_key| api_key.names.is_some()),
        ),
    ];
    match beyond.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((field, _)) => Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.apiGateway.auth.{field}: the classic API gateway cannot do this; Higress can. Remove the field, or use it in spec.higress."
            ),
        )),
    }
}

fn no_consumer_twice(allow: Vec<Allowed>) -> Result<Vec<Allowed>, Problem> {
    let mut seen: BTreeMap<&ConsumerKey, &str> = BTreeMap::new();
    for allowed in &allow {
        if let Some(first) = seen.insert(&allowed.consumer, &allowed.name) {
            return Err(Problem::rejected(
                Reason::InvalidSpec,
                format!(
                    "spec.apiGateway.auth.consumer.allow: entries \"{first}\" and \"{}\" both name GatewayConsumer {}. Keep one of them.",
                    allowed.name, allowed.consumer
                ),
            ));
        }
    }
    Ok(allow)
}

fn apis(wish: &BindingApiGateway, binding: &NamespacedName) -> Result<Vec<RouteApi>, Problem> {
    let mut apis: Vec<RouteApi> = Vec::new();
    for route in wish.routes(&binding.namespace, &binding.name) {
        let (path, backend_path) = paths(&route.path);
        let methods = match &route.methods {
            None => vec![Method::Any],
            Some(methods) => methods.iter().copied().map(method).collect(),
        };
        for method in methods {
            if let Some(other) = apis
                .iter()
                .find(|api| api.method == method && api.path == path)
            {
                return Err(Problem::rejected(
                    Reason::InvalidSpec,
                    format!(
                        "spec.apiGateway.routes: routes \"{}\" and \"{}\" have the same path and method. Change one of them, or join their methods.",
                        other.route, route.name
                    ),
                ));
            }
            let own_name = names::api_name(
                &binding.namespace,
                &binding.name,
                &route.name,
                method_str(method),
            );
            apis.push(RouteApi {
                name: route
                    .existing
                    .as_ref()
                    .map_or_else(|| own_name.clone(), adoption::handle),
                own_name,
                route: route.name.clone(),
                method,
                path: path.clone(),
                backend_path: backend_path.clone(),
            });
        }
    }
    Ok(apis)
}

/// Public path and path at the backend. The schema allows exactly one of exact and prefix.
fn paths(path: &api::RoutePath) -> (Path, String) {
    let trim = |path: &str| {
        let trimmed = path.trim_end_matches('/');
        if trimmed.is_empty() {
            "/".to_owned()
        } else {
            trimmed.to_owned()
        }
    };
    match (&path.exact, &path.prefix) {
        (Some(exact), _) => (
            Path::Exact(exact.clone()),
            path.replace_with.clone().unwrap_or_else(|| exact.clone()),
        ),
        (None, prefix) => {
            let prefix = trim(prefix.as_deref().unwrap_or("/"));
            let backend = path
                .replace_with
                .as_deref()
                .map_or_else(|| prefix.clone(), trim);
            (Path::Prefix(prefix), backend)
        }
    }
}

fn timeout_ms(wish: &BindingApiGateway) -> Result<u32, Problem> {
    let timeout = wish.backend_timeout();
    let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    if (1..=30_000).contains(&milliseconds) {
        Ok(milliseconds)
    } else {
        Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.apiGateway.backend.timeout: {milliseconds} ms; the classic API gateway waits 1 ms to 30 s. Set a value in between."
            ),
        ))
    }
}

fn environment(environment: api::Environment) -> Environment {
    match environment {
        api::Environment::Test => Environment::Test,
        api::Environment::Pre => Environment::Pre,
        api::Environment::Release => Environment::Release,
    }
}

fn protocol(protocol: api::Protocol) -> Protocol {
    match protocol {
        api::Protocol::HTTP => Protocol::Http,
        api::Protocol::HTTPS => Protocol::Https,
    }
}

fn method(method: api::Method) -> Method {
    match method {
        api::Method::GET => Method::Get,
        api::Method::POST => Method::Post,
        api::Method::PUT => Method::Put,
        api::Method::DELETE => Method::Delete,
        api::Method::PATCH => Method::Patch,
        api::Method::HEAD => Method::Head,
        api::Method::OPTIONS => Method::Options,
    }
}

/// A method as status and names spell it.
pub fn method_str(method: Method) -> &'static str {
    match method {
        Method::Any => "ANY",
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Head => "HEAD",
        Method::Patch => "PATCH",
        Method::Options => "OPTIONS",
    }
}
