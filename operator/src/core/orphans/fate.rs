//! What became of the things that an object claimed when the object went: the proof that one may
//! be collected.
//!
//! It is taken from the object as it was last seen, when the API server tells that it is gone. So it
//! knows of the policy that was in force, of the annotation, and of what the ledger named. What
//! merely misses in a list, as after a restore, leaves no proof.

use crds::keys;
use crds::v1alpha1::{
    DeletionPolicy, GatewayBinding, GatewayBindingClassSpec, GatewayConsumer, Mode, OrphanCause,
};
use kube::ResourceExt;

/// What an object that is gone says of what it claimed. `class` is its class, as far as it is known.
pub fn of_binding(
    binding: &GatewayBinding,
    class: Option<&GatewayBindingClassSpec>,
) -> OrphanCause {
    let own = binding.spec.deletion_policy;
    if is_detached(binding) || own == Some(DeletionPolicy::Retain) {
        return OrphanCause::Retained;
    }
    // The default of a class that is not known could have been Retain.
    let policy = match (own, class) {
        (Some(policy), _) => policy,
        (None, Some(class)) => binding.spec.deletion_policy(Some(class)),
        (None, None) => return OrphanCause::Unknown,
    };
    match policy {
        DeletionPolicy::Retain => OrphanCause::Retained,
        // With Plan and Suspend nothing was to be removed, and nobody says what was meant.
        DeletionPolicy::Delete if binding.spec.mode() == Mode::Apply => OrphanCause::OwnerLost,
        DeletionPolicy::Delete => OrphanCause::Unknown,
    }
}

/// The same of a consumer, which has no policy.
pub fn of_consumer(consumer: &GatewayConsumer) -> OrphanCause {
    if is_detached(consumer) {
        OrphanCause::Retained
    } else {
        OrphanCause::OwnerLost
    }
}

fn is_detached(object: &impl ResourceExt) -> bool {
    let detach = object.annotations().get(keys::DETACH);
    detach.is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn binding(spec: Value, detach: Option<&str>) -> GatewayBinding {
        let mut all = json!({"serviceRef": {"kind": "KnativeService", "name": "s"}});
        for (field, value) in spec.as_object().unwrap() {
            all[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "b", "namespace": "n",
                "annotations": detach.map(|value| json!({keys::DETACH: value}))},
            "spec": all,
        }))
        .unwrap()
    }

    fn class(policy: Option<&str>) -> GatewayBindingClassSpec {
        serde_json::from_value(json!({"defaults": {"deletionPolicy": policy}})).unwrap()
    }

    #[test]
    fn only_what_was_to_be_removed_was_lost() {
        use OrphanCause::{OwnerLost, Retained, Unknown};
        let (plain, retaining) = (class(None), class(Some("Retain")));
        for (spec, detach, class, expected) in [
            (json!({}), None, Some(&plain), OwnerLost),
            (json!({}), None, Some(&retaining), Retained),
            (json!({}), None, None, Unknown),
            (json!({"deletionPolicy": "Delete"}), None, None, OwnerLost),
            (
                json!({"deletionPolicy": "Delete"}),
                None,
                Some(&retaining),
                OwnerLost,
            ),
            (
                json!({"deletionPolicy": "Retain"}),
                None,
                Some(&plain),
                Retained,
            ),
            (json!({"deletionPolicy": "Retain"}), None, None, Retained),
            (json!({}), Some("true"), Some(&plain), Retained),
            (json!({}), Some("true"), None, Retained),
            (json!({}), Some("false"), Some(&plain), OwnerLost),
            (json!({"mode": "Suspend"}), None, Some(&plain), Unknown),
            (json!({"mode": "Plan"}), None, Some(&plain), Unknown),
            (
                json!({"mode": "Suspend", "deletionPolicy": "Retain"}),
                None,
                Some(&plain),
                Retained,
            ),
        ] {
            let found = of_binding(&binding(spec.clone(), detach), class);
            assert_eq!(found, expected, "{spec} {detach:?} {class:?}");
        }
    }

    #[test]
    fn a_consumer_that_was_detached_left_its_apps_on_purpose() {
        for (value, expected) in [
            (None, OrphanCause::OwnerLost),
            (Some("true"), OrphanCause::Retained),
            (Some("no"), OrphanCause::OwnerLost),
        ] {
            let consumer: GatewayConsumer = serde_json::from_value(json!({
                "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
                "metadata": {"name": "c", "namespace": "n",
                    "annotations": value.map(|value| json!({keys::DETACH: value}))},
                "spec": {"credentials": []},
            }))
            .unwrap();
            assert_eq!(of_consumer(&consumer), expected, "{value:?}");
        }
    }
}
