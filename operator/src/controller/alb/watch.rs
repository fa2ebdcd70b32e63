//! The watches of this controller. Nothing is watched before a class has an ALB, so that no right is needed
//! for what nobody uses; unless something is left of one that had.

use std::convert::Infallible;
use std::sync::Arc;

use crds::keys;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass};
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::watch;

use super::KIND;
use super::complaints::listen;
use super::concerns::{Begun, Concerns};
use super::left_over;
use super::lighten::{lighten, lighten_ingress};
use super::pass::{reconcile, tell_panic};
use super::places::{self, Asked};
use super::signals::Signals;
use super::state::{Writers, serverless_service};
use crate::controller::context::Context;
use crate::controller::queue::{self, Asker, Work, queue};
use crate::controller::stores::{self, Seen, keep, keep_some, keep_with};
use crate::core::alb::hop::{GATEWAY, SERVICE_NAME};
use crate::core::alb::kingress::KIngress;
use crate::core::alb::network::{NAME, NAMESPACE};
use crate::supervise::{Stage, Supervisor};

/// Starts the controller, which then waits for a class with an ALB.
pub fn spawn(
    context: &Arc<Context>,
    signals: &Signals,
    bindings: Asker<GatewayBinding>,
    classes: Asker<GatewayBindingClass>,
    supervisor: &mut Supervisor,
) {
    let (Some(signals), Some(writers)) = (signals.listen(), context.alb.writers()) else {
        return;
    };
    let (begin, begun) = watch::channel(Begun::default());
    let (asker, requests) = queue();
    let concerns = Concerns::new(context, asker, (bindings, classes), begin);
    let shutdown = &context.runtime.shutdown;

    let (stop, dispatch) = (shutdown.clone(), concerns.clone());
    supervisor.spawn(Stage::Work, "signals to the ALB layer", async move {
        stop.run_until_cancelled(dispatch.heed(signals)).await;
        Ok::<_, Infallible>(())
    });
    let (stop, mut started) = (shutdown.clone(), begun.clone());
    let looking = concerns.clone();
    supervisor.spawn(Stage::Work, "watches of the ALB layer", async move {
        let watching = async {
            tokio::select! {
                _ = started.wait_for(|begun| begun.active) => {}
                true = left_over::is_any(&looking.context) => {}
            }
            keep_stores(&looking, writers).await;
        };
        stop.run_until_cancelled(watching).await;
        Ok::<_, Infallible>(())
    });
    let (stop, listed) = (shutdown.clone(), begun.clone());
    supervisor.spawn(Stage::Work, "places of the ALB layer", async move {
        let looking_after = async {
            ready(&concerns.context, listed).await;
            let ask = |asked| match asked {
                Asked::All => concerns.ask_where(|_| true),
                Asked::One(child) => concerns.owner(&child),
            };
            places::look_after(&concerns.context, ask).await;
        };
        stop.run_until_cancelled(looking_after).await;
        Ok::<_, Infallible>(())
    });
    let context = context.clone();
    supervisor.spawn(Stage::Work, format!("{KIND} controller"), async move {
        tokio::select! {
            () = context.runtime.shutdown.cancelled() => return Ok::<_, Infallible>(()),
            () = ready(&context, begun) => {}
        }
        let work = Work {
            kind: KIND,
            reconcile,
            tell: tell_panic,
        };
        let store = context.alb.kingresses.clone();
        queue::run(work, context, store, requests).await;
        Ok(())
    });
}

/// Waits until this process leads, and all that a pass needs is known.
async fn ready(context: &Context, mut begun: watch::Receiver<Begun>) {
    context.runtime.leadership.until_leader().await;
    context.stores.ready().await;
    let _ = begun.wait_for(Begun::is_all).await;
    context.alb.begin();
}

/// Keeps the stores for ever.
async fn keep_stores(concerns: &Concerns, writers: Writers) {
    let client = &concerns.context.runtime.client;
    let kingresses = keep(
        Api::<KIngress>::all(client.clone()),
        std::convert::identity,
        writers.kingresses,
        None,
        lighten,
        |seen| concerns.kingress(&seen),
    );
    let ingresses = keep(
        Api::<Ingress>::all(client.clone()),
        std::convert::identity,
        writers.ingresses,
        None,
        lighten_ingress,
        |seen| concerns.ingress(&seen),
    );
    let mut tell = |seen: Seen<'_, _>| concerns.scaling(&seen);
    let scaling = keep_with(
        Api::all_with(client.clone(), &serverless_service()),
        writers.scaling,
        None,
        stores::lighten,
        &mut tell,
    );
    let mut tell = |seen: Seen<'_, _>| concerns.network(&seen);
    let network = keep_some(
        Api::<ConfigMap>::namespaced(client.clone(), NAMESPACE),
        watcher::Config::default().fields(&format!("metadata.name={NAME}")),
        writers.network,
        stores::lighten,
        &mut tell,
    );
    let mut tell = |seen: Seen<'_, _>| concerns.gateway(&seen);
    let slices = keep_some(
        Api::<EndpointSlice>::all(client.clone()),
        watcher::Config::default().labels(&format!("{SERVICE_NAME}={GATEWAY}")),
        writers.slices,
        stores::lighten,
        &mut tell,
    );
    let mut tell = |seen: Seen<'_, _>| concerns.endpoints(&seen);
    let ours = format!("{}={}", keys::MANAGED_BY, keys::FIELD_MANAGER);
    let endpoints = keep_some(
        Api::<Endpoints>::all(client.clone()),
        watcher::Config::default().labels(&ours),
        writers.endpoints,
        stores::lighten,
        &mut tell,
    );
    let complaints = listen(&concerns.state().complaints, client.clone(), |heard| {
        concerns.complaint(heard);
    });
    tokio::join!(
        kingresses, ingresses, complaints, scaling, network, slices, endpoints
    );
}
