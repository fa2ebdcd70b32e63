//! The cluster that a command is about.

use std::time::Duration;

use crds::GatewayBinding;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::{ApiResource, NamespaceResourceScope};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Connection;
use crate::error::PluginError;
use crate::object::Object;
use crate::reference::{Kind, Reference};

/// Field manager of what the plugin writes.
const FIELD_MANAGER: &str = "kubectl-gatewaybinding";

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
    all_namespaces: bool,
    server: String,
}

impl Cluster {
    /// Reads the kubeconfig; the first call connects.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self, PluginError> {
        let mut config = config(connection).await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let namespace = connection.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config);
        Ok(Self {
            client: client.map_err(|error| PluginError::of(format!("reach {server}"), error))?,
            namespace,
            all_namespaces: connection.all_namespaces,
            server,
        })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace that is asked for; none for all of them.
    pub(crate) fn scope(&self) -> Option<&str> {
        (!self.all_namespaces).then_some(self.namespace.as_str())
    }

    /// The namespace of objects that are named.
    pub(crate) fn namespace(&self) -> Result<&str, PluginError> {
        self.scope().ok_or_else(|| {
            PluginError::Usage("-A goes with no name: name the namespace with -n".to_owned())
        })
    }

    fn dynamic(&self, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = kind.resource();
        match namespace.filter(|_| kind.is_namespaced()) {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        }
    }

    fn title(&self, reference: &Reference) -> Result<String, PluginError> {
        let Reference { kind, name } = reference;
        if kind.is_namespaced() {
            Ok(format!("{kind} {}/{name}", self.namespace()?))
        } else {
            Ok(format!("{kind} {name}"))
        }
    }

    fn named(&self, reference: &Reference) -> Result<Api<DynamicObject>, PluginError> {
        let namespaced = reference.kind.is_namespaced();
        let namespace = namespaced.then(|| self.namespace()).transpose()?;
        Ok(self.dynamic(reference.kind, namespace))
    }

    /// What the API server says to `what`, for an object that may be missing.
    async fn explained(
        &self,
        reference: &Reference,
        what: String,
        error: kube::Error,
    ) -> PluginError {
        let missing = matches!(&error, kube::Error::Api(status) if status.code == 404);
        if !missing {
            return PluginError::of(what, error);
        }
        let kind = reference.kind;
        if self.list(kind, self.scope()).await.is_err() {
            return PluginError::NoDefinition { kind };
        }
        let plural = kind.resource().plural;
        let everywhere = if kind.is_namespaced() { " -A" } else { "" };
        PluginError::NotFound {
            what: self.title(reference).unwrap_or(what),
            hint: format!("`kubectl get {plural}{everywhere}` lists those that do"),
        }
    }

    /// The object.
    pub(crate) async fn get(&self, reference: &Reference) -> Result<Object, PluginError> {
        let what = format!("read {}", self.title(reference)?);
        match self.named(reference)?.get(&reference.name).await {
            Ok(object) => Object::read(reference.kind, serde_json::to_value(object)?),
            Err(error) => Err(self.explained(reference, what, error).await),
        }
    }

    /// The binding.
    pub(crate) async fn binding(
        &self,
        reference: &Reference,
    ) -> Result<GatewayBinding, PluginError> {
        match self.get(reference).await? {
            Object::Binding(binding) => Ok(*binding),
            other => Err(PluginError::Usage(format!(
                "{} is no binding",
                other.title()
            ))),
        }
    }

    /// All objects of a kind in a namespace, or in all; by namespace and name.
    pub(crate) async fn list(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Vec<Object>, PluginError> {
        let listed = self.list_raw(kind, namespace).await?.into_iter();
        let objects: Result<Vec<Object>, _> =
            listed.map(|value| Object::read(kind, value)).collect();
        let mut objects = objects?;
        objects.sort_by(|a, b| (a.namespace(), a.name()).cmp(&(b.namespace(), b.name())));
        Ok(objects)
    }

    /// As [`Self::list`], with all that the API server sent.
    pub(crate) async fn list_raw(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Vec<Value>, PluginError> {
        let api = self.dynamic(kind, namespace);
        let listed = match api.list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                return Err(PluginError::NoDefinition { kind });
            }
            listed => listed.map_err(|error| {
                let plural = kind.resource().plural;
                PluginError::of(format!("list {plural}"), error)
            })?,
        };
        let values = listed.items.into_iter().map(serde_json::to_value);
        Ok(values.collect::<Result<_, _>>()?)
    }

    /// Changes an object by a JSON merge patch.
    pub(crate) async fn patch(
        &self,
        reference: &Reference,
        patch: &Value,
    ) -> Result<(), PluginError> {
        let what = format!("change {}", self.title(reference)?);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.named(reference)?;
        match api
            .patch(&reference.name, &params, &Patch::Merge(patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explained(reference, what, error).await),
        }
    }

    /// An object of another kind, or none if it does not exist.
    pub(crate) async fn find<K>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<K>, PluginError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.client(), namespace);
        let what = || format!("read {} {namespace}/{name}", K::kind(&()));
        let found = api.get_opt(name).await;
        found.map_err(|error| PluginError::of(what(), error))
    }

    /// An object of a kind that this program has no type for, or none if object or kind does not
    /// exist.
    pub(crate) async fn find_dynamic(
        &self,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, PluginError> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client(), namespace, resource);
        let found = api.get_opt(name).await;
        let what = || format!("read {} {namespace}/{name}", resource.kind);
        let found = found.map_err(|error| PluginError::of(what(), error))?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// Objects in a namespace, or in all, with these labels.
    pub(crate) async fn select<K>(
        &self,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<K>, PluginError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = match namespace {
            Some(namespace) => Api::namespaced(self.client(), namespace),
            None => Api::all(self.client()),
        };
        let listed = api.list(&ListParams::default().labels(labels)).await;
        let what = || format!("list {}", K::plural(&()));
        Ok(listed
            .map_err(|error| PluginError::of(what(), error))?
            .items)
    }

    /// The version of the API server.
    pub(crate) async fn version(&self) -> Result<String, PluginError> {
        let version = self.client.apiserver_version().await;
        let version =
            version.map_err(|error| PluginError::of(format!("reach {}", self.server), error))?;
        Ok(version.git_version)
    }
}

async fn config(connection: &Connection) -> Result<Config, PluginError> {
    let broken = |error: KubeconfigError| PluginError::Kubeconfig {
        why: Box::new(error),
    };
    let options = KubeConfigOptions {
        context: connection.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &connection.kubeconfig {
        let kubeconfig = Kubeconfig::read_from(path).map_err(broken)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        return config.map_err(broken);
    }
    if connection.context.is_some() {
        return Config::from_kubeconfig(&options).await.map_err(broken);
    }
    let config = Config::infer().await;
    config.map_err(|error| PluginError::NoCluster {
        why: Box::new(error),
    })
}
