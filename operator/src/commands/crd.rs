//! `crd`.

/// Prints the CustomResourceDefinitions as YAML.
///
/// # Errors
///
/// If they cannot be rendered, or standard output cannot be written.
pub fn crd() -> anyhow::Result<()> {
    super::print(&crds::generate::yaml()?)
}
