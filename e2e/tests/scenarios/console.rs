//! A set-up that somebody made with kubectl and at the cloud's console, complete and carrying
//! traffic, and manifests that adopt it.

use std::{path::Path, process::Command};

use e2e::world::{Answer, Expect, OperatorOptions, World, WorldOptions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    by_hand::{self, api, text},
    exposed::{binding, class, consumer, gone, ready},
    helloworld,
};

#[path = "../../emulator/tests/common/python.rs"]
mod python;

/// The drift interval of these scenarios.
const OFTEN: &str = "1s";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/console.py");
const REQUIREMENTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/emulator/tests/python/requirements.txt"
);

/// A world with the article's Knative service and its intranet load balancer.
async fn prepared() -> (World, String) {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), OFTEN.to_owned()],
        ..OperatorOptions::default()
    };
    let options = WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    };
    let world = World::start(options).await.unwrap();
    helloworld(&world, "default", "helloworld", "").await;
    let balancer = by_hand::load_balancer(&world).await;
    (world, balancer)
}

/// What a person made, by its ids.
#[derive(Deserialize)]
pub(super) struct Console {
    /// The public host of the group.
    pub(super) host: String,
    pub(super) group: String,
    pub(super) api: String,
    pub(super) app: String,
    /// The AppCode that a caller uses.
    pub(super) code: String,
    pub(super) plugin: String,
    pub(super) access: String,
}

impl Console {
    /// Makes it all in a world of its own, whose operator has nothing to do yet.
    pub(super) async fn set_up() -> (World, Self) {
        let (world, balancer) = prepared().await;
        let (host, id) =
            by_hand::publish(&world, &balancer, "helloworld.default.example.com").await;
        let (app, code) = by_hand::app(&world, "by_hand").await;
        let stage = ("StageName", "RELEASE");
        let params = [("ApiId", id.as_str()), ("AppIds", &app), stage];
        api(&world, "SetAppsAuthorities", &params).await;
        let limits = [
            ("PluginName", "by_hand"),
            ("PluginType", "trafficControl"),
            ("PluginData", "unit: MINUTE\napiDefault: 1000\n"),
        ];
        let plugin = text(&api(&world, "CreatePlugin", &limits).await, "PluginId");
        let params = [("PluginId", plugin.as_str()), ("ApiId", &id), stage];
        api(&world, "AttachPlugin", &params).await;
        let described = api(&world, "DescribeApi", &[("ApiId", &id)]).await;
        let accesses = api(&world, "DescribeVpcAccesses", &[]).await;
        let access = &accesses["VpcAccessAttributes"]["VpcAccessAttribute"][0];
        let console = Self {
            host,
            group: text(&described, "GroupId"),
            api: id,
            app,
            code,
            plugin,
            access: text(access, "VpcAccessId"),
        };
        console.answers(&world, 200).await;
        (world, console)
    }

    /// The same, made in the cloud by the vendor's own SDK.
    pub(super) async fn set_up_by_sdk() -> (World, Self) {
        let (world, balancer) = prepared().await;
        let keys = world.options().console_keys.clone();
        let region = world.options().region.clone();
        let address = world.cloud.url().trim_start_matches("http://").to_owned();
        let script = tokio::task::spawn_blocking(move || {
            let python = python::environment(Path::new(REQUIREMENTS))?;
            let arguments = [&address, &region, &keys.id, &keys.secret, &balancer];
            python::run(
                Command::new(python)
                    .arg(SCRIPT)
                    .args(arguments)
                    .env("NO_PROXY", "127.0.0.1")
                    .env("PYTHONDONTWRITEBYTECODE", "1"),
            )
        });
        let output = script.await.unwrap().unwrap();
        let console: Self = serde_json::from_slice(&output.stdout).unwrap();
        console.answers(&world, 200).await;
        (world, console)
    }

    /// A request of the caller that was there before.
    pub(super) async fn get(&self, world: &World, path: &str) -> Answer {
        let authorization = format!("APPCODE {}", self.code);
        let headers = [("authorization", authorization.as_str())];
        world.cloud.curl(&self.host, path, &headers).await.unwrap()
    }

    /// Waits until that caller is answered so.
    pub(super) async fn answers(&self, world: &World, status: u16) {
        let authorization = format!("APPCODE {}", self.code);
        let headers = [("authorization", authorization.as_str())];
        let get = || world.cloud.curl(&self.host, "/", &headers);
        let expected = status.to_string();
        world
            .wait_for_answer(&expected, PATIENCE, get, |answer| answer.status == status)
            .await
            .unwrap();
    }

    /// The class, which adopts the group and the way to the gateway.
    pub(super) fn class(&self) -> Value {
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": "production", "annotations": {"gatewaybinding.dev/is-default-class": "true"}},
            "spec": {
                "cloud": {"accountId": "1234567890123456", "regionId": "cn-beijing", "clusterId": "c1f0",
                    "credentials": {"type": "Environment"}},
                "defaults": {"gateway": "intranet", "apiGateway": {"gateway": "main", "group": "knative-test"}},
                "gateways": [{"name": "intranet", "slb": {
                    "service": {"namespace": "istio-system", "name": "istio-ingressgateway-intranet"},
                    "settings": {"addressType": "Intranet"}}}],
                "apiGateways": [{"name": "main", "type": "Classic",
                    "groups": [{"name": "knative-test", "existing": {"id": self.group}}],
                    "backends": [{"gateway": "intranet", "port": 80, "existing": {"id": self.access}}]}],
                "adoptable": ["API", "Policy", "Consumer"],
            },
        })
    }

    /// The binding, which says what the console says.
    pub(super) fn binding(&self) -> Value {
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": "helloworld", "namespace": "default"},
            "spec": {
                "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
                "apiGateway": {
                    "routes": [{"name": "all", "path": {"prefix": "/"}, "existing": {"id": self.api}}],
                    "auth": {"consumer": {"apiKey": {"in": ["Header", "Query"]}, "signature": {},
                        "allow": [{"name": "caller"}]}},
                    "throttling": {"existing": {"id": self.plugin}},
                },
            },
        })
    }

    /// The consumer.
    pub(super) fn consumer(&self) -> Value {
        json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": "caller", "namespace": "default"},
            "spec": {
                "credentials": [{"name": "first", "type": "Generated", "kinds": ["APIKey", "KeyPair"],
                    "secretRef": {"name": "caller"}}],
                "existing": [{"accountId": "1234567890123456", "regionId": "cn-beijing", "id": self.app}],
            },
        })
    }

    /// Applies all three, and waits until they are Ready.
    pub(super) async fn adopt(&self, world: &World) {
        apply(world, &[self.class(), self.consumer(), self.binding()]).await;
        ready(world, &binding("default", "helloworld")).await;
        ready(world, &consumer("default", "caller")).await;
    }

    /// Deletes all three, and waits until they are gone.
    pub(super) async fn let_go(&self, world: &World) {
        for target in [
            binding("default", "helloworld"),
            consumer("default", "caller"),
            class("production"),
        ] {
            world.delete(&target).await.unwrap();
            gone(world, &target).await;
        }
    }
}

/// Applies manifests.
pub(super) async fn apply(world: &World, manifests: &[Value]) {
    let documents: Vec<String> = manifests.iter().map(Value::to_string).collect();
    world.apply(&documents.join("\n---\n")).await.unwrap();
}

/// Everything in the API gateway, to the last byte; without what was once and counters.
pub(super) async fn everything(world: &World) -> Value {
    let mut state = world.cloud.state().await.unwrap()["cloudapi"].take();
    for member in ["history", "tasks", "appListCalls"] {
        state.as_object_mut().unwrap().remove(member);
    }
    state
}

/// Waits until an object tells of a problem with this reason, and returns its message.
pub(super) async fn told(world: &World, target: &e2e::world::Target, reason: &str) -> String {
    let expect = Expect::condition_with_reason("Programmed", "False", reason);
    let object = world.wait_for(target, &expect, PATIENCE).await.unwrap();
    let (.., message) = super::exposed::condition(&object, "Programmed").unwrap();
    message
}
