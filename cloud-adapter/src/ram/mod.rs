//! Permissions (RAM): which one each operation needs, and the least policy that grants them.
//!
//! An action is one permission and has the name of the API action. What RAM can narrow it to
//! differs from action to action, and not by any rule: `SetVpcAccess` can be allowed for one
//! authorization, `RemoveVpcAccess` only for all there are. So each stands in a table, with how well
//! it is known.

mod policy;
mod table;

use std::fmt;

pub use policy::{Place, Policy, Statement, policy};
pub use table::PERMISSIONS;

use crate::operations::Operation;

/// What somebody uses of the operator, as far as it makes a difference for permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Gateways with a classic load balancer in front, which the cloud controller manager makes and the
    /// operator only looks at.
    LoadBalancers,
    /// The same with a network load balancer.
    NetworkLoadBalancers,
    /// Application load balancers, which the ALB Ingress controller makes: whether their vswitches lie in
    /// different zones is looked at before. Without the permission it is not.
    ApplicationLoadBalancers,
    /// Publishing on the classic API Gateway: groups, VPC authorizations, APIs; and looking at all
    /// that is there, since that is one look.
    ApiGateway,
    /// Callers with credentials of their own, and what they may call.
    Consumers,
    /// Limits of requests.
    Throttling,
    /// Removing what lost its owner.
    Orphans,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LoadBalancers,
        Self::NetworkLoadBalancers,
        Self::ApplicationLoadBalancers,
        Self::ApiGateway,
        Self::Consumers,
        Self::Throttling,
        Self::Orphans,
    ];

    /// The name on the command line and in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadBalancers => "load-balancers",
            Self::NetworkLoadBalancers => "network-load-balancers",
            Self::ApplicationLoadBalancers => "application-load-balancers",
            Self::ApiGateway => "api-gateway",
            Self::Consumers => "consumers",
            Self::Throttling => "throttling",
            Self::Orphans => "orphans",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of thing that an action can be allowed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// An API group; its APIs are no resources of their own.
    ApiGroup,
    /// An app.
    App,
    /// A plugin.
    Plugin,
    /// A VPC authorization.
    VpcAccess,
    /// A classic load balancer.
    LoadBalancer,
    /// A network load balancer.
    NetworkLoadBalancer,
    /// A listener of one.
    NetworkListener,
    /// A server group of network load balancers.
    NetworkServerGroup,
    /// A VPC.
    Vpc,
    /// A vswitch.
    VSwitch,
}

impl Resource {
    /// As an ARN names the product and the kind.
    const fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::ApiGroup => ("apigateway", "apigroup"),
            Self::App => ("apigateway", "app"),
            Self::Plugin => ("apigateway", "plugin"),
            Self::VpcAccess => ("apigateway", "vpcaccess"),
            Self::LoadBalancer => ("slb", "loadbalancer"),
            Self::NetworkLoadBalancer => ("nlb", "loadbalancer"),
            Self::NetworkListener => ("nlb", "listener"),
            Self::NetworkServerGroup => ("nlb", "servergroup"),
            Self::Vpc => ("vpc", "vpc"),
            Self::VSwitch => ("vpc", "vswitch"),
        }
    }

    /// The ARN of all of the kind in a region (`*`: any) of an account (`*`: any).
    pub fn arn(self, region: &str, account: &str) -> String {
        let (product, kind) = self.path();
        format!("acs:{product}:{region}:{account}:{kind}/*")
    }
}

/// How well it is known what an action can be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// The vendor's page of the API action says so.
    Documented,
    /// That page was not seen: actions on the same kind of thing, and policies in use, have it so.
    Inferred,
    /// Nothing tells; it is allowed on everything, which is never too little.
    Unknown,
}

impl Known {
    /// The word in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Inferred => "inferred",
            Self::Unknown => "unknown",
        }
    }
}

/// The permission that an operation needs.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// The operation.
    pub operation: Operation,
    /// What needs it; none: nothing that the operator does, only the adapter can.
    pub feature: Option<Feature>,
    /// What it has to be allowed on: one thing of each of these kinds. None: only on everything.
    pub resources: &'static [Resource],
    /// How well `resources` is known.
    pub known: Known,
}

impl Permission {
    /// The permission of an operation; none if it needs none.
    pub fn of(operation: Operation) -> Option<&'static Self> {
        PERMISSIONS
            .iter()
            .find(|permission| permission.operation == operation)
    }
}
