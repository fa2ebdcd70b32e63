//! The gauge of objects by condition and reason, kept exact as objects change and go.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Bounded;
use crate::backoff::ObjectKey;

/// Distinct reasons that become labels; the operator's closed set is smaller.
const REASONS: usize = 128;

/// One condition of an object, without what is volatile in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionState {
    /// Condition type, e.g. `Ready`.
    pub condition: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason, of the operator's closed set.
    pub reason: String,
}

impl From<&Condition> for ConditionState {
    fn from(condition: &Condition) -> Self {
        Self {
            condition: condition.type_.clone(),
            status: condition.status.clone(),
            reason: condition.reason.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Series {
    kind: &'static str,
    condition: String,
    status: String,
    reason: String,
}

/// The gauge and, for each object, the series it is counted in.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    family: Family<Series, Gauge>,
    counted: Arc<Mutex<Counted>>,
    reasons: Arc<Bounded>,
}

#[derive(Debug, Default)]
struct Counted {
    objects: HashMap<ObjectKey, Vec<Arc<Series>>>,
    /// Thousands of objects are in the same few series.
    series: HashSet<Arc<Series>>,
}

impl Counted {
    fn share(&mut self, series: Series) -> Arc<Series> {
        if let Some(known) = self.series.get(&series) {
            return known.clone();
        }
        let new = Arc::new(series);
        self.series.insert(new.clone());
        new
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            family: Family::default(),
            counted: Arc::default(),
            reasons: Arc::new(Bounded::new(REASONS)),
        }
    }
}

impl Objects {
    pub(super) fn family(&self) -> Family<Series, Gauge> {
        self.family.clone()
    }

    pub(super) fn set(
        &self,
        key: &ObjectKey,
        conditions: impl IntoIterator<Item = ConditionState>,
    ) {
        let now = conditions.into_iter().map(|state| Series {
            kind: key.kind,
            condition: state.condition,
            status: state.status,
            reason: self.reasons.admit(&state.reason).to_owned(),
        });
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> = now.map(|series| counted.share(series)).collect();
        for series in &now {
            self.family.get_or_create(series).inc();
        }
        let before = counted.objects.insert(key.clone(), now);
        self.uncount(before.unwrap_or_default());
    }

    pub(super) fn remove(&self, key: &ObjectKey) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counted.objects.remove(key);
        self.uncount(before.unwrap_or_default());
    }

    /// Series that nobody is in any more stay, at zero, so that a fall is seen as one.
    fn uncount(&self, before: Vec<Arc<Series>>) {
        for series in &before {
            self.family.get_or_create(series).dec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey {
            kind: "GatewayBinding",
            namespace: Some("default".into()),
            name: name.into(),
        }
    }

    fn ready(status: &str, reason: &str) -> ConditionState {
        ConditionState {
            condition: "Ready".into(),
            status: status.into(),
            reason: reason.into(),
        }
    }

    fn count(objects: &Objects, status: &str, reason: &str) -> i64 {
        let series = Series {
            kind: "GatewayBinding",
            condition: "Ready".into(),
            status: status.into(),
            reason: reason.into(),
        };
        objects.family.get(&series).map_or(-1, |gauge| gauge.get())
    }

    #[test]
    fn objects_move_between_series_and_leave_them() {
        let objects = Objects::default();
        objects.set(&key("a"), [ready("False", "Waiting")]);
        objects.set(&key("b"), [ready("False", "Waiting")]);
        assert_eq!(count(&objects, "False", "Waiting"), 2);
        objects.set(&key("a"), [ready("True", "Programmed")]);
        objects.set(&key("a"), [ready("True", "Programmed")]);
        assert_eq!(count(&objects, "False", "Waiting"), 1);
        assert_eq!(count(&objects, "True", "Programmed"), 1);
        objects.remove(&key("b"));
        objects.remove(&key("b"));
        assert_eq!(count(&objects, "False", "Waiting"), 0);
    }
}
