//! What was made by hand, and is changed in part.

use alicloud_emulator::Running;
use alicloud_emulator::api::Product::CloudApi;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::*;
use serde_json::{Value, json};

use crate::common::{call, emulator};
use crate::stage::*;

/// An API with all that a person may set, published, in a group of its own: both ids.
async fn published_by_hand(running: &Running, backend: &str) -> (String, String) {
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let group = [("GroupName", "by_hand"), ("Description", "mine")];
    let group = text(
        &call(running, CloudApi, "CreateApiGroup", &group).await,
        "GroupId",
    );
    let request = json!({"RequestProtocol": "HTTP", "RequestHttpMethod": "GET", "RequestPath": "/greet",
        "RequestMode": "MAPPING", "PostBodyDescription": "nothing"});
    let service = json!({"ServiceProtocol": "HTTP", "ServiceHttpMethod": "GET", "ServicePath": "/hello",
        "ServiceTimeout": 5000, "ServiceVpcEnable": "TRUE", "VpcConfig": {"Name": backend},
        "ContentTypeCatagory": "CUSTOM", "ContentTypeValue": "text/plain"});
    let parameters = json!([{"ApiParameterName": "who", "Location": "QUERY", "ParameterType": "String",
        "Required": "REQUIRED", "MaxLength": 10, "Description": "whom to greet"}]);
    let towards = json!([{"ServiceParameterName": "name", "Location": "QUERY", "ParameterType": "String", "ParameterCatalog": "REQUEST"}]);
    let map = json!([{"RequestParameterName": "who", "ServiceParameterName": "name"}]);
    let constants = json!([
        {"ServiceParameterName": "Host", "Location": "HEAD", "ConstantValue": "old.example.com"},
        {"ServiceParameterName": "X-Channel", "Location": "HEAD", "ConstantValue": "web", "Description": "where from"}]);
    let system = json!([{"ParameterName": "CaClientIp", "ServiceParameterName": "X-Client", "Location": "HEAD"}]);
    let codes = json!([{"Code": "404", "Message": "nobody", "Description": "no such person"}]);
    let texts = [
        request, service, parameters, towards, map, constants, system, codes,
    ]
    .map(|json| json.to_string());
    let names = [
        "RequestConfig",
        "ServiceConfig",
        "RequestParameters",
        "ServiceParameters",
        "ServiceParametersMap",
        "ConstantParameters",
        "SystemParameters",
        "ErrorCodeSamples",
    ];
    let mut params = vec![
        ("GroupId", group.as_str()),
        ("ApiName", "greet"),
        ("Description", "by hand"),
        ("Visibility", "PUBLIC"),
        ("AuthType", "APP"),
        ("AppCodeAuthType", "HEADER"),
        ("ForceNonceCheck", "true"),
        ("ResultType", "HTML"),
        ("ResultSample", "<p>hi</p>"),
        ("AllowSignatureMethod", "HmacSHA1,HmacSHA256"),
    ];
    params.extend(names.into_iter().zip(texts.iter().map(String::as_str)));
    let api = text(
        &call(running, CloudApi, "CreateApi", &params).await,
        "ApiId",
    );
    let deploy = [
        ("ApiId", api.as_str()),
        ("StageName", "RELEASE"),
        ("Description", "by hand"),
    ];
    call(running, CloudApi, "DeployApi", &deploy).await;
    (group, api)
}

async fn listed(gateway: &dyn ApiGateway, id: &ApiId) -> Api {
    let apis = gateway
        .list_apis(CLUSTER, std::slice::from_ref(id))
        .await
        .unwrap();
    apis.into_iter().find(|api| api.id == *id).unwrap()
}

#[tokio::test]
async fn an_api_made_by_hand_keeps_what_a_change_does_not_speak_of() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let backend = backend(&emulator, &gateway).await;
    let (group, api) = published_by_hand(&emulator, backend.spec.name.as_str()).await;
    let (group, id) = (GroupId(group), ApiId(api.clone()));

    let seen = gateway
        .read_api(&listed(&gateway, &id).await)
        .await
        .unwrap();
    let seen = seen.unwrap();
    let spec = seen.spec.clone().unwrap();
    let deployed = seen.deployments[&RELEASE].spec.clone().unwrap();
    assert_eq!(deployed, spec, "what runs is what was published");
    assert_eq!(listed(&gateway, &id).await.spec, seen.spec, "it is known");
    let elsewhere = gateway.list_apis(CLUSTER, &[]).await.unwrap().remove(0);
    assert_eq!(elsewhere.spec, None, "to those who ask for it");

    let describe = async || {
        let params = [("ApiId", api.as_str())];
        let mut answer = call(&emulator, CloudApi, "DescribeApi", &params).await;
        for name in ["RequestId", "ModifiedTime"] {
            answer.as_object_mut().unwrap().remove(name);
        }
        answer
    };
    let before = describe().await;
    gateway.amend_api(&group, &id, &spec).await.unwrap();
    assert_eq!(describe().await, before, "the same again changes nothing");

    let wanted = ApiSpec {
        path: Path::Exact("/v2/greet".to_owned()),
        protocols: [Protocol::Http, Protocol::Https].into(),
        auth: ApiAuth::Consumer {
            api_key: [ApiKeyLocation::Header, ApiKeyLocation::Query].into(),
            signature: true,
        },
        backend: ApiBackend {
            host: Some("greet.default.example.com".to_owned()),
            timeout_ms: 10_000,
            ..spec.backend.clone()
        },
        ..ApiSpec::clone(&spec)
    };
    gateway.amend_api(&group, &id, &wanted).await.unwrap();
    let mut expected = before;
    expected["RequestConfig"]["RequestPath"] = json!("/v2/greet");
    expected["RequestConfig"]["RequestProtocol"] = json!("HTTP,HTTPS");
    expected["AppCodeAuthType"] = json!("HEADER_QUERY");
    expected["ServiceConfig"]["ServiceTimeout"] = json!(10_000);
    expected["ConstantParameters"]["ConstantParameter"][0]["ConstantValue"] =
        json!("greet.default.example.com");
    let after = describe().await;
    assert_eq!(after, expected, "what was said, and nothing else");

    let api = gateway
        .read_api(&listed(&gateway, &id).await)
        .await
        .unwrap();
    assert_eq!(api.unwrap().spec.as_deref(), Some(&wanted));
    assert_clean(&emulator);
}

#[tokio::test]
async fn a_group_made_by_hand_is_read_whole_where_somebody_looks_after_it() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let params = [("GroupName", "by_hand"), ("BasePath", "/v1")];
    let made = call(&emulator, CloudApi, "CreateApiGroup", &params).await;
    let id = GroupId::from(made["GroupId"].as_str().unwrap());
    for (action, setting) in [
        ("ModifyApiGroup", ("PassthroughHeaders", "X-Trace,Host")),
        (
            "ModifyApiGroup",
            ("UserLogConfig", "{\"queryString\":\"*\"}"),
        ),
        ("ModifyApiGroupNetworkPolicy", ("InnerDomainEnable", "true")),
    ] {
        let params = [("GroupId", id.as_str()), setting];
        call(&emulator, CloudApi, action, &params).await;
    }
    let seen = |list: Vec<Group>| list.into_iter().next().unwrap().spec;
    let unwatched = seen(gateway.list_groups(&[]).await.unwrap());
    assert!(!unwatched.pass_host && !unwatched.test_domain);
    let watched = std::slice::from_ref(&id);
    let spec = seen(gateway.list_groups(watched).await.unwrap());
    assert!(spec.pass_host && spec.test_domain);

    let described = GroupSpec {
        description: "described".to_owned(),
        ..spec
    };
    gateway.update_group(&id, &described).await.unwrap();
    assert_eq!(seen(gateway.list_groups(watched).await.unwrap()), described);
    let params = [("GroupId", id.as_str())];
    let answer = call(&emulator, CloudApi, "DescribeApiGroup", &params).await;
    let kept = [
        ("BasePath", "/v1"),
        ("PassthroughHeaders", "X-Trace,Host"),
        ("UserLogConfig", "{\"queryString\":\"*\"}"),
    ];
    for (name, value) in kept {
        assert_eq!(answer[name], value, "{name}");
    }
    assert_clean(&emulator);
}
