//! From what was found and done to the status of a consumer. Nothing volatile and nothing secret
//! goes in.

use std::collections::BTreeSet;

use crds::v1alpha1::{
    ConditionStatus, ConditionType, ConditionUpdate, ConsumerAccount, ConsumerState,
    CredentialKind, GatewayConsumerSpec, GatewayConsumerStatus, LedgerEntry, PublishedCredential,
    Reason,
};
use jiff::Timestamp;

use super::claims::Claims;
use super::credentials::Slot;
use crate::core::conditions::{Standing, judge};
use crate::core::problem::Problem;

/// What a pass over a consumer has come to.
pub struct View<'a> {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// For transition times.
    pub now: Timestamp,
    /// The spec.
    pub spec: &'a GatewayConsumerSpec,
    /// The status so far.
    pub previous: Option<&'a GatewayConsumerStatus>,
    /// What stands in the way.
    pub problems: &'a [Problem],
    /// The credentials that are valid; none: that was not worked out.
    pub valid: Option<&'a BTreeSet<Slot>>,
    /// What is claimed.
    pub claims: &'a Claims,
    /// An adopted app is disabled, and the spec does not say what it is to be.
    pub disabled_by_others: bool,
}

impl View<'_> {
    /// Whether the consumer may call, once every account has it so.
    fn state(&self) -> ConsumerState {
        if self.disabled_by_others && self.spec.state.is_none() {
            ConsumerState::Disabled
        } else {
            self.spec.state()
        }
    }
}

/// The new status.
pub fn status(view: &View<'_>) -> GatewayConsumerStatus {
    let previous = view.previous.cloned().unwrap_or_default();
    let programmed = programmed(view);
    let settled = programmed.status == ConditionStatus::True;
    let mut status = GatewayConsumerStatus {
        observed_generation: view.generation,
        // The state in effect is the wanted one only once every account has it.
        state: if settled {
            Some(view.state())
        } else {
            previous.state
        },
        credentials: match view.valid {
            Some(valid) => published(view.spec, valid),
            None => previous.credentials,
        },
        accounts: accounts(view.claims),
        conditions: previous.conditions,
        ledger: view.claims.write(),
    };
    let adopted = |(_, entry): (_, &LedgerEntry)| entry.adopted;
    let note = if view.claims.apps().next().is_none() {
        "Its Secrets are in place. It is made in a cloud account when a binding there names it."
    } else if view.claims.apps().any(adopted) {
        "It is adopted: credentials that were there and are not listed go on working."
    } else {
        ""
    };
    let standing = Standing {
        generation: view.generation,
        now: view.now,
        problems: view.problems,
        programmed,
        note,
    };
    standing.write(&mut status.conditions);
    status
}

fn programmed(view: &View<'_>) -> ConditionUpdate {
    let judged = judge(ConditionType::Programmed, Reason::Programmed, view.problems);
    let disabled = view.state() == ConsumerState::Disabled;
    if judged.status == ConditionStatus::True && disabled {
        let message = if view.spec.state.is_none() {
            "an adopted app is disabled in the console: it is refused. Set spec.state: Active to let it in, here and there."
        } else {
            "spec.state is Disabled: the consumer is refused everywhere."
        };
        return ConditionUpdate {
            reason: Reason::Disabled,
            message: message.to_owned(),
            ..judged
        };
    }
    judged
}

fn published(spec: &GatewayConsumerSpec, valid: &BTreeSet<Slot>) -> Vec<PublishedCredential> {
    let kinds = |name: &str| {
        let slot = |kind| Slot {
            credential: name.to_owned(),
            kind,
        };
        [CredentialKind::APIKey, CredentialKind::KeyPair]
            .into_iter()
            .filter(|kind| valid.contains(&slot(*kind)))
            .collect::<Vec<_>>()
    };
    spec.credentials
        .iter()
        .map(|credential| PublishedCredential {
            name: credential.name.clone(),
            kinds: kinds(&credential.name),
        })
        .filter(|credential| !credential.kinds.is_empty())
        .collect()
}

fn accounts(claims: &Claims) -> Vec<ConsumerAccount> {
    let mut accounts: Vec<ConsumerAccount> = Vec::new();
    for (app, entry) in claims.apps() {
        let Some(id) = &entry.id else { continue };
        let known = accounts.iter().any(|account| {
            account.account == app.location.account && account.region == app.location.region
        });
        if !known {
            accounts.push(ConsumerAccount {
                account: app.location.account.clone(),
                region: app.location.region.clone(),
                id: id.clone(),
            });
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::consumer::claims::{AppKey, Claim, Location};
    use crds::v1alpha1::condition_is;
    use serde_json::json;

    fn spec(state: &str) -> GatewayConsumerSpec {
        serde_json::from_value(json!({"state": state, "credentials": [
            {"name": "b", "type": "Generated", "kinds": ["KeyPair", "APIKey"], "secretRef": {"name": "b"}},
            {"name": "a", "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": "a"}},
        ]}))
        .unwrap()
    }

    fn claims(id: Option<&str>) -> Claims {
        let mut claims = Claims::default();
        let location = Location {
            account: "1".into(),
            region: "r".into(),
        };
        let name = "acme_1a2b3c4d".into();
        let entry = claims.claim(&Claim::App(AppKey { location, name }));
        entry.id = id.map(str::to_owned);
        claims
    }

    fn project(
        spec: &GatewayConsumerSpec,
        previous: Option<&GatewayConsumerStatus>,
        problems: &[Problem],
        claims: &Claims,
    ) -> GatewayConsumerStatus {
        let valid = BTreeSet::from([Slot {
            credential: "b".into(),
            kind: CredentialKind::KeyPair,
        }]);
        status(&View {
            generation: Some(2),
            now: "2026-11-20T08:00:00Z".parse().unwrap(),
            spec,
            previous,
            problems,
            valid: Some(&valid),
            claims,
            disabled_by_others: false,
        })
    }

    fn is_ready(status: &GatewayConsumerStatus) -> bool {
        condition_is(
            &status.conditions,
            ConditionType::Ready,
            ConditionStatus::True,
        )
    }

    #[test]
    fn one_that_nobody_names_is_ready_and_says_what_comes() {
        let status = project(&spec("Active"), None, &[], &Claims::default());
        assert!(is_ready(&status), "{status:?}");
        let ready = crds::v1alpha1::find_condition(&status.conditions, ConditionType::Ready);
        assert!(ready.unwrap().message.contains("when a binding"));
        assert_eq!(status.accounts, []);
    }

    #[test]
    fn only_what_is_valid_and_there_is_published() {
        let status = project(&spec("Active"), None, &[], &claims(Some("110")));
        assert_eq!(status.accounts[0].id, "110");
        assert_eq!(status.credentials.len(), 1);
        assert_eq!(status.credentials[0].kinds, [CredentialKind::KeyPair]);
        let coming = project(&spec("Active"), None, &[], &claims(None));
        assert_eq!(coming.accounts, []);
    }

    #[test]
    fn it_is_disabled_once_every_account_has_it_so() {
        let active = project(&spec("Active"), None, &[], &claims(Some("110")));
        let trouble = [Problem::retry(Reason::CloudUnreachable, "no answer.")];
        let claims = claims(Some("110"));
        let trying = project(&spec("Disabled"), Some(&active), &trouble, &claims);
        assert_eq!(trying.state, Some(ConsumerState::Active));
        assert!(!is_ready(&trying));
        let disabled = project(&spec("Disabled"), Some(&trying), &[], &claims);
        assert_eq!(disabled.state, Some(ConsumerState::Disabled));
        assert!(is_ready(&disabled), "as was asked");
    }

    #[test]
    fn one_that_was_disabled_in_the_console_is_so_until_the_spec_says_otherwise() {
        let mut spec = spec("Active");
        let claims = claims(Some("110"));
        for (said, state) in [
            (None, ConsumerState::Disabled),
            (Some(ConsumerState::Active), ConsumerState::Active),
        ] {
            spec.state = said;
            let status = status(&View {
                generation: Some(1),
                now: "2026-11-20T08:00:00Z".parse().unwrap(),
                spec: &spec,
                previous: None,
                problems: &[],
                valid: None,
                claims: &claims,
                disabled_by_others: true,
            });
            assert_eq!(status.state, Some(state));
            assert!(is_ready(&status));
        }
    }

    #[test]
    fn the_same_again_is_the_same() {
        let claims = claims(Some("110"));
        let once = project(&spec("Active"), None, &[], &claims);
        assert_eq!(project(&spec("Active"), Some(&once), &[], &claims), once);
    }
}
