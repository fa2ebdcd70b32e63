//! Errors of cloud and cluster as problems of the object that met them.

use std::time::Duration;

use cloud_adapter::error::{CloudError, ErrorClass};
use crds::v1alpha1::Reason;

use crate::core::problem::Problem;

/// A [`Problem`] that an error brought, and how long the cloud asks to wait.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// For status.
    pub problem: Problem,
    /// How long to wait at least.
    pub retry_after: Option<Duration>,
    /// Whether nothing was tried at all, since the account does not answer for the moment.
    pub paused: bool,
}

impl Trouble {
    /// How long the account is given a rest, if that is all that is in the way.
    pub fn pause(&self) -> Option<Duration> {
        self.retry_after.filter(|_| self.paused)
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            retry_after: None,
            paused: false,
        }
    }
}

impl From<CloudError> for Trouble {
    fn from(error: CloudError) -> Self {
        Self {
            retry_after: error.retry_after,
            problem: problem(&error),
            paused: false,
        }
    }
}

/// What a cloud error means for a binding. The request id stays out: it changes with every call.
fn problem(error: &CloudError) -> Problem {
    let words = error.to_string();
    let message = |advice: &str| format!("{}. {advice}", words.trim_end_matches('.'));
    match error.class {
        ErrorClass::Credentials => Problem::retry(
            Reason::CredentialsInvalid,
            message("Check cloud.credentials of the class."),
        ),
        ErrorClass::Forbidden => Problem::retry(
            Reason::PermissionDenied,
            message(
                "Grant the permission to the operator's RAM identity; `gatewaybinding-operator ram-policy` prints all that it needs.",
            ),
        ),
        ErrorClass::Account => Problem::retry(
            Reason::CloudRejected,
            message("Activate the product, or settle the account, in the console."),
        ),
        ErrorClass::Quota => Problem::retry(
            Reason::QuotaExceeded,
            message("Raise the quota, or delete what is not needed."),
        ),
        ErrorClass::Invalid => Problem::blocked(
            Reason::CloudRejected,
            message("Change the binding or the class accordingly."),
        ),
        ErrorClass::Throttled => Problem::retry(
            Reason::CloudThrottled,
            message("It is tried again by itself."),
        ),
        ErrorClass::Unavailable => Problem::retry(
            Reason::CloudUnreachable,
            message(
                "It is tried again by itself. If it lasts, check the network and cloud.endpoints of the class.",
            ),
        ),
        ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::Busy
        | ErrorClass::InUse
        | ErrorClass::Unknown => Problem::retry(
            Reason::CloudRejected,
            message("It is looked at and tried again by itself."),
        ),
    }
}

/// How the API server answered where the operator may lack a permission.
pub struct Refusal {
    /// [`Reason::PermissionDenied`] if that is it.
    pub reason: Reason,
    /// Its words and, then, how the permission is given.
    pub message: String,
}

/// The reason and message of an error on an object that has to be let in by `chart`: what to add to
/// which value of the operator's chart.
pub fn refusal(error: &kube::Error, chart: &str) -> Refusal {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => Refusal {
            reason: Reason::PermissionDenied,
            message: format!(
                "{}. Give the permission to the operator's ServiceAccount: with its chart, add {chart}.",
                status.message.trim_end_matches('.')
            ),
        },
        error => Refusal {
            reason: Reason::InternalError,
            message: kube_message(error),
        },
    }
}

/// A Kubernetes error in one line.
pub fn kube_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
