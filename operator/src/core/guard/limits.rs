//! How much may go in one go.

use std::time::Duration;

use crds::v1alpha1::{GatewayBindingClassSpec, MassChangeGuard, MassChangeGuardState};

/// What goes within this time goes in one go.
pub(super) const WINDOW: Duration = Duration::from_secs(600);
/// Deletions come one after the other: nothing goes before nothing more was doomed for this long.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

/// Something goes after so long even if more is doomed all the time.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How much may go in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    enabled: bool,
    /// The most objects.
    pub objects: usize,
    /// The most of all objects, in percent.
    pub percent: usize,
}

impl Limits {
    /// Those of a class.
    pub fn of(class: &GatewayBindingClassSpec) -> Self {
        let guard = class.mass_change_guard.clone().unwrap_or_default();
        Self {
            enabled: guard.state() == MassChangeGuardState::Enabled,
            objects: usize::try_from(guard.max_objects()).unwrap_or_default(),
            percent: usize::try_from(guard.max_percent()).unwrap_or_default(),
        }
    }

    /// Whether so many of so many are too many to go unasked.
    pub fn exceeded(&self, going: usize, total: usize) -> bool {
        let share = going.saturating_mul(100) > self.percent.saturating_mul(total);
        self.enabled
            && (going > self.objects || (share && going > MassChangeGuard::SHARE_COUNTS_ABOVE))
    }
}

impl Default for Limits {
    /// Those of a class that says nothing.
    fn default() -> Self {
        Self::of(&GatewayBindingClassSpec::default())
    }
}
