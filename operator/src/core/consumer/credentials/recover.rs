//! A generated credential whose Secret was lost: the cloud may still have it.

use std::collections::BTreeSet;

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::CredentialKind;
use secrecy::ExposeSecret;

use super::{Gap, Outlook, kind_of, same};

/// What one app has.
#[derive(Clone, Debug)]
pub struct Found {
    /// The names of the credentials that were put there, by kind; none: the ledger was lost, so
    /// any may have been.
    pub placed: Option<BTreeSet<(CredentialKind, String)>>,
    /// Its credentials; none: they could not be read.
    pub credentials: Option<Vec<Credential>>,
    /// Others made it: what it has is taken over, whatever was put there.
    pub adopted: bool,
}

/// Where the value for a gap comes from.
#[derive(Clone, Debug)]
pub enum Recovery {
    /// From the cloud.
    Take(Credential),
    /// It is made.
    Make,
    /// The cloud may have it and cannot be asked now: callers may be using it, so it is not
    /// replaced.
    Later,
    /// It was put into the cloud, and the list does not have it. That list tells no total, so it proves
    /// nothing, however often it is taken: only a person knows.
    Missing,
    /// Others may have put it into the app, and the list does not have it: one list proves nothing.
    LookAgain,
}

impl Found {
    fn may_have(&self, gap: &Gap) -> bool {
        let slot = (gap.slot.kind, gap.slot.credential.clone());
        self.placed
            .as_ref()
            .is_none_or(|placed| placed.contains(&slot))
    }
}

/// Where the value for a gap comes from. One that was put into an app before is the only one there
/// that nothing else accounts for; where several are left, none can be told to be the one. Of an
/// adopted app the first that is left will do: its callers have all of them. What was put there and is in
/// no list is never believed to be gone. That an app which is about to be adopted has no more of them is
/// believed if an earlier pass has `missed` it too: then one is added, and nothing is replaced.
pub fn recover(gap: &Gap, outlook: &Outlook, apps: &[Found], missed: bool) -> Recovery {
    let (mut later, mut is_missing, mut is_unlisted) = (false, false, false);
    for app in apps.iter().filter(|app| app.may_have(gap)) {
        let Some(credentials) = &app.credentials else {
            later = true;
            continue;
        };
        let left: Vec<&Credential> = credentials
            .iter()
            .filter(|credential| kind_of(credential) == gap.slot.kind)
            .filter(|credential| outlook.known().all(|known| !same(known, credential)))
            .filter(|credential| fits(credential, gap))
            .collect();
        let never_ours = app.adopted && app.placed.is_none();
        is_missing |= left.is_empty() && !never_ours;
        is_unlisted |= left.is_empty() && never_ours;
        if app.adopted
            && let Some(first) = left.first()
        {
            return Recovery::Take((*first).clone());
        }
        let rivals = outlook.gaps.iter().filter(|other| {
            other.slot != gap.slot
                && other.slot.kind == gap.slot.kind
                && app.may_have(other)
                && left.iter().any(|credential| fits(credential, other))
        });
        // Half of a key pair tells which one it is.
        if let [only] = left.as_slice()
            && (gap.is_half() || rivals.count() == 0)
        {
            return Recovery::Take((*only).clone());
        }
    }
    if later {
        Recovery::Later
    } else if is_missing {
        Recovery::Missing
    } else if is_unlisted && !missed {
        Recovery::LookAgain
    } else {
        Recovery::Make
    }
}

/// Whether a credential agrees with the half that the Secret still has.
fn fits(credential: &Credential, gap: &Gap) -> bool {
    let Credential::KeyPair { id, secret } = credential else {
        return true;
    };
    let same_id = gap.key_id.as_ref().is_none_or(|known| known == id);
    let same_secret = gap
        .key_secret
        .as_ref()
        .is_none_or(|known| known.expose_secret() == secret.expose_secret());
    same_id && same_secret
}
