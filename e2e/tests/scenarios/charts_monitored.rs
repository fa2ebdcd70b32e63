//! The alerts and the dashboard of the chart, evaluated by the engine of Prometheus over what the
//! operator answers at `/metrics` on a good and on a bad day.

use std::{collections::BTreeMap, fs, time::Duration};

use alicloud_emulator::api::Product::CloudApi;
use e2e::{
    chart,
    promql::{self, Evaluated, Request, Sample, Scrape},
    world::{Expect, OperatorOptions, Target, World, WorldOptions},
};
use serde_json::{Value, json};

use super::exposed::{binding, example_file, gone, now};

/// For what the operator retries with backoff.
const LONG: Duration = Duration::from_secs(120);
/// Scrapes are given this distance, in seconds, however soon after each other they were made.
const INTERVAL: i64 = 60;
/// What is asked for again and again: to increase, a counter has to be there before.
const OFTEN: &str = "DescribeApiGroups";
/// What the cloud answers on a bad day, and the outcome that this is counted as.
const FAULTS: [(&str, &str); 4] = [
    ("throttled", r#"{"type": "throttle"}"#),
    ("unavailable", r#"{"type": "serverError"}"#),
    (
        "quota",
        r#"{"type": "error", "status": 400, "code": "QuotaExceeded"}"#,
    ),
    (
        "forbidden",
        r#"{"type": "error", "status": 403, "code": "Forbidden.RAM"}"#,
    ),
];
/// Alerts that this bad day raises. The others need more of it: most of the calls, or more time.
const RAISED: [&str; 6] = [
    "GatewayBindingStalled",
    "GatewayBindingNotReady",
    "GatewayBindingDriftReported",
    "GatewayBindingOrphans",
    "GatewayBindingAccessToCloudRefused",
    "GatewayBindingQuotaExceeded",
];

fn file(name: &str) -> String {
    let path = chart::folder(chart::OPERATOR).join("files").join(name);
    fs::read_to_string(path).unwrap()
}

/// An expression, and the labels that its legend or description is made of.
#[derive(Debug)]
struct Shown {
    name: String,
    expression: String,
    labels: Vec<String>,
}

/// The names between `before` and the next sign that no name has.
fn names_after(text: &str, before: &str) -> Vec<String> {
    let after = text.split(before).skip(1).map(str::trim_start);
    let name = |text: &str| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.chars().take_while(|c| is_name(*c)).collect()
    };
    after.map(name).collect()
}

fn alerts() -> Vec<Shown> {
    let rules: Value = serde_saphyr::from_str(&file("alerts.yaml")).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let shown = rules.map(|rule| {
        // A name in `with` or `if` may be missing.
        let text = rule["annotations"].to_string().replace("with $labels", "");
        Shown {
            name: rule["alert"].as_str().unwrap().to_owned(),
            expression: rule["expr"].as_str().unwrap().to_owned(),
            labels: names_after(&text, "$labels."),
        }
    });
    shown.collect()
}

/// The targets of all panels, with Grafana's variables as it would fill them in.
fn panels() -> Vec<Shown> {
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).unwrap();
    let mut shown = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$__rate_interval", "5m");
            shown.push(Shown {
                name: panel["title"].as_str().unwrap().to_owned(),
                expression: expression.replace("$shard", ".*"),
                labels: names_after(target["legendFormat"].as_str().unwrap_or_default(), "{{"),
            });
        }
    }
    shown
}

async fn scrape(world: &World) -> String {
    let url = format!("{}/metrics", world.operator.as_ref().unwrap().health_url());
    let answer = reqwest::get(&url).await.unwrap();
    answer.error_for_status().unwrap().text().await.unwrap()
}

async fn evaluate(scrapes: &[String], shown: &[Shown]) -> Vec<Evaluated> {
    let labels = [("job", "operator"), ("instance", "a"), ("shard", "eu")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let times = (1..).map(|number| number * INTERVAL);
    let scrapes: Vec<_> = times
        .zip(scrapes)
        .map(|(at, text)| Scrape {
            at,
            labels: BTreeMap::from(labels.clone()),
            text: text.clone(),
        })
        .collect();
    let request = Request {
        at: scrapes.last().map_or(INTERVAL, |scrape| scrape.at),
        scrapes,
        expressions: shown.iter().map(|shown| shown.expression.clone()).collect(),
        rules: file("alerts.yaml"),
    };
    let evaluation = promql::evaluate(&request).await.unwrap();
    assert_eq!(evaluation.rule_errors, Vec::<String>::new());
    for (shown, evaluated) in shown.iter().zip(&evaluation.evaluated) {
        assert_eq!(evaluated.error, "", "{shown:?}");
    }
    evaluation.evaluated
}

fn samples(evaluated: &Evaluated) -> &[Sample] {
    evaluated.samples.as_deref().unwrap_or_default()
}

/// There is a number, with all labels that are shown beside it.
fn has_values(shown: &Shown, samples: &[Sample]) {
    let is_number = |sample: &&Sample| sample.value != "NaN";
    let number = samples.iter().find(is_number);
    let sample = number.unwrap_or_else(|| panic!("{shown:?} gives no number: {samples:?}"));
    let labels = sample.labels.clone().unwrap_or_default();
    for label in &shown.labels {
        assert!(labels.contains_key(label), "{shown:?}: no {label}");
    }
}

/// The names of the alerts that have something to tell.
fn raised(alerts: &[Shown], evaluated: &[Evaluated]) -> Vec<String> {
    let both = alerts.iter().zip(evaluated);
    let raised = both.filter(|(_, evaluated)| !samples(evaluated).is_empty());
    raised.map(|(alert, _)| alert.name.clone()).collect()
}

/// A binding of the example's Service, on the route that its name gives.
async fn bind(world: &World, name: &str, more: Value) {
    let mut spec = json!({
        "serviceRef": {"kind": "KnativeService", "name": "helloworld"},
        "apiGateway": {"auth": {"consumer": {"apiKey": {"in": ["Header"]}, "signature": {}, "allow": [{"name": "knative"}]}}},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let object = json!({"apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
        "metadata": {"name": name, "namespace": "default"}, "spec": spec});
    world.apply(&object.to_string()).await.unwrap();
}

async fn expect(world: &World, target: &Target, expect: &Expect) {
    world.wait_for(target, expect, LONG).await.unwrap();
}

async fn is_ready(world: &World, name: &str) {
    let ready = Expect::condition("Ready", "True");
    expect(world, &binding("default", name), &ready).await;
}

/// What a line of a scrape with these words says; 0 if there is none.
fn value(scrape: &str, words: &[&str]) -> f64 {
    let lines = scrape
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Waits until the sum of such lines is more.
async fn more_than(world: &World, before: f64, words: &[&str]) {
    let look = async || match value(&scrape(world).await, words) {
        now if now > before => Ok(()),
        now => Err(format!("it is {now}")),
    };
    let expected = format!("with more than {before} in {words:?}");
    let waited = world.wait_until("the metrics", &expected, LONG, look);
    waited.await.unwrap();
}

/// A scrape in which all there is is Ready. A figure may follow the status that it counts.
async fn scrape_when_ready(world: &World) -> String {
    let look = async || {
        let scrape = scrape(world).await;
        let ready = "gatewaybinding_objects{";
        let all = value(&scrape, &[ready, "condition=\"Ready\""]);
        let ready_now = value(&scrape, &[ready, "condition=\"Ready\"", "status=\"True\""]);
        if all > 0.0 && all == ready_now {
            Ok(scrape)
        } else {
            Err(format!("{ready_now} of {all} objects are Ready"))
        }
    };
    let waited = world.wait_until("the metrics", "with all objects Ready", LONG, look);
    waited.await.unwrap()
}

/// Lets some calls of the operator fail in every way.
async fn bad_weather(world: &World) {
    let key = &world.options().operator_keys.id;
    for (outcome, effect) in FAULTS {
        let label = format!("outcome=\"{outcome}\"");
        let words = ["cloud_calls_total", OFTEN, label.as_str()];
        let before = value(&scrape(world).await, &words);
        let effect: Value = serde_json::from_str(effect).unwrap();
        let rule = json!({"accessKeyId": key, "action": OFTEN, "times": 2, "effect": effect});
        world.cloud.faults(&json!({"rules": [rule]})).await.unwrap();
        more_than(world, before, &words).await;
    }
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
}

/// Somebody takes an API back from publication whose binding only reports it.
async fn drift(world: &World, name: &str) {
    let target = binding("default", name);
    let patch = json!({"spec": {"driftPolicy": "Report"}});
    world.patch(&target, &patch).await.unwrap();
    is_ready(world, name).await;
    let status = &now(world, &target).await.data["status"];
    let id = &status["apiGateway"]["routes"][0]["apis"][0]["id"];
    let params = [("ApiId", id.as_str().unwrap()), ("StageName", "RELEASE")];
    let keys = &world.options().console_keys;
    let abolished = world.cloud.call(keys, CloudApi, "AbolishApi", &params);
    abolished.await.unwrap();
    let told = Expect::condition_with_reason("Programmed", "False", "DriftDetected");
    expect(world, &target, &told).await;
}

/// A binding goes without cleaning up: the cloud refused, and somebody lost patience.
async fn lose(world: &World, name: &str) {
    let target = binding("default", name);
    let refusal = json!({"rules": [{"action": "RemoveAppsAuthorities", "effect":
        {"type": "error", "status": 403, "code": "Forbidden.RAM", "message": "Not authorized."}}]});
    world.cloud.faults(&refusal).await.unwrap();
    world.delete(&target).await.unwrap();
    let blocked = Expect::condition_with_reason("Ready", "False", "DeletionBlocked");
    expect(world, &target, &blocked).await;
    let patch = json!({"metadata": {"finalizers": null}});
    world.patch(&target, &patch).await.unwrap();
    gone(world, &target).await;
    world.cloud.faults(&json!({"rules": []})).await.unwrap();
    more_than(world, 0.0, &["gatewaybinding_orphans{"]).await;
}

async fn good_day() -> (World, Vec<String>) {
    let operator = OperatorOptions {
        args: vec!["--drift-interval".to_owned(), "1s".to_owned()],
        ..OperatorOptions::default()
    };
    let options = WorldOptions {
        operator: Some(operator),
        ..WorldOptions::default()
    };
    let world = World::start(options).await.unwrap();
    for file in ["class.yaml", "knative-service.yaml", "consumer.yaml"] {
        world.apply(&example_file(file)).await.unwrap();
    }
    for name in ["kept", "drifted", "lost"] {
        bind(&world, name, json!({})).await;
        is_ready(&world, name).await;
    }
    let first = scrape_when_ready(&world).await;
    let routes = json!({"spec": {"apiGateway": {"routes": [{"name": "all", "path": {"prefix": "/moved"}}]}}});
    let kept = binding("default", "kept");
    world.patch(&kept, &routes).await.unwrap();
    is_ready(&world, "kept").await;
    let second = scrape_when_ready(&world).await;
    (world, vec![first, second])
}

async fn bad_day(world: &World) -> Vec<String> {
    bad_weather(world).await;
    let first = scrape(world).await;
    bad_weather(world).await;
    bind(world, "stuck", json!({"gateway": "nowhere"})).await;
    let stalled = Expect::condition_with_reason("Stalled", "True", "GatewayNotFound");
    expect(world, &binding("default", "stuck"), &stalled).await;
    is_ready(world, "lost").await;
    lose(world, "lost").await;
    is_ready(world, "kept").await;
    drift(world, "drifted").await;
    more_than(world, 0.0, &["gatewaybinding_objects{", "DriftDetected"]).await;
    vec![first, scrape(world).await]
}

#[tokio::test]
async fn alerts_are_silent_on_a_good_day_and_dashboard_and_alerts_have_their_figures_on_a_bad_one()
{
    let (alerts, panels) = (alerts(), panels());
    let (world, mut scrapes) = good_day().await;
    let evaluated = evaluate(&scrapes, &alerts).await;
    assert_eq!(raised(&alerts, &evaluated), Vec::<String>::new());

    scrapes.extend(bad_day(&world).await);
    let evaluated = evaluate(&scrapes, &alerts).await;
    let raised_now = raised(&alerts, &evaluated);
    for name in RAISED {
        assert!(
            raised_now.iter().any(|raised| raised == name),
            "{name} in {raised_now:?}"
        );
    }
    for (alert, evaluated) in alerts.iter().zip(&evaluated) {
        match &evaluated.compared {
            Some(compared) => has_values(alert, compared),
            None => assert!(alert.expression.starts_with("absent("), "{alert:?}"),
        }
    }
    let evaluated = evaluate(&scrapes, &panels).await;
    for (panel, evaluated) in panels.iter().zip(&evaluated) {
        has_values(panel, samples(evaluated));
    }

    // Nobody answers.
    let evaluated = evaluate(&[], &alerts).await;
    assert_eq!(
        raised(&alerts, &evaluated),
        ["GatewayBindingOperatorAbsent"]
    );
}
