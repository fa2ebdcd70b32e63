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
use crate::supervise::{Stage, Supervisor};

/// Has consumers looked at when a Secret that they name changes: they go into `sender`'s queue.
pub fn spawn(context: &Arc<Context>, sender: Asker<GatewayConsumer>, supervisor: &mut Supervisor) {
    let gate = context.runtime.readiness.gate("watch of Secrets");
    let context = context.clone();
    supervisor.spawn(Stage::Work, "watch of Secrets", async move {
        let secrets: Api<PartialObjectMeta<Secret>> = Api::all(context.runtime.client.clone());
        let stream = watcher(secrets, watcher::Config::default()).default_backoff();
        let watching = async {
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Apply(secret) | Event::Delete(secret)) => {
                        tell(&context, &secret, &sender, Lane::Edit);
                    }
                    Ok(Event::InitApply(secret)) => {
                        tell(&context, &secret, &sender, Lane::Check);
                    }
                    Ok(Event::InitDone) => gate.open(),
                    Ok(Event::Init) => {}
                    // The watcher tries again by itself, with backoff.
                    Err(error) => tracing::debug!(%error, "watch interrupted"),
                }
            }
        };
        let stop = context.runtime.shutdown.clone();
        stop.run_until_cancelled(watching).await;
        Ok::<_, Infallible>(())
    });
}

fn tell(
    context: &Context,
    secret: &PartialObjectMeta<Secret>,
    sender: &Asker<GatewayConsumer>,
    lane: Lane,
) {
    for consumer in context.stores.consumers.state() {
        if names(&consumer, secret) {
            sender.ask(ObjectRef::from_obj(&*consumer), lane);
        }
    }
}

fn names(consumer: &GatewayConsumer, secret: &PartialObjectMeta<Secret>) -> bool {
    let mut credentials = consumer.spec.credentials.iter();
    consumer.namespace() == secret.namespace()
        && credentials.any(|credential| credential.secret_ref.name == secret.name_any())
}
