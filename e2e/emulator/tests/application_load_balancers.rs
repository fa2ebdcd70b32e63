//! Application load balancers through the wire: signed calls, and requests along the rules they made.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alicloud_emulator::{Builder, Running};
use axum::extract::Request;
use common::{Client, KEY, builder, reply};
use reqwest::StatusCode;
use serde_json::{Value, json};

const ALB: &str = "2020-06-16";

type Sent<'a> = &'a [(&'a str, &'a str)];

struct Stage {
    emulator: Running,
    client: Client,
    dns_name: String,
    listener: String,
    rules: u32,
}

impl Stage {
    /// A load balancer with a listener that leads to nothing.
    async fn set(builder: Builder) -> Self {
        let emulator = builder
            .alb_settling(Duration::ZERO)
            .start()
            .await
            .expect("the emulator starts");
        let client = Client::of(&emulator);
        let mut stage = Self {
            emulator,
            client,
            dns_name: String::new(),
            listener: String::new(),
            rules: 0,
        };
        let vpc = stage.vpc();
        let mut zones: Vec<(String, String)> = Vec::new();
        {
            let world = stage.emulator.state().world();
            for (vswitch, number) in world.vpc.vswitches.values().take(2).zip(1..) {
                zones.push((
                    format!("ZoneMappings.{number}.VSwitchId"),
                    vswitch.id.clone(),
                ));
                zones.push((
                    format!("ZoneMappings.{number}.ZoneId"),
                    vswitch.zone_id.clone(),
                ));
            }
        }
        let mut sent = vec![
            ("AddressType", "Internet"),
            ("LoadBalancerEdition", "Standard"),
            ("LoadBalancerBillingConfig.PayType", "PostPay"),
            ("VpcId", vpc.as_str()),
        ];
        sent.extend(
            zones
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let made = stage.ok("CreateLoadBalancer", &sent).await;
        let id = made["LoadBalancerId"].as_str().expect("an id").to_owned();
        let shown = stage
            .ok("GetLoadBalancerAttribute", &[("LoadBalancerId", &id)])
            .await;
        stage.dns_name = shown["DNSName"].as_str().expect("a name").to_owned();
        let group = stage.group("nothing", &[]).await;
        let listener = [
            ("LoadBalancerId", id.as_str()),
            ("ListenerPort", "80"),
            ("ListenerProtocol", "HTTP"),
            ("DefaultActions.1.Type", "ForwardGroup"),
            (
                "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
                group.as_str(),
            ),
        ];
        let made = stage.ok("CreateListener", &listener).await;
        stage.listener = made["ListenerId"].as_str().expect("an id").to_owned();
        stage
    }

    fn vpc(&self) -> String {
        let world = self.emulator.state().world();
        world.vpc.vpcs.keys().next().expect("a VPC").clone()
    }

    /// A call that must be taken, everything in the form body as the newer clients send it.
    async fn ok(&self, action: &str, sent: Sent<'_>) -> Value {
        let answer = reply(self.client.v3(ALB, action, sent)).await;
        assert_eq!(answer.status, StatusCode::OK, "{action}: {answer:?}");
        answer.body
    }

    async fn group(&self, name: &str, servers: &[SocketAddr]) -> String {
        let vpc = self.vpc();
        let name = format!("group-{name}");
        let sent = [
            ("ServerGroupName", name.as_str()),
            ("VpcId", &vpc),
            ("HealthCheckConfig.HealthCheckEnabled", "false"),
        ];
        let made = self.ok("CreateServerGroup", &sent).await;
        let id = made["ServerGroupId"].as_str().expect("an id").to_owned();
        for server in servers {
            let (ip, port) = (server.ip().to_string(), server.port().to_string());
            let sent = [
                ("ServerGroupId", id.as_str()),
                ("Servers.1.ServerId", "eni-1"),
                ("Servers.1.ServerIp", &ip),
                ("Servers.1.ServerType", "Eni"),
                ("Servers.1.Port", &port),
            ];
            self.ok("AddServersToServerGroup", &sent).await;
        }
        id
    }

    /// Makes the next rule, which counts after those before it.
    async fn rule(&mut self, sent: Sent<'_>) -> String {
        self.rules += 1;
        let (name, priority) = (format!("rule-{}", self.rules), self.rules.to_string());
        let mut all = vec![
            ("ListenerId", self.listener.as_str()),
            ("RuleName", &name),
            ("Priority", &priority),
        ];
        all.extend_from_slice(sent);
        let made = self.ok("CreateRule", &all).await;
        made["RuleId"].as_str().expect("an id").to_owned()
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> (u16, Value, reqwest::header::HeaderMap) {
        let request = request.header("x-emulated-alb", &self.dns_name);
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a text");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, body, headers)
    }

    fn request(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        let no_redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(no_redirects)
            .build();
        let http = http.expect("a client");
        http.get(format!("{}{path}", self.emulator.url()))
            .header("host", host)
    }
}

/// A backend that says who it is and what it was asked.
async fn echo(name: &'static str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let place = listener.local_addr().expect("its address");
    let answer = move |request: Request| async move {
        let headers = request.headers().iter();
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| {
                (
                    name.to_string(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let uri = request.uri().to_string();
        axum::Json(json!({"name": name, "uri": uri, "headers": headers}))
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    place
}

const TUPLE: &str = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId";

fn forward<'a>(group: &'a str, order: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("RuleActions.1.Type", "ForwardGroup"),
        ("RuleActions.1.Order", order),
        (TUPLE, group),
    ]
}

#[tokio::test]
async fn requests_go_by_conditions_in_the_order_of_priorities() {
    let mut stage = Stage::set(builder()).await;
    let conditions: [(&str, Sent<'_>); 6] = [
        ("Header", &[("Key", "Demo"), ("Values.1", "te*")]),
        (
            "Cookie",
            &[("Values.1.Key", "demo"), ("Values.1.Value", "always")],
        ),
        (
            "QueryString",
            &[("Values.1.Key", "v"), ("Values.1.Value", "?")],
        ),
        ("Method", &[("Values.1", "PUT"), ("Values.2", "POST")]),
        ("Path", &[("Values.1", "/foo*"), ("Values.2", "~*^/BAR")]),
        ("SourceIp", &[("Values.1", "127.0.0.0/8")]),
    ];
    let names = ["header", "cookie", "query", "method", "path", "source"];
    for (name, (kind, members)) in names.into_iter().zip(conditions) {
        let group = stage.group(name, &[echo(name).await]).await;
        let members: Vec<(String, &str)> = members
            .iter()
            .map(|(member, value)| (format!("RuleConditions.2.{kind}Config.{member}"), *value))
            .collect();
        let mut sent = vec![
            ("RuleConditions.1.Type", "Host"),
            ("RuleConditions.1.HostConfig.Values.1", "*.example.com"),
            ("RuleConditions.2.Type", kind),
        ];
        sent.extend(
            members
                .iter()
                .map(|(member, value)| (member.as_str(), *value)),
        );
        sent.extend(forward(&group, "1"));
        stage.rule(&sent).await;
    }
    let host = "a.example.com";
    let named = async |request: reqwest::RequestBuilder| {
        let (_, body, _) = stage.send(request).await;
        body["name"].as_str().unwrap_or("nobody").to_owned()
    };
    let get = |path: &str| stage.request(host, path);
    assert_eq!(named(get("/")).await, "source");
    assert_eq!(named(get("/foobar")).await, "path");
    assert_eq!(named(get("/bar")).await, "path");
    assert_eq!(named(get("/?v=1")).await, "query");
    assert_eq!(named(get("/?v=12")).await, "source");
    let cookie = get("/foo").header("cookie", "a=b; demo=always");
    assert_eq!(named(cookie).await, "cookie");
    let both = get("/")
        .header("cookie", "demo=always")
        .header("demo", "test");
    assert_eq!(named(both).await, "header", "the lower priority counts");
    assert_eq!(named(get("/").header("demo", "best")).await, "source");
    assert_eq!(named(stage.request("example.com", "/")).await, "nobody");
    stage.emulator.stop().await;
}

#[tokio::test]
async fn actions_change_answer_and_limit_requests() {
    let mut stage = Stage::set(builder()).await;
    let group = stage.group("echo", &[echo("echo").await]).await;
    let host = |name: &'static str| {
        [
            ("RuleConditions.1.Type", "Host"),
            ("RuleConditions.1.HostConfig.Values.1", name),
        ]
    };
    let rewrite = [
        ("RuleActions.2.Type", "Rewrite"),
        ("RuleActions.2.Order", "1"),
        ("RuleActions.2.RewriteConfig.Host", "inner.example.com"),
        ("RuleActions.2.RewriteConfig.Path", "/v1${path}"),
        ("RuleActions.3.Type", "InsertHeader"),
        ("RuleActions.3.Order", "2"),
        ("RuleActions.3.InsertHeaderConfig.Key", "Port"),
        ("RuleActions.3.InsertHeaderConfig.Value", "SLBPort"),
        (
            "RuleActions.3.InsertHeaderConfig.ValueType",
            "SystemDefined",
        ),
        ("RuleActions.4.Type", "RemoveHeader"),
        ("RuleActions.4.Order", "3"),
        ("RuleActions.4.RemoveHeaderConfig.Key", "secret"),
    ];
    let forwarded = forward(&group, "9");
    stage
        .rule(&[&host("rewrite.example.com")[..], &rewrite, &forwarded].concat())
        .await;
    let redirect = [
        ("RuleActions.1.Type", "Redirect"),
        ("RuleActions.1.Order", "1"),
        ("RuleActions.1.RedirectConfig.Protocol", "HTTPS"),
        ("RuleActions.1.RedirectConfig.Port", "443"),
        ("RuleActions.1.RedirectConfig.HttpCode", "308"),
    ];
    stage
        .rule(&[&host("redirect.example.com")[..], &redirect].concat())
        .await;
    let fixed = [
        ("RuleActions.1.Type", "FixedResponse"),
        ("RuleActions.1.Order", "1"),
        ("RuleActions.1.FixedResponseConfig.HttpCode", "418"),
        ("RuleActions.1.FixedResponseConfig.Content", "short"),
    ];
    stage
        .rule(&[&host("fixed.example.com")[..], &fixed].concat())
        .await;
    let limit = [
        ("RuleActions.2.Type", "TrafficLimit"),
        ("RuleActions.2.Order", "1"),
        ("RuleActions.2.TrafficLimitConfig.QPS", "1"),
    ];
    stage
        .rule(&[&host("limit.example.com")[..], &limit, &forwarded].concat())
        .await;

    let request = stage
        .request("rewrite.example.com", "/a?b=c")
        .header("secret", "x");
    let (status, body, _) = stage.send(request).await;
    assert_eq!((status, &body["uri"]), (200, &json!("/v1/a?b=c")));
    assert_eq!(body["headers"]["host"], "inner.example.com");
    assert_eq!(body["headers"]["port"], "80");
    assert_eq!(body["headers"]["secret"], Value::Null);
    assert_eq!(body["headers"]["x-forwarded-for"], "127.0.0.1");
    let (status, _, headers) = stage
        .send(stage.request("redirect.example.com", "/a?b=c"))
        .await;
    assert_eq!(status, 308);
    assert_eq!(headers["location"], "https://redirect.example.com/a?b=c");
    let (status, body, _) = stage.send(stage.request("fixed.example.com", "/")).await;
    assert_eq!((status, body), (418, json!("short")));
    // Twenty requests do not fall into twenty different seconds.
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(stage.send(stage.request("limit.example.com", "/")).await.0);
    }
    assert!(
        statuses.contains(&200) && statuses.contains(&503),
        "{statuses:?}"
    );
    stage.emulator.stop().await;
}

#[tokio::test]
async fn weights_are_kept_exactly_and_a_server_that_is_down_is_passed_over() {
    let mut stage = Stage::set(builder()).await;
    let down = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        listener.local_addr().expect("its address")
    };
    let one = stage.group("one", &[down, echo("one").await]).await;
    let two = stage.group("two", &[echo("two").await]).await;
    let second = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.2";
    let (second_id, second_weight) = (
        format!("{second}.ServerGroupId"),
        format!("{second}.Weight"),
    );
    let mut sent = vec![
        ("RuleConditions.1.Type", "Path"),
        ("RuleConditions.1.PathConfig.Values.1", "/*"),
        (
            "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight",
            "70",
        ),
        (second_id.as_str(), two.as_str()),
        (second_weight.as_str(), "30"),
    ];
    sent.extend(forward(&one, "1"));
    stage.rule(&sent).await;
    let mut counts = BTreeMap::new();
    for _ in 0..100 {
        let (_, body, _) = stage.send(stage.request("a.example.com", "/")).await;
        let name = body["name"].as_str().unwrap_or("nobody").to_owned();
        *counts.entry(name).or_insert(0) += 1;
    }
    assert_eq!(
        counts,
        BTreeMap::from([("one".to_owned(), 70), ("two".to_owned(), 30)])
    );
    stage.emulator.stop().await;
}

#[tokio::test]
async fn a_client_with_the_emulator_for_its_proxy_finds_load_balancers_by_name() {
    let stage = Stage::set(builder()).await;
    let proxy = reqwest::Proxy::http(stage.emulator.url()).expect("a proxy");
    let http = reqwest::Client::builder()
        .proxy(proxy)
        .build()
        .expect("a client");
    let request = http.get(format!("http://{}/", stage.dns_name));
    let answer = request
        .header("host", "a.example.com")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let reason = &answer.headers()["x-emulated-alb-reason"];
    assert_eq!(reason, "no server in the server group");
    stage.emulator.stop().await;
}

#[tokio::test]
async fn a_listener_with_tls_takes_tls_only() {
    let stage = Stage::set(builder()).await;
    let group = stage.group("secure", &[echo("secure").await]).await;
    let balancer = {
        let world = stage.emulator.state().world();
        world.alb.load_balancers.keys().next().expect("one").clone()
    };
    let listener = [
        ("LoadBalancerId", balancer.as_str()),
        ("ListenerPort", "443"),
        ("ListenerProtocol", "HTTPS"),
        ("Certificates.1.CertificateId", "123-cn-hangzhou"),
        ("DefaultActions.1.Type", "ForwardGroup"),
        (
            "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId",
            group.as_str(),
        ),
    ];
    stage.ok("CreateListener", &listener).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .expect("a client");
    let url = format!("https://{}/", stage.emulator.address());
    let (status, body, _) = stage.send(http.get(&url)).await;
    assert_eq!((status, &body["name"]), (200, &json!("secure")));
    let plain = http.get(format!("{}/", stage.emulator.url()));
    let plain = plain.header("x-emulated-alb", format!("{}:443", stage.dns_name));
    let answer = plain.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    stage.emulator.stop().await;
}

#[tokio::test]
async fn load_balancers_and_rules_are_in_state_file_and_call_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.json");
    let mut stage = Stage::set(builder().state_file(&file)).await;
    let group = stage.group("kept", &[]).await;
    let host = [
        ("RuleConditions.1.Type", "Host"),
        ("RuleConditions.1.HostConfig.Values.1", "kept.example.com"),
    ];
    let rule = stage
        .rule(&[&host[..], &forward(&group, "1")].concat())
        .await;
    let log = stage
        .client
        .http()
        .get(format!("{}/_emulator/calls", stage.emulator.url()));
    let log = log
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a text");
    let last: Value = serde_json::from_str(log.lines().last().expect("calls")).expect("JSON");
    assert_eq!(last["product"], "ALB");
    assert_eq!(last["accessKeyId"], KEY);
    let written = json!([{"ruleId": rule, "priority": 1, "effect": "created", "hosts": ["kept.example.com"]}]);
    assert_eq!(last["rules"], written);
    stage.emulator.stop().await;

    let again = builder()
        .state_file(&file)
        .start()
        .await
        .expect("starts again");
    let client = Client::of(&again);
    let shown = client.call(ALB, "ListRules", &[("RuleIds.1", &rule)]).await;
    assert_eq!(
        shown.body["Rules"][0]["RuleConditions"][0]["HostConfig"]["Values"][0],
        "kept.example.com"
    );
    let refused = client.call(ALB, "CreateLoadBalancer", &[]).await;
    assert_eq!(refused.code(), "MissingAddressType");
    let refused = client.call(ALB, "CreateAcl", &[("AclName", "a")]).await;
    assert_eq!(refused.code(), "NotEmulated");
    again.stop().await;
}
