//! Which bindings name or serve a consumer, and which wait for what others have: looked up, since
//! going over all of them at each change of one would cost the square of their number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crds::v1alpha1::{GatewayBinding, LedgerEntry, NamespacedName, Reason};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

/// UIDs of bindings.
pub(super) type Uids = BTreeSet<Arc<str>>;

/// What one binding has to do with.
pub(super) struct Ties {
    binding: ObjectRef<GatewayBinding>,
    /// Consumers that it names, and those whose permissions it claims; with what decides of that where
    /// they are to be.
    consumers: BTreeMap<NamespacedName, Statement>,
    class: Option<String>,
    waits: Waits,
}

/// A digest of what a binding says of a consumer. Thousands may say the same.
type Statement = u64;

/// What a binding of the same class may keep another one from.
const AWAITS_OTHERS: [Reason; 3] = [Reason::Conflict, Reason::PathConflict, Reason::LimitReached];

/// For whom a binding waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    ForNobody,
    /// For another one of its class.
    InClass,
    /// For whoever has what it wants to adopt: that is the account's, whatever the class.
    Anywhere,
}

impl Ties {
    pub(super) fn of(binding: &GatewayBinding) -> Self {
        Self {
            binding: ObjectRef::from_obj(binding),
            consumers: statements(binding),
            class: class_of(binding).map(str::to_owned),
            waits: waits(binding),
        }
    }
}

/// The index.
#[derive(Default)]
pub(super) struct Relations {
    ties: HashMap<Arc<str>, Ties>,
    by_consumer: HashMap<NamespacedName, BTreeMap<Statement, Uids>>,
    waiting_in_class: HashMap<Option<String>, Uids>,
    waiting_anywhere: Uids,
}

impl Relations {
    pub(super) fn put(&mut self, uid: &Arc<str>, ties: Ties) {
        self.remove(uid);
        for (consumer, statement) in &ties.consumers {
            let bindings = self.by_consumer.entry(consumer.clone()).or_default();
            bindings.entry(*statement).or_default().insert(uid.clone());
        }
        match ties.waits {
            Waits::ForNobody => {}
            Waits::InClass => {
                let waiting = self.waiting_in_class.entry(ties.class.clone());
                waiting.or_default().insert(uid.clone());
            }
            Waits::Anywhere => drop(self.waiting_anywhere.insert(uid.clone())),
        }
        self.ties.insert(uid.clone(), ties);
    }

    pub(super) fn remove(&mut self, uid: &str) {
        let Some(ties) = self.ties.remove(uid) else {
            return;
        };
        for (consumer, statement) in &ties.consumers {
            let Some(bindings) = self.by_consumer.get_mut(consumer) else {
                continue;
            };
            if let Some(alike) = bindings.get_mut(statement) {
                alike.remove(uid);
                if alike.is_empty() {
                    bindings.remove(statement);
                }
            }
            if bindings.is_empty() {
                self.by_consumer.remove(consumer);
            }
        }
        leave(&mut self.waiting_in_class, &ties.class, uid);
        self.waiting_anywhere.remove(uid);
    }

    /// Bindings that name a consumer or claim a permission of it.
    pub(super) fn of_consumer(&self, consumer: &NamespacedName) -> Vec<ObjectRef<GatewayBinding>> {
        let bindings = self.by_consumer.get(consumer).into_iter();
        self.refs(bindings.flat_map(BTreeMap::values).flatten())
    }

    /// One of each that say the same of a consumer.
    pub(super) fn speakers(&self, consumer: &NamespacedName) -> Vec<ObjectRef<GatewayBinding>> {
        let bindings = self.by_consumer.get(consumer).into_iter();
        let alike = bindings.flat_map(BTreeMap::values);
        self.refs(alike.filter_map(BTreeSet::first))
    }

    /// Bindings that may get what they want when one of this class changes or goes.
    pub(super) fn losers(&self, class: Option<&str>) -> Vec<ObjectRef<GatewayBinding>> {
        if self.waiting_in_class.is_empty() && self.waiting_anywhere.is_empty() {
            return Vec::new();
        }
        let in_class = self.waiting_in_class.get(&class.map(str::to_owned));
        let in_class = in_class.into_iter().flatten();
        self.refs(in_class.chain(&self.waiting_anywhere))
    }

    /// What the watch calls a binding.
    pub(super) fn reference(&self, uid: &str) -> Option<ObjectRef<GatewayBinding>> {
        Some(self.ties.get(uid)?.binding.clone())
    }

    fn refs<'a>(&self, uids: impl Iterator<Item = &'a Arc<str>>) -> Vec<ObjectRef<GatewayBinding>> {
        uids.filter_map(|uid| self.reference(uid)).collect()
    }
}

/// Takes a member out of an index.
pub(super) fn leave<K: Eq + Hash>(index: &mut HashMap<K, Uids>, key: &K, uid: &str) {
    if let Some(users) = index.get_mut(key) {
        users.remove(uid);
        if users.is_empty() {
            index.remove(key);
        }
    }
}

/// The class a binding names or was given.
pub fn class_of(binding: &GatewayBinding) -> Option<&str> {
    let settled = binding
        .status
        .as_ref()
        .and_then(|status| status.class_name.as_deref());
    binding.spec.class_name.as_deref().or(settled)
}

/// The consumers that a binding's spec allows on an API gateway, and that its cloud account has to know.
pub(super) fn named(binding: &GatewayBinding) -> impl Iterator<Item = NamespacedName> {
    let namespace = binding.namespace().unwrap_or_default();
    let api_gateway = binding.spec.api_gateway.iter();
    let auth = api_gateway.filter_map(|api_gateway| api_gateway.auth.consumer.as_ref());
    auth.flat_map(|auth| &auth.allow)
        .map(move |allowed| allowed.consumer(&namespace))
}

/// The consumers that a binding's spec allows or denies on Higress, which only reads their Secrets.
fn named_on_higress(binding: &GatewayBinding) -> impl Iterator<Item = NamespacedName> {
    let namespace = binding.namespace().unwrap_or_default();
    let auth = binding.spec.higress.iter();
    let auth = auth.filter_map(|higress| higress.auth.as_ref()?.consumer.as_ref());
    auth.flat_map(move |auth| {
        let allowed = auth.allow.iter().map(|entry| entry.consumer(&namespace));
        let denied = auth.deny.iter().flatten();
        let denied = denied.map(|entry| entry.consumer(&namespace));
        allowed.chain(denied).collect::<Vec<_>>()
    })
}

/// Those that it allows, and those whose permissions its ledger holds.
pub(super) fn consumers(binding: &GatewayBinding) -> BTreeSet<NamespacedName> {
    named(binding).chain(claimed(binding)).collect()
}

/// Those whose permissions it holds and that its spec does not speak for any more.
pub(super) fn leftovers(binding: &GatewayBinding) -> BTreeSet<NamespacedName> {
    let speaks = binding.metadata.deletion_timestamp.is_none() && binding.is_carried_out();
    let named: BTreeSet<NamespacedName> = named(binding).filter(|_| speaks).collect();
    claimed(binding)
        .filter(|consumer| !named.contains(consumer))
        .collect()
}

fn claimed(binding: &GatewayBinding) -> impl Iterator<Item = NamespacedName> {
    let ledger = binding.status.iter().flat_map(|status| &status.ledger);
    ledger.filter_map(grantee)
}

fn statements(binding: &GatewayBinding) -> BTreeMap<NamespacedName, Statement> {
    let status = binding.status.as_ref();
    let mut granted: BTreeMap<NamespacedName, BTreeSet<_>> = BTreeMap::new();
    for entry in status.iter().flat_map(|status| &status.ledger) {
        if let Some(consumer) = grantee(entry) {
            let places = granted.entry(consumer).or_default();
            places.insert((&entry.account, &entry.region));
        }
    }
    let named: BTreeSet<NamespacedName> = named(binding).collect();
    let on_higress: BTreeSet<NamespacedName> = named_on_higress(binding).collect();
    let all = named.iter().chain(&on_higress).chain(granted.keys());
    let all: BTreeSet<&NamespacedName> = all.collect();
    let statement = |consumer: &NamespacedName| {
        let mut hasher = DefaultHasher::new();
        binding.metadata.namespace.hash(&mut hasher);
        binding
            .metadata
            .deletion_timestamp
            .is_some()
            .hash(&mut hasher);
        binding.spec.class_name.hash(&mut hasher);
        let class = status.map(|status| &status.class_name);
        class.hash(&mut hasher);
        binding.is_carried_out().hash(&mut hasher);
        named.contains(consumer).hash(&mut hasher);
        granted.get(consumer).hash(&mut hasher);
        hasher.finish()
    };
    let said = all.into_iter();
    said.map(|consumer| (consumer.clone(), statement(consumer)))
        .collect()
}

/// The consumer of a permission that a ledger names.
pub(super) fn grantee(entry: &LedgerEntry) -> Option<NamespacedName> {
    // The consumer ends the key.
    let mut words = entry.key.rsplitn(3, '/').filter(|_| entry.kind == "Grant");
    let (name, namespace) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(NamespacedName { namespace, name })
}

fn waits(binding: &GatewayBinding) -> Waits {
    let Some(status) = &binding.status else {
        return Waits::ForNobody;
    };
    let has = |reason: Reason| {
        let mut conditions = status.conditions.iter();
        conditions.any(|condition| condition.reason == reason.as_str())
    };
    if has(Reason::NotAdoptable) {
        Waits::Anywhere
    } else if !status.conflicts.is_empty() || AWAITS_OTHERS.into_iter().any(has) {
        Waits::InClass
    } else {
        Waits::ForNobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn binding(name: &str, reason: &str, allow: Value, ledger: Value) -> GatewayBinding {
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1",
            "kind": "GatewayBinding",
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": {
                "className": "c",
                "serviceRef": {"kind": "KnativeService", "name": name},
                "apiGateway": {"group": "g", "auth": {"consumer": {"allow": allow}}},
            },
            "status": {
                "ledger": ledger,
                "conditions": [{
                    "type": "Ready", "status": "False", "reason": reason, "message": "",
                    "lastTransitionTime": "2026-11-21T00:00:00Z",
                }],
            },
        });
        serde_json::from_value(object).unwrap()
    }

    fn names(found: Vec<ObjectRef<GatewayBinding>>) -> Vec<String> {
        found.into_iter().map(|reference| reference.name).collect()
    }

    fn consumer(namespace: &str, name: &str) -> NamespacedName {
        NamespacedName {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    #[test]
    fn whoever_names_or_serves_a_consumer_is_found_until_it_does_no_more() {
        let mut relations = Relations::default();
        let put = |relations: &mut Relations, name: &str, allow: Value, ledger: Value| {
            relations.put(
                &name.into(),
                Ties::of(&binding(name, "Ready", allow, ledger)),
            );
        };
        let grant = json!([{"kind": "Grant", "key": "classic/Grant/g/a/RELEASE/crm/buyer"}]);
        put(&mut relations, "a", json!([{"name": "app"}]), json!([]));
        put(&mut relations, "b", json!([]), grant);
        let other = json!([{"name": "x", "consumerRef": {"namespace": "crm", "name": "buyer"}}]);
        put(&mut relations, "c", other, json!([]));
        let of = |relations: &Relations, namespace, name| {
            names(relations.of_consumer(&consumer(namespace, name)))
        };
        assert_eq!(of(&relations, "shop", "app"), ["a"]);
        assert_eq!(of(&relations, "crm", "buyer"), ["b", "c"]);
        put(&mut relations, "d", json!([{"name": "app"}]), json!([]));
        assert_eq!(of(&relations, "shop", "app"), ["a", "d"]);
        let speakers = relations.speakers(&consumer("shop", "app"));
        assert_eq!(names(speakers), ["a"], "they say the same");
        let speakers = relations.speakers(&consumer("crm", "buyer"));
        assert_eq!(speakers.len(), 2, "one names it, the other serves it");
        relations.remove("d");
        put(&mut relations, "c", json!([]), json!([]));
        relations.remove("a");
        assert_eq!(of(&relations, "crm", "buyer"), ["b"]);
        assert!(of(&relations, "shop", "app").is_empty());
    }

    #[test]
    fn losers_are_those_of_the_class_and_those_who_would_adopt() {
        let mut relations = Relations::default();
        for (name, reason) in [
            ("a", "Ready"),
            ("b", "PathConflict"),
            ("c", "Conflict"),
            ("d", "NotAdoptable"),
            ("e", "LimitReached"),
        ] {
            let binding = binding(name, reason, json!([]), json!([]));
            relations.put(&name.into(), Ties::of(&binding));
        }
        assert_eq!(names(relations.losers(Some("c"))), ["b", "c", "e", "d"]);
        assert_eq!(names(relations.losers(Some("other"))), ["d"]);
        let mended = binding("c", "Ready", json!([]), json!([]));
        relations.put(&"c".into(), Ties::of(&mended));
        assert_eq!(names(relations.losers(Some("c"))), ["b", "e", "d"]);
    }
}
