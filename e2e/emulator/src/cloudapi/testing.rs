//! A cloud under test: calls actions on a world directly and makes the objects that most tests need.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::handle;
use crate::api::{ApiError, Caller, Params, Product, Request};
use crate::slb::LoadBalancer;
use crate::world::{Visible, World};

pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    pub(crate) delay: SignedDuration,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        Self {
            world: World::new("cn-hangzhou", "1234567890123456"),
            now,
            delay: SignedDuration::ZERO,
        }
    }

    pub(crate) fn call(
        &mut self,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let pairs = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = Request {
            product: Product::CloudApi,
            action: action.to_owned(),
            params: Params::new(Product::CloudApi, pairs),
            caller: Caller {
                account_id: self.world.account_id.clone(),
                access_key_id: "testid".to_owned(),
                role_arn: None,
            },
            region: self.world.region.clone(),
            now: self.now,
            visible_from: self.now + self.delay,
            request_id: "test".to_owned(),
        };
        let answer = handle(&mut self.world, &request)?;
        super::answer_check::check(action, &answer);
        Ok(answer)
    }

    pub(crate) fn ok(&mut self, action: &str, params: &[(&str, &str)]) -> Value {
        match self.call(action, params) {
            Ok(answer) => answer,
            Err(error) => panic!("{action} {params:?} was refused: {error}"),
        }
    }

    pub(crate) fn refused(&mut self, action: &str, params: &[(&str, &str)]) -> String {
        match self.call(action, params) {
            Ok(answer) => panic!("{action} {params:?} was not refused: {answer}"),
            Err(error) => error.code,
        }
    }

    /// A text member of an answer.
    pub(crate) fn text(answer: &Value, member: &str) -> String {
        answer[member]
            .as_str()
            .unwrap_or_else(|| panic!("no text {member} in {answer}"))
            .to_owned()
    }

    pub(crate) fn group(&mut self, name: &str) -> String {
        Self::text(
            &self.ok("CreateApiGroup", &[("GroupName", name)]),
            "GroupId",
        )
    }

    /// The id of the VPC a fresh world has.
    pub(crate) fn vpc(&self) -> String {
        self.world.vpc.vpcs.keys().next().unwrap().clone()
    }

    /// A load balancer without listeners.
    pub(crate) fn balancer(&mut self, id: &str, address_type: &str) -> String {
        let vpc_id = (address_type == "intranet").then(|| self.vpc());
        let balancer = LoadBalancer {
            id: id.to_owned(),
            name: id.to_owned(),
            address: "10.0.0.10".to_owned(),
            address_type: address_type.to_owned(),
            ip_version: "ipv4".to_owned(),
            vpc_id,
            vswitch_id: None,
            master_zone_id: "cn-hangzhou-f".to_owned(),
            slave_zone_id: "cn-hangzhou-g".to_owned(),
            instance_charge_type: "PayByCLCU".to_owned(),
            internet_charge_type: "paybytraffic".to_owned(),
            bandwidth: 5120,
            spec: None,
            status: "active".to_owned(),
            delete_protection: false,
            modification_protection: "NonProtection".to_owned(),
            modification_protection_reason: None,
            resource_group_id: "rg-1".to_owned(),
            tags: BTreeMap::new(),
            created: self.now,
            listeners: Vec::new(),
        };
        self.world
            .slb
            .load_balancers
            .insert(id.to_owned(), Visible::new(balancer, self.now));
        id.to_owned()
    }

    /// A VPC authorization for port 80 of a load balancer made for it.
    pub(crate) fn vpc_access(&mut self, name: &str) -> String {
        let balancer = self.balancer(&format!("lb-{name}"), "intranet");
        let vpc = self.vpc();
        self.ok(
            "SetVpcAccess",
            &[
                ("Name", name),
                ("VpcId", &vpc),
                ("InstanceId", &balancer),
                ("Port", "80"),
            ],
        );
        name.to_owned()
    }

    /// The parameters of an API that takes everything below `path` to a VPC authorization.
    pub(crate) fn api_params(
        group: &str,
        name: &str,
        path: &str,
        access: &str,
    ) -> Vec<(&'static str, String)> {
        let request = format!(
            r#"{{"requestProtocol":"HTTP,HTTPS","requestHttpMethod":"ANY","requestPath":"{path}","requestMode":"MAPPING_PASSTHROUGH","bodyFormat":""}}"#
        );
        let service = format!(
            r#"{{"serviceProtocol":"HTTP","serviceAddress":"","serviceHttpMethod":"ANY","servicePath":"/*","serviceTimeout":10000,"mock":"FALSE","serviceVpcEnable":"TRUE","vpcConfig":{{"name":"{access}","vpcScheme":""}}}}"#
        );
        let constant = r#"[{"serviceParameterName":"Host","location":"HEAD","constantValue":"hello.default.example.com"}]"#;
        vec![
            ("GroupId", group.to_owned()),
            ("ApiName", name.to_owned()),
            ("Visibility", "PRIVATE".to_owned()),
            ("AuthType", "APP".to_owned()),
            ("AppCodeAuthType", "HEADER_QUERY".to_owned()),
            ("RequestConfig", request),
            ("ServiceConfig", service),
            ("ConstantParameters", constant.to_owned()),
        ]
    }

    /// Creates an API like [`Self::api_params`].
    pub(crate) fn api(&mut self, group: &str, name: &str, path: &str, access: &str) -> String {
        let params = Self::api_params(group, name, path, access);
        let answer = self.ok("CreateApi", &borrowed(&params));
        Self::text(&answer, "ApiId")
    }

    pub(crate) fn deploy(&mut self, api: &str) {
        self.ok(
            "DeployApi",
            &[
                ("ApiId", api),
                ("StageName", "RELEASE"),
                ("Description", "test"),
            ],
        );
    }

    /// A group, a VPC authorization and a published API on `/*`: the ids of group and API.
    pub(crate) fn published(&mut self) -> (String, String) {
        let group = self.group("kn_default");
        let access = self.vpc_access("access");
        let api = self.api(&group, "hello", "/*", &access);
        self.deploy(&api);
        (group, api)
    }

    /// A consumer; its id as text.
    pub(crate) fn app(&mut self, name: &str) -> String {
        self.ok("CreateApp", &[("AppName", name)])["AppId"].to_string()
    }

    /// A plugin.
    pub(crate) fn plugin(&mut self, name: &str, kind: &str, data: &str) -> String {
        let answer = self.ok(
            "CreatePlugin",
            &[
                ("PluginName", name),
                ("PluginType", kind),
                ("PluginData", data),
            ],
        );
        Self::text(&answer, "PluginId")
    }
}

/// Parameters by reference.
pub(crate) fn borrowed<'a>(params: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    params
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
