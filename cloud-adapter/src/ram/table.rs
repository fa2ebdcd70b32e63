//! The table of permissions. Source of `Documented`: the section "RAM authorization" (授权信息) of the
//! API action's page in the vendor's API reference.

use super::Feature::{
    ApiGateway, ApplicationLoadBalancers, Consumers, LoadBalancers, NetworkLoadBalancers, Orphans,
    Throttling,
};
use super::Known::{Documented, Inferred, Unknown};
use super::Resource::{
    ApiGroup, App, LoadBalancer, NetworkListener, NetworkLoadBalancer, NetworkServerGroup, Plugin,
    VSwitch, Vpc, VpcAccess,
};
use super::{Feature, Known, Permission, Resource};
use crate::operations::*;

/// One permission for each operation that needs one, in the order of [`ALL`].
pub const PERMISSIONS: &[Permission] = &[
    needs(ApiGateway, DESCRIBE_API_GROUPS, &[ApiGroup], Documented),
    needs(ApiGateway, DESCRIBE_API_GROUP, &[ApiGroup], Inferred),
    needs(ApiGateway, CREATE_API_GROUP, &[ApiGroup], Documented),
    needs(ApiGateway, MODIFY_API_GROUP, &[ApiGroup], Inferred),
    needs(
        ApiGateway,
        MODIFY_API_GROUP_NETWORK_POLICY,
        &[ApiGroup],
        Documented,
    ),
    needs(ApiGateway, DELETE_API_GROUP, &[ApiGroup], Documented),
    needs(ApiGateway, DESCRIBE_VPC_ACCESSES, &[VpcAccess], Documented),
    needs(ApiGateway, SET_VPC_ACCESS, &[VpcAccess], Documented),
    needs(
        ApiGateway,
        MODIFY_VPC_ACCESS_AND_UPDATE_APIS,
        &[],
        Documented,
    ),
    needs(ApiGateway, DESCRIBE_UPDATE_VPC_INFO_TASK, &[], Documented),
    needs(ApiGateway, REMOVE_VPC_ACCESS, &[], Documented),
    // Its page was not seen.
    needs(Orphans, DESCRIBE_APIS_BY_VPC_ACCESS, &[], Unknown),
    // Its page was not seen, and it is called without a group.
    needs(ApiGateway, DESCRIBE_APIS, &[], Unknown),
    needs(ApiGateway, DESCRIBE_API, &[ApiGroup], Documented),
    needs(ApiGateway, DESCRIBE_DEPLOYED_API, &[ApiGroup], Inferred),
    needs(ApiGateway, CREATE_API, &[ApiGroup], Inferred),
    needs(ApiGateway, MODIFY_API, &[ApiGroup], Inferred),
    needs(ApiGateway, DELETE_API, &[ApiGroup], Documented),
    needs(ApiGateway, DEPLOY_API, &[ApiGroup], Inferred),
    needs(ApiGateway, ABOLISH_API, &[ApiGroup], Documented),
    // Tells what the last publication says when a definition does not last; without it, that is left
    // out and everything else works.
    nothing_needs(DESCRIBE_API_HISTORIES, &[], Unknown),
    needs(ApiGateway, DESCRIBE_APP_ATTRIBUTES, &[App], Documented),
    needs(Consumers, DESCRIBE_APP_SECURITIES, &[App], Documented),
    needs(Consumers, DESCRIBE_APP_SECURITY, &[App], Documented),
    needs(Consumers, CREATE_APP, &[App], Documented),
    needs(Consumers, MODIFY_APP, &[App], Inferred),
    needs(Consumers, DELETE_APP, &[App], Documented),
    needs(Consumers, CREATE_APP_CODE, &[App], Inferred),
    needs(Consumers, DELETE_APP_CODE, &[App], Documented),
    needs(Consumers, CREATE_APP_KEY, &[App], Documented),
    needs(Consumers, DELETE_APP_KEY, &[App], Inferred),
    needs(Consumers, DESCRIBE_AUTHORIZED_APIS, &[App], Documented),
    needs(
        Consumers,
        SET_APPS_AUTHORITIES,
        &[ApiGroup, App],
        Documented,
    ),
    // Its page says that there is nothing to say.
    needs(Consumers, REMOVE_APPS_AUTHORITIES, &[], Unknown),
    needs(ApiGateway, DESCRIBE_PLUGINS, &[Plugin], Documented),
    needs(Throttling, DESCRIBE_PLUGIN_APIS, &[Plugin], Documented),
    needs(Throttling, CREATE_PLUGIN, &[Plugin], Documented),
    needs(Throttling, MODIFY_PLUGIN, &[Plugin], Documented),
    needs(Throttling, DELETE_PLUGIN, &[Plugin], Documented),
    needs(Throttling, ATTACH_PLUGIN, &[ApiGroup, Plugin], Documented),
    needs(Throttling, DETACH_PLUGIN, &[Plugin], Documented),
    needs(
        LoadBalancers,
        DESCRIBE_LOAD_BALANCERS,
        &[LoadBalancer],
        Documented,
    ),
    needs(
        LoadBalancers,
        DESCRIBE_LOAD_BALANCER_ATTRIBUTE,
        &[LoadBalancer],
        Documented,
    ),
    needs(
        LoadBalancers,
        DESCRIBE_LOAD_BALANCER_LISTENERS,
        &[LoadBalancer],
        Documented,
    ),
    needs(
        NetworkLoadBalancers,
        LIST_NETWORK_LOAD_BALANCERS,
        &[NetworkLoadBalancer],
        Documented,
    ),
    needs(
        NetworkLoadBalancers,
        GET_NETWORK_LOAD_BALANCER_ATTRIBUTE,
        &[NetworkLoadBalancer],
        Documented,
    ),
    // A resource of its own, also where load balancers are named.
    needs(
        NetworkLoadBalancers,
        LIST_NETWORK_LISTENERS,
        &[NetworkListener],
        Documented,
    ),
    needs(
        NetworkLoadBalancers,
        LIST_NETWORK_SERVER_GROUPS,
        &[NetworkServerGroup],
        Inferred,
    ),
    nothing_needs(DESCRIBE_VPCS, &[Vpc], Documented),
    needs(
        ApplicationLoadBalancers,
        DESCRIBE_VSWITCHES,
        &[VSwitch],
        Documented,
    ),
    nothing_needs(DESCRIBE_ZONES, &[], Unknown),
];

const fn needs(
    feature: Feature,
    operation: Operation,
    resources: &'static [Resource],
    known: Known,
) -> Permission {
    Permission {
        operation,
        feature: Some(feature),
        resources,
        known,
    }
}

/// The adapter can, and the operator does not.
const fn nothing_needs(
    operation: Operation,
    resources: &'static [Resource],
    known: Known,
) -> Permission {
    Permission {
        operation,
        feature: None,
        resources,
        known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_that_needs_a_permission_has_one_entry() {
        let needed: Vec<Operation> = ALL
            .iter()
            .copied()
            .filter(|operation| operation.ram_action().is_some())
            .collect();
        let listed: Vec<Operation> = PERMISSIONS
            .iter()
            .map(|permission| permission.operation)
            .collect();
        assert_eq!(listed, needed, "in the order of the operations");
    }

    #[test]
    fn what_is_not_known_is_not_narrowed() {
        for permission in PERMISSIONS {
            let unknown = permission.known == Unknown;
            assert!(
                !unknown || permission.resources.is_empty(),
                "{} is narrowed without knowing",
                permission.operation
            );
        }
    }

    #[test]
    fn resources_are_those_of_the_operations_product() {
        for permission in PERMISSIONS {
            let product = permission.operation.product().ram_prefix();
            for resource in permission.resources {
                assert!(
                    resource
                        .arn("r", "a")
                        .starts_with(&format!("acs:{product}:r:a:")),
                    "{}: {resource:?}",
                    permission.operation
                );
            }
        }
    }
}
