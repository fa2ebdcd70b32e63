//! Places on load balancers that are kept by placeholders: Ingresses of the operator, in its own
//! namespace.
//!
//! Two Ingresses of one AlbConfig with the same `order` keep the ALB Ingress controller from writing
//! anything. So who takes over a place is written before the other one is removed: the controller sees
//! either of them there, or waits for the moment in which both are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crds::keys;
use crds::v1alpha1::AlbGateway;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;

use super::children::{self, PLACEMENTS, failed, lead};
use super::serving::{gateways, gateways_elsewhere};
use super::state::name_of;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::instance::fleet;
use crate::core::alb::placeholder::{body, holding, is_placeholder, name};
use crate::core::alb::seats::{Chore, Name, Seat, ingress_class};

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// An Ingress is about to be written for another place: the one that it has is kept, if need be.
pub(super) async fn keep(found: &Ingress, context: &Context) -> Result<(), Trouble> {
    let Some((instance, order)) = place(found) else {
        return Ok(());
    };
    let chore = context.alb.seats().keeping(&instance, order);
    match chore {
        Some(chore) => carry_out(&chore, context).await,
        None => Ok(()),
    }
}

/// Deletes an Ingress of ours, and keeps its place, if need be.
pub(super) async fn leave(found: &Ingress, context: &Context) -> Result<(), Trouble> {
    if let Some((instance, order)) = place(found) {
        let name = name_of(found);
        let chore = context.alb.seats().leaves(&name, &instance, order);
        if let Some(chore) = chore {
            carry_out(&chore, context).await?;
        }
    }
    children::delete(found, context).await?;
    context.alb.untidy.notify_one();
    Ok(())
}

/// An Ingress is at its place as it is to be: a placeholder there has had its time.
pub(super) async fn took(ingress: &Name, seat: &Seat, context: &Context) -> Result<(), Trouble> {
    context.alb.seats().wrote(ingress, seat);
    release(&seat.instance, seat.order, context).await
}

/// Removes the placeholder at a place, if there is one.
pub(super) async fn release(instance: &str, order: u16, context: &Context) -> Result<(), Trouble> {
    let namespace = context.alb.seats().placeholder(instance, order);
    let Some(namespace) = namespace else {
        return Ok(());
    };
    let chore = Chore::Drop {
        namespace,
        instance: instance.to_owned(),
        order,
    };
    carry_out(&chore, context).await
}

fn place(found: &Ingress) -> Option<(String, u16)> {
    let holding = holding(found)?;
    Some((holding.instance, holding.order?))
}

async fn carry_out(chore: &Chore, context: &Context) -> Result<(), Trouble> {
    lead(context)?;
    let client = &context.runtime.client;
    let metrics = &context.runtime.metrics;
    match chore {
        Chore::Write {
            namespace,
            instance,
            order,
            extent,
        } => {
            let namespace = namespace
                .as_ref()
                .unwrap_or(&context.runtime.args.namespace);
            let name = name(instance, *order);
            let api: Api<Ingress> = Api::namespaced(client.clone(), namespace);
            let params = PatchParams::apply(keys::FIELD_MANAGER).force();
            let shard = &context.runtime.args.shard;
            let wanted = Patch::Apply(body(namespace, shard, instance, *order, *extent));
            let written = api.patch(&name, &params, &wanted).await;
            written.map_err(|error| failed(&format!("Ingress {namespace}/{name}"), &error))?;
            context
                .alb
                .seats()
                .holds(namespace, instance, *order, *extent);
            metrics.plan_step("Create", "Ingress");
        }
        Chore::Drop {
            namespace,
            instance,
            order,
        } => {
            let name = name(instance, *order);
            let place = ObjectRef::<Ingress>::new(&name).within(namespace);
            // One that somebody else made under this name is left alone.
            let found = context.alb.ingresses.get(&place);
            if found.is_none_or(|found| is_placeholder(&found)) {
                let api: Api<Ingress> = Api::namespaced(client.clone(), namespace);
                match api.delete(&name, &DeleteParams::default()).await {
                    Ok(_) => metrics.plan_step("Delete", "Ingress"),
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    Err(error) => {
                        return Err(failed(&format!("Ingress {namespace}/{name}"), &error));
                    }
                }
            }
            context.alb.seats().released(instance, *order);
        }
    }
    Ok(())
}

/// Whose Ingresses have to be looked at.
pub(super) enum Asked {
    /// All.
    All,
    /// This one.
    One(Arc<Ingress>),
}

/// Looks after the places that are kept, for ever; `ask` has Knative Ingresses looked at.
pub(super) async fn look_after(context: &Context, ask: impl Fn(Asked)) {
    loop {
        if context.alb.seats().were_squeezed() {
            ask(Asked::All);
        }
        if let Err(trouble) = tidy(context).await {
            tracing::warn!(
                message = trouble.problem.message,
                "places are looked after again"
            );
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        let overfilled = context.alb.seats().overfilled();
        for (namespace, name) in overfilled {
            if let Some(found) = context.alb.ingress(&namespace, &name) {
                ask(Asked::One(found));
            }
        }
        context.alb.untidy.notified().await;
    }
}

async fn tidy(context: &Context) -> Result<(), Trouble> {
    loop {
        let served = on(&gateways(context), context);
        let elsewhere = on(&gateways_elsewhere(context), context);
        let chores = context.alb.seats().chores(&served);
        // What another shard looks after now is kept, or not, by that one.
        let mut ours = chores.into_iter().filter(|chore| {
            let instance = chore.instance();
            served.contains(instance) || !elsewhere.contains(instance)
        });
        let Some(chore) = ours.next() else {
            return Ok(());
        };
        carry_out(&chore, context).await?;
        // Who took the place meanwhile may have looked before the placeholder was there.
        if let Chore::Write {
            instance, order, ..
        } = &chore
            && !context.alb.seats().is_vacant(instance, *order)
        {
            release(instance, *order, context).await?;
        }
    }
}

/// The IngressClasses of gateways.
fn on(gateways: &[AlbGateway], context: &Context) -> BTreeSet<String> {
    let network = context.alb.network();
    let fleets = gateways
        .iter()
        .flat_map(|gateway| PLACEMENTS.map(|placement| fleet(gateway, placement, &network)));
    let instances = fleets.flat_map(|fleet| fleet.instances);
    instances.map(|instance| ingress_class(&instance)).collect()
}
