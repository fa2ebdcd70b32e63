//! Switching Knative over to a gateway, and back: our keys of objects that others share, what they had
//! before, and nothing else of them.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    ForeignFields, KnativeKey, KnativeObject, KnativeSwitchStatus, LONGEST_VALUE,
};

/// Namespace of all these objects.
pub const NAMESPACE: &str = "knative-serving";

/// An object, for people.
pub fn describe(object: KnativeObject) -> String {
    let kind = if object.is_gateway() {
        "Gateway"
    } else {
        "ConfigMap"
    };
    format!("{kind} {NAMESPACE}/{}", object.name())
}

/// A key of such an object. A Gateway has one, its selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The object.
    pub object: KnativeObject,
    /// The key.
    pub key: String,
}

/// Values by key; a selector as JSON.
pub type Values = BTreeMap<Slot, String>;

/// What was written, and what was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What was written.
    pub value: String,
    /// What the key had, if it was there.
    pub before: Option<String>,
}

/// All that was written. It is stored before anything is written.
pub type Record = BTreeMap<Slot, Written>;

/// What a class has noted.
pub fn noted(status: Option<&KnativeSwitchStatus>) -> Record {
    let keys = status.into_iter().flat_map(|status| &status.keys);
    keys.map(|key| {
        let slot = Slot {
            object: key.object,
            key: key.key.clone(),
        };
        let written = Written {
            value: key.value.clone(),
            before: key.before.clone(),
        };
        (slot, written)
    })
    .collect()
}

/// The other way round; none for nothing.
pub fn note(record: &Record) -> Option<KnativeSwitchStatus> {
    let keys = record.iter().map(|(slot, written)| KnativeKey {
        object: slot.object,
        key: slot.key.clone(),
        value: written.value.clone(),
        before: written.before.clone(),
    });
    let keys: Vec<KnativeKey> = keys.collect();
    (!keys.is_empty()).then_some(KnativeSwitchStatus { keys })
}

/// The change of one key: it is written only if the key still has what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub slot: Slot,
    /// What it has.
    pub from: Option<String>,
    /// What it gets; nothing takes it away.
    pub to: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// The record to store before the changes.
    pub record: Record,
    /// The changes.
    pub changes: Vec<Change>,
    /// Keys that somebody else set, which are left.
    pub foreign: Vec<Slot>,
}

/// What brings the keys that were seen to the wanted ones, and gives back those that are not wanted any
/// more.
///
/// A key that has what is wanted without a record of it is somebody else's, and is never taken away. One
/// that somebody changed after it was written is theirs from then on: with [`ForeignFields::Report`] it is
/// left and told, with [`ForeignFields::Takeover`] it is written again and they get theirs back later.
/// But for the domains, Knative is switched over as a whole: while one key is left to somebody else, none
/// of the others gets a new value.
pub fn switch(wanted: &Values, seen: &Values, record: &Record, foreign: ForeignFields) -> Switch {
    let mut switch = Switch::default();
    for (slot, value) in wanted {
        want(
            slot,
            value,
            seen.get(slot),
            record.get(slot),
            foreign,
            &mut switch,
        );
    }
    for (slot, written) in record {
        if !wanted.contains_key(slot) {
            give_back(slot, written, seen.get(slot), &mut switch);
        }
    }
    if switch.foreign.iter().any(is_of_the_whole) {
        hold_back(wanted, record, &mut switch);
    }
    switch
}

fn is_of_the_whole(slot: &Slot) -> bool {
    slot.object != KnativeObject::ConfigDomain
}

/// What was written before and is still wanted is kept up, and what is given back is given back.
fn hold_back(wanted: &Values, record: &Record, switch: &mut Switch) {
    let is_new = |change: &Change| {
        let written = record.get(&change.slot).map(|written| &written.value);
        is_of_the_whole(&change.slot)
            && wanted.contains_key(&change.slot)
            && written != change.to.as_ref()
    };
    let (held, kept) = std::mem::take(&mut switch.changes)
        .into_iter()
        .partition(is_new);
    switch.changes = kept;
    for Change { slot, .. } in held {
        match record.get(&slot) {
            Some(written) => switch.record.insert(slot, written.clone()),
            None => switch.record.remove(&slot),
        };
    }
}

/// The record once the changes of a switch were carried out: what was given back is forgotten.
pub fn settled(record: &Record, wanted: &Values) -> Record {
    let kept = record.iter().filter(|(slot, _)| wanted.contains_key(slot));
    kept.map(|(slot, written)| (slot.clone(), written.clone()))
        .collect()
}

fn want(
    slot: &Slot,
    value: &str,
    seen: Option<&String>,
    recorded: Option<&Written>,
    foreign: ForeignFields,
    switch: &mut Switch,
) {
    if seen.is_some_and(|seen| seen == value) {
        if let Some(recorded) = recorded {
            let written = Written {
                value: value.to_owned(),
                before: recorded.before.clone(),
            };
            switch.record.insert(slot.clone(), written);
        }
        return;
    }
    let before = match (recorded, seen) {
        // Nobody touched what was written.
        (Some(recorded), Some(seen)) if *seen == recorded.value => recorded.before.clone(),
        // The write that was recorded never happened, or what was written was taken away.
        (Some(recorded), seen) if seen == recorded.before.as_ref() => recorded.before.clone(),
        (_, None) => None,
        (recorded, Some(seen)) => {
            // What cannot be noted could not be given back.
            if foreign == ForeignFields::Report || seen.len() > LONGEST_VALUE {
                switch.foreign.push(slot.clone());
                if let Some(recorded) = recorded {
                    switch.record.insert(slot.clone(), recorded.clone());
                }
                return;
            }
            Some(seen.clone())
        }
    };
    switch.changes.push(Change {
        slot: slot.clone(),
        from: seen.cloned(),
        to: Some(value.to_owned()),
    });
    let written = Written {
        value: value.to_owned(),
        before,
    };
    switch.record.insert(slot.clone(), written);
}

/// What others changed meanwhile stays.
fn give_back(slot: &Slot, written: &Written, seen: Option<&String>, switch: &mut Switch) {
    if seen == Some(&written.value) && written.before.as_ref() != seen {
        switch.record.insert(slot.clone(), written.clone());
        switch.changes.push(Change {
            slot: slot.clone(),
            from: seen.cloned(),
            to: written.before.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(key: &str) -> Slot {
        Slot {
            object: KnativeObject::ConfigNetwork,
            key: key.to_owned(),
        }
    }

    fn domain() -> Slot {
        Slot {
            object: KnativeObject::ConfigDomain,
            key: "example.com".to_owned(),
        }
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        let owned = |(key, value): &(&str, &str)| (slot(key), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn apply(seen: &mut Values, switch: &Switch) {
        for change in &switch.changes {
            assert_eq!(seen.get(&change.slot), change.from.as_ref());
            match &change.to {
                Some(value) => seen.insert(change.slot.clone(), value.clone()),
                None => seen.remove(&change.slot),
            };
        }
    }

    /// Switches over until nothing is left to do.
    fn run(wanted: &Values, seen: &mut Values, record: Record, foreign: ForeignFields) -> Record {
        let first = switch(wanted, seen, &record, foreign);
        apply(seen, &first);
        let record = settled(&first.record, wanted);
        let again = switch(wanted, seen, &record, foreign);
        assert_eq!(again.changes, Vec::new(), "it does not converge");
        assert_eq!(again.record, record);
        record
    }

    #[test]
    fn what_somebody_set_is_left_and_told() {
        let mut wanted = values(&[("ingress-class", "higress"), ("other", "x")]);
        wanted.insert(domain(), String::new());
        let seen = values(&[("ingress-class", "kourier")]);
        let found = switch(&wanted, &seen, &Record::new(), ForeignFields::Report);
        assert_eq!(found.foreign, [slot("ingress-class")]);
        let changed: Vec<&Slot> = found.changes.iter().map(|change| &change.slot).collect();
        assert_eq!(changed, [&domain()], "Knative would be half switched over");
        assert!(found.record.keys().eq([&domain()]));
    }

    #[test]
    fn the_other_way_waits_until_all_of_it_can_be_written() {
        let first = values(&[("class", "higress"), ("kept", "x")]);
        let mut seen = Values::new();
        let record = run(&first, &mut seen, Record::new(), ForeignFields::Report);
        seen.insert(slot("selector"), "theirs".to_owned());
        seen.remove(&slot("kept"));
        let second = values(&[("class", "istio"), ("kept", "x"), ("selector", "ours")]);
        let record = run(&second, &mut seen, record, ForeignFields::Report);
        let expected = [("class", "higress"), ("kept", "x"), ("selector", "theirs")];
        assert_eq!(seen, values(&expected));
        let record = run(&second, &mut seen, record, ForeignFields::Takeover);
        assert_eq!(seen, second);
        let record = run(&Values::new(), &mut seen, record, ForeignFields::Report);
        assert_eq!(seen, values(&[("selector", "theirs")]));
        assert_eq!(record, Record::new());
    }

    #[test]
    fn what_is_too_long_to_be_noted_is_left() {
        let long = "x".repeat(LONGEST_VALUE + 1);
        let seen = values(&[("a", &long)]);
        let wanted = values(&[("a", "ours")]);
        let found = switch(&wanted, &seen, &Record::new(), ForeignFields::Takeover);
        assert_eq!((found.foreign.len(), found.changes.len()), (1, 0));
    }

    #[test]
    fn what_is_noted_can_be_read_back() {
        let wanted = values(&[("a", "ours"), ("b", "")]);
        let seen = values(&[("a", "theirs")]);
        let record = switch(&wanted, &seen, &Record::new(), ForeignFields::Takeover).record;
        assert_eq!(noted(note(&record).as_ref()), record);
        assert_eq!(note(&Record::new()), None);
        assert_eq!(noted(None), Record::new());
    }

    #[test]
    fn what_was_so_before_is_nobody_s_to_take_away() {
        let wanted = values(&[("ingress-class", "higress")]);
        let mut seen = wanted.clone();
        let record = run(&wanted, &mut seen, Record::new(), ForeignFields::Takeover);
        assert_eq!(record, Record::new());
        run(&Values::new(), &mut seen, record, ForeignFields::Takeover);
        assert_eq!(seen, wanted);
    }

    #[test]
    fn what_others_changed_meanwhile_stays() {
        let wanted = values(&[("a", "ours"), ("b", "ours")]);
        let mut seen = values(&[("a", "old"), ("b", "old"), ("c", "old")]);
        let record = run(&wanted, &mut seen, Record::new(), ForeignFields::Takeover);
        seen.insert(slot("a"), "theirs".to_owned());
        seen.insert(slot("c"), "new".to_owned());
        let record = run(&Values::new(), &mut seen, record, ForeignFields::Report);
        assert_eq!(seen, values(&[("a", "theirs"), ("b", "old"), ("c", "new")]));
        assert_eq!(record, Record::new());
    }

    #[test]
    fn a_write_that_never_happened_is_made_up_for() {
        let wanted = values(&[("a", "ours")]);
        let mut seen = values(&[("a", "old")]);
        // Recorded, and then the process was killed.
        let record = switch(&wanted, &seen, &Record::new(), ForeignFields::Takeover).record;
        let record = run(&wanted, &mut seen, record, ForeignFields::Report);
        assert_eq!(seen, wanted);
        run(&Values::new(), &mut seen, record, ForeignFields::Report);
        assert_eq!(seen, values(&[("a", "old")]));
    }

    fn some_values() -> impl Strategy<Value = Values> {
        proptest::collection::btree_map(
            (0..5_u8).prop_map(|key| slot(&key.to_string())),
            (0..3_u8).prop_map(|value| value.to_string()),
            0..5,
        )
    }

    proptest! {
        #[test]
        fn back_and_forth_leaves_nothing(
            before in some_values(), wishes in proptest::collection::vec(some_values(), 1..4), takeover: bool,
        ) {
            let foreign = if takeover { ForeignFields::Takeover } else { ForeignFields::Report };
            let mut seen = before.clone();
            let mut record = Record::new();
            for wanted in &wishes {
                record = run(wanted, &mut seen, record, foreign);
            }
            let record = run(&Values::new(), &mut seen, record, foreign);
            prop_assert_eq!(seen, before);
            prop_assert_eq!(record, Record::new());
        }
    }
}
