//! APIs: drafts, what runs, and edits by hand.

use std::collections::BTreeSet;

use alicloud_emulator::api::Product;
use alicloud_emulator::faults::Plan;
use cloud_adapter::error::ErrorClass;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::*;

use crate::common::{call, emulator};
use crate::stage::*;

/// The one API, read whole.
async fn only(gateway: &dyn ApiGateway) -> Api {
    let listed = gateway.list_apis(CLUSTER, &[]).await.unwrap().remove(0);
    gateway
        .read_api(&listed)
        .await
        .unwrap()
        .expect("it is there")
}

#[tokio::test]
async fn apis() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let (group, backend, id, spec) = published(&emulator, &gateway).await;
    let api = async || only(&gateway).await;

    let listed = gateway.list_apis(CLUSTER, &[]).await.unwrap().remove(0);
    assert_eq!(listed.spec, None, "the list is an index");
    let seen = api().await;
    assert_eq!(seen.spec.as_deref(), Some(&spec));
    assert_eq!(seen.deployments[&RELEASE].spec.as_deref(), Some(&spec));
    assert_eq!(
        seen.marker,
        Some(marker("GatewayBinding/default/helloworld"))
    );
    assert_eq!((&seen.path, seen.method), (&spec.path, spec.method));
    let foreign = gateway
        .list_apis("another-cluster", &[])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        foreign.spec, None,
        "definitions are only read where they are ours"
    );

    emulator.clear_calls();
    let listed = gateway.list_apis(CLUSTER, &[]).await.unwrap().remove(0);
    assert_eq!(
        listed.deployments, seen.deployments,
        "what was read before is known"
    );
    let actions: Vec<_> = emulator
        .calls()
        .into_iter()
        .map(|call| call.action)
        .collect();
    assert_eq!(
        actions,
        ["DescribeApis"],
        "nothing moved, so no definition is read"
    );

    let narrower = ApiSpec {
        auth: ApiAuth::Consumer {
            api_key: [ApiKeyLocation::Header].into(),
            signature: true,
        },
        path: Path::Exact("/hello".to_owned()),
        method: Method::Get,
        backend: ApiBackend {
            host: None,
            path: "/greet".to_owned(),
            ..spec.backend.clone()
        },
        ..spec.clone()
    };
    gateway.update_api(&group.id, &id, &narrower).await.unwrap();
    let seen = api().await;
    assert_eq!(seen.spec.as_deref(), Some(&narrower));
    assert_eq!(
        seen.deployments[&RELEASE].spec.as_deref(),
        Some(&spec),
        "not deployed yet"
    );
    gateway
        .deploy(&group.id, &id, RELEASE, "second")
        .await
        .unwrap();
    gateway
        .deploy(&group.id, &id, Environment::Test, "second")
        .await
        .unwrap();
    let seen = api().await;
    assert_eq!(seen.deployments[&RELEASE].spec.as_deref(), Some(&narrower));
    assert_eq!(seen.deployments.len(), 2);

    let open = ApiSpec {
        auth: ApiAuth::Anonymous,
        ..narrower.clone()
    };
    gateway.update_api(&group.id, &id, &open).await.unwrap();
    gateway
        .deploy(&group.id, &id, RELEASE, "third")
        .await
        .unwrap();
    assert_eq!(
        api().await.deployments[&RELEASE].spec.as_deref(),
        Some(&open)
    );
    assert_clean(&emulator);

    let taken = gateway
        .create_api(&group.id, &open, &marker("GatewayBinding/default/other"))
        .await;
    assert_eq!(taken.unwrap_err().class, ErrorClass::AlreadyExists);
    let refused = gateway.delete_api(&group.id, &id).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::InUse);
    let refused = gateway.delete_group(&group.id).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::InUse);

    for environment in [RELEASE, Environment::Test, Environment::Pre] {
        gateway.undeploy(&group.id, &id, environment).await.unwrap();
    }
    assert!(api().await.deployments.is_empty());
    gateway.delete_api(&group.id, &id).await.unwrap();
    gateway.delete_api(&group.id, &id).await.unwrap();
    gateway.undeploy(&group.id, &id, RELEASE).await.unwrap();
    assert!(gateway.list_apis(CLUSTER, &[]).await.unwrap().is_empty());
    gateway.delete_group(&group.id).await.unwrap();
    gateway.delete_backend(&backend.spec).await.unwrap();
}

#[tokio::test]
async fn an_edit_by_hand_shows() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let (group, backend, id, spec) = published(&emulator, &gateway).await;
    let request = r#"{"requestProtocol":"HTTP","requestHttpMethod":"ANY","requestPath":"/*","requestMode":"PASSTHROUGH"}"#;
    let service = format!(
        r#"{{"serviceProtocol":"HTTP","serviceHttpMethod":"ANY","servicePath":"/v2/*","serviceTimeout":5000,"serviceVpcEnable":"TRUE","vpcConfig":{{"name":"{}"}}}}"#,
        backend.spec.name
    );
    let edit = [
        ("GroupId", group.id.as_str()),
        ("ApiId", id.as_str()),
        ("ApiName", "default_helloworld"),
        ("Visibility", "PUBLIC"),
        ("AuthType", "APP"),
        ("AppCodeAuthType", "DISABLE"),
        ("RequestConfig", request),
        ("ServiceConfig", service.as_str()),
    ];
    call(&emulator, Product::CloudApi, "ModifyApi", &edit).await;
    let seen = only(&gateway).await;
    let draft = seen.spec.unwrap();
    assert_eq!(draft.protocols, BTreeSet::from([Protocol::Http]));
    assert_eq!(
        draft.auth,
        ApiAuth::Consumer {
            api_key: BTreeSet::new(),
            signature: true
        }
    );
    assert_eq!(
        (draft.backend.path.as_str(), draft.backend.timeout_ms),
        ("/v2", 5000)
    );
    assert_eq!(draft.backend.host, None);
    let names: Vec<&str> = draft.unmodelled.keys().map(String::as_str).collect();
    assert_eq!(names, ["RequestMode", "Visibility"]);
    assert_eq!(
        seen.deployments[&RELEASE].spec.as_ref().unwrap().backend,
        spec.backend
    );

    gateway.update_api(&group.id, &id, &spec).await.unwrap();
    gateway
        .deploy(&group.id, &id, RELEASE, "again")
        .await
        .unwrap();
    let seen = only(&gateway).await;
    assert_eq!(seen.spec.as_deref(), Some(&spec));
    assert_eq!(seen.deployments[&RELEASE].spec.as_deref(), Some(&spec));
}

#[tokio::test]
async fn a_truncated_list_is_an_error() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    published(&emulator, &gateway).await;
    let plan = br#"{"rules":[{"action":"DescribeApis","effect":{"type":"emptyList"}}]}"#;
    emulator.set_faults(Plan::parse(plan).unwrap());
    assert_eq!(
        gateway.list_apis(CLUSTER, &[]).await.unwrap_err().code,
        "IncompleteList"
    );
}
