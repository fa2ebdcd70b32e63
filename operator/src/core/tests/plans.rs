//! Plans converge, order respects what the cloud demands, and nothing foreign is touched.

use cloud_adapter::gateway::model::{Api, Environment, Inventory};
use crds::v1alpha1::{GatewayBinding, Reason};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::Model;
use super::scenario::{binding, pass, spec};
use crate::core::ledger::Ledger;
use crate::core::plan::{Action, Operation, Plan};

/// Executes passes until a plan is empty; a plan may need several, since the load balancer is made
/// between them. Fails if it does not end.
pub(super) fn converge(
    subject: &GatewayBinding,
    all: &[&GatewayBinding],
    ledger: Ledger,
    model: &mut Model,
) -> Ledger {
    let owner = format!(
        "GatewayBinding/{}/{}",
        subject.metadata.namespace.clone().unwrap(),
        subject.metadata.name.clone().unwrap()
    );
    let mut ledger = ledger;
    for _ in 0..4 {
        let (_, plan) = pass(subject, all, &ledger, model);
        if plan.is_empty() {
            return ledger;
        }
        ledger = model.execute(&plan, &ledger, &owner);
    }
    panic!(
        "the plan does not converge: {:#?}",
        pass(subject, all, &ledger, model).1.steps
    );
}

/// Removes a binding: nothing is wanted any more.
pub(super) fn remove(
    subject: &GatewayBinding,
    others: &[&GatewayBinding],
    ledger: &Ledger,
    model: &mut Model,
) -> Ledger {
    let plan = removal(subject, others, ledger, model);
    let owner = format!(
        "GatewayBinding/{}/{}",
        subject.metadata.namespace.clone().unwrap(),
        subject.metadata.name.clone().unwrap()
    );
    model.execute(&plan, ledger, &owner)
}

/// What removing a binding comes to.
pub(super) fn removal(
    subject: &GatewayBinding,
    others: &[&GatewayBinding],
    ledger: &Ledger,
    model: &Model,
) -> Plan {
    use crate::core::{peers, plan};
    let peers: Vec<peers::Peer> = others
        .iter()
        .map(|other| peers::peer(other, super::scenario::validated(other).as_ref()))
        .collect();
    let name = format!(
        "{}/{}",
        subject.metadata.namespace.clone().unwrap(),
        subject.metadata.name.clone().unwrap()
    );
    let owner = format!("GatewayBinding/{name}");
    let services = model.services.clone();
    let inventory = model.inventory.clone();
    let world = plan::World {
        cluster: super::scenario::CLUSTER,
        owner: &owner,
        class_owner: Some(super::scenario::CLASS_OWNER),
        inventory: Some(&inventory),
        services: &services,
        in_use: &|key| peers.iter().any(|peer| peer.shared.contains(key)),
        is_live: &|_| false,
    };
    plan::plan(&[], ledger, &world)
}

fn actions(plan: &Plan) -> Vec<(Action, &'static str)> {
    plan.steps
        .iter()
        .map(|step| (step.operation.action(), step.key.kind()))
        .collect()
}

#[test]
fn the_first_scenario_is_created_in_order_and_removed_without_a_trace() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let (wanted, plan) = pass(&hello, &[&hello], &Ledger::default(), &model);
    let reasons: Vec<Reason> = wanted
        .problems
        .iter()
        .map(|problem| problem.reason)
        .collect();
    assert_eq!(reasons, [Reason::WaitingForLoadBalancer]);
    // Without a load balancer there is no backend, and an API needs its backend.
    assert!(actions(&plan).contains(&(Action::Create, "Service")));
    let ledger = converge(&hello, &[&hello], Ledger::default(), &mut model);
    let Inventory {
        groups,
        backends,
        apis,
        grants,
        policies,
        attachments,
        ..
    } = &model.inventory;
    let counts = [
        groups.len(),
        backends.len(),
        apis.len(),
        grants.len(),
        policies.len(),
        attachments.len(),
    ];
    assert_eq!(counts, [1, 1, 1, 1, 1, 1]);
    let ledger = remove(&hello, &[], &ledger, &mut model);
    assert_eq!(model.inventory, Inventory::default());
    assert_eq!(model.services.len(), 0);
    assert_eq!(ledger, Ledger::default());
}

#[test]
fn throttling_acts_before_permission_is_given() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let (_, first) = pass(&hello, &[&hello], &Ledger::default(), &model);
    let ledger = model.execute(
        &first,
        &Ledger::default(),
        "GatewayBinding/default/helloworld",
    );
    let (_, plan) = pass(&hello, &[&hello], &ledger, &model);
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.key.kind()).collect();
    let position = |kind: &str| kinds.iter().position(|other| *other == kind).unwrap();
    assert!(position("Attachment") < position("Grant"), "{kinds:?}");
    assert!(position("Backend") < position("API"), "{kinds:?}");
}

#[test]
fn two_bindings_share_and_part_again() {
    let one = binding("default", "helloworld", with_path(spec(), "/one"));
    let two = binding("shop", "hello", with_path(spec(), "/two"));
    let mut model = Model::default();
    let first = converge(&one, &[&one, &two], Ledger::default(), &mut model);
    let second = converge(&two, &[&one, &two], Ledger::default(), &mut model);
    let Inventory {
        groups,
        backends,
        apis,
        policies,
        ..
    } = &model.inventory;
    assert_eq!(
        [groups.len(), backends.len(), apis.len(), policies.len()],
        [1, 1, 2, 1]
    );
    remove(&one, &[&two], &first, &mut model);
    let Inventory {
        groups,
        backends,
        apis,
        policies,
        ..
    } = &model.inventory;
    assert_eq!(
        [groups.len(), backends.len(), apis.len(), policies.len()],
        [1, 1, 1, 1]
    );
    assert_eq!(pass(&two, &[&two], &second, &model).1.steps, []);
    remove(&two, &[], &second, &mut model);
    assert_eq!(model.inventory, Inventory::default());
}

pub(super) fn with_path(mut spec: Value, path: &str) -> Value {
    spec["apiGateway"]["routes"][0]["path"] = json!({"prefix": path, "replaceWith": "/"});
    spec
}

#[test]
fn a_renamed_route_keeps_its_api() {
    let before = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let ledger = converge(&before, &[&before], Ledger::default(), &mut model);
    let id = model.inventory.apis.keys().next().cloned();
    let mut changed = spec();
    changed["apiGateway"]["routes"][0]["name"] = json!("everything");
    let after = binding("default", "helloworld", changed);
    let ledger = converge(&after, &[&after], ledger, &mut model);
    assert_eq!(model.inventory.apis.keys().next().cloned(), id);
    assert_eq!(model.inventory.apis.len(), 1);
    remove(&after, &[], &ledger, &mut model);
    assert_eq!(model.inventory, Inventory::default());
}

/// What a binding only plans is neither written by its neighbours nor kept from them.
#[test]
fn what_is_only_planned_is_no_concern_of_others() {
    let mut planned = with_path(spec(), "/x");
    planned["mode"] = json!("Plan");
    planned["slb"] = json!({"name": "planned"});
    let planned = binding("default", "helloworld", planned);
    let mut neighbour = binding("shop", "hello", with_path(spec(), "/x"));
    let created = &mut neighbour.metadata.creation_timestamp.as_mut().unwrap().0;
    *created += jiff::SignedDuration::from_secs(60);
    let all = [&planned, &neighbour];
    let model = Model::default();
    let names = |subject: &GatewayBinding| {
        let (wanted, plan) = pass(subject, &all, &Ledger::default(), &model);
        let conflicts = wanted
            .problems
            .iter()
            .filter(|problem| problem.reason == Reason::PathConflict);
        let Operation::CreateService { annotations, .. } = &plan.steps[0].operation else {
            panic!("{:?}", plan.steps[0]);
        };
        let named = annotations.values().any(|value| value == "planned");
        (named, conflicts.count())
    };
    assert_eq!(names(&neighbour), (false, 0));
    assert_eq!(names(&planned), (true, 0), "it is the older one");
}

#[test]
fn an_object_without_our_mark_is_left_alone() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let ledger = converge(&hello, &[&hello], Ledger::default(), &mut model);
    let apis = model.inventory.apis.values();
    let unmarked = apis.map(|api| Api {
        marker: None,
        ..api.clone()
    });
    model.inventory.apis = unmarked.collect();
    let groups = model.inventory.groups.iter();
    let unmarked = groups.map(|(id, group)| {
        let mut group = group.clone();
        group.marker = None;
        group.spec.description = "mine".into();
        (id.clone(), group)
    });
    model.inventory.groups = unmarked.collect();
    let (_, plan) = pass(&hello, &[&hello], &ledger, &model);
    assert!(
        plan.problems
            .iter()
            .all(|problem| problem.reason == Reason::NotOwned)
    );
    assert_eq!(plan.problems.len(), 2, "{:?}", plan.problems);
    assert!(
        plan.steps
            .iter()
            .all(|step| !["Group", "API", "Deployment"].contains(&step.key.kind()))
    );
    let before = model.inventory.apis.len();
    remove(&hello, &[], &ledger, &mut model);
    assert_eq!(
        (model.inventory.apis.len(), model.inventory.groups.len()),
        (before, 1)
    );
}

#[test]
fn what_cannot_be_read_is_neither_made_nor_removed() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let ledger = converge(&hello, &[&hello], Ledger::default(), &mut model);
    let world = crate::core::plan::World {
        cluster: super::scenario::CLUSTER,
        owner: "GatewayBinding/default/helloworld",
        class_owner: Some(super::scenario::CLASS_OWNER),
        inventory: None,
        services: &model.services,
        in_use: &|_| true,
        is_live: &|_| false,
    };
    let plan = crate::core::plan::plan(&[], &ledger, &world);
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.claims.len(),
        ledger.entries.keys().filter(|key| !key.is_shared()).count()
    );
}

#[test]
fn a_lost_ledger_is_rebuilt_from_the_marks() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    converge(&hello, &[&hello], Ledger::default(), &mut model);
    let mut elsewhere = spec();
    elsewhere["apiGateway"]["routes"][0]["name"] = json!("other");
    elsewhere["apiGateway"]["routes"][0]["path"] = json!({"prefix": "/other"});
    let changed = binding("default", "helloworld", elsewhere);
    converge(&changed, &[&changed], Ledger::default(), &mut model);
    assert_eq!(
        model.inventory.apis.len(),
        1,
        "the API of the former route is gone"
    );
}

pub(super) fn any_spec() -> impl Strategy<Value = Value> {
    let environments = proptest::sample::subsequence(vec!["Test", "Pre", "Release"], 1..=3);
    let routes = proptest::sample::subsequence(vec!["a", "b", "c"], 1..=3);
    let consumers = proptest::sample::subsequence(vec!["k", "l", "m"], 0..=3);
    let paths = proptest::sample::subsequence(vec!["/x", "/y", "/z"], 3);
    (
        environments,
        routes,
        consumers,
        paths,
        0u32..3,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(environments, routes, consumers, paths, limit, anonymous, swap)| {
                let mut paths = paths;
                if swap {
                    paths.reverse();
                }
                let mut spec = spec();
                let api = &mut spec["apiGateway"];
                api["environments"] = environments
                    .iter()
                    .map(|name| json!({ "name": name }))
                    .collect();
                api["routes"] = routes
                    .iter()
                    .zip(paths)
                    .map(|(name, path)| json!({"name": name, "path": {"prefix": path}}))
                    .collect();
                let allow: Vec<Value> = consumers
                    .iter()
                    .map(|name| json!({ "name": name }))
                    .collect();
                if anonymous {
                    api["auth"] = json!({"anonymous": {}});
                } else {
                    api["auth"]["consumer"]["allow"] = json!(allow);
                }
                match limit {
                    0 => api.as_object_mut().map(|api| api.remove("throttling")),
                    n => {
                        api["throttling"]["limits"][0]["requests"] = json!(n * 1000);
                        None
                    }
                };
                spec
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a binding was before, it becomes what it says now, and can be removed without a
    /// trace. The model refuses any step out of order.
    #[test]
    fn any_spec_follows_any_other(specs in proptest::collection::vec(any_spec(), 1..4)) {
        let mut model = Model::default();
        let mut ledger = Ledger::default();
        let mut last = None;
        for spec in specs {
            let subject = binding("default", "helloworld", spec);
            ledger = converge(&subject, &[&subject], ledger, &mut model);
            last = Some(subject);
        }
        let exposure = super::scenario::validated(last.as_ref().unwrap()).unwrap().exposure.unwrap();
        prop_assert_eq!(model.inventory.apis.len(), exposure.apis.len());
        let deployed: usize = model.inventory.apis.values().map(|api| api.deployments.len()).sum();
        prop_assert_eq!(deployed, exposure.apis.len() * exposure.environments.len());
        prop_assert_eq!(model.inventory.grants.len(), deployed * exposure.allow.len());
        remove(last.as_ref().unwrap(), &[], &ledger, &mut model);
        prop_assert_eq!(&model.inventory, &Inventory::default());
    }
}

#[test]
fn an_environment_that_is_left_is_undeployed() {
    let mut both = spec();
    both["apiGateway"]["environments"] = json!([{"name": "Test"}, {"name": "Release"}]);
    let subject = binding("default", "helloworld", both);
    let mut model = Model::default();
    let ledger = converge(&subject, &[&subject], Ledger::default(), &mut model);
    let subject = binding("default", "helloworld", spec());
    converge(&subject, &[&subject], ledger, &mut model);
    let api = model.inventory.apis.values().next().unwrap();
    assert_eq!(
        api.deployments.keys().collect::<Vec<_>>(),
        [&Environment::Release]
    );
}

#[test]
fn what_somebody_renamed_gets_its_name_back() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    let ledger = converge(&hello, &[&hello], Ledger::default(), &mut model);
    let ledger = pass_ids(&hello, &ledger, &model);
    let renamed = |name: &str| format!("{name}_by_hand");
    let groups = model.inventory.groups.iter().map(|(id, group)| {
        let mut group = group.clone();
        group.spec.name = renamed(&group.spec.name);
        (id.clone(), group)
    });
    model.inventory.groups = groups.collect();
    let (_, plan) = pass(&hello, &[&hello], &ledger, &model);
    let steps: Vec<(Action, &str)> = actions(&plan);
    assert_eq!(steps, [(Action::Update, "Group")]);
    assert_eq!(plan.steps[0].changes[0].path, "name");
}

/// The ledger with the ids of what is there, as a settled pass leaves it.
fn pass_ids(subject: &GatewayBinding, ledger: &Ledger, model: &Model) -> Ledger {
    let (_, plan) = pass(subject, &[subject], ledger, model);
    let mut ledger = ledger.clone();
    for (key, id) in &plan.ids {
        if let Some(entry) = ledger.entries.get_mut(key) {
            entry.id = Some(id.clone());
        }
    }
    ledger
}
