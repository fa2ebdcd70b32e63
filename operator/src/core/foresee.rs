//! What a binding refers to as it will be once its plan is carried out: what its own steps bring
//! about (the load balancer of a Service that is to be made, a consumer that is made in the account
//! because the binding names it) is taken to be there, under an id that is not known yet. So a plan
//! is whole before its first step is done.

use super::balancer::LoadBalancer;
use super::key::{ApiKey, ConsumerKey, ObjectKey};
use super::nlb::NlbState;
use super::observed::{LoadBalancerState, ServiceState};
use super::plan::{Operation, Plan, Step};
use super::references::{ConsumerState, References};
use super::settings::Settings;
use super::validate::{Gateway, Validated};
use cloud_adapter::gateway::model::{ApiId, ConsumerId, Inventory};

/// Stands for what only the cluster or the cloud can tell.
pub const LATER: &str = "(known after apply)";

const LATER_BEFORE: &str = "(known after apply: ";
const LATER_AFTER: &str = ")";

/// A placeholder for an id. It names its object, since two ids that are not known yet are not one.
fn later(what: &str) -> String {
    format!("{LATER_BEFORE}{what}{LATER_AFTER}")
}

/// Whether an id is a placeholder.
pub fn is_later(id: &str) -> bool {
    id == LATER || waits_for(id).len() < id.len()
}

/// An id as it is shown: without what its placeholder stands for.
pub fn known_later(id: &str) -> &str {
    if is_later(id) { LATER } else { id }
}

/// What an id's placeholder stands for, or the id itself.
pub fn waits_for(id: &str) -> &str {
    id.strip_prefix(LATER_BEFORE)
        .and_then(|rest| rest.strip_suffix(LATER_AFTER))
        .unwrap_or(id)
}

/// The id of a consumer that is not in the cloud yet.
pub fn consumer(key: &ConsumerKey) -> ConsumerId {
    ConsumerId(later(&format!("consumer {key}")))
}

/// The load balancer as it will be: what a gateway's settings ask for.
pub fn load_balancer(gateway: &Gateway, settings: &Settings) -> LoadBalancer {
    let of = format!(
        "of Service {}/{}",
        gateway.service.namespace, gateway.service.name
    );
    let id = match settings.existing() {
        Some(id) => id.to_owned(),
        None => later(&format!("load balancer {of}")),
    };
    let vpc_id = later(&format!("VPC of the load balancer {of}"));
    let name = settings.name().unwrap_or_default().to_owned();
    match settings {
        Settings::Slb(_) => LoadBalancer::Classic(LoadBalancerState {
            id,
            vpc_id,
            name,
            status: "active".to_owned(),
            ..LoadBalancerState::default()
        }),
        Settings::Nlb(_) => LoadBalancer::Network(NlbState {
            id,
            vpc_id,
            name,
            status: "Active".to_owned(),
            ..NlbState::default()
        }),
    }
}

/// What a binding refers to, once its plan is carried out.
pub fn references(binding: &Validated, references: &References, settings: &Settings) -> References {
    let mut foreseen = references.clone();
    for (key, state) in &mut foreseen.consumers {
        match state {
            ConsumerState::NotReady => *state = ConsumerState::Ready(consumer(key)),
            ConsumerState::ToAdopt(id) => *state = ConsumerState::Ready(id.clone()),
            _ => {}
        }
    }
    let Some(gateway) = &binding.gateway else {
        return foreseen;
    };
    let planned = || {
        gateway.service.create_from.as_ref()?;
        Some(ServiceState {
            type_: "LoadBalancer".to_owned(),
            class: settings.load_balancer_class().map(str::to_owned),
            shape: references.source.clone()?,
            ..ServiceState::default()
        })
    };
    let service = foreseen.service.take().or_else(planned);
    foreseen.service = service.map(|mut service| {
        if service.load_balancer_id.is_none() && service.warning.is_none() {
            let existing = foreseen.existing.as_ref();
            let existing = existing.and_then(|existing| existing.state.clone());
            let comes = || load_balancer(gateway, settings);
            foreseen.load_balancer = Some(existing.unwrap_or_else(comes));
            service.load_balancer_id = Some(LATER.to_owned());
            service.address.get_or_insert_with(|| LATER.to_owned());
        }
        service
    });
    foreseen
}

/// The inventory once the APIs that a plan moves or removes have left their paths; none: it moves
/// none. An API that waits for one of these paths comes in the next plan.
pub fn vacated(inventory: &Inventory, plan: &Plan) -> Option<Inventory> {
    let mut vacated = inventory.clone();
    let mut moved = false;
    for step in &plan.steps {
        let Some(id) = plan.ids.get(&step.key).map(|id| ApiId(id.clone())) else {
            continue;
        };
        match &step.operation {
            Operation::DeleteApi => {
                moved |= vacated.apis.contains_key(&id);
                vacated.apis.remove(&id);
            }
            Operation::UpdateApi(spec) | Operation::AmendApi(spec) => {
                moved |= vacated.apis.amend(&id, |api| {
                    api.method = spec.method;
                    api.path.clone_from(&spec.path);
                });
            }
            _ => {}
        }
    }
    moved.then_some(vacated)
}

/// Adds to a plan the steps of the next one for APIs that had to wait.
pub fn add_waiting(plan: &mut Plan, next: Plan) {
    let waits = |api: &ApiKey| {
        let key = ObjectKey::Api(api.clone());
        !plan.ids.contains_key(&key) && plan.steps.iter().all(|step| step.key != key)
    };
    let steps: Vec<Step> = next
        .steps
        .into_iter()
        .filter(|step| match &step.key {
            ObjectKey::Api(api)
            | ObjectKey::Deployment { api, .. }
            | ObjectKey::Attachment { api, .. }
            | ObjectKey::Grant { api, .. } => waits(api),
            _ => false,
        })
        .collect();
    plan.steps.extend(steps);
}
