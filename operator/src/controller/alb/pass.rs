//! One pass over one Knative Ingress.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crds::v1alpha1::{AlbGateway, Reason};
use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::children::{self, Found, PLACEMENTS, failed, lead};
use super::facts::{Namespace, source};
use super::hop::{self, Crossing};
use super::instances::{self, Obstacle};
use super::lighten::lighten;
use super::secrets;
use super::serving::gateway_of;
use super::state::name_of;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::core::alb::hop::is_used;
use crate::core::alb::instance::{domain_internal, fleet};
use crate::core::alb::kingress::{FINALIZER, KIngress};
use crate::core::alb::refusal::Refusal;
use crate::core::alb::render::{Identity, Progress, address, is_outstanding, render};
use crate::core::alb::seats::ingress_class;
use crate::core::alb::status::{Address, Standing, Told, status};
use crate::core::alb::translate::{Child, Placement, Translation, translate};

/// How soon something that changed meanwhile is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// One pass over one Knative Ingress.
pub(super) async fn reconcile(stored: Arc<KIngress>, context: Arc<Context>) -> Ended {
    let ingress = context.alb.reported.newest(stored);
    let Some(gateway) = gateway_of(&ingress, &context) else {
        return match hand_over(&ingress, &context).await {
            Ok(ended) => ended,
            Err(trouble) => retry(&trouble),
        };
    };
    if ingress.metadata.deletion_timestamp.is_some() {
        return match let_go(&ingress, &context).await {
            Ok(()) => Ended::Done,
            Err(trouble) => retry(&trouble),
        };
    }
    let pass = Pass {
        ingress: &ingress,
        gateway: &gateway,
        context: &context,
        held: Mutex::default(),
    };
    match pass.serve().await {
        Ok(Some(standing)) => pass.publish(&standing, None).await,
        // Another layer is at work, or what is left of one before has to go first.
        Ok(None) => Ended::Waiting,
        Err(Obstacle::Again) => Ended::Later(AGAIN),
        Err(Obstacle::Refused(refusal)) => {
            let standing = pass.refused(refusal);
            pass.publish(&standing, None).await
        }
        Err(Obstacle::Failed(trouble)) => {
            let problem = &trouble.problem;
            let standing = pass.refused(Refusal::new(problem.reason, problem.message.clone()));
            pass.publish(&standing, Some(&trouble)).await
        }
    }
}

/// Says that a pass over a Knative Ingress panicked.
pub(super) async fn tell_panic(stored: Arc<KIngress>, context: Arc<Context>) {
    let ingress = context.alb.reported.newest(stored);
    if let Some(gateway) = gateway_of(&ingress, &context) {
        let pass = Pass {
            ingress: &ingress,
            gateway: &gateway,
            context: &context,
            held: Mutex::default(),
        };
        let words = "the operator met a defect of its own while it worked on this object. Its log says where: please report it.";
        let standing = pass.refused(Refusal::new(Reason::InternalError, words));
        pass.publish(&standing, None).await;
    }
}

struct Pass<'a> {
    ingress: &'a KIngress,
    gateway: &'a AlbGateway,
    context: &'a Context,
    /// How soon a change that is kept back is to be written.
    held: Mutex<Option<Duration>>,
}

impl Pass<'_> {
    /// Translates, writes what differs, and looks how far it is served. None: it is not for us to say.
    async fn serve(&self) -> Result<Option<Standing>, Obstacle> {
        let class = self.gateway.ingress_class();
        let namespace = self.ingress.namespace().unwrap_or_default();
        let source = source(self.ingress, class, self.context)?;
        let cluster = Namespace {
            name: &namespace,
            ingress_class: class,
            hop: hop::way(self.ingress, self.gateway, self.context),
            context: self.context,
        };
        let translation = translate(&source, self.gateway.visibility(), &cluster)?;
        let crossing = Crossing {
            ingress: self.ingress,
            gateway: self.gateway,
            context: self.context,
        };
        let crosses = is_used(&translation, &cluster.hop);
        if crosses {
            crossing.enter(&source, &cluster).await?;
        } else {
            crossing.follow(&source, &cluster).await?;
        }
        let mut written = Vec::new();
        for child in &translation.children {
            let found = match children::find(self.ingress, child.placement, self.context) {
                Found::Nothing => None,
                Found::Ours(found) => Some(found),
                Found::Leftover | Found::OfAnotherLayer => return Ok(None),
                Found::Foreign(name) => {
                    let words =
                        format!("There is an existing Ingress \"{name}\" that we do not own.");
                    return Err(Refusal::new(Reason::NotOwned, words).into());
                }
            };
            let (made, progress) = self.child(child, found.as_deref()).await?;
            written.push((child.placement, made, progress));
        }
        self.remove_others(&translation).await?;
        let standing = self.standing(&written, translation);
        // ALB may send requests through the hop until it is known to do otherwise.
        if !crosses && standing.told == Told::Served {
            hop::leave(self.ingress, self.context).await?;
        }
        Ok(Some(standing))
    }

    async fn child(
        &self,
        child: &Child,
        found: Option<&Ingress>,
    ) -> Result<(Arc<Ingress>, Progress), Obstacle> {
        let secrets = secrets::ensure(self.ingress, &child.tls, self.context).await?;
        let fleet = fleet(self.gateway, child.placement, &self.context.alb.network());
        let classes: Vec<String> = fleet
            .instances
            .iter()
            .map(|one| ingress_class(one))
            .collect();
        let name = children::name(self.ingress, child.placement);
        let namespace = self.ingress.namespace().unwrap_or_default();
        let place = (namespace.clone(), name.clone());
        let seat =
            self.context
                .alb
                .seats()
                .take(&place, &classes, child.rules.len(), fleet.max_rules);
        let seat = seat.map_err(|full| {
            let words = format!(
                "{full}. Raise alb.maxInstances of the class, or the account's quota and alb.maxRules with it; or use fewer hosts, tags and rules. What was served before stays."
            );
            Refusal::new(Reason::RulesExhausted, words)
        })?;
        let instance = classes
            .iter()
            .zip(&fleet.instances)
            .find(|(class, _)| **class == seat.instance)
            .map_or(seat.instance.as_str(), |(_, instance)| instance.as_str());
        instances::ensure(self.gateway, child.placement, instance, self.context).await?;
        let identity = Identity {
            namespace,
            name,
            owner: self.ingress.name_any(),
            owner_uid: self.ingress.uid().unwrap_or_default(),
            ingress_class: seat.instance,
            order: seat.order,
        };
        let wanted = render(child, identity, &secrets);
        let Some(met) = found.filter(|found| wanted.is_met_by(found)) else {
            if let Some(found) = found.filter(|found| self.is_held(&place, found)) {
                return Ok((Arc::new(found.clone()), Progress::Waiting));
            }
            let made = children::apply(&wanted, found, false, self.context).await?;
            return Ok((made, Progress::Waiting));
        };
        let progress = wanted.progress(met);
        let child = if progress == Progress::Labelled {
            children::apply(&wanted, found, true, self.context).await?
        } else {
            Arc::new(met.clone())
        };
        Ok((child, progress))
    }

    /// Whether a change is kept back until the controller has dealt with the last one.
    fn is_held(&self, place: &(String, String), found: &Ingress) -> bool {
        let hold = self
            .context
            .alb
            .pace()
            .hold(place, is_outstanding(found), Instant::now());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.into_iter().chain(hold).min();
        hold.is_some()
    }

    /// Removes what this Knative Ingress no longer needs.
    async fn remove_others(&self, translation: &Translation) -> Result<(), Obstacle> {
        for placement in PLACEMENTS {
            let mut children = translation.children.iter();
            if children.any(|child| child.placement == placement) {
                continue;
            }
            if let Found::Ours(found) = children::find(self.ingress, placement, self.context)
                && found.metadata.deletion_timestamp.is_none()
            {
                children::delete(&found, self.context).await?;
            }
        }
        Ok(())
    }

    fn standing(
        &self,
        written: &[(Placement, Arc<Ingress>, Progress)],
        translation: Translation,
    ) -> Standing {
        let mut told = Told::Served;
        for (_, child, progress) in written {
            if *progress != Progress::Waiting {
                let uid = child.metadata.uid.as_deref().unwrap_or_default();
                self.context.alb.complaints.forget(uid);
            }
            if *progress != Progress::Served && told == Told::Served {
                told = Told::Waiting(children::complaint(child, self.context));
            }
        }
        Standing {
            told,
            left_out: translation.left_out,
            ..self.addresses(|placement| {
                let mut written = written.iter();
                let found = written.find(|(other, ..)| *other == placement);
                found.map(|(_, child, _)| child.clone())
            })
        }
    }

    fn refused(&self, refusal: Refusal) -> Standing {
        Standing {
            told: Told::Refused(refusal),
            ..self.addresses(|placement| {
                match children::find(self.ingress, placement, self.context) {
                    Found::Ours(found) => Some(found),
                    _ => None,
                }
            })
        }
    }

    fn addresses(&self, find: impl Fn(Placement) -> Option<Arc<Ingress>>) -> Standing {
        let at = |placement| {
            let found = find(placement)?;
            Some(Address {
                domain: address(&found)?.to_owned(),
                internal: self.internal(placement, &found),
            })
        };
        Standing {
            told: Told::Served,
            public: at(Placement::Internet),
            private: at(Placement::Intranet),
            left_out: Vec::new(),
        }
    }

    /// The Service that leads to the load balancer of an Ingress, which is the first of its kind.
    fn internal(&self, placement: Placement, found: &Ingress) -> Option<String> {
        let fleet = fleet(self.gateway, placement, &self.context.alb.network());
        let first = fleet.instances.first().map(|first| ingress_class(first));
        let class = found.spec.as_ref()?.ingress_class_name.as_ref();
        domain_internal(self.gateway, placement).filter(|_| class == first.as_ref())
    }

    /// One write for all of it, and none if nothing has changed.
    async fn publish(&self, standing: &Standing, trouble: Option<&Trouble>) -> Ended {
        let (ingress, context) = (self.ingress, self.context);
        let new = status(ingress, standing, Timestamp::now());
        if new != ingress.status
            && let Err(trouble) = write_status(ingress, &new, context).await
        {
            return retry(&trouble);
        }
        let waits = match &standing.told {
            Told::Served => false,
            Told::Waiting(_) => true,
            Told::Refused(refusal) => refusal.waits(),
        };
        context
            .alb
            .trouble(ingress, matches!(standing.told, Told::Refused(_)));
        match (trouble, waits) {
            (Some(trouble), _) => retry(trouble),
            (None, true) => {
                let held = *self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.map_or(Ended::Waiting, Ended::Later)
            }
            (None, false) if standing.told == Told::Served => Ended::Converged { within: None },
            (None, false) => Ended::Stuck,
        }
    }
}

async fn write_status(
    ingress: &KIngress,
    new: &serde_json::Value,
    context: &Context,
) -> Result<(), Trouble> {
    lead(context)?;
    let patch = Patch::Merge(json!({"metadata": {"uid": ingress.uid()}, "status": new}));
    let params = PatchParams {
        field_manager: Some(crds::keys::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let name = ingress.name_any();
    match api(ingress, context)
        .patch_status(&name, &params, &patch)
        .await
    {
        Ok(mut written) => {
            lighten(&mut written);
            context.alb.reported.wrote(written);
            Ok(())
        }
        // It is gone, and what was made for it goes with it.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(failed(&format!("status of Knative Ingress {name}"), &error)),
    }
}

/// Another layer serves it, or is to. What we made stays until that one has an address of its own.
async fn hand_over(ingress: &KIngress, context: &Context) -> Result<Ended, Trouble> {
    let mut waits = false;
    for placement in PLACEMENTS {
        let Found::Ours(found) = children::find(ingress, placement, context) else {
            continue;
        };
        if found.metadata.deletion_timestamp.is_some() {
            continue;
        }
        if is_taken_over(ingress, &found) {
            children::delete(&found, context).await?;
        } else {
            waits = true;
        }
    }
    // Kourier does not serve a host for two Knative Ingresses.
    let companion = hop::companion(ingress, context);
    let in_its_way = companion.is_some_and(|companion| companion.class() == ingress.class());
    if !waits || in_its_way {
        hop::leave(ingress, context).await?;
    }
    context.alb.trouble(ingress, false);
    Ok(if waits { Ended::Waiting } else { Ended::Done })
}

/// Whether the addresses in status are no longer ours.
fn is_taken_over(ingress: &KIngress, child: &Ingress) -> bool {
    let Some(address) = address(child) else {
        return true;
    };
    let lists = ["publicLoadBalancer", "privateLoadBalancer"];
    let mut lists = lists.iter().map(|list| &ingress.status[list]["ingress"]);
    lists.all(|list| {
        let entries = list.as_array().into_iter().flatten();
        entries.clone().count() > 0 && entries.into_iter().all(|entry| entry["domain"] != address)
    })
}

/// What was made goes with its owner. A finalizer that another layer left would keep it for ever, since
/// only the layer of the class takes it off.
async fn let_go(ingress: &KIngress, context: &Context) -> Result<(), Trouble> {
    for placement in PLACEMENTS {
        let name = children::name(ingress, placement);
        let namespace = ingress.namespace().unwrap_or_default();
        if context.alb.ingress(&namespace, &name).is_none() {
            context.alb.gone(&(namespace, name));
        }
    }
    context.alb.trouble(ingress, false);
    let others: Vec<&String> = ingress
        .finalizers()
        .iter()
        .filter(|finalizer| *finalizer != FINALIZER)
        .collect();
    if others.len() == ingress.finalizers().len() {
        return Ok(());
    }
    lead(context)?;
    let (_, name) = name_of(ingress);
    let patch = Patch::Merge(json!({"metadata": {
        "finalizers": others,
        "resourceVersion": ingress.resource_version(),
    }}));
    let patched = api(ingress, context)
        .patch(&name, &PatchParams::default(), &patch)
        .await;
    match patched {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(failed(
            &format!("finalizer of Knative Ingress {name}"),
            &error,
        )),
    }
}

fn api(ingress: &KIngress, context: &Context) -> Api<KIngress> {
    let namespace = ingress.namespace().unwrap_or_default();
    Api::namespaced(context.runtime.client.clone(), &namespace)
}

fn retry(trouble: &Trouble) -> Ended {
    tracing::warn!(reason = %trouble.problem.reason, message = trouble.problem.message, "will be tried again");
    Ended::Retry {
        after: trouble.retry_after,
        outage: trouble.problem.is_outage(),
    }
}
