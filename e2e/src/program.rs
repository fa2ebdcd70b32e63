//! What the programs of this crate have in common.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

/// Shows the log on standard error: what `RUST_LOG` asks for, or else what `filter` does.
pub fn show_log(filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Carries out a program, and says its error if there is one. Interrupted, everything is dropped, and so
/// ended and removed, like after an error.
pub async fn carry_out(program: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let done = tokio::select! {
        done = program => done,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(anyhow::anyhow!("interrupted")),
            Err(error) => Err(error.into()),
        },
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}
