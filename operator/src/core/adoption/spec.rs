//! From what class and binding say to what is meant, of what they adopt.

use std::collections::BTreeMap;

use crds::v1alpha1::{
    Adoptable, ApiGroup, BindingApiGateway, ClassApiGateway, Existing, GatewayBindingClassSpec,
    Reason, TestDomain,
};

use super::GroupWish;
use crate::core::key::by_id;
use crate::core::names;
use crate::core::problem::Problem;

/// How keys name something adopted.
pub fn handle(existing: &Existing) -> String {
    by_id(&existing.id)
}

/// What a class says about a group that it adopts.
pub fn group(group: &ApiGroup, instance: Option<String>) -> GroupWish {
    GroupWish {
        instead: names::group_name(&group.name),
        description: group.description.clone(),
        test_domain: group
            .test_domain
            .map(|domain| domain == TestDomain::Enabled),
        instance,
        needs_host: false,
    }
}

/// How keys name the ways to gateways' ports that a class adopts.
pub fn backends(gateway: &ClassApiGateway) -> BTreeMap<(String, u16), String> {
    let backends = gateway.backends.iter().flatten();
    backends
        .filter_map(|backend| {
            let port = u16::try_from(backend.port).ok()?;
            Some(((backend.gateway.clone(), port), handle(&backend.existing)))
        })
        .collect()
}

/// Whether the class lets the binding adopt what it names by an id.
pub fn consent(
    wish: &BindingApiGateway,
    class: &GatewayBindingClassSpec,
    class_name: &str,
) -> Result<(), Problem> {
    let refused = |path: &str, kind: Adoptable, what: &str| {
        Err(Problem::rejected(
            Reason::NotAllowedByClass,
            format!(
                "{path}: GatewayBindingClass \"{}\" does not let bindings adopt {what}. Remove the field, or ask for {kind:?} in adoptable.",
                class_name
            ),
        ))
    };
    let throttling = wish.throttling.as_ref();
    if throttling.is_some_and(|throttling| throttling.existing.is_some())
        && !class.may_adopt(Adoptable::Policy)
    {
        let path = "spec.apiGateway.throttling.existing";
        return refused(path, Adoptable::Policy, "throttling policies");
    }
    let mut routes = wish.routes.iter().flatten();
    match routes.find(|route| route.existing.is_some()) {
        Some(route) if !class.may_adopt(Adoptable::API) => {
            let path = format!("spec.apiGateway.routes[{}].existing", route.name);
            refused(&path, Adoptable::API, "APIs")
        }
        _ => Ok(()),
    }
}
