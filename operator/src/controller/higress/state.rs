//! What is known of each Higress: the Knative Ingresses that it serves, and what of the bindings' rules
//! is in force there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crds::v1alpha1::{GatewayBinding, NamespacedName};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use tokio::sync::watch;

use super::wakes::Wakes;
use crate::controller::queue::{Asker, queue};
use crate::core::alb::kingress::KIngress;
use crate::core::higress::merge::Lost;
use crate::core::higress::rule::Part;
use crate::core::problem::Problem;

/// Stores, and what was written. Empty as long as no class has Higress.
pub struct State {
    /// Asks for passes.
    pub wakes: Wakes,
    bindings: Asker<GatewayBinding>,
    /// Every Knative Ingress.
    pub kingresses: Store<KIngress>,
    writer: Mutex<Option<Writer<KIngress>>>,
    listed: watch::Sender<bool>,
    outcomes: Mutex<HashMap<String, Outcome>>,
}

/// What the last pass over one Higress came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What is in force of each binding, by UID.
    pub settled: BTreeMap<String, Settled>,
    /// The consumers that rules name.
    pub consumers: BTreeSet<NamespacedName>,
    /// What stands in the way of all rules.
    pub problem: Option<Problem>,
}

/// What is in force of one binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// What the watch calls it.
    pub binding: ObjectRef<GatewayBinding>,
    /// What of it was taken into account: none of it if it is on its way out.
    pub part: Option<Part>,
    /// What older bindings have instead.
    pub lost: Vec<Lost>,
    /// Consumers that it lets in and that have no credential that its plugin knows.
    pub mute: BTreeSet<NamespacedName>,
}

/// How far the rules of one binding are.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What the last pass that ended well knew of it.
    pub settled: Option<Settled>,
    /// What stands in the way of all.
    pub problem: Option<Problem>,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Wakes::default(), queue().0)
    }
}

impl State {
    /// Empty, with those who ask, and the queue of bindings.
    pub fn new(wakes: Wakes, bindings: Asker<GatewayBinding>) -> Self {
        let (kingresses, writer) = reflector::store();
        Self {
            wakes,
            bindings,
            kingresses,
            writer: Mutex::new(Some(writer)),
            listed: watch::Sender::new(false),
            outcomes: Mutex::default(),
        }
    }

    /// The writing end of the store; the first who asks gets it.
    pub fn writer(&self) -> Option<Writer<KIngress>> {
        lock(&self.writer).take()
    }

    /// The store holds its whole list, or the cluster has no such kind.
    pub fn listed(&self) {
        self.listed.send_replace(true);
    }

    /// Whether it does.
    pub fn is_listed(&self) -> bool {
        *self.listed.borrow()
    }

    /// How far the rules of a binding are; none: no pass has ended since the start of this process.
    pub fn standing(&self, system: &str, uid: &str) -> Option<Standing> {
        let outcomes = lock(&self.outcomes);
        let outcome = outcomes.get(system)?;
        Some(Standing {
            settled: outcome.settled.get(uid).cloned(),
            problem: outcome.problem.clone(),
        })
    }

    /// A pass has ended; returns the bindings for which something is new.
    pub fn settle(&self, system: &str, outcome: Outcome) -> Vec<ObjectRef<GatewayBinding>> {
        let mut outcomes = lock(&self.outcomes);
        let before = outcomes.insert(system.to_owned(), outcome.clone());
        let alike = before
            .as_ref()
            .is_some_and(|before| before.problem == outcome.problem);
        let is_news = |uid: &String, settled: &Settled| {
            let known = before.as_ref().and_then(|before| before.settled.get(uid));
            !alike || known != Some(settled)
        };
        let settled = outcome.settled.iter();
        settled
            .filter(|(uid, settled)| is_news(uid, settled))
            .map(|(_, settled)| settled.binding.clone())
            .collect()
    }

    /// A pass has failed. What was in force still is; returns whether there was no such problem before.
    pub fn fail(&self, system: &str, problem: Problem) -> bool {
        let mut outcomes = lock(&self.outcomes);
        let outcome = outcomes.entry(system.to_owned()).or_default();
        let before = outcome.problem.replace(problem);
        before != outcome.problem
    }

    /// Has a binding looked at.
    pub fn tell(&self, binding: ObjectRef<GatewayBinding>) {
        self.bindings.edited(binding);
    }

    /// The queue of bindings.
    pub fn bindings(&self) -> Asker<GatewayBinding> {
        self.bindings.clone()
    }

    /// A consumer, or a Secret of it, has changed.
    pub fn consumer(&self, consumer: &NamespacedName) {
        let using: Vec<String> = {
            let outcomes = lock(&self.outcomes);
            let using = outcomes
                .iter()
                .filter(|(_, outcome)| outcome.consumers.contains(consumer));
            using.map(|(system, _)| system.clone()).collect()
        };
        for system in using {
            self.wakes.ask(&system);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
