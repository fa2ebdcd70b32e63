//! What a Service says in annotations of either form, as settings; and what of it says nothing, or
//! something dangerous.

mod listeners;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{
    AddressType, ExistingInstance, ExistingListeners, IpVersion, OnDelete, PublishedAddress,
    SettingsField, SlbBackendType, SlbBackends, SlbBilling, SlbConsoleWeights, SlbCordonedNodes,
    SlbExisting, SlbField, SlbInstanceCharge, SlbProtection, SlbSettings, SlbTrafficCharge,
    SlbZones, Switch,
};
use serde::de::DeserializeOwned;

use super::super::observed::ServiceState;
use super::check::Fault;
use super::table::{self, Annotation, Level, Unwritten};
use super::{BACKEND_TYPE, LEGACY_PREFIX, PREFIX, annotations, check};

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

/// Annotations, as they are read off.
pub(in crate::core) struct Reader<'a> {
    annotations: &'a BTreeMap<String, String>,
    /// Names that nobody has asked for yet.
    rest: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(in crate::core) fn of(annotations: &'a BTreeMap<String, String>) -> Self {
        let mut reader = Self {
            annotations,
            rest: BTreeSet::new(),
            findings: Vec::new(),
        };
        for (key, value) in annotations {
            let (name, older) = match (super::name(key), key.strip_prefix(LEGACY_PREFIX)) {
                (Some(name), _) => (name, annotations.get(&format!("{LEGACY_PREFIX}{name}"))),
                (None, Some(name)) => (name, None),
                (None, None) => continue,
            };
            reader.rest.insert(name);
            if let Some(older) = older.filter(|older| *older != value) {
                reader.note(name, &format!("it is said twice: \"{value}\" counts, and masks \"{older}\" under the older key {LEGACY_PREFIX}{name}, which would come back if the current key were removed."));
            }
        }
        reader
    }

    /// Something to know of an annotation that is read.
    pub(in crate::core) fn note(&mut self, name: &str, why: &str) {
        self.find(name, why, false);
    }

    /// Why an annotation is left out.
    pub(in crate::core) fn leave(&mut self, name: &str, why: &str) {
        self.find(name, why, true);
    }

    fn find(&mut self, name: &str, why: &str, left_out: bool) {
        self.findings.push(Finding {
            name: name.to_owned(),
            why: why.to_owned(),
            left_out,
        });
    }

    /// What is said, if it says anything. The current form is read first, even if it says nothing.
    pub(in crate::core) fn take(&mut self, name: &str) -> Option<&'a str> {
        self.rest.remove(name);
        self.peek(name)
    }

    pub(in crate::core) fn peek(&self, name: &str) -> Option<&'a str> {
        let current = self.annotations.get(&super::key(name));
        let older = || {
            let has_older = name != BACKEND_TYPE.0;
            let key = format!("{LEGACY_PREFIX}{name}");
            self.annotations.get(&key).filter(|_| has_older)
        };
        let said = current.or_else(older)?;
        (!said.is_empty()).then_some(said.as_str())
    }

    /// One of some words.
    pub(in crate::core) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let said = self.take(name)?;
        let found = words.iter().find(|(word, _)| *word == said);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.leave(name, &format!("\"{said}\" is none of {}. The cloud controller manager does not check it: the API refuses it, or it is ignored.", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A word that the API has as well.
    pub(in crate::core) fn word<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let said = self.take(name)?;
        let read = serde_json::from_value(said.into()).ok();
        if read.is_none() {
            self.leave(name, &format!("\"{said}\" is nothing that the API knows."));
        }
        read
    }

    pub(in crate::core) fn switch(&mut self, name: &str) -> Option<Switch> {
        let words = [("on", Switch::Enabled), ("off", Switch::Disabled)];
        self.one_of(name, &words)
    }

    pub(in crate::core) fn number(&mut self, name: &str) -> Option<i32> {
        let said = self.take(name)?;
        let read = said.parse().ok();
        if read.is_none() {
            self.leave(name, &format!("\"{said}\" is no number, and keeps the cloud controller manager from doing anything for the Service, backends included."));
        }
        read
    }

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

    /// The load balancer of others that is named, and whether its listeners are taken over.
    pub(in crate::core) fn named(&mut self) -> Option<(String, bool)> {
        let overrides = self.take("force-override-listeners");
        let id = self.take("id").map(str::to_owned);
        let name = "force-override-listeners";
        match (overrides, &id) {
            (Some("true"), Some(_)) => self.note(name, "listeners of the same ports are taken over, whoever made them, and are deleted with the Service."),
            (Some("true"), None) => self.leave(name, "it only counts with id: the load balancer of the Service is its own."),
            (Some(other), _) => self.leave(name, &format!("\"{other}\" is not true: only \"true\" is.")),
            (None, _) => {}
        }
        Some((id?, overrides == Some("true")))
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

    /// What is set of a load balancer that others made is set with consent, and what cannot be is left
    /// out. Gives whether the load balancer itself is changed.
    pub(in crate::core) fn consented<F: SettingsField>(
        &mut self,
        settings: &mut F::Settings,
        rows: &[Annotation<F>],
        overrides: bool,
    ) -> bool {
        let mut manages = false;
        for field in F::EACH.iter().copied() {
            let mut of = rows.iter().filter(|row| row.field == field).peekable();
            let level = of.peek().map(|row| row.level());
            let names: Vec<&str> = of
                .filter(|row| self.peek(row.key).is_some())
                .map(|row| row.key)
                .collect();
            if !field.is_set(settings) {
                continue;
            }
            match level {
                Some(Level::Instance) if !names.is_empty() => {
                    for name in names {
                        self.note(name, "it changes a load balancer that others made.");
                    }
                    manages = true;
                }
                Some(Level::Listener) if !overrides => {
                    for name in names {
                        self.leave(name, "it is dead: without force-override-listeners no listener of a load balancer that others made is touched.");
                    }
                    field.copy(settings, &F::Settings::default());
                }
                _ => {}
            }
        }
        manages
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

    pub(in crate::core) fn tags(&mut self) -> Option<BTreeMap<String, String>> {
        let name = "additional-resource-tags";
        let said = self.take(name)?;
        self.note(name, "the cloud controller manager removes every tag of the load balancer that it does not name.");
        Some(self.pairs(name, said)).filter(|pairs| !pairs.is_empty())
    }

    /// `k1=v1,k2=v2`, as the cloud controller manager reads it.
    fn pairs(&mut self, name: &str, said: &str) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        for pair in said.split(',') {
            let mut parts = pair.split('=').map(str::trim);
            let key = parts.next().unwrap_or_default();
            let value = parts.next().unwrap_or_default();
            if parts.next().is_some() {
                self.note(
                    name,
                    &format!("of \"{pair}\" only \"{key}={value}\" is read."),
                );
            }
            if !key.is_empty() {
                pairs.insert(key.to_owned(), value.to_owned());
            }
        }
        pairs
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

    pub(in crate::core) fn on_delete(&mut self) -> Option<OnDelete> {
        let name = "preserve-lb-on-delete";
        let said = self.take(name)?;
        if said != "true" {
            self.note(
                name,
                &format!("\"{said}\" preserves as well: any value does."),
            );
        }
        Some(OnDelete::Preserve)
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

    /// What no setting of this kind of load balancer is about.
    pub(in crate::core) fn rest(&mut self, unwritten: &[Unwritten], kind: &str) {
        for name in std::mem::take(&mut self.rest) {
            let unwritten = unwritten.iter().find(|one| one.key == name);
            let unread = || {
                format!(
                    "the cloud controller manager (v2.14.0) does not read it for a {kind} load balancer."
                )
            };
            let why = unwritten.map_or_else(unread, |one| one.why.to_owned());
            self.leave(name, &why);
        }
    }

    /// What does not go together is left out, one after the other. What is missing is missing to
    /// listeners.
    pub(in crate::core) fn contradictions<F: SettingsField>(
        &mut self,
        settings: &mut F::Settings,
        rows: &[Annotation<F>],
        listeners: F,
        check: impl Fn(&F::Settings) -> Option<Fault>,
    ) {
        while let Some(fault) = check(settings) {
            let of = |field: &&F| {
                fault.path == field.path() || fault.path.starts_with(&format!("{}.", field.path()))
            };
            let mut fields = F::EACH
                .iter()
                .filter(of)
                .chain([&listeners])
                .filter(|field| field.is_set(settings));
            let Some(field) = fields.next() else {
                return;
            };
            field.copy(settings, &F::Settings::default());
            let names: Vec<&str> = rows
                .iter()
                .filter(|row| row.field == *field && self.peek(row.key).is_some())
                .map(|row| row.key)
                .collect();
            for name in names {
                self.leave(name, &fault.why);
            }
        }
    }

    /// All that was found, in order.
    pub(in crate::core) fn findings(self) -> Vec<Finding> {
        let mut findings = self.findings;
        findings.sort_by(|a, b| (&a.name, &a.why).cmp(&(&b.name, &b.why)));
        findings
    }
}
