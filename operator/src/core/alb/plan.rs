//! What a binding with an ALB would have written, for `mode: Plan` and the `plan` command: the class
//! annotation of its Knative Service, and rules of its `alb` block.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    BindingAlb, GatewayBinding, NamespacedName, PlanAction, PlanField, PlanStatus, PlanStep,
    PlanSummary, RevisionRule,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::binding::{AlbBinding, alb_digest, entry, ledger_entry, moved};
use super::kingress::CLASS_OF_SERVICE;
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

/// What would be written when a binding goes: each of these Knative Services that it moved is put back.
/// Its rules go with that.
pub fn removal(found: &BTreeMap<NamespacedName, Annotation>) -> Vec<PlanStep> {
    let ours = found.iter().filter(|(_, annotation)| annotation.ours);
    ours.map(|(service, annotation)| annotate(service, annotation, None))
        .collect()
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

/// What is planned, for status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The steps.
    pub steps: Vec<PlanStep>,
    /// Hash of what the binding asks, while there is something to do for it.
    pub hash: Option<String>,
    /// Hash of what was approved and carried out last.
    pub completed: Option<String>,
}

/// What an approval comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none, or what it was for is done.
    Unapproved,
    /// It is for something else.
    Stale,
    /// It is for what the binding asks now.
    Approved,
}

/// The hash of what a binding asks: its Knative Service, the class that gets, and its whole `alb` block.
/// It stays the same while that is carried out. `after` is the one that was carried out last, so that
/// the same, wanted once more, is another one.
pub fn hash(valid: &AlbBinding, binding: &GatewayBinding, after: Option<&str>) -> String {
    let service = entry(&valid.service).key;
    digest_of(&json!([
        "alb",
        1,
        service,
        valid.ingress_class,
        binding.spec.alb,
        after
    ]))
}

/// The hash of the removal of a binding that moved these Knative Services. Like [`hash`] it stays the same
/// while that is carried out.
pub fn hash_of_removal(services: &[NamespacedName], after: Option<&str>) -> String {
    let mut services: Vec<String> = services.iter().map(|service| entry(service).key).collect();
    services.sort();
    digest_of(&json!(["alb removal", 1, services, after]))
}

fn digest_of(asked: &Value) -> String {
    let digest = Sha256::digest(asked.to_string().as_bytes());
    format!("sha256:{}", hex::encode(digest))
}

/// What `spec.approvedPlan` comes to, for a plan with this hash and so many steps.
pub fn judge(approved: Option<&str>, completed: Option<&str>, hash: &str, steps: usize) -> Verdict {
    match approved {
        Some(approved) if approved == hash => Verdict::Approved,
        Some(approved) if completed != Some(approved) && steps > 0 => Verdict::Stale,
        _ => Verdict::Unapproved,
    }
}

/// The plan as status has it.
pub fn status(planned: Planned, blockers: Vec<String>) -> PlanStatus {
    let Planned {
        steps,
        hash,
        completed,
    } = planned;
    PlanStatus {
        hash: hash.filter(|_| !steps.is_empty()),
        summary: PlanSummary {
            update: i32::try_from(steps.len()).unwrap_or(i32::MAX),
            ..PlanSummary::default()
        },
        steps_omitted: omitted(steps.len(), PlanStatus::MAX_STEPS),
        steps: steps.into_iter().take(PlanStatus::MAX_STEPS).collect(),
        blockers,
        completed,
        ..PlanStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alb::binding::claim;
    use crds::v1alpha1::{GatewayBindingStatus, Mode};

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
        let planned = Planned {
            steps: found,
            hash: Some("sha256:a".to_owned()),
            completed: None,
        };
        let status = status(planned, Vec::new());
        assert_eq!(status.summary.update, 2);
        assert_eq!(status.hash.as_deref(), Some("sha256:a"));
    }

    /// One approval covers what is left after a crash, and nothing else.
    #[test]
    fn an_approval_is_for_what_is_asked() {
        let binding = binding(rules());
        let first = hash(&valid(), &binding, None);
        let mut claimed = binding.clone();
        claimed.status = Some(GatewayBindingStatus {
            ledger: vec![claim(&service("hello"), &binding)],
            ..GatewayBindingStatus::default()
        });
        assert_eq!(hash(&valid(), &claimed, None), first, "half of it is done");
        let mut others = vec![hash(&valid(), &binding, Some(&first))];
        let mut changed = binding.clone();
        changed.spec.alb = None;
        others.push(hash(&valid(), &changed, None));
        let class = AlbBinding {
            ingress_class: "other.example.com".to_owned(),
            ..valid()
        };
        others.push(hash(&class, &binding, None));
        let moved = AlbBinding {
            service: service("other"),
            ..valid()
        };
        others.push(hash(&moved, &binding, None));
        for other in &others {
            assert_ne!(*other, first);
            assert_eq!(judge(Some(&first), None, other, 1), Verdict::Stale);
        }
        assert_eq!(judge(None, None, &first, 1), Verdict::Unapproved);
        for steps in [0, 2] {
            assert_eq!(judge(Some(&first), None, &first, steps), Verdict::Approved);
            let next = hash(&valid(), &binding, Some(&first));
            let done = judge(Some(&first), Some(&first), &next, steps);
            assert_eq!(
                done,
                Verdict::Unapproved,
                "it is done, and covers nothing later"
            );
        }
    }

    #[test]
    fn an_approval_of_a_removal_is_for_the_services_that_are_put_back() {
        let found = BTreeMap::from([
            (service("hello"), here(Some("alb.example.com"), true)),
            (service("other"), here(Some("x.example.com"), false)),
        ]);
        let steps = removal(&found);
        assert_eq!(steps.len(), 1, "what others wrote is left");
        assert_eq!(steps[0].object, "kubernetes/KnativeService/gray/hello");
        assert_eq!(steps[0].fields[0].to, None);
        let both = [service("hello"), service("other")];
        let one = hash_of_removal(&both[..1], None);
        assert_ne!(hash_of_removal(&both, None), one);
        assert_ne!(hash_of_removal(&both[..1], Some(&one)), one);
        assert_ne!(hash(&valid(), &binding(rules()), None), one);
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
