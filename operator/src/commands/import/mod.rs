//! `import`: prints manifests that adopt what was made with kubectl and in the console, and changes
//! nothing.

mod look;
mod render;

use std::process::ExitCode;

use crate::args::{ImportArgs, RunArgs};
use crate::chain::chain;
use crate::commands::plan::{ManifestError, Manifests, Planned, cluster};
use crate::core::import::{Import, import as convert, of_service};

/// All that is there is in the manifests, and applying them changes nothing.
const COMPLETE: u8 = 0;
/// Nothing is printed.
const FAILED: u8 = 1;
/// Something is not in the manifests, or applying them would change something or be refused.
const PARTLY: u8 = 3;

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error("the cluster cannot be read")]
    Cluster(#[source] anyhow::Error),
    #[error("the cloud cannot be read: {0}")]
    Cloud(String),
    #[error("there is no API group with the id or name {group:?} in account {account}, {region}.")]
    NoGroup {
        group: String,
        account: String,
        region: String,
    },
    #[error("several API groups are named {0:?}. Give the id of one.")]
    Ambiguous(String),
    #[error("API group {group:?} is not imported: an operator made it for {owner}.")]
    Owned { group: String, owner: String },
    #[error("nothing is imported: no API of group {0:?} can be adopted as it is")]
    Nothing(String),
    #[error("there is no Service {0}/{1} in the cluster.")]
    NoService(String, String),
    #[error("{0:?} and a Service: only after the word \"service\" a Service is imported.")]
    NotAService(String),
    #[error("Service {0} is not imported: {1}")]
    NotTaken(String, String),
    #[error("the manifests are not ones that the API server would take. This is a defect of the command: please report it. {}", .0.iter().map(|error| chain(error)).collect::<Vec<_>>().join("; "))]
    Manifests(Vec<ManifestError>),
    #[error("the manifests cannot be written")]
    Output(#[source] anyhow::Error),
}

/// Prints manifests; the exit code says how it went.
pub async fn import(args: ImportArgs) -> ExitCode {
    match execute(&args).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            ExitCode::from(FAILED)
        }
    }
}

async fn execute(args: &ImportArgs) -> Result<u8, ImportError> {
    let mut run = RunArgs::default_for(&args.kubeconfig);
    run.cloud_endpoint.clone_from(&args.cloud_endpoint);
    let mut import = match &args.service {
        Some(_) if args.group != "service" => {
            return Err(ImportError::NotAService(args.group.clone()));
        }
        Some(name) => of_service(&look::service(args, run.clone(), name).await?),
        None => convert(&look::look(args, run.clone()).await?.seen(args)),
    };
    for what in &import.left {
        eprintln!("not imported: {what}");
    }
    if import.manifests.is_empty() {
        return Err(ImportError::Nothing(args.group.clone()));
    }
    let changes = check(&mut import, run).await?;
    for change in &changes {
        eprintln!("would change: {change}");
    }
    let text = render::yaml(&import).map_err(|error| ImportError::Output(error.into()))?;
    super::print(&text).map_err(ImportError::Output)?;
    let complete = import.left.is_empty() && changes.is_empty();
    Ok(if complete { COMPLETE } else { PARTLY })
}

/// Plans the manifests, and notes with each binding what would be done. A plan is what tells
/// whether nothing is.
async fn check(import: &mut Import, run: RunArgs) -> Result<Vec<String>, ImportError> {
    let objects = import.manifests.iter();
    let objects = objects.map(|manifest| manifest.object.clone());
    let manifests = Manifests::of(objects.collect()).map_err(ImportError::Manifests)?;
    let plans = cluster::plan(&manifests, run)
        .await
        .map_err(|error| ImportError::Cluster(error.into()))?;
    let mut all = Vec::new();
    for planned in &plans.items {
        let binding = &planned.binding;
        let changes = changes(planned);
        let manifest = import.manifests.iter_mut().find(|manifest| {
            let (kind, metadata) = (&manifest.object["kind"], &manifest.object["metadata"]);
            kind == "GatewayBinding"
                && metadata["namespace"] == binding.namespace.as_str()
                && metadata["name"] == binding.name.as_str()
        });
        if let Some(manifest) = manifest {
            let notes = changes.iter();
            let notes = notes.map(|change| format!("Applied as it stands: {change}"));
            manifest.notes.extend(notes);
        }
        let told = changes.into_iter();
        all.extend(told.map(|change| {
            let (namespace, name) = (&binding.namespace, &binding.name);
            format!("GatewayBinding {namespace}/{name}: {change}")
        }));
    }
    Ok(all)
}

/// What applying a binding would do, and what would stop it.
fn changes(planned: &Planned) -> Vec<String> {
    let steps = planned.steps.iter().map(|step| {
        let paths: Vec<&str> = step
            .changes
            .iter()
            .map(|change| change.path.as_str())
            .collect();
        let action = step.operation.action();
        match paths.as_slice() {
            [] => format!("would {} {}.", action.as_str(), step.key),
            paths => format!(
                "would {} {} ({}).",
                action.as_str(),
                step.key,
                paths.join(", ")
            ),
        }
    });
    let problems = planned
        .problems
        .iter()
        .map(|problem| problem.message.clone());
    steps.chain(problems).collect()
}
