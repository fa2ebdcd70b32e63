//! What a person does with a cluster: apply, delete, kubectl.

use std::process::Stdio;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::discovery::Scope,
};
use serde_json::Value;
use tokio::process::Command;

use super::{Answer, Target, World, WorldError, cloud};

impl World {
    /// Applies every document, as `kubectl apply --server-side` does.
    ///
    /// # Errors
    /// At the first document that is refused.
    pub async fn apply(&self, yaml: &str) -> Result<Vec<DynamicObject>, WorldError> {
        Ok(control_plane::apply_yaml(self.client(), yaml).await?)
    }

    /// Changes an object by a JSON merge patch, as `kubectl patch --type merge` does.
    ///
    /// # Errors
    /// If it is not there, or the API server refuses.
    pub async fn patch(&self, target: &Target, patch: &Value) -> Result<DynamicObject, WorldError> {
        let params = PatchParams::default();
        let api = target.api(self.client());
        let patched = api
            .patch(target.name(), &params, &Patch::Merge(patch))
            .await;
        patched.map_err(|error| failed(format!("patch {target}"), error))
    }

    /// Asks for the deletion of an object; gone already is fine.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn delete(&self, target: &Target) -> Result<(), WorldError> {
        match target
            .api(self.client())
            .delete(target.name(), &DeleteParams::default())
            .await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(failed(format!("delete {target}"), error)),
        }
    }

    /// Asks for the deletion of every object of a manifest, last first.
    ///
    /// # Errors
    /// If the API server refuses one, or does not know its kind.
    pub async fn delete_all(&self, yaml: &str) -> Result<Vec<Target>, WorldError> {
        let targets = self.targets(yaml).await?;
        for target in targets.iter().rev() {
            self.delete(target).await?;
        }
        Ok(targets)
    }

    /// The objects of a manifest; those without a namespace are in `default`.
    ///
    /// # Errors
    /// If it is no manifest, or of a kind that the API server does not know.
    pub async fn targets(&self, yaml: &str) -> Result<Vec<Target>, WorldError> {
        let objects: Vec<DynamicObject> = serde_saphyr::from_multiple(yaml)
            .map_err(|error| WorldError::Manifest(error.to_string()))?;
        let mut targets = Vec::new();
        for mut object in objects {
            let types = object.types.clone().unwrap_or_default();
            let what = format!("find the kind {} {}", types.api_version, types.kind);
            let kind = kube::core::GroupVersionKind::try_from(&types);
            let kind = kind.map_err(|error| WorldError::Manifest(error.to_string()))?;
            let found = kube::discovery::pinned_kind(&self.client(), &kind).await;
            let (resource, capabilities) = found.map_err(|error| failed(what, error))?;
            match capabilities.scope {
                Scope::Cluster => object.metadata.namespace = None,
                Scope::Namespaced => {
                    object
                        .metadata
                        .namespace
                        .get_or_insert_with(|| "default".to_owned());
                }
            }
            targets.push(Target::for_object(resource, &object));
        }
        Ok(targets)
    }

    /// An entry of a Secret, as text.
    ///
    /// # Errors
    /// If the Secret is not there, or has no such entry.
    pub async fn secret(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<String, WorldError> {
        let what = format!("read {key} of the Secret {namespace}/{name}");
        let secret = Api::<Secret>::namespaced(self.client(), namespace)
            .get(name)
            .await;
        let secret = secret.map_err(|error| failed(what.clone(), error))?;
        let entry = secret.data.unwrap_or_default().remove(key);
        let missing = |problem: &str| WorldError::NoEntry {
            what: what.clone(),
            problem: problem.to_owned(),
        };
        let entry = entry.ok_or_else(|| missing("it has no such entry"))?;
        String::from_utf8(entry.0).map_err(|_| missing("it is not text"))
    }

    /// Runs kubectl as the administrator, and returns its standard output.
    ///
    /// # Errors
    /// If it ends with an error, with all it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String, WorldError> {
        let program = self.control_plane.kubectl().await?;
        let output = Command::new(&program)
            .args(args)
            .env("KUBECONFIG", self.control_plane.kubeconfig().path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| WorldError::Io {
                what: format!("run {}", program.display()),
                source,
            })?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        let output_text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        Err(WorldError::Kubectl {
            args: args.join(" "),
            status: output.status,
            output: output_text,
        })
    }

    /// `GET` from the gateway itself, past the cloud.
    ///
    /// # Errors
    /// If there is no gateway or no answer.
    pub async fn curl_gateway(&self, host: &str, path: &str) -> Result<Answer, WorldError> {
        let gateway = self.gateway.as_ref().ok_or(WorldError::NoGateway)?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        cloud::answer(
            http.get(format!("http://{}{path}", gateway.address()))
                .header("host", host),
        )
        .await
    }
}

fn failed(what: String, error: kube::Error) -> WorldError {
    WorldError::Kube {
        what,
        source: Box::new(error),
    }
}
