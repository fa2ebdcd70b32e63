//! Whether the cloud controller manager has looked at a Service since we wrote to it. The API server's
//! times are whole seconds, in which it may have done much; what this process saw is exact.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

use super::service::handled;

/// By namespace and name of a Service: its UID, and what the cloud controller manager had dealt with
/// when we wrote to it last.
#[derive(Debug, Default)]
pub struct Handled(Mutex<HashMap<(String, String), Seen>>);

#[derive(Clone, Debug)]
struct Seen {
    uid: Option<String>,
    handled: Option<String>,
}

impl Handled {
    /// We wrote to a Service; this is what came back.
    pub fn wrote(&self, service: &Service) {
        let seen = Seen {
            uid: service.uid(),
            handled: handled(service).cloned(),
        };
        self.lock().insert(place(service), seen);
    }

    /// Whether it has dealt with something since. Not known of a Service that this process has not
    /// written to.
    pub fn has_moved(&self, service: &Service) -> bool {
        let seen = self.lock().get(&place(service)).cloned();
        seen.is_some_and(|seen| {
            seen.uid == service.uid() && seen.handled.as_ref() != handled(service)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(service: &Service) -> (String, String) {
    (service.namespace().unwrap_or_default(), service.name_any())
}
