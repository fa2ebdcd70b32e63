//! Authorizations: which consumer may call which API in which stage.

use jiff::Timestamp;

use super::checks;
use super::errors;
use super::find::{app_id, done, stage};
use super::state::{Grant, Stage, State};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::World;

/// Consumers of an API.
const MOST: usize = 1000;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "SetAppsAuthorities" => set_apps(world, request),
        "SetApisAuthorities" => set_apis(world, request),
        "RemoveAppsAuthorities" => remove_apps(world, request),
        "RemoveApisAuthorities" => remove_apis(world, request),
        _ => return None,
    })
}

fn set_apps(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let api_id = world.cloudapi.api_of(params)?.id.clone();
    let apps = app_ids(params)?;
    let pairs = apps.into_iter().map(|app| (api_id.clone(), app)).collect();
    set(&mut world.cloudapi, request, pairs)
}

fn set_apis(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let app = app_id(params)?;
    let apis = api_ids(&world.cloudapi, params)?;
    let pairs = apis.into_iter().map(|api| (api, app)).collect();
    set(&mut world.cloudapi, request, pairs)
}

/// All or nothing. Granting again replaces the former grant.
fn set(state: &mut State, request: &Request, pairs: Vec<(String, i64)>) -> Answer {
    let params = &request.params;
    let stage = stage(params)?;
    let description = checks::description(params, 180)?;
    let valid_until = valid_until(params)?;
    for (api_id, app_id) in &pairs {
        state.app(*app_id)?;
        state.published(api_id, stage)?;
        let others = state
            .grants
            .iter()
            .filter(|g| g.api_id == *api_id && g.stage == stage && g.app_id != *app_id);
        if others.count() >= MOST {
            return Err(errors::exceeded("Authorization", MOST));
        }
    }
    for (api_id, app_id) in pairs {
        state
            .grants
            .retain(|grant| !is(grant, &api_id, stage, app_id));
        let description = description.clone();
        state.grants.push(Grant {
            api_id,
            stage,
            app_id,
            description,
            valid_until,
            authorized: request.now,
        });
    }
    Ok(done())
}

fn remove_apps(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let api_id = world.cloudapi.api_of(params)?.id.clone();
    let pairs = app_ids(params)?
        .into_iter()
        .map(|app| (api_id.clone(), app))
        .collect();
    remove(&mut world.cloudapi, stage(params)?, pairs)
}

fn remove_apis(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let app = app_id(params)?;
    world.cloudapi.app(app)?;
    let pairs = api_ids(&world.cloudapi, params)?
        .into_iter()
        .map(|api| (api, app))
        .collect();
    remove(&mut world.cloudapi, stage(params)?, pairs)
}

fn remove(state: &mut State, stage: Stage, pairs: Vec<(String, i64)>) -> Answer {
    for (api_id, app_id) in &pairs {
        if !state
            .grants
            .iter()
            .any(|grant| is(grant, api_id, stage, *app_id))
        {
            return Err(errors::not_found("Authorization"));
        }
    }
    for (api_id, app_id) in &pairs {
        state
            .grants
            .retain(|grant| !is(grant, api_id, stage, *app_id));
    }
    Ok(done())
}

fn is(grant: &Grant, api_id: &str, stage: Stage, app_id: i64) -> bool {
    grant.app_id == app_id && grant.stage == stage && grant.api_id == api_id
}

impl State {
    /// The authorization of a consumer for an API in a stage, whether still valid or not.
    pub fn grant(&self, api_id: &str, stage: Stage, app_id: i64) -> Option<&Grant> {
        self.grants
            .iter()
            .find(|grant| is(grant, api_id, stage, app_id))
    }
}

fn app_ids(params: &Params) -> Result<Vec<i64>, ApiError> {
    let number = |id: String| {
        id.parse()
            .map_err(|_| errors::invalid("AppIds", &format!("\"{id}\" is no number")))
    };
    checks::ids("AppIds", params.required("AppIds")?)?
        .into_iter()
        .map(number)
        .collect()
}

fn api_ids(state: &State, params: &Params) -> Result<Vec<String>, ApiError> {
    let ids = checks::ids("ApiIds", params.required("ApiIds")?)?;
    for id in &ids {
        let api = state.api(id)?;
        if params
            .filled("GroupId")
            .is_some_and(|group| group != api.group_id)
        {
            return Err(errors::not_found("Api"));
        }
    }
    Ok(ids)
}

fn valid_until(params: &Params) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            errors::invalid(
                "AuthValidTime",
                &format!("\"{text}\" is no time like 2026-12-31T23:59:59Z"),
            )
        })
    };
    params.filled("AuthValidTime").map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_grant_needs_a_published_api_and_a_known_consumer() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let app = cloud.app("knative");
        let draft = cloud.api(&group, "draft", "/draft", "access");
        let mut set = |api: &str, app: &str, stage: &str| {
            cloud
                .call(
                    "SetAppsAuthorities",
                    &[("ApiId", api), ("AppIds", app), ("StageName", stage)],
                )
                .map_err(|e| e.code)
        };
        assert_eq!(
            set(&draft, &app, "RELEASE"),
            Err("NotFoundDeployment".to_owned())
        );
        assert_eq!(
            set(&api, &app, "TEST"),
            Err("NotFoundDeployment".to_owned())
        );
        assert_eq!(set(&api, &app, "LIVE"), Err("NotFoundStage".to_owned()));
        assert_eq!(set(&api, "1", "RELEASE"), Err("NotFoundApp".to_owned()));
        assert_eq!(set(&api, "x", "RELEASE"), Err("InvalidAppIds".to_owned()));
        assert!(set(&api, &format!("{app},{app}"), "RELEASE").is_ok());
    }

    #[test]
    fn a_grant_is_an_upsert_with_an_end() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let app = cloud.app("knative");
        let grant = [
            ("ApiId", api.as_str()),
            ("AppIds", app.as_str()),
            ("StageName", "RELEASE"),
        ];
        cloud.ok("SetAppsAuthorities", &grant);
        let with_end = |end: &'static str| [grant[0], grant[1], grant[2], ("AuthValidTime", end)];
        assert_eq!(
            cloud.refused("SetAppsAuthorities", &with_end("tomorrow")),
            "InvalidAuthValidTime"
        );
        cloud.ok("SetAppsAuthorities", &with_end("2027-01-01T00:00:00Z"));
        let shown = cloud.ok("DescribeAuthorizedApps", &[("ApiId", &api)]);
        assert_eq!(shown["TotalCount"], 1);
        assert_eq!(
            shown["AuthorizedApps"]["AuthorizedApp"][0]["AuthVaildTime"],
            "2027-01-01T00:00:00Z"
        );
        cloud.ok("RemoveAppsAuthorities", &grant);
        assert_eq!(
            cloud.refused("RemoveAppsAuthorities", &grant),
            "NotFoundAuthorization"
        );
    }

    #[test]
    fn both_directions_are_the_same_grants() {
        let mut cloud = Cloud::new();
        let (group, api) = cloud.published();
        let second = cloud.api(&group, "second", "/second", "access");
        cloud.deploy(&second);
        let app = cloud.app("knative");
        let both = format!("{api},{second}");
        cloud.ok(
            "SetApisAuthorities",
            &[("AppId", &app), ("ApiIds", &both), ("StageName", "RELEASE")],
        );
        assert_eq!(
            cloud.ok("DescribeAuthorizedApis", &[("AppId", &app)])["TotalCount"],
            2
        );
        assert_eq!(
            cloud.ok("DescribeApisByApp", &[("AppId", &app), ("Path", "/second")])["TotalCount"],
            1
        );
        cloud.ok(
            "RemoveApisAuthorities",
            &[("AppId", &app), ("ApiIds", &both), ("StageName", "RELEASE")],
        );
        assert_eq!(
            cloud.ok("DescribeAuthorizedApis", &[("AppId", &app)])["TotalCount"],
            0
        );
    }
}
