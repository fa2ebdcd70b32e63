//! An archive for a support case, without secrets.
//!
//! Three things keep secrets out: of Secrets only names are kept (`secrets`), what in other objects
//! may hold one is taken out (`redact`), and at the end every file is searched for the values of the
//! Secrets that were seen.

mod archive;
mod redact;
mod secrets;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use self::archive::pack;
pub(crate) use self::redact::redacted;
pub(crate) use self::secrets::Seen;

use crate::error::PluginError;
use crate::render::yaml;

/// Folder in the archive.
const FOLDER: &str = "gatewaybinding-bundle";

/// The files of an archive.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    files: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Bundle {
    /// Adds a file.
    pub(crate) fn text(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.insert(path.into(), text.into());
    }

    /// Adds an object without what may be secret in it, as `folder/namespace/name.yaml`.
    pub(crate) fn object(&mut self, folder: &str, object: Value) -> Result<(), PluginError> {
        let part = |name: &str| {
            let text = object
                .pointer(&format!("/metadata/{name}"))
                .and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let name = part("name").unwrap_or_default();
        let path = match part("namespace") {
            Some(namespace) => format!("{folder}/{namespace}/{name}.yaml"),
            None => format!("{folder}/{name}.yaml"),
        };
        self.text(path, yaml(&redacted(object))?);
        Ok(())
    }

    /// Notes what could not be had.
    pub(crate) fn problem(&mut self, problem: impl ToString) {
        let problem = problem.to_string();
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What came of an attempt; a failure is noted.
    pub(crate) fn keep<T>(&mut self, found: Result<T, PluginError>) -> Option<T> {
        found.map_err(|error| self.problem(error)).ok()
    }

    /// The finished files by their paths in the archive: complete, and searched for secrets.
    pub(crate) fn finish(mut self, seen: &Seen) -> BTreeMap<String, String> {
        let problems: String = self
            .problems
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        self.text("errors.txt", problems);
        self.text("README.txt", README);
        let scrubbed = self.files.into_iter().map(|(path, text)| {
            let text = seen.scrubbed(text);
            (format!("{FOLDER}/{path}"), text)
        });
        scrubbed.collect()
    }
}

const README: &str = "\
What `kubectl gatewaybinding bundle` collected for a support case.

status.txt        where all objects stand
trees/            the way of a request to each binding
gatewaybinding.../ gatewayconsumers/
                  the objects of the three kinds, with their status
services/ knative/
                  Services, and objects of Knative, that the bindings name
events.yaml       events about all of these
secrets.yaml      names of the Secrets that classes and consumers name, and of their entries
operator/         pods, logs and Leases of the operator
version.txt       versions
errors.txt        what could not be read, and why

Left out: the values of all Secrets; managedFields; the annotation
kubectl.kubernetes.io/last-applied-configuration; the values of annotations that neither this
operator nor Knative nor the cloud controller manager know; values of environment variables,
commands and arguments of containers; the address of a credentials URI. Wherever the value of one
of those Secrets stood, it was replaced.

Not left out: names of namespaces, services, people who made objects; ids of accounts and of things
in the cloud; addresses and hosts. Read it before you hand it on.
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_complete_and_hold_no_secret() {
        let mut bundle = Bundle::default();
        bundle.text("operator/logs/x.txt", "key hunter2hunter2 was refused");
        let object = json!({"metadata": {"namespace": "shop", "name": "cart"}, "spec": {"a": 1}});
        bundle.object("services", object).unwrap();
        bundle.problem("you may not list pods");
        let mut seen = Seen::default();
        seen.value("hunter2hunter2", "entry apiKey of Secret shop/keys");
        let files = bundle.finish(&seen);
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "gatewaybinding-bundle/README.txt",
                "gatewaybinding-bundle/errors.txt",
                "gatewaybinding-bundle/operator/logs/x.txt",
                "gatewaybinding-bundle/services/shop/cart.yaml",
            ]
        );
        assert_eq!(
            files["gatewaybinding-bundle/errors.txt"],
            "you may not list pods\n"
        );
        let log = &files["gatewaybinding-bundle/operator/logs/x.txt"];
        assert_eq!(log, "key <entry apiKey of Secret shop/keys> was refused");
    }
}
