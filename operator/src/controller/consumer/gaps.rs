//! The Secrets of a consumer: what they lack is taken from the cloud or made, written, and deleted
//! again when nothing names it any more.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::{CredentialKind, CredentialType, DriftPolicy};

use super::adopted;
use super::generate;
use super::report::Report;
use super::secrets::Written;
use super::work::Work;
use crate::controller::cloud::Trouble;
use crate::core::consumer::claims::{AppKey, Claims};
use crate::core::consumer::credentials::{Found, Gap, Recovery, recover};
use crate::core::consumer::drift;
use crate::core::consumer::places::Intent;

/// How long after a list lacked a credential another one is asked for.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// New values for what Secrets lack.
pub(super) type Made = Vec<(Gap, Credential)>;

impl Work<'_> {
    /// Decides on values for what Secrets lack: those that the cloud has, else new ones.
    pub(super) fn close_gaps(&mut self, report: &mut Report) -> Made {
        if self.consumer.spec.drift_policy() == DriftPolicy::Report {
            self.leave_drifted_secrets(report);
        }
        let apps = self.found(&report.claims);
        let mut made = Made::new();
        let uid = self.uid();
        self.audits.keep_missed(&uid, &self.outlook.gaps);
        for gap in self.outlook.gaps.clone() {
            let missed = self.audits.was_missed(&uid, &gap.slot, SECOND_LOOK);
            let value = match recover(&gap, &self.outlook, &apps, missed) {
                Recovery::Take(value) => value,
                Recovery::Make => generate::credential(&gap),
                Recovery::Later if self.adopts_unseen(&report.claims) => {
                    self.outlook.leave_open(&gap.slot);
                    report.trouble(adopted::not_asked(&gap).into());
                    continue;
                }
                Recovery::Later => {
                    self.outlook.leave_open(&gap.slot);
                    let why = "the account that may still have it cannot be asked. It is written when the account answers.";
                    report.trouble(gap.unwritten(why).into());
                    continue;
                }
                Recovery::LookAgain => {
                    self.audits.miss(&uid, &gap.slot);
                    self.outlook.leave_open(&gap.slot);
                    let why = "the app that is to be adopted does not list it. A new one is added if it is not listed the next time either.";
                    report.trouble(Trouble {
                        retry_after: Some(SECOND_LOOK),
                        ..gap.unwritten(why).into()
                    });
                    continue;
                }
                Recovery::Missing => {
                    self.outlook.leave_open(&gap.slot);
                    let why = "the account that has it does not list it. Put it back into the Secret. If it is gone for good, give the credential another name, so that a new one is made.";
                    report.trouble(gap.unwritten(why).into());
                    continue;
                }
            };
            self.outlook.close(gap.slot.clone(), value.clone());
            made.push((gap, value));
        }
        made
    }

    /// What somebody took out of a Secret that was whole is told, and not put back.
    fn leave_drifted_secrets(&mut self, report: &mut Report) {
        let mut by_secret: BTreeMap<String, Vec<Gap>> = BTreeMap::new();
        for gap in self.outlook.gaps.clone() {
            by_secret.entry(gap.secret.clone()).or_default().push(gap);
        }
        for (name, gaps) in by_secret {
            let claim = self.secret_claim(&name);
            if !drift::is_applied(&report.claims, &claim, &self.secret_digest(&name)) {
                continue;
            }
            let exists = self.own.contains(&name);
            let lacking: Vec<&Gap> = gaps.iter().collect();
            report
                .drifted
                .push(drift::of_secret(&claim, exists, &lacking));
            for gap in &gaps {
                self.outlook.leave_open(&gap.slot);
            }
        }
    }

    /// What the apps have, those that could not be looked at included.
    fn found(&self, claims: &Claims) -> Vec<Found> {
        let of = |key: &AppKey, credentials: Option<Vec<Credential>>| {
            let placed = |kind| {
                let names = claims.placed(key, kind)?.into_iter();
                Some(names.map(move |name| (kind, name.to_owned())))
            };
            let keys = placed(CredentialKind::APIKey);
            let pairs = placed(CredentialKind::KeyPair);
            let placed = keys
                .zip(pairs)
                .map(|(keys, pairs)| keys.chain(pairs).collect());
            Found {
                placed,
                credentials,
                adopted: key.adopted().is_some(),
            }
        };
        let looked_at = self
            .sites
            .iter()
            .filter(|site| site.intent != Intent::Leave);
        let mut found: Vec<Found> = looked_at
            .filter_map(|site| Some(of(&site.key, site.app.as_ref()?.credentials.clone())))
            .collect();
        // Of what is not claimed nothing is there that could be lost.
        let claimed = claims.apps().filter(|(key, _)| self.unseen.contains(key));
        found.extend(claimed.map(|(key, _)| of(key, None)));
        if self.adopts_unseen(claims) {
            found.push(Found {
                placed: None,
                credentials: None,
                adopted: true,
            });
        }
        found
    }

    /// Whether none of the apps to adopt has been looked at yet: what they have is taken over, so
    /// nothing is made before.
    fn adopts_unseen(&self, claims: &Claims) -> bool {
        let adopts = self
            .consumer
            .spec
            .existing
            .iter()
            .flatten()
            .next()
            .is_some();
        let seen = self.sites.iter().any(|site| site.key.adopted().is_some());
        let claimed = claims.apps().any(|(app, _)| app.adopted().is_some());
        adopts && !seen && !claimed
    }

    /// Writes what Secrets lack. What could not be written does not go into the cloud.
    pub(super) async fn write_secrets(&mut self, made: Made, report: &mut Report) {
        let mut by_secret: BTreeMap<String, Made> = BTreeMap::new();
        for (gap, value) in made {
            let of_secret = by_secret.entry(gap.secret.clone()).or_default();
            of_secret.push((gap, value));
        }
        for (name, parts) in by_secret {
            match self.secrets.write(&name, &parts).await {
                Ok((written, version)) => {
                    self.versions.insert(name.clone(), version);
                    let action = match written {
                        Written::Created => "create",
                        Written::Filled => "update",
                    };
                    let claim = self.secret_claim(&name);
                    report.done(action, &claim, self.context);
                }
                Err(trouble) => {
                    for (gap, _) in &parts {
                        self.outlook.withdraw(&gap.slot);
                    }
                    report.trouble(trouble);
                }
            }
        }
    }

    /// Deletes Secrets of ours that no credential names any more. One that is imported now stays.
    pub(super) async fn drop_secrets(&mut self, report: &mut Report) {
        let claimed: Vec<String> = report.claims.secrets().map(str::to_owned).collect();
        for name in claimed {
            let claim = self.secret_claim(&name);
            match self.named_as(&name) {
                Some(CredentialType::Generated) => {}
                Some(CredentialType::Imported) => report.claims.release(&claim),
                None => match self.secrets.delete(&name).await {
                    Ok(deleted) => {
                        if deleted {
                            report.done("delete", &claim, self.context);
                        }
                        report.claims.release(&claim);
                    }
                    Err(trouble) => report.trouble(trouble),
                },
            }
        }
    }

    /// The type of the credentials that name a Secret; those of one Secret have the same.
    fn named_as(&self, secret: &str) -> Option<CredentialType> {
        let mut credentials = self.consumer.spec.credentials.iter();
        let named = credentials.find(|credential| credential.secret_ref.name == secret);
        named.map(|credential| credential.type_)
    }

    /// Secrets of ours that hold all they are to hold are as they were applied.
    pub(super) fn settle_secrets(&self, report: &mut Report) {
        let values = &self.outlook.values;
        for credential in &self.consumer.spec.credentials {
            let whole = credential.kinds.iter().all(|kind| {
                let mut slots = values.iter().map(|(slot, _)| slot);
                slots.any(|slot| slot.credential == credential.name && slot.kind == *kind)
            });
            let name = &credential.secret_ref.name;
            let digest = self.secret_digest(name);
            if let Some(entry) = report.claims.entries.get_mut(&self.secret_claim(name))
                && whole
            {
                entry.applied = Some(digest);
            }
        }
    }
}
