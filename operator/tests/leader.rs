//! Leader election against an API server with `resourceVersion` semantics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use gatewaybinding_operator::leader::{self, Leadership, LeaseConfig, LeaseError, elector};
use http::Method;
use support::{Behaviour, LeaseServer, PATIENCE};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// One replica. Its durations are short, but for the one that others wait before they take over:
/// a Lease counts in whole seconds.
struct Replica {
    leadership: Leadership,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), LeaseError>>,
}

fn config(identity: &str) -> LeaseConfig {
    LeaseConfig {
        namespace: "system".into(),
        name: "operator".into(),
        identity: identity.into(),
        duration: Duration::from_secs(1),
        renew_deadline: Duration::from_millis(600),
        renew_interval: Duration::from_millis(100),
    }
}

fn replica(server: &LeaseServer, identity: &str) -> Replica {
    let (elector, leadership) = elector(server.client(), config(identity)).unwrap();
    let shutdown = CancellationToken::new();
    let ended = tokio::spawn(elector.run(shutdown.clone()));
    Replica {
        leadership,
        shutdown,
        ended,
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

impl Replica {
    async fn leads(&self) {
        within("leadership", self.leadership.until_leader()).await;
    }

    async fn end(self) -> Result<(), LeaseError> {
        within("end of the elector", self.ended).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        assert_eq!(self.end().await, Ok(()));
    }

    /// Ends without a word, as with SIGKILL.
    async fn kill(self) {
        self.ended.abort();
        let ended = within("abort", self.ended).await;
        assert!(ended.unwrap_err().is_cancelled());
    }
}

fn puts(calls: &[Method]) -> usize {
    calls
        .iter()
        .filter(|method| **method == Method::PUT)
        .count()
}

#[tokio::test]
async fn a_leader_writes_once_per_interval_and_reads_nothing() {
    let server = LeaseServer::start();
    let started = Instant::now();
    let a = replica(&server, "a");
    a.leads().await;
    server
        .until_calls("five renewals", |calls| puts(calls) == 5)
        .await;
    let intervals = started.elapsed().as_millis() / 100;
    assert!(intervals >= 5, "five renewals within {intervals} intervals");
    let mut expected = vec![Method::GET, Method::POST];
    expected.resize(7, Method::PUT);
    assert_eq!(server.calls().get(..7).unwrap(), expected);
    a.stop().await;
}

/// The test's own runtime has one thread, and the test does not give it back.
#[tokio::test]
async fn a_process_that_is_busy_keeps_its_lease() {
    let server = LeaseServer::start();
    let shutdown = CancellationToken::new();
    let own = server.clone();
    let connect = move || Ok(own.client());
    let spawned = leader::spawn(connect, config("a"), shutdown.clone()).await;
    let (leadership, lease) = spawned.unwrap();
    let lease = tokio::spawn(lease);
    within("leadership", leadership.until_leader()).await;
    let (busy_since, before) = (Instant::now(), puts(&server.calls()));
    while puts(&server.calls()) < before + 10 {
        assert!(busy_since.elapsed() < PATIENCE, "nothing was renewed");
        std::thread::yield_now();
    }
    assert!(busy_since.elapsed() > config("a").renew_deadline);
    assert!(leadership.is_leader());
    shutdown.cancel();
    assert_eq!(within("end", lease).await.unwrap(), Ok(()));
    assert_eq!(server.holder(), None);
}

#[tokio::test]
async fn a_stopped_leader_releases_and_the_next_one_need_not_wait() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    let b = replica(&server, "b");
    server
        .until_calls("b reads", |calls| {
            calls.iter().filter(|m| **m == Method::GET).count() > 2
        })
        .await;
    assert!(!b.leadership.is_leader());
    let handle = a.leadership.clone();
    let stopped = Instant::now();
    a.stop().await;
    assert!(!handle.is_leader());
    b.leads().await;
    assert!(
        stopped.elapsed() < config("a").duration,
        "b waited for the lease to expire"
    );
    assert_eq!(server.holder().as_deref(), Some("b"));
    assert_eq!(
        server.lease().unwrap().spec.unwrap().lease_transitions,
        Some(2 - 1)
    );
    b.stop().await;
    assert_eq!(server.holder(), None);
}

#[tokio::test]
async fn a_dead_leader_is_followed_after_the_lease_duration_and_not_before() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    a.kill().await;
    let b = replica(&server, "b");
    let seen = Instant::now();
    b.leads().await;
    assert!(
        seen.elapsed() >= config("b").duration,
        "after {:?}",
        seen.elapsed()
    );
    b.stop().await;
}

#[tokio::test]
async fn a_restarted_instance_takes_its_own_lease_back_at_once() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    a.kill().await;
    let restarted = Instant::now();
    let a = replica(&server, "a");
    a.leads().await;
    assert!(
        restarted.elapsed() < config("a").duration / 2,
        "{:?}",
        restarted.elapsed()
    );
    assert_eq!(
        server.lease().unwrap().spec.unwrap().lease_transitions,
        Some(0)
    );
    a.stop().await;
}

#[tokio::test]
async fn of_two_processes_with_one_identity_the_older_one_stops() {
    let server = LeaseServer::start();
    let older = replica(&server, "a");
    older.leads().await;
    let younger = replica(&server, "a");
    younger.leads().await;
    let handle = older.leadership.clone();
    let error = older.end().await.unwrap_err();
    assert!(matches!(error, LeaseError::Namesake { .. }), "{error}");
    assert!(!handle.is_leader());
    assert!(younger.leadership.is_leader());
    younger.stop().await;
}

#[tokio::test]
async fn a_lease_taken_by_another_stops_all_writes() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    server.edit(|lease| {
        let spec = lease.as_mut().unwrap().spec.as_mut().unwrap();
        spec.holder_identity = Some("b".into());
    });
    within("loss", a.leadership.lost()).await;
    assert!(a.leadership.ensure_leading().is_err());
    let error = a.end().await.unwrap_err();
    assert!(
        matches!(&error, LeaseError::TakenOver { holder, .. } if holder == "b"),
        "{error}"
    );
    assert_eq!(server.holder().as_deref(), Some("b"));
}

#[tokio::test]
async fn a_leader_that_cannot_renew_stops_before_others_may_lead() {
    for behaviour in [Behaviour::Fails, Behaviour::Hangs] {
        let server = LeaseServer::start();
        let a = replica(&server, "a");
        a.leads().await;
        let since = Instant::now();
        server.behave(behaviour);
        within("loss", a.leadership.lost()).await;
        assert!(
            since.elapsed() < config("a").duration,
            "{behaviour:?}: {:?}",
            since.elapsed()
        );
        assert!(a.leadership.ensure_leading().is_err());
        let error = a.end().await.unwrap_err();
        assert!(
            matches!(error, LeaseError::NotRenewed { .. }),
            "{behaviour:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_short_outage_costs_nothing() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    server.behave(Behaviour::Fails);
    let before = server.calls().len();
    server
        .until_calls("two failures", |calls| calls.len() >= before + 2)
        .await;
    server.behave(Behaviour::Answers);
    let before = server.calls().len();
    server
        .until_calls("two more renewals", |calls| calls.len() >= before + 2)
        .await;
    assert!(a.leadership.is_leader());
    a.stop().await;
}

#[tokio::test]
async fn a_renewal_that_arrived_without_an_answer_is_known_as_our_own() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    server.behave(Behaviour::ActsAndHangs);
    let before = server.calls().len();
    server
        .until_calls("a lost answer", |calls| calls.len() > before)
        .await;
    server.behave(Behaviour::Answers);
    let before = puts(&server.calls());
    // The next renewal meets a version of its own making, reads it, and goes on.
    server
        .until_calls("three more renewals", |calls| puts(calls) >= before + 3)
        .await;
    assert!(a.leadership.is_leader());
    a.stop().await;
    assert_eq!(server.holder(), None);
}

#[tokio::test]
async fn a_deleted_lease_is_made_again_and_foreign_labels_are_kept() {
    let server = LeaseServer::start();
    let a = replica(&server, "a");
    a.leads().await;
    server.edit(|lease| *lease = None);
    server
        .until_calls("a second create", |calls| {
            calls.iter().filter(|m| **m == Method::POST).count() == 2
        })
        .await;
    server.edit(|lease| {
        let labels = [("team".to_string(), "edge".to_string())];
        lease.as_mut().unwrap().metadata.labels = Some(labels.into());
    });
    let before = puts(&server.calls());
    server
        .until_calls("two renewals", |calls| puts(calls) >= before + 3)
        .await;
    assert!(a.leadership.is_leader());
    assert!(server.lease().unwrap().metadata.labels.is_some());
    a.stop().await;
}

#[tokio::test]
async fn of_many_candidates_there_is_never_more_than_one_leader() {
    let server = LeaseServer::start();
    let mut replicas: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| replica(&server, name))
        .into();
    while !replicas.is_empty() {
        let any = futures::future::select_all(
            replicas
                .iter()
                .map(|replica| Box::pin(replica.leadership.until_leader())),
        );
        let ((), index, _) = within("a leader", any).await;
        let leaders = replicas
            .iter()
            .filter(|replica| replica.leadership.is_leader());
        assert_eq!(leaders.count(), 1);
        replicas.swap_remove(index).stop().await;
    }
    assert_eq!(server.holder(), None);
}
