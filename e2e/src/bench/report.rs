//! What was measured, as JSON.

use serde::Serialize;

use super::{
    audit::{self, Requests},
    calls::{Calls, total},
};

/// A whole run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    /// Where it ran.
    pub machine: Machine,
    /// Calls per second and action that the cloud allowed.
    pub quota: u32,
    /// Calls per second and operation that the class allowed.
    pub call_budget: u32,
    /// One for each size.
    pub sizes: Vec<Size>,
}

/// Where a run took place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// How the programs were built.
    pub profile: &'static str,
    /// The average load of a minute before the run: above zero, others worked too.
    pub load_before: String,
}

impl Machine {
    pub(super) fn this() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            profile: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// All about one number of bindings.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Size {
    pub bindings: usize,
    pub namespaces: usize,
    pub groups: usize,
    pub consumers: usize,
    pub fill: Fill,
    pub cold_start: ColdStart,
    pub sweep: Sweep,
    pub edits: Vec<Edit>,
    /// CPU time of the emulator over the whole run: where it nears the time that passed, the
    /// emulator was measured and not the operator.
    pub emulator_cpu_seconds: f64,
}

/// What something cost.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    pub calls: Calls,
    /// Requests to the API server by verb and resource.
    pub requests: Requests,
    pub cpu_seconds: f64,
    /// The most memory since the start of the process.
    pub peak_mib: f64,
}

impl Cost {
    pub(super) fn mutating(&self) -> u64 {
        total(&self.calls.mutating)
    }

    pub(super) fn lists(&self) -> u64 {
        total(&self.calls.lists)
    }

    pub(super) fn details(&self) -> u64 {
        total(&self.calls.details)
    }

    pub(super) fn throttled(&self) -> u64 {
        total(&self.calls.throttled)
    }

    /// All requests but those about the Lease.
    pub(super) fn requests(&self) -> u64 {
        let counted = self.requests.iter();
        counted
            .filter(|(key, _)| !audit::is_lease(key))
            .map(|(_, n)| n)
            .sum()
    }

    /// Writes but those of the Lease.
    pub(super) fn writes(&self) -> u64 {
        let counted = self.requests.iter();
        counted
            .filter(|(key, _)| audit::is_write(key))
            .map(|(_, n)| n)
            .sum()
    }
}

/// From nothing to all Ready.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fill {
    /// From the first apply to the last.
    pub apply_seconds: f64,
    /// From the first apply until all are Ready.
    pub ready_seconds: f64,
    /// Passes over bindings.
    pub passes: u64,
    #[serde(flatten)]
    pub cost: Cost,
}

/// From the start of a process to all known good.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColdStart {
    pub known_good_seconds: f64,
    /// Passes over bindings.
    pub passes: u64,
    #[serde(flatten)]
    pub cost: Cost,
}

/// One sweep that finds nothing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sweep {
    pub interval_seconds: f64,
    /// From its first list of APIs to its last pass.
    pub seconds: f64,
    /// Passes over bindings.
    pub passes: u64,
    #[serde(flatten)]
    pub cost: Cost,
}

/// One edit during a sweep.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edit {
    /// From the edit to the first call that changes something.
    pub seconds: f64,
    /// Passes of the sweep that were over when the edit was made.
    pub passes_before: u64,
}
