//! Nothing that a world prints, logs or shows holds a secret it used: looked for word for word when
//! the world ends, whatever it was for, so that no test can forget it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use alicloud_emulator::state::AppState;
use control_plane::ControlPlane;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
    discovery::{Discovery, verbs},
};

use super::{Cloud, Keys, WorldError};

/// Shorter values are words, and found everywhere.
const SHORTEST: usize = 8;
/// Kinds that are listed at once.
const PARALLEL: usize = 6;

/// The secrets that a world has used so far: each value, and what it is.
#[derive(Clone, Default)]
struct Used(BTreeMap<String, String>);

impl Used {
    fn add(&mut self, value: &str, what: &str) {
        if value.len() >= SHORTEST {
            let known = self.0.entry(value.to_owned());
            known.or_insert_with(|| what.to_owned());
        }
    }

    /// Every place that shows one, and which; never its value.
    fn find(&self, texts: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        for (value, what) in &self.0 {
            for (place, text) in texts {
                if text.contains(value.as_str()) {
                    found.push(format!("{what} in {place}"));
                }
            }
        }
        found
    }
}

/// Watches over a world's secrets. It has to end before what it looks at.
pub(super) struct Secrecy {
    used: Arc<Mutex<Used>>,
    kubeconfig: PathBuf,
    logs: Vec<PathBuf>,
    folder: PathBuf,
    /// The emulated cloud, if it runs in this process.
    cloud: Option<AppState>,
    /// Where the operator tells what it measures, while it runs.
    health: Arc<Mutex<Option<String>>>,
    looked: bool,
}

/// Only how many.
impl fmt::Debug for Secrecy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} secrets", lock(&self.used).0.len())
    }
}

impl Secrecy {
    /// Over a world of these parts; its logs are in the folder and those of the control plane.
    pub(super) fn new(
        control_plane: &ControlPlane,
        cloud: &Cloud,
        keys: &[&Keys],
        folder: &Path,
    ) -> Self {
        let mut used = Used::default();
        for Keys { id, secret } in keys {
            used.add(secret, &format!("secret of access key {id}"));
        }
        Self {
            used: Arc::new(Mutex::new(used)),
            kubeconfig: control_plane.kubeconfig().path().to_owned(),
            logs: control_plane
                .logs()
                .map(|(_, log)| log.to_owned())
                .collect(),
            folder: folder.to_owned(),
            cloud: cloud.in_process(),
            health: Arc::default(),
            looked: false,
        }
    }

    /// The operator runs, and tells there what it measures; or it no longer runs.
    pub(super) fn operator_at(&self, health: Option<String>) {
        *lock(&self.health) = health;
    }

    /// Remembers all secrets that there are now, for when they are gone.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub(super) async fn gather(&self, client: Client) -> Result<usize, WorldError> {
        if let Some(cloud) = &self.cloud {
            let world = cloud.world();
            let mut used = lock(&self.used);
            for value in &world.cloudapi.issued {
                used.add(value, "a credential of an app");
            }
            for (id, session) in &world.sts.sessions {
                used.add(&session.secret, &format!("secret of temporary key {id}"));
                used.add(&session.token, &format!("token of temporary key {id}"));
            }
        }
        let secrets = Api::<Secret>::all(client);
        let secrets = secrets.list(&ListParams::default()).await;
        let secrets = secrets.map_err(failed("list Secrets"))?;
        let mut used = lock(&self.used);
        for secret in secrets {
            let namespace = secret.namespace().unwrap_or_default();
            let name = format!("{namespace}/{}", secret.name_any());
            for (entry, value) in secret.data.unwrap_or_default() {
                if !entry.ends_with("Id")
                    && let Ok(text) = String::from_utf8(value.0)
                {
                    used.add(text.trim(), &format!("{entry} of Secret {name}"));
                }
            }
        }
        Ok(used.0.len())
    }

    /// Looks for every secret in all logs of the world, the call log of the cloud, the operator's
    /// metrics, and every object of the cluster but Secrets, Events included.
    ///
    /// # Errors
    /// [`WorldError::SecretsShown`] with every place that has one, and which; never its value. Or if
    /// it cannot be looked.
    pub(super) async fn look(&self, client: Client) -> Result<(), WorldError> {
        self.gather(client.clone()).await?;
        let mut texts = self.logs()?;
        if let Some(cloud) = &self.cloud {
            let calls = cloud.calls().to_vec();
            let calls: Vec<_> = calls.iter().map(|call| format!("{call:?}")).collect();
            texts.push(("the cloud's call log".to_owned(), calls.join("\n")));
        }
        let health = lock(&self.health).clone();
        if let Some(url) = health {
            let http = reqwest::Client::builder().no_proxy().build()?;
            // One that was killed meanwhile has nothing to tell any more.
            if let Ok(answer) = http.get(format!("{url}/metrics")).send().await {
                texts.push(("/metrics".to_owned(), answer.text().await?));
            }
        }
        texts.extend(objects(client).await?);
        let found = lock(&self.used).find(&texts);
        if found.is_empty() {
            Ok(())
        } else {
            Err(WorldError::SecretsShown(found))
        }
    }

    fn logs(&self) -> Result<Vec<(String, String)>, WorldError> {
        let failed = |path: &Path| {
            let what = format!("read {}", path.display());
            move |source| WorldError::Io { what, source }
        };
        let mut paths = self.logs.clone();
        let entries = fs::read_dir(&self.folder).map_err(failed(&self.folder))?;
        for entry in entries {
            let path = entry.map_err(failed(&self.folder))?.path();
            if path.extension().is_some_and(|ending| ending == "log") {
                paths.push(path);
            }
        }
        let mut texts = Vec::new();
        for path in paths {
            let text = fs::read(&path).map_err(failed(&path))?;
            let text = String::from_utf8_lossy(&text).into_owned();
            texts.push((path.display().to_string(), text));
        }
        Ok(texts)
    }

    /// Looks for the last time.
    pub(super) async fn end(mut self, client: Client) -> Result<(), WorldError> {
        self.looked = true;
        self.look(client).await
    }

    /// Looks from where nothing can be awaited: in a thread and a runtime of its own, since that of
    /// the test stands still meanwhile.
    fn look_now(&self) -> Result<(), WorldError> {
        let looking = thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let runtime = runtime.map_err(|source| WorldError::Io {
                    what: "start a runtime".to_owned(),
                    source,
                })?;
                runtime.block_on(async {
                    let client = client(&self.kubeconfig).await?;
                    self.look(client).await
                })
            });
            looking.join()
        });
        looking.unwrap_or_else(|_| Err(WorldError::Secrecy("it panicked".to_owned())))
    }
}

/// A world that ends by itself is looked through; one that ends in a failure has told enough.
impl Drop for Secrecy {
    #[expect(clippy::panic, reason = "a test fails by it, whatever it was for")]
    fn drop(&mut self) {
        if self.looked || thread::panicking() {
            return;
        }
        if let Err(error) = self.look_now() {
            panic!("{error}");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: &str) -> impl FnOnce(kube::Error) -> WorldError {
    let what = what.to_owned();
    move |source| WorldError::Kube {
        what,
        source: Box::new(source),
    }
}

async fn client(kubeconfig: &Path) -> Result<Client, WorldError> {
    let unusable = |error: kube::config::KubeconfigError| WorldError::Secrecy(error.to_string());
    let file = kube::config::Kubeconfig::read_from(kubeconfig).map_err(unusable)?;
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    Client::try_from(config.map_err(unusable)?).map_err(failed("make a client"))
}

/// Every object of the cluster but Secrets, with its managed fields.
async fn objects(client: Client) -> Result<Vec<(String, String)>, WorldError> {
    let kinds = Discovery::new(client.clone()).run().await;
    let kinds = kinds.map_err(failed("discover the kinds of the cluster"))?;
    let kinds: Vec<ApiResource> = kinds
        .groups()
        .flat_map(|group| group.recommended_resources())
        .filter(|(resource, capabilities)| {
            // Plugins of Higress get credentials in clear text, since they read them nowhere else.
            let skipped =
                ["Secret", "ComponentStatus", "WasmPlugin"].contains(&resource.kind.as_str());
            !skipped && capabilities.supports_operation(verbs::LIST)
        })
        .map(|(resource, _)| resource)
        .collect();
    let lists: Vec<Vec<(String, String)>> = stream::iter(kinds)
        .map(|resource| list(client.clone(), resource))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await?;
    Ok(lists.into_iter().flatten().collect())
}

async fn list(client: Client, kind: ApiResource) -> Result<Vec<(String, String)>, WorldError> {
    let api = Api::<DynamicObject>::all_with(client, &kind);
    let list = api.list(&ListParams::default()).await;
    let list = list.map_err(failed(&format!("list {}", kind.plural)))?;
    let shown = list.into_iter().map(|object| {
        let text = serde_json::to_string(&object).unwrap_or_default();
        let namespace = object.namespace().unwrap_or_default();
        (
            format!("{} {namespace}/{}", kind.kind, object.name_any()),
            text,
        )
    });
    Ok(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_and_told_without_its_value() {
        let mut used = Used::default();
        used.add("hush-0123", "key of x");
        used.add("short", "a word");
        assert_eq!(used.0.len(), 1);
        let texts = [
            ("log a".to_owned(), "all is well, short".to_owned()),
            ("log b".to_owned(), "code=hush-0123".to_owned()),
        ];
        assert_eq!(used.find(&texts), ["key of x in log b"]);
    }
}
