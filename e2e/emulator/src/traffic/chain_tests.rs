//! The way from the front door to a server, and what breaks it.

use axum::body::Body;

use super::testing::{Chain, dead_address, silent_server};
use crate::cloudapi::testing::borrowed;
use crate::slb::{ListenerStatus, Protocol};

#[tokio::test]
async fn a_request_reaches_the_server_with_the_constant_host() {
    let mut chain = Chain::new().await;
    let answer = chain.send(chain.get("/hello/world?b=2&a=1%201")).await;
    assert_eq!((answer.status, answer.code.as_str()), (200, ""));
    let seen = answer.seen();
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["uri"], "/hello/world?b=2&a=1%201");
    assert_eq!(seen["headers"]["host"], "hello.default.example.com");
    assert_eq!(seen["headers"]["x-forwarded-for"], "192.0.2.7");
    assert!(seen["headers"]["x-ca-request-id"].is_string());
}

#[tokio::test]
async fn method_and_body_pass() {
    let mut chain = Chain::new().await;
    let request = chain
        .get("/submit")
        .method("POST")
        .header("content-type", "text/plain");
    let answer = chain.send_as(request, Body::from("payload"), true).await;
    assert_eq!(answer.seen()["method"], "POST");
    assert_eq!(answer.seen()["body"], "payload");
    assert_eq!(answer.seen()["headers"]["x-forwarded-proto"], "https");
}

#[tokio::test]
async fn a_stronger_host_wins() {
    let mut chain = Chain::new().await;
    let group = chain.group.clone();
    chain.cloud.ok(
        "ModifyApiGroup",
        &[("GroupId", &group), ("PassthroughHeaders", "host")],
    );
    let own = chain.host();
    assert_eq!(
        chain.send(chain.get("/")).await.seen()["headers"]["host"],
        own
    );
    chain.cloud.ok(
        "ModifyVpcAccessAndUpdateApis",
        &[
            ("Name", "access"),
            ("VpcTargetHostName", "target.example.com"),
        ],
    );
    assert_eq!(
        chain.send(chain.get("/")).await.seen()["headers"]["host"],
        "target.example.com"
    );
}

#[tokio::test]
async fn without_a_constant_the_host_is_the_load_balancer() {
    let mut chain = Chain::new().await;
    chain.redefine(|params| params.retain(|(name, _)| *name != "ConstantParameters"));
    assert_eq!(
        chain.send(chain.get("/")).await.seen()["headers"]["host"],
        "10.0.0.10"
    );
}

#[tokio::test]
async fn only_what_is_published_answers() {
    let mut chain = Chain::new().await;
    let (group, api) = (chain.group.clone(), chain.api.clone());
    let answer = chain
        .send(chain.get("/").header("x-ca-stage", "TEST"))
        .await;
    assert_eq!((answer.status, answer.code.as_str()), (404, "I404NF"));
    assert_eq!(
        chain
            .send(chain.get("/").header("x-ca-stage", "LIVE"))
            .await
            .code,
        "I400SG"
    );
    let mut draft =
        crate::cloudapi::testing::Cloud::api_params(&group, "hello", "/moved/*", "access");
    draft.push(("ApiId", api.clone()));
    chain.cloud.ok("ModifyApi", &borrowed(&draft));
    assert_eq!(chain.send(chain.get("/x")).await.status, 200);
    chain.cloud.deploy(&api);
    assert_eq!(chain.send(chain.get("/x")).await.code, "I404NF");
    assert_eq!(chain.send(chain.get("/moved")).await.status, 200);
    chain
        .cloud
        .ok("AbolishApi", &[("ApiId", &api), ("StageName", "RELEASE")]);
    let answer = chain.send(chain.get("/moved")).await;
    assert_eq!(answer.code, "I404NF");
    assert_eq!(answer.message, "API not found with `GET /moved`");
}

#[tokio::test]
async fn the_domain_must_be_bound_and_switched_on() {
    let mut chain = Chain::new().await;
    let group = chain.group.clone();
    let other = http::Request::get("/").header(
        "host",
        format!("{}-cn-hangzhou.alicloudapi.com", "0".repeat(32)),
    );
    assert_eq!(chain.send(other).await.code, "I404DO");
    let custom = || http::Request::get("/").header("host", "api.example.com:8080");
    assert!(!super::is_front_door(&chain.cloud.world, "api.example.com"));
    chain.cloud.ok(
        "SetDomain",
        &[("GroupId", &group), ("DomainName", "api.example.com")],
    );
    assert!(super::is_front_door(&chain.cloud.world, "api.example.com"));
    assert!(super::is_front_door(&chain.cloud.world, &chain.host()));
    assert!(!super::is_front_door(
        &chain.cloud.world,
        "apigateway.cn-hangzhou.aliyuncs.com"
    ));
    let code = format!("APPCODE {}", chain.code);
    assert_eq!(
        chain
            .send(custom().header("authorization", code))
            .await
            .status,
        200
    );
    chain.cloud.ok(
        "ModifyApiGroupNetworkPolicy",
        &[("GroupId", &group), ("InnerDomainEnable", "false")],
    );
    assert_eq!(chain.send(chain.get("/")).await.code, "A403IN");
}

#[tokio::test]
async fn the_test_domain_is_rationed() {
    let mut chain = Chain::new().await;
    chain.redefine(|params| {
        params.retain(|(name, _)| *name != "ServiceConfig" && *name != "AuthType");
        params.push(("AuthType", "ANONYMOUS".to_owned()));
        params.push((
            "ServiceConfig",
            r#"{"mock":"TRUE","mockResult":"mocked","mockStatusCode":"202"}"#.to_owned(),
        ));
    });
    for _ in 0..1000 {
        let answer = chain.send(chain.bare("/")).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, "mocked"));
    }
    let answer = chain.send(chain.bare("/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (429, "T429ID"));
}

#[tokio::test]
async fn the_protocol_must_be_allowed() {
    let mut chain = Chain::new().await;
    chain.redefine(|params| {
        for (_, value) in params
            .iter_mut()
            .filter(|(name, _)| *name == "RequestConfig")
        {
            *value = value.replace("HTTP,HTTPS", "HTTPS");
        }
    });
    let answer = chain.send(chain.get("/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (403, "I403PT"));
    assert_eq!(
        chain
            .send_as(chain.get("/"), Body::empty(), true)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn every_hop_must_be_there() {
    let mut chain = Chain::new().await;
    let server = chain.server;
    chain.listen(Protocol::Tcp, ListenerStatus::Stopped);
    let answer = chain.send(chain.get("/")).await;
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (504, "D504CO"),
        "a stopped listener"
    );
    chain.balancer().listeners.clear();
    assert_eq!(
        chain.send(chain.get("/")).await.code,
        "D504CO",
        "no listener"
    );
    chain.listen(Protocol::Tcp, ListenerStatus::Running);
    chain.servers(&[]);
    assert_eq!(chain.send(chain.get("/")).await.code, "D504CO", "no server");
    let dead = dead_address().await;
    chain.servers(&[dead]);
    assert_eq!(
        chain.send(chain.get("/")).await.code,
        "D504CO",
        "a dead server"
    );
    chain.servers(&[dead, server]);
    assert_eq!(
        chain.send(chain.get("/")).await.status,
        200,
        "the other server"
    );
    chain.balancer().status = "inactive".to_owned();
    assert_eq!(
        chain.send(chain.get("/")).await.code,
        "D504CO",
        "a stopped load balancer"
    );
    chain.balancer().status = "active".to_owned();
    let vpc = chain.cloud.vpc();
    chain.cloud.ok(
        "RemoveVpcAccess",
        &[("VpcId", &vpc), ("InstanceId", "lb-access"), ("Port", "80")],
    );
    assert_eq!(
        chain.send(chain.get("/")).await.code,
        "X504VE",
        "no authorization"
    );
}

#[tokio::test]
async fn a_load_balancer_of_layer_7_answers_for_missing_servers() {
    let mut chain = Chain::new().await;
    chain.listen(Protocol::Http, ListenerStatus::Running);
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
    chain.servers(&[]);
    let answer = chain.send(chain.get("/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (503, ""));
    let dead = dead_address().await;
    chain.servers(&[dead]);
    assert_eq!(chain.send(chain.get("/")).await.status, 502);
}

#[tokio::test]
async fn a_slow_server_is_given_up() {
    let mut chain = Chain::new().await;
    let (silent, _held) = silent_server().await;
    chain.servers(&[silent]);
    chain.redefine(|params| {
        for (_, value) in params
            .iter_mut()
            .filter(|(name, _)| *name == "ServiceConfig")
        {
            *value = value.replace("10000", "50");
        }
    });
    let answer = chain.send(chain.get("/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (504, "D504TO"));
}

#[tokio::test]
async fn parameters_are_mapped_and_checked() {
    let mut chain = Chain::new().await;
    chain.redefine(|params| {
        params.retain(|(name, _)| !["RequestConfig", "ServiceConfig"].contains(name));
        let text = |text: &str| text.to_owned();
        params.push(("RequestConfig", text(r#"{"requestProtocol":"HTTP","requestHttpMethod":"GET","requestPath":"/users/[id]","requestMode":"MAPPING"}"#)));
        params.push(("ServiceConfig", text(r#"{"serviceProtocol":"HTTP","serviceHttpMethod":"POST","servicePath":"/v1/people/[person]","serviceTimeout":10000,"serviceVpcEnable":"TRUE","vpcConfig":{"name":"access"}}"#)));
        params.push(("RequestParameters", text(r#"[{"apiParameterName":"id","location":"PATH","parameterType":"Int","required":"REQUIRED"},{"apiParameterName":"q","location":"QUERY","parameterType":"String","required":"OPTIONAL","defaultValue":"all"}]"#)));
        params.push(("ServiceParameters", text(r#"[{"serviceParameterName":"person","location":"PATH","parameterType":"Int"},{"serviceParameterName":"X-Query","location":"HEAD","parameterType":"String"}]"#)));
        params.push(("ServiceParametersMap", text(r#"[{"requestParameterName":"id","serviceParameterName":"person"},{"requestParameterName":"q","serviceParameterName":"X-Query"}]"#)));
        params.push(("SystemParameters", text(r#"[{"parameterName":"CaClientIp","serviceParameterName":"X-Client","location":"HEAD"},{"parameterName":"CaStage","serviceParameterName":"stage","location":"QUERY"}]"#)));
    });
    let seen = chain
        .send(chain.get("/users/7?other=1").header("x-own", "1"))
        .await
        .seen();
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["uri"], "/v1/people/7?stage=RELEASE");
    assert_eq!(seen["headers"]["x-query"], "all");
    assert_eq!(seen["headers"]["x-client"], "192.0.2.7");
    assert!(
        seen["headers"]["x-own"].is_null(),
        "an undeclared header does not pass"
    );
    assert_eq!(chain.send(chain.get("/users/seven")).await.code, "I400IP");
}

#[tokio::test]
async fn servers_take_turns() {
    let mut chain = Chain::new().await;
    let first = chain.server;
    let second = Chain::new().await.server;
    chain.servers(&[first, second]);
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(
            chain.send(chain.get("/")).await.seen()["server"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let (first, second) = (first.to_string(), second.to_string());
    assert_eq!(taken, [first.clone(), second.clone(), first, second]);
}

#[tokio::test]
async fn an_access_control_list_of_the_listener_must_admit_the_gateway() {
    let mut chain = Chain::new().await;
    let list = crate::slb::AccessControlList {
        id: "acl-1".to_owned(),
        name: "office".to_owned(),
        ip_version: "ipv4".to_owned(),
        entries: [("203.0.113.0/24".to_owned(), String::new())].into(),
        created: chain.cloud.now,
    };
    chain
        .cloud
        .world
        .slb
        .access_control_lists
        .insert(list.id.clone(), list);
    let settings = |kind: &str| {
        [("AclStatus", "on"), ("AclId", "acl-1"), ("AclType", kind)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    };
    chain.balancer().listeners[0].settings = settings("white");
    let answer = chain.send(chain.get("/")).await;
    assert_eq!((answer.status, answer.code.as_str()), (504, "D504CO"));
    chain.balancer().listeners[0].settings = settings("black");
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
    let entries = &mut chain
        .cloud
        .world
        .slb
        .access_control_lists
        .get_mut("acl-1")
        .unwrap()
        .entries;
    entries.insert("100.0.0.0/8".to_owned(), String::new());
    assert_eq!(chain.send(chain.get("/")).await.code, "D504CO");
    chain.balancer().listeners[0].settings = settings("white");
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
}

#[tokio::test]
async fn an_api_can_be_shut_to_the_internet() {
    let mut chain = Chain::new().await;
    let group = chain.group.clone();
    chain.redefine(|params| params.push(("DisableInternet", "true".to_owned())));
    let inner = [
        ("GroupId", group.as_str()),
        ("DomainName", "api.internal.example.com"),
        ("CustomDomainType", "INTRANET"),
    ];
    chain.cloud.ok("SetDomain", &inner);
    assert_eq!(chain.send(chain.get("/")).await.code, "A403IN");
    let code = format!("APPCODE {}", chain.code);
    let inside = http::Request::get("/")
        .header("host", "api.internal.example.com")
        .header("authorization", code);
    assert_eq!(chain.send(inside).await.status, 200);
}
