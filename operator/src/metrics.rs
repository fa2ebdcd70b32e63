//! What the operator measures, as typed metric families.
//!
//! Every label has a small, known set of values: kinds, operations, conditions, reasons, classes.
//! Names of bindings and ids of cloud resources are never labels. Where a value comes from another
//! part as text, [`bounded`] caps how many distinct ones there can be.

mod ages;
mod bounded;
#[cfg(test)]
mod documented;
mod objects;
mod orphans;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use self::ages::{Ages, LeaderCollector};
use self::bounded::Bounded;
pub use self::objects::ConditionState;
use self::objects::Objects;
use self::orphans::Orphans;
use crate::backoff::ObjectKey;
use crate::leader::Leadership;

/// Prefix of all metric names.
pub const PREFIX: &str = "gatewaybinding";

/// How a pass over one object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum ReconcileOutcome {
    /// Cluster and cloud match the spec.
    Converged,
    /// Work was done, more is to come.
    Progressing,
    /// A dependency is not there yet.
    Waiting,
    /// An error that a later attempt may not meet.
    Retry,
    /// Nothing changes until the spec or the world does.
    Terminal,
    /// The pass broke off at a defect of the operator.
    Panicked,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloudCall {
    product: &'static str,
    operation: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloudOperation {
    product: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Budget {
    account: String,
    product: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PlanStep {
    action: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    controller: &'static str,
    outcome: ReconcileOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByController {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    class: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of the process. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    cloud_calls: Family<CloudCall, Counter>,
    cloud_call_duration: Histograms<CloudOperation>,
    cloud_budget: Family<Budget, Gauge<f64, AtomicU64>>,
    plan_steps: Family<PlanStep, Counter>,
    reconcile_duration: Histograms<Reconcile>,
    queue_depth: Family<ByController, Gauge>,
    time_to_programmed: Histograms<ByKind>,
    objects: Objects,
    orphans: Orphans,
    mass_change_held: Family<ByClass, Gauge>,
    drift_checks: Arc<Ages>,
    outcomes: Arc<Bounded>,
    accounts: Arc<Bounded>,
}

/// 5 ms to 82 s: one cloud call, or one pass.
fn short_times() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0,
    ])
}

/// Half a second to half an hour: an edit, until the world follows.
fn long_times() -> Histogram {
    Histogram::new([
        0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    ])
}

impl Metrics {
    /// Registers all families, with the prefix [`PREFIX`].
    #[must_use]
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            cloud_calls: Family::default(),
            cloud_call_duration: Histograms::new_with_constructor(short_times),
            cloud_budget: Family::default(),
            plan_steps: Family::default(),
            reconcile_duration: Histograms::new_with_constructor(short_times),
            queue_depth: Family::default(),
            time_to_programmed: Histograms::new_with_constructor(long_times),
            objects: Objects::default(),
            orphans: Orphans::default(),
            mass_change_held: Family::default(),
            drift_checks: Arc::default(),
            outcomes: Arc::new(Bounded::new(24)),
            accounts: Arc::new(Bounded::new(64)),
        };
        metrics.register(registry.sub_registry_with_prefix(PREFIX));
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the operator", build);
        registry.register(
            "cloud_calls",
            "Calls to the cloud's APIs by product, operation and outcome",
            self.cloud_calls.clone(),
        );
        registry.register_with_unit(
            "cloud_call_duration",
            "Duration of calls to the cloud's APIs, without the wait for budget",
            Unit::Seconds,
            self.cloud_call_duration.clone(),
        );
        registry.register(
            "cloud_budget_left",
            "Calls that an operation's budget still allows at once",
            self.cloud_budget.clone(),
        );
        registry.register(
            "plan_steps",
            "Executed plan steps by action and kind of resource",
            self.plan_steps.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "Duration of passes over one object, by controller and outcome",
            Unit::Seconds,
            self.reconcile_duration.clone(),
        );
        registry.register(
            "queue_depth",
            "Objects that wait for a pass, by controller",
            self.queue_depth.clone(),
        );
        registry.register_with_unit(
            "time_to_programmed",
            "Time from an edit of the spec until cluster and cloud match it",
            Unit::Seconds,
            self.time_to_programmed.clone(),
        );
        registry.register(
            "objects",
            "Objects by kind, condition, its status and reason",
            self.objects.family(),
        );
        registry.register(
            "orphans",
            "Things that carry the mark of ownership and belong to nobody, by class, kind and cause",
            self.orphans.family(),
        );
        registry.register(
            "mass_change_held_objects",
            "Objects that are not deleted before a person confirms it, by class",
            self.mass_change_held.clone(),
        );
        registry.register_collector(Box::new(self.drift_checks.clone()));
    }

    /// Adds a gauge that is 1 while this process holds the lease, asked at each scrape.
    pub fn register_leader(registry: &mut Registry, leadership: Leadership) {
        registry
            .sub_registry_with_prefix(PREFIX)
            .register_collector(Box::new(LeaderCollector(leadership)));
    }

    /// Counts one call to the cloud. `outcome` is `ok` or the error's class; `seconds` is how long
    /// the call took, without the wait for its budget.
    pub fn cloud_call(
        &self,
        product: &'static str,
        operation: &'static str,
        outcome: &str,
        seconds: f64,
    ) {
        let call = CloudCall {
            product,
            operation,
            outcome: self.outcomes.admit(outcome).to_owned(),
        };
        self.cloud_calls.get_or_create(&call).inc();
        let operation = CloudOperation { product, operation };
        self.cloud_call_duration
            .get_or_create(&operation)
            .observe(seconds);
    }

    /// How many calls the budget of an operation still allows at once, in one account.
    pub fn cloud_budget_left(
        &self,
        account: &str,
        product: &'static str,
        operation: &'static str,
        calls: f64,
    ) {
        let budget = Budget {
            account: self.accounts.admit(account).to_owned(),
            product,
            operation,
        };
        self.cloud_budget.get_or_create(&budget).set(calls);
    }

    /// Counts one executed step of a plan, e.g. `create` of an `ApiGatewayGroup`.
    pub fn plan_step(&self, action: &'static str, kind: &'static str) {
        self.plan_steps
            .get_or_create(&PlanStep { action, kind })
            .inc();
    }

    /// Notes how long one pass took and how it ended.
    pub fn reconciled(
        &self,
        controller: &'static str,
        outcome: ReconcileOutcome,
        duration: Duration,
    ) {
        let labels = Reconcile {
            controller,
            outcome,
        };
        self.reconcile_duration
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }

    /// Sets how many objects wait for a pass.
    pub fn queue_depth(&self, controller: &'static str, depth: usize) {
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        self.queue_depth
            .get_or_create(&ByController { controller })
            .set(depth);
    }

    /// Notes the time from an edit of the spec until `Programmed` was true for it.
    pub fn programmed(&self, kind: &'static str, since_edit: Duration) {
        self.time_to_programmed
            .get_or_create(&ByKind { kind })
            .observe(since_edit.as_secs_f64());
    }

    /// Notes that all that belongs to `class` has just been compared with the cloud.
    pub fn drift_checked(&self, class: &str) {
        self.drift_checks.touch(class);
    }

    /// Drops what is known of a class that is gone.
    pub fn class_gone(&self, class: &str) {
        self.drift_checks.forget(class);
        let class = class.to_owned();
        self.mass_change_held.remove(&ByClass { class });
    }

    /// Sets how many objects of a class the guard against mass changes holds.
    pub fn mass_change_held(&self, class: &str, objects: i64) {
        let class = class.to_owned();
        let gauge = self.mass_change_held.get_or_create(&ByClass { class });
        gauge.set(objects);
    }

    /// Replaces what the gauge of orphans knows of a class, by kind and cause.
    pub fn orphans(&self, class: &str, counts: &BTreeMap<(&'static str, &'static str), i64>) {
        self.orphans.set(class, counts);
    }

    /// Drops classes that are gone out of the gauge of orphans.
    pub fn orphans_only_of(&self, is_there: impl Fn(&str) -> bool) {
        self.orphans.retain(is_there);
    }

    /// Replaces what the gauge of objects knows of one object by its present conditions.
    pub fn object(&self, key: &ObjectKey, conditions: impl IntoIterator<Item = ConditionState>) {
        self.objects.set(key, conditions);
    }

    /// Takes an object that is gone out of the gauge.
    pub fn object_gone(&self, key: &ObjectKey) {
        self.objects.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(
            text.lines().any(|l| l == line),
            "no line `{line}` in\n{text}"
        );
    }

    #[test]
    fn every_family_is_exposed_under_its_name() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        Metrics::register_leader(&mut registry, Leadership::always());
        metrics.cloud_call("CloudAPI", "CreateApi", "ok", 0.2);
        metrics.cloud_call("CloudAPI", "CreateApi", "throttled", 0.1);
        metrics.cloud_budget_left("1234", "CloudAPI", "CreateApi", 9.5);
        metrics.plan_step("create", "Api");
        metrics.reconciled(
            "gatewaybinding",
            ReconcileOutcome::Waiting,
            Duration::from_secs(1),
        );
        metrics.queue_depth("gatewaybinding", 7);
        metrics.programmed("GatewayBinding", Duration::from_secs(4));
        metrics.drift_checked("production");
        let orphans = BTreeMap::from([(("API", "OwnerLost"), 2)]);
        metrics.orphans("production", &orphans);
        metrics.mass_change_held("production", 12);
        let text = text(&registry);
        for line in [
            "gatewaybinding_build_info{version=\"0.1.0\"} 1",
            "gatewaybinding_cloud_calls_total{product=\"CloudAPI\",operation=\"CreateApi\",outcome=\"ok\"} 1",
            "gatewaybinding_cloud_calls_total{product=\"CloudAPI\",operation=\"CreateApi\",outcome=\"throttled\"} 1",
            "gatewaybinding_cloud_call_duration_seconds_count{product=\"CloudAPI\",operation=\"CreateApi\"} 2",
            "gatewaybinding_cloud_budget_left{account=\"1234\",product=\"CloudAPI\",operation=\"CreateApi\"} 9.5",
            "gatewaybinding_plan_steps_total{action=\"create\",kind=\"Api\"} 1",
            "gatewaybinding_reconcile_duration_seconds_sum{controller=\"gatewaybinding\",outcome=\"Waiting\"} 1.0",
            "gatewaybinding_queue_depth{controller=\"gatewaybinding\"} 7",
            "gatewaybinding_time_to_programmed_seconds_bucket{le=\"5.0\",kind=\"GatewayBinding\"} 1",
            "gatewaybinding_time_to_programmed_seconds_bucket{le=\"3.0\",kind=\"GatewayBinding\"} 0",
            "gatewaybinding_orphans{class=\"production\",kind=\"API\",cause=\"OwnerLost\"} 2",
            "gatewaybinding_mass_change_held_objects{class=\"production\"} 12",
            "gatewaybinding_leader 1",
            "# EOF",
        ] {
            has(&text, line);
        }
        assert!(text.contains("gatewaybinding_drift_check_age_seconds{class=\"production\"} 0."));
        metrics.class_gone("production");
        metrics.orphans_only_of(|_| false);
        assert!(!self::text(&registry).contains("production"));
    }

    #[test]
    fn outcomes_from_outside_cannot_grow_without_bound() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        for i in 0..1000 {
            metrics.cloud_call("CloudAPI", "CreateApi", &format!("request-{i}"), 0.1);
        }
        let lines = text(&registry).matches("cloud_calls_total{").count();
        assert_eq!(lines, 25);
    }
}
