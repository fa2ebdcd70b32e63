//! `cargo play`: see [`e2e::play`].

use std::process::ExitCode;

use clap::Parser as _;
use e2e::play::{Arguments, play};

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    play(Arguments::parse()).await
}
