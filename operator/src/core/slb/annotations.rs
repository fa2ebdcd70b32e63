//! Settings as the annotations that the cloud controller manager reads.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AddressType, IpVersion, OnDelete, PublishedAddress, SlbBackendType, SlbBackends, SlbBilling,
    SlbCertificate, SlbClientAddresses, SlbConsoleWeights, SlbCordonedNodes, SlbExisting,
    SlbForwardedHeader, SlbHealthCheck, SlbHealthCheckMethod, SlbHealthCheckType,
    SlbInstanceCharge, SlbListener, SlbProtocol, SlbScheduler, SlbSessionPersistence, SlbSettings,
    SlbStatusCodes, SlbTimeouts, SlbTrafficCharge, Switch,
};
use kube::core::Duration;
use serde_json::Value;

use super::existing;
use super::table::{self, Annotation, Change, Level};

/// The annotations for these settings, in the current key form.
pub fn annotations(settings: &SlbSettings) -> BTreeMap<String, String> {
    let mut writer = Writer::default();
    writer.instance(settings);
    writer.listeners(settings);
    if let Some(backends) = &settings.backends {
        writer.backends(backends);
    }
    if let Some(existing) = &settings.existing {
        only_consented(&mut writer.0, existing);
    }
    writer.0
}

/// Annotations, as they are collected.
#[derive(Default)]
pub(in crate::core) struct Writer(pub(in crate::core) BTreeMap<String, String>);

impl Writer {
    pub(in crate::core) fn set(&mut self, name: &str, value: impl ToString) {
        self.0.insert(super::key(name), value.to_string());
    }

    pub(in crate::core) fn set_if(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn instance(&mut self, settings: &SlbSettings) {
        self.set_if("address-type", settings.address_type.map(address_type));
        if let Some(existing) = &settings.existing {
            self.set(existing::ID, &existing.id);
            if existing.overrides_listeners() {
                self.set(existing::OVERRIDE, "true");
            }
        }
        self.set_if("name", settings.name.as_ref());
        if let Some(zones) = &settings.zones {
            self.set("master-zoneid", &zones.primary);
            self.set_if("slave-zoneid", zones.backup.as_ref());
        }
        self.set_if("vswitch-id", settings.vswitch_id.as_ref());
        self.set_if("ip", settings.address.as_ref());
        self.set_if("ip-version", settings.ip_version.map(ip_version));
        if let Some(billing) = &settings.billing {
            self.billing(billing);
        }
        self.set_if("resource-group-id", settings.resource_group_id.as_ref());
        self.set_if(
            "additional-resource-tags",
            settings.tags.as_ref().map(pairs),
        );
        if let Some(protection) = &settings.protection {
            self.set_if("delete-protection", protection.deletion.map(on_off));
            let modification = protection.modification.map(|switch| match switch {
                Switch::Enabled => "ConsoleProtection",
                Switch::Disabled => "NonProtection",
            });
            self.set_if("modification-protection", modification);
        }
        if settings.published_address == Some(PublishedAddress::EIP) {
            self.set("external-ip-type", "eip");
        }
        self.set_if("hostname", settings.published_hostname.as_ref());
        // Any value preserves, so the other choice is said by saying nothing.
        if settings.on_delete == Some(OnDelete::Preserve) {
            self.set("preserve-lb-on-delete", "true");
        }
    }

    /// The pairs that only count together are written together.
    fn billing(&mut self, billing: &SlbBilling) {
        let instance = match billing.instance {
            SlbInstanceCharge::PayByCLCU => "PayByCLCU",
            SlbInstanceCharge::PayBySpec => "PayBySpec",
        };
        self.set("instance-charge-type", instance);
        self.set_if("spec", billing.spec.map(word));
        let traffic = billing.traffic.map(|traffic| match traffic {
            SlbTrafficCharge::PayByTraffic => "paybytraffic",
            SlbTrafficCharge::PayByBandwidth => "paybybandwidth",
        });
        self.set_if("charge-type", traffic);
        self.set_if("bandwidth", billing.bandwidth_mbps);
    }

    fn listeners(&mut self, settings: &SlbSettings) {
        if let Some(listeners) = &settings.listeners {
            self.protocols(listeners);
        }
        if let Some(certificate) = &settings.certificate {
            self.certificate(certificate);
        }
        self.set_if("tls-cipher-policy", settings.tls_policy.map(word));
        self.set_if("http2-enabled", settings.http2.map(on_off));
        self.set_if("proxy-protocol", settings.proxy_protocol.map(on_off));
        if let Some(headers) = &settings.forwarded_headers {
            self.forwarded_headers(headers);
        }
        self.set_if("scheduler", settings.scheduler.map(scheduler));
        if let Some(persistence) = &settings.session_persistence {
            self.session_persistence(persistence);
        }
        if let Some(drain) = &settings.connection_drain {
            self.set("connection-drain", "on");
            self.set("connection-drain-timeout", seconds(&drain.timeout));
        }
        if let Some(timeouts) = &settings.timeouts {
            self.timeouts(timeouts);
        }
        if let Some(addresses) = &settings.client_addresses {
            self.client_addresses(addresses);
        }
        if let Some(check) = &settings.health_check {
            self.health_check(check);
        }
    }

    fn protocols(&mut self, listeners: &[SlbListener]) {
        let mut listeners: Vec<&SlbListener> = listeners.iter().collect();
        listeners.sort_by_key(|listener| listener.port);
        let protocols: Vec<String> = listeners
            .iter()
            .map(|listener| format!("{}:{}", protocol(listener.protocol), listener.port))
            .collect();
        self.set("protocol-port", protocols.join(","));
        let forwards: Vec<String> = listeners
            .iter()
            .filter_map(|listener| Some(format!("{}:{}", listener.port, listener.redirect_to?)))
            .collect();
        if !forwards.is_empty() {
            self.set("forward-port", forwards.join(","));
        }
    }

    fn certificate(&mut self, certificate: &SlbCertificate) {
        self.set("cert-id", &certificate.id);
        let hosts = certificate.hosts.iter().flatten();
        let mut hosts: Vec<String> = hosts
            .map(|one| format!("{}:{}", one.host, one.id))
            .collect();
        hosts.sort_unstable();
        if !hosts.is_empty() {
            self.set("domain-extensions", hosts.join(","));
        }
    }

    fn forwarded_headers(&mut self, headers: &[SlbForwardedHeader]) {
        let switches = [
            ("xforwardedfor-proto", SlbForwardedHeader::Protocol),
            ("xforwardedfor-slbport", SlbForwardedHeader::ListenerPort),
            (
                "xforwardedfor-clientsrcport",
                SlbForwardedHeader::ClientPort,
            ),
        ];
        for (name, header) in switches {
            let on = headers.contains(&header);
            self.set(
                name,
                on_off(if on {
                    Switch::Enabled
                } else {
                    Switch::Disabled
                }),
            );
        }
    }

    /// What is said by nothing but "on" is left out where it is not wanted.
    pub(in crate::core) fn backends(&mut self, backends: &SlbBackends) {
        let type_ = backends.type_.map(|type_| match type_ {
            SlbBackendType::Pods => "eni",
            SlbBackendType::Nodes => "ecs",
        });
        self.set_if("backend-type", type_);
        self.set_if("backend-label", backends.node_labels.as_ref().map(pairs));
        if backends.cordoned_nodes == Some(SlbCordonedNodes::Remove) {
            self.set("remove-unscheduled-backend", "on");
        }
        self.set_if("default-weight", backends.weight);
        if backends.console_weights == Some(SlbConsoleWeights::Keep) {
            self.set("ignore-weight-update", "on");
        }
    }

    fn session_persistence(&mut self, persistence: &SlbSessionPersistence) {
        self.set_if(
            "persistence-timeout",
            persistence.source_address.as_ref().map(seconds),
        );
        if let Some(cookie) = &persistence.inserted_cookie {
            self.set("sticky-session", "on");
            self.set("sticky-session-type", "insert");
            self.set("cookie-timeout", seconds(&cookie.timeout));
        }
        if let Some(cookie) = &persistence.server_cookie {
            self.set("sticky-session", "on");
            self.set("sticky-session-type", "server");
            self.set("cookie", &cookie.name);
        }
    }

    fn timeouts(&mut self, timeouts: &SlbTimeouts) {
        self.set_if(
            "established-timeout",
            timeouts.established.as_ref().map(seconds),
        );
        self.set_if("idle-timeout", timeouts.idle.as_ref().map(seconds));
        self.set_if("request-timeout", timeouts.request.as_ref().map(seconds));
    }

    fn client_addresses(&mut self, addresses: &SlbClientAddresses) {
        let lists = [
            ("white", &addresses.allow_acls),
            ("black", &addresses.deny_acls),
        ];
        for (type_, lists) in lists {
            if let Some(lists) = lists {
                self.set("acl-status", "on");
                self.set("acl-type", type_);
                self.set("acl-id", lists.join(","));
            }
        }
    }

    /// HTTP listeners have a flag, the others a switch, and the time limit has two names as well.
    fn health_check(&mut self, check: &SlbHealthCheck) {
        if check.type_ == SlbHealthCheckType::None {
            self.set("health-check-flag", "off");
            self.set("health-check-switch", "off");
            return;
        }
        self.set("health-check-switch", "on");
        if check.type_ == SlbHealthCheckType::Http {
            self.set("health-check-flag", "on");
            self.set("health-check-type", "http");
            self.set("health-check-uri", check.path.as_deref().unwrap_or("/"));
            self.set_if("health-check-domain", check.host.as_ref());
            let method = check.method.map(|method| match method {
                SlbHealthCheckMethod::Head => "head",
                SlbHealthCheckMethod::Get => "get",
            });
            self.set_if("health-check-method", method);
            self.set_if(
                "health-check-httpcode",
                check.status_codes.as_deref().map(status_codes),
            );
        } else {
            self.set("health-check-flag", "off");
            self.set("health-check-type", "tcp");
        }
        self.set_if("health-check-connect-port", check.port);
        self.set_if(
            "health-check-interval",
            check.interval.as_ref().map(seconds),
        );
        self.set_if(
            "health-check-connect-timeout",
            check.timeout.as_ref().map(seconds),
        );
        self.set_if("health-check-timeout", check.timeout.as_ref().map(seconds));
        self.set_if("healthy-threshold", check.healthy_threshold);
        self.set_if("unhealthy-threshold", check.unhealthy_threshold);
    }
}

/// Nothing is written for a load balancer that others made but what was consented to.
pub(super) fn only_consented(annotations: &mut BTreeMap<String, String>, existing: &SlbExisting) {
    let consent = (existing.manages_instance(), existing.overrides_listeners());
    consented(table::ANNOTATIONS, annotations, consent);
}

/// The same, by a table of annotations and what was consented to: changes of the load balancer itself,
/// and listeners.
pub(in crate::core) fn consented<F>(
    rows: &[Annotation<F>],
    annotations: &mut BTreeMap<String, String>,
    (instance, listeners): (bool, bool),
) {
    annotations.retain(|key, _| {
        let name = super::name(key);
        let row = name.and_then(|name| rows.iter().find(|row| row.key == name));
        row.is_some_and(|row| match row.level() {
            Level::Instance => instance,
            Level::Listener => listeners,
            Level::Life | Level::Service => row.change != Change::Ignored,
        })
    });
}

/// An address type as the cloud writes it.
pub(super) fn address_type(type_: AddressType) -> &'static str {
    match type_ {
        AddressType::Intranet => "intranet",
        AddressType::Internet => "internet",
    }
}

/// A version of the Internet Protocol as the cloud writes it.
pub(super) fn ip_version(version: IpVersion) -> &'static str {
    match version {
        IpVersion::IPv4 => "ipv4",
        IpVersion::IPv6 => "ipv6",
    }
}

pub(in crate::core) fn on_off(switch: Switch) -> &'static str {
    match switch {
        Switch::Enabled => "on",
        Switch::Disabled => "off",
    }
}

/// `k1=v1,k2=v2`
pub(in crate::core) fn pairs(pairs: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn protocol(protocol: SlbProtocol) -> &'static str {
    match protocol {
        SlbProtocol::Tcp => "tcp",
        SlbProtocol::Udp => "udp",
        SlbProtocol::Http => "http",
        SlbProtocol::Https => "https",
    }
}

fn scheduler(scheduler: SlbScheduler) -> &'static str {
    match scheduler {
        SlbScheduler::RoundRobin => "rr",
        SlbScheduler::WeightedRoundRobin => "wrr",
        SlbScheduler::SourceHash => "sch",
        SlbScheduler::TupleHash => "tch",
        SlbScheduler::QuicHash => "qch",
    }
}

pub(in crate::core) fn status_codes(codes: &[SlbStatusCodes]) -> String {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    let words: Vec<String> = codes
        .iter()
        .map(|code| format!("http_{}", word(code)))
        .collect();
    words.join(",")
}

/// The vendor's own word, which is how the value is written in the API as well.
pub(in crate::core) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Whole seconds.
pub(in crate::core) fn seconds(duration: &Duration) -> u64 {
    std::time::Duration::from(*duration).as_secs()
}
