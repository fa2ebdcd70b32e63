//! The container of an installed Deployment, run as a process.

use std::{ffi::OsString, path::PathBuf};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container as Spec, EnvVar, EnvVarSource},
};
use kube::Api;

use super::NAMESPACE;
use crate::{
    process::ProcessSpec,
    world::{Operator, World, WorldError},
};

/// What the kubelet would run.
#[derive(Clone, Debug)]
pub struct Container {
    spec: ProcessSpec,
    health: u16,
}

impl Container {
    /// The container of an installed Deployment with its arguments and variables, a token of its
    /// ServiceAccount, and `program` for its image.
    ///
    /// # Errors
    /// If the Deployment is not there, has no ServiceAccount, or asks for something that only a
    /// kubelet can do.
    pub async fn of(world: &World, deployment: &str, program: PathBuf) -> Result<Self, WorldError> {
        let api = Api::<Deployment>::namespaced(world.client(), NAMESPACE);
        let found = api.get(deployment).await;
        let found = found.map_err(|source| WorldError::Kube {
            what: format!("read the Deployment {deployment}"),
            source: Box::new(source),
        })?;
        let unusable =
            |problem: &str| WorldError::Manifest(format!("the Deployment {deployment} {problem}"));
        let pod = found.spec.and_then(|spec| spec.template.spec);
        let pod = pod.ok_or_else(|| unusable("has no pod"))?;
        let [container] = pod.containers.as_slice() else {
            return Err(unusable("has not one container"));
        };
        let account = pod.service_account_name.as_deref().unwrap_or("default");
        let kubeconfig = world
            .control_plane
            .kubeconfig_for_service_account(NAMESPACE, account)
            .await?;
        let health = health(container).ok_or_else(|| unusable("has no --metrics-listen"))?;
        let args = container.args.iter().flatten();
        let mut env = vec![(
            "KUBECONFIG".to_owned(),
            kubeconfig.path().display().to_string(),
        )];
        for variable in container.env.iter().flatten() {
            if let Some(value) = value(world, deployment, variable).await? {
                env.push((variable.name.clone(), value));
            }
        }
        let spec = ProcessSpec {
            name: "operator".to_owned(),
            program,
            args: args.map(OsString::from).collect(),
            env,
        };
        Ok(Self { spec, health })
    }

    /// Starts it; any number of times, as after a crash.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn start(&self, world: &World) -> Result<Operator, WorldError> {
        Operator::run(&self.spec, self.health, world.folder())
    }
}

/// The port of `--metrics-listen=0.0.0.0:PORT`.
fn health(container: &Spec) -> Option<u16> {
    let mut args = container.args.iter().flatten();
    let address = args.find_map(|arg| arg.strip_prefix("--metrics-listen="))?;
    address.rsplit_once(':')?.1.parse().ok()
}

async fn value(
    world: &World,
    deployment: &str,
    variable: &EnvVar,
) -> Result<Option<String>, WorldError> {
    let field = |source: &EnvVarSource| source.field_ref.as_ref().map(|f| f.field_path.clone());
    let Some(source) = &variable.value_from else {
        return Ok(variable.value.clone());
    };
    match field(source).as_deref() {
        Some("metadata.name") => return Ok(Some(format!("{deployment}-0"))),
        Some("metadata.namespace") => return Ok(Some(NAMESPACE.to_owned())),
        _ => {}
    }
    let Some(entry) = &source.secret_key_ref else {
        let name = &variable.name;
        return Err(WorldError::Manifest(format!(
            "the variable {name} comes from where only a kubelet can look"
        )));
    };
    match world.secret(NAMESPACE, &entry.name, &entry.key).await {
        Ok(value) => Ok(Some(value)),
        Err(_) if entry.optional == Some(true) => Ok(None),
        Err(error) => Err(error),
    }
}
