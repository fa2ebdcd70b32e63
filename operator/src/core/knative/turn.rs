//! Which class may switch Knative over. There is one Knative: the oldest class that wants to has it.

use crds::v1alpha1::GatewayBindingClass;
use kube::ResourceExt;

/// Whether it is a class's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is.
    Own,
    /// It is as soon as this other class has given back what it wrote.
    After(String),
    /// It is the turn of this older class.
    Lost(String),
}

/// Whose turn it is, of a class that wants to switch Knative over and all classes there are.
pub fn turn<'a>(
    own: &GatewayBindingClass,
    all: impl IntoIterator<Item = &'a GatewayBindingClass>,
) -> Turn {
    let others = all
        .into_iter()
        .filter(|class| class.name_any() != own.name_any());
    let others: Vec<_> = others.collect();
    let wanting = others.iter().filter(|class| wants(class));
    let before = wanting
        .filter(|class| age(class) < age(own))
        .min_by_key(|class| age(class));
    if let Some(older) = before {
        return Turn::Lost(older.name_any());
    }
    let holding = others.iter().find(|class| has_written(class));
    holding.map_or(Turn::Own, |class| Turn::After(class.name_any()))
}

/// Whether a class wants to switch Knative over.
pub fn wants(class: &GatewayBindingClass) -> bool {
    class.spec.knative.is_some() && class.metadata.deletion_timestamp.is_none()
}

/// Whether a class has something to give back.
pub fn has_written(class: &GatewayBindingClass) -> bool {
    let status = class.status.as_ref();
    let knative = status.and_then(|status| status.knative.as_ref());
    knative.is_some_and(|knative| !knative.keys.is_empty())
}

/// Sorts the oldest first; of two of one second the name decides.
fn age(class: &GatewayBindingClass) -> (Option<jiff::Timestamp>, String) {
    let created = class.creation_timestamp().map(|time| time.0);
    (created, class.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn class(name: &str, second: u8, wants: bool, has: bool) -> GatewayBindingClass {
        let key = json!({"object": "config-network", "key": "ingress-class", "value": "higress"});
        let keys = if has { vec![key] } else { vec![] };
        let knative = wants.then(|| json!({"gateway": "higress"}));
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": name, "creationTimestamp": format!("2026-11-20T08:00:{second:02}Z")},
            "spec": {"knative": knative}, "status": {"knative": {"keys": keys}},
        }))
        .unwrap()
    }

    #[test]
    fn the_oldest_that_wants_to_has_it() {
        let (old, new) = (class("b", 1, true, true), class("a", 2, true, false));
        let idle = class("c", 0, false, false);
        let all = [old.clone(), new.clone(), idle];
        assert_eq!(turn(&old, &all), Turn::Own);
        assert_eq!(turn(&new, &all), Turn::Lost("b".to_owned()));
    }

    #[test]
    fn of_two_of_one_second_the_name_decides() {
        let (a, b) = (class("a", 1, true, false), class("b", 1, true, false));
        let all = [b.clone(), a.clone()];
        assert_eq!(turn(&a, &all), Turn::Own);
        assert_eq!(turn(&b, &all), Turn::Lost("a".to_owned()));
    }

    #[test]
    fn what_another_wrote_is_given_back_first() {
        let own = class("own", 1, true, false);
        for wants in [true, false] {
            let younger = class("younger", 2, wants, true);
            let expected = Turn::After("younger".to_owned());
            assert_eq!(turn(&own, &[younger, own.clone()]), expected);
        }
        // An older one that does not want it any more has something to give back as well.
        let older = class("older", 0, false, true);
        assert_eq!(turn(&own, &[older]), Turn::After("older".to_owned()));
    }

    #[test]
    fn one_that_is_being_deleted_wants_nothing() {
        let mut older = class("older", 0, true, false);
        older.metadata.deletion_timestamp = older.metadata.creation_timestamp.clone();
        let own = class("own", 1, true, false);
        assert_eq!(turn(&own, &[older]), Turn::Own);
    }
}
