//! A pass plans and acts in rounds, until one of them ends it.

use std::ops::ControlFlow;

use crate::core::problem::Problem;

/// Plans that follow each other in one pass at the most. Three are usual after a change: one that
/// is carried out, one that finds nothing left to do, and one after reading what was written.
const MOST: usize = 12;

/// How many rounds a pass has made.
#[derive(Debug, Default)]
pub(super) struct Rounds(usize);

impl Rounds {
    /// Whether the pass goes on after a round; if not, with what is to be said of it. After the last round
    /// that is a problem of its own: what the round found is about what was there before it acted.
    pub(super) fn after(&mut self, round: ControlFlow<()>) -> ControlFlow<Option<Problem>> {
        self.0 += 1;
        match round {
            ControlFlow::Break(()) => ControlFlow::Break(None),
            ControlFlow::Continue(()) if self.0 < MOST => ControlFlow::Continue(()),
            ControlFlow::Continue(()) => ControlFlow::Break(Some(Problem::unsettled())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::v1alpha1::{ConditionStatus, ConditionType, Reason};

    use super::*;
    use crate::controller::binding::ended;
    use crate::controller::queue::Ended;
    use crate::core::conditions::judge;

    const MORE: ControlFlow<()> = ControlFlow::Continue(());

    #[test]
    fn a_pass_that_does_not_come_to_rest_says_so_and_is_made_again() {
        let mut rounds = Rounds::default();
        let end = loop {
            if let ControlFlow::Break(end) = rounds.after(MORE) {
                break end;
            }
        };
        assert_eq!(rounds.0, MOST);
        let problems: Vec<Problem> = end.into_iter().collect();
        let programmed = judge(ConditionType::Programmed, Reason::Programmed, &problems);
        assert_eq!(programmed.status, ConditionStatus::False);
        assert_eq!(programmed.reason, Reason::Unsettled);
        let ended = ended(&problems, None, None, None);
        assert!(matches!(ended, Ended::Retry { outage: false, .. }));
    }

    #[test]
    fn the_round_that_ends_a_pass_is_the_last_one() {
        let mut rounds = Rounds::default();
        for _ in 1..MOST {
            assert_eq!(rounds.after(MORE), MORE.map_break(|()| None));
        }
        let end = rounds.after(ControlFlow::Break(()));
        assert_eq!(end, ControlFlow::Break(None));
    }
}
