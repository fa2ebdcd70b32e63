//! Address lists: which clients may call.

use std::net::IpAddr;

use super::consumer::Consumer;
use super::failure::Failure;
use super::incoming::Incoming;
use super::route::Route;
use crate::cloudapi::{AddressRule, Group, PluginType};
use crate::world::World;

/// Holds a request against the `ipControl` plugin in force.
pub(super) fn check(
    world: &World,
    route: &Route<'_>,
    group: &Group,
    incoming: &Incoming,
    consumer: Option<&Consumer>,
) -> Result<(), Failure> {
    let plugins = world
        .cloudapi
        .effective_plugins(route.api_id, &group.id, route.stage);
    let Some(plugin) = plugins
        .into_iter()
        .find(|plugin| plugin.kind == PluginType::IpControl)
    else {
        return Ok(());
    };
    let rule = AddressRule::of_plugin(&plugin.data)
        .map_err(|error| Failure::internal(&error.to_string()))?;
    let address = match rule.forwarded {
        None => Some(incoming.client),
        Some(place) => forwarded(incoming, place),
    };
    match permits(&rule, address, consumer.map(|consumer| consumer.app_id)) {
        true => Ok(()),
        false => Err(Failure::address()),
    }
}

/// An address that cannot be told is never allowed and never refused by name.
fn permits(rule: &AddressRule, address: Option<IpAddr>, app_id: Option<i64>) -> bool {
    let Some(address) = address else {
        return !rule.allow;
    };
    let listed = rule.items.iter().any(|item| {
        let for_app = item.app_id.is_none_or(|wanted| Some(wanted) == app_id);
        for_app && item.blocks.iter().any(|block| block.contains(&address))
    });
    listed == rule.allow
}

/// The address at a place of `X-Forwarded-For`, negative from the end.
fn forwarded(incoming: &Incoming, place: i64) -> Option<IpAddr> {
    let listed: Vec<&str> = incoming
        .header("x-forwarded-for")
        .split(',')
        .map(str::trim)
        .collect();
    let length = i64::try_from(listed.len()).ok()?;
    let index = if place < 0 { length + place } else { place };
    listed.get(usize::try_from(index).ok()?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> AddressRule {
        AddressRule::of_plugin(text).unwrap()
    }

    #[test]
    fn lists_allow_or_refuse() {
        let inside = Some("10.1.2.3".parse().unwrap());
        let outside = Some("192.0.2.1".parse().unwrap());
        let allow = rule("type: ALLOW\nitems: [{blocks: [\"10.0.0.0/8\"]}]");
        assert!(permits(&allow, inside, None));
        assert!(!permits(&allow, outside, None));
        assert!(!permits(&allow, None, None));
        let refuse = rule("type: REFUSE\nitems: [{blocks: [\"10.0.0.0/8\"]}]");
        assert!(!permits(&refuse, inside, None));
        assert!(permits(&refuse, outside, None));
        let one = rule("type: ALLOW\nitems: [{blocks: [\"10.0.0.0/8\"], appId: 7}]");
        assert!(permits(&one, inside, Some(7)));
        assert!(!permits(&one, inside, Some(8)));
        assert!(!permits(&one, inside, None));
    }
}
