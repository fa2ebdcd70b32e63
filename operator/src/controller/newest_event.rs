//! The newest word that another controller said about an object, from the core/v1 Events.

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};

/// The newest Event about `object` with one of these reasons that is not older than `since`. None
/// if there is none, or if they cannot be listed: Events are best effort anyway.
pub(super) async fn newest_event<K>(
    client: &Client,
    object: &K,
    reasons: &[&str],
    since: Option<Timestamp>,
) -> Option<Event>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let events: Api<Event> = Api::namespaced(client.clone(), &object.namespace()?);
    let fields = format!(
        "involvedObject.kind={},involvedObject.name={},involvedObject.uid={}",
        K::kind(&()),
        object.name_any(),
        object.uid().unwrap_or_default()
    );
    let params = ListParams::default().fields(&fields);
    newest(events.list(&params).await.ok()?.items, reasons, since)
}

fn newest(events: Vec<Event>, reasons: &[&str], since: Option<Timestamp>) -> Option<Event> {
    let told = events.into_iter().filter(|event| {
        let reason = event.reason.as_deref();
        reason.is_some_and(|reason| reasons.contains(&reason)) && time(event) >= since
    });
    told.max_by_key(|event| (time(event), version(event)))
}

fn time(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or_else(|| event.event_time.as_ref().map(|time| time.0))
}

/// Events carry whole seconds, in which a controller can fail and succeed. Within one kind resource
/// versions grow with each write, and may be compared as numbers (KEP-5504).
fn version(event: &Event) -> Option<u128> {
    event.metadata.resource_version.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

    use super::*;

    fn event(reason: &str, second: i64, version: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            reason: Some(reason.to_owned()),
            last_timestamp: Some(Time(Timestamp::constant(second, 0))),
            ..Event::default()
        }
    }

    fn reason(events: Vec<Event>, since: i64) -> Option<String> {
        let since = Some(Timestamp::constant(since, 0));
        newest(events, &["Failed", "Ensured"], since)?.reason
    }

    #[test]
    fn within_one_second_the_one_written_last_counts() {
        let failed = || event("Failed", 7, "999");
        let ensured = || event("Ensured", 7, "1000");
        for events in [vec![failed(), ensured()], vec![ensured(), failed()]] {
            assert_eq!(reason(events, 7).as_deref(), Some("Ensured"));
        }
    }

    #[test]
    fn older_ones_and_other_reasons_do_not_count() {
        let events = || vec![event("Failed", 6, "2"), event("Updated", 9, "3")];
        assert_eq!(reason(events(), 6).as_deref(), Some("Failed"));
        assert_eq!(reason(events(), 7), None);
    }
}
