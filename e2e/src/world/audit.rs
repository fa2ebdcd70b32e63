//! What the operator asks the API server for, as the audit log of the API server has it.

use std::{fs, io, path::Path};

use serde::Deserialize;

use super::{World, WorldError, operator};

const POLICY: &str = "audit-policy.yaml";
const LOG: &str = "audit.log";
const REASON: &str = "authorization.k8s.io/reason";
const DECISION: &str = "authorization.k8s.io/decision";

/// A request of a ServiceAccount in the operator's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Such as `watch`.
    pub verb: String,
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
    /// The namespace; empty for what is cluster-wide, and for all namespaces.
    pub namespace: String,
    /// Whether authorization let it through.
    pub allowed: bool,
    /// The role that did, such as `Role "operator-leases"`; empty if none did.
    pub role: String,
}

impl World {
    /// What was asked for so far, oldest first. The world has to be
    /// [audited](super::WorldOptions::audited).
    ///
    /// # Errors
    /// If the audit log cannot be read, or a line of it is none.
    pub fn asked(&self) -> Result<Vec<Asked>, WorldError> {
        let path = self.folder().join(LOG);
        let text = fs::read_to_string(&path).map_err(io(&path, "read"))?;
        // A line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line: &str| {
            let event = serde_json::from_str::<Event>(line);
            event.map_err(|error| io(&path, "read a line of")(io::Error::other(error)))
        };
        let events = whole.lines().map(parse);
        events.map(|event| Ok(event?.asked())).collect()
    }
}

/// The flags of an API server that notes these requests in a folder, with the file they need.
pub(super) fn flags(folder: &Path) -> Result<Vec<String>, WorldError> {
    let policy = format!(
        "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {{level: Metadata, userGroups: [\"system:serviceaccounts:{}\"]}}
- {{level: None}}
",
        operator::NAMESPACE
    );
    let path = folder.join(POLICY);
    fs::write(&path, policy).map_err(io(&path, "write"))?;
    Ok(vec![
        format!("--audit-policy-file={}", path.display()),
        format!("--audit-log-path={}", folder.join(LOG).display()),
    ])
}

fn io(path: &Path, action: &str) -> impl FnOnce(io::Error) -> WorldError {
    let what = format!("{action} {}", path.display());
    |source| WorldError::Io { what, source }
}

/// An event of the audit log, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    namespace: String,
    api_group: String,
}

impl Event {
    fn asked(self) -> Asked {
        let annotation = |name: &str| self.annotations.get(name).map_or("", String::as_str);
        let object = self.object_ref;
        Asked {
            allowed: annotation(DECISION) == "allow",
            role: role(annotation(REASON)).to_owned(),
            verb: self.verb,
            group: object.api_group,
            resource: match object.subresource.as_str() {
                "" => object.resource,
                sub => format!("{}/{sub}", object.resource),
            },
            namespace: object.namespace,
        }
    }
}

/// The role in `RBAC: allowed by RoleBinding "x/ns" of Role "x" to ServiceAccount "y/ns"`.
fn role(reason: &str) -> &str {
    let after = reason.split_once(" of ").map_or("", |(_, after)| after);
    after.split_once(" to ").map_or("", |(role, _)| role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_what_was_asked_and_by_which_role_it_was_allowed() {
        let line = r#"{"kind":"Event","verb":"patch","user":{"username":"u"},
            "objectRef":{"resource":"gatewaybindings","namespace":"default","name":"a","apiGroup":"gatewaybinding.dev","subresource":"status"},
            "annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"op\" of ClusterRole \"op\" to ServiceAccount \"op/ns\""}}"#;
        let asked = serde_json::from_str::<Event>(line).unwrap().asked();
        assert_eq!(asked.resource, "gatewaybindings/status");
        assert_eq!(asked.group, "gatewaybinding.dev");
        assert_eq!(asked.role, "ClusterRole \"op\"");
        assert!(asked.allowed);
    }
}
