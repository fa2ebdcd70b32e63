//! Consumers.

use serde_json::json;

use super::credentials::{free_code, free_key, new_code, new_key};
use super::find::{app_id, done};
use super::state::{App, State};
use super::{checks, errors};
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// Consumers of an account.
const MOST: usize = 1000;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "CreateApp" => create(world, request),
        "ModifyApp" => modify(world, request),
        "DeleteApp" => delete(world, request),
        _ => return None,
    })
}

fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = checks::name("AppName", params.required("AppName")?, 4, 26)?;
    let description = checks::description(params, 180)?;
    let tags = checks::tags(params)?;
    free_name(&world.cloudapi, &name, None)?;
    if world.cloudapi.apps.len() >= MOST {
        return Err(errors::exceeded("App", MOST));
    }
    let code = new_code(world, params.filled("AppCode"), request.now)?;
    let key = new_key(
        world,
        params.filled("AppKey"),
        params.filled("AppSecret"),
        request.now,
    )?;
    free_code(&world.cloudapi, &code.code)?;
    free_key(&world.cloudapi, &key.key)?;
    let mut id = world.ids.number();
    while world.cloudapi.apps.contains_key(&id) {
        id = world.ids.number();
    }
    let app = App {
        id,
        name,
        description,
        extend: params.get("Extend").unwrap_or_default().to_owned(),
        disabled: false,
        codes: vec![code],
        keys: vec![key],
        tags,
        created: request.now,
        modified: request.now,
    };
    world
        .cloudapi
        .apps
        .insert(id, Visible::new(app, request.visible_from));
    Ok(json!({ "AppId": id, "TagStatus": true }))
}

fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let id = app_id(params)?;
    world.cloudapi.app(id)?;
    let name = params
        .filled("AppName")
        .map(|name| checks::name("AppName", name, 4, 26))
        .transpose()?;
    if let Some(name) = &name {
        free_name(&world.cloudapi, name, Some(id))?;
    }
    let description = params
        .get("Description")
        .map(|_| checks::description(params, 180))
        .transpose()?;
    let disabled = params.bool("Disabled")?;
    let app = world.cloudapi.app_mut(id)?;
    if let Some(name) = name {
        app.name = name;
    }
    if let Some(description) = description {
        app.description = description;
    }
    if let Some(extend) = params.get("Extend") {
        extend.clone_into(&mut app.extend);
    }
    app.disabled = disabled.unwrap_or(app.disabled);
    app.modified = request.now;
    Ok(done())
}

/// Takes all authorizations of the consumer along.
fn delete(world: &mut World, request: &Request) -> Answer {
    let id = app_id(&request.params)?;
    let state = &mut world.cloudapi;
    state
        .apps
        .remove(&id)
        .ok_or_else(|| errors::not_found("App"))?;
    state.grants.retain(|grant| grant.app_id != id);
    Ok(done())
}

fn free_name(state: &State, name: &str, own: Option<i64>) -> Result<(), ApiError> {
    if state
        .apps
        .values()
        .any(|app| app.value.name == name && Some(app.value.id) != own)
    {
        return Err(errors::repeated("AppName", name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn names_codes_and_keys_are_unique() {
        let mut cloud = Cloud::new();
        cloud.ok(
            "CreateApp",
            &[
                ("AppName", "knative"),
                ("AppCode", "code-1"),
                ("AppKey", "key-1"),
                ("AppSecret", "secret-1"),
            ],
        );
        assert_eq!(
            cloud.refused("CreateApp", &[("AppName", "knative")]),
            "RepeatedAppName"
        );
        assert_eq!(
            cloud.refused("CreateApp", &[("AppName", "other"), ("AppCode", "code-1")]),
            "RepeatedAppCode"
        );
        assert_eq!(
            cloud.refused("CreateApp", &[("AppName", "other"), ("AppKey", "key-1")]),
            "RepeatedAppKey"
        );
        assert_eq!(
            cloud.refused("CreateApp", &[("AppName", &"x".repeat(27))]),
            "InvalidAppName"
        );
    }

    #[test]
    fn a_consumer_can_be_renamed_disabled_and_deleted() {
        let mut cloud = Cloud::new();
        let (_, api) = cloud.published();
        let app = cloud.app("knative");
        cloud.ok(
            "ModifyApp",
            &[
                ("AppId", &app),
                ("AppName", "renamed"),
                ("Disabled", "true"),
            ],
        );
        let shown = cloud.ok("DescribeApp", &[("AppId", &app)]);
        assert_eq!(shown["AppName"], "renamed");
        assert_eq!(shown["Disabled"], true);
        cloud.ok(
            "SetAppsAuthorities",
            &[("ApiId", &api), ("AppIds", &app), ("StageName", "RELEASE")],
        );
        cloud.ok("DeleteApp", &[("AppId", &app)]);
        assert_eq!(
            cloud.ok("DescribeAuthorizedApps", &[("ApiId", &api)])["TotalCount"],
            0
        );
        assert_eq!(
            cloud.refused("DeleteApp", &[("AppId", &app)]),
            "NotFoundApp"
        );
    }
}
