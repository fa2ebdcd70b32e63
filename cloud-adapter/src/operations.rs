//! Every operation the adapter calls. A call can only be made with one of these, so this table is
//! also what the least RAM policy is generated from.

use std::fmt;

/// A product of Alibaba Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// API Gateway.
    CloudApi,
    /// Classic load balancer.
    Slb,
    /// Network load balancer.
    Nlb,
    /// Virtual private cloud.
    Vpc,
    /// Security token service.
    Sts,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::CloudApi, Self::Slb, Self::Nlb, Self::Vpc, Self::Sts];

    /// The product code, as in the vendor's documentation.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CloudApi => "CloudAPI",
            Self::Slb => "Slb",
            Self::Nlb => "Nlb",
            Self::Vpc => "Vpc",
            Self::Sts => "Sts",
        }
    }

    /// The API version sent with every call.
    pub const fn version(self) -> &'static str {
        match self {
            Self::CloudApi => "2016-07-14",
            Self::Slb => "2014-05-15",
            Self::Nlb => "2022-04-30",
            Self::Vpc => "2016-04-28",
            Self::Sts => "2015-04-01",
        }
    }

    /// The prefix of the product's actions in a RAM policy.
    pub const fn ram_prefix(self) -> &'static str {
        match self {
            Self::CloudApi => "apigateway",
            Self::Slb => "slb",
            Self::Nlb => "nlb",
            Self::Vpc => "vpc",
            Self::Sts => "sts",
        }
    }

    /// The product whose code is `code`, in any case.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|product| product.code().eq_ignore_ascii_case(code))
    }
}

/// What an operation does to the cloud, and so when it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Changes nothing.
    Read,
    /// Makes something new each time: never repeated unless the cloud said that it did nothing.
    Create,
    /// Sets something to a given value, or removes it: repeating it ends in the same state.
    Upsert,
}

/// One operation. Only the constants of this module exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    product: Product,
    action: &'static str,
    access: Access,
}

impl Operation {
    /// The product that has the action.
    pub const fn product(&self) -> Product {
        self.product
    }

    /// The action's name.
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// What the action does to the cloud.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether the action changes anything.
    pub const fn mutating(&self) -> bool {
        !matches!(self.access, Access::Read)
    }

    /// The action in a RAM policy, for example `apigateway:CreateApi`. None where no permission is
    /// needed (`GetCallerIdentity`, and `AssumeRoleWithOIDC`, which is not signed).
    pub fn ram_action(&self) -> Option<String> {
        (self.product != Product::Sts)
            .then(|| format!("{}:{}", self.product.ram_prefix(), self.action))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.product.code(), self.action)
    }
}

macro_rules! operations {
    ($($product:ident { $($constant:ident $action:literal $access:ident,)* })*) => {
        $($(
            #[doc = concat!(stringify!($product), " `", $action, "`")]
            pub const $constant: Operation = Operation {
                product: Product::$product,
                action: $action,
                access: Access::$access,
            };
        )*)*

        /// The whole table.
        pub const ALL: &[Operation] = &[$($($constant,)*)*];
    };
}

operations! {
    CloudApi {
        DESCRIBE_API_GROUPS "DescribeApiGroups" Read,
        DESCRIBE_API_GROUP "DescribeApiGroup" Read,
        CREATE_API_GROUP "CreateApiGroup" Create,
        MODIFY_API_GROUP "ModifyApiGroup" Upsert,
        MODIFY_API_GROUP_NETWORK_POLICY "ModifyApiGroupNetworkPolicy" Upsert,
        DELETE_API_GROUP "DeleteApiGroup" Upsert,

        DESCRIBE_VPC_ACCESSES "DescribeVpcAccesses" Read,
        SET_VPC_ACCESS "SetVpcAccess" Create,
        MODIFY_VPC_ACCESS_AND_UPDATE_APIS "ModifyVpcAccessAndUpdateApis" Upsert,
        DESCRIBE_UPDATE_VPC_INFO_TASK "DescribeUpdateVpcInfoTask" Read,
        REMOVE_VPC_ACCESS "RemoveVpcAccess" Upsert,
        DESCRIBE_APIS_BY_VPC_ACCESS "DescribeApisByVpcAccess" Read,

        DESCRIBE_APIS "DescribeApis" Read,
        DESCRIBE_API "DescribeApi" Read,
        DESCRIBE_DEPLOYED_API "DescribeDeployedApi" Read,
        CREATE_API "CreateApi" Create,
        MODIFY_API "ModifyApi" Upsert,
        DELETE_API "DeleteApi" Upsert,
        DEPLOY_API "DeployApi" Upsert,
        ABOLISH_API "AbolishApi" Upsert,
        DESCRIBE_API_HISTORIES "DescribeApiHistories" Read,

        DESCRIBE_APP_ATTRIBUTES "DescribeAppAttributes" Read,
        DESCRIBE_APP_SECURITIES "DescribeAppSecurities" Read,
        DESCRIBE_APP_SECURITY "DescribeAppSecurity" Read,
        CREATE_APP "CreateApp" Create,
        MODIFY_APP "ModifyApp" Upsert,
        DELETE_APP "DeleteApp" Upsert,
        CREATE_APP_CODE "CreateAppCode" Create,
        DELETE_APP_CODE "DeleteAppCode" Upsert,
        CREATE_APP_KEY "CreateAppKey" Create,
        DELETE_APP_KEY "DeleteAppKey" Upsert,

        DESCRIBE_AUTHORIZED_APIS "DescribeAuthorizedApis" Read,
        SET_APPS_AUTHORITIES "SetAppsAuthorities" Upsert,
        REMOVE_APPS_AUTHORITIES "RemoveAppsAuthorities" Upsert,

        DESCRIBE_PLUGINS "DescribePlugins" Read,
        DESCRIBE_PLUGIN_APIS "DescribePluginApis" Read,
        CREATE_PLUGIN "CreatePlugin" Create,
        MODIFY_PLUGIN "ModifyPlugin" Upsert,
        DELETE_PLUGIN "DeletePlugin" Upsert,
        ATTACH_PLUGIN "AttachPlugin" Upsert,
        DETACH_PLUGIN "DetachPlugin" Upsert,
    }
    Slb {
        DESCRIBE_LOAD_BALANCERS "DescribeLoadBalancers" Read,
        DESCRIBE_LOAD_BALANCER_ATTRIBUTE "DescribeLoadBalancerAttribute" Read,
        DESCRIBE_LOAD_BALANCER_LISTENERS "DescribeLoadBalancerListeners" Read,
    }
    Nlb {
        LIST_NETWORK_LOAD_BALANCERS "ListLoadBalancers" Read,
        GET_NETWORK_LOAD_BALANCER_ATTRIBUTE "GetLoadBalancerAttribute" Read,
        LIST_NETWORK_LISTENERS "ListListeners" Read,
        LIST_NETWORK_SERVER_GROUPS "ListServerGroups" Read,
    }
    Vpc {
        DESCRIBE_VPCS "DescribeVpcs" Read,
        DESCRIBE_VSWITCHES "DescribeVSwitches" Read,
        DESCRIBE_ZONES "DescribeZones" Read,
    }
    Sts {
        GET_CALLER_IDENTITY "GetCallerIdentity" Read,
        ASSUME_ROLE_WITH_OIDC "AssumeRoleWithOIDC" Read,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_operation_is_there_once() {
        let names: BTreeSet<String> = ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn the_name_agrees_with_what_it_does() {
        for operation in ALL {
            let reads = ["Describe", "Get", "List", "Assume"]
                .iter()
                .any(|verb| operation.action().starts_with(verb));
            assert_eq!(reads, !operation.mutating(), "{operation}");
            // SetVpcAccess refuses a name or target that exists, so it is a create despite its verb.
            let creates =
                operation.action().starts_with("Create") || operation.action() == "SetVpcAccess";
            assert_eq!(creates, operation.access() == Access::Create, "{operation}");
        }
    }

    #[test]
    fn ram_actions() {
        assert_eq!(
            CREATE_API.ram_action().as_deref(),
            Some("apigateway:CreateApi")
        );
        assert_eq!(
            DESCRIBE_VSWITCHES.ram_action().as_deref(),
            Some("vpc:DescribeVSwitches")
        );
        assert_eq!(GET_CALLER_IDENTITY.ram_action(), None);
    }
}
