//! Python with the vendor's own SDKs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// The Python of a virtual environment with these requirements, made once for each set of them.
///
/// # Errors
/// If Python or a package cannot be had.
pub(crate) fn environment(requirements: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read(requirements).context("reading requirements.txt")?;
    let version = run(Command::new("python3").arg("--version"))
        .context("the SDK test needs Python 3: install the Debian package python3")?;
    let key: String = hex::encode(
        Sha256::new()
            .chain_update(&wanted)
            .chain_update(&version.stdout)
            .finalize(),
    )
    .chars()
    .take(16)
    .collect();
    let root = cache_root()?;
    let home = root.join(format!("python-sdk-{key}"));
    let python = home.join("bin/python");
    std::fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
    // A virtual environment knows its own path, so it is made in place, under a lock, and marked
    // complete last.
    let lock = std::fs::File::create(root.join(format!("python-sdk-{key}.lock")))?;
    lock.lock()
        .context("waiting for another test that prepares the SDKs")?;
    if home.join("complete").exists() {
        return Ok(python);
    }
    prepare(&home, &python, requirements)?;
    Ok(python)
}

fn prepare(home: &Path, python: &Path, requirements: &Path) -> Result<()> {
    if home.exists() {
        std::fs::remove_dir_all(home)
            .with_context(|| format!("removing the unfinished {}", home.display()))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(home))
        .context("making a virtual environment: install the Debian package python3-venv")?;
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ];
    run(Command::new(python).args(install).arg(requirements))
        .context("installing the vendor's SDKs from the package index")?;
    std::fs::write(home.join("complete"), "").context("marking the environment complete")
}

/// Where downloads are kept between runs.
fn cache_root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(root) = set("GATEWAYBINDING_CACHE") {
        return Ok(root);
    }
    if let Some(root) = set("XDG_CACHE_HOME") {
        return Ok(root.join("gatewaybinding"));
    }
    let home =
        set("HOME").context("none of GATEWAYBINDING_CACHE, XDG_CACHE_HOME and HOME is set")?;
    Ok(home.join(".cache/gatewaybinding"))
}

/// Runs a command to its end; failing is an error with all it said.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        bail!(
            "{command:?} ended with {}\n{said}{complained}",
            output.status
        );
    }
    Ok(output)
}
