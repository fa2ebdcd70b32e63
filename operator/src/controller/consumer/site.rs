//! A consumer in one account: looked up, brought to what is wanted, removed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cloud_adapter::error::{CloudError, ErrorClass};
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{
    Consumer, ConsumerId, ConsumerSpec, Credential, Inventory, Kind, Marker, Watched,
};
use crds::v1alpha1::{ConditionType, GatewayConsumer, Reason};
use secrecy::{ExposeSecret, SecretString};

use super::reach::Access;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::tries::Tries;
use crate::core::consumer::claims::{AppKey, Claim, Claims};
use crate::core::consumer::credentials::{Slot, same};
use crate::core::consumer::drift;
use crate::core::consumer::places::Intent;
use crate::core::consumer::steps::{App, Step, Wish, find, ours, steps};
use crate::core::consumer::{adoption, name_of, owner};
use crate::core::names;
use crate::core::plan::odd;
use crate::core::problem::Problem;

/// Plans that follow each other at the most: making an app, adding the rest of its credentials.
const ROUNDS: usize = 3;
/// A list of this age is good enough to find what is to be removed.
const RECENT: Duration = Duration::from_secs(60);

/// A consumer in one account.
pub(super) struct Site {
    /// What it is called there, and where that is.
    pub key: AppKey,
    /// What is to happen with it.
    pub intent: Intent,
    /// The way in.
    pub access: Access,
    /// Its id, once it is there.
    pub id: Option<ConsumerId>,
    /// It, once it is there.
    pub app: Option<App>,
    marker: Marker,
}

/// What was done in one account.
#[derive(Default)]
pub(super) struct Outcome {
    /// Actions, with what they were done to.
    pub done: Vec<&'static str>,
    /// Credentials that could not be put there.
    pub failed: BTreeSet<Slot>,
    /// What went wrong.
    pub troubles: Vec<Trouble>,
    /// What somebody else changed and is left as it is.
    pub drifted: Option<String>,
    /// What does not keep what is written to it.
    pub unkept: Option<String>,
}

/// Changes that were made, whose they are, and for how long lists may not show them.
pub(super) type Made<'a> = (&'a Tries, &'a str, Duration);

impl Site {
    /// Not looked at yet.
    pub(super) fn new(
        consumer: &GatewayConsumer,
        key: AppKey,
        intent: Intent,
        access: Access,
    ) -> Self {
        let marker = Marker {
            cluster: access.cluster.clone(),
            owner: owner(&name_of(consumer)),
        };
        Self {
            key,
            intent,
            access,
            id: None,
            app: None,
            marker,
        }
    }

    fn gateway(&self) -> &dyn ApiGateway {
        &*self.access.account.gateway.gateway
    }

    async fn inventory(&self, max_age: Duration) -> Result<std::sync::Arc<Inventory>, Trouble> {
        let snapshots = &self.access.account.gateway.snapshots;
        let listed = snapshots.get_kinds(&[Kind::Consumers], max_age).await;
        listed.map_err(|error| self.trouble(error, &[]))
    }

    /// Looks the app up, in a new list if `refresh`.
    pub(super) async fn look(
        &mut self,
        claims: &Claims,
        refresh: bool,
        context: &Context,
    ) -> Result<(), Trouble> {
        let inventory = if refresh {
            self.inventory(Duration::ZERO).await?
        } else {
            context.read(|age| self.inventory(age)).await?
        };
        let found = match self.key.adopted() {
            Some(_) => Some(adoption::find(&inventory, &self.key, &self.marker)?),
            None => find(&inventory, &self.key, &self.marker, claims)?,
        };
        self.id = found.map(|found| found.id.clone());
        self.app = found.map(|found| App {
            spec: found.spec.clone(),
            credentials: None,
        });
        Ok(())
    }

    /// Whether there is an app of the operator's.
    pub(super) async fn is_there(&self) -> Result<bool, Trouble> {
        let inventory = self.inventory(RECENT).await?;
        Ok(ours(&inventory, &self.marker).is_some())
    }

    /// Whether an adopted app is disabled.
    pub(super) fn is_disabled_by_others(&self) -> bool {
        let disabled = self.app.as_ref().is_some_and(|app| app.spec.disabled);
        self.key.adopted().is_some() && disabled
    }

    /// Whether the app may call some API, whoever permitted it.
    pub(super) async fn is_granted(&self) -> Result<bool, Trouble> {
        let kinds = [Kind::Consumers, Kind::Grants];
        let snapshots = &self.access.account.gateway.snapshots;
        if let Some(id) = self.key.adopted() {
            snapshots.watch(Watched {
                consumers: [id].into(),
                ..Watched::default()
            });
        }
        let listed = snapshots.get_kinds(&kinds, RECENT).await;
        let inventory = listed.map_err(|error| self.trouble(error, &[]))?;
        let app = match self.key.adopted() {
            Some(id) => inventory.consumers.get(&id),
            None => ours(&inventory, &self.marker),
        };
        Ok(app.is_some_and(|app| inventory.grants.keys().any(|key| key.consumer == app.id)))
    }

    /// Reads its credentials.
    pub(super) async fn read_credentials(&mut self) -> Result<(), Trouble> {
        let (Some(id), Some(app)) = (&self.id, &self.app) else {
            return Ok(());
        };
        let read = self.gateway().credentials(id).await;
        let credentials = read.map_err(|error| self.trouble(error, &[]))?;
        self.app = Some(App {
            credentials: Some(credentials),
            ..app.clone()
        });
        Ok(())
    }

    /// The credentials that are about to be added.
    pub(super) fn additions(&self, wish: &Wish<'_>) -> BTreeSet<Slot> {
        let steps = self.steps(wish);
        steps.iter().flat_map(slots).collect()
    }

    /// Whether something is to be done.
    pub(super) fn has_work(&self, wish: &Wish<'_>) -> bool {
        !self.steps(wish).is_empty()
    }

    fn steps(&self, wish: &Wish<'_>) -> Vec<Step> {
        if self.app.is_none() && self.intent != Intent::Make {
            return Vec::new();
        }
        steps(wish, self.app.as_ref())
    }

    fn claim(&self) -> Claim {
        Claim::App(self.key.clone())
    }

    /// Takes no step to what is wanted, and tells what is otherwise.
    pub(super) fn leave(&self, wish: &Wish<'_>) -> Outcome {
        let steps = self.steps(wish);
        let told = || drift::of_app(&self.claim(), self.app.as_ref(), wish, &steps);
        Outcome {
            drifted: (!steps.is_empty()).then(told),
            ..Outcome::default()
        }
    }

    /// Takes the steps to what is wanted. One that fails does not keep others from being taken:
    /// taking access away waits for nothing.
    pub(super) async fn carry_out(
        &mut self,
        wish: &Wish<'_>,
        (tries, uid, fresh): Made<'_>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let key = self.claim().to_string();
        for _ in 0..ROUNDS {
            let steps = self.steps(wish);
            if steps.is_empty() || !outcome.troubles.is_empty() {
                break;
            }
            let changed = self
                .app
                .as_ref()
                .map(|app| drift::changes(app, wish, &steps));
            if let Some(fields) = &changed {
                let change = names::digest(fields);
                if tries.exhausted(uid, &key, &change) {
                    outcome.unkept = Some(drift::unkept(&self.claim(), fields));
                    break;
                }
                tries.made(uid, &key, change, Instant::now());
            }
            for step in steps {
                match self.take(&step, &wish.spec).await {
                    Ok(()) => outcome.done.push(step.action()),
                    Err(trouble) => {
                        outcome.failed.extend(slots(&step));
                        outcome.troubles.push(trouble);
                    }
                }
            }
        }
        let app = self.app.as_ref();
        let compared = app.is_some_and(|app| app.credentials.is_some());
        if compared && outcome.unkept.is_none() {
            tries.kept(uid, std::iter::once(&key), fresh, Instant::now());
        }
        outcome
    }

    async fn take(&mut self, step: &Step, spec: &ConsumerSpec) -> Result<(), Trouble> {
        match step {
            Step::Create(first) => {
                let values: Vec<Credential> =
                    first.iter().map(|(_, value)| value.clone()).collect();
                let made = self
                    .gateway()
                    .create_consumer(spec, &values, &self.marker)
                    .await;
                let id = made.map_err(|error| self.refused(error, first))?;
                self.id = Some(id);
                self.app = Some(App {
                    spec: spec.clone(),
                    credentials: Some(values),
                });
            }
            Step::Update => {
                let updated = self.gateway().update_consumer(self.id()?, spec).await;
                updated.map_err(|error| self.trouble(error, &[]))?;
                if let Some(app) = &mut self.app {
                    app.spec = spec.clone();
                }
            }
            Step::Add(slot, value) => {
                let added = self.gateway().add_credential(self.id()?, value).await;
                let slot = (slot.clone(), value.clone());
                added.map_err(|error| self.refused(error, std::slice::from_ref(&slot)))?;
                self.present(|present| present.push(value.clone()));
            }
            Step::Remove(value) => {
                let removed = self.gateway().remove_credential(self.id()?, value).await;
                removed.map_err(|error| self.trouble(error, &[value]))?;
                self.present(|present| present.retain(|found| !same(found, value)));
            }
        }
        Ok(())
    }

    fn present(&mut self, change: impl FnOnce(&mut Vec<Credential>)) {
        if let Some(present) = self.app.as_mut().and_then(|app| app.credentials.as_mut()) {
            change(present);
        }
    }

    fn id(&self) -> Result<&ConsumerId, Trouble> {
        self.id.as_ref().ok_or_else(|| {
            Trouble::from(Problem::retry(
                Reason::InternalError,
                format!("the id of the app in {} is not known.", self.key.location),
            ))
        })
    }

    /// Removes the app with all its permissions, if its marker still says that it is ours. Returns
    /// whether there was one. That there is none is believed only after a look at the cloud itself.
    pub(super) async fn remove(&self) -> Result<bool, Trouble> {
        for max_age in [RECENT, Duration::ZERO] {
            let inventory = self.inventory(max_age).await?;
            if let Some(problem) = self.unreadable(&inventory) {
                return Err(problem.into());
            }
            if let Some(app) = ours(&inventory, &self.marker) {
                let deleted = self.gateway().delete_consumer(&app.id).await;
                deleted.map_err(|error| self.trouble(error, &[]))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leaves an adopted app as it was: takes away what was added to it. Returns whether something was.
    pub(super) async fn release(&self, added: &[Credential]) -> Result<bool, Trouble> {
        let Some(id) = self.key.adopted() else {
            return Ok(false);
        };
        let inventory = self.inventory(RECENT).await?;
        if added.is_empty() {
            return Ok(false);
        }
        if let Some(problem) = odd::about(&inventory, Kind::Consumers, id.as_str()) {
            return Err(problem.into());
        }
        let nobodys = |app: &Consumer| app.marker.is_none();
        if !inventory.consumers.get(&id).is_some_and(nobodys) {
            return Ok(false);
        }
        for credential in added {
            let removed = self.gateway().remove_credential(&id, credential).await;
            removed.map_err(|error| self.trouble(error, &[credential]))?;
        }
        Ok(true)
    }

    /// An app that may be this one, and of which the cloud does not say whose it is.
    fn unreadable(&self, inventory: &Inventory) -> Option<Problem> {
        let odd = inventory.unreadable.keys();
        let mut odd = odd.filter(|(kind, _)| *kind == Kind::Consumers);
        odd.find_map(|(kind, id)| {
            let app = inventory.consumers.get(&ConsumerId::from(id.as_str()))?;
            let named = app.spec.name == self.key.name || app.spec.name.is_empty();
            let known = app.marker.as_ref() == Some(&self.marker);
            let may_be = known || (app.marker.is_none() && named);
            may_be.then(|| odd::about(inventory, *kind, id))?
        })
    }

    /// The cloud does not take credentials: which ones, and where they come from.
    fn refused(&self, error: CloudError, offered: &[(Slot, Credential)]) -> Trouble {
        let values: Vec<&Credential> = offered.iter().map(|(_, value)| value).collect();
        let about_name = error.code.contains("AppName");
        if error.class != ErrorClass::AlreadyExists || about_name {
            return self.trouble(error, &values);
        }
        let names: Vec<String> = offered
            .iter()
            .map(|(slot, _)| format!("{:?} of \"{}\"", slot.kind, slot.credential))
            .collect();
        // An addition that the cloud does not show yet looks the same, hence again with backoff.
        Trouble::from(Problem {
            condition: ConditionType::Programmed,
            ..Problem::retry(
                Reason::SecretInvalid,
                format!(
                    "credential {} belongs to another app in {} ({}). Put another value into its Secret.",
                    names.join(" or "),
                    self.key.location,
                    error.code
                ),
            )
        })
    }

    /// What an error means, with the place, and without the credentials that were sent: the
    /// cloud may repeat them in its words.
    fn trouble(&self, error: CloudError, sent: &[&Credential]) -> Trouble {
        let trouble = Trouble::from(CloudError {
            message: without(error.message.clone(), sent),
            ..error
        });
        let problem = Problem {
            message: format!("in {}: {}", self.key.location, trouble.problem.message),
            ..trouble.problem
        };
        Trouble { problem, ..trouble }
    }
}

fn slots(step: &Step) -> Vec<Slot> {
    match step {
        Step::Create(first) => first.iter().map(|(slot, _)| slot.clone()).collect(),
        Step::Add(slot, _) => vec![slot.clone()],
        Step::Update | Step::Remove(_) => Vec::new(),
    }
}

fn without(message: String, sent: &[&Credential]) -> String {
    sent.iter().fold(message, |message, credential| {
        let secret: &SecretString = match credential {
            Credential::ApiKey(key) => key,
            Credential::KeyPair { secret, .. } => secret,
        };
        let secret = secret.expose_secret();
        if secret.is_empty() {
            message
        } else {
            message.replace(secret, "(not shown)")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cloud_repeats_of_a_credential_is_not_shown() {
        let key = Credential::ApiKey("hush-1".into());
        let pair = Credential::KeyPair {
            id: "60030986".into(),
            secret: "hush-2".into(),
        };
        let message = "RepeatedAppCode: hush-1, hush-2 of 60030986".to_owned();
        assert_eq!(
            without(message, &[&key, &pair]),
            "RepeatedAppCode: (not shown), (not shown) of 60030986"
        );
    }
}
