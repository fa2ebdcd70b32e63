//! The end of a consumer: it goes from every account that its ledger names, then its Secrets go.

use std::sync::Arc;

use cloud_adapter::gateway::model::Credential;
use crds::keys;
use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, CredentialType, GatewayConsumer, Reason,
    remove_condition, set_condition,
};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::adopted::{added_values, leaving};
use super::audits::Audits;
use super::report::{api, write_status};
use super::secrets::Secrets;
use super::site::Site;
use super::{KIND, hold, reach};
use crate::backoff::ObjectKey as BackoffKey;
use crate::controller::binding::retry;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::controller::writes;
use crate::core::consumer::claims::{AppKey, Claim, Claims};
use crate::core::consumer::credentials::outlook;
use crate::core::consumer::places::Intent;
use crate::core::problem::{Problem, Severity};

/// Removes what a consumer claimed, then lets it go. Detached, it goes at once; its generated
/// Secrets follow it all the same, since they belong to it, but what the cloud has stays.
pub(super) async fn finalize(
    consumer: Arc<GatewayConsumer>,
    context: &Context,
    audits: &Audits,
) -> Ended {
    let has_finalizer = writes::is_held(&*consumer);
    if !has_finalizer {
        return Ended::Done;
    }
    let annotation = consumer.annotations().get(keys::DETACH);
    let mut claims = Claims::of(&consumer);
    if annotation.is_some_and(|value| value == "true") {
        return let_go(&consumer, context, audits).await;
    }
    if context.has_lost_status(&*consumer) {
        reach::claim_everywhere(&consumer, &mut claims, context).await;
        claim_secrets(&consumer, &mut claims);
    }
    let mut removed = Vec::new();
    let result = remove(&consumer, &mut claims, &mut removed, context).await;
    tell(&consumer, &removed, context);
    match result {
        Ok(()) => let_go(&consumer, context, audits).await,
        Err(trouble) => {
            let problem = match trouble.problem.reason {
                Reason::MassChangeHeld => trouble.problem.clone(),
                _ => blocked(&trouble.problem, &claims),
            };
            show(&consumer, &claims, &problem, context).await;
            if matches!(problem.severity, Severity::Terminal | Severity::Held) {
                return Ended::Stuck;
            }
            retry(&trouble)
        }
    }
}

/// Claims every Secret that may have been generated for the consumer. One that was not made for it is
/// seen when it is looked at.
fn claim_secrets(consumer: &GatewayConsumer, claims: &mut Claims) {
    let credentials = consumer.spec.credentials.iter();
    for credential in credentials.filter(|it| it.type_ == CredentialType::Generated) {
        claims.claim(&Claim::Secret {
            namespace: consumer.namespace().unwrap_or_default(),
            name: credential.secret_ref.name.clone(),
        });
    }
}

/// Removes all it can; the first thing that stands in the way does not keep the rest in place.
async fn remove(
    consumer: &GatewayConsumer,
    claims: &mut Claims,
    removed: &mut Vec<String>,
    context: &Context,
) -> Result<(), Trouble> {
    let mut first = None;
    let secrets = Secrets::new(
        &context.runtime.client,
        &context.runtime.leadership,
        consumer,
    );
    let apps: Vec<_> = claims.apps().map(|(app, _)| app.clone()).collect();
    let leaving = apps.clone();
    for app in apps {
        let claim = Claim::App(app.clone());
        if let Err(trouble) = hold::may_leave(consumer, &app, &leaving, &context.guard) {
            first = first.or(Some(trouble));
            continue;
        }
        let gone = match reach::way_to(&app, consumer, context).await {
            Ok(way) if app.adopted().is_some() => {
                let added = added(&app, consumer, &secrets, claims).await;
                let site = Site::new(consumer, app.clone(), Intent::Leave, way);
                match added {
                    // It stays, without what was added to it.
                    Ok(added) => site.release(&added).await.map(|_| false),
                    Err(trouble) => Err(trouble),
                }
            }
            Ok(way) => {
                Site::new(consumer, app.clone(), Intent::Leave, way)
                    .remove()
                    .await
            }
            Err(trouble) => Err(trouble),
        };
        match gone {
            Ok(was_there) => {
                hold::has_left(&app, &context.guard);
                release(claims, &claim, was_there, removed, context);
            }
            Err(trouble) => first = first.or(Some(trouble)),
        }
    }
    // The Secrets last: while a caller may still call, its credential is to be found.
    if let Some(trouble) = first {
        return Err(trouble);
    }
    let names: Vec<String> = claims.secrets().map(str::to_owned).collect();
    for name in names {
        let deleted = secrets.delete(&name).await?;
        let namespace = consumer.namespace().unwrap_or_default();
        let claim = Claim::Secret { namespace, name };
        release(claims, &claim, deleted, removed, context);
    }
    Ok(())
}

/// What was added to an adopted app, as far as Secrets still tell.
async fn added(
    app: &AppKey,
    consumer: &GatewayConsumer,
    secrets: &Secrets<'_>,
    claims: &Claims,
) -> Result<Vec<Credential>, Trouble> {
    let (states, _) = secrets.states().await;
    let outlook = outlook(&consumer.spec, &states, Timestamp::now());
    let mut added = added_values(&outlook, claims, app);
    added.extend(leaving(app, consumer, secrets, claims).await?);
    Ok(added)
}

fn release(
    claims: &mut Claims,
    claim: &Claim,
    was_there: bool,
    removed: &mut Vec<String>,
    context: &Context,
) {
    claims.release(claim);
    if was_there {
        tracing::info!(object = %claim, action = "delete", "done");
        context.runtime.metrics.plan_step("delete", claim.kind());
        removed.push(format!("delete {claim}"));
    }
}

fn tell(consumer: &GatewayConsumer, removed: &[String], context: &Context) {
    let regarding = consumer.object_ref(&());
    context.runtime.events.applied(&regarding, removed);
}

fn blocked(problem: &Problem, claims: &Claims) -> Problem {
    let left: Vec<String> = claims.entries.keys().map(ToString::to_string).collect();
    Problem {
        reason: Reason::DeletionBlocked,
        message: format!(
            "{} What is left: {}. To let the consumer go and leave the cloud as it is, annotate it with {}: \"true\".",
            problem.message,
            left.join(", "),
            keys::DETACH
        ),
        ..problem.clone()
    }
}

/// Shows what is left and why.
async fn show(consumer: &GatewayConsumer, claims: &Claims, problem: &Problem, context: &Context) {
    let mut status = consumer.status.clone().unwrap_or_default();
    status.ledger = claims.write();
    let left = |account: &str, region: &str| {
        let mut apps = claims.apps();
        apps.any(|(app, _)| app.location.account == account && app.location.region == region)
    };
    status
        .accounts
        .retain(|account| left(&account.account, &account.region));
    let (shown, hidden) = if problem.severity == Severity::Terminal {
        (ConditionType::Stalled, ConditionType::Reconciling)
    } else {
        (ConditionType::Reconciling, ConditionType::Stalled)
    };
    for (type_, state) in [
        (ConditionType::Ready, ConditionStatus::False),
        (shown, ConditionStatus::True),
    ] {
        let update = ConditionUpdate {
            type_,
            status: state,
            reason: problem.reason,
            message: problem.message.clone(),
        };
        let generation = consumer.metadata.generation;
        set_condition(&mut status.conditions, update, generation, Timestamp::now());
    }
    remove_condition(&mut status.conditions, hidden);
    let before = consumer.status.as_ref();
    let conditions = before.map(|status| status.conditions.clone());
    let regarding = consumer.object_ref(&());
    let events = &context.runtime.events;
    events.transitions(
        &regarding,
        &conditions.unwrap_or_default(),
        &status.conditions,
    );
    if before != Some(&status)
        && let Err(trouble) = write_status(consumer, &status, context).await
    {
        tracing::warn!(message = trouble.problem.message, "status not written");
    }
}

async fn let_go(consumer: &GatewayConsumer, context: &Context, audits: &Audits) -> Ended {
    if let Err(trouble) = writes::let_go(&api(consumer, context), consumer, context).await {
        return retry(&trouble);
    }
    if let Some(uid) = consumer.uid() {
        context.consumers.forget(&uid);
        context.forget(&uid);
        context.runtime.events.forget(&uid);
        audits.forget_all(&uid);
    }
    let key = BackoffKey::of(KIND, consumer);
    context.runtime.metrics.object_gone(&key);
    Ended::Done
}

/// Adds our finalizer, before anything is claimed.
pub(super) async fn add_finalizer(
    consumer: &GatewayConsumer,
    context: &Context,
) -> Result<(), Trouble> {
    if let Some(written) = writes::hold(&api(consumer, context), consumer, context).await? {
        context.begin(&written);
        context.consumers.wrote(written);
    }
    Ok(())
}
