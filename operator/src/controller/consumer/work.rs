//! The middle of a pass over a consumer: look, decide, write Secrets, then the cloud.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{ConsumerSpec, Credential};
use crds::v1alpha1::{ConsumerState, CredentialKind, CredentialType, DriftPolicy, GatewayConsumer};
use jiff::Timestamp;
use kube::ResourceExt;

use super::adopted::{self, added_values};
use super::audits::Audits;
use super::gaps::Made;
use super::hold;
use super::reach::{self, Survey};
use super::report::Report;
use super::secrets::{Secrets, Versions};
use super::site::Site;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::consumer::claims::{AppKey, Claim, Claims};
use crate::core::consumer::credentials::{Outlook, SecretState, outlook};
use crate::core::consumer::drift;
use crate::core::consumer::places::{Intent, intents};
use crate::core::consumer::steps::Wish;
use crate::core::consumer::{name_of, owner};
use crate::core::names;
use crate::core::problem::Problem;

/// The middle of one pass.
pub(super) struct Work<'a> {
    pub(super) consumer: &'a GatewayConsumer,
    pub(super) context: &'a Context,
    pub(super) audits: &'a Audits,
    pub(super) secrets: Secrets<'a>,
    /// As they were read, and then written.
    pub(super) versions: Versions,
    pub(super) outlook: Outlook,
    refresh: bool,
    /// Secrets that are there and that the operator made.
    pub(super) own: BTreeSet<String>,
    pub(super) sites: Vec<Site>,
    /// Apps that could not be looked at.
    pub(super) unseen: BTreeSet<AppKey>,
    /// What was added to adopted apps and is no longer listed.
    pub(super) leaving: BTreeMap<AppKey, Vec<Credential>>,
}

impl<'a> Work<'a> {
    /// Reads the Secrets.
    pub(super) async fn begin(
        consumer: &'a GatewayConsumer,
        context: &'a Context,
        audits: &'a Audits,
    ) -> Self {
        let secrets = Secrets::new(
            &context.runtime.client,
            &context.runtime.leadership,
            consumer,
        );
        let (states, versions) = secrets.states().await;
        let outlook = outlook(&consumer.spec, &states, Timestamp::now());
        let generated = consumer.spec.credentials.iter().filter(|credential| {
            let state = states.get(&credential.name);
            credential.type_ == CredentialType::Generated
                && matches!(state, Some(SecretState::Present { .. }))
        });
        let own = generated.map(|credential| credential.secret_ref.name.clone());
        Self {
            consumer,
            context,
            audits,
            secrets,
            versions,
            outlook,
            refresh: context.check_requested(consumer),
            own: own.collect(),
            sites: Vec::new(),
            unseen: BTreeSet::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// Looks into the accounts where it is, or is to be.
    pub(super) async fn look(&mut self, report: &mut Report) {
        report.next_check = self.outlook.next_end;
        report.problems.append(&mut self.outlook.problems);
        let Survey {
            uses,
            granted,
            mut access,
            troubles,
        } = reach::survey(self.consumer, self.context).await;
        let sure = troubles.is_empty();
        for trouble in troubles {
            report.trouble(trouble);
        }
        let claimed: BTreeSet<AppKey> = report.claims.apps().map(|(app, _)| app.clone()).collect();
        for (app, intent) in intents(&uses, &granted, &claimed, sure) {
            if let Err(trouble) = adopted::is_free(&app, self.consumer, self.context) {
                self.unseen.insert(app);
                report.trouble(trouble);
                continue;
            }
            let way = match access.remove(&app) {
                Some(way) => Ok(way),
                None => reach::way_to(&app, self.consumer, self.context).await,
            };
            let mut site = match way {
                Ok(way) => Site::new(self.consumer, app, intent, way),
                Err(trouble) => {
                    self.unseen.insert(app);
                    report.trouble(trouble);
                    continue;
                }
            };
            if let Err(trouble) = self.look_into(&mut site, &report.claims).await {
                self.unseen.insert(site.key.clone());
                report.trouble(trouble);
                continue;
            }
            report.disabled_by_others |= site.is_disabled_by_others();
            self.sites.push(site);
        }
    }

    async fn look_into(&mut self, site: &mut Site, claims: &Claims) -> Result<(), Trouble> {
        if site.key.adopted().is_some() {
            let leaving = adopted::leaving(&site.key, self.consumer, &self.secrets, claims);
            self.leaving.insert(site.key.clone(), leaving.await?);
        }
        if site.intent == Intent::Leave {
            if !self.stays(site, claims).await? {
                return Ok(());
            }
            site.intent = Intent::Keep;
        }
        let interval = self.context.runtime.args.drift_interval;
        site.look(claims, self.refresh, self.context).await?;
        let due = self.refresh
            || !self.outlook.gaps.is_empty()
            || self
                .audits
                .due(&self.uid(), &site.key, &self.depends(), interval);
        if due {
            site.read_credentials().await?;
        }
        Ok(())
    }

    /// The versions of all Secrets as one.
    fn version(&self) -> String {
        let versions: Vec<&str> = self.versions.values().map(String::as_str).collect();
        versions.join(",")
    }

    /// All that credentials in the cloud depend on.
    fn depends(&self) -> String {
        let generation = self.consumer.metadata.generation;
        let ended = self.outlook.ended.len();
        names::short_hash(&format!("{generation:?}/{}/{ended}", self.version()))
    }

    /// Digest of what a generated Secret is to hold.
    pub(super) fn secret_digest(&self, name: &str) -> String {
        let credentials = self.consumer.spec.credentials.iter();
        let holds: Vec<(&str, &[CredentialKind])> = credentials
            .filter(|credential| credential.secret_ref.name == name)
            .map(|credential| (credential.name.as_str(), credential.kinds.as_slice()))
            .collect();
        drift::secret_digest(&holds)
    }

    pub(super) fn wish(&self, site: &Site, claims: &Claims) -> Wish<'_> {
        let key = &site.key;
        let placed = claims.placed_kinds(key);
        let adopted = key.adopted().and(site.app.as_ref());
        let state = self.consumer.spec.state();
        let spec = match adopted {
            // It keeps what it is called, and whether it is disabled unless that is said.
            Some(app) => ConsumerSpec {
                disabled: self
                    .consumer
                    .spec
                    .state
                    .map_or(app.spec.disabled, |_| state == ConsumerState::Disabled),
                ..app.spec.clone()
            },
            None => ConsumerSpec {
                name: key.name.clone(),
                description: owner(&name_of(self.consumer)),
                disabled: state == ConsumerState::Disabled,
            },
        };
        Wish {
            spec,
            outlook: &self.outlook,
            kinds: placed.union(&self.outlook.kinds).copied().collect(),
            leaving: self.leaving.get(key).cloned(),
        }
    }

    /// Writes all that is about to be made into the ledger.
    pub(super) async fn claim(&mut self, made: &Made, report: &mut Report) -> Result<(), Trouble> {
        let before = report.claims.clone();
        let lacking = made.iter().map(|(gap, _)| &gap.secret);
        for secret in lacking.chain(&self.own) {
            report.claims.claim(&self.secret_claim(secret));
        }
        let mut has_work = !made.is_empty();
        for site in &self.sites {
            if site.intent == Intent::Leave {
                continue;
            }
            let works = site.has_work(&self.wish(site, &before));
            if site.app.is_none() && !works {
                continue;
            }
            has_work |= works;
            let mut names = self.outlook.names();
            for kind in before.placed_kinds(&site.key) {
                let placed = before.placed(&site.key, kind).unwrap_or_default();
                let of_kind = names.entry(kind).or_default();
                of_kind.extend(placed.into_iter().map(str::to_owned));
            }
            report.claims.place(&site.key, &names);
            self.note_additions(site, &before, report);
            report.note_id(site);
        }
        if has_work && report.claims != before {
            report.write_ledger(self.context).await?;
        }
        Ok(())
    }

    /// Brings each account to what is wanted.
    pub(super) async fn carry_out(&mut self, report: &mut Report) {
        let uid = self.uid();
        let mut sites = std::mem::take(&mut self.sites);
        for site in sites.iter_mut() {
            if site.intent == Intent::Leave {
                continue;
            }
            let claim = Claim::App(site.key.clone());
            let wish = self.wish(site, &report.claims);
            let digest = drift::app_digest(&wish, &self.version());
            let leave = self.consumer.spec.drift_policy() == DriftPolicy::Report
                && drift::is_applied(&report.claims, &claim, &digest);
            let outcome = if leave {
                site.leave(&wish)
            } else {
                let interval = self.context.runtime.args.drift_interval;
                site.carry_out(&wish, (&self.context.tries, &uid, interval))
                    .await
            };
            for action in outcome.done {
                report.done(action, &claim, self.context);
            }
            report.note_id(site);
            report.failed.extend(outcome.failed);
            let left = outcome.drifted.is_some() || outcome.unkept.is_some();
            report.drifted.extend(outcome.drifted);
            report.unkept.extend(outcome.unkept);
            let compared = site
                .app
                .as_ref()
                .is_some_and(|app| app.credentials.is_some());
            if left || !outcome.troubles.is_empty() {
                // What is left as it is is compared until it is as it should be.
                self.audits.forget(&uid, &site.key);
                self.unseen.insert(site.key.clone());
            } else if compared {
                self.audits.done(&uid, &site.key, &self.depends());
            }
            for trouble in outcome.troubles {
                report.trouble(trouble);
            }
        }
        self.sites = sites;
    }

    /// Leaves the accounts where nobody needs it.
    pub(super) async fn leave(&mut self, report: &mut Report) {
        let leaves = |site: &&Site| site.intent == Intent::Leave;
        let leaving: Vec<AppKey> = self
            .sites
            .iter()
            .filter(leaves)
            .map(|site| site.key.clone())
            .collect();
        if leaving.is_empty() {
            self.context.guard.withdraw(&self.uid());
        }
        for site in self.sites.iter().filter(leaves) {
            let allowed = hold::may_leave(self.consumer, &site.key, &leaving, &self.context.guard);
            if let Err(trouble) = allowed {
                report.trouble(trouble);
                continue;
            }
            let claim = Claim::App(site.key.clone());
            let (action, left) = if site.key.adopted().is_some() {
                let mut added = added_values(&self.outlook, &report.claims, &site.key);
                added.extend(self.leaving.get(&site.key).into_iter().flatten().cloned());
                ("update", site.release(&added).await)
            } else {
                ("delete", site.remove().await)
            };
            match left {
                Ok(was_there) => {
                    hold::has_left(&site.key, &self.context.guard);
                    if was_there {
                        report.done(action, &claim, self.context);
                    }
                    report.claims.release(&claim);
                    self.audits.forget(&self.uid(), &site.key);
                }
                Err(trouble) => report.trouble(trouble),
            }
        }
    }

    /// The credentials that an app has now. Of a kind that is unclear nothing was taken away: what is
    /// said of it stays.
    fn placed(&self, site: &Site, claims: &Claims) -> BTreeMap<CredentialKind, BTreeSet<String>> {
        let mut names = self.outlook.names();
        let known = claims.placed_kinds(&site.key);
        for kind in &self.outlook.unclear {
            names.remove(kind);
            if known.contains(kind) {
                let placed = claims.placed(&site.key, *kind).unwrap_or_default();
                names.insert(*kind, placed.into_iter().map(str::to_owned).collect());
            }
        }
        names
    }

    /// What is there now is what is claimed.
    pub(super) fn settle(&mut self, report: &mut Report) {
        let clear = self.outlook.unclear.is_empty();
        for site in &self.sites {
            let seen = site.app.is_some() && !self.unseen.contains(&site.key);
            if !seen || site.intent == Intent::Leave {
                continue;
            }
            let placed = self.placed(site, &report.claims);
            let digest = clear.then(|| {
                let wish = self.wish(site, &report.claims);
                drift::app_digest(&wish, &self.version())
            });
            report.claims.place(&site.key, &placed);
            if digest.is_some() {
                self.settle_additions(&site.key, report);
                let entry = report.claims.claim(&Claim::App(site.key.clone()));
                entry.applied = digest;
            }
        }
        self.settle_secrets(report);
        if !report.drifted.is_empty() {
            let problem = Problem::drifted(&report.drifted);
            report.problems.push(problem);
        }
        if !report.unkept.is_empty() {
            let problem = Problem::unkept(&report.unkept);
            report.problems.push(problem);
        }
        let values = self.outlook.values.iter();
        let valid = values.map(|(slot, _)| slot.clone());
        report.valid = Some(valid.filter(|slot| !report.failed.contains(slot)).collect());
    }

    pub(super) fn secret_claim(&self, name: &str) -> Claim {
        Claim::Secret {
            namespace: self.consumer.namespace().unwrap_or_default(),
            name: name.to_owned(),
        }
    }

    pub(super) fn uid(&self) -> String {
        self.consumer.uid().unwrap_or_default()
    }
}
