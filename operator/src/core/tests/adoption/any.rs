//! Any spec after any other.

use proptest::prelude::*;

use super::*;

fn any_spec() -> impl Strategy<Value = Value> {
    let routes = proptest::sample::subsequence(vec!["all", "b"], 1..=2);
    let environments = proptest::sample::subsequence(vec!["Test", "Release"], 1..=2);
    let consumers = proptest::sample::subsequence(vec!["knative", "new"], 0..=2);
    (routes, environments, consumers, 0u32..4, any::<bool>(), any::<bool>()).prop_map(
        |(routes, environments, consumers, limit, adopts, moves)| {
            let mut spec = spec();
            let api = &mut spec["apiGateway"];
            let path = if moves { "/moved" } else { "/greet" };
            let paths = [path, "/own"];
            api["routes"] = routes
                .iter()
                .map(|name| match *name {
                    "all" if adopts => {
                        json!({"name": name, "path": {"prefix": path}, "existing": {"id": "a1"}})
                    }
                    // Where others are, the operator's own cannot be.
                    "all" => json!({"name": name, "path": {"prefix": "/ours"}}),
                    _ => json!({"name": name, "path": {"prefix": paths[1]}}),
                })
                .collect();
            api["environments"] = environments.iter().map(|name| json!({ "name": name })).collect();
            api["auth"]["consumer"]["allow"] =
                consumers.iter().map(|name| json!({ "name": name })).collect();
            let limits = |n: u32| json!([{"name": "x", "scope": "API", "requests": n * 10, "per": "Minute"}]);
            api["throttling"] = match limit {
                0 => Value::Null,
                1 => json!({"existing": {"id": "p1"}}),
                2 => json!({"existing": {"id": "p1"}, "limits": limits(2)}),
                n => json!({"limits": limits(n)}),
            };
            spec
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a binding adopts, changes and lets go of, in the end all that a person made is there,
    /// where the person had published it, and nothing of ours is.
    #[test]
    fn what_others_made_outlives_any_spec(specs in proptest::collection::vec(any_spec(), 1..4)) {
        let mut model = console();
        let mut ledger = Ledger::default();
        for spec in specs {
            ledger = converge(&hello(spec), &ledger, &mut model);
        }
        let ledger = remove(&ledger, &mut model);
        prop_assert_eq!(ledger, Ledger::default());
        let left = &model.inventory;
        let api = &left.apis[&ApiId::from("a1")];
        prop_assert!(api.deployments.contains_key(&RELEASE));
        prop_assert_eq!(&api.spec.as_ref().unwrap().unmodelled, &definition().unmodelled);
        prop_assert!(left.grants.contains_key(&grant_of("stranger")));
        prop_assert_eq!((left.groups.len(), left.apis.len(), left.policies.len()), (1, 1, 3));
        prop_assert!(left.groups.values().all(|group| group.marker.is_none()));
        prop_assert!(left.policies.values().all(|policy| policy.marker.is_none()));
        let ours = left.grants.keys().filter(|key| key.consumer.as_str() == "app-default-new");
        prop_assert_eq!(ours.count(), 0);
    }
}
