//! One pass over one Knative Ingress.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crds::v1alpha1::{AlbGateway, Reason};
use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::children::{self, Found, PLACEMENTS, failed, lead};
use super::endpoints;
use super::facts::{Namespace, source};
use super::hop::{self, Crossing};
use super::instances::{self, Obstacle};
use super::leave::{hand_over, hold, let_go};
use super::lighten::lighten;
use super::serving::{gateway_of, is_of_another_shard};
use super::{places, secrets};
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::core::alb::hop::is_used;
use crate::core::alb::instance::{domain_internal, fleet};
use crate::core::alb::kingress::KIngress;
use crate::core::alb::reach::{first_named, without_endpoints};
use crate::core::alb::refusal::Refusal;
use crate::core::alb::render::{Identity, Progress, address, is_outstanding, render};
use crate::core::alb::seats::{Extent, Full, Seat, ingress_class};
use crate::core::alb::status::{Address, Standing, Told, status};
use crate::core::alb::translate::{Child, Placement, Translation, translate};
use crate::events::{Happening, Severity};

/// How soon something that changed meanwhile is looked at again.
const AGAIN: Duration = Duration::from_millis(200);

/// One pass over one Knative Ingress.
pub(super) async fn reconcile(stored: Arc<KIngress>, context: Arc<Context>) -> Ended {
    let ingress = context.alb.reported.newest(stored);
    let Some(gateway) = gateway_of(&ingress, &context) else {
        if is_of_another_shard(&ingress, &context) {
            return Ended::Done;
        }
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
        again: Mutex::default(),
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
            again: Mutex::default(),
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
    /// How soon what waits is to be looked at again: a change that is kept back, or what nobody watches.
    again: Mutex<Option<Duration>>,
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
        let mut there = Vec::new();
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
            there.push((child, found));
        }
        self.reach(&there).await?;
        hold(self.ingress, self.context).await?;
        let mut written = Vec::new();
        for (child, found) in there {
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

    /// Nothing is written before all Services that are new to ALB have Endpoints. They are read one by one,
    /// and not any more once an Ingress leads there: a watch would tell of every change of a pod.
    async fn reach(&self, there: &[(&Child, Option<Arc<Ingress>>)]) -> Result<(), Obstacle> {
        let there = there
            .iter()
            .map(|(child, found)| (*child, found.as_deref()));
        for (service, at) in first_named(there) {
            if !endpoints::are_there(self.ingress, service, self.context).await? {
                let waited = self.context.alb.troubled_for(self.ingress);
                self.look_again(endpoints::pause(waited));
                return Err(without_endpoints(service, &at).into());
            }
        }
        Ok(())
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
        let hold = found.and_then(|found| self.hold(&place, found));
        let need = Extent {
            rules: child.rules.len(),
            secured: !child.tls.is_empty(),
        };
        let seat = {
            let mut seats = self.context.alb.seats();
            // What is kept back takes no place yet.
            match hold {
                Some(_) => seats.would_take(&place, &classes, need, fleet.max_rules),
                None => seats.take(&place, &classes, need, fleet.max_rules),
            }
        };
        let seat = seat.map_err(|full| exhausted(&full))?;
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
            ingress_class: seat.instance.clone(),
            order: seat.order,
            room: seat.extent.rules,
        };
        let wanted = render(child, identity, &secrets);
        let Some(met) = found.filter(|found| wanted.is_met_by(found)) else {
            if let (Some(hold), Some(found)) = (hold, found) {
                self.look_again(hold);
                return Ok((Arc::new(found.clone()), Progress::Waiting));
            }
            self.make_way(found, &seat).await?;
            let made = children::apply(&wanted, found, false, self.context).await?;
            places::took(&place, &seat, self.context).await?;
            return Ok((made, Progress::Waiting));
        };
        places::took(&place, &seat, self.context).await?;
        let progress = wanted.progress(met);
        let child = if progress == Progress::Labelled {
            children::apply(&wanted, found, true, self.context).await?
        } else {
            Arc::new(met.clone())
        };
        Ok((child, progress))
    }

    /// What has to be so before an Ingress is written for its place.
    async fn make_way(&self, found: Option<&Ingress>, seat: &Seat) -> Result<(), Obstacle> {
        for order in &seat.reclaimed {
            places::release(&seat.instance, *order, self.context).await?;
        }
        if let Some(found) = found {
            places::keep(found, self.context).await?;
        }
        if seat.shifts {
            let happening = Happening {
                severity: Severity::Warning,
                reason: "PlacesReclaimed".to_owned(),
                action: "Reclaim".to_owned(),
                note: format!(
                    "The load balancer of IngressClass \"{}\" has no room for more forwarding rules, so places that were kept for others are given up: rules of other Ingresses get new numbers once. Raise the account's quota and alb.maxRules, or alb.maxInstances of the class, if that is not wanted.",
                    seat.instance
                ),
            };
            let events = &self.context.runtime.events;
            events.publish(&self.ingress.object_ref(&()), happening);
        }
        self.context.alb.untidy.notify_one();
        Ok(())
    }

    /// How long a change is kept back, until the controller has dealt with the last one.
    fn hold(&self, place: &(String, String), found: &Ingress) -> Option<Duration> {
        let pace = self.context.alb.pace();
        pace.hold(place, is_outstanding(found), Instant::now())
    }

    fn look_again(&self, within: Duration) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        *again = again.iter().copied().chain([within]).min();
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
                places::leave(&found, self.context).await?;
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
                let again = *self.again.lock().unwrap_or_else(PoisonError::into_inner);
                again.map_or(Ended::Waiting, Ended::Later)
            }
            (None, false) if standing.told == Told::Served => Ended::Converged { within: None },
            (None, false) => Ended::Stuck,
        }
    }
}

fn exhausted(full: &Full) -> Refusal {
    let words = format!(
        "{full}. Raise alb.maxInstances of the class, or the account's quota and alb.maxRules with it; or use fewer hosts, tags and rules. What was served before stays."
    );
    Refusal::new(Reason::RulesExhausted, words)
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

pub(super) fn api(ingress: &KIngress, context: &Context) -> Api<KIngress> {
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
