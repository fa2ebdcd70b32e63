//! What a Service says in annotations of either form, as settings; and what of it says nothing, or
//! something dangerous.

mod listeners;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{
    AddressType, ExistingInstance, ExistingListeners, IpVersion, PublishedAddress, SlbBackendType,
    SlbBackends, SlbBilling, SlbConsoleWeights, SlbCordonedNodes, SlbExisting, SlbField,
    SlbInstanceCharge, SlbProtection, SlbSettings, SlbTrafficCharge, SlbZones, Switch,
};

use super::super::observed::ServiceState;
use super::table;
use super::{BACKEND_TYPE, LEGACY_PREFIX, PREFIX, annotations, check};
pub(in crate::core) use reader::Reader;

/// Annotations as settings of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading<S = SlbSettings> {
    /// What they say.
    pub settings: S,
    /// What no setting says, by the name of the annotation.
    pub findings: Vec<Finding>,
}

/// Something about annotations that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The annotation, without its prefix.
    pub name: String,
    /// What is the matter with it, in a sentence or two.
    pub why: String,
    /// Whether the settings leave it out.
    pub left_out: bool,
}

/// The settings that a Service says in either form, or its load balancer has by itself; and what else
/// it says to the cloud controller manager, as keys without their prefix.
pub fn settings(
    annotations: &BTreeMap<String, String>,
    actual_type: Option<&str>,
) -> (SlbSettings, Vec<String>) {
    let reading = read(annotations, actual_type);
    let left_out = reading.findings.into_iter();
    let left_out: BTreeSet<String> = left_out
        .filter(|finding| finding.left_out)
        .map(|finding| finding.name)
        .collect();
    (reading.settings, left_out.into_iter().collect())
}

/// Reads all annotations; `actual_type` is what the load balancer is, where nothing is said.
pub fn read(annotations: &BTreeMap<String, String>, actual_type: Option<&str>) -> Reading {
    let mut reader = Reader::of(annotations);
    let mut settings = reader.instance();
    if settings.address_type.is_none() && settings.existing.is_none() {
        let actual = actual_type.and_then(address_type);
        settings.address_type = actual;
    }
    reader.listeners(&mut settings);
    settings.backends = reader.backends();
    reader.without_consent(&mut settings);
    reader.rest(table::UNWRITTEN, "classic");
    let rows = table::ANNOTATIONS;
    reader.contradictions(&mut settings, rows, SlbField::Listeners, check);
    let findings = reader.findings();
    Reading { settings, findings }
}

/// Whether a Service says what an annotation of ours would say, in the form of old.
pub fn is_said(key: &str, value: &str, service: &ServiceState) -> bool {
    let legacy = key.strip_prefix(PREFIX).and_then(|setting| {
        let key = format!("{LEGACY_PREFIX}{setting}");
        service.annotations.get(&key)
    });
    !service.annotations.contains_key(key) && legacy.is_some_and(|said| said == value)
}

fn address_type(word: &str) -> Option<AddressType> {
    let types = [AddressType::Intranet, AddressType::Internet];
    types
        .into_iter()
        .find(|known| annotations::address_type(*known) == word)
}

impl Reader<'_> {
    fn instance(&mut self) -> SlbSettings {
        let types = [
            ("intranet", AddressType::Intranet),
            ("internet", AddressType::Internet),
        ];
        let versions = [("ipv4", IpVersion::IPv4), ("ipv6", IpVersion::IPv6)];
        let backup = self.take("slave-zoneid").map(str::to_owned);
        let primary = self.take("master-zoneid").map(str::to_owned);
        if let (None, Some(_)) = (&primary, &backup) {
            self.leave(
                "slave-zoneid",
                "it goes with master-zoneid, which is not there.",
            );
        }
        SlbSettings {
            address_type: self.one_of("address-type", &types),
            existing: self.existing(),
            name: self.take("name").map(str::to_owned),
            zones: primary.map(|primary| SlbZones { primary, backup }),
            vswitch_id: self.take("vswitch-id").map(str::to_owned),
            address: self.take("ip").map(str::to_owned),
            ip_version: self.one_of("ip-version", &versions),
            billing: self.billing(),
            resource_group_id: self.take("resource-group-id").map(str::to_owned),
            tags: self.tags(),
            protection: self.protection(),
            published_address: self.one_of("external-ip-type", &[("eip", PublishedAddress::EIP)]),
            published_hostname: self.take("hostname").map(str::to_owned),
            on_delete: self.on_delete(),
            ..SlbSettings::default()
        }
    }

    fn existing(&mut self) -> Option<SlbExisting> {
        let (id, overrides) = self.named()?;
        Some(SlbExisting {
            id,
            listeners: overrides.then_some(ExistingListeners::Override),
            instance: None,
        })
    }

    fn without_consent(&mut self, settings: &mut SlbSettings) {
        let Some(existing) = settings.existing.clone() else {
            return;
        };
        let overrides = existing.overrides_listeners();
        let manages = self.consented(settings, table::ANNOTATIONS, overrides);
        if let Some(existing) = settings.existing.as_mut().filter(|_| manages) {
            existing.instance = Some(ExistingInstance::Manage);
        }
        if settings.vswitch_id.take().is_some() {
            self.leave(
                "vswitch-id",
                "it is dead: the load balancer is there already.",
            );
        }
    }

    fn billing(&mut self) -> Option<SlbBilling> {
        let charges = [
            ("PayByCLCU", SlbInstanceCharge::PayByCLCU),
            ("PayBySpec", SlbInstanceCharge::PayBySpec),
        ];
        let traffic = [
            ("paybytraffic", SlbTrafficCharge::PayByTraffic),
            ("paybybandwidth", SlbTrafficCharge::PayByBandwidth),
        ];
        let instance = self.one_of("instance-charge-type", &charges);
        let spec = self.word("spec");
        let traffic = self.one_of("charge-type", &traffic);
        let bandwidth = self.number("bandwidth");
        let by_spec = instance == Some(SlbInstanceCharge::PayBySpec);
        let by_bandwidth = by_spec && traffic == Some(SlbTrafficCharge::PayByBandwidth);
        if spec.is_some() && !by_spec {
            self.leave("spec", "it is dead without instance-charge-type PayBySpec: load balancers are paid by use, and one of a fixed size is no longer sold to new buyers.");
        }
        if traffic == Some(SlbTrafficCharge::PayByBandwidth) && !by_spec {
            self.leave(
                "charge-type",
                "paybybandwidth is sold with instance-charge-type PayBySpec alone.",
            );
        }
        if bandwidth.is_some() && !by_bandwidth {
            self.leave("bandwidth", "it is dead without charge-type paybybandwidth, which is sold with instance-charge-type PayBySpec alone.");
        }
        let kept = by_spec || traffic != Some(SlbTrafficCharge::PayByBandwidth);
        let traffic = traffic.filter(|_| kept);
        if instance.is_none() && traffic.is_none() {
            return None;
        }
        Some(SlbBilling {
            instance: instance.unwrap_or(SlbInstanceCharge::PayByCLCU),
            spec: spec.filter(|_| by_spec),
            traffic,
            bandwidth_mbps: bandwidth.filter(|_| by_bandwidth),
        })
    }

    fn protection(&mut self) -> Option<SlbProtection> {
        let words = [
            ("ConsoleProtection", Switch::Enabled),
            ("NonProtection", Switch::Disabled),
        ];
        let protection = SlbProtection {
            deletion: self.switch("delete-protection"),
            modification: self.one_of("modification-protection", &words),
        };
        let says = protection.deletion.is_some() || protection.modification.is_some();
        says.then_some(protection)
    }

    pub(in crate::core) fn backends(&mut self) -> Option<SlbBackends> {
        let types = [
            ("eni", SlbBackendType::Pods),
            ("ecs", SlbBackendType::Nodes),
        ];
        let labels = self.take("backend-label");
        let labels = labels.map(|said| self.pairs("backend-label", said));
        let backends = SlbBackends {
            type_: self.one_of(BACKEND_TYPE.0, &types),
            node_labels: labels.filter(|labels| !labels.is_empty()),
            cordoned_nodes: (self.take("remove-unscheduled-backend") == Some("on"))
                .then_some(SlbCordonedNodes::Remove),
            weight: self.number("default-weight"),
            console_weights: (self.take("ignore-weight-update") == Some("on"))
                .then_some(SlbConsoleWeights::Keep),
        };
        let nothing = SlbBackends {
            type_: None,
            node_labels: None,
            cordoned_nodes: None,
            weight: None,
            console_weights: None,
        };
        (backends != nothing).then_some(backends)
    }
}
