//! Reading consumers.

use serde_json::{Value, json};

use super::checks::{self, TagFilter};
use super::find::{app_id, page, paging, seen, stamp, tag_info};
use super::state::App;
use crate::api::{Answer, ApiError, Request};
use crate::world::World;

/// Calls of `DescribeApps` a day.
const LISTS_A_DAY: u32 = 200;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeApps" => list(world, request),
        "DescribeApp" => describe(world, request),
        "DescribeAppAttributes" => attributes(world, request),
        _ => return None,
    })
}

fn list(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    if world.cloudapi.app_list_calls.add(request.now) > LISTS_A_DAY {
        return Err(ApiError::bad_request(
            "Throttling.Api",
            format!(
                "DescribeApps is limited to {LISTS_A_DAY} calls a day; use DescribeAppAttributes."
            ),
        ));
    }
    let wanted = params.int("AppId")?;
    let found = sorted(world, request, |app| wanted.is_none_or(|id| id == app.id));
    Ok(page(
        paging,
        ("Apps", "AppItem"),
        &found,
        |app| json!({ "AppId": app.id, "AppName": app.name, "Description": app.description }),
    ))
}

fn describe(world: &World, request: &Request) -> Answer {
    let id = app_id(&request.params)?;
    Ok(attribute(seen(
        world.cloudapi.apps.get(&id),
        request.now,
        "App",
    )?))
}

fn attributes(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let wanted = params.int("AppId")?;
    let (code, key) = (params.filled("AppCode"), params.filled("AppKey"));
    let tags = TagFilter::of(params);
    let mut found = sorted(world, request, |app| {
        wanted.is_none_or(|id| id == app.id)
            && checks::contains(params.filled("AppName"), &app.name)
            && checks::equal(params.filled("Extend"), &app.extend)
            && code.is_none_or(|wanted| app.codes.iter().any(|code| code.code == wanted))
            && key.is_none_or(|wanted| app.keys.iter().any(|key| key.key == wanted))
            && tags.matches(&app.tags)
    });
    match params
        .filled("Sort")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("asc") => found.sort_by_key(|app| (app.modified, app.id)),
        Some("desc") => found.sort_by_key(|app| std::cmp::Reverse((app.modified, app.id))),
        _ => {}
    }
    Ok(page(paging, ("Apps", "AppAttribute"), &found, |app| {
        let mut item = attribute(app);
        if let Some(members) = item.as_object_mut() {
            members.insert("Tags".to_owned(), tag_info(&app.tags));
        }
        item
    }))
}

fn sorted<'a>(world: &'a World, request: &Request, wanted: impl Fn(&App) -> bool) -> Vec<&'a App> {
    let apps = world
        .cloudapi
        .apps
        .values()
        .filter_map(|app| app.seen(request.now));
    let mut found: Vec<&App> = apps.filter(|app| wanted(app)).collect();
    found.sort_by_key(|app| std::cmp::Reverse((app.created, app.id)));
    found
}

fn attribute(app: &App) -> Value {
    json!({
        "AppId": app.id,
        "AppName": app.name,
        "Description": app.description,
        "Extend": app.extend,
        "Disabled": app.disabled,
        "CreatedTime": stamp(app.created),
        "ModifiedTime": stamp(app.modified),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn attributes_filter_and_the_plain_list_is_rationed() {
        let mut cloud = Cloud::new();
        cloud.ok(
            "CreateApp",
            &[
                ("AppName", "first"),
                ("AppCode", "code-1"),
                ("Tag.1.Key", "a"),
                ("Tag.1.Value", "b"),
            ],
        );
        cloud.app("second");
        let by_code = cloud.ok("DescribeAppAttributes", &[("AppCode", "code-1")]);
        assert_eq!(by_code["Apps"]["AppAttribute"][0]["AppName"], "first");
        assert_eq!(
            cloud.ok("DescribeAppAttributes", &[("Tag.1.Key", "a")])["TotalCount"],
            1
        );
        for _ in 0..200 {
            assert_eq!(cloud.ok("DescribeApps", &[])["TotalCount"], 2);
        }
        assert_eq!(cloud.refused("DescribeApps", &[]), "Throttling.Api");
        cloud.now += jiff::SignedDuration::from_hours(24);
        cloud.ok("DescribeApps", &[]);
        assert_eq!(
            cloud.refused("DescribeApp", &[("AppId", "1")]),
            "NotFoundApp"
        );
        assert_eq!(
            cloud.refused("DescribeApp", &[("AppId", "x")]),
            "InvalidAppId"
        );
    }
}
