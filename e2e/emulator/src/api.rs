//! What every product handler works with: the decoded request, its parameters, the answer and
//! the error.

mod error;
mod params;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use error::{Answer, ApiError};
pub use params::{Paging, Params};

/// A product the emulator speaks for. The `Version` parameter of an RPC call names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Product {
    /// API Gateway (classic), version 2016-07-14.
    #[serde(rename = "CloudAPI")]
    CloudApi,
    /// Application load balancer, version 2020-06-16.
    #[serde(rename = "ALB")]
    Alb,
    /// Network load balancer, version 2022-04-30.
    #[serde(rename = "NLB")]
    Nlb,
    /// Classic load balancer, version 2014-05-15.
    #[serde(rename = "SLB")]
    Slb,
    /// Virtual private cloud, version 2016-04-28.
    #[serde(rename = "VPC")]
    Vpc,
    /// Security token service, version 2015-04-01.
    #[serde(rename = "STS")]
    Sts,
}

impl Product {
    /// All products.
    pub const ALL: [Self; 6] = [
        Self::CloudApi,
        Self::Alb,
        Self::Nlb,
        Self::Slb,
        Self::Vpc,
        Self::Sts,
    ];

    /// The API version that names this product on the wire.
    pub fn version(self) -> &'static str {
        match self {
            Self::CloudApi => "2016-07-14",
            Self::Alb => "2020-06-16",
            Self::Nlb => "2022-04-30",
            Self::Slb => "2014-05-15",
            Self::Vpc => "2016-04-28",
            Self::Sts => "2015-04-01",
        }
    }

    /// The product a `Version` names.
    pub fn of_version(version: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|product| product.version() == version)
    }

    /// The name used in the call log and in fault rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudApi => "CloudAPI",
            Self::Alb => "ALB",
            Self::Nlb => "NLB",
            Self::Slb => "SLB",
            Self::Vpc => "VPC",
            Self::Sts => "STS",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account all emulated objects belong to, 16 digits.
    pub account_id: String,
    /// The key that signed; empty for the unsigned `AssumeRoleWithOIDC`.
    pub access_key_id: String,
    /// The role session behind an STS key, `None` for a long-lived key.
    pub role_arn: Option<String>,
}

/// One authenticated call whose parameters were checked against the action's schema.
#[derive(Debug, Clone)]
pub struct Request {
    /// The product called.
    pub product: Product,
    /// The action called, in its exact spelling.
    pub action: String,
    /// Query and form parameters, merged.
    pub params: Params,
    /// Who calls.
    pub caller: Caller,
    /// The `RegionId` parameter, or the emulator's region where none was sent.
    pub region: String,
    /// The moment of the call.
    pub now: Timestamp,
    /// When objects created by this call begin to show in reads: `now`, unless a consistency delay
    /// was set. For [`crate::world::Visible::new`].
    pub visible_from: Timestamp,
    /// The id that goes into the answer and the call log.
    pub request_id: String,
}

impl Request {
    /// The refusal of an action that the schema knows but the emulator does not carry out.
    pub fn not_emulated(&self) -> ApiError {
        ApiError::new(
            501,
            "NotEmulated",
            format!(
                "{} {} is known, but this emulator does not carry it out.",
                self.product, self.action
            ),
        )
    }
}
