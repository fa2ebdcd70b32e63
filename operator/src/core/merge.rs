//! One set of load balancer settings out of the class's and those of all bindings that share the
//! gateway.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{
    FieldConflict, LoadBalancerSettings, NamespacedName, SettingsField, SlbSettings,
};
use jiff::Timestamp;

use super::slb::{Fault, over};

/// What one binding wants of a shared gateway; `S` are the settings of its kind of load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution<S = SlbSettings> {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// What it wants, already reduced to what the class lets it set.
    pub settings: S,
    /// What it is recorded to hold: what was found good before.
    pub recorded: S,
    /// The fields (paths) it is recorded to hold.
    pub holds: BTreeSet<String>,
}

/// The outcome for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged<S = SlbSettings> {
    /// What is written.
    pub settings: S,
    /// Who holds each field that comes from a binding, by path.
    pub holders: BTreeMap<&'static str, NamespacedName>,
    /// Who lost what, by binding.
    pub conflicts: BTreeMap<NamespacedName, Vec<FieldConflict>>,
    /// Whose settings cannot take effect, and why. Of those what is recorded counts instead.
    pub refused: BTreeMap<NamespacedName, Fault>,
}

/// Merges what can take effect: one that asks for what cannot be hurts only itself. `judge` says what
/// is wrong with settings as a whole.
///
/// What is wrong by itself, on top of the class's settings, is left out first. If the rest does not
/// go together, those come first that ask for what they have, then those that hold something, then
/// the oldest, then by namespace and name; each that fits stays.
pub fn merge_sound<S: LoadBalancerSettings>(
    class: &S,
    contributions: &[Contribution<S>],
    object: &str,
    judge: impl Fn(&S) -> Option<Fault>,
) -> Merged<S> {
    let merged = merge(class, contributions, object);
    if judge(&merged.settings).is_none() {
        return merged;
    }
    // What is wrong with the class itself is no binding's doing.
    let known = judge(class);
    let new_fault = |settings: &S| judge(settings).filter(|new| Some(new) != known.as_ref());
    let mut refused = BTreeMap::new();
    let mut sound: Vec<Contribution<S>> = contributions.to_vec();
    for one in &mut sound {
        if let Some(fault) = new_fault(&over(class, &one.settings)) {
            refused.insert(one.binding.clone(), fault);
            one.settings.clone_from(&one.recorded);
        }
    }
    let mut merged = merge(class, &sound, object);
    if new_fault(&merged.settings).is_some() {
        merged = merge_one_by_one(class, sound, object, new_fault, &mut refused);
    }
    merged.refused = refused;
    merged
}

fn merge_one_by_one<S: LoadBalancerSettings>(
    class: &S,
    mut contributions: Vec<Contribution<S>>,
    object: &str,
    fault: impl Fn(&S) -> Option<Fault>,
    refused: &mut BTreeMap<NamespacedName, Fault>,
) -> Merged<S> {
    contributions.sort_by_cached_key(|one| {
        let unchanged = one.settings == one.recorded;
        (
            !unchanged,
            one.holds.is_empty(),
            one.created,
            one.binding.clone(),
        )
    });
    let mut fitting: Vec<Contribution<S>> = Vec::new();
    for one in contributions {
        let binding = one.binding.clone();
        let mut before = one.clone();
        before.settings.clone_from(&one.recorded);
        fitting.push(one);
        let Some(found) = fault(&merge(class, &fitting, object).settings) else {
            continue;
        };
        refused.entry(binding).or_insert(found);
        fitting.pop();
        fitting.push(before);
        if fault(&merge(class, &fitting, object).settings).is_some() {
            fitting.pop();
        }
    }
    merge(class, &fitting, object)
}

/// Merges. Equal values agree. For unequal ones the binding that is recorded to hold the field
/// keeps it, so that a restore or a re-creation does not reshuffle winners; a field that nobody
/// holds goes to the oldest, then by namespace and name. `object` is named in the conflicts.
pub fn merge<S: LoadBalancerSettings>(
    class: &S,
    contributions: &[Contribution<S>],
    object: &str,
) -> Merged<S> {
    let mut merged = Merged {
        settings: class.clone(),
        holders: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    for field in S::Field::EACH {
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
fn shown<F: SettingsField>(field: F, settings: &F::Settings) -> Option<String> {
    let value = field.value(settings)?;
    Some(value.chars().take(1024).collect())
}

fn precedence<'a, S>(
    contribution: &'a Contribution<S>,
    path: &str,
) -> (bool, Timestamp, &'a NamespacedName) {
    let holds = contribution.holds.contains(path);
    (!holds, contribution.created, &contribution.binding)
}

/// Checks which of a binding's settings the class leaves open; the path of the first that it does
/// not.
pub fn not_open<S: LoadBalancerSettings>(
    settings: &S,
    open: impl Fn(S::Field) -> bool,
) -> Option<&'static str> {
    S::Field::EACH
        .iter()
        .find(|field| field.is_set(settings) && !open(**field))
        .map(|field| field.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::v1alpha1::NlbSettings;
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
            recorded: SlbSettings::default(),
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

    /// Nobody may be called "bad", and nobody "c" beside "a".
    fn judge(settings: &SlbSettings) -> Option<Fault> {
        let zone = settings.zones.as_ref().map(|zones| zones.primary.as_str());
        let name = settings.name.as_deref();
        let is_bad = name == Some("bad") || (name == Some("a") && zone == Some("c"));
        is_bad.then(|| Fault {
            reason: crds::v1alpha1::Reason::InvalidSpec,
            path: "slb.name",
            why: String::new(),
        })
    }

    fn zoned(name: &str, age: i64, zone: &str) -> Contribution {
        let mut one = contribution(name, age, "", false);
        one.settings =
            serde_json::from_value(serde_json::json!({"zones": {"primary": zone}})).unwrap();
        one
    }

    #[test]
    fn what_cannot_be_hurts_only_who_asks_for_it() {
        let good = contribution("good", 1, "good", false);
        let mut bad = contribution("bad", 100, "bad", true);
        bad.recorded.name = Some("before".into());
        let class = SlbSettings::default();
        let all = [good.clone(), bad.clone()];
        let merged = merge_sound(&class, &all, "o", judge);
        assert_eq!(
            merged.settings.name.as_deref(),
            Some("before"),
            "it keeps what it had"
        );
        assert_eq!(merged.refused.keys().collect::<Vec<_>>(), [&bad.binding]);
        bad.recorded = SlbSettings::default();
        let merged = merge_sound(&class, &[good, bad], "o", judge);
        assert_eq!(merged.settings.name.as_deref(), Some("good"));
    }

    #[test]
    fn of_what_does_not_go_together_the_one_in_effect_stays() {
        let older = zoned("older", 100, "c");
        let mut younger = contribution("younger", 1, "a", true);
        let class = SlbSettings::default();
        let all = |younger: &Contribution| [younger.clone(), older.clone()];
        let merged = merge_sound(&class, &all(&younger), "o", judge);
        assert_eq!(
            merged.settings.name.as_deref(),
            Some("a"),
            "it holds a field"
        );
        assert_eq!(merged.refused.keys().collect::<Vec<_>>(), [&older.binding]);
        younger.holds.clear();
        let merged = merge_sound(&class, &all(&younger), "o", judge);
        assert_eq!(merged.settings.name, None, "nobody holds anything");
        assert_eq!(
            merged.refused.keys().collect::<Vec<_>>(),
            [&younger.binding]
        );
    }

    #[test]
    fn what_is_wrong_with_the_class_is_told_to_nobody_as_his_own() {
        let class = SlbSettings {
            name: Some("bad".into()),
            ..SlbSettings::default()
        };
        let merged = merge_sound(&class, &[zoned("x", 1, "c")], "o", judge);
        assert_eq!(merged.refused, BTreeMap::new());
        assert_eq!(merged.settings.name.as_deref(), Some("bad"));
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
            let sound = |all: &[Contribution]| merge_sound(&class, all, "o", |settings| {
                (settings.name.as_deref() == Some("z")).then(|| judge(&SlbSettings {
                    name: Some("bad".into()),
                    ..SlbSettings::default()
                }))?
            });
            let merged = sound(&forward);
            prop_assert_ne!(merged.settings.name.as_deref(), Some("z"));
            prop_assert_eq!(merged, sound(&shuffled));
        }
    }

    #[test]
    fn settings_of_another_kind_merge_in_the_same_way() {
        let named = |name: &str, age: i64| Contribution {
            binding: NamespacedName {
                namespace: "n".into(),
                name: name.into(),
            },
            created: Timestamp::from_second(age).unwrap(),
            settings: NlbSettings {
                name: Some(name.into()),
                ..NlbSettings::default()
            },
            recorded: NlbSettings::default(),
            holds: BTreeSet::new(),
        };
        let class = NlbSettings::default();
        let both = [named("younger", 2), named("older", 1)];
        let merged = merge_sound(&class, &both, "Service/n/gw", |_| None);
        assert_eq!(merged.settings.name.as_deref(), Some("older"));
        let lost = merged.conflicts.values().flatten();
        let lost: Vec<&str> = lost.map(|conflict| conflict.field.as_str()).collect();
        assert_eq!(lost, ["nlb.name"]);
    }
}
