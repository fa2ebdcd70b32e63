//! The cases of Knative's public conformance suite for ingresses (`knative.dev/networking`,
//! `test/conformance/ingress`) as tests of our own, under their public names: what each asks for is
//! served by the layer, the stand-in of the ALB Ingress controller and the emulated load balancers.
//! docs/conformance-alb.md is the table of all cases; it is held against these tests.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use e2e::world::World;
use futures::future::{LocalBoxFuture, join_all};
use serde_json::{Value, json};

use super::alb_conformance_stage::{Stage, gives_back, header, rule, serving};

/// Runs all cases at once; and their public names.
macro_rules! cases {
    ($($name:literal => $case:ident),+ $(,)?) => {
        const SHOWN: &[(&str, &str)] = &[$(($name, stringify!($case))),+];

        async fn all(stage: &Stage<'_>) {
            let cases: Vec<LocalBoxFuture<'_, ()>> = vec![$(Box::pin($case(stage))),+];
            join_all(cases).await;
        }
    };
}

cases! {
    "basics" => basics,
    "headers/pre-split" => headers_pre_split,
    "headers/tags" => headers_tags,
    "hosts/multiple" => hosts_multiple,
    "dispatch/path" => dispatch_path,
    "dispatch/rule" => dispatch_rule,
    "retry" => retry,
    "timeout" => timeout,
    "tls" => tls,
    "httpoption" => httpoption,
    "update" => update,
    "visibility" => visibility,
    "visibility/path" => visibility_path,
    "host-rewrite" => host_rewrite,
    "ingressclass" => ingressclass,
    "websocket" => websocket,
    "websocket/split" => websocket_split,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_conformance_cases_that_alb_can_express_pass() {
    let world: World = serving().await;
    let stage = Stage::set(&world).await;
    all(&stage).await;
    everything_goes_on_without_certificates(&stage).await;
    world.stop().await.unwrap();
}

async fn basics(stage: &Stage<'_>) {
    let host = ["basics.example.com"];
    let paths = json!([{"splits": [stage.to("basics").await]}]);
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths)]});
    stage.ready("basics", spec).await;
    let answer = stage.get("basics", host[0], "/", &[]).await;
    assert_eq!(answer.served_by(), "basics");
}

/// "Set", not "append": what the client sent is gone.
async fn headers_pre_split(stage: &Stage<'_>) {
    let host = ["pre-split.example.com"];
    let paths = json!([{"appendHeaders": {"Foo-Bar-Baz": "pre-split"}, "splits": [stage.to("pre-split").await]}]);
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths)]});
    stage.ready("pre-split", spec).await;
    for sent in [&[][..], &[("Foo-Bar-Baz", "bogus")]] {
        let answer = stage.get("pre-split", host[0], "/", sent).await;
        assert_eq!(answer.header("foo-bar-baz"), ["pre-split"], "{sent:?}");
    }
}

async fn headers_tags(stage: &Stage<'_>) {
    let host = ["tags.example.com"];
    let split = stage.to("tags").await;
    let paths = json!([
        {"headers": {"Knative-Serving-Tag": {"exact": "the-tag"}}, "appendHeaders": {"Which-Backend": "tag"}, "splits": [split]},
        {"appendHeaders": {"Which-Backend": "no-tag"}, "splits": [split]},
    ]);
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths)]});
    stage.ready("tags", spec).await;
    for (sent, wanted) in [
        (Some("the-tag"), "tag"),
        (None, "no-tag"),
        (Some(""), "no-tag"),
        (Some("not-the-tag"), "no-tag"),
    ] {
        let sent: Vec<(&str, &str)> = sent
            .map(|tag| ("knative-serving-tag", tag))
            .into_iter()
            .collect();
        let answer = stage.get("tags", host[0], "/", &sent).await;
        assert_eq!(answer.header("which-backend"), [wanted], "{sent:?}");
    }
}

async fn hosts_multiple(stage: &Stage<'_>) {
    let hosts = [
        "multiple.foo.com",
        "www.multiple.foo.com",
        "multiple.bar.com",
    ];
    let paths = json!([{"splits": [stage.to("multiple").await]}]);
    let spec = json!({"rules": [rule(&hosts, "ExternalIP", paths)]});
    stage.ready("multiple", spec).await;
    for host in hosts {
        assert_eq!(
            stage.get("multiple", host, "/", &[]).await.served_by(),
            "multiple"
        );
    }
}

/// `/foo` and `/bar` are beginnings of strings; what begins with neither goes to the last.
async fn dispatch_path(stage: &Stage<'_>) {
    let host = ["path.example.com"];
    let mut paths = vec![];
    for (path, service) in [
        ("/foo", "foo"),
        ("/bar", "bar"),
        ("/baz", "baz"),
        ("", "fallback"),
    ] {
        let split = stage.to(&format!("path-{service}")).await;
        paths.push(
            json!({"path": path, "appendHeaders": {"Which-Backend": service}, "splits": [split]}),
        );
    }
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths.into())]});
    stage.ready("path", spec).await;
    for (path, wanted) in [
        ("/foo", "foo"),
        ("/foo/ping", "foo"),
        ("/bar", "bar"),
        ("/baz", "baz"),
        ("/", "fallback"),
        ("/asdf", "fallback"),
    ] {
        let answer = stage.get("path", host[0], path, &[]).await;
        assert_eq!(answer.header("which-backend"), [wanted], "{path}");
        assert_eq!(answer.served_by(), format!("path-{wanted}"));
    }
}

async fn dispatch_rule(stage: &Stage<'_>) {
    let mut rules = vec![];
    for name in ["rule-foo", "rule-bar"] {
        let paths =
            json!([{"appendHeaders": {"Foo-Bar-Baz": name}, "splits": [stage.to(name).await]}]);
        rules.push(rule(&[&format!("{name}.example.com")], "ExternalIP", paths));
    }
    stage.ready("rule", json!({"rules": rules})).await;
    for name in ["rule-foo", "rule-bar"] {
        let answer = stage
            .get("rule", &format!("{name}.example.com"), "/", &[])
            .await;
        assert_eq!(answer.header("foo-bar-baz"), [name]);
    }
}

/// A request that is answered with 503 is not sent once more.
async fn retry(stage: &Stage<'_>) {
    let host = ["retry.example.com"];
    let paths = json!([{"splits": [stage.to("retry").await]}]);
    stage
        .ready(
            "retry",
            json!({"rules": [rule(&host, "ExternalIP", paths)]}),
        )
        .await;
    for wanted in [503, 200] {
        let answer = stage.get("retry", host[0], "/second-time", &[]).await;
        assert_eq!(answer.status, wanted);
    }
}

/// An answer may take its time, before its first byte and after it.
async fn timeout(stage: &Stage<'_>) {
    let host = ["timeout.example.com"];
    let paths = json!([{"splits": [stage.to("timeout").await]}]);
    stage
        .ready(
            "timeout",
            json!({"rules": [rule(&host, "ExternalIP", paths)]}),
        )
        .await;
    let slow = ["/", "/ten-seconds-before", "/ten-seconds-after"];
    let answers = slow.map(|path| stage.get("timeout", host[0], path, &[]));
    for answer in join_all(answers).await {
        assert_eq!(answer.served_by(), "timeout");
    }
}

/// With the certificate in a namespace of its own, which the suite does not ask for.
async fn tls(stage: &Stage<'_>) {
    let host = ["tls.example.com"];
    stage.certificate("certificates", "tls").await;
    let paths = json!([{"splits": [stage.to("tls").await]}]);
    let spec = json!({
        "rules": [rule(&host, "ExternalIP", paths)],
        "tls": [{"hosts": host, "secretName": "tls", "secretNamespace": "certificates"}],
    });
    stage.ready("tls", spec).await;
    assert_eq!(stage.get("tls", host[0], "/", &[]).await.served_by(), "tls");
    assert_eq!(stage.get_secure("tls", host[0]).await.served_by(), "tls");
}

/// When the last one with a certificate is gone, its listener stays, and so does its load balancer.
async fn everything_goes_on_without_certificates(stage: &Stage<'_>) {
    for name in ["tls", "enabled", "redirected"] {
        stage.delete(name).await;
    }
    stage.no_ingress_has_tls().await;
    let host = ["later.example.com"];
    let paths = json!([{"splits": [stage.to("later").await]}]);
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths)]});
    stage.ready("later", spec).await;
    let answer = stage.get("later", host[0], "/", &[]).await;
    assert_eq!(answer.served_by(), "later");
}

/// One is redirected while the other is not. The suite asks for 301; see the table.
async fn httpoption(stage: &Stage<'_>) {
    for (name, option, wanted) in [
        ("enabled", "Enabled", 200),
        ("redirected", "Redirected", 308),
    ] {
        let host = [format!("{name}.example.com")];
        let host = [host[0].as_str()];
        stage.certificate("conformance", name).await;
        let paths = json!([{"splits": [stage.to(name).await]}]);
        let spec = json!({
            "httpOption": option,
            "rules": [rule(&host, "ExternalIP", paths)],
            "tls": [{"hosts": host, "secretName": name, "secretNamespace": "conformance"}],
        });
        stage.ready(name, spec).await;
        assert_eq!(stage.get_secure(name, host[0]).await.served_by(), name);
        let answer = stage.get(name, host[0], "/", &[]).await;
        assert_eq!(answer.status, wanted, "{option}");
        if wanted == 308 {
            assert_eq!(answer.location, format!("https://{}/", host[0]));
        }
    }
}

/// From one service to the next again and again: no request fails, and once it is Ready the new one
/// answers. The suite goes on for 20 rounds; each is two passes of the controller.
async fn update(stage: &Stage<'_>) {
    let host = ["update.example.com"];
    let spec = |split: &Value, round: usize| {
        let mut split = split.clone();
        split["appendHeaders"] = json!({"Who-Are-You": round.to_string()});
        json!({"rules": [rule(&host, "ExternalIP", json!([{"splits": [split]}]))]})
    };
    let splits = [stage.to("update-a").await, stage.to("update-b").await];
    stage.ready("update", spec(&splits[0], 0)).await;
    let stop = AtomicBool::new(false);
    let asking = async {
        let mut asked = 0;
        while !stop.load(Ordering::Relaxed) {
            let answer = stage.get("update", host[0], "/", &[]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            asked += 1;
        }
        asked
    };
    let updating = async {
        for round in 1..=2 {
            stage.ready("update", spec(&splits[round % 2], round)).await;
            let answer = stage.get("update", host[0], "/", &[]).await;
            assert_eq!(answer.header("who-are-you"), [round.to_string()]);
            assert_eq!(answer.served_by(), ["update-a", "update-b"][round % 2]);
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (asked, ()) = tokio::join!(asking, updating);
    assert!(asked > 2, "{asked}");
}

const LOCAL: [&str; 3] = [
    "private.conformance.svc.cluster.local",
    "private.conformance.svc",
    "private.conformance",
];

/// Names of the cluster are answered on the private load balancer only. The suite asks for 404 on
/// the public one; see the table.
async fn visibility(stage: &Stage<'_>) {
    let paths = json!([{"splits": [stage.to("private").await]}]);
    let spec = json!({"rules": [rule(&LOCAL, "ClusterLocal", paths)]});
    stage.ready("private", spec).await;
    let public = json!([{"splits": [stage.to("beside").await]}]);
    let beside = json!({"rules": [rule(&["beside.example.com"], "ExternalIP", public)]});
    stage.ready("beside", beside).await;
    let elsewhere = stage.address("beside", "publicLoadBalancer").await;
    let here = stage.address("private", "privateLoadBalancer").await;
    for host in LOCAL {
        assert_eq!(stage.get_at(&elsewhere, host, "/", &[]).await.status, 503);
        assert_eq!(
            stage.get_at(&here, host, "/", &[]).await.served_by(),
            "private"
        );
    }
}

/// By path. What else the suite asks for cannot be; see the table.
async fn visibility_path(stage: &Stage<'_>) {
    let host = ["paths.conformance.svc.cluster.local"];
    let mut paths = vec![];
    for (path, service) in [("/foo", "foo"), ("/bar", "bar"), ("", "fallback")] {
        let split = stage.to(&format!("private-{service}")).await;
        paths.push(json!({"path": path, "splits": [split]}));
    }
    let spec = json!({"rules": [rule(&host, "ClusterLocal", paths.into())]});
    stage.ready("private-paths", spec).await;
    let here = stage.address("private-paths", "privateLoadBalancer").await;
    for (path, wanted) in [("/foo", "foo"), ("/barbell", "bar"), ("/", "fallback")] {
        let answer = stage.get_at(&here, host[0], path, &[]).await;
        assert_eq!(answer.served_by(), format!("private-{wanted}"), "{path}");
    }
}

/// Two names that stand for one of the cluster.
async fn host_rewrite(stage: &Stage<'_>) {
    let private = "rewritten.conformance.svc.cluster.local";
    let hosts = ["vanity.ismy.name", "vanity.isalsomy.number"];
    let paths = json!([{"rewriteHost": private, "splits": [{
        "serviceNamespace": "conformance", "serviceName": "rewritten", "servicePort": 80, "percent": 100,
    }]}]);
    let vanity = json!({"rules": [rule(&hosts, "ExternalIP", paths)]});
    let served = json!([{"splits": [stage.to("rewritten-pods").await]}]);
    let target = json!({"rules": [rule(&[private], "ClusterLocal", served)]});
    stage.apply("vanity", vanity.clone()).await;
    stage.ready("rewritten-route", target).await;
    stage.ready("vanity", vanity).await;
    for host in hosts {
        let answer = stage.get("vanity", host, "/", &[]).await;
        assert_eq!(answer.served_by(), "rewritten-pods");
        assert_eq!(answer.header("host"), [private]);
    }
}

/// One of no class, or another one, is left as it is. What is looked at is what was there when all
/// others were served: the layer has gone over its Ingresses many times by then.
async fn ingressclass(stage: &Stage<'_>) {
    let odd = [
        ("omitted", None),
        ("incorrect", Some("incorrect")),
        ("empty", Some("")),
    ];
    let mut before = vec![];
    for (name, class) in odd {
        let paths = json!([{"splits": [stage.to(&format!("class-{name}")).await]}]);
        let spec = json!({"rules": [rule(&[&format!("{name}.example.com")], "ExternalIP", paths)]});
        before.push(
            stage
                .apply_with(&format!("class-{name}"), class, spec)
                .await,
        );
    }
    let paths = json!([{"splits": [stage.to("class-own").await]}]);
    let own = json!({"rules": [rule(&["own.example.com"], "ExternalIP", paths)]});
    stage.ready("class-own", own).await;
    for before in before {
        let after = stage
            .object(before["metadata"]["name"].as_str().unwrap())
            .await;
        assert_eq!(after, before);
    }
}

async fn websocket(stage: &Stage<'_>) {
    let host = ["websocket.example.com"];
    let paths = json!([{"splits": [stage.to("websocket").await]}]);
    let spec = json!({"rules": [rule(&host, "ExternalIP", paths)]});
    stage.ready("websocket", spec).await;
    assert_eq!(stage.talk("websocket", host[0]).await, "websocket");
}

async fn websocket_split(stage: &Stage<'_>) {
    let host = ["websockets.example.com"];
    let mut splits = [stage.to("blue").await, stage.to("green").await];
    for split in &mut splits {
        split["percent"] = json!(50);
    }
    let spec = json!({"rules": [rule(&host, "ExternalIP", json!([{"splits": splits}]))]});
    stage.ready("websockets", spec).await;
    let mut heard = BTreeSet::new();
    for _ in 0..4 {
        heard.insert(stage.talk("websockets", host[0]).await);
    }
    assert_eq!(heard, ["blue", "green"].map(str::to_owned).into());
}

/// The cases of the suite, with what a layer may leave out, as of its version of July 2026.
const CASES: [(&str, &str); 25] = [
    ("basics", "stable"),
    ("basics/http2", "stable"),
    ("grpc", "stable"),
    ("grpc/split", "stable"),
    ("headers/pre-split", "stable"),
    ("headers/post-split", "stable"),
    ("headers/probe", "stable"),
    ("hosts/multiple", "stable"),
    ("dispatch/path", "stable"),
    ("dispatch/percentage", "stable"),
    ("dispatch/path_and_percentage", "stable"),
    ("dispatch/rule", "stable"),
    ("retry", "stable"),
    ("timeout", "stable"),
    ("tls", "stable"),
    ("update", "stable"),
    ("visibility", "stable"),
    ("visibility/split", "stable"),
    ("visibility/path", "stable"),
    ("ingressclass", "stable"),
    ("websocket", "stable"),
    ("websocket/split", "stable"),
    ("host-rewrite", "beta"),
    ("headers/tags", "beta"),
    ("httpoption", "alpha"),
];

const TABLE: &str = include_str!("../../../docs/conformance-alb.md");
/// Tests of what is refused.
const REFUSALS: &str =
    include_str!("../../../operator/src/core/alb/translate/tests/conformance.rs");

fn rows() -> Vec<Vec<String>> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    })
    .collect()
}

#[test]
fn the_table_of_conformance_cases_is_whole_and_held_by_tests() {
    let rows = rows();
    let listed: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    assert_eq!(listed, CASES);
    for row in &rows {
        let [case, _, result, test, why] = row.as_slice() else {
            panic!("{row:?}");
        };
        let is_shown = SHOWN.contains(&(case.as_str(), test.as_str()));
        let is_refused = REFUSALS.contains(&format!("#[test]\nfn {test}()"));
        match result.as_str() {
            "passes" => assert!(is_shown, "{case}: no test {test} in the World of this file"),
            "cannot be expressed" => {
                assert!(!why.is_empty(), "{case}: no reason");
                assert!(
                    test.is_empty() || is_shown || is_refused,
                    "{case}: no test {test}"
                );
            }
            "passes with a hop" => assert!(is_refused, "{case}: no test {test} of its rules"),
            "not applicable" => {
                assert!(
                    !why.is_empty() && test.is_empty(),
                    "{case}: a reason, and no test"
                );
            }
            other => panic!("{case}: {other}"),
        }
    }
    let skipped = rows.iter().filter(|row| row[2] != "passes");
    let skipped: Vec<&str> = skipped.map(|row| row[0].as_str()).collect();
    let version = control_plane::conformance::version();
    for part in [
        format!("-skip-tests={}\n", skipped.join(",")),
        format!("`{version}`"),
    ] {
        assert!(TABLE.contains(&part), "{part}");
    }
    for (case, test) in SHOWN {
        let named = rows.iter().any(|row| row[0] == *case && row[3] == *test);
        assert!(named, "{case}: {test} is not in the table");
    }
}

#[test]
fn what_a_backend_is_asked_is_what_it_gives_back() {
    let asked = gives_back("one", &[("host", "a.example.com"), ("a", "b"), ("a", "c")]);
    assert_eq!(header(&asked, "a"), ["b", "c"]);
    assert_eq!(asked["service"], "one");
}
