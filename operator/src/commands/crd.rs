//! `crd`.

use std::io::Write;

/// Prints the CustomResourceDefinitions as YAML.
///
/// # Errors
///
/// If they cannot be rendered, or standard output cannot be written.
pub fn crd() -> anyhow::Result<()> {
    std::io::stdout().write_all(crds::generate::yaml()?.as_bytes())?;
    Ok(())
}
