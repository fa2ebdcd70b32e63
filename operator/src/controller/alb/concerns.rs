//! Whom what the watches see concerns.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, ServiceKind};
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::complaints::Heard;
use super::serving::gateways;
use super::signals::Signal;
use super::state::{State, name_of};
use super::users::ingress_classes;
use crate::controller::context::Context;
use crate::controller::queue::Asker;
use crate::controller::stores::{Seen, fingerprint};
use crate::controller::writes::is_held;
use crate::core::alb::hop::is_companion;
use crate::core::alb::kingress::{KIngress, LABEL};
use crate::core::alb::placeholder::is_placeholder;
use crate::core::alb::render::label_value;
use crate::core::alb::stand_ins::StandIns;

/// The lists that a pass needs.
const AWAITED: [&str; 7] = [
    "KnativeIngresses",
    "Ingresses",
    "Events",
    "ServerlessServices",
    "EndpointSlices",
    "Endpoints",
    "config-network",
];

/// What of this controller has begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun {
    pub active: bool,
    listed: BTreeSet<&'static str>,
}

impl Begun {
    /// Whether all that a pass needs is known.
    pub(super) fn is_all(&self) -> bool {
        AWAITED.iter().all(|kind| self.listed.contains(kind))
    }
}

/// Who is asked for when something was seen. Clones share it.
#[derive(Clone)]
pub(super) struct Concerns {
    pub context: Arc<Context>,
    asker: Asker<KIngress>,
    bindings: Asker<GatewayBinding>,
    classes: Asker<GatewayBindingClass>,
    begin: Arc<watch::Sender<Begun>>,
    seen: Arc<Mutex<HashMap<String, u64>>>,
    stand_ins: Arc<Mutex<StandIns>>,
}

impl Concerns {
    /// Knows nothing yet. The askers are those of bindings and of classes.
    pub(super) fn new(
        context: &Arc<Context>,
        asker: Asker<KIngress>,
        (bindings, classes): (Asker<GatewayBinding>, Asker<GatewayBindingClass>),
        begin: watch::Sender<Begun>,
    ) -> Self {
        Self {
            context: context.clone(),
            asker,
            bindings,
            classes,
            begin: Arc::new(begin),
            seen: Arc::default(),
            stand_ins: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.context.alb
    }

    /// Listens to what the other watches tell.
    pub(super) async fn heed(&self, mut signals: UnboundedReceiver<Signal>) {
        self.context.stores.ready().await;
        while let Some(signal) = signals.recv().await {
            match signal {
                Signal::Classes => {
                    if !gateways(&self.context).is_empty() {
                        self.begin
                            .send_if_modified(|begun| !std::mem::replace(&mut begun.active, true));
                    }
                    self.ask_where(|_| true);
                    self.state().untidy.notify_one();
                }
                Signal::Binding { namespace, service } => self.ask_where(|ingress| {
                    ingress.namespace().as_deref() == Some(&namespace) && serves(ingress, &service)
                }),
                // Those that had none may have a load balancer now.
                Signal::Vswitches => self.ask_where(|ingress| !ingress.is_ready()),
                Signal::Service { namespace } => {
                    for (namespace, name) in self.state().troubled_in(&namespace) {
                        self.asker.edited(ObjectRef::new(&name).within(&namespace));
                    }
                }
            }
        }
    }

    fn listed(&self, kind: &'static str) {
        self.begin.send_modify(|begun| {
            begun.listed.insert(kind);
        });
    }

    pub(super) fn kingress(&self, seen: &Seen<'_, KIngress>) {
        match seen {
            Seen::NoSuchKind => {
                self.state().listed();
                self.ask_classes();
            }
            Seen::Listed => {
                self.state().reported.clear();
                *self.stand_ins() = StandIns::default();
                for ingress in self.state().kingresses.state() {
                    if is_companion(&ingress) {
                        continue;
                    }
                    self.note(&ingress);
                    self.stand_ins().seen(&ingress);
                    // What is as it was before is looked at when nobody waits for anything else.
                    let reference = ObjectRef::from_obj(&*ingress);
                    if ingress.is_ready() {
                        self.asker.check(reference);
                    } else {
                        self.asker.edited(reference);
                    }
                }
                self.state().listed();
                self.ask_classes();
                self.listed("KnativeIngresses");
            }
            Seen::Changed(companion) | Seen::Gone(companion) if is_companion(companion) => {
                self.state().reported.caught_up(companion);
                if matches!(seen, Seen::Gone(_)) {
                    let uid = companion.uid().unwrap_or_default();
                    self.state().reported.forget(&uid);
                }
                self.side(*companion);
            }
            Seen::Changed(ingress) => {
                self.state().reported.caught_up(ingress);
                if self.note(ingress) {
                    self.stand_ins().seen(ingress);
                    self.asker.edited(ObjectRef::from_obj(*ingress));
                    self.mapped(ingress);
                    self.ask_classes();
                } else if self.is_left_to_others(ingress) {
                    self.asker.edited(ObjectRef::from_obj(*ingress));
                }
                self.ask_bindings(ingress);
            }
            Seen::Gone(ingress) => {
                self.forget(*ingress);
                self.state()
                    .reported
                    .forget(&ingress.uid().unwrap_or_default());
                self.stand_ins().gone(ingress);
                self.state().trouble(ingress, false);
                self.mapped(ingress);
                self.ask_bindings(ingress);
                self.ask_classes();
            }
        }
    }

    /// Classes that whom they serve makes a difference to: those not held yet, and those on their way out.
    fn ask_classes(&self) {
        for class in self.context.stores.classes.state() {
            let going = class.metadata.deletion_timestamp.is_some();
            if (going || !is_held(&*class)) && ingress_classes(&class).next().is_some() {
                self.classes.edited(ObjectRef::from_obj(&*class));
            }
        }
    }

    /// Whether something of a Knative Ingress is new that is not its status.
    fn note(&self, ingress: &KIngress) -> bool {
        let uid = ingress.uid().unwrap_or_default();
        let fingerprint = fingerprint(ingress);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(uid, fingerprint) != Some(fingerprint)
    }

    /// Forgets what was noted of an object that is gone.
    fn forget(&self, object: &impl ResourceExt) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&object.uid().unwrap_or_default());
    }

    /// Whether another layer is to serve it, whose status tells when ours may go.
    fn is_left_to_others(&self, ingress: &KIngress) -> bool {
        let class = ingress.class();
        let gateways = gateways(&self.context);
        !gateways
            .iter()
            .any(|gateway| Some(gateway.ingress_class()) == class)
    }

    /// Asks for those that may stand for a host of this one.
    fn mapped(&self, ingress: &KIngress) {
        for (namespace, name) in self.stand_ins().beside(ingress) {
            self.asker.edited(ObjectRef::new(&name).within(&namespace));
        }
    }

    fn stand_ins(&self) -> MutexGuard<'_, StandIns> {
        self.stand_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_bindings(&self, ingress: &KIngress) {
        let namespace = ingress.namespace();
        for binding in self.context.stores.bindings.state() {
            let reference = &binding.spec.service_ref;
            if binding.namespace() == namespace
                && reference.kind == ServiceKind::KnativeService
                && serves(ingress, &reference.name)
            {
                self.bindings.edited(ObjectRef::from_obj(&*binding));
            }
        }
    }

    pub(super) fn ingress(&self, seen: &Seen<'_, Ingress>) {
        match seen {
            Seen::NoSuchKind => {}
            Seen::Listed => {
                self.state().written.clear();
                for ingress in self.state().ingresses.state() {
                    self.state().seat(&ingress);
                }
                self.listed("Ingresses");
            }
            Seen::Changed(ingress) => {
                self.state().seat(ingress);
                // The pass that wrote this very version knows it.
                if !self.state().written.caught_up(ingress) {
                    self.owner(ingress);
                }
            }
            Seen::Gone(ingress) if is_placeholder(ingress) => {
                self.state().released(ingress);
            }
            Seen::Gone(ingress) => {
                let uid = ingress.uid().unwrap_or_default();
                self.state().gone(&name_of(*ingress));
                self.state().written.forget(&uid);
                self.state().complaints.forget(&uid);
                self.owner(ingress);
            }
        }
    }

    pub(super) fn complaint(&self, heard: Heard) {
        match heard {
            Heard::All => self.listed("Events"),
            Heard::About(reference) => {
                if let Some(ingress) = self.state().ingresses.get(&reference) {
                    self.owner(&ingress);
                }
            }
        }
    }

    /// Something beside a Knative Ingress that bears its name in a label.
    fn side(&self, object: &impl ResourceExt) {
        let (Some(label), Some(namespace)) = (object.labels().get(LABEL), object.namespace())
        else {
            return;
        };
        self.ask_where(|ingress| {
            ingress.namespace().as_ref() == Some(&namespace)
                && label_value(&ingress.name_any()) == *label
        });
    }

    /// The gateways in the cluster that splits may go through.
    pub(super) fn gateway(&self, seen: &Seen<'_, EndpointSlice>) {
        match seen {
            Seen::NoSuchKind => self.listed("EndpointSlices"),
            Seen::Listed => {
                self.listed("EndpointSlices");
                self.ask_where(|_| true);
            }
            Seen::Changed(_) | Seen::Gone(_) => self.ask_where(|_| true),
        }
    }

    pub(super) fn endpoints(&self, seen: &Seen<'_, Endpoints>) {
        match seen {
            Seen::NoSuchKind => self.listed("Endpoints"),
            Seen::Listed => {
                self.listed("Endpoints");
                for endpoints in self.state().endpoints.state() {
                    self.side(&*endpoints);
                }
            }
            Seen::Changed(endpoints) | Seen::Gone(endpoints) => self.side(*endpoints),
        }
    }

    pub(super) fn owner(&self, child: &Ingress) {
        let label = child.labels().get(LABEL);
        let owner = child
            .owner_references()
            .iter()
            .find(|owner| label == Some(&label_value(&owner.name)));
        if let (Some(owner), Some(namespace)) = (owner, child.namespace()) {
            self.asker
                .edited(ObjectRef::new(&owner.name).within(&namespace));
        }
    }

    pub(super) fn scaling(&self, seen: &Seen<'_, DynamicObject>) {
        match seen {
            Seen::NoSuchKind | Seen::Listed => self.listed("ServerlessServices"),
            Seen::Changed(scaling) | Seen::Gone(scaling) => {
                let (namespace, name) = name_of(*scaling);
                let is_gone = matches!(seen, Seen::Gone(_));
                if is_gone {
                    self.forget(*scaling);
                }
                if is_gone || self.note_scaling(scaling) {
                    self.ask_where(|ingress| {
                        ingress.metadata.namespace.as_ref() == Some(&namespace)
                            && ingress.names(&name)
                    });
                }
                for (namespace, name) in self.state().troubled_in(&namespace) {
                    self.asker.edited(ObjectRef::new(&name).within(&namespace));
                }
            }
        }
    }

    /// Whether what counts of it is new: its annotations, not its ups and downs.
    fn note_scaling(&self, scaling: &DynamicObject) -> bool {
        let uid = scaling.uid().unwrap_or_default();
        let mut quiet = scaling.clone();
        quiet.metadata.generation = None;
        let fingerprint = fingerprint(&quiet);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(uid, fingerprint) != Some(fingerprint)
    }

    pub(super) fn network(&self, seen: &Seen<'_, ConfigMap>) {
        match seen {
            Seen::NoSuchKind => self.listed("config-network"),
            Seen::Listed => {
                self.listed("config-network");
                self.ask_where(|_| true);
            }
            Seen::Changed(_) | Seen::Gone(_) => self.ask_where(|_| true),
        }
    }

    pub(super) fn ask_where(&self, concerned: impl Fn(&KIngress) -> bool) {
        for ingress in self.state().kingresses.state() {
            if !is_companion(&ingress) && concerned(&ingress) {
                self.asker.edited(ObjectRef::from_obj(&*ingress));
            }
        }
    }
}

/// Whether a Knative Ingress is that of a Knative Service.
fn serves(ingress: &KIngress, service: &str) -> bool {
    let label = ingress.labels().get("serving.knative.dev/service");
    label.map_or_else(|| ingress.name_any() == service, |label| label == service)
}
