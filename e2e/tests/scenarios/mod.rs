mod absence;
mod adoption;
mod adoption_consumers;
mod alb_conformance;
mod alb_conformance_stage;
mod alb_domains;
mod alb_hop;
mod alb_ingress;
mod alb_knative;
mod alb_layer;
mod alb_neighbours;
mod alb_places;
mod alb_shards;
mod alb_stage;
mod alb_zones;
mod api_gateway_intranet_slb;
mod approvals;
mod argocd;
mod argocd_diff;
mod bad_input;
mod bad_input_cases;
mod bad_input_classes;
mod bench_ingresses;
mod by_hand;
mod changes;
mod charts;
mod charts_alb;
mod charts_higress;
mod charts_install;
mod charts_installed;
mod charts_lacks;
mod charts_monitored;
mod charts_policies;
mod charts_rights;
mod charts_values;
mod class_changes;
mod console;
mod consumers;
mod consumers_lost;
mod consumers_stage;
mod crashes;
mod crashes_leaders;
mod deletion;
mod documents;
mod drift;
mod drift_cases;
mod drift_consumers;
mod drift_everywhere;
mod edits_first;
mod existing_service;
mod exposed;
mod faults;
mod gateway;
mod higress_plugins;
mod higress_stage;
mod idle;
mod import;
mod knative;
mod knative_alb;
mod knative_switch;
mod kubectl;
mod mass_changes;
mod modes;
mod neighbours;
mod nlb;
mod nlb_own;
mod nlb_settings;
mod nlb_settings_rows;
mod orphans;
mod own_load_balancer;
mod plan_command;
mod plugin;
mod poisoned;
mod ram_policy;
mod ram_policy_nlb;
mod repairs;
mod reverse;
mod reverse_namespace;
mod second_writers;
mod secrecy;
mod settings_covered;
mod sharing;
mod slb_articles;
mod slb_drift;
mod slb_elastic;
mod slb_settings;
mod slb_settings_rows;
mod traffic;
mod weather;

use std::{fs, path::Path, time::Duration};

use e2e::{
    knative::types::KnativeService,
    world::{Expect, Target, World, WorldOptions},
};

/// For what takes some reconciliations of a loaded machine; nothing should come near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The manifests of a folder of `examples`, in the order of their names.
fn example(folder: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let texts: Vec<_> = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    texts.join("\n---\n")
}

/// A world without the operator.
async fn world() -> World {
    World::start(WorldOptions::default().without_operator())
        .await
        .unwrap()
}

fn ksvc(namespace: &str, name: &str) -> Target {
    Target::of::<KnativeService>(Some(namespace), name)
}

/// Applies a Knative Service and waits until it is Ready.
async fn helloworld(world: &World, namespace: &str, name: &str, more: &str) {
    let yaml = format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: {name}, namespace: {namespace}}}, \
         spec: {{template: {{spec: {{containers: [{{image: ghcr.io/knative/helloworld-go}}]}}}}{more}}}}}"
    );
    world.apply(&yaml).await.unwrap();
    world
        .wait_for(
            &ksvc(namespace, name),
            &Expect::condition("Ready", "True"),
            PATIENCE,
        )
        .await
        .unwrap();
}

/// Makes a namespace.
async fn namespace(world: &World, name: &str) {
    let yaml = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}");
    world.apply(&yaml).await.unwrap();
}
