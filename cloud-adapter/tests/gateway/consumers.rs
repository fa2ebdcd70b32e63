//! Consumers, their credentials and grants.

use std::collections::BTreeSet;

use alicloud_emulator::faults::Plan;
use cloud_adapter::error::ErrorClass;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::*;
use secrecy::ExposeSecret;

use crate::common::emulator;
use crate::stage::*;

/// What credentials say, for comparing.
fn shown(credentials: &[Credential]) -> BTreeSet<String> {
    let show = |credential: &Credential| match credential {
        Credential::ApiKey(key) => format!("key {}", key.expose_secret()),
        Credential::KeyPair { id, secret } => format!("pair {id} {}", secret.expose_secret()),
    };
    credentials.iter().map(show).collect()
}

#[tokio::test]
async fn consumers() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let spec = ConsumerSpec {
        name: "knative".to_owned(),
        description: "made by a test".to_owned(),
        disabled: false,
    };
    let key = |text: &str| Credential::ApiKey(text.repeat(16).into());
    let pair = |id: &str| Credential::KeyPair {
        id: id.repeat(12),
        secret: id.repeat(16).into(),
    };
    let first = [key("ab"), pair("cd")];
    let owner = marker("GatewayConsumer/default/knative");
    let id = gateway
        .create_consumer(&spec, &first, &owner)
        .await
        .unwrap();
    let listed = gateway.list_consumers().await.unwrap();
    let made = Consumer {
        id: id.clone(),
        spec: spec.clone(),
        marker: Some(owner.clone()),
    };
    assert_eq!(listed, [made]);
    assert_eq!(
        shown(&gateway.credentials(&id).await.unwrap()),
        shown(&first)
    );

    gateway.add_credential(&id, &key("ef")).await.unwrap();
    gateway.add_credential(&id, &pair("gh")).await.unwrap();
    gateway.remove_credential(&id, &first[0]).await.unwrap();
    gateway.remove_credential(&id, &first[1]).await.unwrap();
    let left = gateway.credentials(&id).await.unwrap();
    assert_eq!(shown(&left), shown(&[key("ef"), pair("gh")]));

    let changed = ConsumerSpec {
        disabled: true,
        description: "off".to_owned(),
        ..spec
    };
    gateway.update_consumer(&id, &changed).await.unwrap();
    assert_eq!(gateway.list_consumers().await.unwrap()[0].spec, changed);
    assert_clean(&emulator);
    gateway.remove_credential(&id, &first[0]).await.unwrap();
    gateway.delete_consumer(&id).await.unwrap();
    gateway.delete_consumer(&id).await.unwrap();
    assert!(gateway.list_consumers().await.unwrap().is_empty());
    let gone = gateway.credentials(&id).await.unwrap_err();
    assert_eq!(gone.class, ErrorClass::NotFound);
    let log = serde_json::to_string(&emulator.calls()).unwrap();
    assert!(!log.contains("abab"), "a secret came into the query");
}

#[tokio::test]
async fn an_empty_list_of_credentials_is_not_believed_alone() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let spec = ConsumerSpec {
        name: "knative".to_owned(),
        description: String::new(),
        disabled: false,
    };
    let owner = marker("GatewayConsumer/default/knative");
    let id = gateway.create_consumer(&spec, &[], &owner).await.unwrap();
    let made = gateway.credentials(&id).await.unwrap();
    assert!(!made.is_empty());
    let empty = br#"{"rules":[{"action":"DescribeAppSecurities","effect":{"type":"emptyList"}}]}"#;
    emulator.set_faults(Plan::parse(empty).unwrap());
    let refused = gateway.credentials(&id).await.unwrap_err();
    assert_eq!(refused.code, "IncompleteList");

    emulator.set_faults(Plan::default());
    for credential in &made {
        gateway.remove_credential(&id, credential).await.unwrap();
    }
    assert_eq!(shown(&gateway.credentials(&id).await.unwrap()), shown(&[]));
}

#[tokio::test]
async fn grants() {
    let emulator = emulator().await;
    let gateway = gateway(&emulator);
    let (group, _, api, _) = published(&emulator, &gateway).await;
    let spec = ConsumerSpec {
        name: "knative".into(),
        description: String::new(),
        disabled: false,
    };
    let owner = marker("GatewayConsumer/default/knative");
    let consumer = gateway.create_consumer(&spec, &[], &owner).await.unwrap();
    let ids = [consumer.clone()];
    let mut grant = Grant {
        key: GrantKey {
            api,
            environment: RELEASE,
            consumer,
        },
        until: Some("2099-01-01T00:00:00Z".parse().unwrap()),
        revocable: true,
    };
    let listed = async || gateway.list_grants(&ids).await.unwrap();
    for until in [
        grant.until,
        Some("2098-06-30T12:34:56Z".parse().unwrap()),
        None,
    ] {
        grant.until = until;
        gateway.grant(&group.id, &grant).await.unwrap();
        assert_eq!(listed().await, std::slice::from_ref(&grant));
    }
    assert!(gateway.list_grants(&[]).await.unwrap().is_empty());
    gateway.revoke(&group.id, &grant.key).await.unwrap();
    assert!(listed().await.is_empty());
    assert_clean(&emulator);
    gateway.revoke(&group.id, &grant.key).await.unwrap();
    assert!(
        gateway
            .list_grants(&["999".into()])
            .await
            .unwrap()
            .is_empty()
    );
}
