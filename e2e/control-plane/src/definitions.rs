//! CustomResourceDefinitions and other manifests read from published Go modules.

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

/// Which manifests are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// CustomResourceDefinitions.
    Definitions,
    /// All others.
    Others,
}

impl Wanted {
    fn folder(self) -> &'static str {
        match self {
            Self::Definitions => "crds",
            Self::Others => "manifests",
        }
    }
}

/// A folder with manifests in a published module.
pub(crate) struct Source {
    pub(crate) module: &'static str,
    pub(crate) folder: &'static str,
    /// Names of files; empty for all that hold what is wanted.
    pub(crate) files: &'static [&'static str],
}

/// One object of the answer of `go mod download -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    path: String,
    dir: Option<PathBuf>,
}

/// The YAML files of the sources, in the order of sources and names; `what` says what they are for.
/// Downloads them once.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub(crate) async fn ensure(
    module: &Module,
    wanted: Wanted,
    sources: &[Source],
    what: &str,
) -> Result<Vec<PathBuf>, ToolError> {
    let folder = module.folder()?;
    let files = folder.join(wanted.folder());
    if !files.is_dir() {
        let purpose = format!("downloading the manifests of {what} {}", module.version());
        let _lock = cache::lock(&folder, &purpose).await?;
        if !files.is_dir() {
            extract(module, wanted, sources, &purpose, &files).await?;
        }
    }
    yaml_files(&files)
}

async fn extract(
    module: &Module,
    wanted: Wanted,
    sources: &[Source],
    purpose: &str,
    files: &Path,
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
    let temporary = files.with_extension("partial");
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(FileError::at("remove", &temporary))?;
    }
    create_dir(&temporary)?;
    for (index, source) in sources.iter().enumerate() {
        let module = source.module;
        let directory = downloads
            .iter()
            .find_map(|download| download.dir.as_ref().filter(|_| download.path == module))
            .ok_or_else(|| {
                ToolError::Answer(format!("no folder of {module} in the answer: {answer}"))
            })?;
        let from = directory.join(source.folder);
        copy_manifests(&from, source.files, wanted, &temporary, index)?;
    }
    cache::publish(&temporary, files)?;
    Ok(())
}

/// Copies what is wanted of the YAML files of a folder, or of those of these names. The source's
/// number goes before each name: two folders may have files of one name.
fn copy_manifests(
    source: &Path,
    names: &[&str],
    wanted: Wanted,
    target: &Path,
    index: usize,
) -> Result<(), FileError> {
    for path in yaml_files(source)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(FileError::at("read", &path))?;
        let mut lines = text.lines();
        let defines = lines.any(|line| line == "kind: CustomResourceDefinition");
        if defines == (wanted == Wanted::Definitions) {
            let copy = target.join(format!("{index}-{name}"));
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
