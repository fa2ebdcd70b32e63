//! A world with a load balancer, and calls on it without a wire.

use serde_json::Value;

use crate::api::{Answer, Caller, Params, Product, Request};
use crate::world::World;

/// Parameters by name.
pub(super) type Sent<'a> = &'a [(&'a str, &'a str)];

/// A world in which nothing takes time, and what is in it.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) balancer: String,
    pub(super) listener: String,
    pub(super) group: String,
}

impl Stage {
    pub(super) fn new() -> Self {
        let mut stage = Self {
            world: World::new("cn-hangzhou", "1234567890123456"),
            balancer: String::new(),
            listener: String::new(),
            group: String::new(),
        };
        let made = stage.ok("CreateLoadBalancer", &stage.balancer_params(&[]));
        stage.balancer = text(&made, "LoadBalancerId");
        stage.group = stage.group_named("one");
        let made = stage.listener_on("80");
        stage.listener = text(&made.expect("a listener"), "ListenerId");
        stage
    }

    pub(super) fn request(&self, action: &str, sent: &[(String, String)]) -> Request {
        let now = jiff::Timestamp::now();
        Request {
            product: Product::Alb,
            action: action.to_owned(),
            params: Params::new(Product::Alb, sent.iter().cloned()),
            caller: Caller {
                account_id: "1234567890123456".to_owned(),
                access_key_id: "k".to_owned(),
                role_arn: None,
            },
            region: "cn-hangzhou".to_owned(),
            now,
            visible_from: now,
            request_id: "r".to_owned(),
        }
    }

    pub(super) fn call(&mut self, action: &str, sent: &[(String, String)]) -> Answer {
        let request = self.request(action, sent);
        super::handle(&mut self.world, &request)
    }

    /// A call that must be taken.
    pub(super) fn ok(&mut self, action: &str, sent: &[(String, String)]) -> Value {
        let answer = self.call(action, sent);
        answer.unwrap_or_else(|error| panic!("{action}: {error}"))
    }

    /// The code of a call that must be refused.
    pub(super) fn refused(&mut self, action: &str, sent: &[(String, String)]) -> String {
        let answer = self.call(action, sent);
        answer.expect_err(action).code
    }

    pub(super) fn vpc(&self) -> String {
        self.world.vpc.vpcs.keys().next().expect("a VPC").clone()
    }

    /// The parameters of a load balancer in two zones, with others over them; an empty one is left out.
    pub(super) fn balancer_params(&self, over: Sent<'_>) -> Vec<(String, String)> {
        let mut sent = owned(&[
            ("AddressType", "Internet"),
            ("LoadBalancerEdition", "Standard"),
            ("LoadBalancerName", "test"),
            ("LoadBalancerBillingConfig.PayType", "PostPay"),
        ]);
        sent.push(("VpcId".to_owned(), self.vpc()));
        for (vswitch, number) in self.world.vpc.vswitches.values().take(2).zip(1..) {
            let prefix = format!("ZoneMappings.{number}");
            sent.push((format!("{prefix}.VSwitchId"), vswitch.id.clone()));
            sent.push((format!("{prefix}.ZoneId"), vswitch.zone_id.clone()));
        }
        with(sent, over)
    }

    pub(super) fn group_named(&mut self, name: &str) -> String {
        let vpc = self.vpc();
        let sent = owned(&[
            ("ServerGroupName", &format!("group-{name}")),
            ("VpcId", &vpc),
            ("HealthCheckConfig.HealthCheckEnabled", "false"),
        ]);
        let made = self.ok("CreateServerGroup", &sent);
        text(&made, "ServerGroupId")
    }

    pub(super) fn listener_on(&mut self, port: &str) -> Answer {
        let sent = owned(&[
            ("LoadBalancerId", &self.balancer),
            ("ListenerPort", port),
            ("ListenerProtocol", "HTTP"),
            ("DefaultActions.1.Type", "ForwardGroup"),
            (
                "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
                &self.group,
            ),
        ]);
        self.call("CreateListener", &sent)
    }

    /// The parameters of `CreateRule` for a host, with others over them.
    pub(super) fn rule_params(&self, priority: u32, over: Sent<'_>) -> Vec<(String, String)> {
        let sent = owned(&[
            ("ListenerId", &self.listener),
            ("RuleName", &format!("rule-{priority}")),
            ("Priority", &priority.to_string()),
            ("RuleConditions.1.Type", "Host"),
            (
                "RuleConditions.1.HostConfig.Values.1",
                &format!("h{priority}.example.com"),
            ),
            ("RuleActions.1.Type", "ForwardGroup"),
            ("RuleActions.1.Order", "1"),
            (
                "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
                &self.group,
            ),
        ]);
        with(sent, over)
    }

    /// Makes a rule and returns its id.
    pub(super) fn rule(&mut self, priority: u32, over: Sent<'_>) -> String {
        let sent = self.rule_params(priority, over);
        text(&self.ok("CreateRule", &sent), "RuleId")
    }
}

pub(super) fn owned(sent: Sent<'_>) -> Vec<(String, String)> {
    sent.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Parameters with others over them; an empty one is left out.
pub(super) fn with(mut sent: Vec<(String, String)>, over: Sent<'_>) -> Vec<(String, String)> {
    for (name, value) in over {
        sent.retain(|(known, _)| known != name);
        if !value.is_empty() {
            sent.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    sent
}

pub(super) fn text(answer: &Value, name: &str) -> String {
    answer[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {answer}"))
        .to_owned()
}
