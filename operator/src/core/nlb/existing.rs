//! A network load balancer that others made. As with a classic one, everything that the cloud controller
//! manager would answer with a permanent failure, or do that cannot be undone, is found before anything
//! is written.

use std::collections::BTreeMap;

use crds::v1alpha1::{NlbExisting, NlbSettings, Reason};

use super::scene::{Scene, fixed, immutable};
use super::state::NlbState;
use crate::core::balancer::LoadBalancer;
use crate::core::foresee::is_later;
use crate::core::observed::{ListenerState, ServiceState};
use crate::core::slb::existing::{is_published, made_by_ccm, named, takes_over};
use crate::core::slb::{Fault, key, tags};

/// What keeps settings from being written to a Service, as far as they name an existing load balancer,
/// or the Service does. What is not known of it keeps nothing.
pub(super) fn judge(settings: &NlbSettings, scene: &Scene<'_>) -> Option<Fault> {
    let Some(existing) = &settings.existing else {
        return scene.service.and_then(unsaid);
    };
    if let Some(fault) = scene.service.and_then(|service| moved(existing, service)) {
        return Some(fault);
    }
    let found = scene.existing.filter(|found| found.id == existing.id)?;
    let actual = found.state.as_ref().and_then(LoadBalancer::network);
    let Some(actual) = actual else {
        let why = "there is no such network load balancer in this region. Correct the id.";
        return Some(unusable(existing, why));
    };
    let why = made_by_ccm(&actual.tags)
        .or_else(|| tags_lost(settings, actual))
        .or_else(|| {
            let listeners = actual.listeners.as_deref();
            let overrides = existing.overrides_listeners().then_some(());
            overrides.and_then(|()| takes_over(listeners, found, scene.shape, of_another))
        });
    match why {
        Some(why) => Some(unusable(existing, &why)),
        None => immutable(settings, actual),
    }
}

fn unusable(existing: &NlbExisting, why: &str) -> Fault {
    Fault {
        reason: Reason::LoadBalancerUnusable,
        path: "nlb.existing.id",
        why: format!("\"{}\": {why}", existing.id),
    }
}

/// A Service that uses an existing load balancer, and settings that say nothing of it: they would be
/// written to what others made, without anybody's consent.
fn unsaid(service: &ServiceState) -> Option<Fault> {
    let id = named(service)?;
    let ours = service.our_annotations.contains(&key("id"));
    if ours && !is_published(service) {
        return None; // It was a mistake, and is taken back.
    }
    fixed(
        "nlb.existing",
        format!(
            "the Service uses load balancer {id}, which others made, and the settings do not say so. Nothing is written to it. Add existing: {{id: {id}}}; a Service that has an address cannot leave its load balancer."
        ),
    )
}

/// A load balancer cannot be named, or exchanged for another one, once the Service has an address.
fn moved(existing: &NlbExisting, service: &ServiceState) -> Option<Fault> {
    let comes = service.load_balancer_id.as_deref().is_some_and(is_later);
    if !is_published(service) || comes {
        return None;
    }
    let has = service.load_balancer_id.as_deref().or(named(service));
    if has == Some(existing.id.as_str()) {
        return given_back(existing, service);
    }
    fixed(
        "nlb.existing.id",
        format!(
            "wanted \"{}\", but the Service has an address of {}, and the cloud controller manager moves no Service to another load balancer. Go back to what it was, or make another Service.",
            existing.id,
            has.unwrap_or("another load balancer")
        ),
    )
}

/// Listeners that were made or taken over cannot be left again: nobody would delete them.
fn given_back(existing: &NlbExisting, service: &ServiceState) -> Option<Fault> {
    let overrides = service.annotations.get(&key("force-override-listeners"));
    if existing.overrides_listeners() || overrides.is_none_or(|value| value != "true") {
        return None;
    }
    fixed(
        "nlb.existing.listeners",
        format!(
            "wanted \"Keep\", but the listeners of the Service on load balancer {} were made with Override, and nobody would delete them any more. Go back to Override, or delete the Service first.",
            existing.id
        ),
    )
}

/// Once it has tags to set, the cloud controller manager removes all others.
fn tags_lost(settings: &NlbSettings, actual: &NlbState) -> Option<String> {
    let wanted = settings.tags.as_ref()?;
    let lost = tags::lost(wanted, &actual.tags)?;
    Some(format!(
        "nlb.tags would take the tags {lost} from it: the cloud controller manager removes all that it is not told. Add them to nlb.tags, or remove nlb.tags."
    ))
}

/// The other Service that a cloud controller manager made a listener for:
/// `k8s.<port>.<protocol>.<service>.<namespace>.<cluster>`.
fn of_another(listener: &ListenerState, (namespace, name): &(String, String)) -> Option<String> {
    let parts: Vec<&str> = listener.description.split('.').collect();
    match parts.as_slice() {
        ["k8s", _, _, service, space, cluster]
            if (*space, *service) != (namespace.as_str(), name.as_str()) =>
        {
            Some(format!("Service {space}/{service} of cluster {cluster}"))
        }
        _ => None,
    }
}

/// What of a load balancer that others made annotations are about to change, as the annotations that
/// would put it back.
pub fn standing(actual: &NlbState) -> BTreeMap<String, String> {
    let cross_zone = match actual.cross_zone {
        true => "on",
        false => "off",
    };
    let known = [
        ("name", actual.name.clone()),
        ("address-type", actual.address_type.to_lowercase()),
        ("cross-zone-enabled", cross_zone.to_owned()),
        ("bandwidth-package-id", actual.bandwidth_package_id.clone()),
        ("security-group-ids", actual.security_group_ids.join(",")),
    ];
    known
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (key(name), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ServicePort;
    use serde_json::{Value, json};

    use super::*;
    use crate::core::desired::ServiceShape;
    use crate::core::observed::ExistingLoadBalancer;

    fn settings(existing: Value, more: Value) -> NlbSettings {
        let mut all = more;
        all["existing"] = existing;
        serde_json::from_value(all).unwrap()
    }

    fn found(change: impl FnOnce(&mut NlbState)) -> ExistingLoadBalancer {
        let mut state = NlbState {
            id: "nlb-1".into(),
            name: "theirs".into(),
            address_type: "Internet".into(),
            ip_version: "ipv4".into(),
            ..NlbState::default()
        };
        change(&mut state);
        ExistingLoadBalancer {
            id: "nlb-1".into(),
            of: ("default".into(), "front".into()),
            state: Some(state.into()),
            ..ExistingLoadBalancer::default()
        }
    }

    fn judged(settings: &NlbSettings, found: &ExistingLoadBalancer) -> Option<(Reason, String)> {
        let shape = ServiceShape {
            ports: vec![ServicePort {
                port: 80,
                ..ServicePort::default()
            }],
            ..ServiceShape::default()
        };
        let scene = Scene {
            shape: Some(&shape),
            existing: Some(found),
            ..Scene::default()
        };
        judge(settings, &scene)
            .map(|fault| (fault.reason, format!("{}: {}", fault.path, fault.why)))
    }

    fn listening(description: &str) -> ExistingLoadBalancer {
        found(|state| {
            state.listeners = Some(vec![ListenerState {
                port: 80,
                protocol: "TCP".into(),
                description: description.into(),
                ..ListenerState::default()
            }]);
        })
    }

    #[test]
    fn what_cannot_be_used_or_would_take_from_others_is_refused() {
        let kept = settings(json!({"id": "nlb-1"}), json!({}));
        let overriding = settings(json!({"id": "nlb-1", "listeners": "Override"}), json!({}));
        let tagging = settings(
            json!({"id": "nlb-1", "instance": "Manage"}),
            json!({"tags": {"team": "shop"}}),
        );
        let doubled = settings(json!({"id": "nlb-1"}), json!({"ipVersion": "DualStack"}));
        let gone = ExistingLoadBalancer {
            state: None,
            ..found(|_| {})
        };
        let made = found(|state| {
            state.tags.insert("ack.aliyun.com".into(), "c1".into());
        });
        let tagged = found(|state| {
            state.tags.insert("owner".into(), "x".into());
        });
        let others = listening("k8s.80.TCP.other.default.c1");
        let mut shared = found(|_| {});
        shared.services.insert("default/other".into(), vec![80]);
        let unusable = Reason::LoadBalancerUnusable;
        let refused = [
            (&kept, &gone, unusable, "no such network load balancer"),
            (&kept, &made, unusable, "ack.aliyun.com"),
            (&tagging, &tagged, unusable, "owner"),
            (
                &overriding,
                &others,
                unusable,
                "default/other of cluster c1",
            ),
            (&overriding, &shared, unusable, "Service default/other"),
            (&doubled, &found(|_| {}), Reason::Immutable, "nlb.ipVersion"),
        ];
        for (settings, found, reason, words) in refused {
            let (is, message) = judged(settings, found).expect(words);
            assert_eq!(is, reason, "{message}");
            assert!(message.contains(words), "no {words:?} in {message}");
        }
        let allowed = [
            (&kept, found(|_| {})),
            (&kept, others),
            (&kept, tagged),
            (&overriding, listening("by hand")),
            (&overriding, listening("k8s.80.TCP.front.default.c1")),
        ];
        for (settings, found) in allowed {
            assert_eq!(judged(settings, &found), None, "{found:?}");
        }
    }

    #[test]
    fn what_was_taken_over_is_not_given_back_and_nothing_is_moved() {
        let service = |said: &[(&str, &str)], has: Option<&str>| ServiceState {
            annotations: said
                .iter()
                .map(|(name, value)| (key(name), (*value).to_owned()))
                .collect(),
            load_balancer_id: has.map(str::to_owned),
            ..ServiceState::default()
        };
        let path = |settings: &NlbSettings, service: &ServiceState| {
            let scene = Scene {
                service: Some(service),
                ..Scene::default()
            };
            judge(settings, &scene).map(|fault| fault.path)
        };
        let kept = settings(json!({"id": "nlb-1"}), json!({}));
        let overridden = service(&[("force-override-listeners", "true")], Some("nlb-1"));
        assert_eq!(path(&kept, &overridden), Some("nlb.existing.listeners"));
        let own = service(&[], Some("nlb-2"));
        assert_eq!(path(&kept, &own), Some("nlb.existing.id"));
        let later = service(&[], Some(crate::core::foresee::LATER));
        assert_eq!(path(&kept, &later), None);
        let by_hand = service(&[("id", "nlb-1")], None);
        assert_eq!(
            path(&NlbSettings::default(), &by_hand),
            Some("nlb.existing")
        );
        let taken_back = ServiceState {
            our_annotations: vec![key("id")],
            ..by_hand
        };
        assert_eq!(path(&NlbSettings::default(), &taken_back), None);
    }
}
