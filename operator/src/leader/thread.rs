//! The elector on an OS thread of its own, with its own runtime and its own connections. Thousands of
//! objects that are looked at after a start keep the workers of the process busy for seconds, and what
//! is renewed by them would be renewed too late.

use std::io;
use std::thread;

use kube::Client;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Elector, Leadership, LeaseConfig, LeaseConfigError, LeaseError, elector};

/// Why the elector could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LeaseStartError {
    /// The system gave no thread or no event queue.
    #[error("cannot start the thread that renews the lease")]
    Thread(#[from] io::Error),
    /// There is no client of the cluster.
    #[error("cannot build a client that renews the lease")]
    Client(#[from] kube::Error),
    /// See [`LeaseConfigError`].
    #[error(transparent)]
    Config(#[from] LeaseConfigError),
    /// It ended before it began.
    #[error("the thread that renews the lease ended at once")]
    Ended,
}

/// An elector with the client that `connect` makes, until `shutdown`. Returns the handle that tells
/// whether it leads, and what runs it: nothing is read or written before that is first polled, and it
/// ends as [`Elector::run`] does.
///
/// # Errors
///
/// [`LeaseStartError`].
pub async fn spawn(
    connect: impl FnOnce() -> kube::Result<Client> + Send + 'static,
    config: LeaseConfig,
    shutdown: CancellationToken,
) -> Result<(Leadership, impl Future<Output = Result<(), LeaseError>>), LeaseStartError> {
    let (begun, beginning) = oneshot::channel();
    let (go, start) = oneshot::channel();
    let (over, end) = oneshot::channel();
    let lease = config.lease();
    let run = move || match prepare(connect, config) {
        Err(error) => drop(begun.send(Err(error))),
        Ok((runtime, elector, leadership)) => {
            let _ = begun.send(Ok(leadership));
            // An error means that whoever asked for it is gone.
            if runtime.block_on(start).is_ok() {
                let _ = over.send(runtime.block_on(elector.run(shutdown)));
            }
        }
    };
    thread::Builder::new().name("lease".to_owned()).spawn(run)?;
    let leadership = beginning.await.map_err(|_| LeaseStartError::Ended)??;
    let running = async move {
        let _ = go.send(());
        end.await.unwrap_or(Err(LeaseError::Panicked { lease }))
    };
    Ok((leadership, running))
}

fn prepare(
    connect: impl FnOnce() -> kube::Result<Client>,
    config: LeaseConfig,
) -> Result<(Runtime, Elector, Leadership), LeaseStartError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let client = {
        let _inside = runtime.enter();
        connect()?
    };
    let (elector, leadership) = elector(client, config)?;
    Ok((runtime, elector, leadership))
}
