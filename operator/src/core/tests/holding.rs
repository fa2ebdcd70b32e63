//! What hangs together with a removal that is held, and what goes on all the same.

use serde_json::{Value, json};

use super::model::Model;
use super::plans::converge;
use super::scenario::{binding, pass, spec};
use crate::core::guard::Thing;
use crate::core::key::ObjectKey;
use crate::core::ledger::Ledger;
use crate::core::plan::{Operation, Plan};

/// The plan after an edit of a binding that was carried out, and its ledger.
fn edited(before: Value, after: Value) -> (Plan, Ledger) {
    let mut model = Model::default();
    let subject = binding("default", "helloworld", before);
    let ledger = converge(&subject, &[&subject], Ledger::default(), &mut model);
    let subject = binding("default", "helloworld", after);
    let (_, plan) = pass(&subject, &[&subject], &ledger, &model);
    (plan, ledger)
}

fn counts(key: &ObjectKey) -> bool {
    Thing::of(key).is_some()
}

fn operations(plan: &Plan) -> Vec<&Operation> {
    plan.steps.iter().map(|step| &step.operation).collect()
}

#[test]
fn what_replaces_something_is_held_with_it() {
    let mut moved = spec();
    moved["apiGateway"]["routes"] = json!([{"name": "other", "path": {"prefix": "/other"}}]);
    let (mut plan, ledger) = edited(spec(), moved);
    let whole = plan.clone();
    let created = |plan: &Plan| {
        let mut keys = plan.claims.iter();
        keys.any(|key| matches!(key, ObjectKey::Api(api) if api.name.contains("other")))
    };
    assert!(created(&plan));
    let held = plan.hold(counts, &ledger);
    assert_eq!(held, whole.steps);
    assert_eq!(operations(&plan), Vec::<&Operation>::new());
    assert!(!created(&plan), "nothing is claimed that is not to be made");
}

#[test]
fn an_api_goes_on_running_where_it_ran() {
    let mut elsewhere = spec();
    elsewhere["apiGateway"]["environments"] = json!([{"name": "Test"}]);
    let (mut plan, ledger) = edited(spec(), elsewhere);
    let held = plan.hold(counts, &ledger);
    assert!(
        held.iter()
            .any(|step| step.operation == Operation::Undeploy)
    );
    assert_eq!(operations(&plan), Vec::<&Operation>::new());
}

#[test]
fn access_is_taken_away_all_the_same() {
    let allow = |names: &[&str]| {
        let allowed = names.iter().map(|name| json!({"name": name}));
        let mut spec = spec();
        spec["apiGateway"]["auth"]["consumer"]["allow"] = allowed.collect();
        spec
    };
    let mut fewer = allow(&["knative"]);
    fewer["apiGateway"]["throttling"] = Value::Null;
    let (mut plan, ledger) = edited(allow(&["knative", "other"]), fewer);
    let held = plan.hold(counts, &ledger);
    let held: Vec<_> = held.iter().map(|step| &step.operation).collect();
    assert_eq!(held, [&Operation::DeletePolicy]);
    assert!(
        matches!(
            operations(&plan).as_slice(),
            [Operation::Revoke { .. }, Operation::Detach { .. }]
        ),
        "{:#?}",
        plan.steps
    );
}

#[test]
fn a_plan_without_anything_that_is_held_stays_as_it_is() {
    let mut moved = spec();
    moved["apiGateway"]["routes"] = json!([{"name": "other", "path": {"prefix": "/other"}}]);
    let (mut plan, ledger) = edited(spec(), moved);
    let whole = plan.clone();
    assert_eq!(plan.hold(|_| false, &ledger), []);
    assert_eq!(plan, whole);
}
