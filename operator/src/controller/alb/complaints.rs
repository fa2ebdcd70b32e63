//! What the ALB Ingress controller complains of, by Ingress: from one watch of its warnings, so that no
//! Ingress that waits is asked about one by one. Events are best effort: where they may not be read,
//! nothing is known.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, reflector::ObjectRef};
use kube::{Api, Client, ResourceExt};

use k8s_openapi::api::networking::v1::Ingress;

/// Which Events are watched. The success of a pass shows in the label of an Ingress.
const WARNINGS: &str = "type=Warning,involvedObject.kind=Ingress";
/// Of the ALB Ingress controller.
const REASONS: [&str; 2] = ["FailedBuildModel", "FailedApplyModel"];
/// Ingresses whose complaints are known at once. Beyond it new ones are not told.
const MOST: usize = 20_000;

/// The newest complaint about each Ingress.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<HashMap<String, Complaint>>);

#[derive(Clone, Debug)]
struct Complaint {
    /// Name of the Event, which is written again when it happens again.
    event: String,
    at: Option<Timestamp>,
    words: String,
}

impl Complaints {
    /// The newest complaint about the Ingress with this UID that is not older than `since`.
    pub fn since(&self, uid: &str, since: Option<Timestamp>) -> Option<String> {
        let all = self.lock();
        let complaint = all.get(uid).filter(|complaint| complaint.at >= since)?;
        Some(complaint.words.clone())
    }

    /// The controller has dealt with an Ingress since, or it is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Notes an Event, and tells whether it is news.
    fn note(&self, event: &Event) -> bool {
        let (Some(uid), Some(complaint)) = (&event.involved_object.uid, Complaint::of(event))
        else {
            return false;
        };
        let mut all = self.lock();
        let is_new = match all.get(uid) {
            Some(known) => known.at <= complaint.at,
            None => all.len() < MOST,
        };
        if is_new {
            all.insert(uid.clone(), complaint);
        }
        is_new
    }

    /// The API server keeps Events for an hour.
    fn expired(&self, event: &Event) {
        let mut all = self.lock();
        if let Some(uid) = &event.involved_object.uid
            && all
                .get(uid)
                .is_some_and(|known| known.event == event.name_any())
        {
            all.remove(uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Complaint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Complaint {
    fn of(event: &Event) -> Option<Self> {
        let reason = event.reason.as_deref();
        let reason = reason.filter(|reason| REASONS.contains(reason))?;
        let words = event.message.as_deref().unwrap_or_default();
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        Some(Self {
            event: event.name_any(),
            at: last.or_else(|| event.event_time.as_ref().map(|time| time.0)),
            words: format!("{reason}: {}", without_request_id(words)),
        })
    }
}

/// What the watch saw.
pub(super) enum Heard {
    /// Everything that there was.
    All,
    /// A complaint about this Ingress.
    About(ObjectRef<Ingress>),
}

/// Listens for ever.
pub(super) async fn listen(complaints: &Complaints, client: Client, mut tell: impl FnMut(Heard)) {
    let which = watcher::Config::default().fields(WARNINGS);
    let stream = watcher(Api::<Event>::all(client), which).default_backoff();
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => complaints.lock().clear(),
            Ok(watcher::Event::InitDone) => tell(Heard::All),
            Ok(watcher::Event::InitApply(event) | watcher::Event::Apply(event)) => {
                if complaints.note(&event) {
                    let about = &event.involved_object;
                    let name = about.name.as_deref().unwrap_or_default();
                    let namespace = about.namespace.as_deref().unwrap_or_default();
                    tell(Heard::About(ObjectRef::new(name).within(namespace)));
                }
            }
            Ok(watcher::Event::Delete(event)) => complaints.expired(&event),
            Err(error) => {
                tracing::debug!(%error, "watch of Events interrupted");
                // Whoever waits for what it says goes on without.
                tell(Heard::All);
            }
        }
    }
}

/// The id of a request changes with every try, and status text must not.
fn without_request_id(words: &str) -> String {
    let is_id = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.len() == 36 && word.matches('-').count() == 4
    };
    let words = words.split_whitespace().filter(|word| !is_id(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

    use super::*;

    fn event(name: &str, reason: &str, second: i64, message: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                uid: Some("u".to_owned()),
                ..ObjectReference::default()
            },
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_timestamp: Some(Time(at(second))),
            ..Event::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::constant(second, 0)
    }

    #[test]
    fn the_newest_complaint_counts_as_long_as_it_is_about_the_last_change() {
        let complaints = Complaints::default();
        assert!(complaints.note(&event("a", "FailedBuildModel", 6, "no zone")));
        assert!(complaints.note(&event("b", "FailedApplyModel", 7, "refused")));
        assert!(
            !complaints.note(&event("a", "FailedBuildModel", 6, "no zone")),
            "older"
        );
        assert!(!complaints.note(&event("c", "BackOff", 9, "of another one")));
        let told = |since| complaints.since("u", Some(at(since)));
        assert_eq!(told(7).as_deref(), Some("FailedApplyModel: refused"));
        assert_eq!(told(8), None, "what was written since is another thing");
        assert_eq!(complaints.since("other", None), None);
    }

    #[test]
    fn what_was_dealt_with_or_has_expired_is_not_told() {
        let complaints = Complaints::default();
        let failed = event("a", "FailedBuildModel", 6, "no zone");
        assert!(complaints.note(&failed));
        complaints.expired(&event("b", "FailedBuildModel", 5, "before"));
        assert!(complaints.since("u", None).is_some(), "another Event");
        complaints.expired(&failed);
        assert_eq!(complaints.since("u", None), None);
        assert!(complaints.note(&failed));
        complaints.forget("u");
        assert_eq!(complaints.since("u", None), None);
    }

    #[test]
    fn a_request_s_id_stays_out_of_status() {
        let words = "refused, RequestId: 5F0C5F0C-1D2E-3A4B-5C6D-7E8F9A0B1C2D by ALB";
        assert_eq!(without_request_id(words), "refused, RequestId: by ALB");
    }
}
