//! What a binding with an ALB would have written, for `mode: Plan` and the `plan` command: the class
//! annotation of its Knative Service, and rules of its `alb` block.

use crds::v1alpha1::{
    BindingAlb, GatewayBinding, NamespacedName, PlanAction, PlanField, PlanStatus, PlanStep,
    PlanSummary, Reason, RevisionRule,
};

use super::binding::{AlbBinding, alb_digest, entry, ledger_entry, moved};
use super::kingress::CLASS_OF_SERVICE;
use crate::core::problem::Problem;
use crate::core::published::omitted;

/// The class annotation of a Knative Service, as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    /// Its value, if it is there.
    pub value: Option<String>,
    /// Whether the operator wrote it.
    pub ours: bool,
}

/// What would be written for a binding. `found` says what is there of a Knative Service.
pub fn steps(
    valid: &AlbBinding,
    binding: &GatewayBinding,
    found: impl Fn(&NamespacedName) -> Annotation,
) -> Vec<PlanStep> {
    let mut steps = Vec::new();
    for left in moved(binding) {
        let before = found(&left);
        if left != valid.service && before.ours {
            steps.push(annotate(&left, &before, None));
        }
    }
    let before = found(&valid.service);
    let wanted = Some(valid.ingress_class.as_str());
    if before.value.as_deref() != wanted || !before.ours {
        steps.push(annotate(&valid.service, &before, wanted));
    }
    steps.extend(rules(valid, binding));
    steps
}

fn annotate(service: &NamespacedName, before: &Annotation, to: Option<&str>) -> PlanStep {
    let foreign = before.value.is_some() && !before.ours && before.value.as_deref() != to;
    PlanStep {
        action: PlanAction::Update,
        object: entry(service).key,
        fields: vec![PlanField {
            path: format!("metadata.annotations[{CLASS_OF_SERVICE}]"),
            from: before.value.clone(),
            to: to.map(str::to_owned),
        }],
        fields_omitted: None,
        risk: foreign.then(|| {
            "somebody else wrote this annotation: it is not taken over, so remove it first"
                .to_owned()
        }),
    }
}

/// The rules of the `alb` block, unless they are what is in force.
fn rules(valid: &AlbBinding, binding: &GatewayBinding) -> Option<PlanStep> {
    let in_force = ledger_entry(binding).and_then(|entry| entry.applied.as_deref());
    let rules = |alb: &BindingAlb| alb.revision_rules.clone();
    let rules = binding.spec.alb.as_ref().and_then(rules);
    let rules = rules.unwrap_or_default();
    let is_new = in_force != Some(alb_digest(binding).as_str());
    let had_some = in_force.is_some();
    if !is_new || rules.is_empty() && !had_some {
        return None;
    }
    let shown = rules.iter().take(PlanStep::MAX_FIELDS).map(field);
    Some(PlanStep {
        action: PlanAction::Update,
        object: format!(
            "kubernetes/KnativeIngress/{}/{}",
            valid.service.namespace, valid.service.name
        ),
        fields: shown.collect(),
        fields_omitted: omitted(rules.len(), PlanStep::MAX_FIELDS),
        risk: rules
            .is_empty()
            .then(|| "the rules that are in force go".to_owned()),
    })
}

fn field(rule: &RevisionRule) -> PlanField {
    let to = rule
        .revision
        .as_ref()
        .map(|name| format!("revision {name}"));
    let tag = || rule.tag.as_ref().map(|name| format!("tag {name}"));
    let headers = rule.headers.iter().flatten();
    let headers = headers.map(|one| format!("header {}={}", one.name, one.value));
    let cookies = rule.cookies.iter().flatten();
    let cookies = cookies.map(|one| format!("cookie {}={}", one.name, one.value));
    let asks: Vec<String> = headers.chain(cookies).collect();
    let text = format!(
        "{} for {}",
        to.or_else(tag).unwrap_or_default(),
        asks.join(" and ")
    );
    PlanField {
        path: format!("revisionRules[{}]", rule.name),
        from: None,
        to: Some(text.chars().take(PlanField::MAX_VALUE).collect()),
    }
}

/// The plan as status has it. It has no hash: what a binding with an ALB writes is done by setting its
/// mode, not by approving one plan.
pub fn status(steps: Vec<PlanStep>, blockers: Vec<String>) -> PlanStatus {
    PlanStatus {
        summary: PlanSummary {
            update: i32::try_from(steps.len()).unwrap_or(i32::MAX),
            ..PlanSummary::default()
        },
        steps_omitted: omitted(steps.len(), PlanStatus::MAX_STEPS),
        steps: steps.into_iter().take(PlanStatus::MAX_STEPS).collect(),
        blockers,
        ..PlanStatus::default()
    }
}

/// That something is planned; none: nothing is.
pub fn problem(steps: usize) -> Option<Problem> {
    let planned = match steps {
        0 => return None,
        1 => "1 step is planned".to_owned(),
        steps => format!("{steps} steps are planned"),
    };
    let words = format!(
        "spec.mode is Plan: {planned}, see status.plan. Nothing is written. Set mode: Apply to have it done; with an ALB, single plans are not approved."
    );
    Some(Problem::blocked(Reason::PlanOnly, words).waiting_for_a_person())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alb::binding::claim;
    use crds::v1alpha1::{GatewayBindingStatus, Mode};
    use serde_json::{Value, json};

    fn valid() -> AlbBinding {
        AlbBinding {
            gateway: "alb".to_owned(),
            ingress_class: "alb.example.com".to_owned(),
            service: service("hello"),
            mode: Mode::Plan,
        }
    }

    fn service(name: &str) -> NamespacedName {
        NamespacedName {
            namespace: "gray".to_owned(),
            name: name.to_owned(),
        }
    }

    fn binding(alb: Value) -> GatewayBinding {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "hello", "namespace": "gray"},
            "spec": {"mode": "Plan", "serviceRef": {"kind": "KnativeService", "name": "hello"}, "alb": alb},
        }))
        .unwrap()
    }

    fn rules() -> Value {
        json!({"revisionRules": [{"name": "testers", "revision": "hello-00001",
            "headers": [{"name": "demo", "value": "test"}], "cookies": [{"name": "a", "value": "b"}]}]})
    }

    fn here(value: Option<&str>, ours: bool) -> Annotation {
        Annotation {
            value: value.map(str::to_owned),
            ours,
        }
    }

    #[test]
    fn the_annotation_and_the_rules_are_what_is_planned() {
        let found = steps(&valid(), &binding(rules()), |_| here(None, false));
        let [annotation, rules] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(annotation.object, "kubernetes/KnativeService/gray/hello");
        let field = &annotation.fields[0];
        assert_eq!(
            (field.path.as_str(), &field.from, field.to.as_deref()),
            (
                "metadata.annotations[networking.knative.dev/ingress-class]",
                &None,
                Some("alb.example.com")
            )
        );
        assert_eq!(
            rules.fields[0].to.as_deref(),
            Some("revision hello-00001 for header demo=test and cookie a=b")
        );
        let status = status(found, Vec::new());
        assert_eq!((status.summary.update, status.hash), (2, None));
    }

    #[test]
    fn what_is_in_force_is_not_planned_again() {
        let mut binding = binding(rules());
        binding.status = Some(GatewayBindingStatus {
            ledger: vec![claim(&service("hello"), &binding)],
            ..GatewayBindingStatus::default()
        });
        let there = here(Some("alb.example.com"), true);
        assert_eq!(steps(&valid(), &binding, |_| there.clone()), []);
        assert_eq!(problem(0), None);
        binding.spec.alb = None;
        let gone = steps(&valid(), &binding, |_| there.clone());
        assert_eq!(
            gone[0].risk.as_deref(),
            Some("the rules that are in force go")
        );
    }

    #[test]
    fn a_service_that_it_leaves_is_put_back_and_what_others_wrote_is_told() {
        let mut binding = binding(rules());
        binding.spec.alb = None;
        binding.status = Some(GatewayBindingStatus {
            ledger: vec![entry(&service("before"))],
            ..GatewayBindingStatus::default()
        });
        let found = steps(&valid(), &binding, |other| {
            here(Some("x.example.com"), other.name == "before")
        });
        assert_eq!(found[0].object, "kubernetes/KnativeService/gray/before");
        assert_eq!((&found[0].fields[0].to, &found[0].risk), (&None, &None));
        assert!(found[1].risk.as_deref().unwrap().contains("somebody else"));
    }
}
