//! A scenario: manifests of `examples/` and what they come to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::v1alpha1::DriftPolicy;
use serde_json::{Value, json};

use super::{HarnessError, description::Description};

/// Manifests, and what the world must look like once they are applied.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: that of its description.
    pub name: String,
    /// Its manifests, in the order of their files.
    pub manifests: Vec<Value>,
    pub(super) description: Description,
}

impl Scenario {
    /// All scenarios that are described, by name.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn all() -> Result<Vec<Self>, HarnessError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/harness/scenarios");
        let scenarios: Result<Vec<_>, _> = yaml_files("all", &folder)?
            .iter()
            .map(|path| Self::read(path))
            .collect();
        scenarios
    }

    /// The scenario of this name.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn named(name: &str) -> Result<Self, HarnessError> {
        let found = Self::all()?
            .into_iter()
            .find(|scenario| scenario.name == name);
        found.ok_or_else(|| broken(name, "there is no description of that name"))
    }

    fn read(path: &Path) -> Result<Self, HarnessError> {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = text(&name, path)?;
        let description: Description =
            serde_saphyr::from_str(&text).map_err(|error| broken(&name, error))?;
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let mut manifests = Vec::new();
        for file in yaml_files(&name, &examples.join(&description.example))? {
            let documents: Vec<Value> = serde_saphyr::from_multiple(&self::text(&name, &file)?)
                .map_err(|error| broken(&name, format!("{}: {error}", file.display())))?;
            manifests.extend(documents);
        }
        if manifests.is_empty() {
            return Err(broken(&name, "its example has no manifests"));
        }
        Ok(Self {
            name,
            manifests,
            description,
        })
    }

    /// The same with the credentials of its classes in a Secret, for an operator that has no
    /// environment of its own.
    #[must_use]
    pub fn with_credentials_in(mut self, namespace: &str, secret: &str) -> Self {
        for manifest in &mut self.manifests {
            if manifest["kind"] == "GatewayBindingClass" {
                manifest["spec"]["cloud"]["credentials"] = json!({
                    "type": "Secret",
                    "secret": {"namespace": namespace, "name": secret},
                });
            }
        }
        self
    }

    /// The same with this policy for whatever somebody else changes.
    #[must_use]
    pub fn with_drift_policy(mut self, policy: DriftPolicy) -> Self {
        for manifest in &mut self.manifests {
            if manifest["kind"] == "GatewayBinding" || manifest["kind"] == "GatewayConsumer" {
                manifest["spec"]["driftPolicy"] = json!(policy);
            }
        }
        self
    }

    /// The manifests as one text.
    pub fn yaml(&self) -> String {
        // JSON is YAML.
        let documents: Vec<_> = self.manifests.iter().map(Value::to_string).collect();
        documents.join("\n---\n")
    }
}

fn broken(name: &str, problem: impl ToString) -> HarnessError {
    HarnessError::Scenario {
        name: name.to_owned(),
        problem: problem.to_string(),
    }
}

fn text(name: &str, path: &Path) -> Result<String, HarnessError> {
    fs::read_to_string(path).map_err(|error| broken(name, format!("{}: {error}", path.display())))
}

fn yaml_files(name: &str, folder: &Path) -> Result<Vec<PathBuf>, HarnessError> {
    let failed = |error| broken(name, format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths: Result<Vec<_>, _> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_has_an_example() {
        let scenarios = Scenario::all().unwrap();
        assert!(!scenarios.is_empty());
        for scenario in scenarios {
            assert!(
                !scenario.description.objects.is_empty(),
                "{}",
                scenario.name
            );
        }
        assert!(Scenario::named("no-such").is_err());
    }
}
