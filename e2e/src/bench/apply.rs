//! Applying many objects, a bounded number at a time.

use anyhow::Context as _;
use crds::GatewayBinding;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::json;

use super::manifests::{Scale, name};

/// Requests under way at once.
const PARALLEL: usize = 16;
/// Objects of one answer of a list.
const PAGE: u32 = 500;
const MANAGER: &str = "kubectl";

/// Makes the Routes of all bindings, each with a host.
pub(super) async fn routes(client: &Client, scale: Scale) -> anyhow::Result<()> {
    let kind = GroupVersionKind::gvk("serving.knative.dev", "v1", "Route");
    let resource = ApiResource::from_gvk_with_plural(&kind, "routes");
    let make = async |index: usize| {
        let namespace = scale.namespace(index);
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &resource);
        let (route, status) = scale.route(index);
        let params = PatchParams::apply(MANAGER);
        api.patch(&name(index), &params, &Patch::Apply(&route))
            .await?;
        api.patch_status(&name(index), &params, &Patch::Apply(&status))
            .await
    };
    for_all(scale, make).await.context("cannot make the Routes")
}

/// Applies all bindings, as `kubectl apply --server-side` does.
pub(super) async fn bindings(client: &Client, scale: Scale) -> anyhow::Result<()> {
    let make = async |index: usize| {
        let api = of(client, &scale.namespace(index));
        let params = PatchParams::apply(MANAGER);
        let binding = scale.binding(index);
        api.patch(&name(index), &params, &Patch::Apply(&binding))
            .await
    };
    for_all(scale, make)
        .await
        .context("cannot apply the bindings")
}

/// Lets an API answer to HTTPS as well: an edit that changes this one API in the cloud.
pub(super) async fn edit(client: &Client, scale: Scale, index: usize) -> anyhow::Result<()> {
    let patch = json!({"spec": {"apiGateway": {"protocols": ["HTTP", "HTTPS"]}}});
    let api = of(client, &scale.namespace(index));
    let params = PatchParams::default();
    api.patch(&name(index), &params, &Patch::Merge(&patch))
        .await
        .context("cannot edit a binding")?;
    Ok(())
}

/// Whether a binding is Ready as it is now.
pub(super) async fn is_ready(client: &Client, scale: Scale, index: usize) -> anyhow::Result<bool> {
    let api = of(client, &scale.namespace(index));
    Ok(ready(&api.get(&name(index)).await?))
}

/// The bindings that are not Ready, with the reason, and how many bindings there are.
pub(super) async fn not_ready(client: &Client) -> anyhow::Result<(Vec<String>, usize)> {
    let api = Api::<GatewayBinding>::all(client.clone());
    let (mut names, mut found) = (Vec::new(), 0);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api
            .list(&params)
            .await
            .context("cannot list the bindings")?;
        found += page.items.len();
        let open = page.items.iter().filter(|binding| !ready(binding));
        names.extend(open.map(described));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok((names, found)),
        }
    }
}

fn ready(binding: &GatewayBinding) -> bool {
    let conditions = binding.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| {
        condition.type_ == "Ready"
            && condition.status == "True"
            && condition.observed_generation == binding.metadata.generation
    })
}

fn described(binding: &GatewayBinding) -> String {
    let metadata = &binding.metadata;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name) = (part(&metadata.namespace), part(&metadata.name));
    let conditions = binding.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions
        .into_iter()
        .find(|condition| condition.type_ == "Ready");
    let why = ready.map_or("it has no condition Ready", |condition| &condition.message);
    format!("{namespace}/{name}: {why}")
}

fn of(client: &Client, namespace: &str) -> Api<GatewayBinding> {
    Api::namespaced(client.clone(), namespace)
}

async fn for_all<T>(
    scale: Scale,
    make: impl AsyncFn(usize) -> Result<T, kube::Error>,
) -> Result<(), kube::Error> {
    futures::stream::iter(0..scale.bindings)
        .map(|index| make(index))
        .buffer_unordered(PARALLEL)
        .try_for_each(|_| async { Ok(()) })
        .await
}
