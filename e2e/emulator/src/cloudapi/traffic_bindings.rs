//! Classic throttling policies on APIs: one per API and stage.

use serde_json::{Value, json};

use super::find::{done, page, paging, stage, stamp};
use super::state::{Stage, State, TrafficBinding};
use super::{checks, errors};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "SetTrafficControlApis" => set(&mut world.cloudapi, request),
        "RemoveTrafficControlApis" => remove(&mut world.cloudapi, request),
        "DescribeTrafficControlsByApi" => by_api(&world.cloudapi, request),
        "DescribeApiTrafficControls" => of_group(&world.cloudapi, request),
        "DescribeApisByTrafficControl" => apis(world, request),
        _ => return None,
    })
}

/// Replaces a policy that was bound before.
fn set(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let control_id = state
        .traffic_control(params.required("TrafficControlId")?)?
        .id
        .clone();
    let stage = stage(params)?;
    params.required("ApiIds")?;
    let ids = api_ids(state, params)?.unwrap_or_default();
    for id in &ids {
        state.published(id, stage)?;
    }
    for api_id in ids {
        state
            .traffic_bindings
            .retain(|b| !(b.api_id == api_id && b.stage == stage));
        state.traffic_bindings.push(TrafficBinding {
            api_id,
            stage,
            control_id: control_id.clone(),
            bound: request.now,
        });
    }
    Ok(done())
}

/// Without `ApiIds` the policy is taken off all APIs of the group and stage.
fn remove(state: &mut State, request: &Request) -> Answer {
    let params = &request.params;
    let control_id = state
        .traffic_control(params.required("TrafficControlId")?)?
        .id
        .clone();
    let stage = stage(params)?;
    let ids = api_ids(state, params)?;
    let group_id = params.required("GroupId")?.to_owned();
    let apis = &state.apis;
    let meant = |api_id: &String| match &ids {
        Some(ids) => ids.contains(api_id),
        None => apis
            .get(api_id)
            .is_some_and(|api| api.value.group_id == group_id),
    };
    state
        .traffic_bindings
        .retain(|b| !(b.control_id == control_id && b.stage == stage && meant(&b.api_id)));
    Ok(done())
}

fn by_api(state: &State, request: &Request) -> Answer {
    let params = &request.params;
    state.group(params.required("GroupId")?)?;
    let api = state.api_of(params)?;
    let stage = stage(params)?;
    let items: Vec<Value> = state
        .traffic_bindings
        .iter()
        .filter(|b| b.api_id == api.id && b.stage == stage)
        .map(|b| {
            json!({
                "TrafficControlItemId": b.control_id,
                "TrafficControlItemName": name(state, b),
                "BoundTime": stamp(b.bound),
            })
        })
        .collect();
    Ok(json!({ "TrafficControlItems": { "TrafficControlItem": items } }))
}

fn of_group(state: &State, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let group_id = params.required("GroupId")?;
    state.group(group_id)?;
    let stage = stage(params)?;
    let ids = api_ids(state, params)?;
    let found: Vec<(&TrafficBinding, &str)> = state
        .traffic_bindings
        .iter()
        .filter(|b| b.stage == stage && ids.as_ref().is_none_or(|ids| ids.contains(&b.api_id)))
        .filter_map(|b| {
            let api = &state.apis.get(&b.api_id)?.value;
            (api.group_id == group_id).then_some((b, api.definition.name.as_str()))
        })
        .collect();
    Ok(page(
        paging,
        ("ApiTrafficControls", "ApiTrafficControlItem"),
        &found,
        |(b, api_name)| {
            json!({
                "ApiId": b.api_id,
                "ApiName": api_name,
                "TrafficControlId": b.control_id,
                "TrafficControlName": name(state, b),
                "BoundTime": stamp(b.bound),
            })
        },
    ))
}

fn apis(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let control = state.traffic_control(params.required("TrafficControlId")?)?;
    let found: Vec<&TrafficBinding> = state
        .traffic_bindings
        .iter()
        .filter(|b| b.control_id == control.id)
        .collect();
    Ok(page(paging, ("ApiInfos", "ApiInfo"), &found, |b| {
        let Some(api) = state.apis.get(&b.api_id).map(|api| &api.value) else {
            return json!({});
        };
        json!({
            "ApiId": api.id,
            "ApiName": api.definition.name,
            "Description": api.definition.description,
            "Visibility": api.definition.visibility,
            "GroupId": api.group_id,
            "GroupName": state.group_name(&api.group_id),
            "RegionId": world.region,
            "StageName": b.stage.as_str(),
            "BoundTime": stamp(b.bound),
        })
    }))
}

fn name<'a>(state: &'a State, binding: &TrafficBinding) -> &'a str {
    state
        .traffic_controls
        .get(&binding.control_id)
        .map_or("", |control| control.name.as_str())
}

/// `ApiIds`, all of which must be in the group.
fn api_ids(state: &State, params: &Params) -> Result<Option<Vec<String>>, ApiError> {
    let group_id = params.required("GroupId")?;
    state.group(group_id)?;
    let Some(text) = params.filled("ApiIds") else {
        return Ok(None);
    };
    let ids = checks::ids("ApiIds", text)?;
    for id in &ids {
        if state.api(id)?.group_id != group_id {
            return Err(errors::not_found("Api"));
        }
    }
    Ok(Some(ids))
}

impl State {
    /// The classic policy on an API in a stage.
    pub fn classic_limit(&self, api_id: &str, stage: Stage) -> Option<&super::TrafficControl> {
        let binding = self
            .traffic_bindings
            .iter()
            .find(|b| b.api_id == api_id && b.stage == stage)?;
        self.traffic_controls.get(&binding.control_id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn one_policy_per_api_and_stage() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let mut control = |name: &str| {
            let made = cloud.ok(
                "CreateTrafficControl",
                &[
                    ("TrafficControlName", name),
                    ("TrafficControlUnit", "DAY"),
                    ("ApiDefault", "9"),
                ],
            );
            Cloud::text(&made, "TrafficControlId")
        };
        let (one, two) = (control("limit_one"), control("limit_two"));
        for id in [&one, &two] {
            let on = [
                ("TrafficControlId", id.as_str()),
                ("GroupId", &group),
                ("ApiIds", &api),
                ("StageName", "RELEASE"),
            ];
            cloud.ok("SetTrafficControlApis", &on);
        }
        let scope = [("GroupId", group.as_str()), ("StageName", "RELEASE")];
        let bound = cloud.ok("DescribeApiTrafficControls", &scope);
        assert_eq!(
            bound["ApiTrafficControls"]["ApiTrafficControlItem"][0]["TrafficControlName"],
            "limit_two"
        );
        assert_eq!(bound["TotalCount"], 1);
        let of_api = cloud.ok(
            "DescribeTrafficControlsByApi",
            &[scope[0], scope[1], ("ApiId", &api)],
        );
        assert_eq!(
            of_api["TrafficControlItems"]["TrafficControlItem"][0]["TrafficControlItemId"],
            two
        );
        assert_eq!(
            cloud.ok(
                "DescribeApisByTrafficControl",
                &[("TrafficControlId", &two)]
            )["TotalCount"],
            1
        );
        assert_eq!(
            cloud.ok("DescribeTrafficControls", &[("ApiId", &api)])["TotalCount"],
            1
        );
        assert_eq!(
            cloud.refused("DeleteTrafficControl", &[("TrafficControlId", &two)]),
            "DependencyViolationTrafficControl"
        );
        cloud.ok(
            "RemoveTrafficControlApis",
            &[scope[0], scope[1], ("TrafficControlId", &two)],
        );
        cloud.ok("DeleteTrafficControl", &[("TrafficControlId", &two)]);
    }
}
