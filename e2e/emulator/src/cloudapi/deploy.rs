//! Publication: from draft to what runs, and off again.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::errors;
use super::find::{done, stage};
use super::state::{Deployment, Stage, State, TaskKind, Version};
use super::tasks;
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DeployApi" => deploy(world, request),
        "AbolishApi" => abolish(world, request),
        "SwitchApi" => switch(world, request),
        "BatchDeployApis" => batch_deploy(world, request),
        "BatchAbolishApis" => batch_abolish(world, request),
        _ => return None,
    })
}

fn deploy(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let api_id = world.cloudapi.api_of(params)?.id.clone();
    let stage = stage(params)?;
    let description = params.required("Description")?;
    world
        .cloudapi
        .publish(&api_id, stage, description, request.now)?;
    Ok(done())
}

fn abolish(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let api_id = world.cloudapi.api_of(params)?.id.clone();
    world.cloudapi.abolish(&api_id, stage(params)?)?;
    Ok(done())
}

/// Puts a former publication back into its stage, under its old version.
fn switch(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let state = &mut world.cloudapi;
    let api_id = state.api_of(params)?.id.clone();
    let stage = stage(params)?;
    let wanted = params.required("HistoryVersion")?;
    let known = state.history.get(&api_id).into_iter().flatten();
    let Some(version) = known
        .into_iter()
        .find(|v| v.stage == stage && v.deployment.version == wanted)
    else {
        return Err(errors::not_found("HistoryVersion"));
    };
    let mut deployment = version.deployment.clone();
    params
        .required("Description")?
        .clone_into(&mut deployment.description);
    deployment.deployed = request.now;
    let service = &deployment.definition.service;
    deployment.backend = match service.is_vpc() && !service.is_mock() {
        true => Some(
            state
                .vpc_accesses
                .get(&service.vpc_config.name)
                .ok_or_else(|| errors::not_found("Vpc"))?
                .value
                .clone(),
        ),
        false => None,
    };
    state
        .deployments
        .entry(api_id)
        .or_default()
        .insert(stage, deployment);
    Ok(done())
}

fn batch_deploy(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let stage = stage(params)?;
    let description = params.required("Description")?;
    let state = &mut world.cloudapi;
    let mut results = Vec::new();
    for (api_id, group_id) in batch(request)? {
        let outcome = in_group(state, &api_id, &group_id)
            .and_then(|()| state.publish(&api_id, stage, description, request.now));
        results.push(tasks::result(state, &api_id, stage, outcome.err()));
    }
    Ok(tasks::start(world, request, TaskKind::Deploy, results))
}

fn batch_abolish(world: &mut World, request: &Request) -> Answer {
    let items = request.params.list("Api");
    let state = &mut world.cloudapi;
    let mut results = Vec::new();
    for ((api_id, group_id), item) in batch(request)?.into_iter().zip(items) {
        let name = item.get("StageName").map_or("", String::as_str);
        let stage = Stage::of(name).ok_or_else(|| errors::not_found("Stage"))?;
        let outcome =
            in_group(state, &api_id, &group_id).and_then(|()| state.abolish(&api_id, stage));
        results.push(tasks::result(state, &api_id, stage, outcome.err()));
    }
    Ok(tasks::start(world, request, TaskKind::Abolish, results))
}

/// The members `ApiUid` and `GroupId` of `Api.N`.
fn batch(request: &Request) -> Result<Vec<(String, String)>, ApiError> {
    let items = request.params.list("Api");
    if items.is_empty() {
        return Err(errors::missing("Api"));
    }
    if items.len() > 100 {
        return Err(errors::exceeded("Api", 100));
    }
    let member = |item: &std::collections::BTreeMap<String, String>, name: &str| {
        item.get(name)
            .filter(|value| !value.is_empty())
            .cloned()
            .ok_or_else(|| errors::missing(name))
    };
    items
        .iter()
        .map(|item| Ok((member(item, "ApiUid")?, member(item, "GroupId")?)))
        .collect()
}

fn in_group(state: &State, api_id: &str, group_id: &str) -> Result<(), ApiError> {
    if state.api(api_id)?.group_id == group_id {
        Ok(())
    } else {
        Err(errors::not_found("Api"))
    }
}

impl State {
    /// Publishes the draft. Plugins of a former publication stay.
    pub(super) fn publish(
        &mut self,
        api_id: &str,
        stage: Stage,
        description: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let definition = self.api(api_id)?.definition.clone();
        self.put(api_id, stage, definition, description, now)
    }

    /// Publishes once more what runs already, so that it takes up its changed VPC authorization.
    pub(super) fn publish_again(
        &mut self,
        api_id: &str,
        stage: Stage,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let running = self
            .deployment(api_id, stage)
            .ok_or_else(|| errors::not_found("Stage"))?;
        let (definition, description) = (running.definition.clone(), running.description.clone());
        self.put(api_id, stage, definition, &description, now)
    }

    fn put(
        &mut self,
        api_id: &str,
        stage: Stage,
        definition: super::Definition,
        description: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let service = &definition.service;
        let backend = match service.is_vpc() && !service.is_mock() {
            true => Some(
                self.vpc_accesses
                    .get(&service.vpc_config.name)
                    .ok_or_else(|| errors::not_found("Vpc"))?
                    .value
                    .clone(),
            ),
            false => None,
        };
        let version = self.new_version(api_id, now);
        let deployment = Deployment {
            definition,
            backend,
            version,
            description: description.to_owned(),
            deployed: now,
        };
        let entry = Version {
            stage,
            deployment: deployment.clone(),
        };
        self.history
            .entry(api_id.to_owned())
            .or_default()
            .push(entry);
        self.deployments
            .entry(api_id.to_owned())
            .or_default()
            .insert(stage, deployment);
        Ok(())
    }

    /// The moment in 17 digits; two publications in one millisecond still differ.
    fn new_version(&self, api_id: &str, now: Timestamp) -> String {
        let taken: Vec<&str> = self
            .history
            .get(api_id)
            .into_iter()
            .flatten()
            .map(|v| v.deployment.version.as_str())
            .collect();
        let mut moment = now;
        loop {
            let version = format!(
                "{}{:03}",
                moment.strftime("%Y%m%d%H%M%S"),
                moment.subsec_millisecond()
            );
            if !taken.contains(&version.as_str()) {
                return version;
            }
            moment = moment
                .checked_add(SignedDuration::from_millis(1))
                .unwrap_or(moment);
        }
    }

    /// Takes an API off a stage and unbinds its plugins there; grants stay.
    pub(super) fn abolish(&mut self, api_id: &str, stage: Stage) -> Result<(), ApiError> {
        self.api(api_id)?;
        let stages = self
            .deployments
            .get_mut(api_id)
            .ok_or_else(|| errors::not_found("Stage"))?;
        stages
            .remove(&stage)
            .ok_or_else(|| errors::not_found("Stage"))?;
        if stages.is_empty() {
            self.deployments.remove(api_id);
        }
        self.api_plugins
            .retain(|binding| !(binding.api_id == api_id && binding.stage == stage));
        self.traffic_bindings
            .retain(|binding| !(binding.api_id == api_id && binding.stage == stage));
        Ok(())
    }

    /// `NotFoundDeployment` unless the API runs in the stage.
    pub(super) fn published(&self, api_id: &str, stage: Stage) -> Result<&Deployment, ApiError> {
        self.api(api_id)?;
        self.deployment(api_id, stage)
            .ok_or_else(|| errors::not_found("Deployment"))
    }
}

/// The words for the state of a publication of the past.
pub(super) fn status(state: &State, api_id: &str, version: &Version) -> Value {
    let runs = state
        .deployment(api_id, version.stage)
        .is_some_and(|d| d.version == version.deployment.version);
    Value::from(if runs { "ONLINE" } else { "OFFLINE" })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_publication_needs_stage_description_and_access() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        assert_eq!(
            cloud.refused(
                "DeployApi",
                &[("ApiId", &api), ("StageName", "LIVE"), ("Description", "x")]
            ),
            "NotFoundStage"
        );
        assert_eq!(
            cloud.refused("DeployApi", &[("ApiId", &api), ("StageName", "TEST")]),
            "MissingDescription"
        );
        assert_eq!(
            cloud.refused("AbolishApi", &[("ApiId", &api), ("StageName", "TEST")]),
            "NotFoundStage"
        );
        let vpc = cloud.vpc();
        cloud.ok(
            "RemoveVpcAccess",
            &[("VpcId", &vpc), ("InstanceId", "lb-access"), ("Port", "80")],
        );
        assert_eq!(
            cloud.refused(
                "DeployApi",
                &[("ApiId", &api), ("StageName", "TEST"), ("Description", "x")]
            ),
            "NotFoundVpc"
        );
    }

    #[test]
    fn versions_have_17_digits_and_differ() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let version = |cloud: &mut Cloud| {
            let shown = cloud.ok("DescribeApi", &[("ApiId", &api)]);
            Cloud::text(
                &shown["DeployedInfos"]["DeployedInfo"][0],
                "EffectiveVersion",
            )
        };
        let first = version(&mut cloud);
        assert_eq!(first, "20261120000000000");
        cloud.deploy(&api);
        assert_ne!(version(&mut cloud), first);
    }

    #[test]
    fn batches_report_each_api() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let params = [
            ("StageName", "PRE"),
            ("Description", "x"),
            ("Api.1.ApiUid", api.as_str()),
            ("Api.1.GroupId", group.as_str()),
            ("Api.2.ApiUid", "none"),
            ("Api.2.GroupId", group.as_str()),
        ];
        let operation = Cloud::text(&cloud.ok("BatchDeployApis", &params), "OperationId");
        let results = cloud.ok("DescribeDeployApiTask", &[("OperationUid", &operation)]);
        let results = results["DeployedResults"]["DeployedResult"]
            .as_array()
            .unwrap();
        assert_eq!(results.len(), 2);
        assert_eq!(results[0]["ErrorMsg"], "");
        assert_ne!(results[1]["ErrorMsg"], "");
        cloud.ok(
            "DescribeDeployedApi",
            &[("ApiId", &api), ("StageName", "PRE")],
        );
        let stop = [
            ("Api.1.ApiUid", api.as_str()),
            ("Api.1.GroupId", group.as_str()),
            ("Api.1.StageName", "PRE"),
        ];
        cloud.ok("BatchAbolishApis", &stop);
        assert_eq!(
            cloud.refused(
                "DescribeDeployedApi",
                &[("ApiId", &api), ("StageName", "PRE")]
            ),
            "NotFoundStage"
        );
    }
}
