//! From rules to an Ingress in the form that the ALB Ingress controller reads: actions as arrays,
//! port numbers, one backend name for each rule, all hosts of a rule in one condition.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::kingress::LABEL;
use super::placeholder;
use super::rule::Forward;
use super::translate::{Child, HostRule};
use crate::core::names::{digest, short_hash};

/// Beginning of the annotations that the ALB Ingress controller reads.
pub(super) const PREFIX: &str = "alb.ingress.kubernetes.io/";
/// Label by which the ALB Ingress controller says which version of an Ingress it has dealt with.
pub const HASH: &str = "alb.ingress.kubernetes.io/hash";
/// Annotation with the place of an Ingress among those of its AlbConfig.
pub const ORDER: &str = "alb.ingress.kubernetes.io/order";
/// Annotation with what [`HASH`] was before our last change: as long as it is the same, that change
/// was not dealt with.
pub const HASH_BEFORE: &str = "gatewaybinding.dev/alb-hash-before";

/// Annotation with a digest of what was dealt with once. Its own coming is a change that has to be dealt
/// with as well, by a pass of the controller that began after the one before had ended: see
/// [`Wanted::progress`].
pub const DEALT_WITH: &str = "gatewaybinding.dev/alb-dealt-with";

/// How far the controller is with an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has not dealt with the last change.
    Waiting,
    /// It says that it has, which may be too early: [`DEALT_WITH`] is to be written.
    Labelled,
    /// It has.
    Served,
}

/// Whose child an Ingress is, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Name of the Knative Ingress.
    pub owner: String,
    /// UID of the Knative Ingress.
    pub owner_uid: String,
    /// Its IngressClass.
    pub ingress_class: String,
    /// Its place.
    pub order: u16,
    /// How many rules its place has room for.
    pub room: usize,
}

/// What an Ingress is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Who it is.
    pub identity: Identity,
    /// Its annotations but [`HASH_BEFORE`] and [`DEALT_WITH`].
    pub annotations: BTreeMap<String, String>,
    /// Its spec.
    pub spec: Value,
}

/// The Ingress for a child, which fills its place. `secrets` names the Secret of each of its certificates, in its namespace.
pub fn render(child: &Child, identity: Identity, secrets: &[String]) -> Wanted {
    let mut annotations: BTreeMap<String, String> = BTreeMap::new();
    annotations.insert(ORDER.to_owned(), identity.order.to_string());
    if !child.tls.is_empty() {
        let ports = json!([{"HTTP": 80}, {"HTTPS": 443}]).to_string();
        annotations.insert(format!("{PREFIX}listen-ports"), ports);
    }
    if child.redirected {
        annotations.insert(format!("{PREFIX}ssl-redirect"), "true".to_owned());
    }
    let mut rules = Vec::new();
    for (at, rule) in child.rules.iter().enumerate() {
        let backend = format!("r{at}");
        let actions = Value::from(actions(&rule.forward)).to_string();
        annotations.insert(format!("{PREFIX}actions.{backend}"), actions);
        let conditions = conditions(rule);
        if !conditions.is_empty() {
            let conditions = Value::from(conditions).to_string();
            annotations.insert(format!("{PREFIX}conditions.{backend}"), conditions);
        }
        rules.push(ingress_rule(rule, &backend));
    }
    for at in rules.len()..identity.room {
        let (rule, (annotation, action)) = placeholder::rule(identity.order, at);
        annotations.insert(annotation, action);
        rules.push(rule);
    }
    let mut spec = json!({"ingressClassName": identity.ingress_class, "rules": rules});
    if !child.tls.is_empty() {
        let tls = child.tls.iter().zip(secrets);
        let tls = tls.map(|(tls, secret)| json!({"hosts": tls.hosts, "secretName": secret}));
        spec["tls"] = tls.collect();
    }
    Wanted {
        identity,
        annotations,
        spec,
    }
}

fn ingress_rule(rule: &HostRule, backend: &str) -> Value {
    // Knative means the beginning of a string, Kubernetes whole elements of a path.
    let (path, path_type) = if rule.forward.path.is_empty() {
        ("/".to_owned(), "Prefix")
    } else {
        (format!("{}*", rule.forward.path), "ImplementationSpecific")
    };
    json!({
        "host": rule.hosts.first(),
        "http": {"paths": [{
            "path": path,
            "pathType": path_type,
            "backend": {"service": {"name": backend, "port": {"name": "use-annotation"}}},
        }]},
    })
}

fn actions(forward: &Forward) -> Vec<Value> {
    let insert = forward.insert.iter().map(|(name, value)| {
        json!({"type": "InsertHeader", "InsertHeaderConfig": {
            "key": name, "value": value, "valueType": "UserDefined", "coverEnabled": true,
        }})
    });
    let rewrite = forward.rewrite_host.iter().map(|host| {
        json!({"type": "Rewrite", "RewriteConfig": {
            "Host": host, "Path": "${path}", "Query": "${query}",
        }})
    });
    let groups = forward.groups.iter().map(|group| {
        json!({"serviceName": group.service, "servicePort": group.port, "weight": group.weight})
    });
    let groups: Vec<Value> = groups.collect();
    let last = json!({"type": "ForwardGroup", "forwardConfig": {"serverGroups": groups}});
    insert.chain(rewrite).chain([last]).collect()
}

/// Each block must hold, and of the values in a block any: so each cookie has a block of its own.
fn conditions(rule: &HostRule) -> Vec<Value> {
    let others = rule.hosts.get(1..).unwrap_or_default();
    let hosts =
        (!others.is_empty()).then(|| json!({"type": "Host", "hostConfig": {"values": others}}));
    let headers = rule.forward.headers.iter().map(
        |(key, value)| json!({"type": "Header", "headerConfig": {"key": key, "values": [value]}}),
    );
    let cookies = rule.forward.cookies.iter().map(|(key, value)| {
        json!({"type": "Cookie", "cookieConfig": {"values": [{"key": key, "value": value}]}})
    });
    hosts.into_iter().chain(headers).chain(cookies).collect()
}

/// Name of the label's value for a Knative Ingress, whose own name may be longer than a label's value.
pub fn label_value(owner: &str) -> String {
    if owner.len() <= 63 {
        owner.to_owned()
    } else {
        format!(
            "{}-{}",
            owner.get(..54).unwrap_or_default(),
            short_hash(owner)
        )
    }
}

impl Wanted {
    /// Whether an Ingress is as it is to be. What others put on it does not matter.
    pub fn is_met_by(&self, found: &Ingress) -> bool {
        let spec = serde_json::to_value(&found.spec).unwrap_or_default();
        let annotations = found.annotations();
        let all_there = self
            .annotations
            .iter()
            .all(|(key, value)| annotations.get(key) == Some(value));
        let none_left = annotations
            .keys()
            .all(|key| !is_of_rule(key) || self.annotations.contains_key(key));
        let owned = found.owner_references().iter();
        let owned = owned
            .filter(|owner| owner.controller == Some(true))
            .any(|owner| owner.uid == self.identity.owner_uid);
        let labelled = found.labels().get(LABEL) == Some(&label_value(&self.identity.owner))
            && found
                .labels()
                .get(crds::keys::MANAGED_BY)
                .map(String::as_str)
                == Some(crds::keys::FIELD_MANAGER);
        spec == self.spec && all_there && none_left && owned && labelled
    }

    fn digest(&self) -> String {
        digest(&(&self.annotations, &self.spec))
    }

    /// How far the controller is with an Ingress that is as it is to be.
    ///
    /// At the end of a pass the controller labels an Ingress with what it is at that moment. A change that
    /// comes in the middle of a pass is labelled by it, and not served. So a second change follows the
    /// label. What labels that one began after the first pass had ended, for passes over an AlbConfig
    /// come one after the other, and so has read the first change.
    pub fn progress(&self, found: &Ingress) -> Progress {
        let annotations = found.annotations();
        if is_outstanding(found) {
            Progress::Waiting
        } else if annotations.get(DEALT_WITH) == Some(&self.digest()) {
            Progress::Served
        } else {
            Progress::Labelled
        }
    }

    /// For server-side apply. `found` is what is there now: a change in between makes it fail.
    /// `dealt_with` notes that it was as it is to be already.
    pub fn body(&self, found: Option<&Ingress>, dealt_with: bool) -> Value {
        let identity = &self.identity;
        let mut annotations = self.annotations.clone();
        if dealt_with {
            annotations.insert(DEALT_WITH.to_owned(), self.digest());
        }
        let before = found.and_then(|found| found.labels().get(HASH));
        annotations.insert(HASH_BEFORE.to_owned(), before.cloned().unwrap_or_default());
        let mut body = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "name": identity.name,
                "namespace": identity.namespace,
                "labels": {
                    LABEL: label_value(&identity.owner),
                    crds::keys::MANAGED_BY: crds::keys::FIELD_MANAGER,
                },
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": "networking.internal.knative.dev/v1alpha1",
                    "kind": "Ingress",
                    "name": identity.owner,
                    "uid": identity.owner_uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "spec": self.spec,
        });
        if let Some(found) = found {
            body["metadata"]["uid"] = json!(found.uid());
            body["metadata"]["resourceVersion"] = json!(found.resource_version());
        }
        body
    }
}

/// Whether the controller still has to deal with our last change of an Ingress.
pub fn is_outstanding(found: &Ingress) -> bool {
    let hash = found.labels().get(HASH).filter(|hash| !hash.is_empty());
    hash.is_none() || found.annotations().get(HASH_BEFORE) == hash || address(found).is_none()
}

/// Whether an Ingress of ours leads to a Service.
pub fn leads_to(found: &Ingress, service: &str) -> bool {
    // As `actions` has it.
    let name = format!("\"serviceName\":\"{service}\"");
    let mut annotations = found.annotations().iter();
    annotations.any(|(key, value)| is_of_rule(key) && value.contains(&name))
}

/// Whether an annotation is one that is written for each rule.
fn is_of_rule(annotation: &str) -> bool {
    let name = annotation.strip_prefix(PREFIX).unwrap_or_default();
    let backend = name
        .strip_prefix("actions.r")
        .or_else(|| name.strip_prefix("conditions.r"));
    backend.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The address that an Ingress has, whether or not it is up to date.
pub fn address(found: &Ingress) -> Option<&str> {
    let status = found.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = status.ingress.as_ref()?.first()?;
    ingress.hostname.as_deref()
}

#[cfg(test)]
mod tests;
