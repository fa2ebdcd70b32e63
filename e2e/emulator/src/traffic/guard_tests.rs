//! Who is let in: credentials, grants, limits, address lists.

use base64::Engine as _;
use hmac::{Hmac, Mac};

use super::testing::{Answer, Chain};
use crate::cloudapi::testing::Cloud;

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (status, code),
        "{answer:?}"
    );
    assert!(!answer.message.is_empty());
}

#[tokio::test]
async fn a_code_is_asked_for_and_checked() {
    let mut chain = Chain::new().await;
    refused(&chain.send(chain.bare("/")).await, 400, "A400MA");
    refused(
        &chain
            .send(chain.bare("/").header("authorization", "APPCODE wrong"))
            .await,
        400,
        "A400AC",
    );
    let in_query = chain.bare(&format!("/?AppCode={}", chain.code));
    assert_eq!(chain.send(in_query).await.status, 200);
    chain.redefine(|params| {
        params.retain(|(name, _)| *name != "AppCodeAuthType");
        params.push(("AppCodeAuthType", "HEADER".to_owned()));
    });
    let in_query = chain.bare(&format!("/?AppCode={}", chain.code));
    refused(&chain.send(in_query).await, 400, "A400MA");
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
    chain.redefine(|params| params.retain(|(name, _)| *name != "AppCodeAuthType"));
    refused(&chain.send(chain.get("/")).await, 400, "A400MA");
}

#[tokio::test]
async fn a_deleted_code_stops_and_a_new_one_works() {
    let mut chain = Chain::new().await;
    let (app, old) = (chain.app.clone(), chain.code.clone());
    chain
        .cloud
        .ok("CreateAppCode", &[("AppId", &app), ("AppCode", "second")]);
    assert_eq!(
        chain
            .send(chain.bare("/").header("authorization", "APPCODE second"))
            .await
            .status,
        200
    );
    chain
        .cloud
        .ok("DeleteAppCode", &[("AppId", &app), ("AppCode", &old)]);
    refused(&chain.send(chain.get("/")).await, 400, "A400AC");
}

#[tokio::test]
async fn a_grant_is_needed_and_may_end() {
    let mut chain = Chain::new().await;
    let (api, app) = (chain.api.clone(), chain.app.clone());
    let grant = [
        ("ApiId", api.as_str()),
        ("AppIds", app.as_str()),
        ("StageName", "RELEASE"),
    ];
    chain.cloud.ok(
        "SetAppsAuthorities",
        &[
            grant[0],
            grant[1],
            grant[2],
            ("AuthValidTime", "2020-01-01T00:00:00Z"),
        ],
    );
    refused(&chain.send(chain.get("/")).await, 403, "A403EP");
    chain.cloud.ok("RemoveAppsAuthorities", &grant);
    refused(&chain.send(chain.get("/")).await, 403, "I403AA");
    chain.cloud.ok("SetAppsAuthorities", &grant);
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
    chain
        .cloud
        .ok("ModifyApp", &[("AppId", &app), ("Disabled", "true")]);
    refused(&chain.send(chain.get("/")).await, 403, "I403AA");
}

fn signed(
    chain: &mut Chain,
    nonce: &str,
    timestamp: i64,
    secret: Option<&str>,
) -> http::request::Builder {
    let security = chain
        .cloud
        .ok("DescribeAppSecurity", &[("AppId", &chain.app.clone())]);
    let key = Cloud::text(&security, "AppKey");
    let secret = secret.map_or_else(|| Cloud::text(&security, "AppSecret"), str::to_owned);
    let text = format!(
        "GET\n*/*\n\n\n\nX-Ca-Key:{key}\nX-Ca-Nonce:{nonce}\nX-Ca-Timestamp:{timestamp}\n/signed?a=1&b=x y&flag"
    );
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes())
        .unwrap()
        .chain_update(text);
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    chain
        .bare("/signed?b=x%20y&a=1&flag=")
        .header("accept", "*/*")
        .header("x-ca-key", key)
        .header("x-ca-nonce", nonce)
        .header("x-ca-timestamp", timestamp.to_string())
        .header(
            "x-ca-signature-headers",
            "X-Ca-Timestamp,X-Ca-Key,X-Ca-Nonce",
        )
        .header("x-ca-signature", signature)
}

#[tokio::test]
async fn a_signature_is_verified_once_and_in_time() {
    let mut chain = Chain::new().await;
    let now = jiff::Timestamp::now().as_millisecond();
    let request = signed(&mut chain, "n1", now, None);
    assert_eq!(chain.send(request).await.status, 200);
    let request = signed(&mut chain, "n1", now, None);
    refused(&chain.send(request).await, 403, "S403NU");
    let request = signed(&mut chain, "n2", now - 16 * 60 * 1000, None);
    refused(&chain.send(request).await, 403, "S403TE");
    let request = signed(&mut chain, "n3", now, Some("wrong"));
    let answer = chain.send(request).await;
    refused(&answer, 403, "A403IS");
    assert!(
        answer.message.contains("#/signed?a=1&b=x y&flag"),
        "{}",
        answer.message
    );
    let request = chain
        .bare("/")
        .header("x-ca-key", "1")
        .header("x-ca-signature", "x");
    refused(&chain.send(request).await, 400, "A400IK");
}

#[tokio::test]
async fn limits_hold_for_the_api_and_for_each_consumer() {
    let mut chain = Chain::new().await;
    let (api, group) = (chain.api.clone(), chain.group.clone());
    let data = "unit: DAY\napiDefault: 3\nappDefault: 2\n";
    let plugin = chain.cloud.plugin("limit_two", "trafficControl", data);
    chain.cloud.ok(
        "AttachPlugin",
        &[
            ("PluginId", &plugin),
            ("ApiId", &api),
            ("StageName", "RELEASE"),
        ],
    );
    for _ in 0..2 {
        assert_eq!(chain.send(chain.get("/")).await.status, 200);
    }
    let answer = chain.send(chain.get("/")).await;
    refused(&answer, 429, "T429PR");
    assert_eq!(answer.message, "Throttled by APP Flow Control");
    let other = chain.cloud.app("other");
    chain.cloud.ok(
        "SetAppsAuthorities",
        &[
            ("ApiId", &api),
            ("AppIds", &other),
            ("StageName", "RELEASE"),
        ],
    );
    let code = Cloud::text(
        &chain.cloud.ok("DescribeAppSecurity", &[("AppId", &other)]),
        "AppCode",
    );
    let by_other = |chain: &Chain| {
        chain
            .bare("/")
            .header("authorization", format!("APPCODE {code}"))
    };
    assert_eq!(chain.send(by_other(&chain)).await.status, 200);
    let answer = chain.send(by_other(&chain)).await;
    assert_eq!(answer.message, "Throttled by API Flow Control");
    // The plugin goes, the classic policy stays.
    let made = chain.cloud.ok(
        "CreateTrafficControl",
        &[
            ("TrafficControlName", "classic"),
            ("TrafficControlUnit", "DAY"),
            ("ApiDefault", "1"),
        ],
    );
    let control = Cloud::text(&made, "TrafficControlId");
    chain.cloud.ok(
        "SetTrafficControlApis",
        &[
            ("TrafficControlId", &control),
            ("GroupId", &group),
            ("ApiIds", &api),
            ("StageName", "RELEASE"),
        ],
    );
    refused(&chain.send(chain.get("/")).await, 429, "T429PR");
    chain.cloud.ok(
        "DetachPlugin",
        &[
            ("PluginId", &plugin),
            ("ApiId", &api),
            ("StageName", "RELEASE"),
        ],
    );
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
    refused(&chain.send(chain.get("/")).await, 429, "T429PA");
}

#[tokio::test]
async fn an_address_list_keeps_others_out() {
    let mut chain = Chain::new().await;
    let (api, group) = (chain.api.clone(), chain.group.clone());
    let outside = chain.cloud.plugin(
        "allow_ten",
        "ipControl",
        "type: ALLOW\nitems: [{blocks: [\"10.0.0.0/8\"]}]",
    );
    let inside = chain.cloud.plugin(
        "allow_net",
        "ipControl",
        "type: ALLOW\nitems: [{blocks: [\"192.0.2.0/24\"]}]",
    );
    chain.cloud.ok(
        "AttachGroupPlugin",
        &[
            ("PluginId", &outside),
            ("GroupId", &group),
            ("StageName", "RELEASE"),
        ],
    );
    refused(&chain.send(chain.get("/")).await, 403, "A403IP");
    chain.cloud.ok(
        "AttachPlugin",
        &[
            ("PluginId", &inside),
            ("ApiId", &api),
            ("StageName", "RELEASE"),
        ],
    );
    assert_eq!(chain.send(chain.get("/")).await.status, 200);
}

#[tokio::test]
async fn a_guard_that_is_not_carried_lets_nobody_in() {
    let mut chain = Chain::new().await;
    let api = chain.api.clone();
    let plugin = chain.cloud.plugin(
        "basic",
        "basicAuth",
        r#"{"users":[{"username":"a","password":"b"}]}"#,
    );
    chain.cloud.ok(
        "AttachPlugin",
        &[
            ("PluginId", &plugin),
            ("ApiId", &api),
            ("StageName", "RELEASE"),
        ],
    );
    refused(&chain.send(chain.get("/")).await, 501, "E501NE");
}
