//! Per-object delays after errors: exponential, with full jitter, and never shorter than what the
//! cloud asked for.
//!
//! Every object has its own series, so that one failing object slows down nobody else. A series
//! ends with the first success ([`Backoff::reset`]) and with the object ([`Backoff::forget`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use rand::Rng;

/// Over how long those who are asked to wait equally long come back, at most.
const SPREAD: Duration = Duration::from_secs(5);

/// The object a series of delays belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// Kubernetes kind, e.g. `GatewayBinding`.
    pub kind: &'static str,
    /// Namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

impl ObjectKey {
    /// The key of any Kubernetes object with a static type.
    #[must_use]
    pub fn of<K: kube::Resource<DynamicType = ()>>(kind: &'static str, object: &K) -> Self {
        let meta = object.meta();
        Self {
            kind,
            namespace: meta.namespace.clone(),
            name: meta.name.clone().unwrap_or_default(),
        }
    }
}

/// Bounds of the delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// Upper end of the first delay; it doubles with every failure.
    pub base: Duration,
    /// Upper end of all later ones.
    pub max: Duration,
    /// The same where what fails is the world around the object: its recovery is nothing that can
    /// be watched, and must not be slept through.
    pub outage_max: Duration,
    /// The longest wait the cloud may ask for; beyond it, the request to wait is taken for an error.
    pub longest_retry_after: Duration,
}

impl Default for BackoffConfig {
    /// 1 s doubling to 5 min, in an outage to 30 s; the cloud may ask for up to an hour.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            max: Duration::from_secs(300),
            outage_max: Duration::from_secs(30),
            longest_retry_after: Duration::from_secs(3600),
        }
    }
}

/// The delays of all objects. Clones share them.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    series: Arc<Mutex<HashMap<ObjectKey, ExponentialBackoff>>>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(BackoffConfig::default())
    }
}

impl Backoff {
    /// No object has failed yet.
    #[must_use]
    pub fn new(config: BackoffConfig) -> Self {
        Self {
            config,
            series: Arc::default(),
        }
    }

    /// How long to wait after one more failure of `key`.
    ///
    /// Without `retry_after`: evenly distributed between a tenth of the base (an unlucky draw must
    /// not be an immediate retry) and the series' present upper end. With `retry_after`, what the
    /// cloud asked for plus a share of the base, so that objects throttled together do not come
    /// back together; or the draw, if that is longer.
    #[must_use]
    pub fn next(&self, key: &ObjectKey, retry_after: Option<Duration>) -> Duration {
        self.after(key, retry_after, self.config.max)
    }

    /// As [`Backoff::next`], where cluster or cloud did not answer as they should: whoever it was,
    /// it was no fault of the object.
    #[must_use]
    pub fn next_in_outage(&self, key: &ObjectKey, retry_after: Option<Duration>) -> Duration {
        self.after(key, retry_after, self.config.outage_max)
    }

    fn after(&self, key: &ObjectKey, retry_after: Option<Duration>, max: Duration) -> Duration {
        let ceiling = self.advance(key).min(max);
        let least = (self.config.base / 10).min(ceiling);
        let drawn = rand::rng().random_range(least..=ceiling);
        let Some(asked) = retry_after else {
            return drawn;
        };
        let spread = self.config.base.min(SPREAD);
        let spread = rand::rng().random_range(Duration::ZERO..=spread);
        drawn.max(asked.min(self.config.longest_retry_after) + spread)
    }

    /// Ends the series after a success.
    pub fn reset(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// Ends the series since the object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.reset(key);
    }

    /// Number of objects whose last pass failed.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.lock().len()
    }

    fn advance(&self, key: &ObjectKey) -> Duration {
        let BackoffConfig { base, max, .. } = self.config;
        let mut series = self.lock();
        let next = series
            .entry(key.clone())
            .or_insert_with(|| {
                ExponentialBuilder::new()
                    .with_min_delay(base)
                    .with_max_delay(max)
                    .without_max_times()
                    .build()
            })
            .next();
        next.unwrap_or(max).min(max)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectKey, ExponentialBackoff>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn delays_stay_below_a_ceiling_that_doubles_up_to_the_maximum() {
        let backoff = Backoff::default();
        for failure in 0..40 {
            let ceiling = Duration::from_secs(300.min(1 << failure.min(10)));
            let delay = backoff.next(&key("a"), None);
            assert!(delay <= ceiling, "failure {failure}: {delay:?}");
            assert!(delay >= Duration::from_millis(100), "failure {failure}");
        }
    }

    #[test]
    fn however_long_an_outage_lasts_its_end_is_not_slept_through() {
        let backoff = Backoff::default();
        for _ in 0..40 {
            assert!(backoff.next_in_outage(&key("a"), None) <= Duration::from_secs(30));
        }
        let slow = Backoff::new(BackoffConfig {
            base: Duration::from_secs(1200),
            ..BackoffConfig::default()
        });
        assert!(slow.next(&key("a"), None) >= Duration::from_secs(120));
        assert_eq!(
            slow.next_in_outage(&key("a"), None),
            Duration::from_secs(30)
        );
    }

    #[test]
    fn jitter_spreads_over_the_whole_range() {
        let config = BackoffConfig {
            base: Duration::from_secs(100),
            ..BackoffConfig::default()
        };
        let backoff = Backoff::new(config);
        let delays: Vec<_> = (0..1000)
            .map(|i| backoff.next(&key(&i.to_string()), None).as_secs())
            .collect();
        // The chance that no draw out of 1000 falls in such a part is below 1e-50.
        assert!(delays.iter().any(|delay| *delay < 25), "none short");
        assert!(delays.iter().any(|delay| *delay > 85), "none long");
    }

    #[test]
    fn objects_do_not_share_a_series_and_success_or_deletion_ends_it() {
        let backoff = Backoff::default();
        for _ in 0..20 {
            let _ = backoff.next(&key("bad"), None);
        }
        assert!(backoff.next(&key("good"), None) <= Duration::from_secs(1));
        assert_eq!(backoff.failing(), 2);
        backoff.reset(&key("bad"));
        assert!(backoff.next(&key("bad"), None) <= Duration::from_secs(1));
        backoff.forget(&key("bad"));
        backoff.forget(&key("good"));
        assert_eq!(backoff.failing(), 0);
    }

    #[test]
    fn retry_after_is_never_undercut_and_is_bounded() {
        let backoff = Backoff::default();
        let asked = Duration::from_secs(60);
        let delay = backoff.next(&key("a"), Some(asked));
        assert!(delay >= asked && delay <= asked + Duration::from_secs(1));
        let delay = backoff.next(&key("b"), Some(Duration::MAX));
        assert!(delay <= Duration::from_secs(3601), "{delay:?}");
    }

    #[test]
    fn clones_share_their_series() {
        let backoff = Backoff::default();
        let _ = backoff.clone().next(&key("a"), None);
        assert_eq!(backoff.failing(), 1);
    }
}
