//! `plan`: prints what would be done for manifests, and does nothing.

mod assumed;
pub(super) mod cluster;
mod explain;
pub(super) mod given;
mod json;
mod keyed;
pub(super) mod manifests;
mod offline;
mod planned;
mod read;
mod schema;
mod shown;
mod text;
mod world;

use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use jiff::Timestamp;

pub(super) use self::manifests::Manifests;
pub(super) use self::planned::Planned;
pub(super) use self::read::ManifestError;
use self::shown::Shown;
use crate::args::{PlanArgs, PlanFormat, RunArgs};
use crate::chain::chain;

/// All bindings are planned; with `--detailed-exitcode`, and nothing is to be done.
const PLANNED: u8 = 0;
/// Nothing is planned: bad usage, or manifests that the API server would refuse.
const UNUSABLE: u8 = 1;
/// With `--detailed-exitcode`: something is to be done.
const CHANGES: u8 = 2;
/// At least one binding cannot be what it says until somebody acts.
const STOPPED: u8 = 3;

/// Why nothing is planned.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum PlanError {
    #[error("nothing is planned: {} in the files", count(.0.len()))]
    Manifests(Vec<ManifestError>),
    #[error("there is no GatewayBinding in the files. Name a file that has one with -f.")]
    NoBinding,
    #[error(
        "the cluster cannot be read. Leave --kubeconfig out to plan as if nothing existed yet."
    )]
    Cluster(#[source] anyhow::Error),
    #[error("the plan cannot be written")]
    Output(#[source] anyhow::Error),
}

fn count(errors: usize) -> String {
    match errors {
        1 => "1 error".to_owned(),
        several => format!("{several} errors"),
    }
}

/// Prints what would be done for manifests; the exit code says how it went.
pub async fn plan(args: PlanArgs) -> ExitCode {
    match execute(&args).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if let PlanError::Manifests(errors) = &error {
                for error in errors {
                    eprintln!("error: {}", chain(error));
                }
            }
            eprintln!("error: {}", chain(&error));
            ExitCode::from(UNUSABLE)
        }
    }
}

async fn execute(args: &PlanArgs) -> Result<u8, PlanError> {
    let manifests = manifests::load(&args.files).map_err(PlanError::Manifests)?;
    for note in &manifests.notes {
        eprintln!("note: {note}");
    }
    if manifests.bindings.is_empty() {
        return Err(PlanError::NoBinding);
    }
    let plans = match &args.kubeconfig {
        Some(kubeconfig) => {
            let mut run = RunArgs::default_for(kubeconfig);
            run.cloud_endpoint.clone_from(&args.cloud_endpoint);
            cluster::plan(&manifests, run).await?
        }
        None => offline::plan(&manifests, Timestamp::now()),
    };
    let text = match args.output {
        PlanFormat::Text => {
            let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
            text::render(&Shown::of(&plans), colour)
        }
        PlanFormat::Json => {
            json::render(&plans).map_err(|error| PlanError::Output(error.into()))?
        }
    };
    super::print(&text).map_err(PlanError::Output)?;
    Ok(if plans.is_stopped() {
        STOPPED
    } else if args.detailed_exitcode && plans.has_changes() {
        CHANGES
    } else {
        PLANNED
    })
}
