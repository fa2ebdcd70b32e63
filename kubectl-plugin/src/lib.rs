//! The kubectl plugin `kubectl gatewaybinding`: where bindings, consumers and classes stand, and why.
//!
//! `commands` fetch; `render` makes text and JSON of what was fetched, and knows no cluster.

mod args;
mod bundle;
mod cluster;
mod commands;
mod error;
mod knowledge;
mod object;
mod reference;
mod render;
#[cfg(test)]
mod testing;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::commands::Outcome;

/// Carries out a command line, prints what comes of it, and returns the exit code that `--help`
/// documents.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(told) => {
            // Not clap's own code for wrong flags: 2 means that something is found.
            let failed = told.use_stderr();
            let _ = told.print();
            return ExitCode::from(u8::from(failed));
        }
    };
    // A second install in one process is harmless.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::execute(cli)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {:#}", anyhow::Error::new(error));
            ExitCode::FAILURE
        }
    }
}
