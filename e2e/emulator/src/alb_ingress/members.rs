//! Which Ingresses belong to an AlbConfig, and in which order.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::ResourceExt;

use super::failure::Failure;
use super::names::{self, annotation, key};

/// The classes of the controller, by name.
pub(super) type Classes = BTreeMap<String, IngressClass>;

/// The order of Ingresses that say none.
const ORDER_DEFAULT: i64 = 10;

/// Whether the controller cares for an Ingress at all.
pub(super) fn is_ours(ingress: &Ingress, classes: &Classes) -> bool {
    let class = names::class(ingress).and_then(|name| classes.get(name));
    let controller = class.and_then(|class| class.spec.as_ref()?.controller.as_deref());
    controller == Some(names::CONTROLLER)
}

/// The AlbConfig of an Ingress, by annotation or by class.
pub(super) fn albconfig(ingress: &Ingress, classes: &Classes) -> Result<String, Failure> {
    if let Some(name) = annotation(ingress, "albconfig.name").filter(|name| !name.is_empty()) {
        return Ok(name.to_owned());
    }
    let Some(class) = names::class(ingress).and_then(|name| classes.get(name)) else {
        return Ok(names::DEFAULT_GROUP.to_owned());
    };
    let parameters = class
        .spec
        .as_ref()
        .and_then(|spec| spec.parameters.as_ref());
    match parameters {
        Some(parameters) if parameters.name.is_empty() => Ok(names::DEFAULT_GROUP.to_owned()),
        Some(parameters) => Ok(parameters.name.clone()),
        None => Err(Failure::Ingress {
            key: key(ingress),
            message: format!(
                "albconfig must be referenced in IngressClass {}",
                class.name_any()
            ),
        }),
    }
}

/// The Ingresses of an AlbConfig by their order, then by namespace and name.
pub(super) fn of<'a>(
    name: &str,
    ingresses: &'a [Ingress],
    classes: &Classes,
) -> Result<Vec<&'a Ingress>, Failure> {
    let mut members = Vec::new();
    for ingress in ingresses.iter().filter(|ingress| is_ours(ingress, classes)) {
        if albconfig(ingress, classes)? != name || ingress.metadata.deletion_timestamp.is_some() {
            continue;
        }
        members.push(ingress);
    }
    in_order(members)
}

fn in_order(members: Vec<&Ingress>) -> Result<Vec<&Ingress>, Failure> {
    let mut explicit: BTreeMap<i64, String> = BTreeMap::new();
    let mut placed = Vec::new();
    for ingress in members {
        let failed = |message: String| Failure::Ingress {
            key: key(ingress),
            message,
        };
        let order = match order_text(ingress) {
            "" => ORDER_DEFAULT,
            text => {
                let order: i64 = text.parse().map_err(|_| {
                    failed(format!(
                        "failed to load Ingress group order for ingress: {}: strconv.ParseInt: parsing \"{text}\": invalid syntax",
                        key(ingress)
                    ))
                })?;
                if !(1..=1000).contains(&order) {
                    return Err(failed(format!(
                        "explicit Ingress group order must be within [1:1000], Ingress: {}, order: {order}",
                        key(ingress)
                    )));
                }
                if let Some(other) = explicit.insert(order, ingress.name_any()) {
                    return Err(failed(format!(
                        "conflict Ingress group order: {order}, conflict ingress :{other}, {}",
                        ingress.name_any()
                    )));
                }
                order
            }
        };
        placed.push((order, key(ingress), ingress));
    }
    placed.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    Ok(placed.into_iter().map(|(_, _, ingress)| ingress).collect())
}

fn order_text(ingress: &Ingress) -> &str {
    let alias = annotation(ingress, "albconfig.order").filter(|text| !text.is_empty());
    let own = annotation(ingress, "order");
    alias.or(own).unwrap_or_default()
}
