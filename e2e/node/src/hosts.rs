//! The names of Services, as a hosts file for the programs in Pods.

use std::{collections::BTreeMap, io, net::Ipv4Addr, path::PathBuf};

use futures::TryStreamExt as _;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};

const SERVICE: &str = "kubernetes.io/service-name";

/// Keeps a hosts file: the name of each Service stands for its first ready Pod. Ports are those of
/// the Pod, so only Services that keep the port's number are reached by name.
pub(crate) async fn keep(client: Client, file: PathBuf, gateway: Ipv4Addr) {
    let slices = Api::<EndpointSlice>::all(client);
    let mut events = Box::pin(watcher(slices, watcher::Config::default()).default_backoff());
    let mut known: BTreeMap<(String, String), EndpointSlice> = BTreeMap::new();
    let mut written = String::new();
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "the watch of EndpointSlices was interrupted");
                continue;
            }
        };
        let key = |slice: &EndpointSlice| (slice.namespace().unwrap_or_default(), slice.name_any());
        match event {
            watcher::Event::Init => known.clear(),
            watcher::Event::InitApply(slice) | watcher::Event::Apply(slice) => {
                known.insert(key(&slice), slice);
            }
            watcher::Event::Delete(slice) => {
                known.remove(&key(&slice));
            }
            watcher::Event::InitDone => {}
        }
        let text = text(known.values(), gateway);
        if text != written
            && let Err(error) = write(&file, &text)
        {
            tracing::warn!(%error, "the hosts file was not written");
        }
        written = text;
    }
}

/// In place: what is mounted into Pods is this very file.
pub(crate) fn write(file: &PathBuf, text: &str) -> io::Result<()> {
    std::fs::write(file, text)
}

/// The file's content.
pub(crate) fn text<'a>(
    slices: impl Iterator<Item = &'a EndpointSlice>,
    gateway: Ipv4Addr,
) -> String {
    let mut names = BTreeMap::from([(
        ("default".to_owned(), "kubernetes".to_owned()),
        gateway.to_string(),
    )]);
    for slice in slices {
        let Some(service) = slice.labels().get(SERVICE) else {
            continue;
        };
        let mut endpoints = slice.endpoints.iter();
        let ready = endpoints.find(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions.is_none_or(|conditions| conditions.ready != Some(false))
        });
        if let Some(address) = ready.and_then(|endpoint| endpoint.addresses.first()) {
            let key = (slice.namespace().unwrap_or_default(), service.clone());
            names.entry(key).or_insert_with(|| address.clone());
        }
    }
    let mut text = "127.0.0.1 localhost\n".to_owned();
    for ((namespace, service), address) in names {
        let name = format!("{service}.{namespace}");
        text.push_str(&format!(
            "{address} {name} {name}.svc {name}.svc.cluster.local\n"
        ));
    }
    text
}
