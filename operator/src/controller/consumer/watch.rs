//! The watch of Secrets: that one changed is enough to know, so only metadata is transferred.

use std::convert::Infallible;
use std::sync::Arc;

use crds::v1alpha1::GatewayConsumer;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use crate::controller::context::Context;
use crate::controller::line::Lane;
use crate::controller::queue::Asker;
use crate::core::consumer::name_of;
use crate::health::Gate;
use crate::supervise::{Stage, Supervisor};

type SecretMeta = PartialObjectMeta<Secret>;

/// Has consumers looked at when a Secret that they name changes: they go into `sender`'s queue. The
/// Secrets of the namespaces of `--secret-namespaces` are watched.
pub fn spawn(context: &Arc<Context>, sender: Asker<GatewayConsumer>, supervisor: &mut Supervisor) {
    for (namespace, api) in context.secrets() {
        let name = match namespace {
            None => "watch of Secrets".to_owned(),
            Some(namespace) => format!("watch of Secrets in {namespace}"),
        };
        let gate = context.runtime.readiness.gate(&name);
        let watching = watch(context.clone(), api, sender.clone(), gate);
        let stop = context.runtime.shutdown.clone();
        supervisor.spawn(Stage::Work, name, async move {
            stop.run_until_cancelled(watching).await;
            Ok::<_, Infallible>(())
        });
    }
}

async fn watch(
    context: Arc<Context>,
    api: Api<SecretMeta>,
    sender: Asker<GatewayConsumer>,
    gate: Gate,
) {
    let stream = watcher(api, watcher::Config::default()).default_backoff();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Apply(secret) | Event::Delete(secret)) => {
                tell(&context, &secret, &sender, Lane::Edit);
            }
            Ok(Event::InitApply(secret)) => tell(&context, &secret, &sender, Lane::Check),
            Ok(Event::InitDone) => gate.open(),
            Ok(Event::Init) => {}
            // The watcher tries again by itself, with backoff.
            Err(error) => tracing::debug!(%error, "watch interrupted"),
        }
    }
}

fn tell(context: &Context, secret: &SecretMeta, sender: &Asker<GatewayConsumer>, lane: Lane) {
    for consumer in context.stores.consumers.state() {
        if names(&consumer, secret) {
            sender.ask(ObjectRef::from_obj(&*consumer), lane);
            context.higress.consumer(&name_of(&consumer));
        }
    }
}

fn names(consumer: &GatewayConsumer, secret: &SecretMeta) -> bool {
    let mut credentials = consumer.spec.credentials.iter();
    consumer.namespace() == secret.namespace()
        && credentials.any(|credential| credential.secret_ref.name == secret.name_any())
}
