//! The commands, one file each: they fetch, and have `render` print.

mod approve;
mod bundle;
mod complete;
mod explain;
mod mode;
mod orphans;
mod plan;
mod reconcile;
mod status;
mod tree;
mod version;

use std::io::{ErrorKind, Write};

use crate::args::{Cli, Command};
use crate::cluster::Cluster;
use crate::error::PluginError;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// With `--exit-code`: something was found.
    Found,
}

/// Carries out a command line.
pub(crate) async fn execute(cli: Cli) -> Result<Outcome, PluginError> {
    let connection = &cli.connection;
    let connect = || Cluster::connect(connection);
    match cli.command {
        Command::Status {
            selection,
            format,
            check,
        } => return status::status(&connect().await?, &selection, format, check).await,
        Command::Plan {
            name,
            format,
            check,
        } => return plan::plan(&connect().await?, name, format, check).await,
        Command::Orphans {
            class,
            format,
            check,
        } => return orphans::orphans(&connect().await?, class, format, check).await,
        Command::Tree { name, format } => tree::tree(&connect().await?, name, format).await?,
        Command::Explain { what, format } => match explain::asked(what) {
            explain::Asked::Words(word) => explain::words(word.as_deref(), format)?,
            explain::Asked::Object(object) => {
                explain::object(&connect().await?, &object?, format).await?;
            }
        },
        Command::Approve { name, hash } => approve::approve(&connect().await?, name, &hash).await?,
        Command::Reconcile { objects } => reconcile::reconcile(&connect().await?, &objects).await?,
        Command::Suspend { names } => mode::suspend(&connect().await?, names).await?,
        Command::Resume { names } => mode::resume(&connect().await?, names).await?,
        Command::Bundle(args) => bundle::bundle(connection, &args).await?,
        Command::Completion { shell } => complete::script(shell)?,
        Command::Version { client } => version::version(connection, client).await?,
        Command::Complete { words } => complete::complete(connection, &words).await?,
    }
    Ok(Outcome::Done)
}

/// Writes to standard output. A reader that has seen enough, like `head`, is not an error.
fn print(text: &str) -> Result<(), PluginError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Something was found, if that matters.
fn outcome(found: bool, check: crate::args::Check) -> Outcome {
    if found && check.exit_code {
        Outcome::Found
    } else {
        Outcome::Done
    }
}
