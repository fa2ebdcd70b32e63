//! Room for APIs that take each other's paths over.

use cloud_adapter::gateway::model::{Api, ApiSpec, Inventory, Path};

use super::{Operation, Plan, Step};
use crate::core::key::{ApiKey, ObjectKey};
use crate::core::names;
use crate::core::observed::Lookup;

/// Path and method are unique in a group at every moment, so an API that is in another's way, and
/// that this plan moves or removes, first moves aside to a path that nobody uses. Only the draft
/// moves: what runs keeps running until it is deployed anew.
pub(super) fn make(plan: &mut Plan, inventory: &Inventory) {
    let mut aside = Vec::new();
    for step in &plan.steps {
        let (
            ObjectKey::Api(api),
            Operation::CreateApi(spec) | Operation::UpdateApi(spec) | Operation::AmendApi(spec),
        ) = (&step.key, &step.operation)
        else {
            continue;
        };
        let Some(holder) = inventory.api_at(&api.group, spec.method, &spec.path) else {
            continue;
        };
        let itself = plan.ids.get(&step.key) == Some(&holder.id.0);
        if !itself
            && let Some(leaving) = makes_way(holder, plan)
            && let Some(spec) = &holder.spec
        {
            let mut spec = ApiSpec::clone(spec);
            spec.path = Path::Exact(format!("/moving-{}", names::short_hash(&spec.name)));
            let operation = match leaving.operation {
                Operation::AmendApi(_) => Operation::AmendApi(spec),
                _ => Operation::UpdateApi(spec),
            };
            let key = match leaving.key.adopted_id() {
                Some(_) => leaving.key.clone(),
                None => ObjectKey::Api(ApiKey {
                    group: api.group.clone(),
                    name: holder.name.clone(),
                }),
            };
            aside.push((key, holder.id.0.clone(), operation));
        }
    }
    let first = plan
        .steps
        .iter()
        .position(|step| matches!(step.key, ObjectKey::Api(_)));
    let first = first.unwrap_or_default();
    for (key, id, operation) in aside {
        plan.ids.insert(key.clone(), id);
        let changes = Vec::new();
        plan.steps.insert(
            first,
            Step {
                key,
                operation,
                changes,
            },
        );
    }
}

/// The step that takes an API away from its path.
fn makes_way<'p>(holder: &Api, plan: &'p Plan) -> Option<&'p Step> {
    plan.steps.iter().find(|step| {
        let moves = matches!(
            step.operation,
            Operation::UpdateApi(_) | Operation::AmendApi(_) | Operation::DeleteApi
        );
        moves && plan.ids.get(&step.key) == Some(&holder.id.0)
    })
}
