//! What an action has to be allowed on. From the section on RAM of each action's page in the
//! vendor's API reference, as far as that was seen; `docs/ram.md` says which were.

use crate::api::{Product, Request};

/// A kind of thing and the parameter that names one; where it names none, all of the kind are meant.
struct Of(&'static str, Option<&'static str>);

const GROUP: Of = Of("apigroup", Some("GroupId"));
const GROUPS: Of = Of("apigroup", None);
const APP: Of = Of("app", Some("AppId"));
const APPS: Of = Of("app", None);
/// `AppIds` names several.
const THESE_APPS: Of = Of("app", Some("AppIds"));
const PLUGIN: Of = Of("plugin", Some("PluginId"));
const PLUGINS: Of = Of("plugin", None);
const ACCESS: Of = Of("vpcaccess", Some("VpcAccessId"));
const ACCESSES: Of = Of("vpcaccess", None);
const BALANCER: Of = Of("loadbalancer", Some("LoadBalancerId"));
const PROTECTED: Of = Of("loadbalancer", Some("ResourceId"));
const SERVER_GROUP: Of = Of("servergroup", Some("ServerGroupId"));
const SERVER_GROUPS: Of = Of("servergroup", None);
const BALANCERS: Of = Of("loadbalancer", None);
/// `ResourceId` names several.
const THESE_BALANCERS: Of = Of("loadbalancer", Some("ResourceId"));
const LISTENERS: Of = Of("listener", None);
const VPCS: Of = Of("vpc", None);
const VSWITCHES: Of = Of("vswitch", None);

/// The ARNs that all have to be allowed; `*` for an action that can only be allowed on everything.
pub(super) fn needed(request: &Request) -> Vec<String> {
    let kinds = kinds(request.product, &request.action);
    if kinds.is_empty() {
        return vec!["*".to_owned()];
    }
    kinds
        .iter()
        .flat_map(|Of(kind, parameter)| {
            let named = parameter.and_then(|name| named(request, name));
            let ids = named.unwrap_or_else(|| "*".to_owned());
            let arns = ids.split(',').map(|id| {
                let (product, account) =
                    (super::prefix(request.product), &request.caller.account_id);
                format!(
                    "acs:{product}:{}:{account}:{kind}/{}",
                    request.region,
                    id.trim()
                )
            });
            arns.collect::<Vec<_>>()
        })
        .collect()
}

/// The value of a parameter, or of the items of a list.
fn named(request: &Request, name: &str) -> Option<String> {
    let one = request.params.filled(name).map(str::to_owned);
    one.or_else(|| {
        let several = request.params.strings(name);
        (!several.is_empty()).then(|| several.join(","))
    })
}

fn kinds(product: Product, action: &str) -> &'static [Of] {
    match product {
        Product::CloudApi => of_api_gateway(action),
        Product::Alb => of_alb(action),
        Product::Nlb => of_nlb(action),
        Product::Slb => match action {
            "DescribeLoadBalancers" | "CreateLoadBalancer" => &[BALANCERS],
            action if action.contains("LoadBalancer") => &[BALANCER],
            _ => &[],
        },
        Product::Vpc => match action {
            "DescribeVpcs" => &[VPCS],
            "DescribeVSwitches" => &[VSWITCHES],
            _ => &[],
        },
        Product::Sts => &[],
    }
}

fn of_alb(action: &str) -> &'static [Of] {
    match action {
        "CreateLoadBalancer" | "ListLoadBalancers" => &[BALANCERS],
        "CreateServerGroup" | "ListServerGroups" => &[SERVER_GROUPS],
        "EnableDeletionProtection" | "DisableDeletionProtection" => &[PROTECTED],
        action if action.contains("ServerGroup") => &[SERVER_GROUP],
        action if action.contains("LoadBalancer") => &[BALANCER],
        "CreateListener" => &[BALANCER],
        // Listeners and rules belong to a load balancer that the call does not name.
        action if action.contains("Listener") || action.contains("Rule") => &[BALANCERS],
        _ => &[],
    }
}

fn of_nlb(action: &str) -> &'static [Of] {
    match action {
        "ListListeners" => &[LISTENERS],
        "CreateListener" => &[LISTENERS, SERVER_GROUP, BALANCER],
        // Only load balancers are tagged after they were made.
        "TagResources" | "UntagResources" | "ListTagResources" => &[THESE_BALANCERS],
        "GetJobStatus" | "ListAsynJobs" => &[],
        action => of_alb(action),
    }
}

fn of_api_gateway(action: &str) -> &'static [Of] {
    match action {
        "DescribeApiGroups" | "CreateApiGroup" => &[GROUPS],
        "DescribeApiGroup"
        | "ModifyApiGroup"
        | "ModifyApiGroupNetworkPolicy"
        | "ModifyApiGroupVpcWhitelist"
        | "DeleteApiGroup"
        | "DescribeApi"
        | "DescribeDeployedApi"
        | "CreateApi"
        | "ModifyApi"
        | "DeleteApi"
        | "DeployApi"
        | "AbolishApi"
        | "SetApisAuthorities"
        | "RemoveApisAuthorities" => &[GROUP],
        "DescribeApps" | "DescribeAppAttributes" | "CreateApp" => &[APPS],
        "DescribeApp"
        | "DescribeAppSecurity"
        | "DescribeAppSecurities"
        | "DescribeAuthorizedApis"
        | "ModifyApp"
        | "DeleteApp"
        | "CreateAppCode"
        | "DeleteAppCode"
        | "CreateAppKey"
        | "DeleteAppKey" => &[APP],
        "SetAppsAuthorities" => &[GROUP, THESE_APPS],
        "DescribePlugins" | "CreatePlugin" => &[PLUGINS],
        "DescribePluginApis" | "ModifyPlugin" | "DeletePlugin" | "DetachPlugin" => &[PLUGIN],
        "AttachPlugin" => &[GROUP, PLUGIN],
        "SetVpcAccess" => &[ACCESSES],
        "DescribeVpcAccesses" => &[ACCESS],
        // `RemoveVpcAccess`, `ModifyVpcAccessAndUpdateApis`, `DescribeUpdateVpcInfoTask`: documented
        // so. `DescribeApis`, `RemoveAppsAuthorities` and the rest: not known, so not less.
        _ => &[],
    }
}
