//! The vswitches of a load balancer: who says them, and whether ALB takes them.

use std::collections::BTreeMap;

use crds::v1alpha1::{AlbField, AlbGateway, AlbZoneMapping, GatewayBinding, Reason};
use kube::ResourceExt;

use super::network::Network;
use super::refusal::Refusal;

/// The vswitches that a load balancer gets its addresses from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vswitches {
    /// One in each zone, if they are as they should be.
    pub mappings: Vec<AlbZoneMapping>,
    /// The field that says so, for people.
    pub said_by: String,
}

impl Vswitches {
    /// Those whose zone is not said, each once.
    pub fn without_zone(&self) -> Vec<&str> {
        let alone = self.mappings.iter().filter(|one| one.zone_id.is_none());
        let mut ids: Vec<&str> = Vec::new();
        for one in alone {
            if !ids.contains(&one.vswitch_id.as_str()) {
                ids.push(&one.vswitch_id);
            }
        }
        ids
    }
}

/// The vswitches for a load balancer: those of the class, else of the oldest binding where the class
/// lets bindings say, else of `config-network`.
pub fn vswitches<'a>(
    gateway: &AlbGateway,
    bindings: impl IntoIterator<Item = &'a GatewayBinding>,
    network: &Network,
) -> Vswitches {
    let settings = gateway.settings.as_ref();
    if let Some(mappings) = settings.and_then(|settings| settings.zone_mappings.clone()) {
        return Vswitches {
            mappings,
            said_by: "alb.settings.zoneMappings in the class".to_owned(),
        };
    }
    let of_binding = gateway
        .binding_may_set(AlbField::ZoneMappings)
        .then(|| of_oldest(bindings))
        .flatten();
    of_binding.unwrap_or_else(|| Vswitches {
        mappings: network
            .vswitch_ids
            .iter()
            .map(|id| AlbZoneMapping {
                vswitch_id: id.clone(),
                zone_id: None,
            })
            .collect(),
        said_by: "vswitch-ids in ConfigMap knative-serving/config-network".to_owned(),
    })
}

fn of_oldest<'a>(bindings: impl IntoIterator<Item = &'a GatewayBinding>) -> Option<Vswitches> {
    let mut bindings: Vec<&GatewayBinding> = bindings.into_iter().collect();
    bindings.sort_by_key(|binding| {
        let created = binding.creation_timestamp().map(|time| time.0);
        (created, binding.namespace(), binding.name_any())
    });
    bindings.into_iter().find_map(|binding| {
        let alb = binding.spec.alb.as_ref()?;
        Some(Vswitches {
            mappings: alb.zone_mappings.clone()?,
            said_by: format!(
                "spec.alb.zoneMappings in GatewayBinding {}/{}",
                binding.namespace().unwrap_or_default(),
                binding.name_any()
            ),
        })
    })
}

/// Where a vswitch is, as the cloud shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its zone.
    pub zone: String,
    /// The VPC it is part of.
    pub vpc: String,
}

/// What is to be thought of vswitches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against them.
    Fit,
    /// The cloud shows none of those that were looked for. That may be for want of a permission, so it
    /// says nothing.
    Unseen,
    /// ALB would refuse them.
    Unfit(Refusal),
}

/// Whether ALB takes the vswitches for a load balancer that has to be made: one in each of two zones or
/// more, in one VPC (`CreateLoadBalancer`). `shown` has those [without a zone](Vswitches::without_zone)
/// that the cloud shows in the region.
pub fn judge(
    instance: &str,
    vswitches: &Vswitches,
    shown: &BTreeMap<String, Shown>,
    region: &str,
) -> Verdict {
    let sought = vswitches.without_zone();
    if !sought.is_empty() && shown.is_empty() {
        return Verdict::Unseen;
    }
    let missing = sought.into_iter().filter(|id| !shown.contains_key(*id));
    let missing: Vec<&str> = missing.collect();
    let Some(fault) = missed(&missing, region)
        .or_else(|| apart(shown))
        .or_else(|| crowded(vswitches, shown))
    else {
        return Verdict::Fit;
    };
    let message = format!(
        "AlbConfig \"{instance}\" has to be made, and {fault} Correct {}.",
        vswitches.said_by
    );
    Verdict::Unfit(Refusal::new(Reason::VswitchesUnusable, message))
}

fn missed(missing: &[&str], region: &str) -> Option<String> {
    if missing.is_empty() {
        return None;
    }
    let which = missing.join(", ");
    Some(format!(
        "the cloud shows no vswitch {which} in region {region}: it is not there, or the operator's RAM identity may not see it, and then its zoneId has to be given."
    ))
}

fn apart(shown: &BTreeMap<String, Shown>) -> Option<String> {
    let mut known = shown.iter().filter(|(_, one)| !one.vpc.is_empty());
    let (first, at) = known.next()?;
    let (other, elsewhere) = known.find(|(_, other)| other.vpc != at.vpc)?;
    Some(format!(
        "its vswitches are in different VPCs: {first} in {}, {other} in {}. A load balancer is in one VPC, that of the cluster.",
        at.vpc, elsewhere.vpc
    ))
}

fn crowded(vswitches: &Vswitches, shown: &BTreeMap<String, Shown>) -> Option<String> {
    let mut zones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for mapping in &vswitches.mappings {
        let id = mapping.vswitch_id.as_str();
        let of_cloud = || shown.get(id).map(|one| one.zone.as_str());
        let Some(zone) = mapping.zone_id.as_deref().or_else(of_cloud) else {
            continue;
        };
        let here = zones.entry(zone).or_default();
        if !here.contains(&id) {
            here.push(id);
        }
    }
    let crowd = zones
        .iter()
        .find(|(zone, ids)| !zone.is_empty() && ids.len() > 1);
    let (zone, ids) = crowd?;
    Some(format!(
        "its vswitches {} are in one zone, {zone}. ALB takes one vswitch in each of two zones or more.",
        ids.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway(yaml: &str) -> AlbGateway {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn binding(name: &str, created: &str, vswitch: &str) -> GatewayBinding {
        serde_json::from_value(json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBinding",
            "metadata": {"name": name, "namespace": "gray", "creationTimestamp": created},
            "spec": {
                "serviceRef": {"kind": "KnativeService", "name": name},
                "alb": {"zoneMappings": [{"vswitchId": vswitch}, {"vswitchId": "vsw-other"}]},
            },
        }))
        .unwrap()
    }

    #[test]
    fn vswitches_come_from_the_class_then_a_binding_then_knative() {
        let network = Network {
            vswitch_ids: vec!["vsw-n1".to_owned(), "vsw-n2".to_owned()],
            ..Network::default()
        };
        let bindings = [
            binding("young", "2026-11-20T08:00:02Z", "vsw-young"),
            binding("old", "2026-11-20T08:00:01Z", "vsw-old"),
        ];
        let said = "{settings: {zoneMappings: [{vswitchId: vsw-c1}, {vswitchId: vsw-c2}]}, bindingsMaySet: ['*']}";
        let open = "{bindingsMaySet: [zoneMappings]}";
        let knative = "vswitch-ids in ConfigMap knative-serving/config-network";
        for (said, bindings, ids, by) in [
            (
                said,
                &bindings[..],
                ["vsw-c1", "vsw-c2"],
                "alb.settings.zoneMappings in the class",
            ),
            (
                open,
                &bindings,
                ["vsw-old", "vsw-other"],
                "spec.alb.zoneMappings in GatewayBinding gray/old",
            ),
            ("{}", &bindings, ["vsw-n1", "vsw-n2"], knative),
            (open, &[], ["vsw-n1", "vsw-n2"], knative),
        ] {
            let found = vswitches(&gateway(said), bindings, &network);
            assert_eq!(found.without_zone(), ids);
            assert_eq!(found.said_by, by);
        }
    }

    /// Each a vswitch, or a vswitch with its zone.
    fn named(all: &[&str]) -> Vswitches {
        let mapping = |one: &&str| {
            let (id, zone) = one.split_once('@').unwrap_or((one, ""));
            AlbZoneMapping {
                vswitch_id: id.to_owned(),
                zone_id: (!zone.is_empty()).then(|| zone.to_owned()),
            }
        };
        Vswitches {
            mappings: all.iter().map(mapping).collect(),
            said_by: "FIELD".to_owned(),
        }
    }

    /// Each `id zone vpc`.
    fn shown(all: &[&str]) -> BTreeMap<String, Shown> {
        let one = |one: &&str| {
            let [id, zone, vpc] = one.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{one}");
            };
            let (zone, vpc) = (zone.to_owned(), vpc.to_owned());
            (id.to_owned(), Shown { zone, vpc })
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn two_zones_of_one_vpc_are_fit() {
        for (said, seen) in [
            (&["a", "b"][..], &["a f v", "b g v"][..]),
            (&["a", "b@g"], &["a f v"]),
            (&["a@f", "b@g"], &[]),
            // Twice the same is counted elsewhere.
            (&["a", "a", "b"], &["a f v", "b g v"]),
            // What the cloud leaves out speaks against nothing.
            (&["a", "b"], &["a f v", "b g "]),
        ] {
            let verdict = judge("pay", &named(said), &shown(seen), "r");
            assert_eq!(verdict, Verdict::Fit, "{said:?}");
        }
    }

    #[test]
    fn what_alb_would_refuse_is_told_with_its_place() {
        for (said, seen, words) in [
            (
                &["a", "b"][..],
                &["a f v", "b f v"][..],
                "its vswitches a and b are in one zone, f.",
            ),
            (
                &["a", "b@f"],
                &["a f v"],
                "its vswitches a and b are in one zone, f.",
            ),
            (
                &["a@f", "b@f"],
                &[],
                "its vswitches a and b are in one zone, f.",
            ),
            (
                &["a", "b", "c"],
                &["a f v", "b g v", "c g v"],
                "its vswitches b and c are in one zone, g.",
            ),
            (
                &["a", "b"],
                &["a f v", "b g w"],
                "in different VPCs: a in v, b in w.",
            ),
            (
                &["a", "b", "c"],
                &["b g v"],
                "the cloud shows no vswitch a, c in region r:",
            ),
        ] {
            let Verdict::Unfit(refusal) = judge("pay", &named(said), &shown(seen), "r") else {
                panic!("{said:?} with {seen:?} is fit");
            };
            assert_eq!(refusal.reason, Reason::VswitchesUnusable);
            let message = refusal.message;
            assert!(
                message.starts_with("AlbConfig \"pay\" has to be made, and "),
                "{message}"
            );
            assert!(message.contains(words), "{message}");
            assert!(message.ends_with(" Correct FIELD."), "{message}");
        }
    }

    /// A list may be empty since there is no right to it.
    #[test]
    fn an_empty_answer_says_nothing() {
        for said in [&["a", "b"][..], &["a", "b@g"]] {
            let verdict = judge("pay", &named(said), &BTreeMap::new(), "r");
            assert_eq!(verdict, Verdict::Unseen, "{said:?}");
        }
    }
}
