//! Who else writes: what can be known of whoever sets back what the operator wrote.

use serde_json::Value;

use super::diff::FieldChange;
use super::key::ObjectKey;

/// Who may have changed a load balancer past the Service that it belongs to.
pub const PAST_THE_SERVICE: &str =
    "set in the console or through the API, or not taken by the cloud";

/// A field with what is wanted and what is there.
pub fn seen(change: &FieldChange) -> String {
    format!(
        "{}: wanted {}, seen {}",
        change.path,
        text(&change.to),
        text(&change.from)
    )
}

fn text(value: &Option<Value>) -> String {
    let nothing = || "nothing".to_owned();
    value.as_ref().map_or_else(nothing, ToString::to_string)
}

/// What is said of a field that does not keep what is written to it. `by` says whose value it has.
pub fn unkept(object: &str, change: &FieldChange, by: &str) -> String {
    format!(
        "{} of {object}: wanted {}, seen {}, {by}",
        change.path,
        text(&change.to),
        text(&change.from)
    )
}

/// By somebody whom the cloud does not name.
pub fn unnamed(calls: &str) -> String {
    format!(
        "by somebody whom the API gateway does not name (if ActionTrail is on, it has the calls of {calls} and who made them)"
    )
}

/// By the manager of the field, as the API server records it.
pub fn managers(names: &[String]) -> String {
    match names {
        [] => "by somebody whom the API server does not name".to_owned(),
        names => format!("by {}", names.join(" and ")),
    }
}

/// The calls by which somebody changes what is under a key.
pub fn calls(key: &ObjectKey) -> &'static str {
    match key {
        ObjectKey::Service { .. } => "update and patch",
        ObjectKey::Group { .. } => "ModifyApiGroup and ModifyApiGroupNetworkPolicy",
        ObjectKey::Backend { .. } => "ModifyVpcAccess and ModifyVpcAccessAndUpdateApis",
        ObjectKey::Policy { .. } => "ModifyPlugin",
        ObjectKey::Api(_) => "ModifyApi",
        ObjectKey::Deployment { .. } => "DeployApi and SwitchApi",
        ObjectKey::Attachment { .. } => "AttachPlugin and DetachPlugin",
        ObjectKey::Grant { .. } => "SetAppsAuthorities and RemoveAppsAuthorities",
    }
}
