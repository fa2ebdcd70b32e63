//! `version`.

use std::io::Write;

/// Prints name and version.
///
/// # Errors
///
/// If standard output cannot be written.
pub fn version() -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(std::io::stdout(), "gatewaybinding-operator {version}")?;
    Ok(())
}
