//! What is an orphan, and whose it is to tell.

use cloud_adapter::gateway::model::{ApiId, ConsumerId, GroupId, Marker, PolicyId};
use crds::v1alpha1::GatewayBindingClass;
use proptest::prelude::*;
use serde_json::json;

use super::stage::{CALLER, CLUSTER, GONE, HELLO, OTHER, OWN, Stage, any_stage, mark, ours};
use crate::core::consumer::claims::Location;
use crate::core::orphans::find::{Speaks, speaks};
use crate::core::orphans::{Id, Kind};

#[test]
fn an_api_is_one_if_its_binding_is_gone_and_no_ledger_names_it() {
    let left = || {
        Stage::new()
            .group("g1", ours(OWN))
            .living("GatewayBinding/default/other")
    };
    let claimed = |stage: Stage, key: &str| Stage {
        claimed: [key.to_owned()].into(),
        ..stage
    };
    let group = "classic/Group/name_g1";
    let cases: [(&str, Stage, &[&str]); 11] = [
        (
            "gone",
            claimed(left().api("a", "g1", ours(HELLO)), group),
            &["a"],
        ),
        (
            "gone, and the group with it",
            left().api("a", "g1", ours(HELLO)),
            &["a", "g1"],
        ),
        (
            "alive in whatever state",
            claimed(left().api("a", "g1", ours(HELLO)).living(HELLO), group),
            &[],
        ),
        (
            "in a ledger",
            claimed(
                left().api("a", "g1", ours(HELLO)),
                "classic/API/name_g1/name_a",
            ),
            &["g1"],
        ),
        (
            "of another cluster",
            claimed(left().api("a", "g1", mark("c2", HELLO)), group),
            &[],
        ),
        ("nobody's", claimed(left().api("a", "g1", None), group), &[]),
        (
            "of a kind of owner that is not known",
            claimed(left().api("a", "g1", ours("GatewayThing/x")), group),
            &[],
        ),
        (
            "in a group that is not ours",
            Stage::new().group("g1", None).api("a", "g1", ours(HELLO)),
            &["a"],
        ),
        (
            "in a ledger, in a group that its class adopts",
            claimed(
                Stage::new().group("g1", None).api("a", "g1", ours(HELLO)),
                "classic/API/id:g1/name_a",
            ),
            &[],
        ),
        (
            "in a group of another class",
            Stage::new()
                .group("g1", ours(OTHER))
                .api("a", "g1", ours(HELLO)),
            &[],
        ),
        (
            "in no group that is known",
            Stage::new().api("a", "g1", ours(HELLO)),
            &[],
        ),
    ];
    for (what, stage, expected) in cases {
        assert_eq!(stage.ids(), expected, "{what}");
    }
}

#[test]
fn what_is_shared_is_one_if_nobody_uses_it() {
    let all = |owner: &str| {
        Stage::new()
            .group("g", ours(owner))
            .backend("b", ours(owner))
            .policy("p", ours(owner))
            .service("s", owner)
    };
    assert_eq!(all(OWN).ids(), ["p", "b", "g", "uid-s"]);
    assert_eq!(all(OTHER).ids(), Vec::<String>::new(), "another class");
    assert_eq!(all(GONE).ids(), ["p", "b", "g", "uid-s"]);
    assert_eq!(all(GONE).silent().ids(), Vec::<String>::new());
    assert_eq!(all(OWN).silent().ids(), ["p", "b", "g", "uid-s"]);
    let used = Stage {
        used: ["classic/Group/name_g", "kubernetes/Service/istio-system/s"]
            .map(str::to_owned)
            .into(),
        claimed: ["classic/Policy/name_p".to_owned()].into(),
        ..all(OWN)
    };
    assert_eq!(used.ids(), ["b"]);
    let mut deleting = all(OWN);
    deleting.services[0].state.deleting = true;
    assert_eq!(deleting.ids(), ["p", "b", "g"]);
}

/// A suspended binding that took nothing up yet, or one that lost its status and is invalid.
#[test]
fn while_a_living_binding_claims_nothing_of_what_it_has_nothing_shared_is_one() {
    let stage = Stage::new()
        .group("g", ours(OWN))
        .backend("b", ours(OWN))
        .api("a", "g", ours(HELLO))
        .living(HELLO);
    assert_eq!(stage.ids(), Vec::<String>::new());
    let claimed = Stage {
        claimed: ["classic/API/name_g/name_a".to_owned()].into(),
        ..stage
    };
    assert_eq!(claimed.ids(), ["b", "g"]);
}

#[test]
fn consumers_and_secrets_are_told_by_one_class_only() {
    let stage = Stage::new()
        .consumer("110", ours(CALLER))
        .consumer("111", None)
        .secret("s", CALLER);
    assert_eq!(stage.ids(), ["110", "uid-s"]);
    assert_eq!(stage.clone().silent().ids(), Vec::<String>::new());
    assert_eq!(stage.living(CALLER).ids(), Vec::<String>::new());
}

#[test]
fn the_first_living_class_of_a_place_speaks() {
    let class = |name: &str, patch: serde_json::Value| -> GatewayBindingClass {
        let mut class = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": name},
            "spec": {
                "cloud": {"accountId": "111111", "regionId": "r", "clusterId": CLUSTER,
                    "credentials": {"type": "Environment"}},
                "apiGateways": [{"name": "main", "type": "Classic", "groups": [{"name": "knative"}]}],
            },
        });
        json_patch(&mut class, &patch);
        serde_json::from_value(class).unwrap()
    };
    let location = Location {
        account: "111111".into(),
        region: "r".into(),
    };
    let b = class("b", json!({}));
    let all = Speaks {
        place: true,
        cluster: true,
        secrets: true,
    };
    let said = |other: GatewayBindingClass| speaks(&b, &location, [&b, &other]);
    assert_eq!(speaks(&b, &location, [&b]), all);
    assert_eq!(said(class("c", json!({}))), all);
    assert_eq!(said(class("a", json!({}))), Speaks::default());
    let deleted = json!({"metadata": {"deletionTimestamp": "2029-01-01T00:00:00Z"}});
    assert_eq!(said(class("a", deleted)), all);
    let elsewhere = json!({"spec": {"cloud": {"regionId": "elsewhere"}}});
    let place = Speaks {
        place: true,
        ..Speaks::default()
    };
    assert_eq!(said(class("a", elsewhere)), place);
    let no_gateway = json!({"spec": {"apiGateways": null}});
    assert_eq!(said(class("a", no_gateway)), place);
    let cluster = json!({"spec": {"cloud": {"clusterId": "c2"}}});
    assert_eq!(
        said(class("a", cluster)),
        Speaks {
            secrets: false,
            ..all
        }
    );
    let unknown = json!({"spec": {"cloud": {"accountId": null}}});
    assert_eq!(said(class("a", unknown)), place);
}

fn json_patch(value: &mut serde_json::Value, patch: &serde_json::Value) {
    match patch.as_object() {
        Some(fields) => {
            for (name, field) in fields {
                json_patch(&mut value[name], field);
            }
        }
        None => value.clone_from(patch),
    }
}

fn marker_of<'a>(stage: &'a Stage, id: &Id) -> Option<&'a Marker> {
    let inventory = &stage.inventory;
    let text = id.id.as_str();
    let marker = match id.kind {
        Kind::Api => &inventory.apis.get(&ApiId::from(text))?.marker,
        Kind::Group => &inventory.groups.get(&GroupId::from(text))?.marker,
        Kind::Policy => &inventory.policies.get(&PolicyId::from(text))?.marker,
        Kind::Consumer => &inventory.consumers.get(&ConsumerId::from(text))?.marker,
        Kind::Backend => {
            let mut backends = inventory.backends.values();
            &backends.find(|found| found.id == id.id)?.marker
        }
        Kind::Service | Kind::Secret => &None,
    };
    marker.as_ref()
}

proptest! {
    #[test]
    fn nothing_foreign_and_nothing_of_somebody_alive_is_ever_found(stage in any_stage()) {
        for orphan in stage.found() {
            let marker = marker_of(&stage, &orphan.id).unwrap();
            prop_assert_eq!(&marker.cluster, CLUSTER);
            prop_assert_eq!(&marker.owner, &orphan.owner);
            let own = orphan.owner == OWN;
            prop_assert!(own || !stage.lives.contains(&orphan.owner), "{orphan:?}");
            if let Kind::Api = orphan.id.kind {
                let api = &stage.inventory.apis[&ApiId::from(orphan.id.id.as_str())];
                let home = stage.inventory.groups[&api.group].marker.as_ref();
                let others = home.is_some_and(|m| m.cluster == CLUSTER && m.owner == OTHER);
                prop_assert!(!others, "{orphan:?} of another class");
            }
        }
    }

    #[test]
    fn what_is_claimed_is_never_found(stage in any_stage()) {
        let all = stage.found();
        let claimed = all.iter().map(|orphan| orphan.key.clone()).collect();
        let stage = Stage { claimed, ..stage };
        prop_assert_eq!(stage.found(), vec![]);
    }
}
