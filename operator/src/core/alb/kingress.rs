//! Knative's own kind of Ingress, as far as it is needed: `Ingress` of
//! `networking.internal.knative.dev/v1alpha1`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::Refusal;

/// Annotation with the class. Serving writes this key whatever key its user wrote.
pub const CLASS: &str = "networking.knative.dev/ingress.class";
/// The newer spelling of [`CLASS`], which users write on Knative Services.
pub const CLASS_OF_SERVICE: &str = "networking.knative.dev/ingress-class";
/// Label of what is made for a Knative Ingress, with its name.
pub const LABEL: &str = "networking.internal.knative.dev/ingress";
/// Finalizer that all layers of Knative share.
pub const FINALIZER: &str = "ingresses.networking.internal.knative.dev";
/// Finalizer of a Knative Ingress with Ingresses of ours: their places are kept before they go.
pub const PLACES: &str = "gatewaybinding.dev/alb-places";
/// Annotation with the hosts of each tag.
const TAG_TO_HOST: &str = "networking.internal.knative.dev/tag-to-host";

/// A Knative Ingress. Spec and status are read one object at a time, so that one that makes no
/// sense is no trouble for the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KIngress {
    /// Name, labels and so on.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// See [`Spec`].
    #[serde(default)]
    pub spec: Value,
    /// Conditions and addresses.
    #[serde(default)]
    pub status: Value,
}

impl Resource for KIngress {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Ingress".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "networking.internal.knative.dev".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "ingresses".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl KIngress {
    /// The class that is to serve it.
    pub fn class(&self) -> Option<&str> {
        let annotations = self.annotations();
        let class = annotations.get(CLASS);
        class
            .or_else(|| annotations.get(CLASS_OF_SERVICE))
            .map(String::as_str)
    }

    /// What it asks for, with Knative's defaults, or why that makes no sense. Where Knative's webhook
    /// is at work, it has said so before.
    pub fn read(&self) -> Result<Spec, Refusal> {
        let spec: Spec = serde_json::from_value(self.spec.clone())
            .map_err(|error| Refusal::invalid(format!("spec cannot be read: {error}.")))?;
        let namespace = self.namespace().unwrap_or_default();
        spec.completed(&namespace)
    }

    /// The tags, each with its hosts.
    pub fn tags(&self) -> BTreeMap<String, Vec<String>> {
        let text = self.annotations().get(TAG_TO_HOST);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// Whether it sends requests to a Service by its name.
    pub fn names(&self, service: &str) -> bool {
        let rules = self.spec["rules"].as_array().into_iter().flatten();
        let paths = rules.filter_map(|rule| rule["http"]["paths"].as_array());
        let splits = paths.flatten().filter_map(|path| path["splits"].as_array());
        let mut splits = splits.flatten();
        splits.any(|split| split["serviceName"] == service)
    }

    /// Whether it is about a host.
    pub fn has_host(&self, host: &str) -> bool {
        let rules = self.spec["rules"].as_array().into_iter().flatten();
        let mut hosts = rules.filter_map(|rule| rule["hosts"].as_array()).flatten();
        hosts.any(|other| other == host)
    }

    /// Whether its status says that this generation is served.
    pub fn is_ready(&self) -> bool {
        self.status["observedGeneration"].as_i64() == self.metadata.generation
            && self
                .condition("Ready")
                .is_some_and(|ready| ready["status"] == "True")
    }

    /// One of its conditions.
    pub fn condition(&self, name: &str) -> Option<&Value> {
        let conditions = self.status["conditions"].as_array()?;
        conditions
            .iter()
            .find(|condition| condition["type"] == name)
    }

    /// Where it is reached: at its public address, else at its private one.
    pub fn address(&self) -> Option<&str> {
        ["publicLoadBalancer", "privateLoadBalancer"]
            .into_iter()
            .find_map(|list| self.status[list]["ingress"][0]["domain"].as_str())
    }
}

/// What a Knative Ingress asks for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// Certificates.
    pub tls: Vec<Tls>,
    /// Hosts, and what is served there.
    pub rules: Vec<Rule>,
    /// `Enabled`, `Redirected`, or empty for the first.
    pub http_option: String,
}

/// A certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    /// What it is for.
    pub hosts: Vec<String>,
    /// Its Secret.
    pub secret_name: String,
    /// The Secret's namespace.
    pub secret_namespace: String,
}

/// Hosts, and what is served there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// The hosts.
    pub hosts: Vec<String>,
    /// Who may reach them.
    pub visibility: Visibility,
    /// What is served.
    pub http: Http,
}

/// Who may reach a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Visibility {
    /// Everybody.
    #[default]
    #[serde(alias = "")]
    ExternalIP,
    /// The cluster.
    ClusterLocal,
}

/// What is served at a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Http {
    /// By path.
    pub paths: Vec<Path>,
}

/// What is served under a path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Path {
    /// Beginning of the path, as a string: `/foo` has `/foobar` too. Empty: all.
    pub path: String,
    /// The Host that the service is to see.
    pub rewrite_host: String,
    /// Headers that a request must have.
    pub headers: BTreeMap<String, HeaderMatch>,
    /// Who answers.
    pub splits: Vec<Split>,
    /// Headers that are set.
    pub append_headers: BTreeMap<String, String>,
}

/// The value that a header must have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HeaderMatch {
    /// The whole value.
    pub exact: String,
}

/// A share of the requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// Namespace of the Service.
    #[serde(default)]
    pub service_namespace: String,
    /// The Service.
    #[serde(default)]
    pub service_name: String,
    /// Its port.
    pub service_port: IntOrString,
    /// Its share.
    #[serde(default)]
    pub percent: i64,
    /// Headers that are set on this share.
    #[serde(default)]
    pub append_headers: BTreeMap<String, String>,
}

impl Spec {
    fn completed(mut self, namespace: &str) -> Result<Self, Refusal> {
        if self.rules.is_empty() {
            return Err(Refusal::invalid("spec.rules is empty.".to_owned()));
        }
        if !matches!(self.http_option.as_str(), "" | "Enabled" | "Redirected") {
            return Err(Refusal::invalid(format!(
                "spec.httpOption: \"{}\" is none of Enabled and Redirected.",
                self.http_option
            )));
        }
        for tls in &self.tls {
            if tls.secret_name.is_empty() || tls.secret_namespace.is_empty() {
                return Err(Refusal::invalid(
                    "spec.tls: secretName and secretNamespace are needed.".to_owned(),
                ));
            }
        }
        for (at, rule) in self.rules.iter_mut().enumerate() {
            rule.complete(&format!("spec.rules[{at}]"), namespace)?;
        }
        Ok(self)
    }
}

impl Rule {
    fn complete(&mut self, at: &str, namespace: &str) -> Result<(), Refusal> {
        if self.hosts.is_empty() || self.http.paths.is_empty() {
            return Err(Refusal::invalid(format!(
                "{at}: it has no hosts or no paths."
            )));
        }
        for path in &mut self.http.paths {
            if let [split] = path.splits.as_mut_slice()
                && split.percent == 0
            {
                split.percent = 100;
            }
            let sum: i64 = path.splits.iter().map(|split| split.percent).sum();
            let negative = path.splits.iter().any(|split| split.percent < 0);
            if path.splits.is_empty() || sum != 100 || negative {
                return Err(Refusal::invalid(format!(
                    "{at}: the splits of path \"{}\" make {sum} percent, not 100.",
                    path.path
                )));
            }
            for split in &path.splits {
                if split.service_name.is_empty() || split.service_namespace != namespace {
                    return Err(Refusal::invalid(format!(
                        "{at}: Service {}/{} is not in the namespace of the Ingress.",
                        split.service_namespace, split.service_name
                    )));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_names_its_hosts_and_the_services_of_its_splits_and_no_others() {
        let paths = json!([{"splits": [{"serviceName": "a-00001"}, {"serviceName": "a-00002"}]}]);
        let rules = json!([{"hosts": ["a"]}, {"hosts": ["b"], "http": {"paths": paths}}]);
        let ingress = KIngress {
            spec: json!({"rules": rules}),
            ..KIngress::default()
        };
        assert!(ingress.names("a-00001") && ingress.names("a-00002"));
        assert!(!ingress.names("a-0000") && !ingress.names("a"));
        assert!(ingress.has_host("a") && ingress.has_host("b") && !ingress.has_host("c"));
        let odd = KIngress::default();
        assert!(!odd.names("a") && !odd.has_host("a"), "nothing makes sense");
    }
}
