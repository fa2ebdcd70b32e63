//! `docs/metrics.md` documents every metric, as it is exposed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prometheus_client::registry::Registry;

use super::{ConditionState, Metrics, ReconcileOutcome};
use crate::backoff::ObjectKey;
use crate::leader::Leadership;

const DOCUMENT: &str = include_str!("../../../docs/metrics.md");

/// Type and labels of a metric.
#[derive(Debug, Default, PartialEq)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

/// What is exposed once everything happened. A new field has to be named here, and filled below:
/// families without a value are not exposed.
fn exposed() -> String {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    let Metrics {
        cloud_calls: _,
        cloud_call_duration: _,
        cloud_budget: _,
        plan_steps: _,
        reconcile_duration: _,
        queue_depth: _,
        time_to_programmed: _,
        objects: _,
        orphans: _,
        mass_change_held: _,
        drift_checks: _,
        outcomes: _,
        accounts: _,
    } = &metrics;
    Metrics::register_leader(&mut registry, Leadership::always());
    metrics.cloud_call("SLB", "DescribeLoadBalancers", "ok", 0.1);
    metrics.cloud_budget_left("1234", "SLB", "DescribeLoadBalancers", 1.0);
    metrics.plan_step("create", "Api");
    let second = Duration::from_secs(1);
    metrics.reconciled("gatewaybinding", ReconcileOutcome::Converged, second);
    metrics.queue_depth("gatewaybinding", 1);
    metrics.programmed("GatewayBinding", second);
    metrics.drift_checked("production");
    metrics.orphans("production", &BTreeMap::from([(("API", "OwnerLost"), 1)]));
    metrics.mass_change_held("production", 1);
    let key = ObjectKey {
        kind: "GatewayBinding",
        namespace: Some("default".into()),
        name: "a".into(),
    };
    let ready = ConditionState {
        condition: "Ready".into(),
        status: "True".into(),
        reason: "Programmed".into(),
    };
    metrics.object(&key, [ready]);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

/// The metrics of a scrape, under the names by which they are asked for.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut kind = "";
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            kind = typed.split_once(' ').unwrap().1;
        } else if !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix).filter(|_| kind == "histogram"))
                .unwrap_or(name);
            let family = families.entry(name.to_owned()).or_default();
            family.kind = kind.to_owned();
            let labels = labels.split(',').filter_map(|label| label.split_once('='));
            let labels = labels.map(|(label, _)| label.to_owned());
            family.labels.extend(labels.filter(|label| label != "le"));
        }
    }
    families
}

/// What the table of the document says: `| name | type | labels | meaning |`.
fn documented() -> BTreeMap<String, Family> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let names = |cell: &str| -> Vec<String> {
            let names = cell.split('`').skip(1).step_by(2);
            names.map(str::to_owned).collect()
        };
        let family = Family {
            kind: cells[2].to_owned(),
            labels: names(cells[3]).into_iter().collect(),
        };
        assert!(cells[4].len() > 20, "no meaning in {line}");
        (names(cells[1]).remove(0), family)
    };
    rows.map(row).collect()
}

#[test]
fn every_metric_is_documented_with_its_type_and_labels_and_no_other() {
    assert_eq!(documented(), families(&exposed()));
}
