//! Waiting for a control plane to serve.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::{components::Component, files::tail};

const POLL: Duration = Duration::from_millis(20);
/// How long one probe may take.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const TAIL_LINES: usize = 20;

/// Why the control plane does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ReadinessError {
    /// A process ended by itself.
    #[error("{process} ended ({status}); the last lines of {log}:\n{tail}")]
    Ended {
        /// The name of the program.
        process: &'static str,
        /// How it ended.
        status: String,
        /// Its log.
        log: String,
        /// The end of its log.
        tail: String,
    },
    /// Time is up.
    #[error("{process} was not ready within {seconds} s: {missing}; the last lines of {log}:\n{tail}", seconds = waited.as_secs())]
    TimedOut {
        /// The name of the program.
        process: &'static str,
        /// The time waited.
        waited: Duration,
        /// What was still missing.
        missing: String,
        /// Its log.
        log: String,
        /// The end of its log.
        tail: String,
    },
}

/// A point in time and how long before it the waiting began.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }
}

/// Waits until etcd listens: before that, the API server's first dial fails, and the second one
/// comes only a second later.
pub(crate) async fn etcd(
    etcd: &mut Component,
    socket: &Path,
    deadline: Deadline,
) -> Result<(), ReadinessError> {
    loop {
        if tokio::net::UnixStream::connect(socket).await.is_ok() {
            return Ok(());
        }
        still_waiting(etcd, deadline, || {
            format!("nothing listens on {}", socket.display())
        })?;
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until the API server says it is ready and the namespace `default` exists.
pub(crate) async fn apiserver(
    apiserver: &mut Component,
    client: &Client,
    deadline: Deadline,
) -> Result<(), ReadinessError> {
    loop {
        let answer = tokio::time::timeout(PROBE_LIMIT, probe(client)).await;
        let Err(missing) =
            answer.unwrap_or_else(|_| Err("it accepts a request but does not answer".to_owned()))
        else {
            return Ok(());
        };
        still_waiting(apiserver, deadline, || missing)?;
        tokio::time::sleep(POLL).await;
    }
}

/// What is missing, in words.
async fn probe(client: &Client) -> Result<(), String> {
    let request = http_get("/readyz?verbose")?;
    client
        .request_text(request)
        .await
        .map_err(|error| format!("/readyz says {error}"))?;
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces
        .get("default")
        .await
        .map_err(|error| format!("the namespace default: {error}"))?;
    Ok(())
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>, String> {
    http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| error.to_string())
}

fn still_waiting(
    component: &mut Component,
    deadline: Deadline,
    missing: impl FnOnce() -> String,
) -> Result<(), ReadinessError> {
    let ended = match component.exit_status() {
        Ok(None) => None,
        Ok(Some(status)) => Some(status.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let process = component.tool().name();
    let log = component.log().display().to_string();
    if let Some(status) = ended {
        return Err(ReadinessError::Ended {
            process,
            status,
            log,
            tail: tail(component.log(), TAIL_LINES),
        });
    }
    if deadline.start.elapsed() > deadline.limit {
        let tail = tail(component.log(), TAIL_LINES);
        return Err(ReadinessError::TimedOut {
            process,
            waited: deadline.limit,
            missing: missing(),
            log,
            tail,
        });
    }
    Ok(())
}
