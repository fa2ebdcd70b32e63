//! Which Services an Ingress is about to lead to, and that they need Endpoints for that.
//!
//! The ALB Ingress controller takes the servers of a Service from its Endpoints. Where there is a Service
//! without any, it brings nothing of the whole AlbConfig up to date, whoever has Ingresses there, until there are
//! some. A Service that is not there holds up nobody, nor do Endpoints without addresses.

use std::collections::BTreeMap;

use crds::v1alpha1::Reason;
use k8s_openapi::api::networking::v1::Ingress;

use super::refusal::Refusal;
use super::render::leads_to;
use super::translate::Child;

/// The Services that these Ingresses are to lead to and, as they are in the cluster, do not: each with a host
/// and a path of it, for a message. Of all others the controller knows.
pub fn first_named<'a>(
    children: impl IntoIterator<Item = (&'a Child, Option<&'a Ingress>)>,
) -> BTreeMap<&'a str, String> {
    let mut named = BTreeMap::new();
    for (child, found) in children {
        for rule in &child.rules {
            for group in &rule.forward.groups {
                if found.is_some_and(|found| leads_to(found, &group.service)) {
                    continue;
                }
                named.entry(group.service.as_str()).or_insert_with(|| {
                    let host = rule.hosts.first().map_or("", String::as_str);
                    format!("host \"{host}\", path \"{}\"", rule.forward.path)
                });
            }
        }
    }
    named
}

/// Why no Ingress is to lead to a Service now.
pub fn without_endpoints(service: &str, at: &str) -> Refusal {
    let words = format!(
        "{at}: Service \"{service}\" has no Endpoints of its name, and the ALB Ingress controller brings nothing of a load balancer up to date that is to lead to such a Service. They are waited for. What was served before stays."
    );
    Refusal::new(Reason::ServiceNotFound, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alb::render::{Identity, render};
    use crate::core::alb::rule::{Forward, Group};
    use crate::core::alb::translate::{HostRule, Placement};

    fn child(host: &str, services: &[&str]) -> Child {
        let groups = services.iter().map(|service| Group {
            service: (*service).to_owned(),
            port: 80,
            weight: 50,
        });
        let forward = Forward {
            is_gray: false,
            path: "/a".to_owned(),
            headers: Vec::new(),
            cookies: Vec::new(),
            // The name of a revision is in a header as well.
            insert: [("Revision".to_owned(), "header-only".to_owned())].into(),
            rewrite_host: None,
            groups: groups.collect(),
        };
        Child {
            placement: Placement::Internet,
            rules: vec![HostRule {
                hosts: vec![host.to_owned()],
                forward,
            }],
            tls: Vec::new(),
            redirected: false,
        }
    }

    fn written(child: &Child) -> Ingress {
        let identity = Identity {
            namespace: "gray".to_owned(),
            name: "hello".to_owned(),
            owner: "hello".to_owned(),
            owner_uid: "u".to_owned(),
            ingress_class: "x".to_owned(),
            order: 11,
            room: 2,
        };
        let body = render(child, identity, &[]).body(None, false);
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_service_is_named_first_where_the_ingress_that_is_there_does_not_lead_to_it() {
        let before = written(&child("a.example.com", &["one", "two"]));
        let services = |services: &[&str], found: Option<&Ingress>| -> Vec<String> {
            let child = child("a.example.com", services);
            let named = first_named([(&child, found)]);
            named.into_keys().map(str::to_owned).collect()
        };
        assert_eq!(services(&["one", "two"], None), ["one", "two"]);
        assert!(services(&["two", "one"], Some(&before)).is_empty());
        assert_eq!(services(&["one", "on"], Some(&before)), ["on"]);
        assert_eq!(services(&["header-only"], Some(&before)), ["header-only"]);
    }

    #[test]
    fn each_ingress_counts_by_itself_and_the_first_place_is_told() {
        let public = child("a.example.com", &["one"]);
        let private = child("a.gray.svc", &["one", "two"]);
        let found = written(&public);
        let named = first_named([(&public, Some(&found)), (&private, None)]);
        let at = "host \"a.gray.svc\", path \"/a\"";
        assert_eq!(
            named,
            BTreeMap::from([("one", at.to_owned()), ("two", at.to_owned())])
        );
        let refusal = without_endpoints("one", at);
        assert!(refusal.waits() && refusal.message.starts_with(at));
    }
}
