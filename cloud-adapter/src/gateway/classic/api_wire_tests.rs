//! From definition to wire and back, by way of what the service makes of it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::api_answer::ApiAnswer;
use super::api_parse::{deployed, draft};
use super::api_render::{render, tests::api};
use super::check_api;
use crate::call::RpcCall;
use crate::gateway::model::*;
use crate::operations::CREATE_API;

/// `DescribeApi` after `CreateApi`: members begin with a capital, constants leave the request
/// parameters, words change their case.
fn described(spec: &ApiSpec) -> Value {
    let call = render(RpcCall::new(CREATE_API), spec);
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let mut answer = Map::new();
    for (name, value) in &call.query {
        answer.insert(name.clone(), json!(value));
    }
    for name in ["RequestConfig", "ServiceConfig"] {
        answer.insert(name.to_owned(), capitalised(read(&call.query[name])));
    }
    answer.insert("ResultSample".to_owned(), json!(call.form["ResultSample"]));
    let request = read(&call.form["RequestParameters"]);
    let constants: Vec<Value> = read(&call.form["ServiceParameters"])
        .as_array()
        .unwrap()
        .iter()
        .map(|service| {
            assert_eq!(service["parameterCatalog"], "CONSTANT");
            let name = &service["serviceParameterName"];
            let value = request
                .as_array()
                .unwrap()
                .iter()
                .find(|p| &p["apiParameterName"] == name);
            json!({"ServiceParameterName": name, "Location": "Head",
                   "ConstantValue": value.unwrap()["defaultValue"], "Description": ""})
        })
        .collect();
    answer.insert(
        "ConstantParameters".to_owned(),
        json!({"ConstantParameter": constants}),
    );
    answer.insert(
        "RequestParameters".to_owned(),
        json!({"RequestParameter": []}),
    );
    answer.insert("WebSocketApiType".to_owned(), json!("COMMON"));
    Value::Object(answer)
}

/// `DescribeDeployedApi` has none of these.
fn running(spec: &ApiSpec) -> Value {
    let mut answer = described(spec);
    for name in ["AppCodeAuthType", "WebSocketApiType"] {
        answer.as_object_mut().unwrap().remove(name);
    }
    answer["ServiceConfig"]
        .as_object_mut()
        .unwrap()
        .remove("ContentTypeCatagory");
    answer["Description"] = json!("what the publisher noted");
    answer
}

fn capitalised(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
                (name, capitalised(value))
            })
            .collect(),
        other => other,
    }
}

fn answer(value: Value) -> ApiAnswer {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_draft_comes_back_as_it_was_written() {
    assert_eq!(draft(&answer(described(&api()))), api());
}

#[test]
fn what_runs_tells_where_keys_are_looked_for() {
    let mut narrower = api();
    narrower.auth = ApiAuth::Consumer {
        api_key: [ApiKeyLocation::Header].into(),
        signature: true,
    };
    let draft_answer = answer(described(&narrower));
    let old = deployed(&answer(running(&api())), &draft_answer, true);
    assert_eq!(
        old.auth,
        api().auth,
        "the draft is narrower, what runs is not yet"
    );
    assert_eq!(old.description, narrower.description);
    let new = deployed(&answer(running(&narrower)), &draft_answer, true);
    assert_eq!(new, narrower);
}

#[test]
fn what_runs_is_not_trusted_after_an_edit_by_hand() {
    let mut edited = described(&api());
    edited["AppCodeAuthType"] = json!("HEADER");
    let seen = deployed(&answer(running(&api())), &answer(edited), true);
    assert!(seen.unmodelled.contains_key("AppCodeAuthType"), "{seen:?}");

    let mut foreign = running(&api());
    foreign["ResultSample"] = json!("{}");
    let seen = deployed(&answer(foreign), &answer(described(&api())), true);
    assert!(seen.unmodelled.contains_key("AppCodeAuthType"), "{seen:?}");
}

/// Each hand edit shows, under the name of what was edited.
#[test]
fn hand_edits_show() {
    let edits: &[(&str, &str, Value)] = &[
        ("Visibility", "/Visibility", json!("PUBLIC")),
        (
            "AllowSignatureMethod",
            "/AllowSignatureMethod",
            json!("HmacSHA1,HmacSHA256"),
        ),
        ("DisableInternet", "/DisableInternet", json!(true)),
        ("ForceNonceCheck", "/ForceNonceCheck", json!(true)),
        ("WebSocketApiType", "/WebSocketApiType", json!("NOTIFY")),
        ("BackendEnable", "/BackendEnable", json!(true)),
        ("AuthType", "/AuthType", json!("APPOPENID")),
        ("AppCodeAuthType", "/AppCodeAuthType", json!("DEFAULT")),
        (
            "RequestMode",
            "/RequestConfig/RequestMode",
            json!("MAPPING"),
        ),
        ("BodyFormat", "/RequestConfig/BodyFormat", json!("FORM")),
        (
            "RequestProtocol",
            "/RequestConfig/RequestProtocol",
            json!("HTTP,WEBSOCKET"),
        ),
        (
            "RequestHttpMethod",
            "/RequestConfig/RequestHttpMethod",
            json!("TRACE"),
        ),
        (
            "EscapePathParam",
            "/RequestConfig/EscapePathParam",
            json!(true),
        ),
        (
            "ServiceHttpMethod",
            "/ServiceConfig/ServiceHttpMethod",
            json!("GET"),
        ),
        (
            "ServiceProtocol",
            "/ServiceConfig/ServiceProtocol",
            json!("FunctionCompute"),
        ),
        (
            "ServiceVpcEnable",
            "/ServiceConfig/ServiceVpcEnable",
            json!("FALSE"),
        ),
        ("ServicePath", "/ServiceConfig/ServicePath", json!("/fixed")),
        ("Mock", "/ServiceConfig/Mock", json!("TRUE")),
        (
            "ContentTypeCatagory",
            "/ServiceConfig/ContentTypeCatagory",
            json!("CUSTOM"),
        ),
        (
            "VpcScheme",
            "/ServiceConfig/VpcConfig/VpcScheme",
            json!("https"),
        ),
        (
            "RequestParameters",
            "/RequestParameters/RequestParameter",
            json!([{"ApiParameterName": "q"}]),
        ),
        (
            "ServiceParameters",
            "/ServiceParameters",
            json!({"ServiceParameter": [{"ServiceParameterName": "q"}]}),
        ),
        (
            "SystemParameters",
            "/SystemParameters",
            json!({"SystemParameter": [{"ServiceParameterName": "X-Ip"}]}),
        ),
        (
            "ConstantParameters",
            "/ConstantParameters/ConstantParameter/1",
            json!({"ServiceParameterName": "X-Key", "Location": "Head", "ConstantValue": "v"}),
        ),
    ];
    for (name, pointer, value) in edits {
        let mut edited = described(&api());
        set(&mut edited, pointer, value.clone());
        let seen = draft(&answer(edited));
        let names: Vec<_> = seen.unmodelled.keys().collect();
        assert!(seen.unmodelled.contains_key(*name), "{name}: {names:?}");
    }
}

fn set(target: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match target.pointer_mut(parent).unwrap() {
        Value::Array(items) => items.push(value),
        Value::Object(members) => {
            members.insert(last.to_owned(), value);
        }
        other => panic!("{pointer}: {other}"),
    }
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "(/[a-z0-9._~-]{1,8}){1,4}"]
}

fn any_spec() -> impl Strategy<Value = ApiSpec> {
    let method = prop_oneof![Just(Method::Any), Just(Method::Get), Just(Method::Options)];
    let keys = prop_oneof![
        Just(vec![]),
        Just(vec![ApiKeyLocation::Header]),
        Just(vec![ApiKeyLocation::Header, ApiKeyLocation::Query]),
    ];
    let auth = prop_oneof![
        Just(ApiAuth::Anonymous),
        keys.prop_map(|keys| ApiAuth::Consumer {
            api_key: BTreeSet::from_iter(keys),
            signature: true
        }),
    ];
    let protocols = prop_oneof![
        Just(vec![Protocol::Http]),
        Just(vec![Protocol::Https]),
        Just(vec![Protocol::Http, Protocol::Https]),
    ];
    let host = proptest::option::of("[a-z]{1,8}(\\.[a-z]{1,8}){1,3}");
    (
        any::<bool>(),
        any_path(),
        any_path(),
        method,
        auth,
        protocols,
        host,
        1u32..=30_000,
    )
        .prop_map(
            |(exact, path, backend_path, method, auth, protocols, host, timeout_ms)| ApiSpec {
                method,
                path: if exact {
                    Path::Exact(path)
                } else {
                    Path::Prefix(path)
                },
                protocols: protocols.into_iter().collect(),
                auth,
                backend: ApiBackend {
                    path: backend_path,
                    host,
                    timeout_ms,
                    ..api().backend
                },
                ..api()
            },
        )
}

proptest! {
    #[test]
    fn every_definition_comes_back_as_it_was_written(spec in any_spec()) {
        prop_assert_eq!(check_api(&spec), Ok(()));
        let draft_answer = answer(described(&spec));
        prop_assert_eq!(&draft(&draft_answer), &spec);
        prop_assert_eq!(&deployed(&answer(running(&spec)), &draft_answer, true), &spec);
    }
}
