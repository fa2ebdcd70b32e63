//! One set of load balancer settings out of the class's and those of all bindings that share the
//! gateway.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{
    FieldConflict, LoadBalancerSettings, NamespacedName, Reason, SettingsField, SlbSettings,
};
use jiff::Timestamp;

use super::slb::{Fault, over};
use super::strictest::{Guarded, Strictest};

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
    /// What each binding holds, by path: of most fields what is written, of one that guards access
    /// what it asks for, since all that ask for one have a part in it.
    pub held: BTreeMap<NamespacedName, BTreeMap<String, String>>,
    /// Who lost what, by binding.
    pub conflicts: BTreeMap<NamespacedName, Vec<FieldConflict>>,
    /// Whose settings cannot take effect, and why. Of those what is recorded counts instead.
    pub refused: BTreeMap<NamespacedName, Fault>,
    /// Guards of access of which none is the strictest.
    clash: Option<Fault>,
}

impl<S> Merged<S> {
    fn hold(&mut self, binding: &NamespacedName, path: &str, value: Option<String>) {
        let held = self.held.entry(binding.clone()).or_default();
        held.extend(value.map(|value| (path.to_owned(), value)));
    }
}

/// Merges what can take effect: one that asks for what cannot be hurts only itself. `judge` says what
/// is wrong with settings as a whole.
///
/// What is wrong by itself, on top of the class's settings, is left out first. If the rest does not
/// go together, those come first that ask for what they have, then those that hold something, then
/// the oldest, then by namespace and name; each that fits stays.
pub fn merge_sound<S: Guarded>(
    class: &S,
    contributions: &[Contribution<S>],
    object: &str,
    judge: impl Fn(&S) -> Option<Fault>,
) -> Merged<S> {
    let merged = merge(class, contributions, object);
    if merged.clash.is_none() && judge(&merged.settings).is_none() {
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
    let fault = |merged: &Merged<S>| merged.clash.clone().or_else(|| new_fault(&merged.settings));
    let mut merged = merge(class, &sound, object);
    if fault(&merged).is_some() {
        merged = merge_one_by_one(class, sound, object, fault, &mut refused);
    }
    merged.refused = refused;
    merged
}

fn merge_one_by_one<S: Guarded>(
    class: &S,
    mut contributions: Vec<Contribution<S>>,
    object: &str,
    fault: impl Fn(&Merged<S>) -> Option<Fault>,
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
        let Some(found) = fault(&merge(class, &fitting, object)) else {
            continue;
        };
        refused.entry(binding).or_insert(found);
        fitting.pop();
        fitting.push(before);
        if fault(&merge(class, &fitting, object)).is_some() {
            fitting.pop();
        }
    }
    merge(class, &fitting, object)
}

/// Merges. Equal values agree. For unequal ones the binding that is recorded to hold the field
/// keeps it, so that a restore or a re-creation does not reshuffle winners; a field that nobody
/// holds goes to the oldest, then by namespace and name. Who may connect is not decided by age: the
/// strictest counts. `object` is named in the conflicts.
pub fn merge<S: Guarded>(class: &S, contributions: &[Contribution<S>], object: &str) -> Merged<S> {
    let mut merged = Merged {
        settings: class.clone(),
        held: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        refused: BTreeMap::new(),
        clash: None,
    };
    for field in S::Field::EACH {
        let path = field.path();
        let mut wanting: Vec<_> = contributions
            .iter()
            .filter(|contribution| field.is_set(&contribution.settings))
            .collect();
        wanting.sort_by_key(|contribution| precedence(contribution, path));
        let Some(first) = wanting.first() else {
            continue;
        };
        let wishes: Vec<&S> = wanting.iter().map(|one| &one.settings).collect();
        let strictest = match S::strictest(*field, &wishes) {
            Strictest::NoGuard => None,
            Strictest::Is(settings) => Some(settings),
            Strictest::Unknown => {
                merged.clash = Some(clash(*field, &wanting, object));
                None
            }
        };
        field.copy(
            &mut merged.settings,
            strictest.as_ref().unwrap_or(&first.settings),
        );
        let holders = if strictest.is_some() {
            &wanting[..]
        } else {
            &wanting[..1]
        };
        for holder in holders {
            merged.hold(&holder.binding, path, field.value(&holder.settings));
        }
        tell_losers(&mut merged, *field, &wanting, object);
    }
    merged
}

/// Tells those that do not get what they want of a field who stands against it.
fn tell_losers<S: Guarded>(
    merged: &mut Merged<S>,
    field: S::Field,
    wanting: &[&Contribution<S>],
    object: &str,
) {
    for loser in wanting {
        if field.agrees(&loser.settings, &merged.settings) {
            continue;
        }
        let other = wanting
            .iter()
            .find(|other| !field.agrees(&other.settings, &loser.settings));
        let conflicts = merged.conflicts.entry(loser.binding.clone()).or_default();
        conflicts.push(FieldConflict {
            object: object.to_owned(),
            field: field.path().to_owned(),
            wanted: shown(field, &loser.settings),
            held: shown(field, &merged.settings),
            held_by: other.map(|other| other.binding.clone()),
        });
    }
}

/// Why wishes for a guard do not go together.
fn clash<S: Guarded>(field: S::Field, wanting: &[&Contribution<S>], object: &str) -> Fault {
    let wishes = wanting.iter().map(|one| {
        let value = shown(field, &one.settings).unwrap_or_default();
        format!(
            "{}/{} asks for {value}",
            one.binding.namespace, one.binding.name
        )
    });
    let wishes: Vec<String> = wishes.take(5).collect();
    Fault {
        reason: Reason::Conflict,
        path: field.path(),
        why: format!(
            "of the bindings that share {object}, {}. No setting keeps out everybody whom one of \
             them keeps out, and access is not given to who came first. Ask for something that the \
             others ask for too, or use another gateway.",
            wishes.join(", ")
        ),
    }
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
    use crds::v1alpha1::{NlbSettings, SlbField};
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
        assert_eq!(merged.held[&holder.binding]["slb.name"], "b");
        assert!(!merged.held.contains_key(&old.binding));
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

    fn guarded(name: &str, age: i64, allow: &[&str]) -> Contribution {
        let mut one = contribution(name, age, "", false);
        one.settings =
            serde_json::from_value(serde_json::json!({"clientAddresses": {"allowACLs": allow}}))
                .unwrap();
        one
    }

    #[test]
    fn the_strictest_guard_counts_however_young_and_all_have_a_part_in_it() {
        let older = guarded("older", 100, &["acl-a", "acl-b"]);
        let younger = guarded("younger", 1, &["acl-b"]);
        let class = SlbSettings::default();
        let both = [older.clone(), younger.clone()];
        let merged = merge_sound(&class, &both, "o", |_| None);
        assert_eq!(
            merged.settings.client_addresses,
            younger.settings.client_addresses
        );
        let told: Vec<_> = merged.conflicts.keys().collect();
        assert_eq!(told, [&older.binding]);
        let conflict = &merged.conflicts[&older.binding][0];
        assert_eq!(conflict.held_by.as_ref(), Some(&younger.binding));
        for one in both {
            let own = SlbField::ClientAddresses.value(&one.settings).unwrap();
            assert_eq!(merged.held[&one.binding]["slb.clientAddresses"], own);
        }
    }

    #[test]
    fn of_guards_that_cannot_be_compared_the_one_in_effect_stays_and_the_other_is_refused() {
        let older = guarded("older", 100, &["acl-a"]);
        let mut younger = guarded("younger", 1, &["acl-b"]);
        younger.recorded = younger.settings.clone();
        younger.holds.insert("slb.clientAddresses".to_owned());
        let class = SlbSettings::default();
        let merged = merge_sound(
            &class,
            &[older.clone(), younger.clone()],
            "Service/n/s",
            |_| None,
        );
        assert_eq!(
            merged.settings.client_addresses,
            younger.settings.client_addresses
        );
        let refused = &merged.refused[&older.binding];
        assert_eq!(refused.reason, Reason::Conflict);
        assert!(
            refused
                .why
                .contains("n/older asks for {\"allowACLs\":[\"acl-a\"]}"),
            "{refused:?}"
        );
        assert_eq!(merged.refused.len(), 1);
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
