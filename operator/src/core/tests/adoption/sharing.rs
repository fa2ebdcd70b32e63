//! Several bindings and the same thing.

use super::*;

#[test]
fn of_two_bindings_that_adopt_the_same_one_has_it() {
    let one = hello(spec());
    let mut other = spec();
    other["apiGateway"]["routes"][0]["path"] = json!({"prefix": "/other"});
    let two = binding("shop", "second", other);
    let mut model = console();
    let (_, plan) = pass_in(&class(), &one, &[&one, &two], &Ledger::default(), &model);
    assert_eq!(told(&plan), []);
    let ledger = model.execute(&plan, &Ledger::default(), OWNER);
    let (wanted, plan) = pass_in(&class(), &two, &[&one, &two], &Ledger::default(), &model);
    let problem = wanted
        .problems
        .iter()
        .find(|problem| problem.reason == Reason::NotAdoptable)
        .unwrap();
    for words in [
        "API a1",
        "GatewayBinding default/helloworld",
        "spec.apiGateway.routes[all].existing",
    ] {
        assert!(problem.message.contains(words), "{}", problem.message);
    }
    assert_eq!(steps(&plan), []);
    assert!(
        !plan.claims.iter().any(|key| key.kind() == "API"),
        "{:?}",
        plan.claims
    );
    // They share the plugin and the group.
    assert!(plan.claims.iter().any(|key| key.kind() == "Policy"));
    let mut alone = spec();
    alone["apiGateway"]["routes"][0] = json!({"name": "own", "path": {"prefix": "/own"}});
    let moved = hello(alone);
    converge(&moved, &ledger, &mut model);
    let (wanted, _) = pass_in(&class(), &two, &[&moved, &two], &Ledger::default(), &model);
    assert!(
        wanted
            .problems
            .iter()
            .all(|problem| problem.reason != Reason::NotAdoptable)
    );
}

#[test]
fn bindings_that_want_different_limits_do_not_share_a_plugin() {
    let with = |namespace: &str, path: &str, requests: u32| {
        let mut spec = spec();
        spec["apiGateway"]["routes"] = json!([{"name": "own", "path": {"prefix": path}}]);
        spec["apiGateway"]["throttling"]["limits"] =
            json!([{"name": "all", "scope": "API", "requests": requests, "per": "Minute"}]);
        binding(namespace, "helloworld", spec)
    };
    let (one, same, other) = (with("a", "/a", 5), with("b", "/b", 5), with("c", "/c", 6));
    let model = console();
    let all = [&one, &same, &other];
    let refused = |subject| {
        let (wanted, _) = pass_in(&class(), subject, &all, &Ledger::default(), &model);
        wanted
            .problems
            .iter()
            .any(|problem| problem.reason == Reason::NotAdoptable)
    };
    assert_eq!([&one, &same, &other].map(refused), [false, false, true]);
}
