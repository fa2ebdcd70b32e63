//! Releases of the charts: the first one, the next one, and uninstalling in any order.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::GatewayBindingClass;
use e2e::{
    chart::{self, Helm},
    world::{Target, World, WorldOptions},
};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::ServiceAccount},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use serde_json::{Value, json};

use super::{
    charts_installed::Installed,
    exposed::{
        Caller, class, cloud_is, consumer, example_file, gone, helloworld, intranet_service, now,
        ready, secret,
    },
};

/// A version before all that were released.
const BEFORE: &str = "0.0.9";
/// A field of bindings that the definitions of that version do not have.
const NEW_FIELD: &str = "deletionPolicy";

/// The class of the example, as the chart's default class.
fn with_class() -> Value {
    let class: GatewayBindingClass = serde_saphyr::from_str(&example_file("class.yaml")).unwrap();
    json!({
        "rbac": {"secretNamespaces": ["default"]},
        "defaultClass": {"create": true, "name": "production", "spec": class.spec},
    })
}

/// The chart as an archive of an earlier version.
async fn earlier(helm: &Helm, chart: &Path) -> PathBuf {
    let folder = helm.scratch().display().to_string();
    let source = chart.display().to_string();
    let args = [
        "package",
        &source,
        "--version",
        BEFORE,
        "--app-version",
        BEFORE,
        "--destination",
        &folder,
    ];
    helm.run(args).await.unwrap();
    let name = chart.file_name().unwrap().to_str().unwrap();
    helm.scratch().join(format!("{name}-{BEFORE}.tgz"))
}

/// A copy of the chart with the definitions whose GatewayBinding lacks a field.
fn without_the_field(helm: &Helm) -> PathBuf {
    let (source, copy) = (chart::folder(chart::CRDS), helm.scratch().join(chart::CRDS));
    fs::create_dir_all(copy.join("templates")).unwrap();
    let templates = fs::read_dir(source.join("templates")).unwrap();
    for template in templates.map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&template).unwrap();
        let mut definition: Value = serde_saphyr::from_str(&text).unwrap();
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        let fields = definition
            .pointer_mut(spec)
            .unwrap()
            .as_object_mut()
            .unwrap();
        if template.ends_with("gatewaybindings.gatewaybinding.dev.yaml") {
            fields.remove(NEW_FIELD).unwrap();
        }
        let copy = copy.join("templates").join(template.file_name().unwrap());
        fs::write(copy, definition.to_string()).unwrap();
    }
    for file in ["Chart.yaml", "values.yaml", "values.schema.json"] {
        fs::copy(source.join(file), copy.join(file)).unwrap();
    }
    copy
}

/// Whether the API server knows the field; nothing is changed.
async fn knows_the_field(world: &World) -> bool {
    let patch = format!("{{\"spec\": {{\"{NEW_FIELD}\": \"Delete\"}}}}");
    let args = [
        "patch",
        "gwb",
        "helloworld",
        "--type=merge",
        "--patch",
        &patch,
        "--dry-run=server",
        "--output=yaml",
    ];
    world.kubectl(&args).await.unwrap().contains(NEW_FIELD)
}

async fn image(world: &World) -> String {
    let deployment = Target::of::<Deployment>(Some(chart::NAMESPACE), chart::OPERATOR);
    let deployment = now(world, &deployment).await.data;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    container["image"].as_str().unwrap().to_owned()
}

async fn expose(installed: &Installed) -> Value {
    for file in ["knative-service.yaml", "consumer.yaml", "binding.yaml"] {
        installed.world.apply(&example_file(file)).await.unwrap();
    }
    ready(&installed.world, &helloworld()).await.data
}

#[tokio::test]
async fn an_upgrade_brings_new_fields_and_leaves_every_object_as_it_is() {
    let mut installed = Installed::prepare(WorldOptions::default()).await;
    let definitions = earlier(&installed.helm, &without_the_field(&installed.helm)).await;
    installed
        .release(chart::CRDS, &definitions, &json!({}))
        .await;
    let operator = earlier(&installed.helm, &chart::folder(chart::OPERATOR)).await;
    let values = installed.values(&with_class());
    installed.release(chart::OPERATOR, &operator, &values).await;
    installed.start().await;
    expose(&installed).await;
    let before = now(&installed.world, &helloworld()).await;
    assert!(!knows_the_field(&installed.world).await);
    assert!(image(&installed.world).await.ends_with(BEFORE));

    installed.install(&with_class()).await;
    installed.stop().await;
    installed.start().await;
    assert!(knows_the_field(&installed.world).await);
    assert!(
        image(&installed.world)
            .await
            .ends_with(env!("CARGO_PKG_VERSION"))
    );
    let world = &installed.world;
    let after = ready(world, &helloworld()).await;
    assert_eq!(before.metadata.uid, after.metadata.uid);
    assert_eq!(before.metadata.generation, after.metadata.generation);
    assert_eq!(
        before.data["status"]["ledger"],
        after.data["status"]["ledger"]
    );
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
}

#[tokio::test]
async fn uninstalled_in_any_order_nothing_is_lost_and_a_new_release_goes_on() {
    let mut installed = Installed::prepare(WorldOptions::default()).await;
    let before = installed.world.cloud_objects().await.unwrap();
    installed.install(&with_class()).await;
    installed.start().await;
    let exposed = expose(&installed).await;

    // The definitions first: they stay, and so does what is of them.
    installed
        .helm
        .run(["uninstall", chart::CRDS])
        .await
        .unwrap();
    let definition = "gatewaybindings.gatewaybinding.dev";
    let definition = Target::of::<CustomResourceDefinition>(None, definition);
    let kept = now(&installed.world, &definition).await.metadata;
    assert_eq!(kept.deletion_timestamp, None);
    assert_eq!(now(&installed.world, &helloworld()).await.data, exposed);

    // Then the operator: what it made stays and works, and what goes waits for it.
    installed.stop().await;
    installed
        .helm
        .run(["uninstall", chart::OPERATOR])
        .await
        .unwrap();
    let account = Target::of::<ServiceAccount>(Some(chart::NAMESPACE), chart::OPERATOR);
    gone(&installed.world, &account).await;
    let world = &installed.world;
    assert_eq!(
        now(world, &class("production"))
            .await
            .metadata
            .deletion_timestamp,
        None
    );
    let caller = Caller::of(world, &helloworld()).await;
    caller.get_until("/", 200).await;
    for target in [helloworld(), consumer("default", "knative")] {
        world.delete(&target).await.unwrap();
        let held = now(world, &target).await.metadata;
        assert!(held.deletion_timestamp.is_some());
    }
    now(world, &intranet_service()).await;
    assert_eq!(caller.get("/").await.unwrap().status, 200);

    // A new release takes up what is there, and cleans up.
    installed.install(&with_class()).await;
    installed.start().await;
    let world = &installed.world;
    gone(world, &helloworld()).await;
    gone(world, &consumer("default", "knative")).await;
    gone(world, &intranet_service()).await;
    gone(world, &secret("default", "knative-caller")).await;
    cloud_is(world, &before).await;
    world.delete(&class("production")).await.unwrap();
    gone(world, &class("production")).await;
}
