//! Groups and backends.

use alicloud_emulator::api::Product;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::*;

use crate::common::{call, emulator, intranet_balancer};
use crate::stage::*;

#[tokio::test]
async fn groups() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    call(
        &emulator,
        Product::CloudApi,
        "CreateApiGroup",
        &[("GroupName", "somebody_elses")],
    )
    .await;
    let owner = marker("GatewayBindingClass/production");
    let made = gateway.create_group(&group_spec(), &owner).await.unwrap();
    assert!(
        made.sub_domain.starts_with(made.id.as_str()),
        "{}",
        made.sub_domain
    );

    let listed = gateway.list_groups(&[]).await.unwrap();
    assert_eq!(listed.len(), 2);
    let ours: Vec<&Group> = listed
        .iter()
        .filter(|group| group.marker.is_some())
        .collect();
    assert_eq!(ours, [&made]);

    let changed = GroupSpec {
        description: "changed".to_owned(),
        test_domain: false,
        ..group_spec()
    };
    gateway.update_group(&made.id, &changed).await.unwrap();
    let seen = async || {
        gateway
            .list_groups(&[])
            .await
            .unwrap()
            .into_iter()
            .find(|g| g.id == made.id)
    };
    assert_eq!(seen().await.unwrap().spec, changed);
    emulator.clear_calls();
    gateway.update_group(&made.id, &changed).await.unwrap();
    assert!(
        emulator.calls().iter().all(|call| !call.mutating),
        "nothing differs, nothing is sent"
    );

    let edit = [
        ("GroupId", made.id.as_str()),
        ("PassthroughHeaders", "x-trace,Host"),
    ];
    call(&emulator, Product::CloudApi, "ModifyApiGroup", &edit).await;
    assert!(seen().await.unwrap().spec.pass_host);
    gateway.update_group(&made.id, &changed).await.unwrap();
    assert!(!seen().await.unwrap().spec.pass_host);

    gateway.delete_group(&made.id).await.unwrap();
    gateway.delete_group(&made.id).await.unwrap();
    assert_eq!(seen().await, None);
    assert_clean(&emulator);
}

#[tokio::test]
async fn backends() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let (group, backend, api, spec) = published(&emulator, &gateway).await;
    assert_eq!(
        gateway.list_backends().await.unwrap(),
        std::slice::from_ref(&backend)
    );

    let (_, other) = intranet_balancer(&emulator).await;
    let moved = BackendSpec {
        load_balancer_id: other,
        port: 8080,
        ..backend.spec.clone()
    };
    let versions = async || {
        let mut apis = gateway.list_apis(CLUSTER, &[]).await.unwrap();
        for api in &mut apis {
            *api = gateway.read_api(api).await.unwrap().unwrap();
        }
        apis[0].deployments[&RELEASE].clone()
    };
    let before = versions().await;
    gateway.update_backend(&moved).await.unwrap();
    assert_eq!(gateway.list_backends().await.unwrap()[0].spec, moved);
    let after = versions().await;
    assert_ne!(after.version, before.version, "the API was published again");
    assert_eq!(after.spec.as_deref(), Some(&spec));

    let edit = [
        ("Name", moved.name.as_str()),
        ("VpcTargetHostName", "evil.example.com"),
    ];
    call(
        &emulator,
        Product::CloudApi,
        "ModifyVpcAccessAndUpdateApis",
        &edit,
    )
    .await;
    let seen = gateway.list_backends().await.unwrap().remove(0);
    assert_eq!(seen.spec.host_override.as_deref(), Some("evil.example.com"));
    gateway.update_backend(&moved).await.unwrap();
    assert_eq!(gateway.list_backends().await.unwrap()[0].spec, moved);

    let users = async |name: &str| gateway.backend_users(&name.into()).await.unwrap();
    assert_eq!(users(moved.name.as_str()).await, std::slice::from_ref(&api));
    assert!(users("lb_80").await.is_empty(), "a part of its name");
    gateway.undeploy(&group.id, &api, RELEASE).await.unwrap();
    assert!(users(moved.name.as_str()).await.is_empty());
    gateway.delete_api(&group.id, &api).await.unwrap();
    gateway.delete_backend(&moved).await.unwrap();
    assert!(gateway.list_backends().await.unwrap().is_empty());
    assert_clean(&emulator);
    gateway.delete_backend(&moved).await.unwrap();
}
