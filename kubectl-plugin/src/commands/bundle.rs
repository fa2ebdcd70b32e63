//! `bundle`: collects what a support case needs, and writes it into an archive.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crds::{GatewayBinding, ServiceKind};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Pod, Secret, Service};
use kube::Api;
use kube::api::LogParams;
use kube::core::{ApiResource, GroupVersionKind};

use super::tree;
use crate::args::{BundleArgs, Connection};
use crate::bundle::{Bundle, Seen, pack};
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::object::Object;
use crate::reference::Kind;
use crate::render::{self, Items, yaml};

/// The last lines of a log that are kept.
const LOG_LINES: i64 = 10_000;
/// Label of the operator's pods, as its chart sets it.
const OPERATOR: &str = "app.kubernetes.io/name=gatewaybinding-operator";
/// What names of the operator's Leases begin with.
const LEASE: &str = "gatewaybinding-operator";

pub(super) async fn bundle(connection: &Connection, args: &BundleArgs) -> Result<(), PluginError> {
    let everywhere = connection.namespace.is_none();
    let connection = Connection {
        all_namespaces: everywhere,
        ..connection.clone()
    };
    let cluster = Cluster::connect(&connection).await?;
    // Whoever cannot reach the cluster gets an error and no empty archive.
    let version = cluster.version().await?;
    let mut bundle = Bundle::default();
    let mut seen = Seen::default();
    bundle.text(
        "version.txt",
        format!("plugin {}\nserver {version}\n", env!("CARGO_PKG_VERSION")),
    );
    let objects = objects(&cluster, &mut bundle).await?;
    services(&cluster, &mut bundle, &objects).await?;
    events(&cluster, &mut bundle).await?;
    if !args.skip_secrets {
        secrets(&cluster, &mut bundle, &mut seen, &objects).await?;
    }
    operator(&cluster, &mut bundle, &args.operator_namespace).await?;
    let problems = bundle.problems().len();
    let now = Timestamp::now();
    let packed = pack(&bundle.finish(&seen), now)?;
    let path = write(args.file.as_deref(), &packed, now)?;
    eprintln!(
        "{path} written; it says in README.txt what is left out. Read it before you hand it on."
    );
    if problems > 0 {
        eprintln!("{problems} things could not be read: see errors.txt in it.");
    }
    Ok(())
}

/// The objects of the three kinds, and where they stand.
async fn objects(cluster: &Cluster, bundle: &mut Bundle) -> Result<Vec<Object>, PluginError> {
    let mut objects = Vec::new();
    for kind in Kind::ALL {
        let listed = cluster.list_raw(kind, cluster.scope()).await;
        for value in bundle.keep(listed).unwrap_or_default() {
            bundle.object(&kind.resource().plural, value.clone())?;
            objects.extend(bundle.keep(Object::read(kind, value)));
        }
    }
    let rows = render::status::rows(&objects);
    bundle.text(
        "status.txt",
        render::status::text(&rows, true, Timestamp::now()),
    );
    for object in &objects {
        if let Object::Binding(binding) = object {
            let chain = tree::chain(cluster, binding.as_ref().clone()).await;
            let text = render::tree::text(&render::tree::tree(&chain));
            let namespace = object.namespace().unwrap_or_default();
            bundle.text(format!("trees/{namespace}/{}.txt", object.name()), text);
        }
    }
    Ok(objects)
}

/// The Services and Knative objects that bindings and classes name.
async fn services(
    cluster: &Cluster,
    bundle: &mut Bundle,
    objects: &[Object],
) -> Result<(), PluginError> {
    let mut services = BTreeSet::new();
    for object in objects {
        match object {
            Object::Binding(binding) => {
                services.extend(of_binding(binding));
                if binding.spec.service_ref.kind == ServiceKind::KnativeService {
                    let namespace = object.namespace().unwrap_or_default();
                    knative(cluster, bundle, namespace, &binding.spec.service_ref.name).await?;
                }
            }
            Object::Class(class) => {
                let gateways = class.spec.gateways.iter().flatten();
                let named = gateways.filter_map(|gateway| {
                    let service = gateway.shared_service()?;
                    Some((service.namespace.clone(), service.name.clone()))
                });
                services.extend(named);
            }
            Object::Consumer(_) => {}
        }
    }
    for (namespace, name) in services {
        let found = cluster.find::<Service>(&namespace, &name).await;
        if let Some(Some(service)) = bundle.keep(found) {
            bundle.object("services", serde_json::to_value(service)?)?;
        }
    }
    Ok(())
}

fn of_binding(binding: &GatewayBinding) -> Vec<(String, String)> {
    let mut services = Vec::new();
    let status = binding.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    if let Some(service) = balancer.and_then(|balancer| balancer.service.as_ref()) {
        services.push((service.namespace.clone(), service.name.clone()));
    }
    let exposed = &binding.spec.service_ref;
    if exposed.kind == ServiceKind::Service {
        let namespace = binding.metadata.namespace.clone().unwrap_or_default();
        services.push((namespace, exposed.name.clone()));
    }
    services
}

async fn knative(
    cluster: &Cluster,
    bundle: &mut Bundle,
    namespace: &str,
    name: &str,
) -> Result<(), PluginError> {
    let ingress = GroupVersionKind::gvk("networking.internal.knative.dev", "v1alpha1", "Ingress");
    let kinds = [
        tree::knative_resource("Service", "services"),
        tree::knative_resource("Route", "routes"),
        tree::knative_resource("Configuration", "configurations"),
        ApiResource::from_gvk_with_plural(&ingress, "ingresses"),
    ];
    for kind in kinds {
        let found = cluster.find_dynamic(&kind, namespace, name).await;
        if let Some(Some(object)) = bundle.keep(found) {
            bundle.object(&format!("knative/{}", kind.plural), object)?;
        }
    }
    Ok(())
}

/// Events about what may be in the bundle.
async fn events(cluster: &Cluster, bundle: &mut Bundle) -> Result<(), PluginError> {
    let mut events: Vec<Event> = Vec::new();
    // Those about classes, which are in no namespace, are in `default`.
    let namespaces = match cluster.scope() {
        None => vec![None],
        Some("default") => vec![Some("default")],
        Some(namespace) => vec![Some(namespace), Some("default")],
    };
    for namespace in namespaces {
        let listed = cluster.select::<Event>(namespace, "").await;
        events.extend(bundle.keep(listed).unwrap_or_default());
    }
    events.retain(|event| concerns(event, cluster.scope()));
    let mut values = Vec::new();
    for event in events {
        values.push(crate::bundle::redacted(serde_json::to_value(event)?));
    }
    bundle.text("events.yaml", yaml(&Items { items: &values })?);
    Ok(())
}

fn concerns(event: &Event, scope: Option<&str>) -> bool {
    let object = &event.involved_object;
    let api = object.api_version.as_deref().unwrap_or_default();
    let kind = object.kind.as_deref().unwrap_or_default();
    let ours = api.starts_with(crds::GROUP);
    let in_scope = object.namespace.is_none()
        || scope.is_none_or(|scope| object.namespace.as_deref() == Some(scope));
    in_scope && (ours || api.contains("knative.dev") || kind == "Service")
}

/// Names of the Secrets that consumers and classes name.
async fn secrets(
    cluster: &Cluster,
    bundle: &mut Bundle,
    seen: &mut Seen,
    objects: &[Object],
) -> Result<(), PluginError> {
    for object in objects {
        for (namespace, name) in named_secrets(object) {
            let found = cluster.find::<Secret>(&namespace, &name).await;
            if let Some(secret) = bundle.keep(found) {
                seen.secret(&namespace, &name, &object.title(), secret);
            }
        }
    }
    bundle.text("secrets.yaml", yaml(&Items { items: seen.told() })?);
    Ok(())
}

fn named_secrets(object: &Object) -> Vec<(String, String)> {
    match object {
        Object::Consumer(consumer) => {
            let namespace = object.namespace().unwrap_or_default();
            let credentials = consumer.spec.credentials.iter();
            let named = credentials.map(|it| (namespace.to_owned(), it.secret_ref.name.clone()));
            named.collect()
        }
        Object::Class(class) => {
            let cloud = class.spec.cloud.iter();
            let named = cloud.filter_map(|cloud| cloud.credentials.secret.as_ref());
            named
                .map(|it| (it.namespace.clone(), it.name.clone()))
                .collect()
        }
        Object::Binding(_) => Vec::new(),
    }
}

/// Pods, logs and Leases of the operator.
async fn operator(
    cluster: &Cluster,
    bundle: &mut Bundle,
    namespace: &str,
) -> Result<(), PluginError> {
    let leases = cluster.select::<Lease>(Some(namespace), "").await;
    for lease in bundle.keep(leases).unwrap_or_default() {
        let name = lease.metadata.name.as_deref().unwrap_or_default();
        if name.starts_with(LEASE) {
            bundle.object("operator/leases", serde_json::to_value(lease)?)?;
        }
    }
    let pods = cluster.select::<Pod>(Some(namespace), OPERATOR).await;
    let pods = bundle.keep(pods).unwrap_or_default();
    if pods.is_empty() {
        bundle.problem(format!(
            "no pod of the operator in namespace {namespace} (label {OPERATOR}); another one goes with \
             --operator-namespace"
        ));
    }
    for pod in pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        logs(cluster, bundle, namespace, &name, &pod).await;
        bundle.object("operator/pods", serde_json::to_value(pod)?)?;
    }
    Ok(())
}

async fn logs(cluster: &Cluster, bundle: &mut Bundle, namespace: &str, name: &str, pod: &Pod) {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    let restarted = statuses.clone().any(|status| status.restart_count > 0);
    for previous in [false, true] {
        if previous && !restarted {
            continue;
        }
        let params = LogParams {
            previous,
            tail_lines: Some(LOG_LINES),
            timestamps: true,
            ..LogParams::default()
        };
        let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
        let log = api.logs(name, &params).await;
        let log =
            log.map_err(|error| PluginError::of(format!("read the log of pod {name}"), error));
        let file = if previous {
            "previous.log"
        } else {
            "current.log"
        };
        if let Some(log) = bundle.keep(log) {
            bundle.text(format!("operator/logs/{name}/{file}"), log);
        }
    }
}

/// Writes the archive to where it is wanted, and returns where that is.
fn write(file: Option<&Path>, packed: &[u8], now: Timestamp) -> Result<String, PluginError> {
    if file == Some(Path::new("-")) {
        std::io::stdout().lock().write_all(packed)?;
        return Ok("standard output:".to_owned());
    }
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    let path = file.map_or_else(
        || PathBuf::from(format!("gatewaybinding-bundle-{time}.tar.gz")),
        Path::to_owned,
    );
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&path)
        .and_then(|mut file| file.write_all(packed));
    match written {
        Ok(()) => Ok(path.display().to_string()),
        Err(source) => Err(PluginError::Write { path, source }),
    }
}
