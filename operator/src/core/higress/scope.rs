//! Which requests a rule is for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The requests of one Knative Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Names of routes in Higress. The route is what Envoy found for the request, whatever the letters
    /// and the port of its `Host`, so a rule for it cannot be slipped past.
    pub routes: BTreeSet<String>,
    /// Hosts, in small letters and without a port, for versions of Higress that name routes in another way.
    pub hosts: BTreeSet<String>,
}

impl Scope {
    /// The scope of a Knative Ingress. Higress names all its routes `NAMESPACE/NAME`, and by the name
    /// alone in its own namespace (`common.GenerateUniqueRouteName`).
    pub fn of_ingress<'a>(
        (namespace, name): (&str, &str),
        hosts: impl IntoIterator<Item = &'a str>,
        system: &str,
    ) -> Self {
        let route = if namespace == system {
            name.to_owned()
        } else {
            format!("{namespace}/{name}")
        };
        Self {
            routes: [route].into(),
            hosts: hosts.into_iter().filter_map(host).collect(),
        }
    }

    /// Whether it is for no request.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.hosts.is_empty()
    }

    /// What of it is not in another one.
    pub fn without(&self, other: &Self) -> Self {
        Self {
            routes: self.routes.difference(&other.routes).cloned().collect(),
            hosts: self.hosts.difference(&other.hosts).cloned().collect(),
        }
    }

    /// What is in both.
    pub fn shared(&self, other: &Self) -> Self {
        Self {
            routes: self.routes.intersection(&other.routes).cloned().collect(),
            hosts: self.hosts.intersection(&other.hosts).cloned().collect(),
        }
    }

    /// Takes another one in.
    pub fn add(&mut self, other: &Self) {
        self.routes.extend(other.routes.iter().cloned());
        self.hosts.extend(other.hosts.iter().cloned());
    }

    /// What `domain` of a rule has to hold: each host, and each host with any port, which plugins in
    /// Go compare too. An exact text and a prefix are all the forms that both matchers know.
    pub fn domains(&self) -> Vec<String> {
        let forms = |host: &String| [host.clone(), format!("{host}:*")];
        self.hosts.iter().flat_map(forms).collect()
    }

    /// How it is called in messages.
    pub fn describe(&self) -> String {
        let names = if self.hosts.is_empty() {
            &self.routes
        } else {
            &self.hosts
        };
        let names: Vec<&str> = names.iter().map(String::as_str).take(4).collect();
        names.join(", ")
    }
}

/// A host as it is compared. A pattern is none: a `*` would match what it is not meant for.
fn host(text: &str) -> Option<String> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
        _ => host,
    };
    (!host.is_empty() && !host.contains('*')).then_some(host)
}
