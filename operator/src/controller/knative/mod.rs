//! Switches Knative over to a gateway of a class, and gives everything back. What the keys had before is
//! noted in the class before the first write, so that a process that ends in between loses nothing.

mod facts;
mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::v1alpha1::{
    ClassGateway, ClassKnative, GatewayBindingClass, GatewayBindingClassStatus, KnativeObject,
    Reason,
};
use kube::Api;

use super::cloud::Trouble;
use super::context::Context;
use super::writes;
use crate::core::higress::check;
use crate::core::knative::config::{self, Data};
use crate::core::knative::switch::{self, Change, Record, Slot, Switch, Values, describe};
use crate::core::knative::turn::{self, Turn, has_written};
use crate::core::problem::Problem;
use objects::Found;

/// Times that a pass begins anew since others write the same objects at the same moment.
const TRIES: u32 = 4;
/// The longest part of somebody else's value that a message shows.
const SHOWN: usize = 80;

/// Why a pass stopped.
enum Halt {
    /// Somebody wrote meanwhile what the pass was about to write.
    Again,
    /// That is told.
    Told(Trouble),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Told(trouble)
    }
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Told(problem.into())
    }
}

/// Brings what the class has of Knative to what it wants: the class as it then is, and what keeps it from
/// it. It does nothing for a class that wants nothing and has nothing.
pub async fn settle(
    mut class: Arc<GatewayBindingClass>,
    context: &Context,
) -> (Arc<GatewayBindingClass>, Option<Trouble>) {
    if !turn::wants(&class) && !has_written(&class) {
        return (class, None);
    }
    for _ in 0..TRIES {
        match once(&mut class, context).await {
            Ok(()) => return (class, None),
            Err(Halt::Again) => {}
            Err(Halt::Told(trouble)) => return (class, Some(trouble)),
        }
    }
    let message = "knative: others write the objects of Knative at the same moment.";
    let problem = Problem::retry(Reason::InternalError, message);
    (class, Some(problem.into()))
}

async fn once(noting: &mut Arc<GatewayBindingClass>, context: &Context) -> Result<(), Halt> {
    let class = noting.clone();
    let turn = turn::wants(&class).then(|| whose_turn(&class, context));
    let wish = match turn {
        Some(Turn::Own) => wish(&class),
        _ => None,
    };
    let record = noted(&class);
    let mut needed: BTreeSet<KnativeObject> = record.keys().map(|slot| slot.object).collect();
    needed.extend(
        wish.iter()
            .flat_map(|(knative, gateway)| config::objects(knative, gateway)),
    );
    let found = objects::read(&needed, context).await?;
    let wanted = match wish {
        Some((knative, gateway)) => {
            // What was written stays as it is while something is missing: it may be back soon.
            lacks(knative, gateway, &found, context).await?;
            let data = |object| found.get(&object).map(|found| &found.values);
            let nothing = Data::new();
            let network = data(KnativeObject::ConfigNetwork).unwrap_or(&nothing);
            let istio = data(KnativeObject::ConfigIstio).unwrap_or(&nothing);
            config::wanted(knative, gateway, network, istio)
        }
        None => Values::new(),
    };
    let foreign = wish.and_then(|(knative, _)| knative.foreign_fields);
    let switch = switch::switch(&wanted, &seen(&found), &record, foreign.unwrap_or_default());
    note(noting, &switch.record, context).await?;
    carry_out(&switch, &wanted, &found, context).await?;
    let settled = switch::settled(&switch.record, &wanted);
    note(noting, &settled, context).await?;
    told(turn, &switch, &found)
}

/// The classes of other shards want Knative as well.
fn whose_turn(class: &GatewayBindingClass, context: &Context) -> Turn {
    let all = context.stores.classes.state().into_iter();
    let all: Vec<_> = all.map(|one| context.classes.newest(one)).collect();
    turn::turn(class, all.iter().map(AsRef::as_ref))
}

fn wish(class: &GatewayBindingClass) -> Option<(&ClassKnative, &ClassGateway)> {
    let knative = class.spec.knative.as_ref()?;
    let gateway = class.spec.gateway(&knative.gateway)?;
    Some((knative, gateway))
}

fn noted(class: &GatewayBindingClass) -> Record {
    let status = class.status.as_ref();
    switch::noted(status.and_then(|status| status.knative.as_ref()))
}

/// What keeps Knative from being switched over: nobody would serve it.
async fn lacks(
    knative: &ClassKnative,
    gateway: &ClassGateway,
    found: &BTreeMap<KnativeObject, Found>,
    context: &Context,
) -> Result<(), Halt> {
    let mut problems = Vec::new();
    let needed = config::objects(knative, gateway);
    let missing = |object: &&KnativeObject| !object.is_gateway() && !found.contains_key(object);
    for object in needed.iter().filter(missing) {
        let message = format!(
            "knative: there is no {}. Install Knative Serving{}.",
            describe(*object),
            if *object == KnativeObject::ConfigIstio {
                " with net-istio"
            } else {
                ""
            }
        );
        problems.push(Problem::unresolved(Reason::KnativeNotFound, message));
    }
    if let Some(higress) = &gateway.higress {
        let facts = facts::of(higress, found, context).await?;
        problems.extend(check::lacks(higress, &facts));
    }
    let messages: Vec<&str> = problems.iter().map(|one| one.message.as_str()).collect();
    let message = messages.join(" ");
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(Problem::unresolved(first.reason, message).into()),
    }
}

fn seen(found: &BTreeMap<KnativeObject, Found>) -> Values {
    let values = found.iter().flat_map(|(object, found)| {
        let slot = |key: &String| Slot {
            object: *object,
            key: key.clone(),
        };
        let values = found.values.iter();
        values.map(move |(key, value)| (slot(key), value.clone()))
    });
    values.collect()
}

/// Notes a record in the class, unless that is what it says. It is held before the first one.
async fn note(
    class: &mut Arc<GatewayBindingClass>,
    record: &Record,
    context: &Context,
) -> Result<(), Trouble> {
    if noted(class) == *record {
        return Ok(());
    }
    let api = Api::all(context.runtime.client.clone());
    if !record.is_empty() && !writes::is_held(&**class) {
        let Some(held) = writes::hold(&api, &**class, context).await? else {
            let message = "knative: the class is gone.";
            return Err(Problem::retry(Reason::InternalError, message).into());
        };
        *class = context.classes.wrote(held);
    }
    let status = GatewayBindingClassStatus {
        knative: switch::note(record),
        ..class.status.clone().unwrap_or_default()
    };
    let written = writes::status(&api, &**class, &status, context).await?;
    *class = context.classes.wrote(written);
    Ok(())
}

/// Writes object by object. Requests move with `config-network`, so net-istio and its Gateways come before
/// it on the way to Higress, and after it on the way back.
async fn carry_out(
    switch: &Switch,
    wanted: &Values,
    found: &BTreeMap<KnativeObject, Found>,
    context: &Context,
) -> Result<(), Halt> {
    let mut order = KnativeObject::ALL;
    if wanted.keys().any(|slot| slot.object.is_gateway()) {
        order.reverse();
    }
    for object in order {
        let changes = switch.changes.iter();
        let changes: Vec<&Change> = changes
            .filter(|change| change.slot.object == object)
            .collect();
        if let (Some(found), false) = (found.get(&object), changes.is_empty()) {
            objects::write(object, found, &changes, context).await?;
        }
    }
    Ok(())
}

fn told(
    turn: Option<Turn>,
    switch: &Switch,
    found: &BTreeMap<KnativeObject, Found>,
) -> Result<(), Halt> {
    match turn {
        Some(Turn::Lost(older)) => {
            let message = format!(
                "knative: there is one Knative in a cluster, and GatewayBindingClass \"{older}\", which is older, has it. Remove spec.knative from one of them."
            );
            return Err(Problem::rejected(Reason::Conflict, message).into());
        }
        Some(Turn::After(other)) => {
            let message = format!(
                "knative: GatewayBindingClass \"{other}\" has yet to give back what it wrote. Its own status says what keeps it."
            );
            return Err(Problem::waiting(Reason::Pending, message).into());
        }
        Some(Turn::Own) | None => {}
    }
    if switch.foreign.is_empty() {
        return Ok(());
    }
    let left = switch.foreign.iter().map(|slot| {
        let object = found.get(&slot.object);
        let value = object.and_then(|found| found.values.get(&slot.key));
        let value = value.map_or("", String::as_str);
        let mut shown: String = value.chars().take(SHOWN).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        format!("{} in {} is {shown:?}", slot.key, describe(slot.object))
    });
    let left: Vec<String> = left.collect();
    let message = format!(
        "knative: somebody else set what this class wants to set, and it is left: {}. Remove it there, or set knative.foreignFields: Takeover; it is given back once spec.knative goes.",
        left.join("; ")
    );
    Err(Problem::blocked(Reason::ForeignField, message).into())
}
