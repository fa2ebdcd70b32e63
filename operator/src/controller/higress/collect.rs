//! What all bindings bring for one Higress, as their ledgers have it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::keys;
use crds::v1alpha1::{
    DeletionPolicy, GatewayBinding, GatewayBindingClass, HigressGateway, Mode, NamespacedName,
};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::state::Settled;
use crate::controller::context::Context;
use crate::core::class;
use crate::core::consumer::lets_in;
use crate::core::higress::merge::Offer;
use crate::core::higress::record;
use crate::core::higress::rule::{Callers, Part, Rule};
use crate::core::unreadable;

/// What all bindings bring.
#[derive(Default)]
pub(super) struct Collected {
    /// Their rules.
    pub offers: Vec<Offer>,
    /// Bindings that have to do with this Higress, by UID, with what of them was taken into account.
    pub settled: BTreeMap<String, Settled>,
    /// Bindings on their way out that leave their rules where they are.
    pub retained: BTreeSet<NamespacedName>,
}

/// What becomes of a binding's rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    IsLeft,
}

/// Goes over all bindings.
pub(super) fn collect(system: &str, context: &Context) -> Collected {
    let mut collected = Collected::default();
    let classes = context.stores.classes.state();
    for stored in context.stores.bindings.state() {
        let binding = context.bindings.newest(stored);
        let asks = binding.spec.higress.is_some();
        if !asks && !record::systems(&binding).contains(system) {
            continue;
        }
        let class = class::resolve(&binding, classes.iter().map(AsRef::as_ref)).ok();
        if class.is_some_and(|class| !context.serves(class)) {
            continue;
        }
        let name = NamespacedName {
            namespace: binding.namespace().unwrap_or_default(),
            name: binding.name_any(),
        };
        let fate = fate(&binding, class);
        let part = record::recorded(&binding, system).filter(|_| fate != Fate::Goes);
        if let Some(part) = &part {
            collected.offers.push(Offer {
                binding: name.clone(),
                created: binding
                    .creation_timestamp()
                    .map(|time| time.0)
                    .unwrap_or_default(),
                wanted: None,
                recorded: Some(admitted(part, &name.namespace, context)),
            });
        }
        if fate == Fate::IsLeft {
            collected.retained.insert(name);
        }
        let settled = Settled {
            binding: ObjectRef::from_obj(&*binding),
            part: part.filter(|_| fate == Fate::Stays),
            lost: Vec::new(),
            mute: BTreeSet::new(),
        };
        collected
            .settled
            .insert(binding.uid().unwrap_or_default(), settled);
    }
    collected
}

fn fate(binding: &GatewayBinding, class: Option<&GatewayBindingClass>) -> Fate {
    let detached = is_detached(binding);
    let stays = binding.metadata.deletion_timestamp.is_none()
        || binding.spec.mode() == Mode::Suspend && !detached
        // Whether its rules are to stay is among what cannot be read.
        || unreadable::why(binding).is_some() && !detached;
    let class = class.map(|class| &class.spec);
    match binding.spec.deletion_policy(class) {
        _ if stays => Fate::Stays,
        DeletionPolicy::Retain => Fate::IsLeft,
        _ if detached => Fate::IsLeft,
        DeletionPolicy::Delete => Fate::Goes,
    }
}

/// Whether a binding is to be let go whatever it leaves.
pub fn is_detached(binding: &GatewayBinding) -> bool {
    let detached = binding.annotations().get(keys::DETACH);
    detached.is_some_and(|value| value == "true")
}

/// Rules without the consumers that do not let the binding's namespace name them.
fn admitted(part: &Part, namespace: &str, context: &Context) -> Part {
    let labels = context.stores.namespace_labels(namespace);
    let may = |name: &NamespacedName| {
        let reference = ObjectRef::new(&name.name).within(&name.namespace);
        let found = context.stores.consumers.get(&reference);
        found.is_some_and(|found| lets_in(&found, namespace, &labels))
    };
    let mut part = part.clone();
    for rule in part.rules.values_mut() {
        if let Rule::Key(_, callers) | Rule::Pair(callers) = rule {
            callers.allow.retain(may);
            callers.deny.retain(may);
        }
    }
    part
}

/// The consumers that a rule names.
pub(super) fn callers(rule: &Rule) -> Option<&Callers> {
    match rule {
        Rule::Key(_, callers) | Rule::Pair(callers) => Some(callers),
        _ => None,
    }
}

/// The Higress of a namespace, as the oldest class has it.
pub(super) fn gateway(system: &str, context: &Context) -> Option<HigressGateway> {
    let mut classes: Vec<Arc<GatewayBindingClass>> = context.stores.classes.state();
    classes.retain(|class| context.serves(class));
    classes.sort_by_key(|class| {
        let created = class.creation_timestamp().map(|time| time.0);
        (created, class.name_any())
    });
    let gateways = classes
        .iter()
        .flat_map(|class| class.spec.gateways.iter().flatten());
    let mut found = gateways.filter_map(|gateway| gateway.higress.as_ref());
    found.find(|higress| higress.namespace == system).cloned()
}
