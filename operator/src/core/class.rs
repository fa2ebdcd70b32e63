//! Which class a binding belongs to, and whether namespaces may use what it offers.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AllowedNamespaces, GatewayBinding, GatewayBindingClass, NamespacesFrom, Reason,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use super::problem::Problem;
use super::unreadable;

/// The class of a binding: the one its spec names, else the one it was given before (a new default
/// class moves no existing binding), else the only default class.
pub fn resolve<'a>(
    binding: &GatewayBinding,
    classes: impl IntoIterator<Item = &'a GatewayBindingClass>,
) -> Result<&'a GatewayBindingClass, Problem> {
    if let Some(problem) = unreadable::problem(binding) {
        return Err(problem);
    }
    let class = find(binding, classes)?;
    if unreadable::why(class).is_some() {
        let name = class.name_any();
        return Err(Problem::unresolved(
            Reason::ClassNotReady,
            format!("GatewayBindingClass \"{name}\" cannot be read by this version of the operator. Correct what its own status names, or run the version that wrote it."),
        )
        .about_acceptance());
    }
    Ok(class)
}

fn find<'a>(
    binding: &GatewayBinding,
    classes: impl IntoIterator<Item = &'a GatewayBindingClass>,
) -> Result<&'a GatewayBindingClass, Problem> {
    let classes: Vec<&GatewayBindingClass> = classes.into_iter().collect();
    let settled = binding
        .status
        .as_ref()
        .and_then(|status| status.class_name.as_deref());
    if let Some(name) = binding.spec.class_name.as_deref().or(settled) {
        return classes
            .into_iter()
            .find(|class| class.name_any() == name)
            .ok_or_else(|| {
                Problem::unresolved(
                    Reason::ClassNotFound,
                    format!("spec.className: there is no GatewayBindingClass \"{name}\". Create it, or name another one."),
                )
                .about_acceptance()
            });
    }
    let defaults: Vec<&GatewayBindingClass> = classes
        .into_iter()
        .filter(|class| is_default(class))
        .collect();
    match defaults.as_slice() {
        [class] => Ok(class),
        [] => Err(Problem::unresolved(
            Reason::NoDefaultClass,
            format!(
                "spec.className is not set and no GatewayBindingClass is the default. Set it, or annotate a class with {}: \"true\".",
                crds::keys::IS_DEFAULT_CLASS
            ),
        )
        .about_acceptance()),
        several => {
            let mut names: Vec<String> = several.iter().map(|class| class.name_any()).collect();
            names.sort();
            Err(Problem::unresolved(
                Reason::AmbiguousDefaultClass,
                format!(
                    "spec.className is not set and several classes are the default: {}. Set it, or leave the annotation {} on one of them.",
                    names.join(", "),
                    crds::keys::IS_DEFAULT_CLASS
                ),
            )
            .about_acceptance())
        }
    }
}

/// The class of a binding whose status was lost, and with it what it was given. A default class that
/// is on its way out is no longer given to anybody, and is still the one that it had.
pub fn of_lost<'a>(
    binding: &GatewayBinding,
    classes: &[&'a GatewayBindingClass],
) -> Option<&'a GatewayBindingClass> {
    if let Ok(class) = resolve(binding, classes.iter().copied()) {
        return Some(class);
    }
    let mut marked = classes.iter().filter(|class| is_marked_default(class));
    match (
        binding.spec.class_name.as_ref(),
        marked.next(),
        marked.next(),
    ) {
        (None, Some(only), None) => Some(only),
        _ => None,
    }
}

fn is_default(class: &GatewayBindingClass) -> bool {
    is_marked_default(class) && class.metadata.deletion_timestamp.is_none()
}

fn is_marked_default(class: &GatewayBindingClass) -> bool {
    let mark = class.annotations().get(crds::keys::IS_DEFAULT_CLASS);
    mark.is_some_and(|value| value == "true")
}

/// Whether a namespace with these labels is let in. No rule lets all in; a selector that cannot
/// be read lets nobody in.
pub fn allows(rule: Option<&AllowedNamespaces>, labels: &BTreeMap<String, String>) -> bool {
    match rule {
        None => true,
        Some(rule) => match rule.from {
            NamespacesFrom::All => true,
            NamespacesFrom::Selector => matches(rule.selector.as_ref(), labels),
        },
    }
}

/// Whether a label selector selects these labels; a missing or malformed one selects nothing.
pub fn matches(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> bool {
    selector
        .and_then(|selector| Selector::try_from(selector.clone()).ok())
        .is_some_and(|selector| selector.matches(labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    fn class(name: &str, default: bool) -> GatewayBindingClass {
        let mut class = GatewayBindingClass::new(name, Default::default());
        if default {
            class
                .annotations_mut()
                .insert(crds::keys::IS_DEFAULT_CLASS.into(), "true".into());
        }
        class
    }

    fn binding(class_name: Option<&str>, settled: Option<&str>) -> GatewayBinding {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "b", "namespace": "n"},
            "spec": {"serviceRef": {"kind": "KnativeService", "name": "s"}, "className": class_name},
            "status": {"className": settled},
        }))
        .unwrap()
    }

    #[test]
    fn the_spec_wins_then_what_was_settled_then_the_default() {
        let classes = [class("a", true), class("b", false), class("c", false)];
        let name =
            |binding: &GatewayBinding| resolve(binding, &classes).map(|class| class.name_any());
        assert_eq!(name(&binding(Some("b"), Some("c"))), Ok("b".into()));
        assert_eq!(name(&binding(None, Some("c"))), Ok("c".into()));
        assert_eq!(name(&binding(None, None)), Ok("a".into()));
    }

    #[test]
    fn a_binding_that_lost_its_status_still_has_its_class() {
        let mut leaving = class("a", true);
        leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        let name = |classes: &[&GatewayBindingClass], named| {
            of_lost(&binding(named, None), classes).map(|class| class.name_any())
        };
        let (b, c) = (class("b", false), class("c", true));
        assert_eq!(name(&[&leaving, &b], None).as_deref(), Some("a"));
        assert_eq!(name(&[&leaving, &b], Some("b")).as_deref(), Some("b"));
        assert_eq!(name(&[&leaving, &b], Some("x")), None);
        // The one that is given away now, as for any other.
        assert_eq!(name(&[&leaving, &c], None).as_deref(), Some("c"));
    }

    #[test]
    fn what_cannot_be_resolved_says_why() {
        let two = [class("a", true), class("b", true)];
        let reason = |result: Result<&GatewayBindingClass, Problem>| result.unwrap_err().reason;
        assert_eq!(
            reason(resolve(&binding(None, None), &two)),
            Reason::AmbiguousDefaultClass
        );
        assert_eq!(
            reason(resolve(&binding(None, None), &[class("a", false)])),
            Reason::NoDefaultClass
        );
        assert_eq!(
            reason(resolve(&binding(Some("x"), None), &two)),
            Reason::ClassNotFound
        );
    }

    #[test]
    fn a_selector_that_cannot_be_read_lets_nobody_in() {
        let labels = BTreeMap::from([("tenant".to_owned(), "shop".to_owned())]);
        let rule = |selector: serde_json::Value| -> AllowedNamespaces {
            serde_json::from_value(json!({"from": "Selector", "selector": selector})).unwrap()
        };
        assert!(allows(None, &labels));
        assert!(allows(
            Some(&rule(json!({"matchLabels": {"tenant": "shop"}}))),
            &labels
        ));
        assert!(!allows(
            Some(&rule(json!({"matchLabels": {"tenant": "pay"}}))),
            &labels
        ));
        let bad = json!({"matchExpressions": [{"key": "tenant", "operator": "Resembles"}]});
        assert!(!allows(Some(&rule(bad)), &labels));
    }
}
