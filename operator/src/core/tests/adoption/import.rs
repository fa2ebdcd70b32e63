//! What `import` prints of a set-up adopts it without a change, and what it cannot say it tells.

use std::collections::BTreeMap;

use crds::v1alpha1::CredentialKind;

use super::*;
use crate::core::import::{GatewayService, Import, Seen, import};
use crate::core::observed::ServiceState;

const LEGACY: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-address-type";

/// The console's set-up with the Service that a person annotated, in the form of old.
fn by_hand() -> Model {
    let mut model = console();
    let inventory = &mut model.inventory;
    inventory.grants.remove(&grant_of("stranger"));
    let app = ConsumerId::from("app-default-knative");
    let mut consumer = inventory.consumers[&app].clone();
    consumer.spec.name = "Knative".into();
    inventory.consumers.insert(app, consumer);
    let place = (
        "istio-system".to_owned(),
        "istio-ingressgateway-intranet".to_owned(),
    );
    let service = ServiceState {
        uid: "u".into(),
        type_: "LoadBalancer".into(),
        annotations: [(LEGACY.to_owned(), "intranet".to_owned())].into(),
        load_balancer_id: Some("lb-1".into()),
        address: Some("10.0.0.1".into()),
        ..ServiceState::default()
    };
    model.services.insert(place, service);
    model
}

fn imported(model: &Model) -> Import {
    let services: Vec<GatewayService> = model
        .services
        .iter()
        .map(|((namespace, name), state)| GatewayService {
            namespace: namespace.clone(),
            name: name.clone(),
            annotations: state.annotations.clone(),
            load_balancer: state.load_balancer_id.clone().unwrap(),
            address_type: Some("intranet".into()),
        })
        .collect();
    let place = ("default".to_owned(), "helloworld".to_owned());
    let hosts = BTreeMap::from([("helloworld.default.example.com".to_owned(), place)]);
    let kinds = BTreeMap::from([(CredentialKind::APIKey, 2), (CredentialKind::KeyPair, 1)]);
    let credentials = BTreeMap::from([("app-default-knative".into(), kinds)]);
    import(&Seen {
        class: "production",
        account: "1234567890123456",
        region: "cn-beijing",
        cluster: CLUSTER,
        group: &model.inventory.groups[&GroupId::from("g1")],
        inventory: &model.inventory,
        services: &services,
        hosts: &hosts,
        credentials: &credentials,
    })
}

fn object(import: &Import, kind: &str) -> Value {
    let manifests = import.manifests.iter();
    let mut objects = manifests.map(|manifest| &manifest.object);
    objects
        .find(|object| object["kind"] == kind)
        .unwrap()
        .clone()
}

#[test]
fn what_is_imported_is_adopted_without_a_change() {
    let mut model = by_hand();
    let import = imported(&model);
    assert_eq!(import.left, [] as [String; 0]);
    let binding = object(&import, "GatewayBinding");
    assert_eq!(
        binding["spec"],
        json!({
            "className": "production",
            "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
            "apiGateway": {
                "routes": [{"name": "greet", "path": {"prefix": "/greet"}, "existing": {"id": "a1"}}],
                "protocols": ["HTTP"],
                "backend": {"timeout": "7s"},
                "auth": {"consumer": {"apiKey": {"in": ["Header", "Query"]}, "signature": {}, "allow": [{"name": "knative"}]}},
                "throttling": {"existing": {"id": "p1"}, "limits": [{"name": "total", "scope": "API", "requests": 100, "per": "Minute"}]},
            },
        })
    );
    let consumer = object(&import, "GatewayConsumer");
    assert_eq!(
        consumer["spec"],
        json!({
            "credentials": [{"name": "imported", "type": "Generated", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": "knative"}}],
            "existing": [{"accountId": "1234567890123456", "regionId": "cn-beijing", "id": "app-default-knative"}],
        })
    );
    let notes: Vec<&String> = import
        .manifests
        .iter()
        .flat_map(|manifest| &manifest.notes)
        .collect();
    for words in [
        "has 2 credentials of kind APIKey",
        "SystemParameters",
        "which must not exist before",
    ] {
        assert!(
            notes.iter().any(|note| note.contains(words)),
            "no {words:?} in {notes:#?}"
        );
    }

    let class: GatewayBindingClass =
        serde_json::from_value(object(&import, "GatewayBindingClass")).unwrap();
    let subject: GatewayBinding = serde_json::from_value(binding).unwrap();
    let before = (model.inventory.clone(), model.services.clone());
    let (_, plan) = pass_in(&class, &subject, &[&subject], &Ledger::default(), &model);
    assert_eq!((plan.steps.as_slice(), told(&plan)), (&[][..], vec![]));
    converge_in(&class, &subject, &Ledger::default(), &mut model);
    assert_eq!((model.inventory, model.services), before);
}

#[test]
fn what_no_manifest_can_say_is_told_and_never_said_otherwise() {
    let with = |change: &dyn Fn(&mut Model)| {
        let mut model = by_hand();
        change(&mut model);
        imported(&model)
    };
    let amend = |model: &mut Model, change: &dyn Fn(&mut Api)| {
        assert!(
            model
                .inventory
                .apis
                .amend(&ApiId::from("a1"), |api| change(api))
        );
    };
    let define = |model: &mut Model, change: &dyn Fn(&mut ApiSpec)| {
        let mut spec = definition();
        change(&mut spec);
        let spec = Some(Arc::new(spec));
        amend(model, &|api| api.spec.clone_from(&spec));
    };
    let move_backend = |model: &mut Model, change: &dyn Fn(&mut BackendSpec)| {
        let name = BackendName::from("by_hand");
        let mut backend = model.inventory.backends[&name].clone();
        change(&mut backend.spec);
        model.inventory.backends.insert(name, backend);
    };
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Model));
    let cases: [Case<'_>; 9] = [
        ("no constant Host", &|model| {
            define(model, &|spec| spec.backend.host = None)
        }),
        (
            "no Knative Service that is ready has its Host other",
            &|model| {
                define(model, &|spec| spec.backend.host = Some("other".into()));
            },
        ),
        ("elsewhere than through a VPC authorization", &|model| {
            define(model, &|spec| spec.backend.name = BackendName::from(""));
        }),
        ("leads to port 8080", &|model| {
            move_backend(model, &|spec| spec.port = 8080)
        }),
        ("the load balancer of no Service", &|model| {
            move_backend(model, &|spec| spec.load_balancer_id = "lb-9".into());
        }),
        ("with Host \"x\"", &|model| {
            move_backend(model, &|spec| spec.host_override = Some("x".into()));
        }),
        ("not published anywhere", &|model| {
            amend(model, &|api| api.deployments.clear())
        }),
        ("its permissions differ", &|model| {
            amend(model, &|api| {
                let running = api.deployments[&RELEASE].clone();
                api.deployments.insert(Environment::Test, running);
            });
        }),
        ("an operator made it for GatewayBinding/a/b", &|model| {
            amend(model, &|api| {
                api.marker = Some(Marker {
                    cluster: "c".into(),
                    owner: "GatewayBinding/a/b".into(),
                });
            });
        }),
    ];
    for (words, change) in cases {
        let import = with(change);
        assert_eq!(import.manifests, [], "{words}");
        assert_eq!(import.left.len(), 1, "{words}: {:?}", import.left);
        assert!(
            import.left[0].contains(words),
            "no {words:?} in {:?}",
            import.left
        );
        assert!(
            import.left[0].starts_with("API \"greet\" (a1): "),
            "{:?}",
            import.left
        );
    }

    let import = with(&|model| {
        let attachment = Attachment {
            policy: "list".into(),
            api: "a1".into(),
            environment: RELEASE,
        };
        model.inventory.attachments.insert(attachment);
    });
    assert_eq!(
        import.left,
        [
            "Plugin \"limits_list\" (list) of type ipControl, which acts on API \"greet\" (a1) in Release."
        ]
    );
    assert_eq!(import.manifests.len(), 3);

    let import = with(&|model| {
        let key = grant_of("stranger");
        let grant = Grant {
            key: key.clone(),
            until: None,
            revocable: true,
        };
        model.inventory.grants.insert(key, grant);
    });
    assert!(
        import.left[0].contains("permission of app stranger"),
        "{:?}",
        import.left
    );
}
