//! What the client makes of a cloud that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud_adapter::call::RpcCall;
use cloud_adapter::client::Client;
use cloud_adapter::credentials::{Credentials, CredentialsSource};
use cloud_adapter::error::{CloudError, Effect, ErrorClass};
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::classic::ClassicGateway;
use cloud_adapter::gateway::model::{CLUSTER_TAG, OWNER_TAG};
use cloud_adapter::operations::*;
use common::{budget, client, config, recorded};
use serde_json::json;
use wiremock::matchers::{header_exists, method, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_json(json!({"Code": code, "Message": "said the cloud", "RequestId": "R-1"}))
}

fn fine() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"RequestId": "R-2", "ApiId": "a1"}))
}

/// Answers with `answers` in turn, the last one for ever.
async fn server(answers: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (i, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST"))
            .and(header_exists("authorization"))
            .respond_with(answer);
        let mock = if i < last {
            mock.up_to_n_times(1)
        } else {
            mock
        };
        mock.mount(&server).await;
    }
    server
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn throttling_is_waited_out_as_long_as_the_cloud_asks_and_each_attempt_is_signed_anew() {
    let throttled = refusal(400, "Throttling.User").insert_header("x-acs-retry-after", "400");
    let server = server(vec![throttled, fine()]).await;
    let start = Instant::now();
    client(&server.uri())
        .call(RpcCall::new(CREATE_API))
        .await
        .unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );
    let sent = server.received_requests().await.unwrap();
    let nonces: Vec<_> = sent
        .iter()
        .map(|r| r.headers["x-acs-signature-nonce"].clone())
        .collect();
    assert_eq!(nonces.len(), 2);
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn a_wait_longer_than_ours_is_left_to_the_caller() {
    let throttled = refusal(429, "Throttling").insert_header("retry-after", "600");
    let server = server(vec![throttled]).await;
    let error = client(&server.uri())
        .call(RpcCall::new(DESCRIBE_APIS))
        .await
        .unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(600)));
    assert_eq!(
        (error.class, error.effect),
        (ErrorClass::Throttled, Effect::None)
    );
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_create_without_an_answer_is_never_sent_twice() {
    let lost = fine().set_delay(Duration::from_secs(30));
    let cut = ResponseTemplate::new(200).set_body_raw(r#"{"ApiId": "a"#, "application/json");
    let proxy = ResponseTemplate::new(504);
    for (name, answer, code) in [
        (
            "unavailable",
            refusal(503, "ServiceUnavailable"),
            "ServiceUnavailable",
        ),
        ("timeout", lost, "Timeout"),
        ("cut answer", cut, "UnreadableAnswer"),
        ("proxy", proxy, "UnreadableAnswer"),
        (
            "seen a moment ago",
            refusal(400, "RepeatedCommit"),
            "RepeatedCommit",
        ),
    ] {
        let server = server(vec![answer]).await;
        let mut config = config(&server.uri());
        if code == "Timeout" {
            config.patience.attempt = Duration::from_millis(100);
        }
        let client = Client::new(config).unwrap();
        let error = client.call(RpcCall::new(CREATE_API)).await.unwrap_err();
        assert_eq!(error.code, code, "{name}");
        assert_eq!(error.effect, Effect::Unknown, "{name}");
        assert_eq!(requests(&server).await, 1, "{name}");
    }
}

#[tokio::test]
async fn a_change_without_an_answer_is_left_to_the_caller_too() {
    let server = server(vec![refusal(500, "InternalError")]).await;
    let error = client(&server.uri())
        .call(RpcCall::new(DEPLOY_API))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.effect),
        (ErrorClass::Unavailable, Effect::Unknown)
    );
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_locked_object_is_tried_again_where_repeating_is_safe() {
    let server = server(vec![refusal(400, "ConcurrencyLockTimeout"), fine()]).await;
    client(&server.uri())
        .call(RpcCall::new(ABOLISH_API))
        .await
        .unwrap();
    assert_eq!(requests(&server).await, 2);
}

#[tokio::test]
async fn reads_are_tried_again_a_few_times() {
    let server = server(vec![refusal(503, "ServiceUnavailable")]).await;
    let error = client(&server.uri())
        .call(RpcCall::new(DESCRIBE_APIS))
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Unavailable);
    assert_eq!(error.request_id.as_deref(), Some("R-1"));
    assert_eq!(requests(&server).await, 4);
}

#[tokio::test]
async fn what_cannot_help_is_not_repeated() {
    for code in [
        "NotFoundApi",
        "InvalidApiName",
        "Forbidden.RAM",
        "SignatureDoesNotMatch",
    ] {
        let server = server(vec![refusal(400, code)]).await;
        let error = client(&server.uri())
            .call(RpcCall::new(DESCRIBE_APIS))
            .await
            .unwrap_err();
        assert_eq!(error.code, code);
        assert_eq!(requests(&server).await, 1, "{code}");
    }
}

#[tokio::test]
async fn no_connection_means_nothing_was_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut config = config(&url);
    let records = recorded(&mut config);
    let error = Client::new(config)
        .unwrap()
        .call(RpcCall::new(CREATE_API))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.effect),
        (ErrorClass::Unavailable, Effect::None)
    );
    assert_eq!(
        records.lock().unwrap().len(),
        4,
        "nothing was sent, so trying again is safe"
    );
}

#[tokio::test]
async fn records_tell_what_happened_and_a_gate_stops_calls() {
    let server = server(vec![refusal(503, "ServiceUnavailable"), fine()]).await;
    let mut open = config(&server.uri());
    let records = recorded(&mut open);
    Client::new(open)
        .unwrap()
        .call(RpcCall::new(DESCRIBE_APIS))
        .await
        .unwrap();
    let seen: Vec<_> = records
        .lock()
        .unwrap()
        .iter()
        .map(|r| (r.attempt, r.outcome))
        .collect();
    assert_eq!(seen, [(1, Err(ErrorClass::Unavailable)), (2, Ok(()))]);

    let mut shut = config(&server.uri());
    shut.observer.before = Some(Arc::new(|operation| {
        if !operation.mutating() {
            return Ok(());
        }
        Err(CloudError {
            class: ErrorClass::Unavailable,
            operation: operation.to_string(),
            code: "LeaseLost".to_owned(),
            message: "another replica writes".to_owned(),
            request_id: None,
            retry_after: None,
            effect: Effect::None,
        })
    }));
    let before = requests(&server).await;
    let error = Client::new(shut)
        .unwrap()
        .call(RpcCall::new(CREATE_API))
        .await
        .unwrap_err();
    assert_eq!(error.code, "LeaseLost");
    assert_eq!(requests(&server).await, before);
}

#[tokio::test]
async fn a_used_up_budget_is_an_error_within_the_deadline() {
    let server = server(vec![fine()]).await;
    let mut config = config(&server.uri());
    config.budget = budget(1);
    let client = Client::new(config).unwrap();
    client.call(RpcCall::new(CREATE_API)).await.unwrap();
    let call = RpcCall::new(CREATE_API).deadline(Duration::from_millis(50));
    let error = client.call(call).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.effect),
        ("BudgetUsedUp", Effect::None)
    );
    assert_eq!(requests(&server).await, 1);
    client.call(RpcCall::new(DEPLOY_API)).await.unwrap();
}

#[tokio::test]
async fn no_secret_shows_in_errors_or_debug() {
    let url = "http://127.0.0.1:1";
    let client = client(url);
    let call = RpcCall::new(CREATE_APP)
        .query("AppCode", "code-value")
        .form("AppSecret", "secret-value");
    let shown = format!("{call:?} {client:?}");
    let error = client.call(call).await.unwrap_err();
    let shown = format!("{shown} {error:?} {error}");
    for secret in ["code-value", "secret-value", common::SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A page of apps.
async fn page(server: &MockServer, number: u32, total: u32, ids: std::ops::Range<u32>) {
    let items: Vec<_> = ids
        .map(|id| json!({"AppId": id, "AppName": format!("app{id}")}))
        .collect();
    let body = json!({"Apps": {"AppAttribute": items}, "TotalCount": total, "RequestId": "R"});
    Mock::given(query_param("PageNumber", number.to_string()))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let whole = MockServer::start().await;
    page(&whole, 1, 130, 0..100).await;
    page(&whole, 2, 130, 100..130).await;
    let gateway = |server: &MockServer| ClassicGateway::new(client(&server.uri()));
    assert_eq!(gateway(&whole).list_consumers().await.unwrap().len(), 130);

    let short = MockServer::start().await;
    page(&short, 1, 130, 0..100).await;
    page(&short, 2, 130, 100..129).await;
    let empty = MockServer::start().await;
    page(&empty, 1, 130, 0..0).await;
    let shifted = MockServer::start().await;
    page(&shifted, 1, 130, 0..100).await;
    page(&shifted, 2, 130, 99..129).await;
    let moved = MockServer::start().await;
    page(&moved, 1, 130, 0..100).await;
    page(&moved, 2, 131, 100..130).await;
    for (name, server) in [
        ("short", short),
        ("empty", empty),
        ("shifted", shifted),
        ("moved", moved),
    ] {
        let error = gateway(&server).list_consumers().await.unwrap_err();
        assert_eq!(
            (error.class, error.code.as_str()),
            (ErrorClass::Unavailable, "IncompleteList"),
            "{name}"
        );
    }
    let nothing = server(vec![
        ResponseTemplate::new(200).set_body_json(json!({"RequestId": "R"})),
    ])
    .await;
    assert_eq!(
        gateway(&nothing).list_consumers().await.unwrap_err().code,
        "IncompleteList"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_told_without_repeating_the_request() {
    let emulator = common::emulator().await;
    let mut config = config(&emulator.url());
    config.credentials = common::provider(CredentialsSource::Static(Credentials {
        access_key_id: common::KEY_ID.to_owned(),
        secret: "another".into(),
        security_token: None,
        expires: None,
    }));
    let call = RpcCall::new(DESCRIBE_APP_ATTRIBUTES).query("AppCode", "code-value");
    let error = Client::new(config).unwrap().call(call).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert_eq!(
        error.to_string(),
        "CloudAPI DescribeAppAttributes: SignatureDoesNotMatch: the cloud computes another \
         signature: the AccessKey secret does not belong to the AccessKey id"
    );
}

#[tokio::test]
async fn a_denial_names_the_missing_permission() {
    let body = json!({"Code": "NoPermission", "Message": "You are not authorized.",
                      "AccessDeniedDetail": {"AuthAction": "apigateway:CreateApi"}});
    let server = server(vec![ResponseTemplate::new(403).set_body_json(body)]).await;
    let error = client(&server.uri())
        .call(RpcCall::new(CREATE_API))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, error.effect),
        (ErrorClass::Forbidden, Effect::None)
    );
    assert_eq!(
        error.message,
        "You are not authorized. (the permission apigateway:CreateApi is missing)"
    );
}

/// Not every product says in its answer which permission it is.
#[tokio::test]
async fn a_denial_without_details_is_about_the_action_that_was_called() {
    let body = json!({"Code": "Forbidden.RAM", "Message": "User not authorized."});
    let server = server(vec![ResponseTemplate::new(403).set_body_json(body)]).await;
    let error = client(&server.uri())
        .call(RpcCall::new(CREATE_API))
        .await
        .unwrap_err();
    assert_eq!(
        error.message,
        "User not authorized. (the permission apigateway:CreateApi is missing)"
    );
}

/// One API whose definition has an unknown shape shows as drift; its neighbour is not concerned.
#[tokio::test]
async fn one_odd_definition_does_not_hide_the_others() {
    let server = MockServer::start().await;
    let tags = json!({"Tag": [{"TagKey": CLUSTER_TAG, "TagValue": "c1f0"},
                              {"TagKey": OWNER_TAG, "TagValue": "GatewayBinding/a/b"}]});
    let api = |id: &str| {
        json!({"ApiId": id, "ApiName": id, "ApiMethod": "GET", "ApiPath": "/a", "GroupId": "g1",
               "ModifiedTime": "2026-11-20T00:00:00Z", "TagList": tags})
    };
    let list = json!({"ApiSummarys": {"ApiSummary": [api("odd"), api("fine")]}, "TotalCount": 2});
    let definition = |timeout| {
        json!({"ApiName": "x", "ServiceConfig": {"ServiceTimeout": timeout, "ServicePath": "/"},
               "RequestConfig": {"RequestPath": "/a", "RequestHttpMethod": "GET"}})
    };
    for (id, body) in [
        ("odd", definition(json!("soon"))),
        ("fine", definition(json!(1000))),
    ] {
        Mock::given(query_param("ApiId", id))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    Mock::given(query_param("PageNumber", "1"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .mount(&server)
        .await;
    let gateway = ClassicGateway::new(client(&server.uri()));
    let mut apis = gateway.list_apis("c1f0", &[]).await.unwrap();
    for api in &mut apis {
        *api = gateway.read_api(api).await.unwrap().unwrap();
    }
    let odd = |i: usize| {
        apis[i]
            .spec
            .as_ref()
            .unwrap()
            .unmodelled
            .contains_key("definition")
    };
    assert_eq!((odd(0), odd(1)), (true, false));
}
