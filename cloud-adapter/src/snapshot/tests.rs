//! Snapshots over a gateway that the test plays.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::*;
use crate::error::{Effect, ErrorClass};

const CLUSTER: &str = "c1f0";
const AGE: Duration = Duration::from_secs(60);

/// Holds lists that the test sets; writes succeed and change nothing unless told to fail.
#[derive(Debug)]
struct Played {
    groups: Mutex<Vec<Group>>,
    apis: Mutex<Vec<Api>>,
    consumers: Mutex<Vec<Consumer>>,
    grants: Mutex<Vec<Grant>>,
    calls: Mutex<HashMap<&'static str, u32>>,
    fail: Mutex<Option<CloudError>>,
    /// Group lists wait for a permit.
    gate: Semaphore,
}

impl Played {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            groups: Mutex::default(),
            apis: Mutex::default(),
            consumers: Mutex::default(),
            grants: Mutex::default(),
            calls: Mutex::default(),
            fail: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    fn call(&self, name: &'static str) -> Result<(), CloudError> {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        self.fail.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn calls(&self, name: &str) -> u32 {
        self.calls
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    fn fails(&self, class: ErrorClass, effect: Effect) {
        *self.fail.lock().unwrap() = Some(CloudError {
            class,
            operation: "test".to_owned(),
            code: "Test".to_owned(),
            message: String::new(),
            request_id: None,
            retry_after: None,
            effect,
        });
    }
}

/// `fn(args) -> Type = value;` as methods that count and may fail.
macro_rules! played {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = |$me:ident| $value:expr;)*) => {
        #[async_trait]
        impl ApiGateway for Played {
            $(
                async fn $name(&self, $($arg: $ty),*) -> Result<$out, CloudError> {
                    $(let _ = $arg;)*
                    let $me = self;
                    $me.call(stringify!($name))?;
                    Ok($value)
                }
            )*
        }
    };
}

played! {
    list_groups(more: &[GroupId]) -> Vec<Group> = |me| {
        // Taken before the wait, as the cloud may.
        let groups = me.groups.lock().unwrap().clone();
        me.gate.acquire().await.unwrap().forget();
        me.gate.add_permits(1);
        groups
    };
    create_group(spec: &GroupSpec, marker: &Marker) -> Group = |_me| group("new");
    update_group(id: &GroupId, spec: &GroupSpec) -> () = |_me| ();
    delete_group(id: &GroupId) -> () = |_me| ();
    list_backends() -> Vec<Backend> = |_me| vec![];
    create_backend(spec: &BackendSpec, marker: &Marker) -> Backend = |_me| Backend { spec: spec.clone(), id: "v".into(), marker: Some(marker.clone()) };
    update_backend(spec: &BackendSpec) -> () = |_me| ();
    delete_backend(spec: &BackendSpec) -> () = |_me| ();
    backend_users(name: &BackendName) -> Vec<ApiId> = |_me| vec![];
    list_apis(cluster: &str, more: &[ApiId]) -> Vec<Api> = |me| me.apis.lock().unwrap().clone();
    read_api(api: &Api) -> Option<Api> = |_me| Some(api.clone());
    create_api(group: &GroupId, spec: &ApiSpec, marker: &Marker) -> ApiId = |_me| ApiId::from("new");
    update_api(group: &GroupId, id: &ApiId, spec: &ApiSpec) -> () = |_me| ();
    amend_api(group: &GroupId, id: &ApiId, spec: &ApiSpec) -> () = |_me| ();
    delete_api(group: &GroupId, id: &ApiId) -> () = |_me| ();
    deploy(group: &GroupId, id: &ApiId, environment: Environment, note: &str) -> () = |_me| ();
    undeploy(group: &GroupId, id: &ApiId, environment: Environment) -> () = |_me| ();
    list_consumers() -> Vec<Consumer> = |me| me.consumers.lock().unwrap().clone();
    create_consumer(spec: &ConsumerSpec, credentials: &[Credential], marker: &Marker) -> ConsumerId = |_me| ConsumerId::from("new");
    update_consumer(id: &ConsumerId, spec: &ConsumerSpec) -> () = |_me| ();
    delete_consumer(id: &ConsumerId) -> () = |_me| ();
    credentials(id: &ConsumerId) -> Vec<Credential> = |_me| vec![];
    add_credential(id: &ConsumerId, credential: &Credential) -> () = |_me| ();
    remove_credential(id: &ConsumerId, credential: &Credential) -> () = |_me| ();
    list_grants(consumers: &[ConsumerId]) -> Vec<Grant> = |me| {
        let wanted = |grant: &&Grant| consumers.contains(&grant.key.consumer);
        me.grants.lock().unwrap().iter().filter(wanted).cloned().collect()
    };
    grant(group: &GroupId, grant: &Grant) -> () = |_me| ();
    revoke(group: &GroupId, key: &GrantKey) -> () = |_me| ();
    list_policies() -> Vec<Policy> = |_me| vec![];
    create_policy(spec: &PolicySpec, marker: &Marker) -> PolicyId = |_me| PolicyId::from("new");
    update_policy(id: &PolicyId, spec: &PolicySpec) -> () = |_me| ();
    delete_policy(id: &PolicyId) -> () = |_me| ();
    list_attachments(policies: &[PolicyId]) -> Vec<Attachment> = |_me| vec![];
    attach(group: &GroupId, attachment: &Attachment) -> () = |_me| ();
    detach(group: &GroupId, attachment: &Attachment) -> () = |_me| ();
}

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
