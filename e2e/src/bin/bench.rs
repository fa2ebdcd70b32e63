//! `cargo run --release -p e2e --bin bench`: see [`e2e::bench`].

use std::process::ExitCode;

use clap::Parser as _;
use e2e::{
    bench::{Arguments, run},
    program::{carry_out, show_log},
};

#[tokio::main]
async fn main() -> ExitCode {
    show_log("warn,kube_client=off");
    let arguments = Arguments::parse();
    carry_out(async { run(arguments).await.map(|()| ExitCode::SUCCESS) }).await
}
