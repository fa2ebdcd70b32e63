//! Apps that others made and a consumer adopts by their ids. They keep their names, and every
//! credential that the operator did not add or the list does not speak of.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{Consumer, Inventory, Marker};
use crds::v1alpha1::{Adoptable, GatewayBindingClass, GatewayConsumer, NamespacedName, Reason};
use kube::ResourceExt;

use super::claims::{AppKey, Claim, Claims, Location};
use super::name_of;
use super::steps::ours;
use crate::core::class;
use crate::core::key::by_id;
use crate::core::problem::Problem;

/// The app that a consumer adopts in a place, if it adopts one there.
pub fn adopted_in(consumer: &GatewayConsumer, location: &Location) -> Option<AppKey> {
    let Location { account, region } = location;
    let id = consumer.spec.existing_in(account, region)?;
    Some(AppKey {
        location: location.clone(),
        name: by_id(id),
    })
}

/// Whether a class lets a consumer adopt: its credentials can be read then. `labels` are those of the
/// consumer's namespace.
pub fn consent(
    consumer: &GatewayConsumer,
    class: &GatewayBindingClass,
    labels: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    let name = class.name_any();
    if !class.spec.may_adopt(Adoptable::Consumer) {
        return Err(Problem::blocked(
            Reason::NotAllowedByClass,
            format!(
                "spec.existing: GatewayBindingClass \"{name}\" does not let consumers of its account be adopted. Remove the entry, or ask for Consumer in adoptable."
            ),
        ));
    }
    if class::allows(class.spec.allowed_namespaces.as_ref(), labels) {
        return Ok(());
    }
    Err(Problem::blocked(
        Reason::NamespaceNotAllowed,
        format!(
            "spec.existing: namespace \"{}\" is not let in by allowedNamespaces of GatewayBindingClass \"{name}\", so its consumers adopt nothing there. Remove the entry, or ask the owner of the class.",
            consumer.namespace().unwrap_or_default()
        ),
    ))
}

/// The app to adopt, if it is there and nobody's.
pub fn find<'a>(
    inventory: &'a Inventory,
    app: &AppKey,
    marker: &Marker,
) -> Result<&'a Consumer, Problem> {
    let id = app.adopted().unwrap_or_else(|| app.name.as_str().into());
    let refused = |message: String| Problem::blocked(Reason::NotAdoptable, message);
    let location = &app.location;
    if let Some(own) = ours(inventory, marker).filter(|own| own.id != id) {
        return Err(refused(format!(
            "spec.existing: the operator has made an app for this consumer in {location} itself ({}), and callers use it. Remove the entry to keep it, or adopt {id} with another GatewayConsumer.",
            own.id
        )));
    }
    let Some(found) = inventory.consumers.get(&id) else {
        return Err(refused(format!(
            "spec.existing: there is no app {id} in {location}. Correct the id."
        )));
    };
    match &found.marker {
        None => Ok(found),
        Some(marker) => Err(refused(format!(
            "spec.existing: app \"{}\" ({id}) in {location} was made by the operator of cluster \"{}\" for {}, and is not adopted. Remove the entry, or correct the id.",
            found.spec.name, marker.cluster, marker.owner
        ))),
    }
}

/// The consumer that has an app which this one wants to adopt as well: the one whose ledger has it,
/// else the oldest.
pub fn holder<'a>(
    consumer: &GatewayConsumer,
    all: impl Iterator<Item = &'a GatewayConsumer>,
    app: &AppKey,
) -> Option<NamespacedName> {
    let claim = Claim::App(app.clone());
    let rank = |of: &GatewayConsumer| {
        let holds = Claims::of(of).entries.contains_key(&claim);
        let created = of.creation_timestamp().map(|time| time.0);
        (!holds, created, of.namespace(), of.name_any())
    };
    let wants = |other: &&GatewayConsumer| {
        let claims = || Claims::of(other).entries.contains_key(&claim);
        adopted_in(other, &app.location).as_ref() == Some(app) || claims()
    };
    let own = name_of(consumer);
    let first = all
        .filter(|other| name_of(other) != own)
        .filter(wants)
        .min_by_key(|other| rank(other))?;
    (rank(first) < rank(consumer)).then(|| name_of(first))
}

/// That another consumer has it.
pub fn taken(app: &AppKey, holder: &NamespacedName) -> Problem {
    Problem::blocked(
        Reason::NotAdoptable,
        format!(
            "spec.existing: app {} in {} is adopted by GatewayConsumer {holder} already. Let bindings name that one, or correct the id.",
            app.adopted().map_or_else(|| app.name.clone(), |id| id.0),
            app.location
        ),
    )
}

#[cfg(test)]
mod tests {
    use cloud_adapter::gateway::model::{ConsumerId, ConsumerSpec};
    use serde_json::{Value, json};

    use super::*;

    fn location() -> Location {
        Location {
            account: "1".into(),
            region: "r".into(),
        }
    }

    fn consumer(name: &str, created: u8, status: Value) -> GatewayConsumer {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {
                "name": name, "namespace": "partners",
                "creationTimestamp": format!("2026-11-{created:02}T00:00:00Z"),
            },
            "spec": {"credentials": [], "existing": [{"accountId": "1", "regionId": "r", "id": "110"}]},
            "status": status,
        }))
        .unwrap()
    }

    fn app() -> AppKey {
        adopted_in(&consumer("a", 1, Value::Null), &location()).unwrap()
    }

    fn found(id: &str, marker: Option<(&str, &str)>) -> (ConsumerId, Consumer) {
        let marker = marker.map(|(cluster, owner)| Marker {
            cluster: cluster.into(),
            owner: owner.into(),
        });
        let consumer = Consumer {
            id: id.into(),
            spec: ConsumerSpec {
                name: "by_hand".into(),
                description: String::new(),
                disabled: false,
            },
            marker,
        };
        (consumer.id.clone(), consumer)
    }

    #[test]
    fn an_app_is_adopted_where_the_consumer_says_so() {
        assert_eq!(app().adopted(), Some("110".into()));
        let elsewhere = Location {
            region: "other".into(),
            ..location()
        };
        assert_eq!(adopted_in(&consumer("a", 1, Value::Null), &elsewhere), None);
    }

    #[test]
    fn only_what_is_there_and_nobodys_is_adopted() {
        let marker = Marker {
            cluster: "c1f0".into(),
            owner: "GatewayConsumer/partners/a".into(),
        };
        let own = ("c1f0", marker.owner.as_str());
        for (apps, words) in [
            (vec![found("110", None)], None),
            (vec![], Some("there is no app 110")),
            (
                vec![found("110", Some(("other", "GatewayConsumer/x/y")))],
                Some("cluster \"other\""),
            ),
            (
                vec![found("110", None), found("111", Some(own))],
                Some("itself (111)"),
            ),
            (vec![found("110", Some(own))], Some("is not adopted")),
        ] {
            let mut inventory = Inventory::default();
            inventory.consumers.extend(apps);
            let result = find(&inventory, &app(), &marker);
            match (words, result) {
                (None, Ok(found)) => assert_eq!(found.id.as_str(), "110"),
                (Some(words), Err(problem)) => {
                    assert_eq!(problem.reason, Reason::NotAdoptable);
                    assert!(problem.message.contains(words), "{}", problem.message);
                }
                (words, result) => panic!("{words:?}: {result:?}"),
            }
        }
    }

    #[test]
    fn of_two_consumers_one_has_it() {
        let (old, young) = (consumer("b", 1, Value::Null), consumer("a", 2, Value::Null));
        let holding = consumer(
            "a",
            2,
            json!({"ledger": [{"key": "classic/Consumer/id:110@1/r", "kind": "Consumer"}]}),
        );
        let holder =
            |of: &GatewayConsumer, all: [&GatewayConsumer; 2]| holder(of, all.into_iter(), &app());
        assert_eq!(holder(&old, [&old, &young]), None);
        assert_eq!(holder(&young, [&old, &young]), Some(name_of(&old)));
        assert_eq!(holder(&old, [&old, &holding]), Some(name_of(&holding)));
        assert_eq!(holder(&holding, [&old, &holding]), None);
    }

    #[test]
    fn the_class_has_to_consent() {
        let class = |spec: Value| -> GatewayBindingClass {
            serde_json::from_value(json!({
                "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
                "metadata": {"name": "c"}, "spec": spec,
            }))
            .unwrap()
        };
        let labels = BTreeMap::from([("tenant".to_owned(), "shop".to_owned())]);
        let subject = consumer("a", 1, Value::Null);
        let reason = |spec| consent(&subject, &class(spec), &labels).map_err(|it| it.reason);
        let of = |tenant: &str| json!({"from": "Selector", "selector": {"matchLabels": {"tenant": tenant}}});
        assert_eq!(reason(json!({})), Err(Reason::NotAllowedByClass));
        let open = json!({"adoptable": ["Consumer"]});
        assert_eq!(reason(open), Ok(()));
        let mine = json!({"adoptable": ["Consumer"], "allowedNamespaces": of("shop")});
        assert_eq!(reason(mine), Ok(()));
        let others = json!({"adoptable": ["Consumer"], "allowedNamespaces": of("pay")});
        assert_eq!(reason(others), Err(Reason::NamespaceNotAllowed));
    }
}
