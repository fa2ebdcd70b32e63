//! What an orphan must not take along.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::stage::{CALLER, HELLO, OWN, Stage, any_stage, ours};
use crate::core::orphans::going::Need;
use crate::core::orphans::{Id, Kind, Orphan};

fn needed(needs: &BTreeMap<Id, Need>) -> Vec<(&str, &Need)> {
    let needs = needs.iter();
    needs.map(|(id, need)| (id.id.as_str(), need)).collect()
}

#[test]
fn what_something_else_depends_on_stays() {
    let left = Stage::new()
        .group("g", ours(OWN))
        .backend("b", ours(OWN))
        .policy("p", ours(OWN))
        .consumer("110", ours(CALLER))
        .service("s", OWN)
        .api("a", "g", ours(HELLO))
        .attached("p", "a")
        .granted("110", "a");
    let orphans = left.found();
    assert_eq!(orphans.len(), 6);
    let asked: (&str, Option<&[&str]>) = ("name_b", Some(&["a"]));
    assert_eq!(left.needs(&orphans, &[asked]), BTreeMap::new());

    let by_hand = Need::By("API name_g/name_x".into());
    let foreign = left.clone().api("x", "g", None);
    let found = foreign.needs(&orphans, &[asked]);
    assert_eq!(needed(&found), [("g", &by_hand)]);
    let found = foreign
        .clone()
        .attached("p", "x")
        .granted("110", "x")
        .needs(&orphans, &[("name_b", Some(&["a", "x"]))]);
    let backend = Need::By("Backend name_b".into());
    assert_eq!(
        needed(&found),
        [
            ("p", &by_hand),
            ("b", &by_hand),
            ("110", &by_hand),
            ("g", &by_hand),
            ("uid-s", &backend)
        ]
    );
    let unseen = Need::By("API z".into());
    let found = left.clone().attached("p", "z").needs(&orphans, &[asked]);
    assert_eq!(needed(&found), [("p", &unseen)], "an API in no list");
    let found = left.clone().backend("c", None).needs(&orphans, &[asked]);
    let authorization = Need::By("Backend name_c".into());
    assert_eq!(needed(&found), [("uid-s", &authorization)]);
    for users in [&[][..], &[("name_b", None)][..]] {
        let found = left.needs(&orphans, users);
        let expected = [("b", &Need::Unknown), ("uid-s", &backend)];
        assert_eq!(needed(&found), expected, "the cloud did not say");
    }
}

#[test]
fn an_orphan_that_stays_keeps_what_it_needs() {
    let stage = Stage::new()
        .group("g", ours(OWN))
        .api("a", "g", ours(HELLO));
    let orphans = stage.found();
    let lost: Vec<Orphan> = orphans
        .into_iter()
        .filter(|orphan| orphan.id.kind == Kind::Group)
        .collect();
    let found = stage.needs(&lost, &[]);
    let retained = Need::By("API name_g/name_a".into());
    assert_eq!(needed(&found), [("g", &retained)]);
}

proptest! {
    /// Whatever goes, nothing that stays has lost something it depends on.
    #[test]
    fn what_goes_leaves_nothing_hanging(stage in any_stage()) {
        let orphans = stage.found();
        let needs = stage.needs(&orphans, &[]);
        let goes = |kind, id: &str| {
            let id = Id { kind, id: id.to_owned() };
            orphans.iter().any(|orphan| orphan.id == id) && !needs.contains_key(&id)
        };
        for api in stage.inventory.apis.values() {
            if goes(Kind::Group, api.group.as_str()) {
                prop_assert!(goes(Kind::Api, api.id.as_str()));
            }
        }
        for attachment in &stage.inventory.attachments {
            if goes(Kind::Policy, attachment.policy.as_str()) {
                prop_assert!(goes(Kind::Api, attachment.api.as_str()));
            }
        }
        for grant in stage.inventory.grants.keys() {
            if goes(Kind::Consumer, grant.consumer.as_str()) {
                prop_assert!(goes(Kind::Api, grant.api.as_str()));
            }
        }
        for backend in stage.inventory.backends.values() {
            prop_assert!(!goes(Kind::Backend, &backend.id), "the cloud was not asked");
        }
    }
}
