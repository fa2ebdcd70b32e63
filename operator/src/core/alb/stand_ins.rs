//! Knative Ingresses that stand for a host of another one, as a DomainMapping's does: their rules follow
//! from those of the other one.

use std::collections::HashSet;

use kube::ResourceExt;

use super::kingress::KIngress;
use super::seats::Name;

/// All that there are, so that nobody has to go over all Knative Ingresses to find them.
#[derive(Debug, Default)]
pub struct StandIns(HashSet<Name>);

impl StandIns {
    /// Notes whether a Knative Ingress is one.
    pub fn seen(&mut self, ingress: &KIngress) {
        let rules = ingress.spec["rules"].as_array().into_iter().flatten();
        let paths = rules.filter_map(|rule| rule["http"]["paths"].as_array());
        let mut paths = paths.flatten();
        if paths.any(|path| path["rewriteHost"].is_string()) {
            self.0.insert(name_of(ingress));
        } else {
            self.gone(ingress);
        }
    }

    /// A Knative Ingress is gone.
    pub fn gone(&mut self, ingress: &KIngress) {
        self.0.remove(&name_of(ingress));
    }

    /// Those that may stand for a host of this one.
    pub fn beside(&self, ingress: &KIngress) -> Vec<Name> {
        let own = name_of(ingress);
        let others = self.0.iter().filter(|other| **other != own);
        others.filter(|other| other.0 == own.0).cloned().collect()
    }
}

fn name_of(ingress: &KIngress) -> Name {
    (ingress.namespace().unwrap_or_default(), ingress.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ingress(namespace: &str, name: &str, path: serde_json::Value) -> KIngress {
        serde_json::from_value(json!({
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"rules": [{"hosts": [name]}, {"hosts": [name], "http": {"paths": [path]}}]},
        }))
        .unwrap()
    }

    #[test]
    fn those_of_the_namespace_are_found_as_long_as_they_stand_for_another_one() {
        let mapped = json!({"rewriteHost": "hello.team.svc.cluster.local"});
        let hello = ingress("team", "hello", json!({}));
        let mut all = StandIns::default();
        all.seen(&hello);
        all.seen(&ingress("team", "hello.example.com", mapped.clone()));
        all.seen(&ingress("other", "hello.example.org", mapped.clone()));
        let own = ("team".to_owned(), "hello.example.com".to_owned());
        assert_eq!(all.beside(&hello), [own]);
        let itself = ingress("team", "hello.example.com", mapped);
        assert!(all.beside(&itself).is_empty(), "not for itself");
        all.seen(&ingress("team", "hello.example.com", json!({})));
        assert!(all.beside(&hello).is_empty(), "it does so no more");
    }
}
