//! Faults on demand: throttling, server errors, lost answers, delays, short lists, quotas.
//!
//! The plan is set as a whole through `POST /_emulator/faults`; its format is described in
//! `docs/faults.md`.

mod lists;
mod plan;
mod quota;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use lists::{shorten_lists, spoil_item};
pub use plan::{Effect, Loss, Plan, Quota, Rule, Target};

use crate::api::{ApiError, Product};
use quota::Meter;

/// What happens to one call.
#[derive(Debug, Default)]
pub struct Decision {
    /// Wait this long first.
    pub delay: Duration,
    /// Then do this.
    pub effect: Option<Effect>,
}

/// Applies a plan call by call.
#[derive(Debug)]
pub struct Injector {
    plan: Plan,
    counts: Vec<Count>,
    random: StdRng,
    meter: Meter,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    matched: u64,
    fired: u64,
}

impl Default for Injector {
    fn default() -> Self {
        Self::new(Plan::default())
    }
}

impl Injector {
    /// Starts a plan; all counters are at zero.
    pub fn new(plan: Plan) -> Self {
        Self {
            counts: vec![Count::default(); plan.rules.len()],
            random: StdRng::seed_from_u64(plan.seed),
            meter: Meter::default(),
            plan,
        }
    }

    /// The plan in force.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How long created objects stay invisible to reads.
    pub fn consistency_delay(&self) -> Duration {
        Duration::from_millis(self.plan.consistency_delay_ms)
    }

    /// Decides about one call. Delays add up; of the other effects the first rule that fires counts.
    pub fn decide(&mut self, call: Target<'_>) -> Decision {
        let mut decision = Decision::default();
        for (rule, count) in self.plan.rules.iter().zip(&mut self.counts) {
            if decision.effect.is_some() && !matches!(rule.effect, Effect::Delay { .. }) {
                continue;
            }
            if !rule.matches(call) || !count.fires(rule, &mut self.random) {
                continue;
            }
            match &rule.effect {
                Effect::Delay { ms } => decision.delay += Duration::from_millis(*ms),
                effect => decision.effect = Some(effect.clone()),
            }
        }
        decision
    }

    /// Counts a call against the quota, if one is set.
    pub fn meter(&mut self, product: Product, action: &str) -> Result<(), ApiError> {
        match self.plan.quota {
            Some(quota) => self.meter.count(quota, product, action),
            None => Ok(()),
        }
    }
}

impl Count {
    fn fires(&mut self, rule: &Rule, random: &mut StdRng) -> bool {
        self.matched += 1;
        let due = self.matched > rule.after && rule.times.is_none_or(|times| self.fired < times);
        let fires = due
            && rule
                .probability
                .is_none_or(|probability| random.random::<f64>() < probability);
        self.fired += u64::from(fires);
        fires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injector(plan: &str) -> Injector {
        Injector::new(Plan::parse(plan.as_bytes()).expect("a valid plan"))
    }

    fn call(action: &str) -> Target<'_> {
        let mutating = action.starts_with("Create");
        Target {
            product: Product::CloudApi,
            action,
            access_key_id: "k1",
            mutating,
        }
    }

    fn hit(injector: &mut Injector, action: &str) -> bool {
        injector.decide(call(action)).effect.is_some()
    }

    #[test]
    fn after_and_times_bound_a_rule() {
        let mut injector = injector(
            r#"{"rules":[{"action":"CreateApi","after":1,"times":2,"effect":{"type":"serverError"}}]}"#,
        );
        let hits: Vec<bool> = (0..5).map(|_| hit(&mut injector, "CreateApi")).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(!hit(&mut injector, "DescribeApi"));
    }

    #[test]
    fn rules_can_ask_for_mutating_calls_or_a_product() {
        let mut writes = injector(r#"{"rules":[{"mutatingOnly":true,"effect":{"type":"hang"}}]}"#);
        assert!(hit(&mut writes, "CreateApi"));
        assert!(!hit(&mut writes, "DescribeApi"));
        let mut slb = injector(r#"{"rules":[{"product":"SLB","effect":{"type":"hang"}}]}"#);
        assert!(!hit(&mut slb, "CreateApi"));
        let mut prefix = injector(r#"{"rules":[{"action":"Create*","effect":{"type":"hang"}}]}"#);
        assert!(hit(&mut prefix, "CreateApi"));
        assert!(!hit(&mut prefix, "DeleteApi"));
    }

    #[test]
    fn rules_can_ask_for_a_key() {
        let mut own = injector(r#"{"rules":[{"accessKeyId":"k1","effect":{"type":"hang"}}]}"#);
        assert!(hit(&mut own, "CreateApi"));
        let mut other = injector(r#"{"rules":[{"accessKeyId":"k2","effect":{"type":"hang"}}]}"#);
        assert!(!hit(&mut other, "CreateApi"));
    }

    #[test]
    fn chance_repeats_with_the_seed() {
        let plan = r#"{"seed":7,"rules":[{"probability":0.5,"effect":{"type":"throttle"}}]}"#;
        let run = || {
            let mut injector = injector(plan);
            (0..64)
                .map(|_| hit(&mut injector, "CreateApi"))
                .collect::<Vec<bool>>()
        };
        let first = run();
        assert_eq!(first, run());
        assert!(first.contains(&true) && first.contains(&false));
    }

    #[test]
    fn delays_add_to_another_effect() {
        let mut injector = injector(
            r#"{"rules":[{"effect":{"type":"throttle"}},{"effect":{"type":"delay","ms":5}},{"effect":{"type":"delay","ms":6}}]}"#,
        );
        let decision = injector.decide(call("CreateApi"));
        assert_eq!(decision.delay, Duration::from_millis(11));
        assert_eq!(
            decision.effect,
            Some(Effect::Throttle {
                retry_after_ms: None
            })
        );
    }
}
