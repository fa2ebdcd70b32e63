//! What the operator's decision core produces, put to the model: the two scenarios of "Higress for Knative
//! Serving", and what would slip past a careless rule.

use std::time::Duration;

use crds::v1alpha1::{BindingHigress, HigressAdapter, HigressGateway, NamespacedName};
use gatewaybinding_operator::core::higress::merge::{Offer, merge};
use gatewaybinding_operator::core::higress::render::{
    Caller, Credential, Known, MOST_BYTES, objects,
};
use gatewaybinding_operator::core::higress::rule::Part;
use gatewaybinding_operator::core::higress::scope::Scope;
use gatewaybinding_operator::core::higress::translate::rules;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{Higress, Request};

const HOST: &str = "hello.default.example.com";

fn named(name: &str) -> NamespacedName {
    NamespacedName {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn object(namespace: &str, name: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Any", "metadata": {"namespace": namespace, "name": name}, "spec": spec,
    }))
    .unwrap()
}

/// The gateway once the operator has written the rules of one binding for the service `hello`.
fn higress(wish: Value, known: &Known) -> Higress {
    let wish: BindingHigress = serde_json::from_value(wish).unwrap();
    let gateway = json!({"namespace": "higress-system", "adapter": "KIngress"});
    let gateway: HigressGateway = serde_json::from_value(gateway).unwrap();
    let offer = Offer {
        binding: named("hello"),
        created: Timestamp::UNIX_EPOCH,
        wanted: Some(Part {
            scope: Scope::of_ingress(("default", "hello"), [HOST], "higress-system"),
            rules: rules(&wish, &named("hello"), HigressAdapter::KIngress).unwrap(),
        }),
        recorded: None,
    };
    let plugins: Vec<DynamicObject> = objects(&merge(&[offer]), known, &gateway, MOST_BYTES)
        .into_iter()
        .map(|plugin| object("higress-system", &plugin.name, plugin.spec))
        .collect();
    let ingress =
        |name: &str, host: &str| object("default", name, json!({"rules": [{"hosts": [host]}]}));
    let ingresses = [
        ingress("hello", HOST),
        ingress("other", "other.default.example.com"),
    ];
    let mut higress = Higress::default();
    higress.read("higress-system", &ingresses, &plugins);
    assert_eq!(higress.faults(), []);
    higress
}

fn ask(
    higress: &mut Higress,
    host: &str,
    path: &str,
    header: Option<(&str, &str)>,
    at: u64,
) -> u16 {
    let headers = header.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = Request {
        host: host.to_owned(),
        path: path.to_owned(),
        headers: headers.into_iter().collect(),
        peer: "192.0.2.1".parse().unwrap(),
        at: Duration::from_secs(at),
    };
    higress.ask(&request).status()
}

fn known() -> Known {
    let caller = |key: &str| Caller {
        created: Timestamp::UNIX_EPOCH,
        credentials: vec![Credential::Key(key.into())],
    };
    [
        (
            named("consumer1"),
            caller("2bda943c-ba2b-11ec-ba07-00163e1250b5"),
        ),
        (
            named("consumer2"),
            caller("c8c8e9ca-558e-4a2d-bb62-e700dcc40e35"),
        ),
    ]
    .into()
}

/// Every spelling of the host that Envoy serves.
const SPELLINGS: [&str; 4] = [
    HOST,
    "hello.default.example.com:80",
    "HELLO.default.Example.com",
    "HELLO.default.example.com:8080",
];

#[test]
fn the_third_request_in_a_minute_is_limited_however_the_host_is_spelt() {
    let wish = json!({"throttling": {"limits": [{
        "name": "demo", "scope": "Header", "header": "X-Ca-Key", "value": "123456",
        "requests": 2, "per": "Minute",
    }]}});
    let mut higress = higress(wish, &Known::new());
    let key = Some(("x-ca-key", "123456"));
    let spelt = SPELLINGS.map(|host| ask(&mut higress, host, "/", key, 1));
    assert_eq!(spelt, [200, 200, 429, 429]);
    assert_eq!(
        ask(&mut higress, HOST, "/", Some(("x-ca-key", "7")), 1),
        200
    );
    assert_eq!(
        ask(&mut higress, "other.default.example.com", "/", key, 1),
        200
    );
    assert_eq!(ask(&mut higress, HOST, "/", key, 62), 200);
}

fn callers() -> Value {
    json!({"auth": {"consumer": {
        "apiKey": {"in": ["Query"], "names": ["apikey"]},
        "allow": [{"name": "consumer2"}], "deny": [{"name": "consumer1"}],
    }}})
}

#[test]
fn no_key_is_401_a_denied_consumer_403_and_an_allowed_one_is_served() {
    let mut higress = higress(callers(), &known());
    for host in SPELLINGS {
        let mut with = |path: &str| ask(&mut higress, host, path, None, 1);
        assert_eq!(with("/"), 401, "{host}");
        assert_eq!(
            with("/?apikey=2bda943c-ba2b-11ec-ba07-00163e1250b5"),
            403,
            "{host}"
        );
        assert_eq!(
            with("/?apikey=c8c8e9ca-558e-4a2d-bb62-e700dcc40e35"),
            200,
            "{host}"
        );
    }
    let other = "other.default.example.com";
    assert_eq!(ask(&mut higress, other, "/", None, 1), 200);
}

#[test]
fn consumers_that_vanished_let_nobody_in() {
    let mut higress = higress(callers(), &Known::new());
    let mut with = |path: &str| ask(&mut higress, HOST, path, None, 1);
    assert_eq!(with("/"), 401);
    assert_eq!(with("/?apikey=c8c8e9ca-558e-4a2d-bb62-e700dcc40e35"), 403);
    // What stands in for the empty list of consumers is no way in either.
    assert_eq!(with("/?apikey=gatewaybinding.dev/placeholder"), 403);
}

#[test]
fn every_plugin_takes_what_it_is_given() {
    let wish = json!({
        "auth": {
            "consumer": {"basic": {}, "allow": [{"name": "consumer1"}]},
            "jwt": {"issuers": [{
                "name": "idp", "issuer": "https://idp.example.com",
                "jwks": "{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"AA\", \"y\": \"AA\"}]}",
            }]},
        },
        "throttling": {"limits": [{
            "name": "a", "scope": "Parameter", "parameter": "key", "value": "a", "requests": 1, "per": "Day",
        }]},
        "clientAddresses": {"allow": ["10.0.0.0/8"], "source": "Header"},
        "cors": {
            "origins": ["https://shop.example.com"], "methods": ["GET"], "headers": ["X-A"],
            "exposedHeaders": ["X-B"], "credentials": "Allow", "maxAgeSeconds": 60,
        },
        "blockedRequests": {"urls": ["swagger"], "headers": ["scanner"], "status": 404},
        "response": {
            "status": 503, "headers": [{"name": "x-a", "value": "b"}], "body": "{}", "onStatus": [502],
        },
    });
    higress(wish, &known());
    let signature = json!({"auth": {"consumer": {"signature": {}, "allow": []}}});
    higress(signature, &known());
}

#[test]
fn addresses_and_texts_are_guarded() {
    let wish = json!({
        "clientAddresses": {"deny": ["192.0.2.0/24"]}, "blockedRequests": {"urls": ["Swagger"]},
    });
    assert_eq!(
        ask(&mut higress(wish, &Known::new()), HOST, "/", None, 1),
        403
    );
    let wish = json!({"clientAddresses": {"allow": ["192.0.2.1"]}, "blockedRequests": {"urls": ["Swagger"], "status": 404}});
    let mut higress = higress(wish, &Known::new());
    assert_eq!(ask(&mut higress, HOST, "/", None, 1), 200);
    assert_eq!(ask(&mut higress, HOST, "/swagger.html", None, 1), 404);
}
