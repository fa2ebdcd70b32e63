//! Nothing that is printed, logged or shown holds a secret: looked for word for word.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
    discovery::{Discovery, verbs},
};
use serde_json::Value;

use super::HarnessError;
use crate::world::{World, WorldError};

/// Shorter values are words, and found everywhere.
const SHORTEST: usize = 8;

/// The secrets that a world has used so far.
#[derive(Clone, Default)]
pub struct UsedSecrets {
    /// What each value is.
    values: BTreeMap<String, String>,
}

/// Only how many.
impl fmt::Debug for UsedSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secrets", self.values.len())
    }
}

impl UsedSecrets {
    /// How many are known.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds the secrets of all access keys, all entries of Secrets but ids, and all credentials of
    /// apps that are there now.
    ///
    /// # Errors
    /// If cluster or cloud do not answer.
    pub async fn gather(&mut self, world: &World) -> Result<(), HarnessError> {
        let options = world.options();
        for keys in [
            &options.operator_keys,
            &options.ccm_keys,
            &options.console_keys,
        ] {
            self.add(&keys.secret, format!("secret of access key {}", keys.id));
        }
        let secrets = Api::<Secret>::all(world.client());
        let secrets = secrets.list(&ListParams::default()).await;
        for secret in secrets.map_err(failed("list Secrets"))? {
            let name = format!(
                "{}/{}",
                secret.namespace().unwrap_or_default(),
                secret.name_any()
            );
            for (entry, value) in secret.data.unwrap_or_default() {
                if !entry.ends_with("Id")
                    && let Ok(text) = String::from_utf8(value.0)
                {
                    self.add(text.trim(), format!("{entry} of Secret {name}"));
                }
            }
        }
        let state = world.cloud.state().await?;
        let apps = state.pointer("/cloudapi/apps").and_then(Value::as_object);
        for (id, app) in apps.into_iter().flatten() {
            for (list, member) in [("codes", "code"), ("keys", "secret")] {
                let all = app
                    .pointer(&format!("/value/{list}"))
                    .and_then(Value::as_array);
                let all = all.into_iter().flatten();
                for value in all.filter_map(|one| one.get(member)?.as_str()) {
                    self.add(value, format!("{member} of app {id}"));
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, value: &str, what: String) {
        if value.len() >= SHORTEST {
            self.values.entry(value.to_owned()).or_insert(what);
        }
    }

    /// Looks for every known secret in all logs of the world, the call log of the cloud, the
    /// operator's metrics, and every object of the cluster but Secrets, Events included.
    ///
    /// # Errors
    /// [`HarnessError::Broken`] with every place that has one, and which; never its value.
    pub async fn assert_nowhere(&self, world: &World) -> Result<(), HarnessError> {
        let mut texts = logs(world.folder())?;
        let calls = world.cloud.calls().await?;
        let calls: Vec<_> = calls.iter().map(|call| format!("{call:?}")).collect();
        texts.push(("the cloud's call log".to_owned(), calls.join("\n")));
        if let Some(operator) = &world.operator {
            let url = format!("{}/metrics", operator.health_url());
            let metrics = async { reqwest::get(url).await?.text().await }.await;
            texts.push(("/metrics".to_owned(), metrics.map_err(WorldError::from)?));
        }
        texts.extend(objects(world).await?);
        let found = self.find(&texts);
        if found.is_empty() {
            return Ok(());
        }
        Err(HarnessError::Broken(format!(
            "secrets are shown:\n{}",
            found.join("\n")
        )))
    }

    fn find(&self, texts: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        for (value, what) in &self.values {
            for (place, text) in texts {
                if text.contains(value.as_str()) {
                    found.push(format!("{what} in {place}"));
                }
            }
        }
        found
    }
}

fn failed(what: &str) -> impl FnOnce(kube::Error) -> WorldError {
    let what = what.to_owned();
    move |source| WorldError::Kube {
        what,
        source: Box::new(source),
    }
}

fn logs(folder: &Path) -> Result<Vec<(String, String)>, HarnessError> {
    let failed = |source| WorldError::Io {
        what: format!("read logs in {}", folder.display()),
        source,
    };
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "log") {
            let text = fs::read(&path).map_err(failed)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            texts.push((path.display().to_string(), text));
        }
    }
    Ok(texts)
}

/// Every object of the cluster but Secrets, with its managed fields.
async fn objects(world: &World) -> Result<Vec<(String, String)>, HarnessError> {
    let kinds = Discovery::new(world.client()).run().await;
    let kinds = kinds.map_err(failed("discover the kinds of the cluster"))?;
    let mut texts = Vec::new();
    for (resource, capabilities) in kinds
        .groups()
        .flat_map(|group| group.recommended_resources())
    {
        let skipped = ["Secret", "ComponentStatus"].contains(&resource.kind.as_str());
        if skipped || !capabilities.supports_operation(verbs::LIST) {
            continue;
        }
        let api = Api::<DynamicObject>::all_with(world.client(), &resource);
        let list = api.list(&ListParams::default()).await;
        for object in list.map_err(failed(&format!("list {}", resource.plural)))? {
            let text = serde_json::to_string(&object).unwrap_or_default();
            let namespace = object.namespace().unwrap_or_default();
            let place = format!("{} {namespace}/{}", resource.kind, object.name_any());
            texts.push((place, text));
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_and_told_without_its_value() {
        let mut used = UsedSecrets::default();
        used.add("hush-0123", "key of x".to_owned());
        used.add("short", "a word".to_owned());
        assert_eq!(used.len(), 1);
        let texts = [
            ("log a".to_owned(), "all is well, short".to_owned()),
            ("log b".to_owned(), "code=hush-0123".to_owned()),
        ];
        assert_eq!(used.find(&texts), ["key of x in log b"]);
        assert!(!format!("{used:?}").contains("hush"));
    }
}
