//! Apps that others made and a consumer adopts: who has them, what was added to them, and what of
//! that leaves again.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::{CredentialType, GatewayConsumer, Reason};

use super::report::Report;
use super::secrets::Secrets;
use super::site::Site;
use super::work::Work;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::consumer::adoption::{adopted_in, holder, taken};
use crate::core::consumer::claims::{AppKey, Claims};
use crate::core::consumer::credentials::{Gap, Outlook, Slot, kind_of};
use crate::core::problem::Problem;

/// Whether an app may be looked at: another consumer may have adopted it.
pub(super) fn is_free(
    app: &AppKey,
    consumer: &GatewayConsumer,
    context: &Context,
) -> Result<(), Trouble> {
    if app.adopted().is_none() {
        return Ok(());
    }
    let consumers = context.stores.consumers.state();
    let newest: Vec<_> = consumers
        .into_iter()
        .map(|other| context.consumers.newest(other))
        .collect();
    match holder(consumer, newest.iter().map(AsRef::as_ref), app) {
        Some(holder) => Err(Trouble::from(taken(app, &holder))),
        None => Ok(()),
    }
}

/// The values of those credentials that were added to an adopted app.
pub(super) fn added_values(outlook: &Outlook, claims: &Claims, app: &AppKey) -> Vec<Credential> {
    let added = claims.added(app);
    let values = outlook.values.iter();
    values
        .filter(|(slot, _)| added.contains_key(slot))
        .map(|(_, value)| value.clone())
        .collect()
}

/// The values of credentials that were added to an adopted app and are no longer listed, as far as
/// the operator wrote them into Secrets that are still there. Nobody else can tell which they are.
pub(super) async fn leaving(
    app: &AppKey,
    consumer: &GatewayConsumer,
    secrets: &Secrets<'_>,
    claims: &Claims,
) -> Result<Vec<Credential>, Trouble> {
    let listed = listed(consumer);
    let mut leaving = Vec::new();
    for (slot, secret) in claims.added(app) {
        let Some(secret) = secret.filter(|_| !listed.contains(&slot)) else {
            continue;
        };
        let values = secrets.own(&secret).await?.into_iter();
        leaving.extend(values.filter(|value| kind_of(value) == slot.kind));
    }
    Ok(leaving)
}

/// That a credential waits for the app that may have it.
pub(super) fn not_asked(gap: &Gap) -> Problem {
    Problem::unresolved(
        Reason::Pending,
        format!(
            "credential \"{}\": Secret \"{}\" lacks it, and it is taken over from the app that spec.existing names. That is looked at once a binding in its account names this consumer.",
            gap.slot.credential, gap.secret
        ),
    )
}

fn listed(consumer: &GatewayConsumer) -> BTreeSet<Slot> {
    let credentials = consumer.spec.credentials.iter();
    let slots = credentials.flat_map(|credential| {
        credential.kinds.iter().map(|kind| Slot {
            credential: credential.name.clone(),
            kind: *kind,
        })
    });
    slots.collect()
}

impl Work<'_> {
    /// Notes what is about to be added to an adopted app.
    pub(super) fn note_additions(&self, site: &Site, before: &Claims, report: &mut Report) {
        if site.key.adopted().is_none() {
            return;
        }
        let mut added = before.added(&site.key);
        for slot in site.additions(&self.wish(site, before)) {
            let secret = self.written_secret(&slot);
            added.entry(slot).or_insert(secret);
        }
        report.claims.note_added(&site.key, &added);
    }

    /// What is no longer listed has left.
    pub(super) fn settle_additions(&self, app: &AppKey, report: &mut Report) {
        if app.adopted().is_none() {
            return;
        }
        let listed = listed(self.consumer);
        let added: BTreeMap<_, _> = report
            .claims
            .added(app)
            .into_iter()
            .filter(|(slot, _)| listed.contains(slot))
            .collect();
        report.claims.note_added(app, &added);
    }

    /// The Secret that the operator writes a credential into.
    fn written_secret(&self, slot: &Slot) -> Option<String> {
        let mut credentials = self.consumer.spec.credentials.iter();
        let credential = credentials.find(|credential| credential.name == slot.credential)?;
        let generated = credential.type_ == CredentialType::Generated;
        generated.then(|| credential.secret_ref.name.clone())
    }

    /// Whether an app that no binding names any more stays: an API that a binding left in place
    /// (`deletionPolicy: Retain`) keeps its callers, and one of the operator's is not given up for one
    /// to adopt in the same place, which then cannot be adopted.
    pub(super) async fn stays(&self, site: &Site, claims: &Claims) -> Result<bool, Trouble> {
        if site.key.adopted().is_some() {
            return Ok(!claims.added(&site.key).is_empty() && site.is_granted().await?);
        }
        let replaced = adopted_in(self.consumer, &site.key.location).is_some();
        Ok(site.is_granted().await? || (replaced && site.is_there().await?))
    }
}
