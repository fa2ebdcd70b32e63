//! The decisions about a consumer: who may name it, where in the cloud it has to be, what its
//! credentials are, and the steps from what is there to that.
//!
//! What the operator does not know it leaves alone. A credential in the cloud is removed if its
//! kind is listed in the spec or was when the operator last wrote there, and if every listed
//! credential of the kind has a known value: otherwise the one to keep could not be told from the
//! one to remove. API Gateway makes a credential of each kind when it creates an app; the one of a
//! kind that was never listed is nobody's, and stays. On an app that others made and the consumer
//! adopts, whatever the operator did not add itself stays.

pub mod adoption;
pub mod claims;
pub mod credentials;
pub mod drift;
pub mod places;
pub mod status;
pub mod steps;

use std::collections::BTreeMap;

use crds::v1alpha1::{ConsumerNamespacesFrom, GatewayConsumer, NamespacedName, Reason};
use kube::ResourceExt;

use super::class;
use super::problem::Problem;

/// The longest owner that an ownership marker holds (CloudAPI CreateApp, `Tag.N.Value`).
const LONGEST_OWNER: usize = 128;

/// Namespace and name.
pub fn name_of(consumer: &GatewayConsumer) -> NamespacedName {
    NamespacedName {
        namespace: consumer.namespace().unwrap_or_default(),
        name: consumer.name_any(),
    }
}

/// The owner of what a consumer has, as markers and the annotation `created-for` spell it.
pub fn owner(consumer: &NamespacedName) -> String {
    format!("GatewayConsumer/{consumer}")
}

/// What of a consumer the cloud could not hold.
pub fn check(consumer: &NamespacedName) -> Result<(), Problem> {
    let owner = owner(consumer);
    if owner.len() <= LONGEST_OWNER {
        return Ok(());
    }
    Err(Problem::rejected(
        Reason::NameTooLong,
        format!(
            "the mark of ownership in the cloud would be \"{owner}\", which has {} characters; {LONGEST_OWNER} are possible. Give the consumer a shorter name.",
            owner.len()
        ),
    ))
}

/// Whether bindings of a namespace with these labels may name the consumer.
pub fn lets_in(
    consumer: &GatewayConsumer,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    let own = consumer.namespace().as_deref() == Some(namespace);
    match consumer.spec.namespaces_from() {
        ConsumerNamespacesFrom::Same => own,
        ConsumerNamespacesFrom::All => true,
        ConsumerNamespacesFrom::Selector => {
            let allowed = consumer.spec.allowed_namespaces.as_ref();
            own || class::matches(
                allowed.and_then(|allowed| allowed.selector.as_ref()),
                labels,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn consumer(allowed: Value) -> GatewayConsumer {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": "acme", "namespace": "partners"},
            "spec": {"allowedNamespaces": allowed, "credentials": []},
        }))
        .unwrap()
    }

    #[test]
    fn its_own_namespace_and_those_it_names_are_let_in() {
        let shop = BTreeMap::from([("tenant".to_owned(), "shop".to_owned())]);
        let none = BTreeMap::new();
        let selector = json!({"from": "Selector", "selector": {"matchLabels": {"tenant": "shop"}}});
        let malformed = json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "tenant", "operator": "Resembles"}]}});
        for (allowed, namespace, labels, expected) in [
            (Value::Null, "partners", &none, true),
            (Value::Null, "other", &shop, false),
            (json!({"from": "Same"}), "other", &shop, false),
            (json!({"from": "All"}), "other", &none, true),
            (selector.clone(), "other", &shop, true),
            (selector.clone(), "other", &none, false),
            (selector, "partners", &none, true),
            (malformed, "other", &shop, false),
        ] {
            assert_eq!(
                lets_in(&consumer(allowed.clone()), namespace, labels),
                expected,
                "{allowed} for {namespace} with {labels:?}"
            );
        }
    }

    #[test]
    fn an_owner_that_no_tag_holds_is_refused() {
        let name = |namespace: usize, name: usize| NamespacedName {
            namespace: "n".repeat(namespace),
            name: "c".repeat(name),
        };
        assert_eq!(check(&name(48, 63)), Ok(()));
        let problem = check(&name(49, 63)).unwrap_err();
        assert_eq!(problem.reason, Reason::NameTooLong);
        assert!(problem.message.contains("129"), "{}", problem.message);
    }
}
