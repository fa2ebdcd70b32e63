//! Classic throttling policies, the model before plugins.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::find::{done, optional_stage, page, paging, stamp};
use super::plugin_data::{Limits, seconds};
use super::state::{TrafficBinding, TrafficControl};
use super::{checks, errors};
use crate::api::{Answer, ApiError, Params, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "CreateTrafficControl" => create(world, request),
        "ModifyTrafficControl" => modify(world, request),
        "DeleteTrafficControl" => delete(world, request),
        "DescribeTrafficControls" => list(world, request),
        "AddTrafficSpecialControl" => add_special(world, request),
        "DeleteTrafficSpecialControl" => delete_special(world, request),
        "DeleteAllTrafficSpecialControl" => delete_specials(world, request),
        _ => return None,
    })
}

fn create(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let control = TrafficControl {
        id: world.ids.hex32(),
        name: checks::name(
            "TrafficControlName",
            params.required("TrafficControlName")?,
            4,
            50,
        )?,
        description: checks::description(params, 180)?,
        unit: unit(params.required("TrafficControlUnit")?)?,
        api_default: limit(params, "ApiDefault")?.ok_or_else(|| params.missing("ApiDefault"))?,
        user_default: limit(params, "UserDefault")?,
        app_default: limit(params, "AppDefault")?,
        specials: BTreeMap::new(),
        created: request.now,
        modified: request.now,
    };
    check_order(&control)?;
    let answer = json!({ "TrafficControlId": control.id });
    world
        .cloudapi
        .traffic_controls
        .insert(control.id.clone(), control);
    Ok(answer)
}

fn modify(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let mut control = world
        .cloudapi
        .traffic_control(params.required("TrafficControlId")?)?
        .clone();
    if let Some(name) = params.filled("TrafficControlName") {
        control.name = checks::name("TrafficControlName", name, 4, 50)?;
    }
    if let Some(text) = params.filled("TrafficControlUnit") {
        control.unit = unit(text)?;
    }
    if params.get("Description").is_some() {
        control.description = checks::description(params, 180)?;
    }
    control.api_default = limit(params, "ApiDefault")?.unwrap_or(control.api_default);
    control.user_default = limit(params, "UserDefault")?.or(control.user_default);
    control.app_default = limit(params, "AppDefault")?.or(control.app_default);
    control.modified = request.now;
    check_order(&control)?;
    world
        .cloudapi
        .traffic_controls
        .insert(control.id.clone(), control);
    Ok(done())
}

fn delete(world: &mut World, request: &Request) -> Answer {
    let state = &mut world.cloudapi;
    let id = state
        .traffic_control(request.params.required("TrafficControlId")?)?
        .id
        .clone();
    if state
        .traffic_bindings
        .iter()
        .any(|binding| binding.control_id == id)
    {
        return Err(errors::dependency("TrafficControl", "API"));
    }
    state.traffic_controls.remove(&id);
    Ok(done())
}

fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let stage = optional_stage(params)?;
    let (api_id, group_id) = (params.filled("ApiId"), params.filled("GroupId"));
    let by_binding = api_id.is_some() || group_id.is_some() || stage.is_some();
    let matches = |binding: &TrafficBinding| {
        checks::equal(api_id, &binding.api_id)
            && stage.is_none_or(|stage| stage == binding.stage)
            && group_id.is_none_or(|group| {
                state
                    .apis
                    .get(&binding.api_id)
                    .is_some_and(|api| api.value.group_id == group)
            })
    };
    let mut found: Vec<&TrafficControl> = state
        .traffic_controls
        .values()
        .filter(|control| checks::equal(params.filled("TrafficControlId"), &control.id))
        .filter(|control| checks::contains(params.filled("TrafficControlName"), &control.name))
        .filter(|control| {
            !by_binding
                || state
                    .traffic_bindings
                    .iter()
                    .any(|b| b.control_id == control.id && matches(b))
        })
        .collect();
    found.sort_by_key(|control| std::cmp::Reverse((control.created, &control.id)));
    Ok(page(
        paging,
        ("TrafficControls", "TrafficControl"),
        &found,
        |control| attribute(control),
    ))
}

fn attribute(control: &TrafficControl) -> Value {
    let specials: Vec<Value> = control
        .specials
        .iter()
        .map(|(kind, keys)| {
            let keys: Vec<Value> = keys
                .iter()
                .map(|(key, value)| json!({ "SpecialKey": key, "TrafficValue": value }))
                .collect();
            json!({ "SpecialType": kind, "Specials": { "Special": keys } })
        })
        .collect();
    json!({
        "TrafficControlId": control.id,
        "TrafficControlName": control.name,
        "TrafficControlUnit": control.unit,
        "ApiDefault": control.api_default,
        "UserDefault": control.user_default.unwrap_or(0),
        "AppDefault": control.app_default.unwrap_or(0),
        "Description": control.description,
        "CreatedTime": stamp(control.created),
        "ModifiedTime": stamp(control.modified),
        "SpecialPolicies": { "SpecialPolicy": specials },
    })
}

/// The same key again replaces its limit.
fn add_special(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let (kind, key) = special(params)?;
    let value = limit(params, "TrafficValue")?.ok_or_else(|| params.missing("TrafficValue"))?;
    if kind == "APP" {
        world.cloudapi.app(
            key.parse()
                .map_err(|_| errors::invalid("SpecialKey", "an APP is named by its number"))?,
        )?;
    }
    let control = control_mut(world, request)?;
    control.specials.entry(kind).or_default().insert(key, value);
    control.modified = request.now;
    Ok(done())
}

fn delete_special(world: &mut World, request: &Request) -> Answer {
    let (kind, key) = special(&request.params)?;
    let control = control_mut(world, request)?;
    let keys = control
        .specials
        .get_mut(&kind)
        .ok_or_else(|| errors::not_found("SpecialKey"))?;
    keys.remove(&key)
        .ok_or_else(|| errors::not_found("SpecialKey"))?;
    if keys.is_empty() {
        control.specials.remove(&kind);
    }
    control.modified = request.now;
    Ok(done())
}

fn delete_specials(world: &mut World, request: &Request) -> Answer {
    let control = control_mut(world, request)?;
    control.specials.clear();
    control.modified = request.now;
    Ok(done())
}

fn control_mut<'a>(
    world: &'a mut World,
    request: &Request,
) -> Result<&'a mut TrafficControl, ApiError> {
    let id = request.params.required("TrafficControlId")?;
    world
        .cloudapi
        .traffic_controls
        .get_mut(id)
        .ok_or_else(|| errors::not_found("TrafficControl"))
}

fn special(params: &Params) -> Result<(String, String), ApiError> {
    let kind = params.required("SpecialType")?;
    if !["APP", "USER"].contains(&kind) {
        return Err(errors::invalid(
            "SpecialType",
            &format!("\"{kind}\" is neither APP nor USER"),
        ));
    }
    Ok((kind.to_owned(), params.required("SpecialKey")?.to_owned()))
}

fn unit(text: &str) -> Result<String, ApiError> {
    match seconds(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(errors::invalid(
            "TrafficControlUnit",
            &format!("\"{text}\" is none of SECOND, MINUTE, HOUR, DAY"),
        )),
    }
}

fn limit(params: &Params, name: &str) -> Result<Option<i64>, ApiError> {
    match params.int(name)? {
        Some(number) if number <= 0 => {
            Err(errors::invalid(name, &format!("{number} is not above 0")))
        }
        number => Ok(number),
    }
}

fn check_order(control: &TrafficControl) -> Result<(), ApiError> {
    Limits::of_control(control)
        .check_order()
        .map_err(|(noun, rule)| errors::invalid(noun, rule))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn limits_are_ordered() {
        let mut cloud = Cloud::new();
        let mut with = |api: &str, user: &str, app: &str| {
            let params = [
                ("TrafficControlName", "limit"),
                ("TrafficControlUnit", "MINUTE"),
                ("ApiDefault", api),
                ("UserDefault", user),
                ("AppDefault", app),
            ];
            cloud
                .call("CreateTrafficControl", &params)
                .map(|_| ())
                .map_err(|error| error.code)
        };
        assert_eq!(with("10", "11", "1"), Err("InvalidUserDefault".to_owned()));
        assert_eq!(with("10", "5", "6"), Err("InvalidAppDefault".to_owned()));
        assert_eq!(with("0", "", ""), Err("InvalidApiDefault".to_owned()));
        assert_eq!(with("10", "5", "5"), Ok(()));
        assert_eq!(with("10", "", ""), Ok(()));
    }

    #[test]
    fn specials_are_upserts() {
        let mut cloud = Cloud::new();
        let app = cloud.app("knative");
        let made = cloud.ok(
            "CreateTrafficControl",
            &[
                ("TrafficControlName", "limit"),
                ("TrafficControlUnit", "DAY"),
                ("ApiDefault", "9"),
            ],
        );
        let id = Cloud::text(&made, "TrafficControlId");
        let add = |key: &str, value: &str| {
            [
                ("TrafficControlId", id.clone()),
                ("SpecialType", "APP".into()),
                ("SpecialKey", key.to_owned()),
                ("TrafficValue", value.to_owned()),
            ]
        };
        cloud.ok(
            "AddTrafficSpecialControl",
            &super::super::testing::borrowed(&add(&app, "3")),
        );
        cloud.ok(
            "AddTrafficSpecialControl",
            &super::super::testing::borrowed(&add(&app, "4")),
        );
        assert_eq!(
            cloud.refused(
                "AddTrafficSpecialControl",
                &super::super::testing::borrowed(&add("1", "4"))
            ),
            "NotFoundApp"
        );
        let shown = cloud.ok("DescribeTrafficControls", &[("TrafficControlId", &id)]);
        let policy =
            &shown["TrafficControls"]["TrafficControl"][0]["SpecialPolicies"]["SpecialPolicy"][0];
        assert_eq!(
            policy["Specials"]["Special"],
            serde_json::json!([{ "SpecialKey": app, "TrafficValue": 4 }])
        );
        cloud.ok(
            "DeleteAllTrafficSpecialControl",
            &[("TrafficControlId", &id)],
        );
        let gone = [
            ("TrafficControlId", id.as_str()),
            ("SpecialType", "APP"),
            ("SpecialKey", app.as_str()),
        ];
        assert_eq!(
            cloud.refused("DeleteTrafficSpecialControl", &gone),
            "NotFoundSpecialKey"
        );
    }
}
