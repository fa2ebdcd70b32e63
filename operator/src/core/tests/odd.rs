//! What the cloud says something unreadable about is left as it is, is told, is never taken for gone,
//! and holds up nobody else.

use cloud_adapter::gateway::model::{Inventory, Kind};
use crds::v1alpha1::{GatewayBinding, Reason};

use super::model::Model;
use super::plans::{converge, remove, with_path};
use super::scenario::{binding, pass, spec};
use crate::core::ledger::Ledger;
use crate::core::plan::Plan;

/// Two bindings that share a group, a backend, a policy and a consumer.
struct Neighbours {
    one: GatewayBinding,
    two: GatewayBinding,
    first: Ledger,
    second: Ledger,
    model: Model,
}

fn neighbours() -> Neighbours {
    let one = binding("default", "one", with_path(spec(), "/one"));
    let two = binding("default", "two", with_path(spec(), "/two"));
    let mut model = Model::default();
    let first = converge(&one, &[&one, &two], Ledger::default(), &mut model);
    let second = converge(&two, &[&one, &two], Ledger::default(), &mut model);
    Neighbours {
        one,
        two,
        first,
        second,
        model,
    }
}

impl Neighbours {
    fn plan(&self, subject: &GatewayBinding, ledger: &Ledger) -> Plan {
        pass(subject, &[&self.one, &self.two], ledger, &self.model).1
    }

    fn odd(&mut self, kind: Kind, id: &str) {
        let unreadable = &mut self.model.inventory.unreadable;
        unreadable.insert((kind, id.to_owned()), "Tags: invalid type".to_owned());
    }
}

/// It is told and nothing is planned.
fn left(plan: &Plan, id: &str) {
    assert_eq!(plan.steps, [], "{id}");
    let reasons: Vec<Reason> = plan.problems.iter().map(|problem| problem.reason).collect();
    assert_eq!(reasons, [Reason::CloudUnreachable], "{id}");
    let message = &plan.problems[0].message;
    assert!(
        message.contains(id) && message.contains("Tags"),
        "{message}"
    );
}

#[test]
fn an_api_that_cannot_be_read_hurts_only_its_binding() {
    let mut now = neighbours();
    let apis = now.model.inventory.apis.clone();
    let api = apis.values().find(|api| api.name.contains("one")).unwrap();
    // Of this item neither tags nor deployments can be read, as if there were none.
    let apis = &mut now.model.inventory.apis;
    let found = apis.amend(&api.id, |poisoned| {
        poisoned.marker = None;
        poisoned.deployments.clear();
    });
    assert!(found);
    now.odd(Kind::Apis, api.id.as_str());
    left(&now.plan(&now.one, &now.first), api.id.as_str());

    let plan = now.plan(&now.two, &now.second);
    assert_eq!((plan.steps, plan.problems), (vec![], vec![]));
    let edited = binding("default", "two", with_path(spec(), "/elsewhere"));
    assert!(!now.plan(&edited, &now.second).is_empty());

    let before = now.model.inventory.clone();
    let ledger = remove(&now.one, &[&now.two], &now.first, &mut now.model);
    assert_eq!(now.model.inventory, before, "nothing of it is removed");
    let claimed = ledger
        .entries
        .keys()
        .filter(|key| key.to_string().contains("one"));
    assert!(claimed.count() >= 3, "and it is not forgotten: {ledger:?}");
}

#[test]
fn what_is_shared_and_cannot_be_read_is_left_while_all_else_goes_on() {
    type Poison = fn(&mut Inventory) -> (Kind, String);
    let poisons: [Poison; 5] = [
        |inventory| {
            let id = inventory.groups.keys().next().unwrap().clone();
            let group = inventory.groups.get_mut(&id).unwrap();
            group.marker = None;
            group.spec.description.clear();
            (Kind::Groups, id.0)
        },
        |inventory| {
            let name = inventory.backends.keys().next().unwrap().clone();
            inventory.backends.get_mut(&name).unwrap().spec.port = 0;
            (Kind::Backends, name.0)
        },
        |inventory| {
            // Attachments are listed for what is known to be ours.
            let id = inventory.policies.keys().next().unwrap().clone();
            inventory.policies.get_mut(&id).unwrap().marker = None;
            inventory.attachments.clear();
            (Kind::Policies, id.0)
        },
        |inventory| {
            let id = inventory.grants.keys().next().unwrap().consumer.clone();
            inventory.grants.clear();
            (Kind::Consumers, id.0)
        },
        |inventory| {
            let key = inventory.grants.keys().next().unwrap().clone();
            inventory.grants.get_mut(&key).unwrap().until = None;
            (Kind::Grants, key.id())
        },
    ];
    for poison in poisons {
        let mut now = neighbours();
        let (kind, id) = poison(&mut now.model.inventory);
        now.odd(kind, &id);
        let told: Vec<Plan> = [(&now.one, &now.first), (&now.two, &now.second)]
            .into_iter()
            .map(|(subject, ledger)| now.plan(subject, ledger))
            .filter(|plan| !plan.problems.is_empty())
            .inspect(|plan| left(plan, &id))
            .collect();
        let expected = if kind == Kind::Grants { 1 } else { 2 };
        assert_eq!(told.len(), expected, "{kind:?}");
        let edited = binding("default", "two", with_path(spec(), "/elsewhere"));
        let plan = now.plan(&edited, &now.second);
        let kinds: Vec<&str> = plan.steps.iter().map(|step| step.key.kind()).collect();
        assert!(kinds.contains(&"API"), "{kind:?}: {kinds:?}");
    }
}
