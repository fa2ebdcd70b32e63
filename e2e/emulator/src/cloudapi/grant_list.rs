//! Reading authorizations.

use serde_json::{Value, json};

use super::checks;
use super::find::{app_id, optional_stage, page, paging, stamp, tag_info};
use super::state::{App, Grant};
use crate::api::{Answer, Request};
use crate::world::World;

/// Who gave a grant: the owner of the API.
const SOURCE: &str = "PROVIDER";

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "DescribeAuthorizedApps" => apps(world, request),
        "DescribeAuthorizedApis" => apis(world, request),
        "DescribeApisByApp" => apis_by_app(world, request),
        _ => return None,
    })
}

fn apps(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let state = &world.cloudapi;
    let api_id = &state.api_of(params)?.id;
    let stage = optional_stage(params)?;
    let wanted = params.int("AppId")?;
    let mut found: Vec<(&Grant, &App)> = Vec::new();
    for grant in state.grants.iter().filter(|grant| grant.api_id == *api_id) {
        let Some(app) = state.apps.get(&grant.app_id).map(|app| &app.value) else {
            continue;
        };
        let shown = stage.is_none_or(|stage| stage == grant.stage)
            && wanted.is_none_or(|id| id == grant.app_id)
            && checks::contains(params.filled("AppName"), &app.name);
        if shown {
            found.push((grant, app));
        }
    }
    Ok(page(
        paging,
        ("AuthorizedApps", "AuthorizedApp"),
        &found,
        |(grant, app)| {
            let mut item = json!({
                "AppId": app.id,
                "AppName": app.name,
                "AppDescription": app.description,
                "StageName": grant.stage.as_str(),
                "StageAlias": grant.stage.as_str(),
                "Description": grant.description,
                "AuthorizationSource": SOURCE,
                "Operator": SOURCE,
                "AuthorizedTime": stamp(grant.authorized),
                "Tag": tag_info(&app.tags),
            });
            put_end(&mut item, grant);
            item
        },
    ))
}

fn apis(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let found = of_app(world, request)?;
    Ok(page(
        paging,
        ("AuthorizedApis", "AuthorizedApi"),
        &found,
        |grant| {
            let mut item = api_item(world, grant);
            if let Some(members) = item.as_object_mut() {
                members.insert("AuthorizedTime".to_owned(), json!(stamp(grant.authorized)));
            }
            item
        },
    ))
}

fn apis_by_app(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let paging = paging(params, 100)?;
    let mut found = of_app(world, request)?;
    found.retain(|grant| {
        world
            .cloudapi
            .apis
            .get(&grant.api_id)
            .map(|api| &api.value)
            .is_some_and(|api| {
                checks::equal(params.filled("ApiUid"), &api.id)
                    && checks::contains(params.filled("ApiName"), &api.definition.name)
                    && checks::contains(params.filled("Path"), &api.definition.request.request_path)
                    && checks::equal(
                        params.filled("Method"),
                        &api.definition.request.request_http_method,
                    )
                    && checks::contains(params.filled("Description"), &api.definition.description)
            })
    });
    Ok(page(
        paging,
        ("AppApiRelationInfos", "AppApiRelationInfo"),
        &found,
        |grant| {
            let mut item = api_item(world, grant);
            let draft = world
                .cloudapi
                .apis
                .get(&grant.api_id)
                .map(|api| &api.value.definition);
            if let (Some(members), Some(draft)) = (item.as_object_mut(), draft) {
                members.insert(
                    "Method".to_owned(),
                    json!(draft.request.request_http_method),
                );
                members.insert("Path".to_owned(), json!(draft.request.request_path));
                members.insert("StageAlias".to_owned(), json!(grant.stage.as_str()));
                members.insert("CreatedTime".to_owned(), json!(stamp(grant.authorized)));
            }
            item
        },
    ))
}

fn of_app<'a>(world: &'a World, request: &Request) -> Result<Vec<&'a Grant>, crate::api::ApiError> {
    let id = app_id(&request.params)?;
    world.cloudapi.app(id)?;
    Ok(world
        .cloudapi
        .grants
        .iter()
        .filter(|grant| grant.app_id == id)
        .collect())
}

fn api_item(world: &World, grant: &Grant) -> Value {
    let state = &world.cloudapi;
    let Some(api) = state.apis.get(&grant.api_id).map(|api| &api.value) else {
        return json!({});
    };
    let mut item = json!({
        "ApiId": api.id,
        "ApiName": api.definition.name,
        "GroupId": api.group_id,
        "GroupName": state.group_name(&api.group_id),
        "RegionId": world.region,
        "StageName": grant.stage.as_str(),
        "Description": grant.description,
        "AuthorizationSource": SOURCE,
        "Operator": SOURCE,
    });
    put_end(&mut item, grant);
    item
}

/// The end of validity under the product's misspelt name; absent if there is none.
fn put_end(item: &mut Value, grant: &Grant) {
    if let (Some(members), Some(end)) = (item.as_object_mut(), grant.valid_until) {
        members.insert("AuthVaildTime".to_owned(), json!(stamp(end)));
    }
}
