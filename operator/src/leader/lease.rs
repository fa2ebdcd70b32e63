//! The Lease object: its configuration, and the translation from and to the API type.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::decide::Record;

/// Which Lease, held by whom, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Identity of this process; no two that run at once may share one.
    pub identity: String,
    /// How long others wait for a silent leader. Written to the Lease in whole seconds, rounded up.
    pub duration: Duration,
    /// How long after its last renewal a leader stops by itself.
    pub renew_deadline: Duration,
    /// Time between two renewals, and between two looks of those who wait.
    pub renew_interval: Duration,
}

/// Durations that would make an election unsafe or never succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseConfigError {
    /// The leader would still write when others may already lead.
    #[error(
        "renew deadline {renew_deadline:?} must be shorter than lease duration {duration:?}: \
         a leader has to stop before another may take over; lower --lease-renew-deadline or \
         raise --lease-duration"
    )]
    Deadline {
        /// The renew deadline given.
        renew_deadline: Duration,
        /// The lease duration given.
        duration: Duration,
    },
    /// One lost answer would cost the lease.
    #[error(
        "renew interval {renew_interval:?} must be at most half the renew deadline \
         {renew_deadline:?}, so that one failed renewal does not cost the lease; lower \
         --lease-renew-interval or raise --lease-renew-deadline"
    )]
    Interval {
        /// The renew interval given.
        renew_interval: Duration,
        /// The renew deadline given.
        renew_deadline: Duration,
    },
    /// Zero, or more seconds than the API can hold.
    #[error(
        "lease duration {0:?} and renew interval must be above zero, and the duration at most {max} s",
        max = i32::MAX
    )]
    Range(Duration),
}

impl LeaseConfig {
    /// Checks that the durations fit together.
    ///
    /// # Errors
    ///
    /// The first rule they break.
    pub fn validate(&self) -> Result<(), LeaseConfigError> {
        let Self {
            duration,
            renew_deadline,
            renew_interval,
            ..
        } = *self;
        if renew_interval.is_zero() || i32::try_from(duration.as_secs()).is_err() {
            return Err(LeaseConfigError::Range(duration));
        }
        if renew_deadline >= duration {
            return Err(LeaseConfigError::Deadline {
                renew_deadline,
                duration,
            });
        }
        if renew_interval > renew_deadline / 2 {
            return Err(LeaseConfigError::Interval {
                renew_interval,
                renew_deadline,
            });
        }
        Ok(())
    }

    /// Namespace and name, for messages.
    pub(super) fn lease(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn seconds(&self) -> i32 {
        let whole = self.duration.as_secs() + u64::from(self.duration.subsec_nanos() > 0);
        i32::try_from(whole).unwrap_or(i32::MAX)
    }
}

/// The wall clock, in the microseconds that a Lease can hold.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// What `lease` says.
pub(super) fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.holder_identity,
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        duration: seconds
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or_default(),
    }
}

/// `current`, or a new Lease, as held by us since `term` and renewed `now`.
pub(super) fn held(
    current: Option<Lease>,
    config: &LeaseConfig,
    term: Timestamp,
    now: Timestamp,
) -> Lease {
    let mut lease = current.unwrap_or_else(|| Lease {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            namespace: Some(config.namespace.clone()),
            ..ObjectMeta::default()
        },
        spec: None,
    });
    let before = record(&lease);
    let new = lease.spec.is_none();
    let same = new || before.holder.as_deref() == Some(&config.identity);
    let transitions = before.transitions.max(0);
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(config.identity.clone()),
        acquire_time: Some(MicroTime(term)),
        renew_time: Some(MicroTime(now)),
        lease_duration_seconds: Some(config.seconds()),
        lease_transitions: Some(if same {
            transitions
        } else {
            transitions.saturating_add(1)
        }),
        ..lease.spec.unwrap_or_default()
    });
    lease
}

/// `current` without a holder.
pub(super) fn released(mut current: Lease, now: Timestamp) -> Lease {
    if let Some(spec) = &mut current.spec {
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(now));
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> LeaseConfig {
        LeaseConfig {
            namespace: "system".into(),
            name: "operator".into(),
            identity: "a".into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            renew_interval: Duration::from_secs(2),
        }
    }

    #[test]
    fn durations_must_leave_room_for_each_other() {
        let seconds = Duration::from_secs;
        assert_eq!(config().validate(), Ok(()));
        let equal = LeaseConfig {
            renew_deadline: seconds(15),
            ..config()
        };
        assert!(matches!(
            equal.validate(),
            Err(LeaseConfigError::Deadline { .. })
        ));
        let rare = LeaseConfig {
            renew_interval: seconds(6),
            ..config()
        };
        assert!(matches!(
            rare.validate(),
            Err(LeaseConfigError::Interval { .. })
        ));
        let zero = LeaseConfig {
            renew_interval: Duration::ZERO,
            ..config()
        };
        assert!(matches!(zero.validate(), Err(LeaseConfigError::Range(_))));
        let endless = LeaseConfig {
            duration: Duration::MAX,
            ..config()
        };
        assert!(matches!(
            endless.validate(),
            Err(LeaseConfigError::Range(_))
        ));
    }

    #[test]
    fn transitions_count_changes_of_hands_only() {
        let transitions = |lease: &Lease| record(lease).transitions;
        let first = held(None, &config(), now(), now());
        assert_eq!(transitions(&first), 0);
        let renewed = held(Some(first), &config(), now(), now());
        assert_eq!(transitions(&renewed), 0);
        let other = LeaseConfig {
            identity: "b".into(),
            ..config()
        };
        let taken = held(Some(renewed), &other, now(), now());
        assert_eq!(transitions(&taken), 1);
        let free = released(taken, now());
        assert_eq!((record(&free).holder, transitions(&free)), (None, 1));
        assert_eq!(transitions(&held(Some(free), &config(), now(), now())), 2);
    }

    #[test]
    fn times_survive_the_way_over_the_wire() {
        let time = now();
        let lease = held(None, &config(), time, time);
        let text = serde_json::to_string(&lease).unwrap();
        let read: Lease = serde_json::from_str(&text).unwrap();
        assert_eq!(record(&read).acquired, Some(time));
        assert_eq!(record(&read), record(&lease));
    }

    #[test]
    fn fractions_of_a_second_are_promised_in_full() {
        let short = LeaseConfig {
            duration: Duration::from_millis(1200),
            ..config()
        };
        let lease = held(None, &short, now(), now());
        assert_eq!(record(&lease).duration, Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_others_wrote_into_the_object_stays() {
        let mut lease = held(None, &config(), now(), now());
        lease.metadata.labels = Some([("team".to_string(), "edge".to_string())].into());
        lease.metadata.resource_version = Some("7".into());
        let again = held(Some(lease.clone()), &config(), now(), now());
        assert_eq!(again.metadata, lease.metadata);
    }
}
