//! Throttling by windows of fixed length.

use jiff::Timestamp;

use super::consumer::Consumer;
use super::failure::Failure;
use super::route::Route;
use super::runtime::{Limit, Runtime};
use crate::cloudapi::{Group, Limits, PluginType};
use crate::world::World;

/// Counts a request against the `trafficControl` plugin in force, or against the classic policy if
/// there is no such plugin.
pub(super) fn check(
    world: &World,
    runtime: &Runtime,
    route: &Route<'_>,
    group: &Group,
    consumer: Option<&Consumer>,
    now: Timestamp,
) -> Result<(), Failure> {
    let plugins = world
        .cloudapi
        .effective_plugins(route.api_id, &group.id, route.stage);
    let plugin = plugins
        .into_iter()
        .find(|plugin| plugin.kind == PluginType::TrafficControl);
    let (by_plugin, policy_id, limits) = match plugin {
        Some(plugin) => {
            let limits = Limits::of_plugin(&plugin.data)
                .map_err(|error| Failure::internal(&error.to_string()))?;
            (true, &plugin.id, limits)
        }
        None => match world.cloudapi.classic_limit(route.api_id, route.stage) {
            Some(control) => (false, &control.id, Limits::of_control(control)),
            None => return Ok(()),
        },
    };
    let scope = format!("{policy_id}/{}/{}", route.api_id, route.stage);
    let limits = counted(&limits, &scope, &world.account_id, consumer);
    runtime
        .take(&limits, now)
        .map_err(|full| Failure::throttled(by_plugin, full.what))
}

/// What a request counts against. All consumers belong to the one account.
fn counted(
    limits: &Limits,
    scope: &str,
    account_id: &str,
    consumer: Option<&Consumer>,
) -> Vec<Limit> {
    let seconds = limits.seconds;
    let limit = |key: String, most: i64, what| Limit {
        key,
        seconds,
        most,
        what,
    };
    let mut counted = vec![limit(format!("{scope}/api"), limits.api, "API")];
    let Some(consumer) = consumer else {
        return counted;
    };
    if let Some(most) = limits
        .special_users
        .get(account_id)
        .copied()
        .or(limits.user)
    {
        counted.push(limit(format!("{scope}/user/{account_id}"), most, "USER"));
    }
    let app_id = consumer.app_id.to_string();
    if let Some(most) = limits.special_apps.get(&app_id).copied().or(limits.app) {
        counted.push(limit(format!("{scope}/app/{app_id}"), most, "APP"));
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_limit_takes_the_place_of_the_default() {
        let text = "unit: MINUTE\napiDefault: 100\nuserDefault: 50\nappDefault: 10\nspecials: [{type: APP, policies: [{key: 7, value: 2}]}]";
        let limits = Limits::of_plugin(text).unwrap();
        let of = |app_id| {
            let consumer = Consumer {
                app_id,
                key: String::new(),
                extend: String::new(),
            };
            let counted = counted(&limits, "s", "1", Some(&consumer));
            counted.iter().map(|limit| limit.most).collect::<Vec<_>>()
        };
        assert_eq!(of(7), [100, 50, 2]);
        assert_eq!(of(8), [100, 50, 10]);
        assert_eq!(counted(&limits, "s", "1", None).len(), 1);
    }
}
