//! Snapshots over a gateway that the test plays.

mod played;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::error::{Effect, ErrorClass};
use played::Played;

const CLUSTER: &str = "c1f0";
const AGE: Duration = Duration::from_secs(60);

fn marker() -> Marker {
    Marker {
        cluster: CLUSTER.to_owned(),
        owner: "GatewayBinding/default/helloworld".to_owned(),
    }
}

fn group_spec() -> GroupSpec {
    GroupSpec {
        name: "knative".to_owned(),
        description: String::new(),
        instance: None,
        test_domain: true,
        pass_host: false,
    }
}

fn group(id: &str) -> Group {
    Group {
        id: id.into(),
        spec: group_spec(),
        sub_domain: String::new(),
        marker: Some(marker()),
    }
}

fn consumer(id: &str) -> Consumer {
    let spec = ConsumerSpec {
        name: id.to_owned(),
        description: String::new(),
        disabled: false,
    };
    Consumer {
        id: id.into(),
        spec,
        marker: Some(marker()),
    }
}

fn grant(consumer: &str) -> Grant {
    let key = GrantKey {
        api: "a1".into(),
        environment: Environment::Release,
        consumer: consumer.into(),
    };
    Grant {
        key,
        until: None,
        revocable: true,
    }
}

/// A gateway with snapshots whose clock the test moves.
struct Stage {
    played: Arc<Played>,
    access: GatewayAccess,
    seconds: Arc<AtomicU64>,
}

fn stage() -> Stage {
    let played = Played::new();
    let seconds = Arc::new(AtomicU64::new(1000));
    let (base, time) = (Instant::now(), seconds.clone());
    let ticks: Ticks = Arc::new(move || base + Duration::from_secs(time.load(Ordering::SeqCst)));
    let timing = SnapshotTiming {
        grace: Duration::from_secs(30),
        parallel: 4,
        ticks,
    };
    let access = GatewayAccess::new(played.clone(), CLUSTER, timing);
    Stage {
        played,
        access,
        seconds,
    }
}

impl Stage {
    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn get(&self) -> Arc<Inventory> {
        self.access.snapshots.get(AGE).await.unwrap()
    }
}

#[tokio::test]
async fn one_listing_serves_everybody_until_it_is_too_old() {
    let stage = stage();
    stage.played.groups.lock().unwrap().push(group("g1"));
    let (a, b) = tokio::join!(stage.get(), stage.get());
    assert_eq!((a.groups.len(), b.groups.len()), (1, 1));
    stage.pass(59);
    stage.get().await;
    assert_eq!(stage.played.calls("list_groups"), 1);
    assert_eq!(
        stage.access.snapshots.ages()[&Kind::Groups],
        Duration::from_secs(59)
    );
    let first = stage.access.snapshots.taken();
    stage.pass(2);
    stage.get().await;
    assert_eq!(stage.played.calls("list_groups"), 2);
    let second = stage.access.snapshots.taken();
    assert_eq!(second.len(), 7);
    assert!(first.iter().all(|(kind, at)| second[kind] > *at));
}

#[tokio::test]
async fn only_what_was_invalidated_is_listed_again() {
    let stage = stage();
    stage.get().await;
    stage.access.snapshots.invalidate(Kind::Groups);
    stage.get().await;
    stage.get().await;
    assert_eq!(stage.played.calls("list_groups"), 2);
    assert_eq!(stage.played.calls("list_apis"), 1);
}

#[tokio::test]
async fn a_failed_list_never_replaces_a_good_one() {
    let stage = stage();
    stage.played.groups.lock().unwrap().push(group("g1"));
    stage.get().await;
    stage.pass(61);
    stage.played.fails(ErrorClass::Unavailable, Effect::None);
    let error = stage.access.snapshots.get(AGE).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unavailable);
    assert_eq!(stage.access.snapshots.peek().groups.len(), 1);
    assert_eq!(
        stage
            .access
            .snapshots
            .get(AGE * 2)
            .await
            .unwrap()
            .groups
            .len(),
        1
    );
}

#[tokio::test]
async fn own_writes_outlive_lists_that_lag_until_the_grace_is_over() {
    let stage = stage();
    stage.played.groups.lock().unwrap().push(group("g1"));
    stage.get().await;
    stage
        .access
        .gateway
        .create_group(&group_spec(), &marker())
        .await
        .unwrap();
    stage
        .access
        .gateway
        .delete_group(&"g1".into())
        .await
        .unwrap();
    let shown = |inventory: &Inventory| -> Vec<String> {
        inventory.groups.keys().map(ToString::to_string).collect()
    };
    assert_eq!(shown(&*stage.get().await), ["new"], "shown at once");
    stage.pass(10);
    stage.access.snapshots.invalidate(Kind::Groups);
    assert_eq!(
        shown(&*stage.get().await),
        ["new"],
        "the list has neither write yet"
    );
    stage.pass(25);
    stage.access.snapshots.invalidate(Kind::Groups);
    assert_eq!(
        shown(&*stage.get().await),
        ["g1"],
        "after the grace the list is right"
    );
}

#[tokio::test]
async fn a_write_during_a_listing_wins_over_it() {
    let stage = stage();
    stage.played.groups.lock().unwrap().push(group("g1"));
    stage.get().await;
    stage.access.snapshots.invalidate(Kind::Groups);
    let permits = stage.played.gate.available_permits();
    stage.played.gate.forget_permits(permits);
    let snapshots = stage.access.snapshots.clone();
    let listing = tokio::spawn(async move { snapshots.get(AGE).await });
    let deadline = Instant::now() + Duration::from_secs(5);
    while stage.played.calls("list_groups") < 2 {
        assert!(
            Instant::now() < deadline,
            "the second listing did not begin"
        );
        tokio::task::yield_now().await;
    }
    let mut spec = group_spec();
    spec.description = "changed meanwhile".to_owned();
    stage
        .access
        .gateway
        .update_group(&"g1".into(), &spec)
        .await
        .unwrap();
    stage.played.gate.add_permits(1);
    let seen = listing.await.unwrap().unwrap();
    assert_eq!(
        seen.groups[&GroupId::from("g1")].spec.description,
        "changed meanwhile"
    );
}

#[tokio::test]
async fn a_doubtful_answer_has_the_kind_listed_again() {
    for (class, effect, again) in [
        (ErrorClass::Unavailable, Effect::Unknown, true),
        (ErrorClass::AlreadyExists, Effect::None, true),
        (ErrorClass::Busy, Effect::None, true),
        (ErrorClass::NotFound, Effect::None, true),
        (ErrorClass::Forbidden, Effect::None, false),
        (ErrorClass::Throttled, Effect::None, false),
    ] {
        let stage = stage();
        stage.get().await;
        stage.played.fails(class, effect);
        let failed = stage
            .access
            .gateway
            .create_group(&group_spec(), &marker())
            .await;
        assert_eq!(failed.unwrap_err().class, class);
        *stage.played.fail.lock().unwrap() = None;
        assert!(stage.get().await.groups.is_empty());
        assert_eq!(
            stage.played.calls("list_groups"),
            1 + u32::from(again),
            "{class:?}"
        );
    }
}

#[tokio::test]
async fn grants_are_listed_for_our_consumers_and_again_when_there_are_more() {
    let stage = stage();
    let foreign = Consumer {
        marker: None,
        ..consumer("2")
    };
    stage
        .played
        .consumers
        .lock()
        .unwrap()
        .extend([consumer("1"), foreign]);
    stage
        .played
        .grants
        .lock()
        .unwrap()
        .extend([grant("1"), grant("2"), grant("3")]);
    assert_eq!(stage.get().await.grants.len(), 1);

    stage
        .access
        .gateway
        .create_consumer(&consumer("x").spec, &[], &marker())
        .await
        .unwrap();
    stage.get().await;
    assert_eq!(
        stage.played.calls("list_grants"),
        1,
        "what we make has no grants yet"
    );

    stage.played.consumers.lock().unwrap().push(consumer("3"));
    stage.access.snapshots.invalidate(Kind::Consumers);
    assert_eq!(stage.get().await.grants.len(), 2);

    stage
        .access
        .gateway
        .delete_consumer(&"1".into())
        .await
        .unwrap();
    assert_eq!(
        stage.get().await.grants.len(),
        1,
        "grants go with their consumer"
    );
}

#[tokio::test]
async fn what_others_made_is_known_like_our_own_once_it_is_watched() {
    let stage = stage();
    let foreign = Consumer {
        marker: None,
        ..consumer("2")
    };
    stage.played.consumers.lock().unwrap().push(foreign);
    stage.played.grants.lock().unwrap().push(grant("2"));
    assert!(stage.get().await.grants.is_empty());
    let snapshots = &stage.access.snapshots;
    let watch = |watched: Watched| snapshots.watch(watched);
    watch(Watched {
        groups: [GroupId::from("g1")].into(),
        consumers: ["2", "nobody"].map(ConsumerId::from).into(),
        ..Watched::default()
    });
    assert_eq!(stage.get().await.grants.len(), 1);
    let lists = || ["list_groups", "list_grants", "list_apis"].map(|name| stage.played.calls(name));
    assert_eq!(lists(), [2, 2, 1], "what it concerns, and nothing else");
    watch(Watched {
        groups: [GroupId::from("g1")].into(),
        ..Watched::default()
    });
    stage.get().await;
    assert_eq!(lists(), [2, 2, 1], "once is enough");
}

#[tokio::test]
async fn a_deployment_shows_what_was_the_draft() {
    let stage = stage();
    let gateway = &stage.access.gateway;
    stage.get().await;
    let spec = ApiSpec {
        name: "hello".to_owned(),
        description: String::new(),
        method: Method::Any,
        path: Path::Prefix("/".to_owned()),
        protocols: [Protocol::Http].into(),
        auth: ApiAuth::Anonymous,
        backend: ApiBackend {
            name: "lb".into(),
            path: "/".into(),
            host: None,
            timeout_ms: 1,
        },
        unmodelled: Default::default(),
    };
    let (id, place) = (ApiId::from("new"), Environment::Release);
    gateway
        .create_api(&"g1".into(), &spec, &marker())
        .await
        .unwrap();
    gateway.deploy(&"g1".into(), &id, place, "").await.unwrap();
    let attachment = Attachment {
        policy: "p1".into(),
        api: id.clone(),
        environment: place,
    };
    gateway.attach(&"g1".into(), &attachment).await.unwrap();
    let newer = ApiSpec {
        auth: ApiAuth::Anonymous,
        method: Method::Get,
        ..spec.clone()
    };
    gateway.update_api(&"g1".into(), &id, &newer).await.unwrap();
    let seen = stage.get().await;
    let api = &seen.apis[&id];
    assert_eq!(api.spec.as_deref(), Some(&newer));
    assert_eq!(api.deployments[&place].spec.as_deref(), Some(&spec));
    assert_eq!(seen.attachments.len(), 1);

    gateway.undeploy(&"g1".into(), &id, place).await.unwrap();
    let seen = stage.get().await;
    assert!(seen.apis[&id].deployments.is_empty() && seen.attachments.is_empty());
}
