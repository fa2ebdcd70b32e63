//! Conditions as `knative.dev/pkg` keeps them.

use k8s_openapi::jiff::Timestamp;

use super::types::KnativeCondition;

/// The state of one condition.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// `True`, with an optional reason and message.
    True(Option<(&'static str, String)>),
    /// `Unknown`, with reason and message.
    Unknown(String, String),
    /// `False`, with reason and message.
    False(String, String),
}

impl State {
    /// Plainly true.
    pub const TRUE: Self = Self::True(None);

    /// Takes over another object's condition, as Knative's `Propagate…Status` do.
    pub fn of(condition: Option<&KnativeCondition>) -> Self {
        let Some(condition) = condition else {
            return Self::Unknown(String::new(), String::new());
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match condition.status.as_str() {
            "True" => Self::TRUE,
            "False" => Self::False(text(&condition.reason), text(&condition.message)),
            _ => Self::Unknown(text(&condition.reason), text(&condition.message)),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::True(_) => 0,
            Self::Unknown(..) => 1,
            Self::False(..) => 2,
        }
    }

    fn condition(&self, type_: &str) -> KnativeCondition {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (status, reason, message) = match self {
            Self::True(None) => ("True", None, None),
            Self::True(Some((reason, message))) => ("True", text(reason), text(message)),
            Self::Unknown(reason, message) => ("Unknown", text(reason), text(message)),
            Self::False(reason, message) => ("False", text(reason), text(message)),
        };
        KnativeCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason,
            message,
            ..KnativeCondition::default()
        }
    }
}

/// The conditions of an object: the given ones, of which `Ready` takes over the worst, sorted by
/// type. The transition time stays where nothing else of a condition changed.
pub fn conditions(
    dependents: &[(&str, State)],
    previous: &[KnativeCondition],
    now: Timestamp,
) -> Vec<KnativeCondition> {
    let worst = dependents
        .iter()
        .map(|(_, state)| state)
        .rev()
        .max_by_key(|state| state.rank())
        .filter(|state| state.rank() > 0)
        .unwrap_or(&State::TRUE);
    let mut all: Vec<_> = dependents
        .iter()
        .map(|(type_, state)| state.condition(type_))
        .collect();
    if !dependents.iter().any(|(type_, _)| *type_ == "Ready") {
        all.push(worst.condition("Ready"));
    }
    all.sort_by(|a, b| a.type_.cmp(&b.type_));
    for condition in &mut all {
        let before = find(previous, &condition.type_);
        let unchanged = before.filter(|before| {
            (&before.status, &before.reason, &before.message)
                == (&condition.status, &condition.reason, &condition.message)
        });
        condition.last_transition_time = unchanged
            .and_then(|before| before.last_transition_time.clone())
            .or_else(|| Some(whole_seconds(now)));
    }
    all
}

/// A condition by type.
pub fn find<'a>(conditions: &'a [KnativeCondition], type_: &str) -> Option<&'a KnativeCondition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the `Ready` condition is true.
pub fn is_ready(conditions: &[KnativeCondition]) -> bool {
    find(conditions, "Ready").is_some_and(|ready| ready.status == "True")
}

fn whole_seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_takes_over_the_worst_and_the_first_of_equals() {
        let unknown = State::Unknown("Waiting".into(), "for a".into());
        let failed = State::False("Broken".into(), "b is".into());
        let now = Timestamp::UNIX_EPOCH;
        let all = conditions(
            &[
                ("A", unknown.clone()),
                ("B", failed),
                ("C", State::False("Also".into(), String::new())),
            ],
            &[],
            now,
        );
        assert_eq!(
            all.iter().map(|c| c.type_.as_str()).collect::<Vec<_>>(),
            ["A", "B", "C", "Ready"]
        );
        assert_eq!(
            find(&all, "Ready").unwrap().reason.as_deref(),
            Some("Broken")
        );
        let all = conditions(&[("A", unknown), ("B", State::TRUE)], &[], now);
        assert_eq!(find(&all, "Ready").unwrap().status, "Unknown");
        assert!(is_ready(&conditions(&[("A", State::TRUE)], &[], now)));
    }

    #[test]
    fn the_transition_time_moves_only_with_a_change() {
        let before = conditions(&[("A", State::TRUE)], &[], Timestamp::UNIX_EPOCH);
        let later = Timestamp::UNIX_EPOCH + k8s_openapi::jiff::Span::new().seconds(60);
        assert_eq!(conditions(&[("A", State::TRUE)], &before, later), before);
        let changed = conditions(
            &[("A", State::False("X".into(), "y".into()))],
            &before,
            later,
        );
        assert_eq!(
            changed[0].last_transition_time.as_deref(),
            Some("1970-01-01T00:01:00Z")
        );
    }
}
