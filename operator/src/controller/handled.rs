//! Whether the cloud controller manager has dealt with what we wrote to a Service last. The API server's
//! times are whole seconds, in which it may have done much; what this process saw is exact.
//!
//! It says so by a label with a digest of what it looked at. A pass that it began before our write moves
//! the label as well, so a move is an answer to us only if the label spoke of everything before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

use super::service::{handled, is_up_to_date};

/// Time after which a pass that was begun before our write is over.
const PASS: Duration = Duration::from_secs(20);

/// What this process wrote to Services last, by namespace and name.
#[derive(Debug, Default)]
pub struct Handled(Mutex<HashMap<(String, String), Written>>);

/// A write, and what came after it.
#[derive(Clone, Debug)]
struct Written {
    uid: Option<String>,
    at: Instant,
    /// The label as it was seen last.
    label: Option<String>,
    /// How often it was seen to move since.
    moves: usize,
    /// Whether a pass that does not know of the write may have been under way.
    overtook: bool,
}

impl Written {
    fn look(&mut self, service: &Service) {
        let label = handled(service);
        if self.label.as_ref() != label {
            self.label = label.cloned();
            self.moves += 1;
        }
    }

    fn is_answered(&self, now: Instant) -> bool {
        match self.moves {
            0 => false,
            1 => !self.overtook || now.duration_since(self.at) > PASS,
            _ => true,
        }
    }
}

impl Handled {
    /// We wrote to a Service; this is what came back.
    pub fn wrote(&self, service: &Service) {
        self.wrote_at(service, Instant::now());
    }

    /// Whether what was written last is dealt with; none of a Service that this process has not written to.
    pub fn is_answered(&self, service: &Service) -> Option<bool> {
        self.is_answered_at(service, Instant::now())
    }

    fn wrote_at(&self, service: &Service, now: Instant) {
        let before = self.is_answered_at(service, now);
        let written = Written {
            uid: service.uid(),
            at: now,
            label: handled(service).cloned(),
            moves: 0,
            overtook: before == Some(false) || !is_up_to_date(service),
        };
        self.lock().insert(place(service), written);
    }

    fn is_answered_at(&self, service: &Service, now: Instant) -> Option<bool> {
        let mut all = self.lock();
        let written = all.get_mut(&place(service))?;
        if written.uid != service.uid() {
            return None;
        }
        written.look(service);
        Some(written.is_answered(now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Written>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(service: &Service) -> (String, String) {
    (service.namespace().unwrap_or_default(), service.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::service::HASH;

    const OURS: &str = crds::keys::FIELD_MANAGER;

    fn entry(manager: &str, second: u8, label: bool) -> Value {
        let label = label.then(|| json!({format!("f:{HASH}"): {}}));
        json!({
            "manager": manager, "operation": "Update", "time": format!("2026-01-01T00:00:{second:02}Z"),
            "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": label.unwrap_or_default()}},
        })
    }

    fn service(label: Option<&str>, entries: &[Value]) -> Service {
        let labels = label.map(|label| json!({HASH: label}));
        let metadata = json!({
            "name": "g", "namespace": "n", "uid": "u",
            "labels": labels.unwrap_or(json!({})), "managedFields": entries,
        });
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    /// A Service of ours of which the cloud controller manager said `label` last.
    fn ours(label: Option<&str>) -> Service {
        service(label, &[entry(OURS, 1, false), entry("ccm", 2, true)])
    }

    #[test]
    fn the_first_move_is_the_answer_if_everything_before_was_answered() {
        let (handled, now) = (Handled::default(), Instant::now());
        assert_eq!(handled.is_answered(&ours(Some("a"))), None, "never written");
        handled.wrote_at(&service(None, &[entry(OURS, 1, false)]), now);
        assert_eq!(handled.is_answered_at(&ours(None), now), Some(false));
        assert_eq!(handled.is_answered_at(&ours(Some("a")), now), Some(true));
        handled.wrote_at(&ours(Some("a")), now);
        assert_eq!(handled.is_answered_at(&ours(Some("a")), now), Some(false));
        assert_eq!(handled.is_answered_at(&ours(Some("b")), now), Some(true));
    }

    #[test]
    fn a_move_may_be_of_what_was_written_before() {
        let (handled, now) = (Handled::default(), Instant::now());
        handled.wrote_at(&ours(Some("a")), now);
        handled.wrote_at(&ours(Some("a")), now);
        assert_eq!(handled.is_answered_at(&ours(Some("b")), now), Some(false));
        assert_eq!(handled.is_answered_at(&ours(Some("c")), now), Some(true));
    }

    #[test]
    fn one_move_is_enough_once_every_pass_begun_before_is_over() {
        let (handled, now) = (Handled::default(), Instant::now());
        handled.wrote_at(&ours(Some("a")), now);
        handled.wrote_at(&ours(Some("a")), now);
        let later = now + PASS + Duration::from_secs(1);
        assert_eq!(handled.is_answered_at(&ours(Some("a")), later), Some(false));
        assert_eq!(handled.is_answered_at(&ours(Some("b")), later), Some(true));
    }

    #[test]
    fn what_others_wrote_since_may_be_what_a_move_is_about() {
        let now = Instant::now();
        let of_others = entry("kubectl", 2, false);
        let mut on_status = entry("ccm-of-old", 3, false);
        on_status["subresource"] = json!("status");
        for (label, entries, answered) in [
            (
                Some("a"),
                vec![entry("ccm", 2, true), of_others.clone()],
                false,
            ),
            (
                Some("a"),
                vec![entry("ccm", 3, true), of_others.clone()],
                true,
            ),
            (
                Some("a"),
                vec![entry("ccm", 3, true), of_others.clone(), on_status],
                true,
            ),
            (None, vec![of_others], false),
        ] {
            let handled = Handled::default();
            handled.wrote_at(&service(label, &entries), now);
            let moved = handled.is_answered_at(&service(Some("b"), &entries), now);
            assert_eq!(moved, Some(answered), "{label:?} {entries:?}");
        }
    }

    #[test]
    fn a_service_made_anew_was_not_written_to() {
        let handled = Handled::default();
        handled.wrote(&ours(Some("a")));
        let mut anew = ours(Some("b"));
        anew.metadata.uid = Some("v".to_owned());
        assert_eq!(handled.is_answered(&anew), None);
    }
}
