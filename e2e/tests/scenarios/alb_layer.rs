//! The layer of Knative on ALB: from a Knative Ingress to Ingresses of the ALB Ingress controller, and
//! back to the status that Knative waits for.

use std::collections::BTreeMap;

use e2e::world::{Expect, Target, World};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    alb_stage::{
        CLASS, children, children_are, complain, kingress, says, serve, services, target, weights,
        world,
    },
    alb_zones::{it_is_told_that_nobody_looked, one_zone_is_refused, zones_are_hidden},
    helloworld, ksvc,
    mass_changes::LONG,
    namespace,
};

const PUBLIC: &str = "alb-1.cn-beijing.alb.aliyuncs.com";
const PRIVATE: &str = "alb-2.cn-beijing.alb.aliyuncs.com";

async fn wait(world: &World, target: &Target, expected: Expect) -> DynamicObject {
    world.wait_for(target, &expected, LONG).await.unwrap()
}

async fn apply(world: &World, object: &Value) {
    world.apply(&object.to_string()).await.unwrap();
}

pub(super) async fn alb_config(world: &World, name: &str) -> DynamicObject {
    let kind = GroupVersionKind::gvk("alibabacloud.com", "v1", "AlbConfig");
    let api: Api<DynamicObject> = Api::all_with(world.client(), &ApiResource::from_gvk(&kind));
    api.get(name).await.unwrap()
}

/// Waits until the operator has gone over Knative Ingresses this often since it was started.
pub(super) async fn passes(world: &World, number: u64) {
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let look = async || {
        let answer = http
            .get(&url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let counted = text
            .lines()
            .filter(|line| {
                line.contains("_count{") && line.contains("controller=\"KnativeIngress\"")
            })
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        let counted: u64 = counted.sum();
        if counted >= number {
            Ok(())
        } else {
            Err(format!("{counted} of {number} passes"))
        }
    };
    let waited = world.wait_until("the layer", "gone over its Ingresses", LONG, look);
    waited.await.unwrap();
}

fn moved(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let moved = names.filter(|name| before.get(*name) != after.get(*name));
    moved.cloned().collect()
}

#[tokio::test]
async fn a_knative_ingress_is_ready_once_its_own_generation_is_served() {
    let mut world = world(false).await;
    namespace(&world, "gray").await;
    world.apply(&services("gray", "hello")).await.unwrap();
    apply(&world, &kingress("gray", "hello", 100)).await;
    let hello = target("gray", "hello");
    // Nothing is done before a class has an ALB, and none is made in one zone.
    one_zone_is_refused(&world).await;

    let both = |found: &(Option<_>, Option<_>)| found.0.is_some() && found.1.is_some();
    let (public, private) = children_are(&world, "gray", "on both load balancers", both).await;
    let (public, private) = (public.unwrap(), private.unwrap());
    let hosts = |ingress: &k8s_openapi::api::networking::v1::Ingress| {
        let rules = ingress.spec.as_ref().unwrap().rules.clone().unwrap();
        rules
            .into_iter()
            .map(|rule| rule.host.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(hosts(&public), ["hello.gray.example.com"]);
    assert_eq!(
        hosts(&private),
        ["hello.gray"],
        "the longer names are in its condition"
    );
    for (name, address) in [
        ("knative-internet", "Internet"),
        ("knative-intranet", "Intranet"),
    ] {
        let config = &alb_config(&world, name).await.data["spec"]["config"];
        assert_eq!(config["addressType"], address);
        assert_eq!(
            config["zoneMappings"][1]["vSwitchId"],
            "vsw-2zefv5qwao4prxxx"
        );
    }
    let classes: Api<IngressClass> = Api::all(world.client());
    let class = classes
        .get("knative-alb-ingress-internet")
        .await
        .unwrap()
        .spec
        .unwrap();
    assert_eq!(class.parameters.unwrap().name, "knative-internet");

    wait(&world, &hello, says("Ready", "Unknown", "Uninitialized")).await;
    changes_wait_for_the_controller(&world).await;
    serve(&world, &public, "one", PUBLIC).await;
    serve(&world, &private, "one", PRIVATE).await;
    let ready = wait(&world, &hello, says("Ready", "True", "")).await;
    let status = &ready.data["status"];
    assert_eq!(
        status["publicLoadBalancer"],
        json!({"ingress": [{"domain": PUBLIC}]})
    );
    assert_eq!(
        status["privateLoadBalancer"],
        json!({"ingress": [{"domain": PRIVATE}]})
    );
    let held = ["gatewaybinding.dev/alb-places"];
    assert_eq!(ready.finalizers(), held, "its places are kept when it goes");

    // Another split is not served as long as the label is that of before.
    apply(&world, &kingress("gray", "hello", 30)).await;
    wait(&world, &hello, says("Ready", "Unknown", "Uninitialized")).await;
    let (public, private) = children(&world, "gray").await;
    let (public, private) = (public.unwrap(), private.unwrap());
    assert_eq!(
        (weights(&public), weights(&private)),
        (vec![30, 70], vec![30, 70])
    );
    // What the controller says of it is told until it has succeeded.
    complain(
        &world,
        &public,
        "no vswitch, RequestId: 5F0C5F0C-1D2E-3A4B-5C6D-7E8F9A0B1C2D",
    )
    .await;
    let failed = wait(&world, &hello, says("Ready", "False", "IngressFailed")).await;
    let said = failed.data["status"].to_string();
    assert!(
        said.contains("FailedBuildModel: no vswitch, RequestId:\""),
        "{said}"
    );
    serve(&world, &public, "two", PUBLIC).await;
    wait(&world, &hello, says("Ready", "Unknown", "Uninitialized")).await;
    serve(&world, &private, "two", PRIVATE).await;
    wait(&world, &hello, says("Ready", "True", "")).await;

    // What cannot be served is told, and what is served stays.
    let before = children(&world, "gray").await;
    let mut odd = kingress("gray", "hello", 100);
    odd["spec"]["rules"][1]["hosts"][0] = json!("hello.gray.example.c0m");
    apply(&world, &odd).await;
    let refused = wait(&world, &hello, says("Ready", "False", "Unsupported")).await;
    assert_eq!(
        refused.data["status"]["publicLoadBalancer"],
        status["publicLoadBalancer"]
    );
    let same = |found: &(Option<_>, Option<_>)| *found == before;
    assert!(
        same(&children(&world, "gray").await),
        "the last good rules stay"
    );
    apply(&world, &kingress("gray", "hello", 30)).await;
    wait(&world, &hello, says("Ready", "True", "")).await;

    stays_still_over_a_restart(&mut world).await;

    // What somebody else put on an Ingress of ours stays, what was changed of ours is put back.
    let ingresses =
        Api::<k8s_openapi::api::networking::v1::Ingress>::namespaced(world.client(), "gray");
    let patch = json!({"metadata": {"annotations": {"alb.ingress.kubernetes.io/order": "999", "note": "kept"}}});
    ingresses
        .patch("hello", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    let mended = |found: &(Option<k8s_openapi::api::networking::v1::Ingress>, Option<_>)| {
        let annotations = found.0.as_ref().unwrap().annotations();
        annotations["alb.ingress.kubernetes.io/order"] == "11" && annotations["note"] == "kept"
    };
    children_are(&world, "gray", "as it was", mended).await;

    // A finalizer that another layer left does not keep it.
    world
        .patch(
            &hello,
            &json!({"metadata": {"finalizers": ["ingresses.networking.internal.knative.dev"]}}),
        )
        .await
        .unwrap();
    world.delete(&hello).await.unwrap();
    wait(&world, &hello, Expect::gone()).await;
    children_are(&world, "gray", "gone with it", |found| {
        found.0.is_none() && found.1.is_none()
    })
    .await;
    world.stop().await.unwrap();
}

/// What is not dealt with yet is not replaced again and again: the last of a burst comes when the
/// controller, or a while, has passed.
async fn changes_wait_for_the_controller(world: &World) {
    let made = children(world, "gray").await.0.unwrap();
    let made = made.creation_timestamp().unwrap().0;
    for share in [90, 80, 100] {
        apply(world, &kingress("gray", "hello", share)).await;
        let hello = target("gray", "hello");
        wait(world, &hello, says("Ready", "Unknown", "Uninitialized")).await;
        let public = children(world, "gray").await.0.unwrap();
        // A machine that takes its time may have come to the end of the wait.
        let age = k8s_openapi::jiff::Timestamp::now()
            .duration_since(made)
            .as_secs();
        assert!(age >= 7 || weights(&public) == [100], "{public:?}");
    }
}

/// At rest nothing is written, and not after a restart either.
pub(super) async fn stays_still_over_a_restart(world: &mut World) {
    let before = world.objects().await.unwrap();
    passes(world, 20).await;
    let after = world.objects().await.unwrap();
    assert_eq!(moved(&before, &after), Vec::<String>::new(), "at rest");
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    passes(world, 3).await;
    let after = world.objects().await.unwrap();
    assert_eq!(
        moved(&before, &after),
        Vec::<String>::new(),
        "after a restart"
    );
}

const BINDING: &str = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBinding
metadata: {name: hello, namespace: default}
spec:
  serviceRef: {kind: KnativeService, name: hello}
  alb:
    revisionRules:
    - {name: by-header, revision: REVISION, headers: [{name: demo, value: test}]}
    - {name: by-cookie, revision: hello-00001, cookies: [{name: demo, value: always}, {name: cookie2, value: v2}]}
";

fn in_mode(mode: &str, revision: &str) -> String {
    let reference = "serviceRef: {kind: KnativeService, name: hello}";
    BINDING
        .replace("REVISION", revision)
        .replace(reference, &format!("{reference}\n  mode: {mode}"))
}

/// With `mode: Plan` it lists what it would write.
async fn only_planned_it_writes_nothing(world: &World) {
    world.apply(&in_mode("Plan", "hello-00001")).await.unwrap();
    let binding = Target::of::<crds::GatewayBinding>(Some("default"), "hello");
    let planned = Expect::condition_with_reason("Programmed", "False", "PlanOnly");
    let planned = wait(world, &binding, planned).await;
    let plan = &planned.data["status"]["plan"];
    assert_eq!(plan["summary"]["update"], 2);
    assert_eq!(
        plan["steps"][0]["object"],
        "kubernetes/KnativeService/default/hello"
    );
    let service = ksvc("default", "hello")
        .api(world.client())
        .get("hello")
        .await
        .unwrap();
    assert!(
        !service
            .annotations()
            .contains_key("networking.knative.dev/ingress-class")
    );
    assert_eq!(planned.data["status"]["ledger"], Value::Null);

    // What was read is approved, and done; a change of it is not.
    let approved = format!("Plan\n  approvedPlan: {}", plan["hash"].as_str().unwrap());
    world
        .apply(&in_mode(&approved, "hello-00009"))
        .await
        .unwrap();
    let stale = Expect::condition_with_reason("Programmed", "False", "ApprovalStale");
    wait(world, &binding, stale).await;
    world
        .apply(&in_mode(&approved, "hello-00001"))
        .await
        .unwrap();
    let completed = Expect::that("carried out", |binding| {
        let plan = &binding.data["status"]["plan"];
        match (plan["completed"].is_string(), plan["steps"].is_null()) {
            (true, true) => Ok(()),
            _ => Err(plan.to_string()),
        }
    });
    wait(world, &binding, completed).await;
}

/// Rules that are changed while it is suspended take no effect, nor do those before them go.
async fn rules_in_force_stay_while_it_is_suspended(
    world: &World,
    public: &k8s_openapi::api::networking::v1::Ingress,
) {
    world
        .apply(&in_mode("Suspend", "hello-00009"))
        .await
        .unwrap();
    let hello = target("default", "hello");
    wait(world, &hello, says("Ready", "Unknown", "Pending")).await;
    let now = children(world, "default").await.0.unwrap();
    assert_eq!(now.annotations(), public.annotations());
    world
        .apply(&in_mode("Suspend", "hello-00001"))
        .await
        .unwrap();
    wait(world, &hello, says("Ready", "True", "")).await;
}

/// With `mode: Plan` it goes when that was approved, and what it asks for stays until then.
async fn its_removal_is_approved(
    world: &World,
    binding: &Target,
    public: &k8s_openapi::api::networking::v1::Ingress,
) {
    world.apply(&in_mode("Plan", "hello-00001")).await.unwrap();
    world.delete(binding).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    let blocked = wait(world, binding, blocked).await;
    let plan = &blocked.data["status"]["plan"];
    assert_eq!(
        plan["steps"][0]["object"],
        "kubernetes/KnativeService/default/hello"
    );
    let now = children(world, "default").await.0.unwrap();
    assert_eq!(now.annotations(), public.annotations());
    let approved = json!({"spec": {"approvedPlan": plan["hash"]}});
    world.patch(binding, &approved).await.unwrap();
    wait(world, binding, Expect::gone()).await;
}

#[tokio::test]
async fn a_binding_moves_its_knative_service_and_puts_it_back() {
    let world = world(true).await;
    zones_are_hidden(&world).await;
    helloworld(&world, "default", "hello", "").await;
    world.apply(CLASS).await.unwrap();
    only_planned_it_writes_nothing(&world).await;
    world
        .apply(&BINDING.replace("REVISION", "hello-00001"))
        .await
        .unwrap();
    let both = |found: &(Option<_>, Option<_>)| found.0.is_some() && found.1.is_some();
    let (public, private) = children_are(&world, "default", "on both load balancers", both).await;
    let (public, private) = (public.unwrap(), private.unwrap());
    let rules = public.spec.as_ref().unwrap().rules.as_ref().unwrap();
    assert_eq!(rules.len(), 3, "two rules and what everybody gets");
    let binding = Target::of::<crds::GatewayBinding>(Some("default"), "hello");
    it_is_told_that_nobody_looked(&world).await;
    let pending = Expect::condition_with_reason("Ready", "False", "WaitingForIngress");
    wait(&world, &binding, pending).await;
    serve(&world, &public, "one", PUBLIC).await;
    serve(&world, &private, "one", PRIVATE).await;
    let ready = wait(&world, &binding, Expect::condition("Ready", "True")).await;
    assert_eq!(ready.data["status"]["address"], PUBLIC);
    wait(
        &world,
        &ksvc("default", "hello"),
        Expect::condition("Ready", "True"),
    )
    .await;

    let public = children(&world, "default").await.0.unwrap();

    rules_in_force_stay_while_it_is_suspended(&world, &public).await;

    // A rule for a revision that is not there is told with those that are, and changes nothing.
    world
        .apply(&BINDING.replace("REVISION", "hello-00009"))
        .await
        .unwrap();
    let refused = Expect::condition_with_reason("Ready", "False", "RevisionNotFound");
    let refused = wait(&world, &binding, refused).await;
    let said = refused.data["status"]["conditions"].to_string();
    assert!(said.contains("it has \\\"hello-00001\\\""), "{said}");
    let now = children(&world, "default").await.0.unwrap();
    assert_eq!(now.annotations(), public.annotations());

    // Going, it takes its annotation along; what served stays until the other layer serves.
    world
        .apply(&BINDING.replace("REVISION", "hello-00001"))
        .await
        .unwrap();
    wait(
        &world,
        &target("default", "hello"),
        says("Ready", "True", ""),
    )
    .await;
    its_removal_is_approved(&world, &binding, &public).await;
    let put_back = Expect::that("without the annotation", |service| {
        let annotation = service
            .annotations()
            .get("networking.knative.dev/ingress-class");
        annotation.map_or(Ok(()), |class| Err(format!("it is {class}")))
    });
    wait(&world, &ksvc("default", "hello"), put_back).await;
    children_are(&world, "default", "gone", |found| {
        found.0.is_none() && found.1.is_none()
    })
    .await;
    wait(
        &world,
        &ksvc("default", "hello"),
        Expect::condition("Ready", "True"),
    )
    .await;
    let class = Target::of::<crds::GatewayBindingClass>(None, "alb");
    world.delete(&class).await.unwrap();
    wait(&world, &class, Expect::gone()).await;
    world.stop().await.unwrap();
}
