//! `cargo run -p e2e --bin conformance`: see [`e2e::conformance`].

use std::process::ExitCode;

use clap::Parser as _;
use e2e::{
    conformance::{Arguments, run},
    program::{carry_out, show_log},
};

#[tokio::main]
async fn main() -> ExitCode {
    show_log("error,kube_client=off");
    carry_out(run(Arguments::parse())).await
}
