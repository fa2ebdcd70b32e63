//! PromQL over scrapes, evaluated by the engine of Prometheus itself.

use std::{collections::BTreeMap, process::Stdio};

use control_plane::{Tool, ToolError, tools};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// Why expressions were not evaluated.
#[derive(Debug, thiserror::Error)]
pub enum PromqlError {
    /// There is no engine.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// It could not be run.
    #[error("cannot run promql: {0}")]
    Io(#[from] std::io::Error),
    /// It did not understand the request, or a scrape.
    #[error("promql ended with {status}: {output}")]
    Failed {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
    /// Request or answer is no JSON.
    #[error("request or answer of promql: {0}")]
    Json(#[from] serde_json::Error),
}

/// What is asked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Request {
    /// Scrapes, oldest first.
    pub scrapes: Vec<Scrape>,
    /// When expressions are evaluated, in seconds since the epoch.
    pub at: i64,
    /// The expressions.
    pub expressions: Vec<String>,
    /// Content of a rule file to check; may be empty.
    pub rules: String,
}

/// What a target answered.
#[derive(Clone, Debug, Serialize)]
pub struct Scrape {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// Labels of the target.
    pub labels: BTreeMap<String, String>,
    /// The answer, as OpenMetrics.
    pub text: String,
}

/// What came out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// Of each expression, in their order.
    pub evaluated: Vec<Evaluated>,
    /// What is wrong with the rules.
    pub rule_errors: Vec<String>,
}

/// What one expression gives.
#[derive(Clone, Debug, Deserialize)]
pub struct Evaluated {
    /// Why it could not be evaluated.
    #[serde(default)]
    pub error: String,
    /// Its samples.
    pub samples: Option<Vec<Sample>>,
    /// If it compares something with a number: the samples of that something.
    pub compared: Option<Vec<Sample>>,
}

/// One sample.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// Its labels; none if it is a plain number.
    pub labels: Option<BTreeMap<String, String>>,
    /// Its value; `NaN` and `+Inf` may be one.
    pub value: String,
}

/// Evaluates everything.
///
/// # Errors
/// If the engine cannot be built or run, or a scrape is not understood. An expression that is wrong
/// says so itself.
pub async fn evaluate(request: &Request) -> Result<Evaluation, PromqlError> {
    let program = tools::ensure(Tool::Promql).await?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads the whole request before it answers. One that ends early says why itself.
        let _ = stdin.write_all(&serde_json::to_vec(request)?).await;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(PromqlError::Failed {
            status: output.status,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
