//! Codes, keys and secrets of consumers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors;
use super::find::{app_id, done, seen, stamp};
use super::state::{AppCode, AppKey, State};
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeAppSecurity" => first(world, request),
        "DescribeAppSecurities" => all(world, request),
        "CreateAppCode" => create_code(world, request),
        "DeleteAppCode" => delete_code(world, request),
        "ResetAppCode" => reset_code(world, request),
        "CreateAppKey" => create_key(world, request),
        "DeleteAppKey" => delete_key(world, request),
        "ResetAppSecret" => reset_secret(world, request),
        _ => return None,
    })
}

fn first(world: &World, request: &Request) -> Answer {
    let id = app_id(&request.params)?;
    let app = seen(world.cloudapi.apps.get(&id), request.now, "App")?;
    Ok(security(app.codes.first(), app.keys.first(), app.modified))
}

fn all(world: &World, request: &Request) -> Answer {
    let id = app_id(&request.params)?;
    let app = seen(world.cloudapi.apps.get(&id), request.now, "App")?;
    let rows = app.codes.len().max(app.keys.len());
    let items: Vec<Value> = (0..rows)
        .map(|row| security(app.codes.get(row), app.keys.get(row), app.modified))
        .collect();
    Ok(json!({ "AppSecuritys": { "AppSecurity": items } }))
}

fn security(code: Option<&AppCode>, key: Option<&AppKey>, modified: Timestamp) -> Value {
    let created = key
        .map(|key| key.created)
        .or(code.map(|code| code.created))
        .unwrap_or(modified);
    let changed = [key.map(|key| key.modified), code.map(|code| code.modified)]
        .into_iter()
        .flatten()
        .max();
    json!({
        "AppCode": code.map_or("", |code| code.code.as_str()),
        "AppKey": key.map_or("", |key| key.key.as_str()),
        "AppSecret": key.map_or("", |key| key.secret.as_str()),
        "CreatedTime": stamp(created),
        "ModifiedTime": stamp(changed.unwrap_or(modified)),
    })
}

fn create_code(world: &mut World, request: &Request) -> Answer {
    let id = app_id(&request.params)?;
    world.cloudapi.app(id)?;
    let code = new_code(world, request.params.filled("AppCode"), request.now)?;
    free_code(&world.cloudapi, &code.code)?;
    world.cloudapi.app_mut(id)?.codes.push(code);
    Ok(done())
}

fn delete_code(world: &mut World, request: &Request) -> Answer {
    let code = request.params.required("AppCode")?;
    let app = world.cloudapi.app_mut(app_id(&request.params)?)?;
    let before = app.codes.len();
    app.codes.retain(|known| known.code != code);
    if app.codes.len() == before {
        Err(errors::not_found("AppCode"))
    } else {
        Ok(done())
    }
}

fn reset_code(world: &mut World, request: &Request) -> Answer {
    let old = request.params.required("AppCode")?.to_owned();
    let new = new_code(world, request.params.filled("NewAppCode"), request.now)?;
    if new.code != old {
        free_code(&world.cloudapi, &new.code)?;
    }
    let codes = world
        .cloudapi
        .apps
        .values_mut()
        .flat_map(|app| app.value.codes.iter_mut());
    let code = codes
        .into_iter()
        .find(|code| code.code == old)
        .ok_or_else(|| errors::not_found("AppCode"))?;
    code.code = new.code;
    code.modified = request.now;
    Ok(done())
}

fn create_key(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let id = app_id(params)?;
    world.cloudapi.app(id)?;
    let key = new_key(
        world,
        params.filled("AppKey"),
        params.filled("AppSecret"),
        request.now,
    )?;
    free_key(&world.cloudapi, &key.key)?;
    world.cloudapi.app_mut(id)?.keys.push(key);
    Ok(done())
}

fn delete_key(world: &mut World, request: &Request) -> Answer {
    let key = request.params.required("AppKey")?;
    let app = world.cloudapi.app_mut(app_id(&request.params)?)?;
    let before = app.keys.len();
    app.keys.retain(|known| known.key != key);
    if app.keys.len() == before {
        Err(errors::not_found("AppKey"))
    } else {
        Ok(done())
    }
}

/// A new secret for a key, and a new key if one is given.
fn reset_secret(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let old = params.required("AppKey")?.to_owned();
    let new = params.filled("NewAppKey").unwrap_or(&old).to_owned();
    let new = new_key(
        world,
        Some(&new),
        params.filled("NewAppSecret"),
        request.now,
    )?;
    if new.key != old {
        free_key(&world.cloudapi, &new.key)?;
    }
    let keys = world
        .cloudapi
        .apps
        .values_mut()
        .flat_map(|app| app.value.keys.iter_mut());
    let key = keys
        .into_iter()
        .find(|key| key.key == old)
        .ok_or_else(|| errors::not_found("AppKey"))?;
    key.key = new.key;
    key.secret = new.secret;
    key.modified = request.now;
    Ok(done())
}

/// The code of the caller, or one made here.
pub(super) fn new_code(
    world: &mut World,
    given: Option<&str>,
    now: Timestamp,
) -> Result<AppCode, ApiError> {
    let code = given.map_or_else(|| world.ids.hex32(), str::to_owned);
    check("AppCode", &code)?;
    world.cloudapi.issued.insert(code.clone());
    Ok(AppCode {
        code,
        created: now,
        modified: now,
    })
}

/// Key and secret of the caller, or made here.
pub(super) fn new_key(
    world: &mut World,
    key: Option<&str>,
    secret: Option<&str>,
    now: Timestamp,
) -> Result<AppKey, ApiError> {
    let key = key.map_or_else(|| world.ids.number().to_string(), str::to_owned);
    let secret = secret.map_or_else(|| world.ids.hex32(), str::to_owned);
    check("AppKey", &key)?;
    check("AppSecret", &secret)?;
    world.cloudapi.issued.insert(secret.clone());
    Ok(AppKey {
        key,
        secret,
        created: now,
        modified: now,
    })
}

fn check(noun: &str, value: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_@#!*".contains(c);
    if value.is_empty() || value.len() > 128 || !value.chars().all(allowed) {
        return Err(errors::invalid(
            noun,
            "1 to 128 letters, digits and the characters -_@#!*",
        ));
    }
    Ok(())
}

pub(super) fn free_code(state: &State, code: &str) -> Result<(), ApiError> {
    let mut codes = state.apps.values().flat_map(|app| &app.value.codes);
    if codes.any(|known| known.code == code) {
        return Err(errors::repeated("AppCode", "it belongs to another app"));
    }
    Ok(())
}

pub(super) fn free_key(state: &State, key: &str) -> Result<(), ApiError> {
    let mut keys = state.apps.values().flat_map(|app| &app.value.keys);
    if keys.any(|known| known.key == key) {
        return Err(errors::repeated("AppKey", "it belongs to another app"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn codes_rotate_without_a_gap() {
        let mut cloud = Cloud::new();
        let app = cloud.app("knative");
        let old = Cloud::text(
            &cloud.ok("DescribeAppSecurity", &[("AppId", &app)]),
            "AppCode",
        );
        cloud.ok("CreateAppCode", &[("AppId", &app), ("AppCode", "new-code")]);
        let both = cloud.ok("DescribeAppSecurities", &[("AppId", &app)]);
        assert_eq!(
            both["AppSecuritys"]["AppSecurity"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        cloud.ok("DeleteAppCode", &[("AppId", &app), ("AppCode", &old)]);
        assert_eq!(
            cloud.ok("DescribeAppSecurity", &[("AppId", &app)])["AppCode"],
            "new-code"
        );
        assert_eq!(
            cloud.refused("DeleteAppCode", &[("AppId", &app), ("AppCode", &old)]),
            "NotFoundAppCode"
        );
        assert_eq!(
            cloud.refused("CreateAppCode", &[("AppId", &app), ("AppCode", "new-code")]),
            "RepeatedAppCode"
        );
    }

    #[test]
    fn resets_do_not_tell_the_new_value() {
        let mut cloud = Cloud::new();
        let app = cloud.app("knative");
        let old = cloud.ok("DescribeAppSecurity", &[("AppId", &app)]);
        let (code, key) = (Cloud::text(&old, "AppCode"), Cloud::text(&old, "AppKey"));
        assert_eq!(
            cloud.ok("ResetAppCode", &[("AppCode", &code)]),
            serde_json::json!({})
        );
        assert_eq!(
            cloud.ok("ResetAppSecret", &[("AppKey", &key)]),
            serde_json::json!({})
        );
        let new = cloud.ok("DescribeAppSecurity", &[("AppId", &app)]);
        assert_ne!(new["AppCode"], old["AppCode"]);
        assert_ne!(new["AppSecret"], old["AppSecret"]);
        assert_eq!(new["AppKey"], old["AppKey"]);
        cloud.ok(
            "ResetAppSecret",
            &[
                ("AppKey", &key),
                ("NewAppKey", "key-2"),
                ("NewAppSecret", "s-2"),
            ],
        );
        cloud.ok("CreateAppKey", &[("AppId", &app), ("AppKey", "key-3")]);
        cloud.ok("DeleteAppKey", &[("AppId", &app), ("AppKey", "key-2")]);
        assert_eq!(
            cloud.ok("DescribeAppSecurity", &[("AppId", &app)])["AppKey"],
            "key-3"
        );
        assert_eq!(
            cloud.refused("ResetAppCode", &[("AppCode", &code)]),
            "NotFoundAppCode"
        );
    }
}
