//! When an orphan counts, and when it is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{OrphanCause, OrphanStatus};
use proptest::prelude::*;

use super::stage::HELLO;
use crate::core::orphans::going::Need;
use crate::core::orphans::memory::{Look, Memory, status};
use crate::core::orphans::{Id, Judged, Kind, Orphan};

fn one() -> Orphan {
    Orphan {
        id: Id {
            kind: Kind::Api,
            id: "a".into(),
        },
        name: "knative/a".into(),
        owner: HELLO.into(),
        key: "classic/API/knative/a".into(),
    }
}

/// What a look finds of the one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    Orphan,
    Needed,
    Owned,
    Nothing,
}

fn look_at(memory: &mut Memory, sees: Sees, is_sweep: bool, fate: Option<OrphanCause>) -> bool {
    let found = match sees {
        Sees::Orphan | Sees::Needed => vec![one()],
        Sees::Owned | Sees::Nothing => vec![],
    };
    let needs = match sees {
        Sees::Needed => BTreeMap::from([(one().id, Need::By("API x".into()))]),
        _ => BTreeMap::new(),
    };
    let news = memory.look(&Look {
        found: &found,
        needs: &needs,
        is_there: &|_| sees != Sees::Nothing,
        fate: &|_| fate,
        sweeps: 3,
        is_sweep,
    });
    !news.is_empty()
}

fn shown(memory: &Memory) -> Option<(OrphanCause, bool)> {
    let judged = memory.judged();
    judged
        .first()
        .map(|judged| (judged.cause, judged.confirmed))
}

#[test]
fn it_counts_after_three_sweeps_in_a_row_and_is_told_once() {
    use OrphanCause::OwnerLost;
    let mut memory = Memory::default();
    let lost = Some(OwnerLost);
    assert!(!look_at(&mut memory, Sees::Orphan, false, lost));
    assert_eq!(shown(&memory), Some((OwnerLost, false)), "shown at once");
    let mut see = |sees| look_at(&mut memory, sees, true, lost);
    assert!(!see(Sees::Orphan));
    assert!(!see(Sees::Orphan));
    assert!(!see(Sees::Owned), "it has an owner again");
    assert!(!see(Sees::Orphan));
    assert!(!see(Sees::Orphan));
    assert!(see(Sees::Orphan));
    assert!(!see(Sees::Orphan), "told");
    assert_eq!(memory.ripe(3), [one().id].into());
    assert_eq!(memory.ripe(5), BTreeSet::new(), "the class wants more");
    assert!(!look_at(&mut memory, Sees::Orphan, true, None));
    assert_eq!(shown(&memory), Some((OwnerLost, true)), "the cause stays");
}

#[test]
fn an_empty_list_neither_forgets_nor_goes_on_counting() {
    let mut memory = Memory::default();
    let lost = Some(OrphanCause::OwnerLost);
    for _ in 0..3 {
        look_at(&mut memory, Sees::Orphan, true, lost);
    }
    for _ in 0..2 {
        look_at(&mut memory, Sees::Nothing, true, None);
        assert_eq!(shown(&memory), Some((OrphanCause::OwnerLost, true)));
        assert_eq!(memory.ripe(3), BTreeSet::new());
    }
    for _ in 0..5 {
        look_at(&mut memory, Sees::Nothing, false, None);
    }
    look_at(&mut memory, Sees::Orphan, true, lost);
    assert_eq!(memory.ripe(3), BTreeSet::new(), "the count began again");
    for _ in 0..3 {
        assert!(shown(&memory).is_some());
        look_at(&mut memory, Sees::Nothing, true, None);
    }
    assert_eq!(shown(&memory), None, "missing three times: gone");
}

#[test]
fn only_what_was_lost_is_ever_ripe() {
    for fate in [
        None,
        Some(OrphanCause::Unknown),
        Some(OrphanCause::Retained),
    ] {
        let mut memory = Memory::default();
        for _ in 0..9 {
            look_at(&mut memory, Sees::Orphan, true, fate);
        }
        assert_eq!(memory.ripe(3), BTreeSet::new(), "{fate:?}");
        assert_eq!(shown(&memory), Some((fate.unwrap_or_default(), true)));
    }
    let mut memory = Memory::default();
    for _ in 0..9 {
        look_at(
            &mut memory,
            Sees::Needed,
            true,
            Some(OrphanCause::OwnerLost),
        );
    }
    assert_eq!(memory.ripe(3), BTreeSet::new(), "it is needed");
}

#[test]
fn what_was_told_before_a_restart_stays_told_and_counts_for_nothing() {
    let mut before = Memory::default();
    for _ in 0..3 {
        look_at(
            &mut before,
            Sees::Orphan,
            true,
            Some(OrphanCause::OwnerLost),
        );
    }
    let (items, omitted) = status(&before.judged());
    assert_eq!(omitted, None);
    let mut memory = Memory::recall(&items);
    assert_eq!(memory.judged(), before.judged());
    for _ in 0..2 {
        assert!(!look_at(&mut memory, Sees::Orphan, true, None));
        assert_eq!(status(&memory.judged()).0, items, "nothing to write");
        assert_eq!(memory.ripe(3), BTreeSet::new());
    }
    look_at(&mut memory, Sees::Orphan, true, None);
    assert_eq!(memory.ripe(3), [one().id].into(), "by its own sweeps");
}

#[test]
fn a_status_is_bounded() {
    let judged: Vec<Judged> = (0..OrphanStatus::MAX + 3)
        .map(|number| Judged {
            id: Id {
                kind: Kind::Api,
                id: format!("a{number}"),
            },
            name: "n".repeat(600),
            owner: HELLO.into(),
            cause: OrphanCause::Unknown,
            confirmed: false,
            needed_by: None,
        })
        .collect();
    let (items, omitted) = status(&judged);
    assert_eq!((items.len(), omitted), (OrphanStatus::MAX, Some(3)));
    assert_eq!(items[0].name.len(), 512);
}

proptest! {
    /// Ripe is what the last three sweeps found without an owner and without a need, whatever was
    /// seen between and before.
    #[test]
    fn ripe_is_what_three_sweeps_in_a_row_found(
        looks in prop::collection::vec(
            (prop::sample::select(vec![Sees::Orphan, Sees::Orphan, Sees::Orphan, Sees::Needed, Sees::Owned, Sees::Nothing]), any::<bool>()),
            0..24,
        )
    ) {
        let mut memory = Memory::default();
        let (mut seen, mut free) = (0, 0);
        for (sees, is_sweep) in looks {
            look_at(&mut memory, sees, is_sweep, Some(OrphanCause::OwnerLost));
            let counts = u32::from(is_sweep);
            (seen, free) = match sees {
                Sees::Orphan => (seen + counts, free + counts),
                Sees::Needed => (seen + counts, 0),
                Sees::Owned | Sees::Nothing => (0, 0),
            };
            prop_assert_eq!(!memory.ripe(3).is_empty(), seen >= 3 && free >= 3);
            if shown(&memory).is_some_and(|(_, confirmed)| confirmed) && sees != Sees::Nothing {
                prop_assert!(memory.judged().len() == 1);
            }
        }
    }
}
