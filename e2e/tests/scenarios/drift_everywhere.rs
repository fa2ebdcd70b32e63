//! Every scenario under drift: whatever somebody does at the console or with kubectl to any of its
//! objects. What can be done is derived from what is there, so that a new scenario needs no code.

use crds::v1alpha1::DriftPolicy;
use e2e::{
    harness::{How, Rehearsal, Scenario},
    world::OperatorOptions,
};

async fn every_scenario(policy: DriftPolicy) {
    for scenario in Scenario::all().unwrap() {
        let often = OperatorOptions {
            args: vec!["--drift-interval=1s".to_owned()],
            ..OperatorOptions::default()
        };
        let scenario = scenario.with_drift_policy(policy);
        let mut rehearsal = Rehearsal::start(&scenario, How::Process(often))
            .await
            .unwrap();
        let done = rehearsal.disturb_everything(policy).await.unwrap();
        println!("{} under {policy:?}: {done:#?}", scenario.name);
        let kinds = rehearsal.described_kinds();
        for kind in [
            "groups",
            "vpcAccesses",
            "apis",
            "apps",
            "grants",
            "plugins",
            "Service",
            "Secret",
        ] {
            let disturbed = done.iter().any(|what| what.starts_with(kind));
            assert!(
                disturbed || !kinds.contains(kind),
                "no {kind} was disturbed"
            );
        }
    }
}

#[tokio::test]
async fn whatever_is_disturbed_is_put_back_under_enforce() {
    every_scenario(DriftPolicy::Enforce).await;
}

#[tokio::test]
async fn whatever_is_disturbed_is_told_and_left_under_report() {
    every_scenario(DriftPolicy::Report).await;
}
