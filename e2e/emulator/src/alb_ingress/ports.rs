//! The listeners that an Ingress wants.

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::failure::Unreadable;
use super::go_json;
use super::names::{annotation, either};

/// Port and protocol.
pub(super) type Place = (i64, String);

/// All that an Ingress wants, each once.
pub(super) fn of(ingress: &Ingress) -> Result<Vec<Place>, Unreadable> {
    let mut places = Vec::new();
    if either(ingress, "ssl-redirect") == "true" {
        places.push((80, "HTTP".to_owned()));
    }
    match annotation(ingress, "listen-ports") {
        Some(text) => places.extend(listed(text)?),
        None => places.extend(implied(ingress)),
    }
    let mut unique: Vec<Place> = Vec::new();
    for place in places {
        if !unique.contains(&place) {
            unique.push(place);
        }
    }
    Ok(unique)
}

fn listed(text: &str) -> Result<Vec<Place>, Unreadable> {
    let error = |words: String| Unreadable::Error(words);
    let entries: Vec<serde_json::Map<String, Value>> =
        serde_json::from_str(text).map_err(|cause| {
            let cause = match cause.is_data() {
                true => cause.to_string(),
                false => go_json::complaint(text, &cause),
            };
            error(format!(
                "failed to parse listen-ports configuration: `{text}`: {cause}"
            ))
        })?;
    if entries.is_empty() {
        return Err(error(format!("empty listen-ports configuration: `{text}`")));
    }
    let mut places = Vec::new();
    for (protocol, port) in entries.iter().flatten() {
        let port = port.as_i64().unwrap_or_default();
        if !(1..=65_535).contains(&port) {
            return Err(error(format!(
                "listen port must be within [1, 65535]: {port}"
            )));
        }
        if !["HTTP", "HTTPS", "QUIC"].contains(&protocol.as_str()) {
            let words = format!("listen protocol must be within [HTTP, HTTPS]: {protocol}");
            return Err(error(words));
        }
        places.push((port, protocol.clone()));
    }
    Ok(places)
}

/// 443 for hosts with TLS, 80 for those without.
fn implied(ingress: &Ingress) -> Vec<Place> {
    let spec = ingress.spec.clone().unwrap_or_default();
    let mut secured = spec.tls.iter().flatten();
    let secured = secured.any(|tls| tls.hosts.iter().flatten().any(|host| !host.is_empty()));
    let hosts = spec
        .rules
        .iter()
        .flatten()
        .filter_map(|rule| rule.host.as_deref());
    let open = hosts
        .filter(|host| !host.is_empty())
        .any(|host| !is_tls(ingress, "HTTP", host));
    let (http, https) = ((80, "HTTP".to_owned()), (443, "HTTPS".to_owned()));
    match (secured, open) {
        (true, true) => vec![http, https],
        (true, false) => vec![https],
        (false, _) => vec![http],
    }
}

/// Whether the rule of a host belongs on a listener with TLS.
pub(super) fn is_tls(ingress: &Ingress, protocol: &str, host: &str) -> bool {
    let spec = ingress.spec.as_ref();
    let tls = spec
        .and_then(|spec| spec.tls.as_deref())
        .unwrap_or_default();
    let named = || {
        tls.iter()
            .any(|tls| tls.hosts.iter().flatten().any(|one| one == host))
    };
    protocol == "HTTPS" && tls.is_empty() || host.is_empty() || named()
}

/// Whether an Ingress says itself on which listeners its rules are.
pub(super) fn is_forced(ingress: &Ingress) -> bool {
    either(ingress, "ssl-redirect") == "true" || annotation(ingress, "listen-ports").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ingress(annotations: Value, tls: Value) -> Ingress {
        serde_json::from_value(json!({
            "metadata": {"annotations": annotations},
            "spec": {"tls": tls, "rules": [{"host": "a.example.com"}]},
        }))
        .unwrap()
    }

    fn ports(annotations: Value, tls: Value) -> Vec<i64> {
        let places = of(&ingress(annotations, tls)).unwrap();
        places.into_iter().map(|(port, _)| port).collect()
    }

    #[test]
    fn tls_goes_to_443_only_unless_more_is_asked_for() {
        assert_eq!(ports(json!({}), json!([])), [80]);
        let tls = json!([{"hosts": ["a.example.com"]}]);
        assert_eq!(ports(json!({}), tls.clone()), [443]);
        assert_eq!(
            ports(json!({}), json!([{"hosts": ["b.example.com"]}])),
            [80, 443]
        );
        let redirect = json!({"alb.ingress.kubernetes.io/ssl-redirect": "true"});
        assert_eq!(ports(redirect, tls.clone()), [80, 443]);
        let both =
            json!({"alb.ingress.kubernetes.io/listen-ports": "[{\"HTTP\":80},{\"HTTPS\":443}]"});
        assert_eq!(ports(both, tls), [80, 443]);
    }

    #[test]
    fn listed_ports_have_to_make_sense() {
        for text in ["[]", "{}", "[{\"HTTP\":0}]", "[{\"TCP\":80}]"] {
            let annotations = json!({"alb.ingress.kubernetes.io/listen-ports": text});
            assert!(of(&ingress(annotations, json!([]))).is_err(), "{text}");
        }
    }
}
