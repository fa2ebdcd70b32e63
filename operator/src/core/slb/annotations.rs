//! Settings as the annotations that the cloud controller manager reads.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    AddressType, IpVersion, OnOff, PublishedAddress, SlbBilling, SlbClientAddresses, SlbExisting,
    SlbHealthCheck, SlbHealthCheckMethod, SlbHealthCheckType, SlbInstanceCharge, SlbListener,
    SlbProtocol, SlbScheduler, SlbSessionPersistence, SlbSettings, SlbStatusCodes, SlbTimeouts,
    SlbTrafficCharge,
};
use kube::core::Duration;
use serde_json::Value;

use super::table::{self, Change, Level};
use super::{PREFIX, existing};

/// The annotations for these settings, in the current key form.
pub fn annotations(settings: &SlbSettings) -> BTreeMap<String, String> {
    let mut writer = Writer::default();
    writer.instance(settings);
    writer.listeners(settings);
    if let Some(existing) = &settings.existing {
        writer.only_consented(existing);
    }
    writer.0
}

/// Annotations, as they are collected.
#[derive(Default)]
struct Writer(BTreeMap<String, String>);

impl Writer {
    fn set(&mut self, key: &str, value: impl ToString) {
        self.0.insert(format!("{PREFIX}{key}"), value.to_string());
    }

    fn set_if(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Nothing is written for a load balancer that others made but what was consented to.
    fn only_consented(&mut self, existing: &SlbExisting) {
        self.0.retain(|key, _| {
            let row = key.strip_prefix(PREFIX).and_then(table::find);
            row.is_some_and(|row| match row.level() {
                Level::Instance => existing.manages_instance(),
                Level::Listener => existing.overrides_listeners(),
                Level::Life | Level::Published => row.change != Change::Ignored,
            })
        });
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
        if let Some(tags) = &settings.tags {
            let tags: Vec<String> = tags
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            self.set("additional-resource-tags", tags.join(","));
        }
        if let Some(protection) = &settings.protection {
            self.set_if("delete-protection", protection.deletion.map(on_off));
            let modification = protection.modification.map(|switch| match switch {
                OnOff::On => "ConsoleProtection",
                OnOff::Off => "NonProtection",
            });
            self.set_if("modification-protection", modification);
        }
        if settings.published_address == Some(PublishedAddress::EIP) {
            self.set("external-ip-type", "eip");
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
        self.set_if(
            "cert-id",
            settings
                .certificate
                .as_ref()
                .map(|certificate| &certificate.id),
        );
        self.set_if("tls-cipher-policy", settings.tls_policy.map(word));
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

pub(super) fn on_off(switch: OnOff) -> &'static str {
    match switch {
        OnOff::On => "on",
        OnOff::Off => "off",
    }
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
    }
}

fn status_codes(codes: &[SlbStatusCodes]) -> String {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    let words: Vec<String> = codes
        .iter()
        .map(|code| format!("http_{}", word(code)))
        .collect();
    words.join(",")
}

/// The vendor's own word, which is how the value is written in the API as well.
pub(super) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Whole seconds.
fn seconds(duration: &Duration) -> u64 {
    std::time::Duration::from(*duration).as_secs()
}
