//! Which server group and which server a request goes to: smooth weighted round robin, so that each
//! gets its exact share of any 100 requests in a row, in an order that is the same on every run.

use std::net::IpAddr;

use crate::alb::{State, Tuple};
use crate::traffic::Runtime;

/// The group whose turn it is; `None` where all weights are 0.
pub(super) fn group<'a>(runtime: &Runtime, key: &str, tuples: &'a [Tuple]) -> Option<&'a str> {
    let shares: Vec<(&str, u32)> = tuples
        .iter()
        .map(|tuple| (tuple.server_group_id.as_str(), tuple.weight))
        .collect();
    let turn = runtime.weighted_turn(key, &shares)?;
    tuples.get(turn).map(|tuple| tuple.server_group_id.as_str())
}

/// The servers of a group that take requests, beginning with the one whose turn it is.
pub(super) fn servers(state: &State, runtime: &Runtime, group_id: &str) -> Vec<(IpAddr, u16)> {
    let Some(group) = state.server_groups.get(group_id).map(|group| &group.value) else {
        return Vec::new();
    };
    let taking: Vec<_> = group
        .servers
        .iter()
        .filter(|server| server.weight > 0)
        .filter_map(|server| Some((server, server.ip.parse::<IpAddr>().ok()?)))
        .collect();
    let names: Vec<(String, u32)> = taking
        .iter()
        .map(|(server, ip)| (format!("{ip}:{}", server.port), server.weight))
        .collect();
    let shares: Vec<(&str, u32)> = names
        .iter()
        .map(|(name, weight)| (name.as_str(), *weight))
        .collect();
    let first = runtime.weighted_turn(group_id, &shares).unwrap_or_default();
    let mut servers: Vec<(IpAddr, u16)> = taking
        .iter()
        .map(|(server, ip)| (*ip, server.port))
        .collect();
    if first < servers.len() {
        servers.rotate_left(first);
    }
    servers
}
