//! `gatewaybinding-operator`: see `--help`.

use std::process::ExitCode;

use clap::Parser;
use gatewaybinding_operator::args::{Cli, Command};
use gatewaybinding_operator::chain::chain;
use gatewaybinding_operator::commands;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Not clap's own code for wrong flags: to `plan`, 2 means that there are changes.
            let failed = told.use_stderr();
            let _ = told.print();
            return if failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    // Both HTTP clients use this one provider; a second install in one process is harmless.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match execute(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => block_on(commands::run(*args))??,
        Command::Plan(args) => return block_on(commands::plan(args)),
        Command::Import(args) => return block_on(commands::import(args)),
        Command::RamPolicy(args) => commands::ram_policy(&args)?,
        Command::Crd => commands::crd()?,
        Command::Version => commands::version()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(command: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(command);
    // Whatever was aborted or left behind must not hold up the exit.
    runtime.shutdown_background();
    Ok(result)
}
