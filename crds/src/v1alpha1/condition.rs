//! Conditions: their types, and the one way in which they are set.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::{SignedDuration, Timestamp},
};

use super::Reason;

/// What a condition is about. The order is the one in which conditions stand in a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The object is valid and its class allows it.
    Accepted,
    /// What it refers to exists and may be used.
    ResolvedRefs,
    /// Cluster and cloud match it.
    Programmed,
    /// Real requests through the gateway are answered as they should be.
    Verified,
    /// The sum of all others.
    Ready,
    /// Work is going on. Present only while true.
    Reconciling,
    /// Nothing more will happen until the spec or the world changes. Present only while true.
    Stalled,
}

impl ConditionType {
    /// All types, in the order in which they stand in a status.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::ResolvedRefs,
        Self::Programmed,
        Self::Verified,
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
    ];

    /// The `type` of the condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::Programmed => "Programmed",
            Self::Verified => "Verified",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }

    /// The type that this string names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|type_| type_.as_str() == text)
    }
}

impl std::fmt::Display for ConditionType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It does.
    True,
    /// It does not.
    False,
    /// It cannot be told.
    Unknown,
}

impl ConditionStatus {
    /// The `status` of the condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl std::fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to be said about one condition. It holds nothing that changes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// What the condition is about.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// What is wrong, where, and what to do; empty where there is nothing to say.
    pub message: String,
}

/// Longest message that the schema of a condition admits, in characters.
pub const MAX_MESSAGE_LENGTH: usize = 32768;

/// Sets one condition, leaves the others alone, and returns whether its status flipped (a condition
/// that was not there before counts as flipped).
///
/// `lastTransitionTime` becomes `now`, in whole seconds as Kubernetes stores it, when the status
/// flips, and stays otherwise: saying the same again at another time changes nothing.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    update: ConditionUpdate,
    observed_generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let ConditionUpdate {
        type_,
        status,
        reason,
        message,
    } = update;
    let previous = find_condition(conditions, type_);
    let unflipped = previous.filter(|previous| previous.status == status.as_str());
    let flipped = unflipped.is_none();
    let last_transition_time = unflipped.map_or_else(
        || Time(whole_seconds(now)),
        |previous| previous.last_transition_time.clone(),
    );
    let condition = Condition {
        type_: type_.as_str().to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.chars().take(MAX_MESSAGE_LENGTH).collect(),
        observed_generation,
        last_transition_time,
    };
    match conditions
        .iter_mut()
        .find(|condition| condition.type_ == type_.as_str())
    {
        Some(slot) => *slot = condition,
        None => {
            let position = conditions.partition_point(|other| rank(other) < rank(&condition));
            conditions.insert(position, condition);
        }
    }
    flipped
}

/// Removes one condition and returns whether it was there.
pub fn remove_condition(conditions: &mut Vec<Condition>, type_: ConditionType) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_.as_str());
    conditions.len() != before
}

/// The condition of this type.
#[must_use]
pub fn find_condition(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == type_.as_str())
}

/// Whether the condition of this type is there with this status.
#[must_use]
pub fn condition_is(
    conditions: &[Condition],
    type_: ConditionType,
    status: ConditionStatus,
) -> bool {
    find_condition(conditions, type_).is_some_and(|condition| condition.status == status.as_str())
}

/// Place in a status; unknown types, which a newer version may have written, stand last.
fn rank(condition: &Condition) -> (bool, Option<ConditionType>) {
    let type_ = ConditionType::parse(&condition.type_);
    (type_.is_none(), type_)
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    let fraction = SignedDuration::from_nanos(i64::from(now.subsec_nanosecond()));
    now.checked_sub(fraction).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn say(type_: ConditionType, status: ConditionStatus, reason: Reason) -> ConditionUpdate {
        ConditionUpdate {
            type_,
            status,
            reason,
            message: String::new(),
        }
    }

    const EARLY: &str = "2026-11-20T08:00:00.123456789Z";
    const LATE: &str = "2026-11-20T09:00:00Z";

    #[test]
    fn the_same_again_changes_nothing() {
        let mut conditions = Vec::new();
        let ready = || say(ConditionType::Ready, ConditionStatus::True, Reason::Ready);
        assert!(set_condition(
            &mut conditions,
            ready(),
            Some(1),
            time(EARLY)
        ));
        let before = conditions.clone();
        assert!(!set_condition(
            &mut conditions,
            ready(),
            Some(1),
            time(LATE)
        ));
        assert_eq!(conditions, before);
    }

    #[test]
    fn the_time_survives_the_way_through_the_api_server() {
        let mut conditions = Vec::new();
        set_condition(
            &mut conditions,
            say(ConditionType::Ready, ConditionStatus::True, Reason::Ready),
            Some(1),
            time(EARLY),
        );
        let read: Vec<Condition> =
            serde_json::from_value(serde_json::to_value(&conditions).unwrap()).unwrap();
        assert_eq!(read, conditions);
        assert_eq!(
            conditions[0].last_transition_time.0,
            time("2026-11-20T08:00:00Z")
        );
    }

    #[test]
    fn another_reason_keeps_the_time_and_another_status_moves_it() {
        let mut conditions = Vec::new();
        let pending = say(
            ConditionType::Ready,
            ConditionStatus::False,
            Reason::Pending,
        );
        let conflict = say(
            ConditionType::Ready,
            ConditionStatus::False,
            Reason::Conflict,
        );
        let ready = say(ConditionType::Ready, ConditionStatus::True, Reason::Ready);
        set_condition(
            &mut conditions,
            pending,
            Some(1),
            time("2026-11-20T08:00:00Z"),
        );
        assert!(!set_condition(
            &mut conditions,
            conflict,
            Some(2),
            time(LATE)
        ));
        assert_eq!(conditions[0].reason, "Conflict");
        assert_eq!(conditions[0].observed_generation, Some(2));
        assert_eq!(
            conditions[0].last_transition_time.0,
            time("2026-11-20T08:00:00Z")
        );
        assert!(set_condition(&mut conditions, ready, Some(3), time(LATE)));
        assert_eq!(conditions[0].last_transition_time.0, time(LATE));
    }

    #[test]
    fn the_order_does_not_depend_on_the_order_of_setting() {
        let mut conditions = vec![Condition {
            type_: "FromALaterVersion".to_owned(),
            status: "True".to_owned(),
            reason: "New".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(time(LATE)),
        }];
        for type_ in [
            ConditionType::Ready,
            ConditionType::Stalled,
            ConditionType::Accepted,
        ] {
            set_condition(
                &mut conditions,
                say(type_, ConditionStatus::True, Reason::Accepted),
                None,
                time(LATE),
            );
        }
        let types: Vec<&str> = conditions
            .iter()
            .map(|condition| condition.type_.as_str())
            .collect();
        assert_eq!(types, ["Accepted", "Ready", "Stalled", "FromALaterVersion"]);
    }

    #[test]
    fn a_removed_condition_is_gone() {
        let mut conditions = Vec::new();
        let stalled = say(
            ConditionType::Stalled,
            ConditionStatus::True,
            Reason::Conflict,
        );
        set_condition(&mut conditions, stalled, None, time(LATE));
        assert!(condition_is(
            &conditions,
            ConditionType::Stalled,
            ConditionStatus::True
        ));
        assert!(remove_condition(&mut conditions, ConditionType::Stalled));
        assert!(!remove_condition(&mut conditions, ConditionType::Stalled));
        assert!(find_condition(&conditions, ConditionType::Stalled).is_none());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut conditions = Vec::new();
        let mut update = say(
            ConditionType::Ready,
            ConditionStatus::False,
            Reason::CloudRejected,
        );
        update.message = "值".repeat(MAX_MESSAGE_LENGTH + 1);
        set_condition(&mut conditions, update, None, time(LATE));
        assert_eq!(conditions[0].message.chars().count(), MAX_MESSAGE_LENGTH);
    }

    #[test]
    fn types_are_known_by_their_names() {
        for type_ in ConditionType::ALL {
            assert_eq!(ConditionType::parse(type_.as_str()), Some(type_));
        }
        assert_eq!(ConditionType::parse("Synced"), None);
    }
}
