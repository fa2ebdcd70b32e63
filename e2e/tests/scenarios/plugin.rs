//! `kubectl gatewaybinding`: the plugin, run by kubectl.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use crds::keys::{RECONCILE_AT, consumer_secret};
use e2e::{
    binaries,
    world::{Expect, World},
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use super::exposed::{consumer, exposed, helloworld, host, now};

/// For what takes some passes of the operator.
const LONG: Duration = Duration::from_secs(120);
const COMPLETION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kubectl-plugin/completion");

/// How a command ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    fn failed(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        self.err
    }
}

/// Runs kubectl with the plugin and its completion in the PATH.
async fn kubectl(world: &World, args: &[&str]) -> Ended {
    let program = world.control_plane.kubectl().await.unwrap();
    let plugin = &binaries::ensure(|_| ()).await.unwrap().plugin;
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = [plugin.parent().unwrap(), Path::new(COMPLETION)];
    let folders = folders.into_iter().map(Path::to_owned);
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&others))).unwrap();
    let output = Command::new(&program)
        .args(args)
        .env("KUBECONFIG", world.control_plane.kubeconfig().path())
        .env("PATH", path)
        .current_dir(world.folder())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LONG, output).await.expect("it ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Runs `kubectl gatewaybinding`.
async fn plugin(world: &World, args: &[&str]) -> Ended {
    let all: Vec<&str> = ["gatewaybinding"].iter().chain(args).copied().collect();
    kubectl(world, &all).await
}

/// Every word stands in the text.
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}

async fn change(world: &World, spec: Value) {
    let patch = json!({ "spec": spec });
    world.patch(&helloworld(), &patch).await.unwrap();
}

async fn until(world: &World, type_: &str, status: &str, reason: &str) {
    let expect = Expect::condition_with_reason(type_, status, reason);
    let waited = world.wait_for(&helloworld(), &expect, LONG).await;
    waited.unwrap();
}

#[tokio::test]
async fn kubectl_runs_the_plugin() {
    let world = exposed().await;
    shows(&world).await;
    explains(&world).await;
    suspends_and_resumes(&world).await;
    reconciles(&world).await;
    plans_and_approves(&world).await;
    completes(&world).await;
    bundles(&world).await;
}

async fn shows(world: &World) {
    let binding = now(world, &helloworld()).await;
    let status = &binding.data["status"];
    let url = format!("https://{}/", host(&binding));
    let table = plugin(world, &["status"]).await.ok();
    has(&table, &["READY", "helloworld", "True", &url]);
    let all = plugin(world, &["status", "all", "-A"]).await.ok();
    has(&all, &["NAMESPACE", "knative", "production", "cn-beijing"]);
    let json = plugin(world, &["status", "helloworld", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json.ok()).unwrap();
    assert_eq!(json["items"][0]["place"], json!(url), "{json}");

    let tree = plugin(world, &["tree", "helloworld"]).await.ok();
    for pointer in [
        "/loadBalancer/id",
        "/apiGateway/groupId",
        "/apiGateway/routes/0/apis/0/id",
    ] {
        let id = status.pointer(pointer).and_then(Value::as_str).unwrap();
        has(&tree, &[&format!("[{id}]")]);
    }
    has(
        &tree,
        &[
            &url,
            "GatewayConsumer default/knative may call it",
            "published, throttled",
            "VPC authorization",
            "Service istio-system/istio-ingressgateway-intranet",
            "✓ Knative Service default/helloworld",
            "http://helloworld.default.example.com",
            "100 %",
        ],
    );
    assert!(!tree.contains('✗'), "nothing is wrong:\n{tree}");

    let orphans = plugin(world, &["orphans", "production"]).await.ok();
    assert_eq!(orphans, "No orphans.\n");
    let missing = plugin(world, &["tree", "nothing"]).await.failed();
    has(
        &missing,
        &[
            "GatewayBinding default/nothing does not exist",
            "kubectl get",
        ],
    );
    let elsewhere = plugin(world, &["status", "--context", "nowhere"])
        .await
        .failed();
    has(&elsewhere, &["nowhere", "--kubeconfig"]);
}

async fn explains(world: &World) {
    // Without a cluster.
    let word = plugin(
        world,
        &["explain", "ConsumerNotFound", "--kubeconfig", "/dev/null"],
    )
    .await;
    has(&word.ok(), &["does not exist", "Create the consumer"]);

    let allow = json!([{"name": "knative"}, {"name": "tablet"}]);
    change(
        world,
        json!({"apiGateway": {"auth": {"consumer": {"allow": allow}}}}),
    )
    .await;
    until(world, "Ready", "False", "ConsumerNotFound").await;
    let explained = plugin(world, &["explain", "helloworld"]).await.ok();
    has(
        &explained,
        &[
            "ResolvedRefs is False: ConsumerNotFound",
            "default/tablet",
            "Create the consumer",
        ],
    );
    let checked = plugin(world, &["status", "--exit-code"]).await;
    assert_eq!(checked.code, Some(2), "{}{}", checked.out, checked.err);

    let allow = json!([{"name": "knative"}]);
    change(
        world,
        json!({"apiGateway": {"auth": {"consumer": {"allow": allow}}}}),
    )
    .await;
    until(world, "Ready", "True", "Ready").await;
    let checked = plugin(world, &["status", "--exit-code"]).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
}

async fn suspends_and_resumes(world: &World) {
    let told = plugin(world, &["suspend", "helloworld"]).await.ok();
    assert_eq!(told, "GatewayBinding default/helloworld: suspended\n");
    until(world, "Ready", "False", "Suspended").await;
    plugin(world, &["resume", "helloworld"]).await.ok();
    until(world, "Ready", "True", "Ready").await;
    let spec = now(world, &helloworld()).await.data["spec"].clone();
    assert!(spec.get("mode").is_none(), "{spec}");
}

/// The operator looks at once, long before its next look is due.
async fn reconciles(world: &World) {
    world.cloud.reset_calls().await.unwrap();
    plugin(world, &["reconcile", "helloworld"]).await.ok();
    let operator = world.options().operator_keys.id.clone();
    let looked = async || {
        let calls = world
            .cloud
            .calls()
            .await
            .map_err(|error| error.to_string())?;
        let mut calls = calls.into_iter();
        match calls.find(|call| call.access_key_id == operator && !call.mutating) {
            Some(_) => Ok(()),
            None => Err("the operator called nothing".to_owned()),
        }
    };
    let waited = world
        .wait_until("the cloud", "looked at", LONG, looked)
        .await;
    waited.unwrap();
    let caller = consumer("default", "knative");
    plugin(world, &["reconcile", "gatewayconsumer/knative"])
        .await
        .ok();
    let annotations = now(world, &caller).await.metadata.annotations.unwrap();
    assert!(annotations.contains_key(RECONCILE_AT), "{annotations:?}");
}

async fn plans_and_approves(world: &World) {
    let none = plugin(world, &["plan", "helloworld"]).await.failed();
    has(&none, &["default/helloworld has mode Apply"]);
    change(
        world,
        json!({"mode": "Plan", "apiGateway": {"backend": {"timeout": "20s"}}}),
    )
    .await;
    until(world, "Programmed", "False", "PlanOnly").await;
    let shown = plugin(world, &["plan", "helloworld", "--exit-code"]).await;
    assert_eq!(shown.code, Some(2), "{}{}", shown.out, shown.err);
    let plan = &now(world, &helloworld()).await.data["status"]["plan"];
    let hash = plan["hash"].as_str().unwrap();
    has(
        &shown.out,
        &[
            hash,
            "backend.timeoutMs: 10000 → 20000",
            "approve -n default",
        ],
    );

    let refused = plugin(world, &["suspend", "helloworld"]).await.failed();
    has(&refused, &["has mode Plan"]);
    let other = format!("sha256:{}", "0".repeat(64));
    let stale = plugin(world, &["approve", "helloworld", &other])
        .await
        .failed();
    has(&stale, &["is not the plan", hash]);
    plugin(world, &["approve", "helloworld", hash]).await.ok();
    until(world, "Ready", "True", "Ready").await;
    change(world, json!({"mode": null, "approvedPlan": null})).await;
    until(world, "Ready", "True", "Ready").await;
}

async fn completes(world: &World) {
    let commands = kubectl(world, &["__complete", "gatewaybinding", "tr"]).await;
    has(&commands.ok(), &["tree\t", ":4"]);
    let names = kubectl(world, &["__complete", "gatewaybinding", "tree", ""]).await;
    has(&names.ok(), &["helloworld\n"]);
    let script = plugin(world, &["completion", "kubectl"]).await.ok();
    let file = fs::read_to_string(Path::new(COMPLETION).join("kubectl_complete-gatewaybinding"));
    assert_eq!(script, file.unwrap());
}

/// What a file of an unpacked bundle says, by its path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

async fn bundles(world: &World) {
    let entries = [
        consumer_secret::API_KEY,
        consumer_secret::KEY_ID,
        consumer_secret::KEY_SECRET,
    ];
    let mut secrets = Vec::new();
    for entry in entries {
        let value = world
            .secret("default", "knative-caller", entry)
            .await
            .unwrap();
        secrets.push(value);
    }
    // Somebody was careless: in an annotation that is nobody's, and in one of the operator's.
    for key in ["example.com/note", "gatewaybinding.dev/note"] {
        let note = format!("{key}={} {}", secrets[0], secrets[2]);
        let annotate = ["annotate", "gwb", "helloworld", &note];
        world.kubectl(&annotate).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("bundle.tar.gz");
    let archive = archive.to_str().unwrap();
    let told = plugin(world, &["bundle", "-f", archive]).await;
    assert_eq!(told.code, Some(0), "{}{}", told.out, told.err);
    has(&told.err, &["README.txt", "errors.txt"]);
    // And mended it: no world ends with a secret in plain sight.
    let mend = [
        "annotate",
        "gwb",
        "helloworld",
        "example.com/note-",
        "gatewaybinding.dev/note-",
    ];
    world.kubectl(&mend).await.unwrap();
    let again = plugin(world, &["bundle", "-f", archive]).await.failed();
    has(&again, &["cannot write", "exists"]);

    let mut tar = Command::new("tar");
    let tar = tar.args(["-xzf", archive, "-C"]).arg(folder.path());
    let unpacked = tar.output().await.unwrap();
    assert!(unpacked.status.success(), "{unpacked:?}");
    let files = files(&folder.path().join("gatewaybinding-bundle"));
    let file = |name: &str| {
        let names: Vec<&String> = files.keys().collect();
        files
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {names:?}"))
            .as_str()
    };
    has(
        file("gatewaybindings/default/helloworld.yaml"),
        &[
            "ledger:",
            "gatewaybinding.dev/note",
            "example.com/note: <left out>",
        ],
    );
    has(
        file("gatewayconsumers/default/knative.yaml"),
        &["secretRef:"],
    );
    has(
        file("gatewaybindingclasses/production.yaml"),
        &["clusterId: c1f0"],
    );
    has(
        file("services/istio-system/istio-ingressgateway-intranet.yaml"),
        &["service.beta.kubernetes.io/"],
    );
    has(
        file("knative/services/default/helloworld.yaml"),
        &["kind: Service"],
    );
    has(
        file("knative/ingresses/default/helloworld.yaml"),
        &["kind: Ingress"],
    );
    has(
        file("secrets.yaml"),
        &["knative-caller", "keySecret", "madeByOperator: true"],
    );
    has(file("events.yaml"), &["Applied"]);
    has(file("trees/default/helloworld.txt"), &["✓ Knative Service"]);
    has(file("status.txt"), &["helloworld"]);
    has(file("errors.txt"), &["no pod of the operator"]);
    for (name, text) in &files {
        for secret in &secrets {
            assert!(!text.contains(secret), "{name} holds a secret");
        }
    }
}
