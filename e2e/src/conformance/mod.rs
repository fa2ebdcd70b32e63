//! Knative's public conformance suite for what serves its Ingresses, run against the operator's layer on
//! ALB: a real control plane, Knative Serving, the stand-in of the ALB Ingress controller, emulated load
//! balancers on addresses of their own, and a node that runs the suite's Pods. What came of each case is
//! held against the table in `docs/conformance-alb.md`.

mod cases;
mod certificates;
mod outcome;
mod stage;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use regex::Regex;
use tokio::time::sleep;

use crate::process::{Process, ProcessSpec};
use cases::{Case, Said};
use outcome::Outcome;
use stage::Stage;

const POLL: Duration = Duration::from_millis(500);

/// Runs Knative's public conformance suite for ingresses against the layer on ALB.
#[derive(Clone, Debug, Parser)]
#[command(name = "conformance", version)]
pub struct Arguments {
    /// Only cases whose name fits this regular expression.
    #[arg(long, value_name = "REGEX")]
    run: Option<Regex>,
    /// Also cases that are documented not to pass, which have to fail then. One that is refused fails
    /// after the suite has waited for 10 minutes.
    #[arg(long)]
    all: bool,
    /// Put Kourier into the cluster, for splits that take a hop through it.
    #[arg(long)]
    hop: bool,
    /// How many cases run at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    parallel: u8,
    /// Keep data and logs, the suite's own among them, in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs the cases that the arguments choose; the table of what came of them goes to standard output,
/// progress to standard error. Success is that exactly the cases passed that are documented to.
///
/// # Errors
/// If something cannot be started, or the suite does not run to its end.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is what a command is for"
)]
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut tell = |line: &str| eprintln!("{line}");
    let cases = cases::documented(arguments.hop);
    let fits = |case: &&Case| {
        let named = arguments.run.as_ref();
        named.is_none_or(|regex| regex.is_match(&case.name))
            && (arguments.all || case.said == Said::Passes)
    };
    let (chosen, skipped): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| fits(case));
    anyhow::ensure!(
        !chosen.is_empty(),
        "no case to run: give other words to --run, or --all for those that are documented not to pass"
    );
    tell("building the suite and what it runs in Pods");
    let suite = control_plane::conformance::suite().await?;
    let stage = Stage::set(arguments.hop, arguments.keep.clone(), &mut tell).await?;
    tell(&format!("running {} cases", chosen.len()));
    let cases = (chosen.as_slice(), skipped.as_slice());
    let log = play(&suite, &stage, cases, arguments.parallel, &mut tell).await;
    let ended = stage.stop().await;
    let outcomes = outcome::read(&log?, &chosen);
    println!(
        "{}",
        outcome::table(&outcomes, control_plane::conformance::version())
    );
    ended?;
    let expected = outcomes.iter().all(Outcome::is_expected);
    Ok(if expected {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the suite to its end, whatever that is; all that it printed.
async fn play(
    suite: &Path,
    stage: &Stage,
    (chosen, skipped): (&[&Case], &[&Case]),
    parallel: u8,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<String> {
    let kubeconfig = stage.kubeconfig();
    let skipped: Vec<&str> = skipped.iter().map(|case| case.name.as_str()).collect();
    let arguments = [
        // As it is, not at the end, what came of each case.
        "-test.v=test2json".to_owned(),
        "-test.run=^TestIngressConformance$".to_owned(),
        "-test.timeout=60m".to_owned(),
        format!("-test.parallel={parallel}"),
        format!("-kubeconfig={}", kubeconfig.display()),
        format!("-ingressClass={}", stage::INGRESS_CLASS),
        format!("-dockerrepo={}", stage::REPOSITORY),
        "-enable-beta".to_owned(),
        "-enable-alpha".to_owned(),
        format!("-skip-tests={}", skipped.join(",")),
    ];
    let spec = ProcessSpec {
        name: "suite".to_owned(),
        program: suite.to_owned(),
        args: arguments.into_iter().map(Into::into).collect(),
        // Where this machine's requests to the internet go by a proxy, those of the suite must not.
        env: vec![("NO_PROXY".to_owned(), "*".to_owned())],
    };
    let mut process = Process::spawn(&spec, stage.folder())?;
    let log = process.log().to_owned();
    let read = || {
        let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        // With this it marks the lines that are not a test's own.
        anyhow::Ok(text.replace('\u{16}', ""))
    };
    let mut told = 0;
    loop {
        let ended = process.try_wait()?.is_some();
        let text = read()?;
        let ends = text.lines().filter_map(outcome::end);
        let ends = ends.filter(|(_, name, _)| chosen.iter().any(|case| case.name == *name));
        for (result, name, seconds) in ends.clone().skip(told) {
            tell(&format!("{result} {name} {seconds} s"));
        }
        told = ends.count();
        if ended {
            return Ok(text);
        }
        sleep(POLL).await;
    }
}
