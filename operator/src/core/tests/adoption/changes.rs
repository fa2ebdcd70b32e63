//! Changes of adopted APIs: what is published, what would be lost, what is in the way.

use super::*;

#[test]
fn a_change_that_was_not_published_is_published_by_the_next_pass() {
    let mut model = console();
    let subject = hello(spec());
    let ledger = converge(&subject, &Ledger::default(), &mut model);
    let mut changed = spec();
    changed["apiGateway"]["auth"]["consumer"]["apiKey"] = json!({"in": ["Header"]});
    let subject = hello(changed);
    let (_, plan) = pass(&subject, &ledger, &model);
    assert_eq!(
        steps(&plan),
        [(Action::Update, "API"), (Action::Update, "Deployment")]
    );
    // Killed in between; and what runs does not tell where it looks for keys.
    let cut = Plan {
        steps: plan.steps[..1].to_vec(),
        ..plan
    };
    let ledger = model.execute(&cut, &ledger, OWNER);
    model.inventory.apis.amend(&ApiId::from("a1"), |api| {
        api.deployments.get_mut(&RELEASE).unwrap().spec = api.spec.clone();
    });
    let (_, plan) = pass(&subject, &ledger, &model);
    assert_eq!(steps(&plan), [(Action::Update, "Deployment")]);
    let ledger = model.execute(&plan, &ledger, OWNER);
    assert_eq!(steps(&pass(&subject, &ledger, &model).1), []);
}

#[test]
fn what_would_be_lost_with_a_change_is_not_changed() {
    let mut model = console();
    let odd = ("CustomSystemParameters".to_owned(), "X-Odd".to_owned());
    let mut definition = definition();
    definition.unmodelled.extend([odd]);
    let definition = Some(Arc::new(definition));
    model.inventory.apis.amend(&ApiId::from("a1"), |api| {
        api.spec.clone_from(&definition);
        api.deployments.get_mut(&RELEASE).unwrap().spec = definition;
    });
    let before = model.inventory.clone();
    let subject = hello(spec());
    let ledger = converge(&subject, &Ledger::default(), &mut model);
    assert_eq!(
        told(&pass(&subject, &ledger, &model).1),
        [],
        "no change, no loss"
    );
    let mut changed = spec();
    changed["apiGateway"]["routes"][0]["path"] = json!({"prefix": "/hello"});
    let (_, plan) = pass(&hello(changed), &ledger, &model);
    assert_eq!(steps(&plan), []);
    let [(reason, message)] = told(&plan).try_into().unwrap();
    assert_eq!(reason, Reason::Unsupported);
    assert!(message.contains("CustomSystemParameters"), "{message}");
    assert_eq!(model.inventory, before);
}

#[test]
fn adopted_apis_make_room_for_each_other_and_for_ours() {
    let mut model = console();
    let mut second = model.inventory.apis[&ApiId::from("a1")].clone();
    let spec_of = |path: &str, name: &str| ApiSpec {
        name: name.into(),
        path: Path::Prefix(path.into()),
        ..definition()
    };
    second.id = "a2".into();
    second.name = "second".into();
    second.path = Path::Prefix("/second".into());
    second.spec = Some(Arc::new(spec_of("/second", "second")));
    second.deployments.clear();
    model.inventory.apis.insert(second);
    let route = |name: &str, path: &str, id: &str| json!({"name": name, "path": {"prefix": path}, "existing": {"id": id}});
    let mut swapped = spec();
    swapped["apiGateway"]["routes"] =
        json!([route("all", "/second", "a1"), route("two", "/greet", "a2")]);
    let ledger = converge(&hello(swapped), &Ledger::default(), &mut model);
    let path = |model: &Model, id: &str| model.inventory.apis[&ApiId::from(id)].path.clone();
    assert_eq!(path(&model, "a1"), Path::Prefix("/second".into()));
    assert_eq!(path(&model, "a2"), Path::Prefix("/greet".into()));
    let mut taken = spec();
    taken["apiGateway"]["routes"] = json!([
        route("all", "/third", "a1"), route("two", "/greet", "a2"),
        {"name": "own", "path": {"prefix": "/second"}},
    ]);
    let ledger = converge(&hello(taken), &ledger, &mut model);
    assert_eq!(path(&model, "a1"), Path::Prefix("/third".into()));
    assert_eq!(model.inventory.apis.len(), 3);
    remove(&ledger, &mut model);
    assert_eq!(model.inventory.apis.len(), 2);
}

#[test]
fn a_way_that_an_api_of_others_goes_on_using_stays() {
    let mut model = console();
    model.inventory.backends.clear();
    let mut class = serde_json::to_value(class()).unwrap();
    let api_gateway = class["spec"]["apiGateways"][0].as_object_mut().unwrap();
    api_gateway.remove("backends");
    let class: GatewayBindingClass = serde_json::from_value(class).unwrap();
    let subject = hello(spec());
    let ledger = converge_in(&class, &subject, &Ledger::default(), &mut model);
    let [ours] = model.inventory.backends.keys().collect::<Vec<_>>()[..] else {
        panic!("one way");
    };
    let behind = |model: &Model| {
        let api = &model.inventory.apis[&ApiId::from("a1")];
        api.spec.clone().unwrap().backend.name.clone()
    };
    assert_eq!(behind(&model), *ours, "it has moved");
    remove(&ledger, &mut model);
    assert!(
        model.inventory.backends.contains_key(&behind(&model)),
        "and its way with it"
    );
    assert_eq!(model.services.len(), 1);
}
