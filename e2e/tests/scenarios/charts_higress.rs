//! The rights that `rbac.higressNamespaces` of the chart grants are enough for the plugins of Higress, and
//! none is too much.

use std::collections::BTreeSet;

use e2e::{
    chart,
    world::{Expect, Target, WorldOptions},
};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use serde_json::json;

use super::{
    charts_installed::Installed,
    charts_rights::right,
    higress_stage::{SYSTEM, example, install},
    mass_changes::LONG,
};

type Rights = BTreeSet<(String, String, String)>;

fn granted(role: &str, rules: Option<Vec<PolicyRule>>) -> Rights {
    let mut rights = Rights::new();
    for rule in rules.unwrap() {
        for resource in rule.resources.iter().flatten() {
            // To apply what is not there takes both, and is told as a patch.
            let verbs = rule.verbs.iter().filter(|verb| *verb != "create");
            rights.extend(verbs.map(|verb| (role.to_owned(), resource.clone(), verb.clone())));
        }
    }
    rights
}

#[tokio::test]
async fn with_the_rights_of_rbac_higress_namespaces_plugins_are_written_and_each_is_used() {
    let options = WorldOptions {
        audited: true,
        ccm: false,
        ..WorldOptions::default()
    };
    let mut installed = Installed::prepare(options).await;
    install(&installed.world).await;
    let rbac = json!({"secretNamespaces": ["default"], "higressNamespaces": [SYSTEM]});
    installed.install(&json!({"rbac": rbac})).await;
    installed.start().await;
    let world = &installed.world;
    for file in ["class", "knative-service", "consumers", "binding"] {
        world.apply(&example(file)).await.unwrap();
    }
    let hello = Target::of::<crds::GatewayBinding>(Some("default"), "hello");
    let ready = Expect::condition("Ready", "True");
    world.wait_for(&hello, &ready, LONG).await.unwrap();
    world.delete(&hello).await.unwrap();
    world.wait_for(&hello, &Expect::gone(), LONG).await.unwrap();
    installed.stop().await;

    let world = &installed.world;
    let asked = world.asked().unwrap();
    let refused: BTreeSet<_> = asked
        .iter()
        .filter(|asked| !asked.allowed)
        .map(right)
        .collect();
    assert_eq!(refused, BTreeSet::new(), "rights that are missing");
    let name = format!("{}-higress", chart::OPERATOR);
    let everywhere = Api::<ClusterRole>::all(world.client()).get(&name).await;
    let here = Api::<Role>::namespaced(world.client(), SYSTEM)
        .get(&name)
        .await;
    let mut rights = granted(
        &format!("ClusterRole \"{name}\""),
        everywhere.unwrap().rules,
    );
    rights.extend(granted(&format!("Role \"{name}\""), here.unwrap().rules));
    let used = asked.iter().map(right);
    let used: Rights = used
        .filter(|right| right.role.contains(&name))
        .map(|right| (right.role, right.resource, right.verb))
        .collect();
    assert_eq!(rights, used, "granted and used");
    installed.world.stop().await.unwrap();
}
