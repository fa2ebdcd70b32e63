//! Signatures, keys, clock, nonces, parameters, and where temporary keys come from.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{CLOUDAPI, Client, REGION, SLB, STS, VPC, reply, start};
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};

const ROLE: &str = "acs:ram::1234567890123456:role/gateway";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1";

#[tokio::test]
async fn both_signatures_are_taken_and_answers_carry_the_request_id() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    for request in [
        client.v1(VPC, "DescribeVpcs", &[("RegionId", REGION)]),
        client.v3(VPC, "DescribeVpcs", &[("RegionId", REGION)]),
    ] {
        let answer = reply(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.text("RequestId").len(), 36);
        assert_eq!(answer.body["TotalCount"], 1);
    }
    let zones = client
        .call(VPC, "DescribeZones", &[("RegionId", REGION)])
        .await;
    let ids: Vec<&str> = zones.body["Zones"]["Zone"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|zone| zone["ZoneId"].as_str())
        .collect();
    assert_eq!(ids, ["cn-hangzhou-f", "cn-hangzhou-g", "cn-hangzhou-h"]);
}

#[tokio::test]
async fn a_body_in_chunks_is_read() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let whole = client.v3(VPC, "DescribeVpcs", &[("RegionId", REGION)]);
    let body = format!("RegionId={REGION}");
    let (first, second) = body.split_at(3);
    let parts = [first.to_owned(), second.to_owned()].map(Ok::<_, std::io::Error>);
    let stream = reqwest_body(parts);
    let answer = reply(whole.body(stream)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// A body without a known length is sent in chunks.
fn reqwest_body(parts: [Result<String, std::io::Error>; 2]) -> reqwest::Body {
    let stream = futures::stream::iter(parts);
    reqwest::Body::wrap(http_body_util::StreamBody::new(futures::StreamExt::map(
        stream,
        |part| part.map(|text| hyper::body::Frame::data(axum::body::Bytes::from(text))),
    )))
}

#[tokio::test]
async fn what_is_wrong_with_a_signature_is_named() {
    let emulator = start().await;
    let good = Client::of(&emulator);
    let wrong_secret = Client {
        secret: "other".to_owned(),
        ..good.clone()
    };
    let unknown_key = Client {
        key: "nobody".to_owned(),
        ..good.clone()
    };
    let late = Client {
        clock_offset: SignedDuration::from_mins(-16),
        ..good.clone()
    };
    let early = Client {
        clock_offset: SignedDuration::from_mins(16),
        ..good.clone()
    };
    let foreign_token = Client {
        token: Some("t".to_owned()),
        ..good.clone()
    };
    let cases = [
        (
            &wrong_secret,
            "SignatureDoesNotMatch",
            StatusCode::BAD_REQUEST,
        ),
        (
            &unknown_key,
            "InvalidAccessKeyId.NotFound",
            StatusCode::NOT_FOUND,
        ),
        (&late, "InvalidTimeStamp.Expired", StatusCode::BAD_REQUEST),
        (&early, "InvalidTimeStamp.Expired", StatusCode::BAD_REQUEST),
        (
            &foreign_token,
            "InvalidSecurityToken.MismatchWithAccessKey",
            StatusCode::BAD_REQUEST,
        ),
    ];
    for (client, code, status) in cases {
        for request in [
            client.v1(STS, "GetCallerIdentity", &[]),
            client.v3(STS, "GetCallerIdentity", &[]),
        ] {
            let answer = reply(request).await;
            assert_eq!((answer.code(), answer.status), (code, status));
        }
    }
    let bare = good.http().get(format!(
        "{}/?Action=GetCallerIdentity&Version={STS}",
        good.url
    ));
    assert_eq!(reply(bare).await.code(), "MissingAccessKeyId");
}

#[tokio::test]
async fn a_nonce_counts_once() {
    let emulator = start().await;
    let client = Client {
        nonce: Some("n".to_owned()),
        ..Client::of(&emulator)
    };
    assert_eq!(
        client.call(STS, "GetCallerIdentity", &[]).await.code(),
        "ok"
    );
    let again = client.call(STS, "GetCallerIdentity", &[]).await;
    assert_eq!(
        (again.code(), again.status),
        ("SignatureNonceUsed", StatusCode::BAD_REQUEST)
    );
}

#[tokio::test]
async fn unknown_actions_and_bad_parameters_are_refused_with_the_common_body() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, &str, Pairs<'_>, &str); 6] = [
        (SLB, "CreateEverything", &[], "InvalidAction.NotFound"),
        (CLOUDAPI, "CreateEverything", &[], "InvalidApi.NotFound"),
        ("1999-01-01", "DescribeVpcs", &[], "InvalidVersion"),
        (SLB, "DescribeLoadBalancers", &[], "MissingParameter"),
        (
            SLB,
            "DescribeLoadBalancers",
            &[("RegionId", REGION), ("PageSize", "many")],
            "InvalidParameter",
        ),
        (
            SLB,
            "DescribeLoadBalancers",
            &[("RegionId", "cn-beijing")],
            "InvalidRegionId.NotFound",
        ),
    ];
    for (version, action, params, code) in cases {
        let answer = client.call(version, action, params).await;
        assert_eq!(answer.code(), code, "{action} {params:?}");
        for member in ["RequestId", "HostId", "Message", "Recommend"] {
            assert!(!answer.text(member).is_empty(), "{member} of {code}");
        }
    }
}

#[tokio::test]
async fn parameters_nobody_knows_are_ignored_but_logged() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let answer = client
        .call(
            VPC,
            "DescribeVpcs",
            &[("RegionId", REGION), ("VpcIds", "x")],
        )
        .await;
    assert_eq!(answer.code(), "ok");
    let calls = emulator.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].unknown_parameters, ["VpcIds"]);
    assert_eq!(calls[0].access_key_id, common::KEY);
    assert!(!calls[0].mutating);
}

fn oidc_token(expires_in: i64) -> String {
    let expiry = jiff::Timestamp::now().as_second() + expires_in;
    let claims = json!({"iss": "https://oidc", "sub": "system:serviceaccount:ns:sa", "aud": ["sts.aliyuncs.com"], "exp": expiry});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&json!({"alg": "RS256"})),
        part(&claims),
        URL_SAFE_NO_PAD.encode("signature")
    )
}

async fn assume(client: &Client, role: &str, token: &str) -> common::Reply {
    let form = [
        ("Action", "AssumeRoleWithOIDC"),
        ("Version", STS),
        ("Format", "JSON"),
        ("RoleArn", role),
        ("OIDCProviderArn", PROVIDER),
        ("OIDCToken", token),
        ("RoleSessionName", "operator"),
        ("DurationSeconds", "900"),
    ];
    reply(client.http().post(&client.url).form(&form)).await
}

#[tokio::test]
async fn a_web_identity_gets_keys_that_work_with_their_token_only() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let answer = assume(&client, ROLE, &oidc_token(600)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.body["OIDCTokenInfo"]["Issuer"], "https://oidc");
    let credentials = &answer.body["Credentials"];
    let member = |name: &str| credentials[name].as_str().expect("a text").to_owned();
    let session = Client {
        key: member("AccessKeyId"),
        secret: member("AccessKeySecret"),
        token: Some(member("SecurityToken")),
        ..client.clone()
    };
    for request in [
        session.v1(STS, "GetCallerIdentity", &[]),
        session.v3(STS, "GetCallerIdentity", &[]),
    ] {
        let identity = reply(request).await;
        assert_eq!(identity.text("IdentityType"), "AssumedRoleUser");
        assert_eq!(
            identity.text("Arn"),
            "acs:ram::1234567890123456:assumed-role/gateway/operator"
        );
    }
    let bare = Client {
        token: None,
        ..session.clone()
    };
    assert_eq!(
        bare.call(STS, "GetCallerIdentity", &[]).await.code(),
        "InvalidAccessKeyId.NotFound"
    );
    let mixed = Client {
        token: Some("other".to_owned()),
        ..session.clone()
    };
    let refusal = mixed.call(STS, "GetCallerIdentity", &[]).await;
    assert_eq!(refusal.code(), "InvalidSecurityToken.MismatchWithAccessKey");
    let now = jiff::Timestamp::now();
    emulator
        .state()
        .world()
        .sts
        .sessions
        .get_mut(&session.key)
        .expect("issued")
        .expires = now;
    let expired = session.call(STS, "GetCallerIdentity", &[]).await;
    assert_eq!(expired.code(), "InvalidSecurityToken.Expired");
}

#[tokio::test]
async fn web_identities_that_do_not_hold_are_refused() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let good = oidc_token(600);
    let cases = [
        (ROLE, "", "MissingOIDCToken"),
        (ROLE, "not-a-token", "AuthenticationFail.OIDCToken.Invalid"),
        (
            ROLE,
            &oidc_token(-1),
            "AuthenticationFail.OIDCToken.Expired",
        ),
        ("gateway", good.as_str(), "InvalidParameter.RoleArn"),
        (
            "acs:ram::9999999999999999:role/gateway",
            good.as_str(),
            "EntityNotExist.Role",
        ),
    ];
    for (role, token, code) in cases {
        assert_eq!(assume(&client, role, token).await.code(), code);
    }
}

#[tokio::test]
async fn keys_come_from_the_uri_and_from_the_metadata_service() {
    let emulator = start().await;
    let client = Client::of(&emulator);
    let base = format!("{}/_emulator", emulator.url());
    let from_uri = reply(client.http().get(format!("{base}/credentials"))).await;
    let metadata = format!("{base}/imds/latest/meta-data/ram/security-credentials");
    let unasked = client
        .http()
        .get(format!("{metadata}/"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(unasked.status(), StatusCode::FORBIDDEN);
    let token = client
        .http()
        .put(format!("{base}/imds/latest/api/token"))
        .header("X-aliyun-ecs-metadata-token-ttl-seconds", "60");
    let token = token
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a token");
    let get = |path: &str| {
        client
            .http()
            .get(format!("{metadata}/{path}"))
            .header("X-aliyun-ecs-metadata-token", &token)
    };
    let role = get("")
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a role");
    let from_metadata = reply(get(&role)).await;
    for keys in [from_uri, from_metadata] {
        assert_eq!(keys.text("Code"), "Success");
        let session = Client {
            key: keys.text("AccessKeyId"),
            secret: keys.text("AccessKeySecret"),
            token: Some(keys.text("SecurityToken")),
            ..client.clone()
        };
        assert_eq!(
            session.call(STS, "GetCallerIdentity", &[]).await.code(),
            "ok"
        );
    }
}
