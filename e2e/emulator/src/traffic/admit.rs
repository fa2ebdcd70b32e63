//! Whether a request may pass: everything that is decided before the backend is looked for.

use std::time::Duration;

use jiff::Timestamp;

use super::consumer::{self, Consumer};
use super::failure::Failure;
use super::incoming::Incoming;
use super::route::{Entrance, Route, entrance, route};
use super::{Runtime, address, throttle};
use crate::cloudapi::{
    Definition, Deployment, Group, PathMatch, PluginType, ServiceConfig, Stage, VpcAccess,
};
use crate::world::World;

/// Calls of a public second-level domain a day.
const TEST_CALLS: u32 = 1000;

/// A request that may pass, and what runs for it.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) api_id: String,
    pub(super) stage: Stage,
    pub(super) deployment: Deployment,
    pub(super) matched: PathMatch,
    pub(super) consumer: Option<Consumer>,
    pub(super) group: Group,
}

impl Admitted {
    pub(super) fn definition(&self) -> &Definition {
        &self.deployment.definition
    }

    pub(super) fn service(&self) -> &ServiceConfig {
        &self.deployment.definition.service
    }

    /// The VPC authorization as it was when the API was published.
    pub(super) fn access(&self) -> Option<&VpcAccess> {
        self.deployment.backend.as_ref()
    }

    /// How long the backend may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.service().service_timeout).unwrap_or_default())
    }
}

/// Takes a request through all checks, in the order of the gateway.
pub(super) fn admit(
    world: &World,
    runtime: &Runtime,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<Admitted, Failure> {
    let entrance = entrance(world, &incoming.host)?;
    check_domain(runtime, &entrance, incoming, now)?;
    let route = route(world, &entrance, incoming)?;
    check_protocol(&route, &entrance, incoming)?;
    check_plugins(world, &route, &entrance)?;
    let consumer = consumer::authenticate(world, runtime, &route, incoming, now)?;
    address::check(world, &route, entrance.group, incoming, consumer.as_ref())?;
    throttle::check(
        world,
        runtime,
        &route,
        entrance.group,
        consumer.as_ref(),
        now,
    )?;
    Ok(Admitted {
        api_id: route.api_id.to_owned(),
        stage: route.stage,
        deployment: route.deployment.clone(),
        matched: route.matched,
        consumer,
        group: entrance.group.clone(),
    })
}

/// The public second-level domain answers if it is switched on, and only so often a day.
fn check_domain(
    runtime: &Runtime,
    entrance: &Entrance<'_>,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<(), Failure> {
    if !entrance.public {
        return Ok(());
    }
    let internet = entrance.group.network.get("InternetEnable");
    if !entrance.group.test_domain_enabled || internet.is_some_and(|on| on == "false") {
        return Err(Failure::internet_disabled());
    }
    match runtime.test_domain_call(&entrance.group.id, now) > TEST_CALLS {
        true => Err(Failure::domain_throttled(&incoming.host)),
        false => Ok(()),
    }
}

fn check_protocol(
    route: &Route<'_>,
    entrance: &Entrance<'_>,
    incoming: &Incoming,
) -> Result<(), Failure> {
    let definition = &route.deployment.definition;
    if definition.disable_internet && entrance.internet {
        return Err(Failure::internet_disabled());
    }
    let protocol = if incoming.secure { "HTTPS" } else { "HTTP" };
    match definition
        .request
        .request_protocol
        .split(',')
        .any(|allowed| allowed.trim() == protocol)
    {
        true => Ok(()),
        false => Err(Failure::protocol(protocol)),
    }
}

/// A plugin that guards or changes traffic in a way this emulator does not know must not be passed
/// by as if it were not there.
fn check_plugins(world: &World, route: &Route<'_>, entrance: &Entrance<'_>) -> Result<(), Failure> {
    use PluginType::{ErrorMapping, IpControl, LogMask, TrafficControl};
    let carried = |kind| matches!(kind, TrafficControl | IpControl | LogMask | ErrorMapping);
    let plugins = world
        .cloudapi
        .effective_plugins(route.api_id, &entrance.group.id, route.stage);
    match plugins.iter().find(|plugin| !carried(plugin.kind)) {
        Some(plugin) => Err(Failure::not_emulated(&format!(
            "a plugin of type {}",
            plugin.kind.name()
        ))),
        None => Ok(()),
    }
}
