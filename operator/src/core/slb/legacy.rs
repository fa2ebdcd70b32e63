//! Annotations under keys of old, which say something only as long as the key of today is not there.

use super::{LEGACY_PREFIX, key};
use crate::core::observed::ServiceState;
use crate::core::plan::{Operation, Step};

/// What a person should know of the keys of old on a Service, once `steps` are taken: each that is masked by
/// the key of today, and what becomes of it. One that says the same says nothing else when it counts again.
pub fn masked(service: &ServiceState, steps: &[Step]) -> Vec<String> {
    let service = after(service.clone(), steps);
    let older = service.annotations.iter();
    let older = older.filter_map(|(older, said)| {
        let name = older
            .strip_prefix(LEGACY_PREFIX)
            .filter(|_| !said.is_empty())?;
        let key = key(name);
        let counts = service
            .annotations
            .get(&key)
            .filter(|counts| *counts != said)?;
        let ours = service.our_annotations.contains(&key);
        let then = match ours {
            true => {
                "it counts again when no setting says it any more. Remove it if it is not meant to"
            }
            false => "it counts again when that is removed. Remove it if it is not meant to",
        };
        Some(format!(
            "annotation {older} says \"{said}\" and is masked by {key} \"{counts}\": {then}."
        ))
    });
    older.collect()
}

/// The Service as steps leave it.
fn after(mut service: ServiceState, steps: &[Step]) -> ServiceState {
    for step in steps {
        let Operation::ApplyService { annotations, .. } = &step.operation else {
            continue;
        };
        for ours in std::mem::take(&mut service.our_annotations) {
            service.annotations.remove(&ours);
        }
        service.our_annotations = annotations.keys().cloned().collect();
        service.annotations.extend(annotations.clone());
    }
    service
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::key::ObjectKey;
    use crate::core::slb::facts::{older, service};

    #[test]
    fn a_key_of_old_that_would_come_back_is_told() {
        let says = [
            (older("spec"), "slb.s1.small"),
            (key("spec"), "slb.s2.small"),
            (older("cookie"), "c"),
            (key("cookie"), ""),
            (older("name"), "same"),
            (key("name"), "same"),
            (older("scheduler"), "rr"),
        ];
        let told = masked(&service(&says, &["spec"]), &[]);
        let [cookie, spec] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert!(cookie.contains("when that is removed"), "{cookie}");
        for word in [
            "alicloud-loadbalancer-spec says \"slb.s1.small\"",
            "alibaba-cloud-loadbalancer-spec \"slb.s2.small\"",
            "when no setting says it",
        ] {
            assert!(spec.contains(word), "no {word:?} in {spec}");
        }
    }

    #[test]
    fn what_counts_is_not_told() {
        assert_eq!(masked(&service(&[(older("spec"), "x")], &[]), &[]), [""; 0]);
    }

    #[test]
    fn a_plan_tells_what_it_will_mask() {
        let step = |key: String, value: &str| Step {
            key: ObjectKey::Service {
                namespace: "n".into(),
                name: "s".into(),
            },
            operation: Operation::ApplyService {
                shape: None,
                annotations: [(key, value.to_owned())].into(),
                takeover: false,
            },
            changes: Vec::new(),
        };
        let says = [(older("spec"), "x"), (key("name"), "ours")];
        let service = service(&says, &["name"]);
        let told = masked(&service, &[step(key("spec"), "y")]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("when no setting says it"), "{told:?}");
        assert_eq!(masked(&service, &[step(key("name"), "y")]), [""; 0]);
    }
}
