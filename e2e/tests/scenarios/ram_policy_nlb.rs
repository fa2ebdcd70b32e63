//! The least permissions for a gateway behind a network load balancer.

use std::collections::BTreeSet;

use serde_json::json;

use super::exposed::binding;
use super::nlb::{example, zones};
use super::ram_policy::{Grudging, called, generated, only, start};

#[tokio::test]
async fn each_permission_for_a_network_load_balancer_is_needed_and_asked_for_by_name() {
    let (mut world, often) = start().await;
    let policy = generated("network-load-balancer", &[]).await;
    // The cloud controller manager may do what is about such load balancers, here and for this account.
    let here = "acs:nlb:cn-beijing:1234567890123456:*";
    let theirs = json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "nlb:*", "Resource": here},
        {"Effect": "Allow", "Action": ["nlb:GetJobStatus", "nlb:ListAsynJobs"], "Resource": "*"},
    ]});
    let (operator, ccm) = (
        &world.options().operator_keys.id,
        &world.options().ccm_keys.id,
    );
    let others = json!({ ccm: theirs });
    let mut policies = others.clone();
    policies[operator] = only(&policy, &BTreeSet::new());
    world.cloud.ram_policies(&policies).await.unwrap();
    let manifests = example(&zones(&world).await);
    world.start_operator(&often).await.unwrap();
    world.apply(&manifests).await.unwrap();

    let targets = vec![binding("default", "helloworld-nlb")];
    let permissions = Grudging::new(&world, targets, policy, others).await;
    permissions.until_ready().await;
    // Whether it is still so is looked at by lists.
    let compared = async || match called(&world, "ok").await.contains("ListLoadBalancers") {
        true => Ok(()),
        false => Err("ListLoadBalancers was not called".to_owned()),
    };
    permissions.until("compared", compared).await;
    permissions.until_ready().await;
    world.delete_all(&manifests).await.unwrap();
    permissions.until_gone().await;
    assert_eq!(permissions.needless(), BTreeSet::new(), "went without them");
    let calls = world.cloud.calls().await.unwrap();
    let ccm = &world.options().ccm_keys.id;
    let mut theirs = calls.iter().filter(|call| call.access_key_id == *ccm);
    let refused = theirs.find(|call| call.outcome == "Forbidden.RAM");
    assert!(refused.is_none(), "{refused:?}");
}
