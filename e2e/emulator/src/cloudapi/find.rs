//! Finding objects by id, and the shape of answers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors;
use super::state::{Api, App, Deployment, Group, Plugin, Stage, State, Tags, TrafficControl};
use crate::api::{ApiError, Paging, Params};
use crate::world::Visible;

impl State {
    /// The group, whether reads see it already or not.
    pub(super) fn group(&self, id: &str) -> Result<&Group, ApiError> {
        self.groups
            .get(id)
            .map(|group| &group.value)
            .ok_or_else(|| errors::not_found("ApiGroup"))
    }

    pub(super) fn group_mut(&mut self, id: &str) -> Result<&mut Group, ApiError> {
        self.groups
            .get_mut(id)
            .map(|group| &mut group.value)
            .ok_or_else(|| errors::not_found("ApiGroup"))
    }

    /// Name of a group; empty if it is gone.
    pub(super) fn group_name(&self, id: &str) -> &str {
        self.groups
            .get(id)
            .map_or("", |group| group.value.name.as_str())
    }

    /// The API named by `ApiId`, which must be in the group named by `GroupId` if there is one.
    pub(super) fn api_of(&self, params: &Params) -> Result<&Api, ApiError> {
        let api = self.api(params.required("ApiId")?)?;
        match params.filled("GroupId") {
            Some(group_id) if group_id != api.group_id => {
                self.group(group_id)?;
                Err(errors::not_found("Api"))
            }
            _ => Ok(api),
        }
    }

    pub(super) fn api(&self, id: &str) -> Result<&Api, ApiError> {
        self.apis
            .get(id)
            .map(|api| &api.value)
            .ok_or_else(|| errors::not_found("Api"))
    }

    /// What runs of an API in a stage.
    pub fn deployment(&self, api_id: &str, stage: Stage) -> Option<&Deployment> {
        self.deployments.get(api_id)?.get(&stage)
    }

    pub(super) fn app(&self, id: i64) -> Result<&App, ApiError> {
        self.apps
            .get(&id)
            .map(|app| &app.value)
            .ok_or_else(|| errors::not_found("App"))
    }

    pub(super) fn app_mut(&mut self, id: i64) -> Result<&mut App, ApiError> {
        self.apps
            .get_mut(&id)
            .map(|app| &mut app.value)
            .ok_or_else(|| errors::not_found("App"))
    }

    pub(super) fn plugin(&self, id: &str) -> Result<&Plugin, ApiError> {
        self.plugins
            .get(id)
            .map(|plugin| &plugin.value)
            .ok_or_else(|| errors::not_found("Plugin"))
    }

    pub(super) fn traffic_control(&self, id: &str) -> Result<&TrafficControl, ApiError> {
        self.traffic_controls
            .get(id)
            .ok_or_else(|| errors::not_found("TrafficControl"))
    }
}

/// The stage named by `StageName`.
pub(super) fn stage(params: &Params) -> Result<Stage, ApiError> {
    Stage::of(params.required("StageName")?).ok_or_else(|| errors::not_found("Stage"))
}

/// The stage named by `StageName`, if there is one.
pub(super) fn optional_stage(params: &Params) -> Result<Option<Stage>, ApiError> {
    params
        .filled("StageName")
        .map(|name| Stage::of(name).ok_or_else(|| errors::not_found("Stage")))
        .transpose()
}

/// The number in `AppId`.
pub(super) fn app_id(params: &Params) -> Result<i64, ApiError> {
    params.int("AppId")?.ok_or_else(|| params.missing("AppId"))
}

/// Hides from an id what reads do not see yet.
pub(super) fn seen<'a, T>(
    object: Option<&'a Visible<T>>,
    now: Timestamp,
    noun: &str,
) -> Result<&'a T, ApiError> {
    object
        .and_then(|object| object.seen(now))
        .ok_or_else(|| errors::not_found(noun))
}

/// A moment as answers write it.
pub(super) fn stamp(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Tags as most answers write them.
pub(super) fn tag_info(tags: &Tags) -> Value {
    let items: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    json!({ "TagInfo": items })
}

/// Identifier of the stage in a group, as answers write it.
pub(super) fn stage_id(group_id: &str, stage: Stage) -> String {
    format!("{group_id}-{}", stage.as_str().to_ascii_lowercase())
}

/// `PageNumber` and `PageSize`, 10 unless told, at most `max`.
pub(super) fn paging(params: &Params, max: usize) -> Result<Paging, ApiError> {
    params.paging(10, max)
}

/// One page of a list, wrapped twice: `{"Apps": {"AppItem": […]}, …}`. Only the shown items are
/// rendered.
pub(super) fn page<T>(
    paging: Paging,
    (outer, inner): (&str, &str),
    items: &[T],
    render: impl Fn(&T) -> Value,
) -> Value {
    let skipped = paging.number.saturating_sub(1).saturating_mul(paging.size);
    let shown: Vec<Value> = items
        .iter()
        .skip(skipped)
        .take(paging.size)
        .map(render)
        .collect();
    json!({
        outer: { inner: shown },
        "PageNumber": paging.number,
        "PageSize": paging.size,
        "TotalCount": items.len(),
    })
}

/// An answer that says nothing but `RequestId`.
pub(super) fn done() -> Value {
    json!({})
}
