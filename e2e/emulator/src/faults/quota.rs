//! Calls per second and action.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::plan::Quota;
use crate::api::{ApiError, Product};

/// Counts calls in windows of one second.
#[derive(Debug, Default)]
pub(super) struct Meter {
    windows: HashMap<(Product, String), Window>,
}

#[derive(Debug)]
struct Window {
    opened: Instant,
    calls: u32,
}

const SECOND: Duration = Duration::from_secs(1);

impl Meter {
    pub(super) fn count(
        &mut self,
        quota: Quota,
        product: Product,
        action: &str,
    ) -> Result<(), ApiError> {
        self.count_at(quota, product, action, Instant::now())
    }

    fn count_at(
        &mut self,
        quota: Quota,
        product: Product,
        action: &str,
        now: Instant,
    ) -> Result<(), ApiError> {
        let window = self
            .windows
            .entry((product, action.to_owned()))
            .or_insert(Window {
                opened: now,
                calls: 0,
            });
        let age = now.duration_since(window.opened);
        if age >= SECOND {
            *window = Window {
                opened: now,
                calls: 0,
            };
        }
        window.calls += 1;
        if window.calls > quota.requests_per_second {
            return Err(ApiError::throttled(Some(SECOND.saturating_sub(age))));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_its_own_second() {
        let quota = Quota {
            requests_per_second: 2,
        };
        let mut meter = Meter::default();
        let start = Instant::now();
        let mut call = |action: &str, at: Instant| meter.count_at(quota, Product::Slb, action, at);
        assert!(call("A", start).is_ok());
        assert!(call("A", start).is_ok());
        assert!(call("B", start).is_ok());
        let refusal = call("A", start + Duration::from_millis(400)).expect_err("over the limit");
        assert_eq!(refusal.code, "Throttling.User");
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(600)));
        assert!(call("A", start + SECOND).is_ok());
    }
}
