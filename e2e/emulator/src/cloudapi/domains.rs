//! Custom domains of groups: binding only, no certificates.

use serde_json::{Value, json};

use super::errors;
use super::find::{done, optional_stage};
use super::state::{Domain, Group};
use crate::api::{Answer, Request};
use crate::world::World;

pub(super) fn handle(world: &mut World, request: &Request) -> Option<Answer> {
    Some(match request.action.as_str() {
        "SetDomain" => set(world, request),
        "DescribeDomain" => describe(world, request),
        "DeleteDomain" => delete(world, request),
        _ => return None,
    })
}

fn set(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = params.required("DomainName")?.to_ascii_lowercase();
    let plain = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-*".contains(c))
    };
    if !name.contains('.') || !name.split('.').all(plain) || name.ends_with(".alicloudapi.com") {
        return Err(errors::invalid(
            "DomainName",
            &format!("\"{name}\" is no domain of yours"),
        ));
    }
    let stage = optional_stage(params)?;
    let stage = match params.filled("BindStageName") {
        Some(text) => Some(super::Stage::of(text).ok_or_else(|| errors::not_found("Stage"))?),
        None => stage,
    };
    let kind = params
        .one_of("CustomDomainType", &["INTERNET", "INTRANET"])?
        .unwrap_or("INTERNET")
        .to_owned();
    let force = params.bool("IsForce")?.unwrap_or(false);
    let group_id = params.required("GroupId")?;
    let group = world.cloudapi.group(group_id)?;
    if group.domains.len() >= 5 && !group.domains.contains_key(&name) {
        return Err(errors::exceeded("Domain", 5));
    }
    for other in world
        .cloudapi
        .groups
        .values_mut()
        .map(|group| &mut group.value)
    {
        if other.id == group_id || !other.domains.contains_key(&name) {
            continue;
        }
        if !force {
            return Err(crate::api::ApiError::bad_request(
                "DomainAlreadyBind",
                "The specified domain has already been bound.",
            ));
        }
        other.domains.remove(&name);
    }
    let region = world.region.clone();
    let group = world.cloudapi.group_mut(group_id)?;
    group.domains.insert(name.clone(), Domain { stage, kind });
    group.modified = request.now;
    Ok(json!({
        "GroupId": group.id,
        "DomainName": name,
        "SubDomain": group.sub_domain(&region),
        "DomainBindingStatus": "BINDING",
        "DomainLegalStatus": "NORMAL",
        "DomainWebSocketStatus": "CLOSE",
        "DomainRemark": "",
    }))
}

fn describe(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let group = world.cloudapi.group(params.required("GroupId")?)?;
    let name = params.required("DomainName")?.to_ascii_lowercase();
    let domain = group
        .domains
        .get(&name)
        .ok_or_else(|| errors::not_found("Domain"))?;
    let mut answer = item(&name, domain);
    if let Some(members) = answer.as_object_mut() {
        members.insert("GroupId".to_owned(), json!(group.id));
        members.insert(
            "SubDomain".to_owned(),
            json!(group.sub_domain(&world.region)),
        );
    }
    Ok(answer)
}

/// Deleting what is not there succeeds.
fn delete(world: &mut World, request: &Request) -> Answer {
    let params = &request.params;
    let name = params.required("DomainName")?.to_ascii_lowercase();
    let group = world.cloudapi.group_mut(params.required("GroupId")?)?;
    if group.domains.remove(&name).is_some() {
        group.modified = request.now;
    }
    Ok(done())
}

/// The domains of a group as `DescribeApiGroup` lists them.
pub(super) fn items(group: &Group) -> Vec<Value> {
    group
        .domains
        .iter()
        .map(|(name, domain)| item(name, domain))
        .collect()
}

fn item(name: &str, domain: &Domain) -> Value {
    json!({
        "DomainName": name,
        "BindStageName": domain.stage.map_or("", super::Stage::as_str),
        "CustomDomainType": domain.kind,
        "DomainBindingStatus": "BINDING",
        "DomainCNAMEStatus": "RESOLVED",
        "DomainLegalStatus": "NORMAL",
        "DomainWebSocketStatus": "CLOSE",
        "DomainRemark": "",
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cloud;

    #[test]
    fn a_domain_belongs_to_one_group() {
        let mut cloud = Cloud::new();
        let (one, two) = (cloud.group("group_one"), cloud.group("group_two"));
        cloud.ok(
            "SetDomain",
            &[("GroupId", &one), ("DomainName", "api.example.com")],
        );
        let again = [("GroupId", two.as_str()), ("DomainName", "api.example.com")];
        assert_eq!(cloud.refused("SetDomain", &again), "DomainAlreadyBind");
        cloud.ok("SetDomain", &[again[0], again[1], ("IsForce", "true")]);
        assert_eq!(
            cloud.refused(
                "DescribeDomain",
                &[("GroupId", &one), ("DomainName", "api.example.com")]
            ),
            "NotFoundDomain"
        );
        let shown = cloud.ok("DescribeApiGroup", &[("GroupId", &two)]);
        assert_eq!(
            shown["CustomDomains"]["DomainItem"][0]["DomainName"],
            "api.example.com"
        );
        cloud.ok("DeleteDomain", &again);
        cloud.ok("DeleteDomain", &again);
    }
}
