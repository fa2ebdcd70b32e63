//! What became of what objects claimed, as the API server told of their end. All replicas listen, so
//! that it is known to the next one that leads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::v1alpha1::{
    ClassOrphans, GatewayBinding, GatewayBindingClassSpec, GatewayConsumer, LedgerEntry,
    NamespacedName, OrphanCause,
};
use kube::ResourceExt;

use crate::controller::relations::class_of;
use crate::core::consumer;
use crate::core::orphans::{Kind, Orphan, fate};
use crate::core::validate::owner;

/// Fates remembered at the most. What is forgotten is not collected.
const MOST: usize = 16_384;
/// Sweeps without an orphan to it after which a fate is forgotten: the object cleaned up.
const IDLE: u32 = ClassOrphans::DEFAULT_SWEEPS;
/// Consumers belong to no class.
const NO_CLASS: &str = "";

/// A class, and what of it: the text of [`thing`], a ledger's key, or an owner.
type Name = (String, String);

/// What became of things. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Fates(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<Name, Known>,
    /// By age, oldest first.
    order: BTreeMap<u64, Name>,
    sequence: u64,
}

#[derive(Debug)]
struct Known {
    cause: OrphanCause,
    sequence: u64,
    idle: u32,
}

impl Fates {
    /// The API server told that a binding is gone; this is how it was last, and its class.
    pub fn binding_gone(&self, binding: &GatewayBinding, class: Option<&GatewayBindingClassSpec>) {
        let Some(name) = class_of(binding) else {
            return;
        };
        let cause = fate::of_binding(binding, class);
        let named = NamespacedName {
            namespace: binding.namespace().unwrap_or_default(),
            name: binding.name_any(),
        };
        let ledger = binding.status.iter().flat_map(|status| &status.ledger);
        self.gone(name, owner(&named), ledger, cause);
    }

    /// The same of a consumer.
    pub fn consumer_gone(&self, consumer: &GatewayConsumer) {
        let cause = fate::of_consumer(consumer);
        let owner = consumer::owner(&consumer::name_of(consumer));
        let ledger = consumer.status.iter().flat_map(|status| &status.ledger);
        self.gone(NO_CLASS, owner, ledger, cause);
    }

    fn gone<'a>(
        &self,
        class: &str,
        owner: String,
        ledger: impl Iterator<Item = &'a LedgerEntry>,
        cause: OrphanCause,
    ) {
        let mut state = self.lock();
        let mut claimed = false;
        for entry in ledger.filter(|entry| Kind::parse(&entry.kind).is_some()) {
            claimed = true;
            // The id says it better than the name: somebody may have renamed it.
            let what = match &entry.id {
                Some(id) => thing(&entry.kind, id),
                None => entry.key.clone(),
            };
            state.put((class.to_owned(), what), cause);
        }
        let by_owner = (class.to_owned(), owner);
        match cause {
            // Also of what its ledger does not name, since its status was lost.
            OrphanCause::Retained => state.put(by_owner, cause),
            // It had taken up what an earlier one of its name left on purpose.
            OrphanCause::OwnerLost | OrphanCause::Unknown if claimed => state.remove(&by_owner),
            OrphanCause::OwnerLost | OrphanCause::Unknown => {}
        }
        state.sequence += 1;
    }

    /// The watch was interrupted: what happened meanwhile, and what is as it was before, as after a
    /// restore, cannot be told.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.known.clear();
        state.order.clear();
    }

    /// Moves whenever something becomes known.
    pub fn revision(&self) -> u64 {
        self.lock().sequence
    }

    /// What became of the owner of a thing of a class.
    pub fn of(&self, class: &str, orphan: &Orphan) -> Option<OrphanCause> {
        let state = self.lock();
        let mut names = names(class, orphan).into_iter();
        names.find_map(|name| state.known.get(&name).map(|known| known.cause))
    }

    /// After a sweep of a class: fates that no orphan had for some sweeps are forgotten.
    pub fn settle(&self, class: &str, orphans: &[Orphan]) {
        let met: BTreeSet<Name> = orphans.iter().flat_map(|o| names(class, o)).collect();
        let mut state = self.lock();
        let mut forgotten = Vec::new();
        for (name, known) in &mut state.known {
            if name.0 != class && name.0 != NO_CLASS {
                continue;
            }
            known.idle = if met.contains(name) {
                0
            } else {
                known.idle + 1
            };
            if known.idle >= IDLE {
                forgotten.push(name.clone());
            }
        }
        for name in &forgotten {
            state.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The last word counts: what several used is as the last of them left it.
    fn put(&mut self, name: Name, cause: OrphanCause) {
        self.remove(&name);
        self.sequence += 1;
        let sequence = self.sequence;
        let known = Known {
            cause,
            sequence,
            idle: 0,
        };
        self.order.insert(sequence, name.clone());
        self.known.insert(name, known);
        while self.known.len() > MOST {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.known.remove(&oldest);
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some(known) = self.known.remove(name) {
            self.order.remove(&known.sequence);
        }
    }
}

/// The names by which the fate of an orphan may be known, the one that counts most first.
fn names(class: &str, orphan: &Orphan) -> [Name; 3] {
    let class = match orphan.id.kind {
        Kind::Consumer | Kind::Secret => NO_CLASS,
        _ => class,
    };
    let name = |what: String| (class.to_owned(), what);
    [
        name(orphan.owner.clone()),
        name(thing(orphan.id.kind.as_str(), &orphan.id.id)),
        name(orphan.key.clone()),
    ]
}

fn thing(kind: &str, id: &str) -> String {
    format!("{kind} {id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::orphans::Id;
    use serde_json::{Value, json};

    const API: &str = "classic/API/knative/default_helloworld_all_1a2b3c4d";
    const GROUP: &str = "classic/Group/knative";

    fn binding(name: &str, spec: Value, ledger: &Value) -> GatewayBinding {
        let mut all =
            json!({"serviceRef": {"kind": "KnativeService", "name": "s"}, "className": "c"});
        for (field, value) in spec.as_object().unwrap() {
            all[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": name, "namespace": "default"},
            "spec": all, "status": {"ledger": ledger},
        }))
        .unwrap()
    }

    fn ledger() -> Value {
        json!([
            {"key": API, "kind": "API", "id": "a1"},
            {"key": GROUP, "kind": "Group"},
            {"key": "classic/Grant/knative/x/Release/default/k", "kind": "Grant", "id": "110"},
        ])
    }

    fn orphan(kind: Kind, id: &str, key: &str, owner: &str) -> Orphan {
        Orphan {
            id: Id {
                kind,
                id: id.into(),
            },
            name: String::new(),
            owner: owner.into(),
            key: key.into(),
        }
    }

    fn api(id: &str) -> Orphan {
        orphan(Kind::Api, id, API, "GatewayBinding/default/helloworld")
    }

    fn group() -> Orphan {
        orphan(Kind::Group, "g1", GROUP, "GatewayBindingClass/c")
    }

    fn lost() -> Option<OrphanCause> {
        Some(OrphanCause::OwnerLost)
    }

    fn class() -> GatewayBindingClassSpec {
        GatewayBindingClassSpec::default()
    }

    #[test]
    fn a_ledger_tells_of_what_it_named_and_of_nothing_else() {
        let fates = Fates::default();
        let before = fates.revision();
        fates.binding_gone(&binding("helloworld", json!({}), &ledger()), Some(&class()));
        assert_ne!(fates.revision(), before);
        assert_eq!(fates.of("c", &api("a1")), lost());
        assert_eq!(fates.of("c", &api("a2")), None, "another API of its name");
        assert_eq!(fates.of("c", &group()), lost(), "by key, without an id");
        assert_eq!(fates.of("other", &group()), None);
        fates.clear();
        assert_eq!(fates.of("c", &group()), None);
    }

    #[test]
    fn what_was_retained_stays_so_until_somebody_took_it_up() {
        let fates = Fates::default();
        let retain = json!({"deletionPolicy": "Retain"});
        let gone = |spec: &Value, ledger: &Value| {
            let gone = binding("helloworld", spec.clone(), ledger);
            fates.binding_gone(&gone, Some(&class()));
        };
        gone(&retain, &json!([]));
        let retained = Some(OrphanCause::Retained);
        assert_eq!(fates.of("c", &api("a1")), retained, "by its owner alone");
        gone(&json!({}), &json!([]));
        assert_eq!(fates.of("c", &api("a1")), retained, "it never had it");
        gone(&json!({}), &ledger());
        assert_eq!(fates.of("c", &api("a1")), lost());
        gone(&json!({"mode": "Suspend"}), &ledger());
        assert_eq!(fates.of("c", &api("a1")), Some(OrphanCause::Unknown));
    }

    #[test]
    fn of_what_several_used_the_last_one_tells() {
        let fates = Fates::default();
        let retain = json!({"deletionPolicy": "Retain"});
        for (name, spec, expected) in [
            ("a", &retain, OrphanCause::Retained),
            ("b", &json!({}), OrphanCause::OwnerLost),
            ("c", &retain, OrphanCause::Retained),
        ] {
            let gone = binding(name, spec.clone(), &ledger());
            fates.binding_gone(&gone, Some(&class()));
            assert_eq!(fates.of("c", &group()), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_fate_without_an_orphan_is_forgotten() {
        let fates = Fates::default();
        fates.binding_gone(&binding("x", json!({}), &ledger()), Some(&class()));
        for _ in 0..IDLE {
            fates.settle("other", &[]);
            fates.settle("c", &[group()]);
        }
        assert_eq!(fates.of("c", &api("a1")), None);
        assert_eq!(fates.of("c", &group()), lost());
        fates.settle("c", &[]);
        assert_eq!(fates.of("c", &group()), lost(), "missing once");
    }

    #[test]
    fn there_is_no_end_of_fates_but_of_memory() {
        let fates = Fates::default();
        for number in 0..=MOST {
            let id = format!("a{number}");
            let ledger = json!([{"key": API, "kind": "API", "id": id}]);
            fates.binding_gone(&binding("x", json!({}), &ledger), Some(&class()));
        }
        assert_eq!(fates.of("c", &api("a0")), None);
        assert_eq!(fates.of("c", &api("a1")), lost());
        let state = fates.lock();
        assert_eq!((state.known.len(), state.order.len()), (MOST, MOST));
    }

    #[test]
    fn a_consumers_fate_is_no_classs() {
        let fates = Fates::default();
        let key = "classic/Consumer/acme_1@1/r";
        let consumer: GatewayConsumer = serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": "acme", "namespace": "n"}, "spec": {"credentials": []},
            "status": {"ledger": [{"key": key, "kind": "Consumer", "id": "110"}]},
        }))
        .unwrap();
        fates.consumer_gone(&consumer);
        let app = orphan(Kind::Consumer, "110", key, "GatewayConsumer/n/acme");
        assert_eq!(fates.of("any", &app), lost());
    }
}
