//! From host, stage, method and path to what runs.

use super::failure::Failure;
use super::incoming::Incoming;
use crate::cloudapi::{Deployment, Domain, Group, PathMatch, PathPattern, Stage};
use crate::world::World;

/// The group that a host belongs to.
pub(super) struct Entrance<'a> {
    pub(super) group: &'a Group,
    /// Whether the host is the public second-level domain.
    pub(super) public: bool,
    /// Whether the host is reached from the internet: all but custom domains of kind `INTRANET`.
    pub(super) internet: bool,
    /// The one stage that the domain serves.
    stage: Option<Stage>,
}

/// What runs for a request.
pub(super) struct Route<'a> {
    pub(super) api_id: &'a str,
    pub(super) stage: Stage,
    pub(super) deployment: &'a Deployment,
    pub(super) matched: PathMatch,
}

/// The group by the Host header.
pub(super) fn entrance<'a>(world: &'a World, host: &str) -> Result<Entrance<'a>, Failure> {
    let groups = || world.cloudapi.groups.values().map(|group| &group.value);
    if let Some(name) = host.strip_suffix(super::PUBLIC_SUFFIX) {
        let id = name
            .strip_suffix(&format!("-{}", world.region))
            .unwrap_or_default();
        let group = world
            .cloudapi
            .groups
            .get(id)
            .map(|group| &group.value)
            .ok_or_else(|| Failure::invalid_domain(host))?;
        return Ok(Entrance {
            group,
            public: true,
            internet: true,
            stage: None,
        });
    }
    groups()
        .find_map(|group| {
            custom_domain(group, host).map(|domain| Entrance {
                group,
                public: false,
                internet: domain.kind != "INTRANET",
                stage: domain.stage,
            })
        })
        .ok_or_else(|| Failure::invalid_domain(host))
}

/// The custom domain of a group that a host falls under; `*.example.com` takes one more label.
pub(super) fn custom_domain<'a>(group: &'a Group, host: &str) -> Option<&'a Domain> {
    let wildcard = || group.domains.get(&format!("*.{}", host.split_once('.')?.1));
    group.domains.get(host).or_else(wildcard)
}

/// What runs in the stage that the request asks for.
pub(super) fn route<'a>(
    world: &'a World,
    entrance: &Entrance<'a>,
    incoming: &Incoming,
) -> Result<Route<'a>, Failure> {
    let stage = stage(entrance, incoming)?;
    let not_found = || Failure::api_not_found(incoming.method.as_str(), &incoming.path);
    let path = below(&incoming.path, &entrance.group.base_path).ok_or_else(not_found)?;
    let mut best: Option<(Route<'a>, (bool, Vec<bool>), bool)> = None;
    for (api_id, stages) in &world.cloudapi.deployments {
        let in_group = world
            .cloudapi
            .apis
            .get(api_id)
            .is_some_and(|api| api.value.group_id == entrance.group.id);
        let Some(deployment) = stages.get(&stage).filter(|_| in_group) else {
            continue;
        };
        let request = &deployment.definition.request;
        let any = request.request_http_method == "ANY";
        if !any && request.request_http_method != incoming.method.as_str() {
            continue;
        }
        let pattern = PathPattern::of(&request.request_path);
        let Some(matched) = pattern.matches(path) else {
            continue;
        };
        let (rank, named) = (pattern.specificity(), !any);
        let better = best
            .as_ref()
            .is_none_or(|(_, known, known_named)| (&rank, named) > (known, *known_named));
        if better {
            best = Some((
                Route {
                    api_id,
                    stage,
                    deployment,
                    matched,
                },
                rank,
                named,
            ));
        }
    }
    best.map(|(route, _, _)| route).ok_or_else(not_found)
}

fn stage(entrance: &Entrance<'_>, incoming: &Incoming) -> Result<Stage, Failure> {
    if let Some(stage) = entrance.stage {
        return Ok(stage);
    }
    match incoming.header("x-ca-stage") {
        "" => Ok(Stage::Release),
        name => Stage::of(&name.to_ascii_uppercase()).ok_or_else(|| Failure::invalid_stage(name)),
    }
}

/// The path below the base path of the group.
fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let base = base.trim_end_matches('/');
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_end_at_a_segment() {
        assert_eq!(below("/v1/a", "/v1"), Some("/a"));
        assert_eq!(below("/v1", "/v1/"), Some(""));
        assert_eq!(below("/v10", "/v1"), None);
        assert_eq!(below("/a", "/"), Some("/a"));
    }
}
