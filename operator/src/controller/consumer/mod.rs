//! The controller of GatewayConsumers. The way of one consumer reads top to bottom in [`pass`].
//!
//! A generated credential is written into its Secret before the cloud hears of it, so that no
//! crash leaves a credential that only the cloud knows.

mod audits;
mod finalize;
mod generate;
mod reach;
mod report;
mod secrets;
mod site;
mod watch;
mod work;

use std::convert::Infallible;
use std::sync::Arc;

use crds::keys;
use crds::v1alpha1::GatewayConsumer;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::binding::retry;
use super::context::Context;
use super::queue::{self, Ended};
use crate::core::consumer;
use crate::supervise::{Stage, Supervisor};
use audits::Audits;
use report::Report;
use work::Work;

/// Kind in metrics, backoff and events.
pub const KIND: &str = "GatewayConsumer";

/// Starts the controller and the watch of Secrets that consumers name. `sender` is the other end
/// of `requests`.
pub fn spawn(
    context: &Arc<Context>,
    sender: UnboundedSender<ObjectRef<GatewayConsumer>>,
    requests: UnboundedReceiver<ObjectRef<GatewayConsumer>>,
    supervisor: &mut Supervisor,
) {
    watch::spawn(context, sender, supervisor);
    let context = context.clone();
    supervisor.spawn(Stage::Work, "GatewayConsumer controller", async move {
        let runtime = &context.runtime;
        tokio::select! {
            () = runtime.shutdown.cancelled() => return Ok::<_, Infallible>(()),
            () = runtime.leadership.until_leader() => {}
        }
        context.stores.ready().await;
        let store = context.stores.consumers.clone();
        let audits = Arc::new(Audits::default());
        let reconcile = move |consumer, context| reconcile(consumer, context, audits.clone());
        queue::run(KIND, context.clone(), store, requests, reconcile).await;
        Ok(())
    });
}

/// One pass over one consumer.
async fn reconcile(
    stored: Arc<GatewayConsumer>,
    context: Arc<Context>,
    audits: Arc<Audits>,
) -> Ended {
    let consumer = context.consumers.newest(stored);
    if !serves(&consumer, &context) {
        return Ended::Done;
    }
    if consumer.metadata.deletion_timestamp.is_some() {
        return finalize::finalize(consumer, &context, &audits).await;
    }
    let has_finalizer = consumer
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == keys::FINALIZER);
    if !has_finalizer {
        return match finalize::add_finalizer(&consumer, &context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    pass(consumer, &context, &audits).await
}

/// A consumer belongs to no class, so it says itself which shard it belongs to.
fn serves(consumer: &GatewayConsumer, context: &Context) -> bool {
    let shard = consumer
        .labels()
        .get("gatewaybinding.dev/shard")
        .map_or("", String::as_str);
    shard == context.runtime.args.shard
}

/// Read the Secrets, look into the accounts, fill what Secrets lack, bring each account to what is
/// wanted, leave those that nobody needs, report.
async fn pass(consumer: Arc<GatewayConsumer>, context: &Context, audits: &Audits) -> Ended {
    let mut report = Report::new(consumer.clone());
    if let Err(problem) = consumer::check(&consumer::name_of(&consumer)) {
        report.trouble(problem.into());
        return report.publish(context).await;
    }
    let mut work = Work::begin(&consumer, context, audits).await;
    work.look(&mut report).await;
    let made = work.close_gaps(&mut report);
    match work.claim(&made, &mut report).await {
        Ok(()) => {
            work.write_secrets(made, &mut report).await;
            work.carry_out(&mut report).await;
            work.leave(&mut report).await;
            work.drop_secrets(&mut report).await;
        }
        Err(trouble) => report.trouble(trouble),
    }
    work.settle(&mut report);
    report.publish(context).await
}
