//! What was made in the console is used as the spec says, and is never anybody else's to remove.

mod any;
mod changes;
mod import;
mod refusals;
mod sharing;

use std::sync::Arc;

use cloud_adapter::gateway::model::*;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, Reason};
use serde_json::{Value, json};

use super::model::Model;
use super::scenario::{self, CLASS_OWNER, CLUSTER, binding, pass_in};
use crate::core::desire::Wanted;
use crate::core::ledger::Ledger;
use crate::core::plan::{Action, Plan, World, plan};

pub(super) const OWNER: &str = "GatewayBinding/default/helloworld";
pub(super) const RELEASE: Environment = Environment::Release;

/// The class of the first scenario, which adopts the group and the way to the gateway.
pub(super) fn class() -> GatewayBindingClass {
    let mut class = serde_json::to_value(scenario::class()).unwrap();
    let api_gateway = &mut class["spec"]["apiGateways"][0];
    api_gateway["groups"][0] = json!({"name": "knative", "existing": {"id": "g1"}});
    api_gateway["backends"] =
        json!([{"gateway": "intranet", "port": 80, "existing": {"id": "b1"}}]);
    class["spec"]["adoptable"] = json!(["API", "Policy", "Consumer"]);
    serde_json::from_value(class).unwrap()
}

pub(super) fn spec() -> Value {
    let mut spec = scenario::spec();
    let api = &mut spec["apiGateway"];
    api["routes"][0] =
        json!({"name": "all", "path": {"prefix": "/greet"}, "existing": {"id": "a1"}});
    api["throttling"] = json!({"existing": {"id": "p1"}});
    api["auth"]["consumer"]["allow"] = json!([{"name": "knative"}]);
    api.as_object_mut().unwrap().remove("protocols");
    spec
}

pub(super) fn hello(spec: Value) -> GatewayBinding {
    binding("default", "helloworld", spec)
}

/// An API at `/greet` as a person publishes it: it says what the binding says, and more.
pub(super) fn definition() -> ApiSpec {
    ApiSpec {
        name: "greet".into(),
        description: "by hand".into(),
        method: Method::Any,
        path: Path::Prefix("/greet".into()),
        protocols: [Protocol::Http].into(),
        auth: ApiAuth::Consumer {
            api_key: [ApiKeyLocation::Header, ApiKeyLocation::Query].into(),
            signature: true,
        },
        backend: ApiBackend {
            name: BackendName::from("by_hand"),
            path: "/greet".into(),
            host: Some("helloworld.default.example.com".into()),
            timeout_ms: 7000,
        },
        unmodelled: [("SystemParameters".to_owned(), "X-Client".to_owned())].into(),
    }
}

pub(super) fn limits(api: u64) -> PolicyRules {
    PolicyRules::Throttling(Throttling {
        window: Window::Minute,
        api,
        account: None,
        consumer: None,
        consumers: Default::default(),
    })
}

pub(super) fn policy(id: &str, rules: PolicyRules) -> Policy {
    Policy {
        id: id.into(),
        spec: PolicySpec {
            name: format!("limits_{id}"),
            description: String::new(),
            rules,
        },
        marker: None,
    }
}

/// A cloud in which a person has made everything, and a cluster with the gateway's Service.
pub(super) fn console() -> Model {
    let mut model = Model::default();
    let group = Group {
        id: "g1".into(),
        spec: GroupSpec {
            name: "Payments".into(),
            description: "mine".into(),
            instance: None,
            test_domain: true,
            pass_host: false,
        },
        sub_domain: "g1.example.com".into(),
        marker: None,
    };
    let backend = Backend {
        spec: BackendSpec {
            name: BackendName::from("by_hand"),
            vpc_id: "vpc-1".into(),
            load_balancer_id: "lb-1".into(),
            port: 80,
            host_override: None,
        },
        id: "b1".into(),
        marker: None,
    };
    let running = Deployment {
        version: "1".into(),
        spec: Some(Arc::new(definition())),
    };
    let api = Api {
        id: "a1".into(),
        group: "g1".into(),
        name: "greet".into(),
        method: Method::Any,
        path: Path::Prefix("/greet".into()),
        modified: "1".into(),
        spec: Some(Arc::new(definition())),
        deployments: [(RELEASE, running)].into(),
        marker: None,
    };
    let inventory = &mut model.inventory;
    inventory.groups.insert(group.id.clone(), group);
    inventory
        .backends
        .insert(backend.spec.name.clone(), backend);
    inventory.apis.insert(api);
    for policy in [
        policy("p1", limits(100)),
        policy("p2", limits(5)),
        policy(
            "list",
            PolicyRules::Other {
                kind: "ipControl".into(),
                data: String::new(),
            },
        ),
    ] {
        inventory.policies.insert(policy.id.clone(), policy);
    }
    attach(&mut model, "p1");
    for app in ["app-default-knative", "stranger"] {
        let spec = ConsumerSpec {
            name: app.into(),
            description: String::new(),
            disabled: false,
        };
        let consumer = Consumer {
            id: app.into(),
            spec,
            marker: None,
        };
        let inventory = &mut model.inventory;
        inventory.consumers.insert(consumer.id.clone(), consumer);
        let key = grant_of(app);
        let grant = Grant {
            key: key.clone(),
            until: None,
            revocable: true,
        };
        inventory.grants.insert(key, grant);
    }
    model
}

pub(super) fn grant_of(app: &str) -> GrantKey {
    GrantKey {
        api: "a1".into(),
        environment: RELEASE,
        consumer: app.into(),
    }
}

pub(super) fn attach(model: &mut Model, policy: &str) {
    model.inventory.attachments = [Attachment {
        policy: policy.into(),
        api: "a1".into(),
        environment: RELEASE,
    }]
    .into_iter()
    .collect();
}

pub(super) fn pass(subject: &GatewayBinding, ledger: &Ledger, model: &Model) -> (Wanted, Plan) {
    pass_in(&class(), subject, &[subject], ledger, model)
}

pub(super) fn converge_in(
    class: &GatewayBindingClass,
    subject: &GatewayBinding,
    ledger: &Ledger,
    model: &mut Model,
) -> Ledger {
    let mut ledger = ledger.clone();
    for _ in 0..5 {
        let (_, plan) = pass_in(class, subject, &[subject], &ledger, model);
        if plan.is_empty() {
            // What the pass that finds nothing to do writes down.
            return model.execute(&plan, &ledger, OWNER);
        }
        ledger = model.execute(&plan, &ledger, OWNER);
    }
    let (_, plan) = pass_in(class, subject, &[subject], &ledger, model);
    panic!("it does not converge: {:#?}", plan.steps);
}

pub(super) fn converge(subject: &GatewayBinding, ledger: &Ledger, model: &mut Model) -> Ledger {
    converge_in(&class(), subject, ledger, model)
}

pub(super) fn remove(ledger: &Ledger, model: &mut Model) -> Ledger {
    let (services, inventory) = (model.services.clone(), model.inventory.clone());
    let world = World {
        cluster: CLUSTER,
        owner: OWNER,
        class_owner: Some(CLASS_OWNER),
        inventory: Some(&inventory),
        services: &services,
        in_use: &|_| false,
        is_live: &|_| false,
    };
    let plan = plan(&[], ledger, &world);
    model.execute(&plan, ledger, OWNER)
}

pub(super) fn steps(plan: &Plan) -> Vec<(Action, &'static str)> {
    let cloud = plan
        .steps
        .iter()
        .filter(|step| step.key.kind() != "Service");
    cloud
        .map(|step| (step.operation.action(), step.key.kind()))
        .collect()
}

pub(super) fn told(plan: &Plan) -> Vec<(Reason, String)> {
    let problems = plan.problems.iter();
    problems
        .map(|problem| (problem.reason, problem.message.clone()))
        .collect()
}

#[test]
fn what_is_as_the_spec_says_is_used_as_it_is_and_left_so() {
    let mut model = console();
    let before = model.inventory.clone();
    let subject = hello(spec());
    let ledger = converge(&subject, &Ledger::default(), &mut model);
    assert_eq!(model.inventory, before, "nothing had to change");
    assert!(
        ledger
            .entries
            .iter()
            .all(|(key, entry)| entry.adopted || key.kind() == "Service"),
        "{ledger:#?}"
    );
    let (_, plan) = pass(&subject, &ledger, &model);
    assert_eq!(told(&plan), []);
    let names: Vec<&str> = plan.adopted.values().map(String::as_str).collect();
    assert_eq!(names, ["Payments", "by_hand", "limits_p1", "greet"]);
    let ledger = remove(&ledger, &mut model);
    assert_eq!(model.inventory, before);
    assert_eq!(ledger, Ledger::default());
}

#[test]
fn what_differs_is_brought_to_what_the_spec_says_and_nothing_else() {
    let mut model = console();
    let mut changed = spec();
    let api = &mut changed["apiGateway"];
    api["routes"][0]["path"] = json!({"prefix": "/hello", "replaceWith": "/"});
    api["throttling"]["limits"] =
        json!([{"name": "all", "scope": "API", "requests": 50, "per": "Minute"}]);
    api["auth"]["consumer"]["allow"] = json!([{"name": "knative"}, {"name": "new"}]);
    api["environments"] = json!([{"name": "Release"}, {"name": "Test"}]);
    let mut class = serde_json::to_value(class()).unwrap();
    class["spec"]["apiGateways"][0]["groups"][0]["testDomain"] = json!("Disabled");
    let class: GatewayBindingClass = serde_json::from_value(class).unwrap();
    let subject = hello(changed);
    let first = pass_in(&class, &subject, &[&subject], &Ledger::default(), &model).1;
    let ledger = model.execute(&first, &Ledger::default(), OWNER);
    let (_, plan) = pass_in(&class, &subject, &[&subject], &ledger, &model);
    let told: Vec<(&str, Vec<&str>)> = first
        .steps
        .iter()
        .chain(&plan.steps)
        .filter(|step| !step.changes.is_empty())
        .map(|step| {
            let paths = step.changes.iter().map(|change| change.path.as_str());
            (step.key.kind(), paths.collect())
        })
        .collect();
    let fields = vec!["backend.path", "path.prefix"];
    assert_eq!(
        told,
        [
            ("Group", vec!["testDomain"]),
            ("Policy", vec!["rules.throttling.api"]),
            ("API", fields.clone()),
            ("Deployment", fields),
        ]
    );
    let ledger = converge_in(&class, &subject, &ledger, &mut model);
    let expected = ApiSpec {
        path: Path::Prefix("/hello".into()),
        backend: ApiBackend {
            path: "/".into(),
            ..definition().backend
        },
        ..definition()
    };
    let api = &model.inventory.apis[&ApiId::from("a1")];
    assert_eq!(api.spec.as_deref(), Some(&expected));
    assert_eq!(api.deployments[&RELEASE].spec.as_deref(), Some(&expected));
    assert_eq!(api.marker, None, "nobody marks it");
    assert_eq!(
        model.inventory.policies[&PolicyId::from("p1")].spec.rules,
        limits(50)
    );
    let group = &model.inventory.groups[&GroupId::from("g1")].spec;
    assert_eq!(
        (group.name.as_str(), group.description.as_str()),
        ("Payments", "mine")
    );
    assert!(!group.test_domain);
    assert_eq!(
        model.inventory.grants.len(),
        5,
        "two were there, three are new"
    );

    let left = remove(&ledger, &mut model);
    assert_eq!(left, Ledger::default());
    let api = &model.inventory.apis[&ApiId::from("a1")];
    assert_eq!(api.spec.as_deref(), Some(&expected), "it goes on as it is");
    let environments: Vec<&Environment> = api.deployments.keys().collect();
    assert_eq!(environments, [&RELEASE], "where it was published before");
    let apps: Vec<&str> = model
        .inventory
        .grants
        .keys()
        .filter(|key| key.environment == RELEASE)
        .map(|key| key.consumer.as_str())
        .collect();
    assert_eq!(apps, ["app-default-knative", "stranger"]);
    assert_eq!(model.inventory.attachments.len(), 1);
}

#[test]
fn a_plugin_of_others_is_never_taken_off_in_silence() {
    let mut model = console();
    model.inventory.grants.clear();
    attach(&mut model, "p2");
    let before = model.inventory.attachments.clone();
    let mut own = spec();
    own["apiGateway"]["throttling"] =
        json!({"limits": [{"name": "all", "scope": "API", "requests": 50, "per": "Minute"}]});
    for spec in [spec(), own] {
        let subject = hello(spec);
        let ledger = converge(&subject, &Ledger::default(), &mut model);
        let (_, plan) = pass(&subject, &ledger, &model);
        let [(reason, message)] = told(&plan).try_into().unwrap();
        assert_eq!(reason, Reason::ForeignField, "{message}");
        assert!(message.contains("existing: {id: p2}"), "{message}");
        assert_eq!(model.inventory.attachments, before);
        assert!(
            model.inventory.grants.is_empty(),
            "nobody is let in without limits"
        );
        assert_eq!(
            plan.withheld.len(),
            2,
            "neither counts as done: {:?}",
            plan.withheld
        );
        remove(&ledger, &mut model);
        assert_eq!(model.inventory.attachments, before);
    }
    let mut adopting = spec();
    adopting["apiGateway"]["throttling"]["existing"]["id"] = json!("p2");
    let subject = hello(adopting);
    let ledger = converge(&subject, &Ledger::default(), &mut model);
    assert_eq!(model.inventory.grants.len(), 1);
    let mut own = spec();
    own["apiGateway"]["throttling"] =
        json!({"limits": [{"name": "all", "scope": "API", "requests": 50, "per": "Minute"}]});
    let ledger = converge(&hello(own), &ledger, &mut model);
    assert_ne!(
        model.inventory.attachments, before,
        "what is adopted may be replaced"
    );
    remove(&ledger, &mut model);
    assert!(model.inventory.policies.contains_key(&PolicyId::from("p2")));
    assert_eq!(model.inventory.policies.len(), 3, "and ours is gone");
}
