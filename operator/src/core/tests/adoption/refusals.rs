//! What may not be adopted, and what is not adopted.

use super::*;

/// A change to cloud and manifests, and what is said about it.
type Refusal = (
    &'static str,
    fn(&mut Model, &mut Value, &mut Value),
    Reason,
    &'static str,
);

const REFUSALS: [Refusal; 13] = [
    (
        "no such group",
        |_, class, _| {
            class["spec"]["apiGateways"][0]["groups"][0]["existing"]["id"] = json!("g9");
        },
        Reason::NotAdoptable,
        "there is no API group g9",
    ),
    (
        "a group of ours",
        |model, _, _| mark_group(model, CLUSTER),
        Reason::NotAdoptable,
        "was made by this operator for GatewayBindingClass/production",
    ),
    (
        "a group of another cluster",
        |model, _, _| mark_group(model, "other"),
        Reason::NotAdoptable,
        "belongs to cluster \"other\"",
    ),
    (
        "a group beside one of the same name",
        |model, _, _| {
            let mut own = model.inventory.groups[&GroupId::from("g1")].clone();
            own.id = "g2".into();
            own.spec.name = "knative".into();
            own.marker = Some(Marker {
                cluster: CLUSTER.into(),
                owner: CLASS_OWNER.into(),
            });
            model.inventory.groups.insert(own.id.clone(), own);
        },
        Reason::NotAdoptable,
        "has made a group of this name itself (g2)",
    ),
    (
        "no such API",
        |_, _, spec| spec["apiGateway"]["routes"][0]["existing"]["id"] = json!("a9"),
        Reason::NotAdoptable,
        "there is no API a9 in group \"Payments\"",
    ),
    (
        "an API of another group",
        |model, _, spec| {
            let mut group = model.inventory.groups[&GroupId::from("g1")].clone();
            (group.id, group.spec.name) = ("g3".into(), "Elsewhere".into());
            model.inventory.groups.insert(group.id.clone(), group);
            let mut api = model.inventory.apis[&ApiId::from("a1")].clone();
            (api.id, api.group) = ("a3".into(), "g3".into());
            model.inventory.apis.insert(api);
            spec["apiGateway"]["routes"][0]["existing"]["id"] = json!("a3");
        },
        Reason::NotAdoptable,
        "API a3 is in group \"Elsewhere\", not in group \"Payments\"",
    ),
    (
        "an API of another cluster",
        |model, _, _| {
            model.inventory.apis.amend(&ApiId::from("a1"), |api| {
                api.marker = Some(Marker {
                    cluster: "other".into(),
                    owner: "GatewayBinding/a/b".into(),
                });
            });
        },
        Reason::NotAdoptable,
        "API \"greet\" (a1) belongs to cluster \"other\"",
    ),
    (
        "no such plugin",
        |_, _, spec| spec["apiGateway"]["throttling"]["existing"]["id"] = json!("p9"),
        Reason::NotAdoptable,
        "there is no plugin p9",
    ),
    (
        "a plugin of another type",
        |_, _, spec| {
            spec["apiGateway"]["throttling"]["existing"]["id"] = json!("list");
        },
        Reason::NotAdoptable,
        "is of type ipControl",
    ),
    (
        "a plugin that says more than limits can",
        |model, _, spec| {
            let rules = PolicyRules::Other {
                kind: "trafficControl".into(),
                data: "x".into(),
            };
            model
                .inventory
                .policies
                .insert("p1".into(), policy("p1", rules));
            spec["apiGateway"]["throttling"]["limits"] =
                json!([{"name": "all", "scope": "API", "requests": 50, "per": "Minute"}]);
        },
        Reason::ForeignField,
        "Leave the limits out to use it as it is",
    ),
    (
        "no such way",
        |_, class, _| {
            class["spec"]["apiGateways"][0]["backends"][0]["existing"]["id"] = json!("b9");
        },
        Reason::NotAdoptable,
        "there is no VPC authorization b9",
    ),
    (
        "a way to somewhere else",
        |model, _, _| {
            let backend = model
                .inventory
                .backends
                .get_mut(&BackendName::from("by_hand"))
                .unwrap();
            backend.spec.load_balancer_id = "lb-9".into();
        },
        Reason::NotAdoptable,
        "leads to port 80 of lb-9, and the gateway is port 80 of lb-1",
    ),
    (
        "a way with a Host of its own",
        |model, _, _| {
            let backend = model
                .inventory
                .backends
                .get_mut(&BackendName::from("by_hand"))
                .unwrap();
            backend.spec.host_override = Some("other.example.com".into());
        },
        Reason::ForeignField,
        "Host \"other.example.com\"",
    ),
];

fn mark_group(model: &mut Model, cluster: &str) {
    let group = model
        .inventory
        .groups
        .get_mut(&GroupId::from("g1"))
        .unwrap();
    group.marker = Some(Marker {
        cluster: cluster.into(),
        owner: CLASS_OWNER.into(),
    });
}

#[test]
fn what_may_not_be_adopted_is_told_and_costs_nothing_that_is_in_place() {
    for (what, change, reason, words) in REFUSALS {
        // In place, on the way to another path and without the second route, of the operator itself.
        let mut model = console();
        let mut two_routes = spec();
        let own = json!({"name": "own", "path": {"prefix": "/own"}});
        two_routes["apiGateway"]["routes"]
            .as_array_mut()
            .unwrap()
            .push(own);
        let ledger = converge(&hello(two_routes), &Ledger::default(), &mut model);
        assert_eq!(model.inventory.apis.len(), 2, "{what}");
        let mut class = serde_json::to_value(class()).unwrap();
        let mut spec = spec();
        change(&mut model, &mut class, &mut spec);
        let before = model.inventory.clone();
        let class: GatewayBindingClass = serde_json::from_value(class).unwrap();
        let subject = hello(spec.clone());
        let (_, plan) = pass_in(&class, &subject, &[&subject], &ledger, &model);
        let told = told(&plan);
        assert!(
            told.iter()
                .any(|(told, message)| *told == reason && message.contains(words)),
            "{what}: {told:#?}"
        );
        assert!(plan.refused, "{what}");
        assert_eq!(steps(&plan), [], "{what}");
        let after = model.execute(&plan, &ledger, OWNER);
        assert_eq!(model.inventory, before, "{what}");
        for (key, entry) in &ledger.entries {
            assert_eq!(after.entries.get(key), Some(entry), "{what}: {key}");
        }
        // Nothing of what was refused is taken for adopted either.
        let fresh = pass_in(&class, &subject, &[&subject], &Ledger::default(), &model).1;
        let claimed = model.clone().execute(&fresh, &Ledger::default(), OWNER);
        let ids = ["g9", "a9", "a3", "p9", "list", "b9"].map(crate::core::key::by_id);
        let wrong = |text: &str| ids.iter().any(|id| text.split('/').any(|part| part == id));
        let wrong = claimed
            .entries
            .values()
            .find(|entry| entry.adopted && wrong(&entry.key));
        assert_eq!(wrong, None, "{what}");
    }
}

#[test]
fn a_permission_that_is_taken_back_goes_even_so() {
    let mut model = console();
    let subject = hello(spec());
    let ledger = converge(&subject, &Ledger::default(), &mut model);
    let mut nobody = spec();
    nobody["apiGateway"]["auth"]["consumer"]["allow"] = json!([]);
    nobody["apiGateway"]["throttling"]["existing"]["id"] = json!("p9");
    let (_, plan) = pass(&hello(nobody), &ledger, &model);
    assert_eq!(
        steps(&plan),
        [(Action::Delete, "Grant")],
        "{:?}",
        told(&plan)
    );
    // Without the route what was there before stays.
    let mut without = spec();
    without["apiGateway"]["routes"][0] = json!({"name": "own", "path": {"prefix": "/own"}});
    let ledger = converge(&hello(without), &ledger, &mut model);
    assert!(
        model
            .inventory
            .grants
            .contains_key(&grant_of("app-default-knative"))
    );
    assert!(
        !ledger
            .entries
            .keys()
            .any(|key| key.to_string().contains("id:a1"))
    );
    assert_eq!(model.inventory.apis.len(), 2);
}

#[test]
fn without_existing_nothing_is_touched_and_the_way_out_is_told() {
    let mut model = console();
    let group = model
        .inventory
        .groups
        .get_mut(&GroupId::from("g1"))
        .unwrap();
    group.spec.name = "knative".into();
    let before = model.inventory.clone();
    let subject = hello(scenario::spec());
    let class = scenario::class();
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        let (_, plan) = pass_in(&class, &subject, &[&subject], &ledger, &model);
        ledger = model.execute(&plan, &ledger, OWNER);
    }
    let (_, plan) = pass_in(&class, &subject, &[&subject], &ledger, &model);
    let told = told(&plan);
    for id in ["g1", "b1"] {
        let way_out = format!("existing: {{id: {id}}}");
        assert!(
            told.iter()
                .any(|(reason, message)| *reason == Reason::NotOwned && message.contains(&way_out)),
            "no {way_out} in {told:#?}"
        );
    }
    let policies = model.inventory.policies.clone().into_iter();
    model.inventory.policies = policies
        .filter(|(_, policy)| policy.marker.is_none())
        .collect();
    assert_eq!(model.inventory, before);

    // The same for a path that is taken by an API of others in a group that is adopted.
    let mut model = console();
    let mut own = spec();
    own["apiGateway"]["routes"][0]
        .as_object_mut()
        .unwrap()
        .remove("existing");
    let before = model.inventory.clone();
    let subject = hello(own);
    let first = pass(&subject, &Ledger::default(), &model).1;
    let ledger = model.execute(&first, &Ledger::default(), OWNER);
    let (_, plan) = pass(&subject, &ledger, &model);
    let [(reason, message)] = super::told(&plan).try_into().unwrap();
    assert_eq!(reason, Reason::NotOwned);
    assert!(
        message.contains("at the route, existing: {id: a1}"),
        "{message}"
    );
    assert_eq!(model.inventory, before);
}
