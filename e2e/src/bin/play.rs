//! `cargo play`: see [`e2e::play`].

use std::process::ExitCode;

use clap::Parser as _;
use e2e::{
    play::{Arguments, play},
    program::show_log,
};

#[tokio::main]
async fn main() -> ExitCode {
    show_log("warn,kube_client=off");
    play(Arguments::parse()).await
}
