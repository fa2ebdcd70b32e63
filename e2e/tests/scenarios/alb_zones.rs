//! The zones of vswitches: looked at in the cloud before a load balancer is made in them.

use alicloud_emulator::vpc::VSwitch;
use e2e::world::World;
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::json;

use super::{
    alb_stage::{CLASS, says, target},
    mass_changes::LONG,
};

/// Vswitches of [`CLASS`], and one beside the first.
const FIRST: &str = "vsw-2zeqgkyib34gw1fxxx";
const SECOND: &str = "vsw-2zefv5qwao4prxxx";
const BESIDE: &str = "vsw-2zebeside";

/// A class whose vswitches are in one zone gets no load balancer for Knative Ingress `gray/hello`, and
/// one whose vswitches are in two is free to get one.
pub(super) async fn one_zone_is_refused(world: &World) {
    let made = world.cloud.change(|cloud| {
        let like = cloud.vpc.vswitches.values().next().unwrap().clone();
        for (id, zone) in [(FIRST, "f"), (SECOND, "g"), (BESIDE, "f")] {
            let vswitch = VSwitch {
                id: id.to_owned(),
                zone_id: format!("{}-{zone}", cloud.region),
                ..like.clone()
            };
            cloud.vpc.vswitches.insert(id.to_owned(), vswitch);
        }
    });
    assert!(made, "the emulator runs in this process");
    world.apply(&CLASS.replace(SECOND, BESIDE)).await.unwrap();
    let refused = says("Ready", "False", "VswitchesUnusable");
    let hello = target("gray", "hello");
    let refused = world.wait_for(&hello, &refused, LONG).await.unwrap();
    let said = refused.data["status"]["conditions"].to_string();
    for word in [FIRST, BESIDE, "cn-beijing-f", "alb.settings.zoneMappings"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
    let configs: Api<DynamicObject> = Api::all_with(world.client(), &ApiResource::from_gvk(&kind));
    let configs = configs.list(&Default::default()).await.unwrap().items;
    assert!(configs.is_empty(), "{configs:?}");
    let calls = world.cloud.calls().await.unwrap();
    let asked = calls
        .iter()
        .filter(|call| call.action == "DescribeVSwitches");
    assert_eq!(
        asked.count(),
        2,
        "once for each, however many passes there are"
    );
    world.apply(CLASS).await.unwrap();
}

/// From now on the operator may not look at vswitches.
pub(super) async fn zones_are_hidden(world: &World) {
    let nothing = json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "vpc:Nothing", "Resource": "*"},
    ]});
    let policies = json!({ &world.options().operator_keys.id: nothing });
    world.cloud.ram_policies(&policies).await.unwrap();
}

/// The class says that load balancers were made without a look at their zones, and why.
pub(super) async fn it_is_told_that_nobody_looked(world: &World) {
    let events = Api::<Event>::all(world.client());
    let look = async || {
        let found = events.list(&Default::default()).await;
        let found = found.map_err(|error| error.to_string())?.items;
        let told = found
            .iter()
            .filter(|event| event.reason.as_deref() == Some("VswitchesUnchecked"));
        let told: Vec<String> = told
            .map(|event| {
                let about = event
                    .regarding
                    .as_ref()
                    .and_then(|about| about.name.clone());
                assert_eq!(about.as_deref(), Some("alb"), "{}", event.name_any());
                event.note.clone().unwrap_or_default()
            })
            .collect();
        let all = ["knative-internet", "knative-intranet"]
            .iter()
            .all(|config| {
                let mut told = told.iter();
                told.any(|note| note.contains(config) && note.contains("Grant the permission"))
            });
        if all {
            Ok(())
        } else {
            Err(format!("{told:?}"))
        }
    };
    let waited = world.wait_until("the Events of the class", "telling it", LONG, look);
    waited.await.unwrap();
}
