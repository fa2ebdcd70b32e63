//! Snapshots over a cloud that loses answers and lags.

use std::sync::Arc;
use std::time::Duration;

use alicloud_emulator::faults::Plan;
use cloud_adapter::error::Effect;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::snapshot::{GatewayAccess, SnapshotTiming};

use crate::common::emulator;
use crate::stage::*;

/// The create is carried out, its answer is lost: it is found by listing, never made twice.
#[tokio::test]
async fn a_lost_answer_is_looked_up() {
    let emulator = emulator().await;
    let timing = SnapshotTiming::default();
    let access = GatewayAccess::new(Arc::new(gateway(&emulator)), CLUSTER, timing);
    let age = Duration::from_secs(600);
    assert!(access.snapshots.get(age).await.unwrap().groups.is_empty());
    let plan = br#"{"rules":[{"action":"CreateApiGroup","times":1,"effect":{"type":"appliedButUnanswered"}}]}"#;
    emulator.set_faults(Plan::parse(plan).unwrap());
    let owner = marker("GatewayBindingClass/production");
    let lost = access
        .gateway
        .create_group(&group_spec(), &owner)
        .await
        .unwrap_err();
    assert_eq!(lost.effect, Effect::Unknown);
    assert_eq!(count(&emulator, "CreateApiGroup"), 1);
    let seen = access.snapshots.get(age).await.unwrap();
    let group = seen.groups.values().next().unwrap();
    assert_eq!(group.marker, Some(owner));
    assert_eq!(
        count(&emulator, "DescribeApis"),
        1,
        "only what is in doubt is listed again"
    );
}

#[tokio::test]
async fn what_was_made_shows_although_the_cloud_lags() {
    let emulator = emulator().await;
    let access = GatewayAccess::new(
        Arc::new(gateway(&emulator)),
        CLUSTER,
        SnapshotTiming::default(),
    );
    access.snapshots.get(Duration::ZERO).await.unwrap();
    emulator.set_faults(Plan::parse(br#"{"consistencyDelayMs":600000,"rules":[]}"#).unwrap());
    let owner = marker("GatewayBindingClass/production");
    let made = access
        .gateway
        .create_group(&group_spec(), &owner)
        .await
        .unwrap();
    assert!(
        gateway(&emulator)
            .list_groups(&[])
            .await
            .unwrap()
            .is_empty(),
        "the cloud lags"
    );
    let seen = access.snapshots.get(Duration::ZERO).await.unwrap();
    assert_eq!(seen.groups.get(&made.id), Some(&made));
}
