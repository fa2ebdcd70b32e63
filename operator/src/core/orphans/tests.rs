//! What is an orphan, when it counts, and what it must not take along.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::*;
use crds::v1alpha1::{GatewayBindingClass, OrphanCause, OrphanStatus};
use proptest::prelude::*;
use serde_json::json;

use super::find::{Speaks, View, find, speaks};
use super::going::{Leaving, Need, Users, World};
use super::memory::{Look, Memory, status};
use super::{Id, Judged, Kind, MarkedSecret, MarkedService, Orphan};
use crate::core::consumer::claims::Location;
use crate::core::observed::ServiceState;

const CLUSTER: &str = "c1f0";
const OWN: &str = "GatewayBindingClass/production";
const OTHER: &str = "GatewayBindingClass/staging";
const GONE: &str = "GatewayBindingClass/gone";
const HELLO: &str = "GatewayBinding/default/helloworld";
const CALLER: &str = "GatewayConsumer/default/knative";

fn mark(cluster: &str, owner: &str) -> Option<Marker> {
    Some(Marker {
        cluster: cluster.into(),
        owner: owner.into(),
    })
}

fn ours(owner: &str) -> Option<Marker> {
    mark(CLUSTER, owner)
}

fn group(id: &str, marker: Option<Marker>) -> Group {
    Group {
        id: id.into(),
        spec: GroupSpec {
            name: format!("name_{id}"),
            description: String::new(),
            instance: None,
            test_domain: false,
            pass_host: false,
        },
        sub_domain: String::new(),
        marker,
    }
}

fn api(id: &str, group: &str, marker: Option<Marker>) -> Api {
    Api {
        id: id.into(),
        group: group.into(),
        name: format!("name_{id}"),
        method: Method::Any,
        path: Path::Exact(format!("/{id}")),
        modified: String::new(),
        spec: None,
        deployments: BTreeMap::new(),
        marker,
    }
}

fn backend(id: &str, balancer: &str, marker: Option<Marker>) -> Backend {
    Backend {
        spec: BackendSpec {
            name: BackendName(format!("name_{id}")),
            vpc_id: "vpc-1".into(),
            load_balancer_id: balancer.into(),
            port: 80,
            host_override: None,
        },
        id: id.into(),
        marker,
    }
}

fn policy(id: &str, marker: Option<Marker>) -> Policy {
    Policy {
        id: id.into(),
        spec: PolicySpec {
            name: format!("name_{id}"),
            description: String::new(),
            rules: PolicyRules::Other {
                kind: String::new(),
                data: String::new(),
            },
        },
        marker,
    }
}

fn consumer(id: &str, marker: Option<Marker>) -> Consumer {
    Consumer {
        id: id.into(),
        spec: ConsumerSpec {
            name: format!("name_{id}"),
            description: String::new(),
            disabled: false,
        },
        marker,
    }
}

fn service(name: &str, owner: &str) -> MarkedService {
    MarkedService {
        namespace: "istio-system".into(),
        name: name.into(),
        owner: owner.into(),
        state: ServiceState {
            uid: format!("uid-{name}"),
            created_by_us: true,
            load_balancer_id: Some("lb-1".into()),
            ..ServiceState::default()
        },
    }
}

fn secret(name: &str, owner: &str) -> MarkedSecret {
    MarkedSecret {
        namespace: "default".into(),
        name: name.into(),
        owner: owner.into(),
        uid: format!("uid-{name}"),
    }
}

/// A cluster and a cloud.
#[derive(Clone, Debug, Default)]
struct Stage {
    inventory: Inventory,
    services: Vec<MarkedService>,
    secrets: Vec<MarkedSecret>,
    lives: BTreeSet<String>,
    used: BTreeSet<String>,
    claimed: BTreeSet<String>,
    speaks: Speaks,
}

impl Stage {
    /// Two classes live; this one speaks for all that names none.
    fn new() -> Self {
        Self {
            lives: [OWN, OTHER].map(str::to_owned).into(),
            speaks: Speaks {
                place: true,
                cluster: true,
                secrets: true,
            },
            ..Self::default()
        }
    }

    fn group(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory.groups.insert(id.into(), group(id, marker));
        self
    }

    fn api(mut self, id: &str, group: &str, marker: Option<Marker>) -> Self {
        self.inventory
            .apis
            .insert(id.into(), api(id, group, marker));
        self
    }

    fn backend(mut self, id: &str, marker: Option<Marker>) -> Self {
        let backend = backend(id, "lb-1", marker);
        self.inventory
            .backends
            .insert(backend.spec.name.clone(), backend);
        self
    }

    fn policy(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory
            .policies
            .insert(id.into(), policy(id, marker));
        self
    }

    fn consumer(mut self, id: &str, marker: Option<Marker>) -> Self {
        self.inventory
            .consumers
            .insert(id.into(), consumer(id, marker));
        self
    }

    fn attached(mut self, policy: &str, api: &str) -> Self {
        self.inventory.attachments.insert(Attachment {
            policy: policy.into(),
            api: api.into(),
            environment: Environment::Release,
        });
        self
    }

    fn granted(mut self, consumer: &str, api: &str) -> Self {
        let key = GrantKey {
            api: api.into(),
            environment: Environment::Release,
            consumer: consumer.into(),
        };
        let grant = Grant {
            key: key.clone(),
            until: None,
            revocable: true,
        };
        self.inventory.grants.insert(key, grant);
        self
    }

    fn service(mut self, name: &str, owner: &str) -> Self {
        self.services.push(service(name, owner));
        self
    }

    fn secret(mut self, name: &str, owner: &str) -> Self {
        self.secrets.push(secret(name, owner));
        self
    }

    fn living(mut self, owner: &str) -> Self {
        self.lives.insert(owner.to_owned());
        self
    }

    fn silent(mut self) -> Self {
        self.speaks = Speaks::default();
        self
    }

    fn found(&self) -> Vec<Orphan> {
        let location = Location {
            account: "1".into(),
            region: "r".into(),
        };
        find(&View {
            class: "production",
            cluster: CLUSTER,
            location: &location,
            inventory: &self.inventory,
            services: &self.services,
            secrets: &self.secrets,
            speaks: self.speaks,
            lives: &|owner| self.lives.contains(owner),
            used: &|key| self.used.contains(&key.to_string()),
            claimed: &|orphan| self.claimed.contains(&orphan.key),
        })
    }

    fn ids(&self) -> Vec<String> {
        let found = self.found();
        found.into_iter().map(|orphan| orphan.id.id).collect()
    }

    /// What keeps each of these orphans, if all of them are to go and these APIs run with backends.
    fn needs(&self, orphans: &[Orphan], users: &[(&str, Option<&[&str]>)]) -> BTreeMap<Id, Need> {
        let users: Users = users
            .iter()
            .map(|(name, apis)| {
                let apis = apis.map(|apis| apis.iter().map(|id| ApiId::from(*id)).collect());
                (BackendName::from(*name), apis)
            })
            .collect();
        let world = World {
            inventory: &self.inventory,
            services: &self.services,
            users: &users,
        };
        Leaving::of(orphans, world).needs()
    }
}

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
    let cases: [(&str, Stage, &[&str]); 10] = [
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

fn any_marker() -> impl Strategy<Value = Option<Marker>> {
    let owner = prop::sample::select(vec![
        OWN,
        OTHER,
        GONE,
        HELLO,
        "GatewayBinding/default/other",
        CALLER,
        "GatewayConsumer/default/other",
        "GatewayThing/x",
    ]);
    let cluster = prop::sample::select(vec![CLUSTER, CLUSTER, CLUSTER, "c2"]);
    prop::option::weighted(0.9, (cluster, owner))
        .prop_map(|of| of.and_then(|(cluster, owner)| mark(cluster, owner)))
}

fn any_stage() -> impl Strategy<Value = Stage> {
    let few = || prop::collection::vec(any_marker(), 0..4);
    let apis = prop::collection::vec((any_marker(), 0..4usize), 0..6);
    let lives = prop::sample::subsequence(vec![HELLO, CALLER], 0..=2);
    let links = prop::collection::vec((0..4usize, 0..8usize), 0..6);
    (
        few(),
        few(),
        few(),
        few(),
        apis,
        lives,
        links,
        any::<bool>(),
    )
        .prop_map(
            |(groups, backends, policies, consumers, apis, lives, links, speaks)| {
                let mut stage = Stage::new();
                for (number, marker) in groups.into_iter().enumerate() {
                    stage = stage.group(&format!("g{number}"), marker);
                }
                for (number, marker) in backends.into_iter().enumerate() {
                    stage = stage.backend(&format!("b{number}"), marker);
                }
                for (number, marker) in policies.into_iter().enumerate() {
                    stage = stage.policy(&format!("p{number}"), marker);
                }
                for (number, marker) in consumers.into_iter().enumerate() {
                    stage = stage.consumer(&format!("c{number}"), marker);
                }
                for (number, (marker, group)) in apis.into_iter().enumerate() {
                    stage = stage.api(&format!("a{number}"), &format!("g{group}"), marker);
                }
                for (one, api) in links {
                    stage = stage
                        .attached(&format!("p{one}"), &format!("a{api}"))
                        .granted(&format!("c{one}"), &format!("a{api}"));
                }
                stage.lives.extend(lives.into_iter().map(str::to_owned));
                if speaks { stage } else { stage.silent() }
            },
        )
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
