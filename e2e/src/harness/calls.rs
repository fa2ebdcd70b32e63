//! What an operator's calls cost, and whether it waits as long as it is asked to.

use std::{collections::BTreeMap, fmt, time::Duration};

use alicloud_emulator::calls::Call;
use k8s_openapi::jiff::SignedDuration;

/// Outcomes by which a fault refuses a call without carrying it out.
const REFUSED_BY_FAULT: [&str; 4] = [
    "Throttling.User",
    "ServiceUnavailable",
    "InternalError",
    "hang",
];

/// The calls of one access key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Calls that change something and reached what they were to change: carried out, whether or
    /// not the answer arrived, or refused for the state of things (a name that is taken, an object
    /// that is gone). Calls that a fault refused before are not among them: they did nothing, and
    /// have to be made again.
    pub sends: usize,
    /// Calls that change something and that a fault refused.
    pub refused: usize,
    /// Calls that only read, whatever came of them.
    pub reads: usize,
    /// `sends` by action.
    pub by_action: BTreeMap<String, usize>,
}

impl Meter {
    /// The calls among `calls` that this key signed.
    pub fn of(calls: &[Call], access_key_id: &str) -> Self {
        let mut meter = Self::default();
        for call in calls
            .iter()
            .filter(|call| call.access_key_id == access_key_id)
        {
            if !call.mutating {
                meter.reads += 1;
            } else if REFUSED_BY_FAULT.contains(&call.outcome.as_str()) {
                meter.refused += 1;
            } else {
                meter.sends += 1;
                *meter.by_action.entry(call.action.clone()).or_default() += 1;
            }
        }
        meter
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} mutating sends (and {} refused by faults), {} reads",
            self.sends, self.refused, self.reads
        )
    }
}

/// Calls of a key that came although a call of the same operation had been told to wait that long.
/// The time counts from when the refused call came, which is before its answer, so that whoever
/// waits from the answer on is never early.
pub fn early_calls(calls: &[Call], access_key_id: &str, retry_after: Duration) -> Vec<String> {
    let wait = SignedDuration::try_from(retry_after).unwrap_or(SignedDuration::MAX);
    let own: Vec<_> = calls
        .iter()
        .filter(|call| call.access_key_id == access_key_id)
        .collect();
    let mut early = Vec::new();
    for (index, throttled) in own.iter().enumerate() {
        if throttled.outcome != "Throttling.User" {
            continue;
        }
        let too_soon = own.iter().skip(index + 1).filter(|call| {
            call.action == throttled.action && call.time.duration_since(throttled.time) < wait
        });
        early.extend(too_soon.map(|call| {
            let after = call.time.duration_since(throttled.time);
            format!("{} {:?} after it was throttled", call.action, after)
        }));
    }
    early
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ms: i64, action: &str, outcome: &str) -> Call {
        Call {
            time: k8s_openapi::jiff::Timestamp::from_millisecond(ms).unwrap(),
            product: None,
            action: action.to_owned(),
            outcome: outcome.to_owned(),
            mutating: !action.starts_with("Describe"),
            answered: true,
            request_id: String::new(),
            access_key_id: "k".to_owned(),
            ids: BTreeMap::new(),
            unknown_parameters: Vec::new(),
            rules: Vec::new(),
        }
    }

    #[test]
    fn what_faults_refuse_is_no_send() {
        let calls = [
            call(0, "CreateApi", "Throttling.User"),
            call(1, "CreateApi", "ok"),
            call(2, "CreateApi", "RepeatedCommit"),
            call(3, "DescribeApi", "ServiceUnavailable"),
        ];
        let meter = Meter::of(&calls, "k");
        assert_eq!((meter.sends, meter.refused, meter.reads), (2, 1, 1));
        assert_eq!(Meter::of(&calls, "other"), Meter::default());
    }

    #[test]
    fn a_call_before_its_time_is_early() {
        let calls = [
            call(0, "A", "Throttling.User"),
            call(40, "B", "ok"),
            call(99, "A", "ok"),
            call(120, "A", "ok"),
        ];
        let early = early_calls(&calls, "k", Duration::from_millis(100));
        assert_eq!(early.len(), 1, "{early:?}");
        assert!(early_calls(&calls, "k", Duration::from_millis(90)).is_empty());
    }
}
