//! The emulated cloud: everything that is persisted, behind one lock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::Ids;
use crate::{alb, cloudapi, nlb, slb, sts, vpc};

/// All emulated objects of one account in one region.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// The one region.
    pub region: String,
    /// The one account, 16 digits.
    pub account_id: String,
    /// Where all ids come from.
    pub ids: Ids,
    /// Networks.
    pub vpc: vpc::State,
    /// Classic load balancers.
    pub slb: slb::State,
    /// Application load balancers.
    #[serde(default)]
    pub alb: alb::State,
    /// Network load balancers.
    #[serde(default)]
    pub nlb: nlb::State,
    /// API Gateway.
    pub cloudapi: cloudapi::State,
    /// Temporary keys.
    pub sts: sts::State,
}

impl World {
    /// A fresh account: one VPC with a vswitch in each of three zones.
    pub fn new(region: &str, account_id: &str) -> Self {
        let mut ids = Ids::new(format!("{account_id}/{region}"));
        let vpc = vpc::State::with_one_vpc(region, &mut ids);
        Self {
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            ids,
            vpc,
            slb: slb::State::default(),
            alb: alb::State::default(),
            nlb: nlb::State::default(),
            cloudapi: cloudapi::State::default(),
            sts: sts::State::default(),
        }
    }

    /// The letters that ids of this region carry after their kind (`lb-2ze…` is Beijing).
    pub fn region_mark(&self) -> &'static str {
        region_mark(&self.region)
    }
}

/// See [`World::region_mark`].
pub fn region_mark(region: &str) -> &'static str {
    match region {
        "cn-hangzhou" => "bp1",
        "cn-shanghai" => "uf6",
        "cn-beijing" => "2ze",
        "cn-shenzhen" => "wz9",
        "cn-hongkong" => "j6c",
        "ap-southeast-1" => "t4n",
        _ => "8vb",
    }
}

/// An object that reads see only from a moment on, to play eventual consistency. Writes that name
/// its id see it at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visible<T> {
    /// When reads begin to see it.
    pub since: Timestamp,
    /// The object.
    pub value: T,
}

impl<T> Visible<T> {
    /// Wraps an object just created; pass [`crate::api::Request::visible_from`].
    pub fn new(value: T, since: Timestamp) -> Self {
        Self { since, value }
    }

    /// The object as a read at `now` sees it.
    pub fn seen(&self, now: Timestamp) -> Option<&T> {
        (now >= self.since).then_some(&self.value)
    }
}
