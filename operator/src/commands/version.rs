//! `version`.

/// Prints name and version.
///
/// # Errors
///
/// If standard output cannot be written.
pub fn version() -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    super::print(&format!("gatewaybinding-operator {version}\n"))
}
