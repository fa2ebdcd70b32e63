//! Exactly the approved plan is carried out: all of it, wherever it is interrupted, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::v1alpha1::{GatewayBinding, PlanStatus};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::Model;
use super::plans::{any_spec, converge};
use super::scenario::{binding, consumer_id, foreseen, pass, pass_with, spec};
use crate::core::approval::{Approval, Basis, Found, Verdict, hash, judge};
use crate::core::foresee;
use crate::core::ledger::{Ledger, Place};
use crate::core::plan::{Plan, Step};
use crate::core::published::Published;
use crate::core::references::{ConsumerState, References};
use crate::core::settings::Settings;
use crate::core::validate::Validated;

const OWNER: &str = "GatewayBinding/default/helloworld";

fn hello(spec: Value) -> GatewayBinding {
    binding("default", "helloworld", spec)
}

fn whole(subject: &GatewayBinding, ledger: &Ledger, model: &Model) -> Plan {
    foreseen(subject, &[subject], ledger, model)
}

fn basis() -> Basis<'static> {
    Basis {
        cluster: "c1f0",
        place: Place {
            account: Some("1".into()),
            region: Some("r".into()),
        },
        ..Basis::default()
    }
}

fn plain(steps: &[Step]) -> String {
    hash(steps, |_| Found::default(), &basis())
}

/// The present plan, cut after its first step as by a crash.
fn first_step(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.steps.truncate(1);
    plan
}

/// Executes an approved plan, ending after each step and planning anew. Fails if a step is left that
/// the approval does not cover, or it does not end.
fn carry_out(
    subject: &GatewayBinding,
    approval: &Approval,
    mut ledger: Ledger,
    model: &mut Model,
) -> Ledger {
    for _ in 0..200 {
        let (_, plan) = pass(subject, &[subject], &ledger, model);
        let uncovered: Vec<&Step> = plan
            .steps
            .iter()
            .filter(|step| !approval.covers(std::slice::from_ref(step)))
            .collect();
        assert!(uncovered.is_empty(), "not covered: {uncovered:#?}");
        let left = whole(subject, &ledger, model);
        assert!(approval.covers(&left.steps), "{:#?}", left.steps);
        if plan.is_empty() {
            assert_eq!(left.steps, [], "it waits for something nobody makes");
            return ledger;
        }
        ledger = model.execute(&first_step(&plan), &ledger, OWNER);
    }
    panic!("the plan does not end");
}

#[test]
fn a_plan_is_whole_before_its_first_step() {
    let subject = hello(spec());
    let plan = whole(&subject, &Ledger::default(), &Model::default());
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.key.kind()).collect();
    assert_eq!(
        kinds,
        [
            "Service",
            "Group",
            "Backend",
            "Policy",
            "API",
            "Deployment",
            "Attachment",
            "Grant"
        ]
    );
    let shown = Published {
        steps: plan.steps.clone(),
        ..Published::default()
    };
    insta::assert_json_snapshot!(shown.status());
}

#[test]
fn one_approval_is_enough_for_a_new_load_balancer() {
    let subject = hello(spec());
    let mut model = Model::default();
    let plan = whole(&subject, &Ledger::default(), &model);
    let approval = Approval::of("h", &plan.steps);
    let ledger = carry_out(&subject, &approval, Ledger::default(), &mut model);
    assert_eq!(model.inventory.grants.len(), 1);
    assert_eq!(pass(&subject, &[&subject], &ledger, &model).1.steps, []);
}

#[test]
fn an_id_that_was_known_has_to_stay() {
    let subject = hello(spec());
    let mut model = Model::default();
    converge(&subject, &[&subject], Ledger::default(), &mut model);
    model.inventory = Default::default();
    let plan = whole(&subject, &Ledger::default(), &model);
    let approval = Approval::of("h", &plan.steps);
    for service in model.services.values_mut() {
        service.load_balancer_id = Some("lb-other".into());
    }
    let moved = whole(&subject, &Ledger::default(), &model);
    assert_eq!(moved.steps.len(), plan.steps.len());
    assert!(!approval.covers(&moved.steps));
}

/// As long as a consumer is not in the cloud, its permission and its own limit wait for it.
fn without_consumers(_: &Validated, mut references: References, _: &Settings) -> References {
    for state in references.consumers.values_mut() {
        *state = ConsumerState::NotReady;
    }
    references
}

#[test]
fn consumers_that_come_later_are_approved_by_name() {
    let mut spec = spec();
    spec["apiGateway"]["throttling"]["limits"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "its", "scope": "Consumer", "consumer": "knative", "requests": 30, "per": "Minute"}));
    let subject = hello(spec);
    let mut model = Model::default();
    let foresee = |meant: &Validated, references: References, settings: &Settings| {
        let references = without_consumers(meant, references, settings);
        foresee::references(meant, &references, settings)
    };
    let all = [&subject];
    let (_, plan) = pass_with(&subject, &all, &Ledger::default(), &model, &foresee);
    let approval = Approval::of("h", &plan.steps);
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        let (_, plan) = pass_with(&subject, &all, &ledger, &model, &without_consumers);
        assert!(approval.covers(&plan.steps), "{:#?}", plan.steps);
        ledger = model.execute(&plan, &ledger, OWNER);
    }
    assert_eq!(model.inventory.grants.len(), 0);
    carry_out(&subject, &approval, ledger, &mut model);
    let id = consumer_id(&crate::core::key::ConsumerKey {
        namespace: "default".into(),
        name: "knative".into(),
    });
    let grants = &model.inventory.grants;
    assert!(grants.keys().all(|key| key.consumer == id));
    assert_eq!(grants.len(), 1);
}

#[test]
fn the_hash_is_that_of_what_is_done_and_of_what_it_rests_on() {
    let subject = hello(spec());
    let model = Model::default();
    let steps = whole(&subject, &Ledger::default(), &model).steps;
    let before = plain(&steps);
    assert!(
        before.starts_with("sha256:") && before.len() == 71,
        "{before}"
    );

    let mut turned = steps.clone();
    turned.reverse();
    assert_eq!(plain(&turned), before, "the order follows from the rest");

    let other = |change: &dyn Fn(&mut Basis<'static>)| {
        let mut basis = basis();
        change(&mut basis);
        hash(&steps, |_| Found::default(), &basis)
    };
    let found = |found: Found| hash(&steps, |_| found.clone(), &basis());
    let moved = [
        ("fewer steps", plain(&steps[1..])),
        (
            "another id",
            found(Found {
                id: Some("x".into()),
                ..Found::default()
            }),
        ),
        (
            "another version",
            found(Found {
                version: Some("x".into()),
                ..Found::default()
            }),
        ),
        ("another cluster", other(&|basis| basis.cluster = "c2")),
        (
            "another account",
            other(&|basis| basis.place.account = Some("2".into())),
        ),
        (
            "another region",
            other(&|basis| basis.place.region = Some("s".into())),
        ),
        (
            "an approval before it",
            other(&|basis| basis.after = Some("x")),
        ),
        ("a deletion", other(&|basis| basis.deletion = true)),
    ];
    let mut seen = BTreeMap::from([(before, "itself")]);
    for (what, hash) in moved {
        let same = seen.insert(hash, what);
        assert_eq!(same, None, "{what} makes no difference");
    }
}

#[test]
fn what_was_there_before_is_part_of_the_hash_and_not_of_what_a_step_comes_to() {
    let mut wanted = spec();
    wanted["apiGateway"]["routes"][0]["path"] = json!({"prefix": "/other"});
    let (old, new) = (hello(spec()), hello(wanted));
    let mut model = Model::default();
    let ledger = converge(&old, &[&old], Ledger::default(), &mut model);
    let before = whole(&new, &ledger, &model).steps;
    let apis = model.inventory.apis.values().map(|api| {
        let mut api = api.clone();
        let spec = api.spec.as_mut().expect("it was read");
        Arc::make_mut(spec).backend.timeout_ms = 1;
        api
    });
    model.inventory.apis = apis.collect();
    let after = whole(&new, &ledger, &model).steps;
    assert_ne!(plain(&before), plain(&after));
    assert!(Approval::of("h", &before).covers(&after));
}

#[test]
fn only_what_was_approved_is_covered() {
    let subject = hello(spec());
    let model = Model::default();
    let steps = whole(&subject, &Ledger::default(), &model).steps;
    let approval = Approval::of("h", &steps);
    assert!(approval.covers(&steps) && approval.covers(&[]));
    assert_eq!(approval.check(&steps), Ok(()));

    let mut other = spec();
    other["apiGateway"]["routes"][0]["path"] = json!({"prefix": "/other"});
    other["apiGateway"]["throttling"]["limits"][0]["requests"] = json!(7000);
    other["apiGateway"]["auth"]["consumer"]["allow"][0]["until"] = json!("2028-01-01T00:00:00Z");
    let more = whole(&hello(other), &Ledger::default(), &model).steps;
    let kinds: Vec<&str> = more
        .iter()
        .filter(|step| !approval.covers(std::slice::from_ref(step)))
        .map(|step| step.key.kind())
        .collect();
    assert_eq!(
        kinds,
        ["Policy", "API", "Deployment", "Attachment", "Grant"]
    );
    let refused = approval.check(&more).unwrap_err();
    assert_eq!(refused.reason.as_str(), "ApprovalStale");

    let mut made = Model::default();
    let ledger = converge(&subject, &[&subject], Ledger::default(), &mut made);
    let nothing = super::plans::removal(&subject, &[], &ledger, &made).steps;
    for step in &nothing {
        assert!(!approval.covers(std::slice::from_ref(step)), "{step:?}");
    }
    assert!(nothing.len() >= 5, "{nothing:#?}");
}

#[test]
fn what_is_recorded_reads_back() {
    let steps = whole(&hello(spec()), &Ledger::default(), &Model::default()).steps;
    let approval = Approval::of(&plain(&steps), &steps);
    let status = PlanStatus {
        approved: Some(approval.record()),
        ..PlanStatus::default()
    };
    assert_eq!(Approval::recorded(&status), Some(approval));
    assert_eq!(Approval::recorded(&PlanStatus::default()), None);
}

#[test]
fn an_approval_counts_for_one_plan_and_once() {
    let steps = whole(&hello(spec()), &Ledger::default(), &Model::default()).steps;
    let (now, earlier) = (plain(&steps), plain(&steps[2..]));
    let approval = |hash: &str, steps: &[Step]| Verdict::Approved(Approval::of(hash, steps));
    let under_way = |hash: &str, steps: &[Step]| PlanStatus {
        approved: Some(Approval::of(hash, steps).record()),
        ..PlanStatus::default()
    };
    let completed = PlanStatus {
        completed: Some(now.clone()),
        ..PlanStatus::default()
    };
    let (whole, left) = (under_way(&now, &steps), &steps[3..]);
    let part = under_way(&earlier, &steps[2..]);
    for (what, wanted, status, steps, hash, expected) in [
        (
            "nothing approved",
            None,
            None,
            &steps[..],
            Some(&now),
            Verdict::Unapproved,
        ),
        (
            "this one",
            Some(&now),
            None,
            &steps[..],
            Some(&now),
            approval(&now, &steps),
        ),
        (
            "another one",
            Some(&earlier),
            None,
            &steps[..],
            Some(&now),
            Verdict::Stale,
        ),
        (
            "not all could be read",
            Some(&now),
            None,
            &steps[..],
            None,
            Verdict::Stale,
        ),
        (
            "the rest",
            Some(&now),
            Some(&whole),
            left,
            Some(&earlier),
            approval(&now, &steps),
        ),
        (
            "the rest, half read",
            Some(&now),
            Some(&whole),
            left,
            None,
            approval(&now, &steps),
        ),
        (
            "it is done",
            Some(&now),
            Some(&whole),
            &[],
            None,
            approval(&now, &steps),
        ),
        (
            "more than was approved",
            Some(&earlier),
            Some(&part),
            &steps[..],
            Some(&now),
            Verdict::Stale,
        ),
        (
            "taken back half-way",
            None,
            Some(&whole),
            left,
            Some(&earlier),
            Verdict::Unapproved,
        ),
        (
            "the next one",
            Some(&now),
            Some(&part),
            &steps[..],
            Some(&now),
            approval(&now, &steps),
        ),
        (
            "carried out before",
            Some(&now),
            Some(&completed),
            &steps[..],
            Some(&now),
            Verdict::Unapproved,
        ),
        (
            "nothing to do",
            Some(&earlier),
            None,
            &[],
            None,
            Verdict::Unapproved,
        ),
    ] {
        let hash = hash.map(String::as_str);
        let verdict = judge(wanted.map(String::as_str), status, steps, hash);
        assert_eq!(verdict, expected, "{what}");
    }
}

#[test]
fn long_values_are_cut() {
    let mut steps = whole(&hello(spec()), &Ledger::default(), &Model::default()).steps;
    for step in &mut steps {
        if let crate::core::plan::Operation::CreateGroup(spec) = &mut step.operation {
            spec.description = "ä".repeat(600);
        }
    }
    let shown = Published {
        steps,
        ..Published::default()
    };
    let plan = shown.status();
    let group = plan
        .steps
        .iter()
        .find(|step| step.object.contains("/Group/"));
    let description = group
        .unwrap()
        .fields
        .iter()
        .find(|field| field.path == "description");
    let text = description.unwrap().to.clone().unwrap();
    assert_eq!(text.chars().count(), crds::v1alpha1::PlanField::MAX_VALUE);
    assert!(text.ends_with('…'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever a binding was and becomes: an approved plan comes to its end from every crash.
    #[test]
    fn an_approved_plan_goes_on_after_every_step(specs in proptest::collection::vec(any_spec(), 1..4)) {
        let mut model = Model::default();
        let mut ledger = Ledger::default();
        for spec in specs {
            let subject = hello(spec);
            let plan = whole(&subject, &ledger, &model);
            let approval = Approval::of(&plain(&plan.steps), &plan.steps);
            ledger = carry_out(&subject, &approval, ledger, &mut model);
        }
    }
}
