//! Host, path and headers to backends, as the networking Ingresses say.

use std::collections::{BTreeMap, HashMap};

use axum::http::HeaderMap;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;

use crate::knative::{
    names,
    types::{IngressPath, IngressSplit, KIngress},
};

/// All routes of the gateway.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    hosts: HashMap<String, Vec<PathRoute>>,
}

/// What happens with requests of one path prefix.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRoute {
    prefix: String,
    headers: BTreeMap<String, String>,
    /// The Host that the backend gets instead.
    pub rewrite_host: Option<String>,
    append_headers: BTreeMap<String, String>,
    upstreams: Vec<Upstream>,
}

/// A Service that takes a share of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Namespace of the Service.
    pub namespace: String,
    /// Name of the Service.
    pub service: String,
    /// Number or name of the Service's port.
    pub port: IntOrString,
    /// Weight among the route's upstreams.
    pub percent: u32,
    /// Headers to set, those of the route included.
    pub headers: BTreeMap<String, String>,
}

impl Routes {
    /// The routes of all Ingresses of the gateway's class. Of two that claim one host the older
    /// wins.
    pub fn new<'a>(ingresses: impl IntoIterator<Item = &'a KIngress>) -> Self {
        let mut ours: Vec<_> = ingresses
            .into_iter()
            .filter(|ingress| is_ours(ingress))
            .collect();
        ours.sort_by_key(|ingress| {
            let created = ingress
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0);
            (created, ingress.namespace(), ingress.name_any())
        });
        let mut hosts = HashMap::new();
        for ingress in ours {
            for rule in &ingress.spec.rules {
                if rule
                    .visibility
                    .as_deref()
                    .is_some_and(|visibility| visibility != "ExternalIP")
                {
                    continue;
                }
                let paths = rule.http.iter().flat_map(|http| &http.paths);
                let mut routes: Vec<_> = paths.map(PathRoute::new).collect();
                // Stable: within equal ones the order of the Ingress holds.
                routes.sort_by_key(|route| {
                    std::cmp::Reverse((route.headers.len(), route.prefix.len()))
                });
                for host in &rule.hosts {
                    hosts
                        .entry(host.to_ascii_lowercase())
                        .or_insert_with(|| routes.clone());
                }
            }
        }
        Self { hosts }
    }

    /// The route of a request; `host` as in its Host header.
    pub fn find(&self, host: &str, path: &str, headers: &HeaderMap) -> Option<&PathRoute> {
        let routes = self.hosts.get(&without_port(host).to_ascii_lowercase())?;
        routes.iter().find(|route| route.matches(path, headers))
    }

    /// How many hosts are served.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }
}

/// Whether an Ingress is for this gateway, and not being deleted.
pub(super) fn is_ours(ingress: &KIngress) -> bool {
    let class = ingress.annotations().get(names::INGRESS_CLASS);
    class.is_some_and(|class| class == names::ISTIO_INGRESS_CLASS)
        && ingress.metadata.deletion_timestamp.is_none()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl PathRoute {
    fn new(path: &IngressPath) -> Self {
        let only = path.splits.len() == 1;
        Self {
            prefix: path.path.clone().unwrap_or_default(),
            headers: path
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.exact.clone()))
                .collect(),
            rewrite_host: path.rewrite_host.clone(),
            append_headers: path.append_headers.clone(),
            upstreams: path
                .splits
                .iter()
                .map(|split| Upstream::new(split, path, only))
                .collect(),
        }
    }

    fn matches(&self, path: &str, headers: &HeaderMap) -> bool {
        let has = |name: &String, value: &String| {
            headers
                .get_all(name)
                .iter()
                .any(|found| found.as_bytes() == value.as_bytes())
        };
        path.starts_with(&self.prefix) && self.headers.iter().all(|(name, value)| has(name, value))
    }

    /// The upstream for a number that is drawn evenly from all numbers.
    pub fn upstream(&self, drawn: u32) -> Option<&Upstream> {
        let total: u32 = self.upstreams.iter().map(|upstream| upstream.percent).sum();
        let mut left = drawn.checked_rem(total)?;
        self.upstreams.iter().find(|upstream| {
            let taken = left < upstream.percent;
            left = left.saturating_sub(upstream.percent);
            taken
        })
    }
}

impl Upstream {
    fn new(split: &IngressSplit, path: &IngressPath, only: bool) -> Self {
        let percent = if only && split.percent == 0 {
            100
        } else {
            split.percent
        };
        Self {
            namespace: split.service_namespace.clone(),
            service: split.service_name.clone(),
            port: split.service_port.clone(),
            percent: u32::try_from(percent).unwrap_or(0),
            headers: path
                .append_headers
                .iter()
                .chain(&split.append_headers)
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INGRESS: &str = r#"
apiVersion: networking.internal.knative.dev/v1alpha1
kind: Ingress
metadata:
  name: hello
  namespace: default
  annotations: {networking.knative.dev/ingress.class: istio.ingress.networking.knative.dev}
spec:
  rules:
  - hosts: [hello.default, hello.default.svc.cluster.local]
    visibility: ClusterLocal
    http: {paths: [{splits: [{serviceNamespace: default, serviceName: hello-00001, servicePort: 80, percent: 100}]}]}
  - hosts: [hello.default.example.com]
    visibility: ExternalIP
    http:
      paths:
      - splits:
        - {serviceNamespace: default, serviceName: hello-00001, servicePort: 80, percent: 90, appendHeaders: {Knative-Serving-Revision: hello-00001}}
        - {serviceNamespace: default, serviceName: hello-00002, servicePort: 80, percent: 10}
      - path: /api
        appendHeaders: {X-Api: "1"}
        splits: [{serviceNamespace: default, serviceName: api, servicePort: 80}]
      - headers: {Knative-Serving-Tag: {exact: old}}
        splits: [{serviceNamespace: default, serviceName: hello-00001, servicePort: 80, percent: 100}]
"#;

    fn routes(yaml: &str) -> Routes {
        Routes::new(&[serde_saphyr::from_str::<KIngress>(yaml).unwrap()])
    }

    fn service(host: &str, path: &str, headers: &HeaderMap) -> Option<String> {
        routes(INGRESS)
            .find(host, path, headers)?
            .upstream(0)
            .map(|upstream| upstream.service.clone())
    }

    #[test]
    fn hosts_are_exact_with_or_without_port_and_in_any_case() {
        let none = HeaderMap::new();
        for host in [
            "hello.default.example.com",
            "hello.default.example.com:80",
            "Hello.Default.Example.COM",
        ] {
            assert_eq!(
                service(host, "/", &none).as_deref(),
                Some("hello-00001"),
                "{host}"
            );
        }
        for host in [
            "hello.default",
            "x.hello.default.example.com",
            "default.example.com",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(service(host, "/", &none), None, "{host}");
        }
    }

    #[test]
    fn headers_go_before_longer_paths_before_the_rest() {
        let mut tagged = HeaderMap::new();
        assert_eq!(
            service("hello.default.example.com", "/api/v1", &tagged).as_deref(),
            Some("api")
        );
        tagged.insert("knative-serving-tag", "old".parse().unwrap());
        assert_eq!(
            service("hello.default.example.com", "/api/v1", &tagged).as_deref(),
            Some("hello-00001")
        );
    }

    #[test]
    fn splits_take_their_share_and_their_headers() {
        let routes = routes(INGRESS);
        let route = routes
            .find("hello.default.example.com", "/", &HeaderMap::new())
            .unwrap();
        let drawn = |n: u32| route.upstream(n).unwrap();
        assert_eq!(
            (0..100)
                .filter(|n| drawn(*n).service == "hello-00002")
                .count(),
            10
        );
        assert_eq!(drawn(0).headers["Knative-Serving-Revision"], "hello-00001");
        let api = routes
            .find("hello.default.example.com", "/api", &HeaderMap::new())
            .unwrap();
        assert_eq!(api.upstream(7).unwrap().headers["X-Api"], "1");
    }

    #[test]
    fn another_class_is_not_served() {
        let other = INGRESS.replace("istio.ingress", "kourier.ingress");
        assert_eq!(routes(&other).hosts(), 0);
    }
}
