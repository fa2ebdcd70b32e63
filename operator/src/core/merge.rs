//! One set of load balancer settings out of the class's and those of all bindings that share the
//! gateway.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{FieldConflict, NamespacedName, SlbField, SlbSettings};
use jiff::Timestamp;

/// What one binding wants of a shared gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// What it wants, already reduced to what the class lets it set.
    pub settings: SlbSettings,
    /// The fields (paths) it is recorded to hold.
    pub holds: BTreeSet<String>,
}

/// The outcome for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// What is written.
    pub settings: SlbSettings,
    /// Who holds each field that comes from a binding, by path.
    pub holders: BTreeMap<&'static str, NamespacedName>,
    /// Who lost what, by binding.
    pub conflicts: BTreeMap<NamespacedName, Vec<FieldConflict>>,
}

/// Merges. Equal values agree. For unequal ones the binding that is recorded to hold the field
/// keeps it, so that a restore or a re-creation does not reshuffle winners; a field that nobody
/// holds goes to the oldest, then by namespace and name. `object` is named in the conflicts.
pub fn merge(class: &SlbSettings, contributions: &[Contribution], object: &str) -> Merged {
    let mut merged = Merged {
        settings: class.clone(),
        ..Merged::default()
    };
    for field in SlbField::EACH {
        let path = field.path();
        let wanting = contributions
            .iter()
            .filter(|contribution| field.is_set(&contribution.settings));
        let Some(holder) = wanting.clone().min_by_key(|c| precedence(c, path)) else {
            continue;
        };
        field.copy(&mut merged.settings, &holder.settings);
        merged.holders.insert(path, holder.binding.clone());
        for loser in wanting {
            if !field.agrees(&loser.settings, &holder.settings) {
                merged
                    .conflicts
                    .entry(loser.binding.clone())
                    .or_default()
                    .push(FieldConflict {
                        object: object.to_owned(),
                        field: path.to_owned(),
                        wanted: shown(*field, &loser.settings),
                        held: shown(*field, &holder.settings),
                        held_by: Some(holder.binding.clone()),
                    });
            }
        }
    }
    merged
}

/// A field's value, as much of it as status has room for.
fn shown(field: SlbField, settings: &SlbSettings) -> Option<String> {
    let value = field.value(settings)?;
    Some(value.chars().take(1024).collect())
}

fn precedence<'a>(
    contribution: &'a Contribution,
    path: &str,
) -> (bool, Timestamp, &'a NamespacedName) {
    let holds = contribution.holds.contains(path);
    (!holds, contribution.created, &contribution.binding)
}

/// Checks which of a binding's settings the class leaves open; the path of the first that it does
/// not.
pub fn not_open(settings: &SlbSettings, open: impl Fn(SlbField) -> bool) -> Option<&'static str> {
    SlbField::EACH
        .iter()
        .find(|field| field.is_set(settings) && !open(**field))
        .map(|field| field.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contribution(name: &str, age: i64, lb_name: &str, holds: bool) -> Contribution {
        Contribution {
            binding: NamespacedName {
                namespace: "n".into(),
                name: name.into(),
            },
            created: Timestamp::from_second(1_000_000 - age).unwrap(),
            settings: SlbSettings {
                name: Some(lb_name.into()),
                ..SlbSettings::default()
            },
            holds: holds.then(|| "slb.name".to_owned()).into_iter().collect(),
        }
    }

    #[test]
    fn the_holder_keeps_the_field_and_the_loser_is_told() {
        let old = contribution("old", 100, "a", false);
        let holder = contribution("young", 1, "b", true);
        let merged = merge(
            &SlbSettings::default(),
            &[old.clone(), holder.clone()],
            "Service/x/y",
        );
        assert_eq!(merged.settings.name.as_deref(), Some("b"));
        assert_eq!(merged.holders["slb.name"], holder.binding);
        let conflict = &merged.conflicts[&old.binding][0];
        assert_eq!(conflict.held_by.as_ref(), Some(&holder.binding));
        assert_eq!(conflict.wanted.as_deref(), Some("a"));
        assert!(!merged.conflicts.contains_key(&holder.binding));
    }

    #[test]
    fn equal_values_agree() {
        let merged = merge(
            &SlbSettings::default(),
            &[
                contribution("a", 1, "x", false),
                contribution("b", 2, "x", false),
            ],
            "o",
        );
        assert_eq!(merged.conflicts, BTreeMap::new());
    }

    #[test]
    fn a_listed_fields_class_value_is_a_default() {
        let class = SlbSettings {
            name: Some("class".into()),
            ..SlbSettings::default()
        };
        assert_eq!(merge(&class, &[], "o").settings, class);
        let merged = merge(&class, &[contribution("a", 1, "x", false)], "o");
        assert_eq!(merged.settings.name.as_deref(), Some("x"));
    }

    proptest! {
        #[test]
        fn order_does_not_matter(
            parts in proptest::collection::vec(("[a-d]", 0i64..4, "[xyz]", any::<bool>()), 0..6),
            seed in any::<u64>(),
        ) {
            let mut named: BTreeMap<String, Contribution> = BTreeMap::new();
            for (name, age, value, holds) in &parts {
                named.insert(name.clone(), contribution(name, *age, value, *holds));
            }
            let forward: Vec<Contribution> = named.into_values().collect();
            let mut shuffled = forward.clone();
            if !shuffled.is_empty() {
                let turn = usize::try_from(seed % shuffled.len() as u64).unwrap();
                shuffled.rotate_left(turn);
                shuffled.reverse();
            }
            let class = SlbSettings::default();
            prop_assert_eq!(merge(&class, &forward, "o"), merge(&class, &shuffled, "o"));
        }
    }
}
