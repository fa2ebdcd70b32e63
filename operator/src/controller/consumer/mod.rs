//! The controller of GatewayConsumers. The way of one consumer reads top to bottom in [`pass`].
//!
//! A generated credential is written into its Secret before the cloud hears of it, so that no
//! crash leaves a credential that only the cloud knows.

mod adopted;
mod audits;
mod finalize;
mod gaps;
mod generate;
mod hold;
mod reach;
mod report;
mod secrets;
mod site;
mod watch;
mod work;

use std::sync::Arc;

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::GatewayConsumer;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::ResourceExt;

use super::binding::retry;
use super::context::Context;
use super::queue::Ended;
use super::writes;
use crate::core::consumer;
use crate::core::consumer::credentials::{SecretState, outlook};
use crate::core::problem::Problem;
use crate::core::unreadable;
use audits::Audits;
use report::Report;
use secrets::Secrets;
pub use watch::spawn as watch_secrets;
use work::Work;

/// Kind in metrics, backoff and events.
pub const KIND: &str = "GatewayConsumer";

/// The reconciler of consumers, with what it remembers from pass to pass.
pub fn reconciler()
-> impl Fn(Arc<GatewayConsumer>, Arc<Context>) -> BoxFuture<'static, Ended> + Clone + Send + 'static
{
    let audits = Arc::new(Audits::default());
    move |consumer, context| Box::pin(reconcile(consumer, context, audits.clone()))
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
    if !writes::is_held(&*consumer) && unreadable::why(&*consumer).is_none() {
        return match finalize::add_finalizer(&consumer, &context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    pass(consumer, &context, &audits).await
}

/// Says on a consumer that a pass over it panicked.
pub async fn tell_panic(stored: Arc<GatewayConsumer>, context: Arc<Context>) {
    let mut report = Report::new(context.consumers.newest(stored));
    report.trouble(Problem::defect().into());
    report.publish(&context).await;
}

/// The credentials of a consumer that are valid now, as far as they can be read, and when the first of
/// them ends.
///
/// # Errors
/// If the API server does not answer.
pub async fn credentials(
    consumer: &GatewayConsumer,
    context: &Context,
) -> Result<(Vec<Credential>, Option<Timestamp>), Problem> {
    let runtime = &context.runtime;
    let secrets = Secrets::new(&runtime.client, &runtime.leadership, consumer);
    let (states, _) = secrets.states().await;
    let mut unread = states.values().filter_map(|state| match state {
        SecretState::Unreadable(problem) if problem.is_outage() => Some(problem),
        _ => None,
    });
    if let Some(problem) = unread.next() {
        return Err(problem.clone());
    }
    let outlook = outlook(&consumer.spec, &states, Timestamp::now());
    let values = outlook.values.into_iter().map(|(_, value)| value);
    Ok((values.collect(), outlook.next_end))
}

/// A consumer belongs to no class, so it says itself which shard it belongs to.
fn serves(consumer: &GatewayConsumer, context: &Context) -> bool {
    let shard = consumer
        .labels()
        .get(crds::keys::SHARD)
        .map_or("", String::as_str);
    shard == context.runtime.args.shard
}

/// Read the Secrets, look into the accounts, fill what Secrets lack, bring each account to what is
/// wanted, leave those that nobody needs, report.
async fn pass(consumer: Arc<GatewayConsumer>, context: &Context, audits: &Audits) -> Ended {
    let mut report = Report::new(consumer.clone());
    let readable = unreadable::problem(&*consumer).map_or(Ok(()), Err);
    if let Err(problem) = readable.and_then(|()| consumer::check(&consumer::name_of(&consumer))) {
        report.trouble(problem.into());
        return report.publish(context).await;
    }
    if context.has_lost_status(&*consumer) {
        reach::claim_everywhere(&consumer, &mut report.claims, context).await;
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
