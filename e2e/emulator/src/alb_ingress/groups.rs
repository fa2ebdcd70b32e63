//! The server groups that the rules of an AlbConfig lead to: one each for Ingress, Service and port.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::failure::Unreadable;
use super::model::{GroupRef, WantedGroup};
use super::names::{annotation, either};
use super::ports;

/// The server groups seen so far, by resource id.
#[derive(Default)]
pub(super) struct GroupBook(pub(super) BTreeMap<String, WantedGroup>);

impl WantedGroup {
    /// What tells it in the cloud, as the tag `ingress.k8s.alibaba/resource`.
    pub(super) fn resource_id(&self) -> String {
        let text = format!(
            "{}/{}-{}:{}",
            self.namespace, self.ingress, self.service, self.port
        );
        hex::encode(Sha256::digest(text))
    }

    pub(super) fn name(&self) -> String {
        format!("{}-{}-{}", self.namespace, self.service, self.port)
    }

    /// Whether it only stands for a listener that has nothing else.
    pub(super) fn is_default(&self) -> bool {
        self.ingress.contains(DEFAULT_FLAG)
    }
}

/// What stands in the name of the Ingress that stands for a listener's default.
const DEFAULT_FLAG: &str = "-listener-";

impl GroupBook {
    pub(super) fn group(
        &mut self,
        ingress: &Ingress,
        service: &str,
        port: i64,
    ) -> Result<GroupRef, Unreadable> {
        if service.is_empty() {
            return Err(Unreadable::Error(
                "ingress namespace, ingress name and service name cant be empty".to_owned(),
            ));
        }
        let group = WantedGroup {
            namespace: ingress.namespace().unwrap_or_default(),
            ingress: ingress.name_any(),
            service: service.to_owned(),
            port,
            settings: settings(ingress)?,
        };
        Ok(GroupRef::Own(self.put(group)))
    }

    /// The empty server group of a listener.
    pub(super) fn default_of(&mut self, albconfig: &str, port: i64) -> String {
        self.put(WantedGroup {
            namespace: super::names::GROUP_NAMESPACE.to_owned(),
            ingress: format!("{albconfig}{DEFAULT_FLAG}{port}"),
            service: "fake-svc".to_owned(),
            port,
            settings: settings(&Ingress::default()).unwrap_or_default(),
        })
    }

    fn put(&mut self, group: WantedGroup) -> String {
        let id = group.resource_id();
        self.0.entry(id.clone()).or_insert(group);
        id
    }
}

/// The settings in annotations, as parameters of `CreateServerGroup`.
fn settings(ingress: &Ingress) -> Result<BTreeMap<String, String>, Unreadable> {
    let protocol = match annotation(ingress, "backend-protocol") {
        Some("grpc") => {
            check_grpc(ingress)?;
            "gRPC"
        }
        Some("https") => "HTTPS",
        _ => "HTTP",
    };
    let scheduler = match annotation(ingress, "backend-scheduler") {
        None | Some("wrr") => "Wrr",
        Some("wlc") => "Wlc",
        Some("sch") => "Sch",
        Some("uch") => "Uch",
        Some(other) => {
            return Err(Unreadable::Error(format!(
                "unkown backend scheduler [{other}]"
            )));
        }
    };
    let on = |name: &str| annotation(ingress, name) == Some("true");
    let or = |name: &str, default: &str| annotation(ingress, name).unwrap_or(default).to_owned();
    let mut all = BTreeMap::new();
    let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
    put("Protocol", protocol.to_owned());
    put("Scheduler", scheduler.to_owned());
    put("ServerGroupType", "instance".to_owned());
    put(
        "UpstreamKeepaliveEnabled",
        on("backend-keepalive").to_string(),
    );
    if scheduler == "Uch" {
        put("UchConfig.Type", "QueryString".to_owned());
        put("UchConfig.Value", or("backend-scheduler-uch-value", ""));
    }
    put(
        "HealthCheckConfig.HealthCheckEnabled",
        on("healthcheck-enabled").to_string(),
    );
    if on("healthcheck-enabled") {
        let members = [
            ("HealthCheckPath", "healthcheck-path", "/"),
            ("HealthCheckMethod", "healthcheck-method", "HEAD"),
            ("HealthCheckProtocol", "healthcheck-protocol", "HTTP"),
            ("HealthCheckInterval", "healthcheck-interval-seconds", "2"),
            ("HealthCheckTimeout", "healthcheck-timeout-seconds", "5"),
            ("HealthyThreshold", "healthy-threshold-count", "3"),
            ("UnhealthyThreshold", "unhealthy-threshold-count", "3"),
            ("HealthCheckConnectPort", "healthcheck-connect-port", "0"),
        ];
        for (member, name, default) in members {
            put(&format!("HealthCheckConfig.{member}"), or(name, default));
        }
        // What no annotation says.
        let fixed = [
            ("HealthCheckHost", "$SERVER_IP"),
            ("HealthCheckHttpVersion", "HTTP1.1"),
            ("HealthCheckTcpFastCloseEnabled", "false"),
        ];
        for (member, value) in fixed {
            put(&format!("HealthCheckConfig.{member}"), value.to_owned());
        }
        let codes = or("healthcheck-httpcode", "http_2xx");
        for (code, number) in codes.split(',').zip(1..) {
            for list in ["HealthCheckCodes", "HealthCheckHttpCodes"] {
                let name = format!("HealthCheckConfig.{list}.{number}");
                put(&name, code.to_owned());
            }
        }
    }
    put(
        "StickySessionConfig.StickySessionEnabled",
        on("sticky-session").to_string(),
    );
    if on("sticky-session") {
        put(
            "StickySessionConfig.StickySessionType",
            or("sticky-session-type", "Insert"),
        );
        put(
            "StickySessionConfig.CookieTimeout",
            or("cookie-timeout", "1000"),
        );
    }
    Ok(all)
}

/// gRPC needs a listener with TLS, beside one that only redirects.
fn check_grpc(ingress: &Ingress) -> Result<(), Unreadable> {
    let spec = ingress.spec.as_ref();
    let tls = spec
        .and_then(|spec| spec.tls.as_ref())
        .is_some_and(|tls| !tls.is_empty());
    if !tls {
        return Err(Unreadable::Error(
            "'grpc' backend protocol must be use with TLS listener(Ingress.Spec.TLS)".to_owned(),
        ));
    }
    if annotation(ingress, "listen-ports").is_some() {
        let redirected = either(ingress, "ssl-redirect") == "true";
        let plain = ports::of(ingress)?.into_iter();
        let mut plain = plain.filter(|(_, protocol)| protocol == "HTTP");
        if plain.any(|(port, _)| !(redirected && port == 80)) {
            return Err(Unreadable::Error(
                "'grpc' backend protocol must be use TLS listener only or redirect to".to_owned(),
            ));
        }
    }
    Ok(())
}
