//! The CustomResourceDefinitions of Knative Serving, read from its published Go modules.
//!
//! Nothing of Knative runs here: with its definitions installed, tests create Knative objects as
//! Knative would.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    cache::{self, progress},
    files::{FileError, create_dir},
    go,
    tools::{KNATIVE, ToolError},
};

/// The modules and, in each, the folder that holds definitions. Serving links to those of
/// networking, but a published module carries no symbolic links, so they come from their own.
const SOURCES: [(&str, &str); 2] = [
    ("knative.dev/serving", "config/core/300-resources"),
    ("knative.dev/networking", "config"),
];

/// One object of the answer of `go mod download -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    path: String,
    dir: Option<PathBuf>,
}

/// The version of Knative Serving whose definitions [`crds`] gives, such as `v0.50.0`.
#[must_use]
pub fn version() -> &'static str {
    KNATIVE.version()
}

/// The YAML files of the definitions of `serving.knative.dev`, `autoscaling.internal.knative.dev`
/// and `networking.internal.knative.dev`, one definition each, sorted by name. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn crds() -> Result<Vec<PathBuf>, ToolError> {
    let folder = KNATIVE.folder()?;
    let crds = folder.join("crds");
    if !crds.is_dir() {
        let _lock = cache::lock(&folder, "downloading the Knative definitions").await?;
        if !crds.is_dir() {
            extract(&folder, &crds).await?;
        }
    }
    yaml_files(&crds)
}

async fn extract(folder: &Path, crds: &Path) -> Result<(), ToolError> {
    let purpose = format!(
        "downloading the definitions of Knative Serving {}",
        version()
    );
    progress(&format!("{purpose} (once)"));
    KNATIVE.write_to(folder)?;
    let modules = SOURCES.map(|(module, _)| module);
    let answer = go::run(
        folder,
        &purpose,
        ["mod", "download", "-json"].into_iter().chain(modules),
    )
    .await?;
    let downloads = serde_json::Deserializer::from_str(&answer)
        .into_iter::<Download>()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ToolError::Answer(error.to_string()))?;

    // Under the lock nobody else writes this name; what a killed run left is thrown away.
    let temporary = folder.join("crds.partial");
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(FileError::at("remove", &temporary))?;
    }
    create_dir(&temporary)?;
    for (module, source) in SOURCES {
        let directory = downloads
            .iter()
            .find_map(|download| download.dir.as_ref().filter(|_| download.path == module))
            .ok_or_else(|| {
                ToolError::Answer(format!("no folder of {module} in the answer: {answer}"))
            })?;
        copy_definitions(&directory.join(source), &temporary)?;
    }
    cache::publish(&temporary, crds)?;
    Ok(())
}

/// Copies the definitions among the YAML files of a folder.
fn copy_definitions(source: &Path, target: &Path) -> Result<(), FileError> {
    for path in yaml_files(source)? {
        let text = fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
        let Some(name) = path.file_name() else {
            continue;
        };
        if text
            .lines()
            .any(|line| line == "kind: CustomResourceDefinition")
        {
            let copy = target.join(name);
            fs::write(&copy, text).map_err(FileError::at("write", &copy))?;
        }
    }
    Ok(())
}

fn yaml_files<E: From<FileError>>(folder: &Path) -> Result<Vec<PathBuf>, E> {
    let read = || {
        let mut files = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, std::io::Error>>()?;
        files.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        });
        files.sort();
        Ok(files)
    };
    Ok(read().map_err(FileError::at("read the folder", folder))?)
}
