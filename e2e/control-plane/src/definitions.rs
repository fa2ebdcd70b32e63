//! CustomResourceDefinitions read from published Go modules. Nothing of these modules is built.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    cache::{self, progress},
    files::{FileError, create_dir},
    go,
    tools::{Module, ToolError},
};

/// A folder with definitions in a published module.
pub(crate) struct Source {
    pub(crate) module: &'static str,
    pub(crate) folder: &'static str,
    /// Names of files; empty for all that hold a definition.
    pub(crate) files: &'static [&'static str],
}

/// One object of the answer of `go mod download -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    path: String,
    dir: Option<PathBuf>,
}

/// The YAML files of the sources' definitions, one definition each, sorted by name; `what` says what
/// they define. Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub(crate) async fn ensure(
    module: &Module,
    sources: &[Source],
    what: &str,
) -> Result<Vec<PathBuf>, ToolError> {
    let folder = module.folder()?;
    let crds = folder.join("crds");
    if !crds.is_dir() {
        let purpose = format!("downloading the definitions of {what} {}", module.version());
        let _lock = cache::lock(&folder, &purpose).await?;
        if !crds.is_dir() {
            extract(module, sources, &purpose, &crds).await?;
        }
    }
    yaml_files(&crds)
}

async fn extract(
    module: &Module,
    sources: &[Source],
    purpose: &str,
    crds: &Path,
) -> Result<(), ToolError> {
    progress(&format!("{purpose} (once)"));
    let folder = module.folder()?;
    module.write_to(&folder)?;
    let modules = sources.iter().map(|source| source.module);
    let command = ["mod", "download", "-json"].into_iter().chain(modules);
    let answer = go::run(&folder, purpose, command).await?;
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
    for source in sources {
        let module = source.module;
        let directory = downloads
            .iter()
            .find_map(|download| download.dir.as_ref().filter(|_| download.path == module))
            .ok_or_else(|| {
                ToolError::Answer(format!("no folder of {module} in the answer: {answer}"))
            })?;
        copy_definitions(&directory.join(source.folder), source.files, &temporary)?;
    }
    cache::publish(&temporary, crds)?;
    Ok(())
}

/// Copies the definitions among the YAML files of a folder, or those of these names.
fn copy_definitions(source: &Path, names: &[&str], target: &Path) -> Result<(), FileError> {
    for path in yaml_files(source)? {
        let Some(name) = path.file_name() else {
            continue;
        };
        if !names.is_empty() && !names.iter().any(|wanted| name == *wanted) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
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
