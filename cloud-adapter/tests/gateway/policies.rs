//! Policies and where they act.

use alicloud_emulator::api::Product;
use cloud_adapter::error::ErrorClass;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::*;

use crate::common::{call, emulator};
use crate::stage::*;

#[tokio::test]
async fn policies() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let (group, _, api, _) = published(&emulator, &gateway).await;
    let owner = marker("GatewayBindingClass/production");
    let id = gateway.create_policy(&limits(1000), &owner).await.unwrap();
    let yaml = "---\nunit: HOUR\napiDefault: 5\n";
    let foreign = [
        ("PluginName", "by_hand"),
        ("PluginType", "trafficControl"),
        ("PluginData", yaml),
    ];
    call(&emulator, Product::CloudApi, "CreatePlugin", &foreign).await;
    let listed = gateway.list_policies().await.unwrap();
    let find = |name: &str| {
        listed
            .iter()
            .find(|policy| policy.spec.name == name)
            .unwrap()
    };
    let made = Policy {
        id: id.clone(),
        spec: limits(1000),
        marker: Some(owner.clone()),
    };
    assert_eq!(find("limit_1"), &made);
    let PolicyRules::Throttling(by_hand) = &find("by_hand").spec.rules else {
        panic!("YAML was not read: {:?}", find("by_hand"))
    };
    assert_eq!((by_hand.window, by_hand.api), (Window::Hour, 5));

    gateway.update_policy(&id, &limits(2000)).await.unwrap();
    let spec = async |id: &PolicyId| {
        let policies = gateway.list_policies().await.unwrap();
        policies
            .into_iter()
            .find(|policy| policy.id == *id)
            .map(|policy| policy.spec)
    };
    assert_eq!(spec(&id).await, Some(limits(2000)));

    let other = PolicySpec {
        name: "limit_2".to_owned(),
        ..limits(100)
    };
    let other = gateway.create_policy(&other, &owner).await.unwrap();
    let both = [id.clone(), other.clone()];
    let at = |policy: &PolicyId| Attachment {
        policy: policy.clone(),
        api: api.clone(),
        environment: RELEASE,
    };
    gateway.attach(&group.id, &at(&id)).await.unwrap();
    assert_eq!(gateway.list_attachments(&both).await.unwrap(), [at(&id)]);
    gateway.attach(&group.id, &at(&other)).await.unwrap();
    assert_eq!(
        gateway.list_attachments(&both).await.unwrap(),
        [at(&other)],
        "one of a kind"
    );
    assert_clean(&emulator);

    let refused = gateway.delete_policy(&other).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::InUse);
    gateway.detach(&group.id, &at(&other)).await.unwrap();
    gateway.detach(&group.id, &at(&other)).await.unwrap();
    for policy in &both {
        gateway.delete_policy(policy).await.unwrap();
        gateway.delete_policy(policy).await.unwrap();
    }
    assert_eq!(spec(&id).await, None);
    assert!(gateway.list_attachments(&both).await.unwrap().is_empty());
}
