//! What the operator asks of the API server, from the server's own audit log.
//!
//! The server does not tell its clients apart in its metrics, so the operator gets a ServiceAccount
//! of its own, and the audit log holds that account's requests only.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// Namespace of the operator's ServiceAccount.
pub(super) const NAMESPACE: &str = "gatewaybinding-system";
/// Name of the operator's ServiceAccount.
pub(super) const ACCOUNT: &str = "operator";

/// Requests by verb and resource, as `patch gatewaybindings/status`.
pub(super) type Requests = BTreeMap<String, u64>;

/// The audit log of an API server.
#[derive(Debug)]
pub(super) struct AuditLog {
    path: PathBuf,
    read: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    object_ref: Option<ObjectRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    resource: String,
    subresource: Option<String>,
}

impl AuditLog {
    /// Writes the policy into `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let policy = format!(
            "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [\"system:serviceaccount:{NAMESPACE}:{ACCOUNT}\"]
- level: None
"
        );
        fs::write(folder.join("audit-policy.yaml"), policy)?;
        Ok(Self {
            path: folder.join("audit.log"),
            read: 0,
        })
    }

    /// Flags with which an API server writes this log.
    pub(super) fn flags(&self) -> [String; 3] {
        let policy = self.path.with_file_name("audit-policy.yaml");
        [
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-log-path={}", self.path.display()),
            // Megabytes, beyond which the log would begin anew.
            "--audit-log-maxsize=4096".to_owned(),
        ]
    }

    /// The requests since the last call.
    pub(super) fn take(&mut self) -> io::Result<Requests> {
        let mut text = String::new();
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let mut file = opened?;
                file.seek(SeekFrom::Start(self.read))?;
                file.read_to_string(&mut text)?;
            }
        }
        // The last line may still be in the making.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        self.read += whole as u64;
        Ok(count(&text))
    }
}

fn count(lines: &str) -> Requests {
    let mut requests = Requests::new();
    let events = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Event>(line).ok());
    for event in events {
        // A watch is complete only when it ends.
        let counted = if event.verb == "watch" {
            "ResponseStarted"
        } else {
            "ResponseComplete"
        };
        if event.stage != counted {
            continue;
        }
        let resource = match event.object_ref {
            None => "(discovery)".to_owned(),
            Some(object) => match object.subresource {
                Some(subresource) => format!("{}/{subresource}", object.resource),
                None => object.resource,
            },
        };
        *requests
            .entry(format!("{} {resource}", event.verb))
            .or_default() += 1;
    }
    requests
}

/// Whether a key of [`Requests`] is a write other than the renewal of the Lease.
pub(super) fn is_write(key: &str) -> bool {
    let (verb, resource) = key.split_once(' ').unwrap_or((key, ""));
    !["get", "list", "watch"].contains(&verb) && resource != "leases"
}

/// Whether a key of [`Requests`] is about the Lease, which is renewed however idle the operator is.
pub(super) fn is_lease(key: &str) -> bool {
    key.ends_with(" leases")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_counts_once_and_watches_from_their_start() {
        let log = r#"
{"stage":"ResponseComplete","verb":"patch","objectRef":{"resource":"gatewaybindings","subresource":"status"}}
{"stage":"ResponseComplete","verb":"patch","objectRef":{"resource":"gatewaybindings","subresource":"status"}}
{"stage":"ResponseStarted","verb":"watch","objectRef":{"resource":"services"}}
{"stage":"ResponseComplete","verb":"watch","objectRef":{"resource":"services"}}
{"stage":"ResponseComplete","verb":"update","objectRef":{"resource":"leases"}}
{"stage":"ResponseComplete","verb":"get"}
"#;
        let requests = count(log);
        assert_eq!(requests["patch gatewaybindings/status"], 2);
        assert_eq!(requests["watch services"], 1);
        assert_eq!(requests["get (discovery)"], 1);
        let writes: Vec<_> = requests.keys().filter(|key| is_write(key)).collect();
        assert_eq!(writes, ["patch gatewaybindings/status"]);
        assert!(is_lease("update leases"));
    }

    #[test]
    fn a_log_is_read_on_from_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AuditLog::new(folder.path()).unwrap();
        assert!(log.take().unwrap().is_empty(), "nothing is written yet");
        let line = r#"{"stage":"ResponseComplete","verb":"get","objectRef":{"resource":"nodes"}}"#;
        fs::write(&log.path, format!("{line}\n{line}\n{{\"stage\":")).unwrap();
        assert_eq!(log.take().unwrap()["get nodes"], 2);
        fs::write(&log.path, format!("{line}\n{line}\n{line}\n")).unwrap();
        assert_eq!(log.take().unwrap()["get nodes"], 1);
        assert!(log.take().unwrap().is_empty());
    }
}
