//! What comes back when nobody wants a setting any more. The cloud controller manager does not revert
//! what an annotation merely stops saying.

use std::collections::BTreeMap;

use crds::v1alpha1::{NlbGateway, SettingsField, SlbSettings};

use super::existing;
use super::table::{self, Annotation, Level, Undo};
use crate::core::nlb;
use crate::core::observed::ServiceState;

/// What becomes of an annotation of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Restored {
    /// It gets this value.
    Write(String),
    /// It goes.
    Remove,
    /// It stays as it is.
    Keep,
}

/// What an annotation of ours that nobody wants any more goes back to: what it said before, what a
/// key of the older form that it masked says, or the default.
fn restored(key: &str, previous: Option<&String>, service: &ServiceState) -> Restored {
    let Some(name) = super::name(key) else {
        return Restored::Keep;
    };
    // The two kinds of load balancer have other defaults under the same keys.
    if service.class.as_deref() == Some(NlbGateway::LOAD_BALANCER_CLASS) {
        return by_row(nlb::table::find(name), previous, service);
    }
    by_row(table::find(name), previous, service)
}

fn by_row<F>(
    row: Option<&Annotation<F>>,
    previous: Option<&String>,
    service: &ServiceState,
) -> Restored {
    let Some(row) = row else {
        return Restored::Keep;
    };
    let names_one = [existing::ID, existing::OVERRIDE].contains(&row.key);
    if names_one && !existing::is_published(service) {
        return Restored::Remove; // It came to nothing.
    }
    if row.undo == Undo::Keep {
        return Restored::Keep;
    }
    let masked = super::said_of_old(row.key, service);
    if let Some(before) = previous.or(masked) {
        return Restored::Write(before.clone());
    }
    // What a load balancer of others was before is not known: no default is right for it.
    if row.level() == Level::Instance && existing::named(service).is_some() {
        return Restored::Keep;
    }
    match row.undo {
        Undo::Keep | Undo::Stay => Restored::Keep,
        Undo::Remove | Undo::Forget => Restored::Remove,
        Undo::Write(default) => Restored::Write(default.to_owned()),
        Undo::OwnName => {
            let uid: String = service.uid.chars().filter(|c| *c != '-').collect();
            Restored::Write(format!("a{uid}").chars().take(32).collect())
        }
    }
}

/// What settings say besides what they write: a field is meant as a whole, so what else its Service
/// says about it, in either form or by an older value of ours, is set to the default.
pub fn completed(settings: &SlbSettings, service: &ServiceState) -> BTreeMap<String, String> {
    let written = super::annotations(settings);
    let mut all = with_defaults(table::ANNOTATIONS, settings, written, service);
    if let Some(existing) = &settings.existing {
        super::annotations::only_consented(&mut all, existing);
    }
    all
}

/// What is written for settings, and the defaults of what else their fields are about where the
/// Service says something else.
pub(in crate::core) fn with_defaults<F: SettingsField>(
    rows: &[Annotation<F>],
    settings: &F::Settings,
    mut all: BTreeMap<String, String>,
    service: &ServiceState,
) -> BTreeMap<String, String> {
    for row in rows.iter().filter(|row| row.field.is_set(settings)) {
        let key = super::key(row.key);
        if all.contains_key(&key) {
            continue;
        }
        let older = super::said_of_old(row.key, service).is_some_and(|said| !said.is_empty());
        let said = service.annotations.get(&key);
        let ours = service.our_annotations.contains(&key);
        let says_something = said.map_or(older, |said| ours || !said.is_empty());
        let default = match row.undo {
            Undo::Write(default) if says_something => Some(default),
            // An empty value masks the older form, and unsets somebody else's.
            Undo::Remove | Undo::Forget if older || (says_something && !ours) => Some(""),
            _ => None,
        };
        if let Some(default) = default {
            all.insert(key, default.to_owned());
        }
    }
    all
}

/// The annotation that is left of one of ours that nobody wants any more. What was written when the
/// Service was created cannot be removed by server-side apply, so it is emptied, which says the same.
pub fn left(
    key: &str,
    previous: Option<&String>,
    service: &ServiceState,
) -> Option<(String, String)> {
    let value = match restored(key, previous, service) {
        Restored::Write(value) => value,
        Restored::Remove if service.created_by_us => String::new(),
        Restored::Remove => return None,
        Restored::Keep => service.annotations.get(key)?.clone(),
    };
    Some((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::super::LEGACY_PREFIX;
    use super::*;

    fn service(annotations: &[(&str, &str)]) -> ServiceState {
        let annotations = annotations
            .iter()
            .map(|(key, value)| (format!("{LEGACY_PREFIX}{key}"), (*value).to_owned()));
        ServiceState {
            uid: "0af1b2c3-0000-1111-2222-333344445555".into(),
            annotations: annotations.collect(),
            ..ServiceState::default()
        }
    }

    fn undone(key: &str, previous: Option<&str>, service: &ServiceState) -> Restored {
        let previous = previous.map(str::to_owned);
        restored(&super::super::key(key), previous.as_ref(), service)
    }

    fn written(value: &str) -> Restored {
        Restored::Write(value.to_owned())
    }

    #[test]
    fn a_name_nobody_wants_goes_back_to_what_it_was() {
        let own = "a0af1b2c3000011112222333344445555";
        let bare = service(&[]);
        assert_eq!(undone("name", None, &bare), written(&own[..32]));
        let masked = service(&[("name", "old")]);
        assert_eq!(undone("name", None, &masked), written("old"));
        assert_eq!(undone("name", Some("before"), &masked), written("before"));
    }

    #[test]
    fn what_was_created_with_the_service_is_emptied() {
        let key = super::super::key("bandwidth");
        let mut service = service(&[]);
        assert_eq!(left(&key, None, &service), None);
        service.created_by_us = true;
        assert_eq!(left(&key, None, &service), Some((key, String::new())));
    }

    #[test]
    fn what_removal_does_not_undo_gets_its_default_and_what_is_for_life_stays() {
        let bare = service(&[]);
        assert_eq!(undone("scheduler", None, &bare), written("rr"));
        assert_eq!(undone("acl-status", None, &bare), written("off"));
        assert_eq!(undone("acl-id", None, &bare), Restored::Remove);
        assert_eq!(undone("protocol-port", None, &bare), Restored::Remove);
        let before = undone("protocol-port", Some("http:80"), &bare);
        assert_eq!(before, written("http:80"));
        for key in ["address-type", "vswitch-id", "resource-group-id"] {
            assert_eq!(undone(key, Some("x"), &bare), Restored::Keep, "{key}");
        }
    }
}
