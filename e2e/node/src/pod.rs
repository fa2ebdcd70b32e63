//! One Pod, from its start to its end.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{ConfigMap, Container as ContainerSpec, Pod, PodSpec, PodStatus, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    container::{Container, Recipe},
    environment,
    network::{NetworkError, PodAddress, PodNetwork},
    probe,
    sandbox::Sandbox,
    status, volumes,
};

const TICK: Duration = Duration::from_millis(100);
/// How often a ready container is asked again.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long a hook before the end may take.
const HOOK_PATIENCE: Duration = Duration::from_secs(60);
const DEFAULT_GRACE: i64 = 30;
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// Why a Pod cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PodError {
    #[error("this node does not know {0}")]
    Unsupported(String),
    #[error("the image {0} names no program of this node")]
    Image(String),
    #[error("there is no value for the variable {0}")]
    NoValue(String),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("cannot {action}: {cause}")]
    Io {
        action: &'static str,
        cause: io::Error,
    },
}

impl PodError {
    pub(crate) fn at(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { action, cause }
    }
}

/// What the Pods of a node share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) network: Arc<PodNetwork>,
    pub(crate) images: BTreeMap<String, PathBuf>,
    pub(crate) folder: PathBuf,
    pub(crate) hosts: PathBuf,
    pub(crate) http: reqwest::Client,
}

/// Runs a Pod until it is to end, and takes it out of the cluster then.
pub(crate) async fn run(shared: Arc<Shared>, pod: Pod, ends: watch::Receiver<bool>) {
    let mut status = pod.status.clone().unwrap_or_default();
    if let Err(error) = keep_running(&shared, &pod, &mut status, ends.clone()).await {
        tracing::warn!(pod = pod.name_any(), %error, "a Pod cannot be run");
        let names = pod.spec.iter().flat_map(|spec| &spec.containers);
        let names = names.map(|container| {
            (
                container.name.clone(),
                container.image.clone().unwrap_or_default(),
            )
        });
        let refused = status::refused(names, &error.to_string(), &status);
        publish(&shared, &pod, &mut status, refused).await;
        ended(ends).await;
    }
    let pods = pods(&shared, &pod);
    let now = DeleteParams::default().grace_period(0);
    if let Err(error) = pods.delete(&pod.name_any(), &now).await {
        tracing::debug!(pod = pod.name_any(), %error, "a Pod that ended is not there any more");
    }
}

async fn ended(mut ends: watch::Receiver<bool>) {
    // A node that is gone ends all its Pods.
    let _ = ends.wait_for(|ends| *ends).await;
}

async fn keep_running(
    shared: &Shared,
    pod: &Pod,
    status: &mut PodStatus,
    ends: watch::Receiver<bool>,
) -> Result<(), PodError> {
    let folder = shared.folder.join(format!(
        "{}.{}",
        pod.namespace().unwrap_or_default(),
        pod.name_any()
    ));
    std::fs::create_dir_all(&folder).map_err(PodError::at("create a folder"))?;
    let spec = checked(pod)?;
    let address = shared.network.take_address()?;
    let sandbox = Sandbox::start(&folder, &address).await?;
    let account = account(shared, pod, spec, &folder).await?;
    let mut containers =
        start(shared, pod, spec, (&folder, &account), (&sandbox, &address)).await?;
    let mut probed = Instant::now();
    let (ip, gateway) = (address.ip(), shared.network.gateway());
    while !*ends.borrow() {
        for container in &mut containers {
            container.tend(&sandbox).await?;
        }
        let all_ready = containers.iter().all(|container| container.ready);
        if !all_ready || probed.elapsed() >= PROBE_EVERY {
            probed = Instant::now();
            for container in &mut containers {
                container.ready =
                    container.runs() && probe::is_ready(&shared.http, &container.spec, ip).await;
            }
        }
        let now = status::of(&containers, ip, gateway, status);
        publish(shared, pod, status, now).await;
        let _ = timeout(TICK, ended(ends.clone())).await;
    }
    stop(shared, spec, &mut containers, ip).await;
    Ok(())
}

/// What of a Pod this node would leave out is refused.
fn checked(pod: &Pod) -> Result<&PodSpec, PodError> {
    let unknown = |what: &str| PodError::Unsupported(what.to_owned());
    let spec = pod
        .spec
        .as_ref()
        .ok_or_else(|| unknown("a Pod without spec"))?;
    if spec
        .init_containers
        .as_ref()
        .is_some_and(|init| !init.is_empty())
    {
        return Err(unknown("initContainers"));
    }
    for container in &spec.containers {
        probe::check(container)?;
    }
    Ok(spec)
}

async fn start(
    shared: &Shared,
    pod: &Pod,
    spec: &PodSpec,
    (folder, account): (&Path, &Path),
    (sandbox, address): (&Sandbox, &PodAddress),
) -> Result<Vec<Container>, PodError> {
    let mut containers = Vec::new();
    for container in &spec.containers {
        let image = container.image.clone().unwrap_or_default();
        let program = shared.images.get(&image).ok_or(PodError::Image(image))?;
        let gateway = shared.network.gateway();
        check_command(container, program)?;
        let variables =
            environment::of(&shared.client, pod, container, address.ip(), gateway).await?;
        let arguments = container.args.iter().flatten();
        let arguments = arguments.map(|argument| environment::expand(argument, &variables));
        let recipe = Recipe {
            program: program.clone(),
            arguments: arguments.collect(),
            mounts: volumes::write(&shared.client, pod, container, folder).await?,
            variables,
            hosts: shared.hosts.clone(),
            account: account.to_owned(),
            log: folder.join(format!("{}.log", container.name)),
            pid_file: folder.join(format!("{}.pid", container.name)),
        };
        containers.push(Container::start(container.clone(), recipe, sandbox).await?);
    }
    Ok(containers)
}

/// An image is a program here, so a command can only name that one.
fn check_command(container: &ContainerSpec, program: &Path) -> Result<(), PodError> {
    match container.command.as_deref().unwrap_or_default() {
        [] => Ok(()),
        [command] if Path::new(command).file_name() == program.file_name() => Ok(()),
        _ => Err(PodError::Unsupported(format!(
            "the command of container {}: an image is a program",
            container.name
        ))),
    }
}

/// Writes what programs in Pods use to reach the API server.
async fn account(
    shared: &Shared,
    pod: &Pod,
    spec: &PodSpec,
    folder: &Path,
) -> Result<PathBuf, PodError> {
    let folder = folder.join("serviceaccount");
    std::fs::create_dir_all(&folder).map_err(PodError::at("create a folder"))?;
    let namespace = pod.namespace().unwrap_or_default();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).map_err(PodError::at("write a file"))
    };
    write("namespace", &namespace)?;
    let Some(name) = &spec.service_account_name else {
        return Ok(folder);
    };
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let accounts = Api::<ServiceAccount>::namespaced(shared.client.clone(), &namespace);
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await?;
    write(
        "token",
        &answer.status.map(|status| status.token).unwrap_or_default(),
    )?;
    let maps = Api::<ConfigMap>::namespaced(shared.client.clone(), &namespace);
    // Published by the controller manager a moment after the namespace was made.
    let deadline = Instant::now() + HOOK_PATIENCE;
    let certificate = loop {
        let map = maps.get_opt("kube-root-ca.crt").await?;
        if let Some(certificate) = map.and_then(|map| map.data?.remove("ca.crt")) {
            break certificate;
        }
        if Instant::now() > deadline {
            return Err(PodError::NoValue(
                "ca.crt of ConfigMap kube-root-ca.crt".to_owned(),
            ));
        }
        sleep(TICK).await;
    };
    write("ca.crt", &certificate)?;
    Ok(folder)
}

/// Hooks first, then the signal, then by force when the grace period is over.
async fn stop(shared: &Shared, spec: &PodSpec, containers: &mut [Container], address: Ipv4Addr) {
    let grace = spec
        .termination_grace_period_seconds
        .unwrap_or(DEFAULT_GRACE);
    let deadline = Instant::now() + Duration::from_secs(u64::try_from(grace).unwrap_or_default());
    let hooks = containers.iter().filter_map(|container| {
        let action = container
            .spec
            .lifecycle
            .as_ref()?
            .pre_stop
            .as_ref()?
            .http_get
            .as_ref()?;
        Some(timeout(
            HOOK_PATIENCE,
            probe::get(&shared.http, &container.spec, action, address),
        ))
    });
    // The hook of a user container waits until the one beside it has no more requests, which it
    // learns by its signal: containers are told to end each by itself.
    let without_hook = |container: &&Container| container.spec.lifecycle.is_none();
    containers
        .iter()
        .filter(without_hook)
        .for_each(Container::terminate);
    futures::future::join_all(hooks).await;
    containers.iter().for_each(Container::terminate);
    while Instant::now() < deadline && containers.iter_mut().any(Container::runs) {
        sleep(TICK).await;
    }
}

fn pods(shared: &Shared, pod: &Pod) -> Api<Pod> {
    Api::namespaced(shared.client.clone(), &pod.namespace().unwrap_or_default())
}

/// Writes a status that is new.
async fn publish(shared: &Shared, pod: &Pod, known: &mut PodStatus, now: PodStatus) {
    if *known == now {
        return;
    }
    let patch = Patch::Merge(serde_json::json!({ "metadata": {"uid": pod.uid()}, "status": &now }));
    let written = pods(shared, pod)
        .patch_status(&pod.name_any(), &PatchParams::default(), &patch)
        .await;
    match written {
        Ok(_) => *known = now,
        Err(error) => {
            tracing::debug!(pod = pod.name_any(), %error, "the status of a Pod was not written")
        }
    }
}
