//! Who calls, and whether he may.

use jiff::Timestamp;

use super::Runtime;
use super::failure::Failure;
use super::incoming::Incoming;
use super::route::Route;
use super::signature;
use crate::cloudapi::{App, Definition};
use crate::world::World;

/// The spellings of the query parameter that carries a code.
const CODE_NAMES: [&str; 5] = ["AppCode", "appcode", "appCode", "APPCODE", "APPCode"];

/// A consumer that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consumer {
    pub(super) app_id: i64,
    /// The key it signed with; empty with a code.
    pub(super) key: String,
    pub(super) extend: String,
}

/// The consumer of an API that asks for one; none for an anonymous API.
pub(super) fn authenticate(
    world: &World,
    runtime: &Runtime,
    route: &Route<'_>,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<Option<Consumer>, Failure> {
    let definition = &route.deployment.definition;
    match definition.auth_type.as_str() {
        "ANONYMOUS" => return Ok(None),
        "APP" => {}
        other => {
            return Err(Failure::not_emulated(&format!(
                "authentication of type {other}"
            )));
        }
    }
    let (app, key) = match code(definition, incoming) {
        Some(code) => (by_code(world, &code)?, String::new()),
        None if incoming.header("x-ca-key").is_empty() => return Err(Failure::unauthenticated()),
        None => by_signature(world, runtime, definition, incoming, now)?,
    };
    if app.disabled {
        return Err(Failure::unauthorized("the app is disabled"));
    }
    check_grant(world, route, app, now)?;
    Ok(Some(Consumer {
        app_id: app.id,
        key,
        extend: app.extend.clone(),
    }))
}

fn check_grant(world: &World, route: &Route<'_>, app: &App, now: Timestamp) -> Result<(), Failure> {
    let grant = world.cloudapi.grant(route.api_id, route.stage, app.id);
    match grant
        .ok_or_else(|| Failure::unauthorized("the app is not authorized for this API"))?
        .valid_until
    {
        Some(end) if end <= now => Err(Failure::grant_expired()),
        _ => Ok(()),
    }
}

/// The code in a request, where the API takes one. `DEFAULT` takes codes of the marketplace only,
/// where nothing here is sold.
fn code(definition: &Definition, incoming: &Incoming) -> Option<String> {
    let allowed = definition.app_code_auth_type.as_str();
    if !matches!(allowed, "HEADER" | "HEADER_QUERY") {
        return None;
    }
    let header = incoming.header("authorization").trim();
    if let Some((scheme, code)) = header.split_once(' ')
        && scheme.eq_ignore_ascii_case("APPCODE")
    {
        return Some(code.trim().to_owned());
    }
    if allowed != "HEADER_QUERY" {
        return None;
    }
    incoming
        .query_pairs()
        .into_iter()
        .find(|(name, _)| CODE_NAMES.contains(&name.as_str()))
        .map(|(_, code)| code)
}

fn by_code<'a>(world: &'a World, code: &str) -> Result<&'a App, Failure> {
    let mut apps = world.cloudapi.apps.values().map(|app| &app.value);
    apps.find(|app| app.codes.iter().any(|known| known.code == code))
        .ok_or_else(Failure::app_code)
}

fn by_signature<'a>(
    world: &'a World,
    runtime: &Runtime,
    definition: &Definition,
    incoming: &Incoming,
    now: Timestamp,
) -> Result<(&'a App, String), Failure> {
    let wanted = incoming.header("x-ca-key");
    let mut apps = world.cloudapi.apps.values().map(|app| &app.value);
    let found = apps.find_map(|app| {
        app.keys
            .iter()
            .find(|key| key.key == wanted)
            .map(|key| (app, key))
    });
    let (app, key) = found.ok_or_else(Failure::app_key)?;
    signature::check(incoming, definition, key, runtime, now)?;
    Ok((app, key.key.clone()))
}
