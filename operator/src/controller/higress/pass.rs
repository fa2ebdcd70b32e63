//! One pass over one Higress: from what all bindings bring to its plugins' objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::v1alpha1::{ConditionType, HigressGateway, NamespacedName, Reason};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use super::collect::{Collected, callers, collect, gateway};
use super::credentials;
use super::objects::Objects;
use super::state::{Outcome, Settled};
use super::wakes::System;
use crate::controller::binding::retry;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::controller::queue::Ended;
use crate::core::higress::check::{Facts, lacks};
use crate::core::higress::merge::{Merged, Placed, merge};
use crate::core::higress::render::{Credential, Known, MOST_BYTES, objects};
use crate::core::higress::rule::Rule;
use crate::core::higress::writes::{Write, writes};
use crate::core::names::short_hash;
use crate::core::problem::Problem;
use crate::core::validate::owner;

/// One pass over one Higress.
pub(super) async fn reconcile(namespace: Arc<System>, context: Arc<Context>) -> Ended {
    let system = namespace.name_any();
    let state = &context.higress;
    if let Some(left) = state.wakes.burst(&system, Instant::now()) {
        return Ended::Later(left);
    }
    let collected = collect(&system, &context);
    let concerned: Vec<_> = collected
        .settled
        .values()
        .map(|one| one.binding.clone())
        .collect();
    let pass = Pass {
        system: &system,
        objects: Objects::new(&system, &context),
        context: &context,
    };
    let (news, ended) = match pass.write(collected).await {
        Ok((outcome, within)) => {
            let waits = outcome.problem.is_some();
            let ended = if waits {
                Ended::Waiting
            } else {
                Ended::Converged { within }
            };
            (state.settle(&system, outcome), ended)
        }
        Err(trouble) => {
            let is_news = state.fail(&system, trouble.problem.clone());
            let news = if is_news { concerned } else { Vec::new() };
            (news, retry(&trouble))
        }
    };
    for binding in news {
        state.tell(binding);
    }
    ended
}

/// Nothing is told: what stands in the way of one Higress is told by the bindings.
pub(super) async fn tell_panic(namespace: Arc<System>, context: Arc<Context>) {
    let system = namespace.name_any();
    context.higress.fail(&system, Problem::defect());
    for settled in collect(&system, &context).settled.into_values() {
        context.higress.tell(settled.binding);
    }
}

struct Pass<'a> {
    system: &'a str,
    objects: Objects<'a>,
    context: &'a Context,
}

impl Pass<'_> {
    /// Writes what differs; returns what is in force now, and when to look again.
    async fn write(&self, collected: Collected) -> Result<(Outcome, Option<Duration>), Trouble> {
        let gateway = gateway(self.system, self.context);
        let Some(there) = self.objects.list().await? else {
            return Ok((self.without_definition(collected, gateway.as_ref()), None));
        };
        let Some(gateway) = gateway else {
            if !collected.offers.is_empty() {
                return Err(self.unknown());
            }
            for object in there.values() {
                self.objects.delete(object).await?;
            }
            let settled = collected.settled;
            return Ok((
                Outcome {
                    settled,
                    ..Outcome::default()
                },
                None,
            ));
        };
        let merged = merge(&collected.offers);
        let consumers = consumers(&merged);
        let (known, next_end) = credentials::known(&consumers, self.context).await?;
        let (left, shared): (Vec<_>, Vec<_>) = merged
            .rules
            .iter()
            .cloned()
            .partition(|placed| collected.retained.contains(&placed.holder));
        for placed in left {
            self.leave(placed.holder.clone(), vec![placed], &known, &gateway)
                .await?;
        }
        let shared = Merged {
            rules: shared,
            ..Merged::default()
        };
        self.bring(&shared, &known, &gateway, &there).await?;
        let outcome = Outcome {
            settled: settled(collected, merged, &known),
            consumers,
            problem: lack(&gateway, true, self.context),
        };
        let within = next_end.map(|end| {
            let until = Duration::try_from(end.duration_since(Timestamp::now()));
            until.unwrap_or_default()
        });
        Ok((outcome, within))
    }

    /// Brings the objects to what the rules are, in an order in which each is in force at every moment.
    async fn bring(
        &self,
        merged: &Merged,
        known: &Known,
        gateway: &HigressGateway,
        there: &BTreeMap<String, DynamicObject>,
    ) -> Result<(), Trouble> {
        let wanted = objects(merged, known, gateway, MOST_BYTES).into_iter();
        let wanted: Vec<_> = wanted.map(|object| self.objects.named(object)).collect();
        let specs: BTreeMap<String, Value> = there
            .iter()
            .map(|(name, object)| (name.clone(), object.data["spec"].clone()))
            .collect();
        for write in writes(&wanted, &specs) {
            match write {
                Write::Apply(object) => {
                    self.objects.apply(&object, there.get(&object.name)).await?;
                }
                Write::Delete(name) => {
                    if let Some(object) = there.get(&name) {
                        self.objects.delete(object).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Leaves a rule of a binding that goes in an object of its own, which is nobody's from then on.
    async fn leave(
        &self,
        holder: NamespacedName,
        rules: Vec<Placed>,
        known: &Known,
        gateway: &HigressGateway,
    ) -> Result<(), Trouble> {
        let merged = Merged {
            rules,
            ..Merged::default()
        };
        let owner = owner(&holder);
        for mut object in objects(&merged, known, gateway, MOST_BYTES) {
            let hash = short_hash(&format!("{owner}/{}", object.name));
            object.name = format!("retained-{}-{hash}", object.plugin.name());
            self.objects.leave(&object, &owner).await?;
        }
        Ok(())
    }

    /// The definition is not there, and with it no object.
    fn without_definition(
        &self,
        collected: Collected,
        gateway: Option<&HigressGateway>,
    ) -> Outcome {
        let mut settled = collected.settled;
        settled.retain(|_, settled| settled.part.is_none());
        Outcome {
            settled,
            problem: gateway.and_then(|gateway| lack(gateway, false, self.context)),
            ..Outcome::default()
        }
    }

    fn unknown(&self) -> Trouble {
        Trouble::from(Problem::blocked(
            Reason::GatewayNotFound,
            format!(
                "no GatewayBindingClass has a gateway with the Higress in namespace {} any more. Its rules stay as they are. Put the gateway back into the class.",
                self.system
            ),
        ))
    }
}

/// What of Higress is missing, as far as its plugins need it.
pub fn lack(
    gateway: &HigressGateway,
    plugin_definition: bool,
    context: &Context,
) -> Option<Problem> {
    let reference = ObjectRef::new(gateway.service()).within(&gateway.namespace);
    let facts = Facts {
        service: context.stores.services.get(&reference).is_some(),
        plugin_definition,
        ingress_definition: true,
        istio_definitions: true,
        knative_gateways: true,
        ..Facts::default()
    };
    let found = lacks(gateway, &facts).into_iter();
    let mut found = found.filter(|lack| lack.reason == Reason::HigressNotFound);
    let lack = found.next()?;
    Some(Problem {
        condition: ConditionType::ResolvedRefs,
        ..lack
    })
}

/// The consumers that rules name.
fn consumers(merged: &Merged) -> BTreeSet<NamespacedName> {
    let named = merged
        .rules
        .iter()
        .filter_map(|placed| callers(&placed.rule));
    let named = named.flat_map(|callers| callers.allow.iter().chain(&callers.deny));
    named.cloned().collect()
}

/// What is in force now, binding by binding.
fn settled(collected: Collected, mut merged: Merged, known: &Known) -> BTreeMap<String, Settled> {
    let mut settled = collected.settled;
    for one in settled.values_mut() {
        let Some(part) = &one.part else { continue };
        let name = NamespacedName {
            namespace: one.binding.namespace.clone().unwrap_or_default(),
            name: one.binding.name.clone(),
        };
        one.mute = part
            .rules
            .values()
            .flat_map(|rule| mute(rule, known))
            .collect();
        one.lost = merged.lost.remove(&name).unwrap_or_default();
    }
    settled
}

/// Consumers without a credential that the plugin of a rule knows.
fn mute<'a>(rule: &'a Rule, known: &'a Known) -> impl Iterator<Item = NamespacedName> + 'a {
    let with_key = matches!(rule, Rule::Key(..));
    let allowed = callers(rule).into_iter().flat_map(|callers| &callers.allow);
    let speaks = move |name: &NamespacedName| {
        known.get(name).is_some_and(|caller| {
            let mut credentials = caller.credentials.iter();
            credentials.any(|one| matches!(one, Credential::Key(_)) == with_key)
        })
    };
    allowed.filter(move |name| !speaks(name)).cloned()
}
