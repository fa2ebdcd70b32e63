//! The gateway: from a request to the plugins that are for it, in their order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use super::plugin::{Fault, Plugin};
use super::rules::{self, Counts, Verdict};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `Host`, as it was sent.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// Who sent it.
    pub peer: IpAddr,
    /// When, by a clock of the test's own.
    pub at: Duration,
}

impl Request {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(&name.to_ascii_lowercase());
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The values of a query parameter.
    pub(super) fn parameters(&self, name: &str) -> Vec<&str> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .collect()
    }
}

/// What a request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It goes to the service of this Knative Ingress, `NAMESPACE/NAME`.
    Service(String),
    /// This plugin answers.
    Plugin {
        /// Name of the plugin.
        plugin: String,
        /// Status.
        status: u16,
        /// Body.
        body: String,
    },
    /// No host is known by that name.
    NotFound,
}

impl Answer {
    /// Its status; the services answer 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Service(_) => 200,
            Self::Plugin { status, .. } => *status,
            Self::NotFound => 404,
        }
    }
}

/// The gateway, with what it read.
#[derive(Clone, Debug, Default)]
pub struct Higress {
    routes: BTreeMap<String, String>,
    plugins: Vec<Plugin>,
    faults: Vec<Fault>,
    counts: Counts,
}

impl Higress {
    /// Reads the Knative Ingresses, and the plugins of the namespace `system`, as the API server has them.
    pub fn read(&mut self, system: &str, ingresses: &[DynamicObject], plugins: &[DynamicObject]) {
        self.routes.clear();
        self.faults.clear();
        for ingress in ingresses {
            let (namespace, name) = (ingress.namespace().unwrap_or_default(), ingress.name_any());
            let route = if namespace == system {
                name
            } else {
                format!("{namespace}/{name}")
            };
            for host in hosts(&ingress.data) {
                self.routes.insert(host.to_ascii_lowercase(), route.clone());
            }
        }
        let plugins = plugins
            .iter()
            .filter(|plugin| plugin.namespace().as_deref() == Some(system));
        let mut read: Vec<Plugin> = plugins
            .filter_map(|plugin| {
                let spec = plugin.data.get("spec").unwrap_or(&Value::Null);
                Plugin::read(&plugin.name_any(), spec, &mut self.faults)
            })
            .collect();
        read.sort_by(|one, other| (one.order, &one.object).cmp(&(other.order, &other.object)));
        self.plugins = read;
    }

    /// What is wrong with the plugins that were read.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Answers a request.
    pub fn ask(&mut self, request: &Request) -> Answer {
        // Envoy finds the host whatever its letters and port; plugins see it as it was sent.
        let host = request.host.to_ascii_lowercase();
        let host = host.split(':').next().unwrap_or_default();
        let Some(route) = self.routes.get(host) else {
            return Answer::NotFound;
        };
        for plugin in &self.plugins {
            if let Some((status, body)) = run(plugin, route, request, &mut self.counts) {
                return Answer::Plugin {
                    plugin: plugin.name.clone(),
                    status,
                    body,
                };
            }
        }
        Answer::Service(route.clone())
    }
}

fn run(plugin: &Plugin, route: &str, request: &Request, counts: &mut Counts) -> Verdict {
    if plugin.broken {
        // This one starts all the same, and limits nothing.
        let closed = plugin.fail_close && plugin.name != "key-rate-limit";
        return closed.then(|| (503, "the plugin did not start".to_owned()));
    }
    let mut rules = plugin.rules.iter().enumerate();
    let (index, rule) = rules.find(|(_, rule)| rule.matches(&request.host, route))?;
    let (shared, config) = (&plugin.shared, &rule.config);
    match plugin.name.as_str() {
        "key-auth" => rules::key_auth(shared, config, request),
        "basic-auth" => rules::basic_auth(shared, config, request),
        "hmac-auth" | "jwt-auth" => rules::not_modelled(request),
        "key-rate-limit" => rules::rate_limit((&plugin.object, index), config, request, counts),
        "ip-restriction" => rules::addresses(config, request),
        "request-block" => rules::block(config, request),
        "custom-response" => rules::response(config),
        _ => None,
    }
}

fn hosts(ingress: &Value) -> impl Iterator<Item = &str> {
    let rules = ingress.pointer("/spec/rules").and_then(Value::as_array);
    let rules = rules.into_iter().flatten();
    let hosts = rules.filter_map(|rule| rule.get("hosts").and_then(Value::as_array));
    hosts.flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": spec,
        }))
        .unwrap()
    }

    fn higress(rule: Value) -> Higress {
        let ingress = json!({"rules": [{"hosts": ["hello.default.example.com"]}]});
        let plugin = json!({
            "url": "oci://registry.example.com/plugins/key-rate-limit:1.0.0", "matchRules": [rule],
        });
        let mut higress = Higress::default();
        higress.read(
            "higress-system",
            &[object("Ingress", "default", "hello", ingress)],
            &[object("WasmPlugin", "higress-system", "limits", plugin)],
        );
        higress
    }

    fn ask(higress: &mut Higress, host: &str, seconds: u64) -> u16 {
        let request = Request {
            host: host.to_owned(),
            path: "/".to_owned(),
            headers: [("x-ca-key".to_owned(), "123456".to_owned())].into(),
            peer: "192.0.2.1".parse().unwrap(),
            at: Duration::from_secs(seconds),
        };
        higress.ask(&request).status()
    }

    fn limit(key: Value) -> Value {
        json!({"limit_by_header": "x-ca-key", "limit_keys": [{"key": key, "query_per_minute": 2}]})
    }

    #[test]
    fn the_third_request_in_a_minute_is_limited() {
        let mut higress =
            higress(json!({"ingress": ["default/hello"], "config": limit(json!("123456"))}));
        let host = "hello.default.example.com";
        assert_eq!(higress.faults(), []);
        assert_eq!(
            [0, 1, 2].map(|at| ask(&mut higress, host, at)),
            [200, 200, 429]
        );
        assert_eq!(ask(&mut higress, "HELLO.default.example.com:80", 3), 429);
        assert_eq!(ask(&mut higress, host, 61), 200);
        assert_eq!(ask(&mut higress, "other.example.com", 61), 404);
    }

    #[test]
    fn the_article_s_bare_number_switches_the_limit_off() {
        let mut higress =
            higress(json!({"ingress": ["default/hello"], "config": limit(json!(123_456))}));
        assert_eq!(higress.faults().len(), 1);
        let host = "hello.default.example.com";
        assert_eq!(
            [0, 1, 2].map(|at| ask(&mut higress, host, at)),
            [200, 200, 200]
        );
    }

    #[test]
    fn a_rule_for_a_host_alone_is_slipped_past() {
        let host = "hello.default.example.com";
        let mut higress = higress(json!({"domain": [host], "config": limit(json!("123456"))}));
        assert_eq!(
            [0, 1, 2].map(|at| ask(&mut higress, host, at)),
            [200, 200, 429]
        );
        assert_eq!(ask(&mut higress, "hello.default.example.com:80", 3), 200);
        assert_eq!(ask(&mut higress, "Hello.default.example.com", 3), 200);
    }
}
