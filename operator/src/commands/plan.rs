//! `plan`.

use crate::args::PlanArgs;

/// Prints what would be done for manifests.
///
/// # Errors
///
/// Always: planning is not connected yet.
pub async fn plan(_args: PlanArgs) -> anyhow::Result<()> {
    anyhow::bail!("`plan` is not connected yet")
}
