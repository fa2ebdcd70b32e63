//! Each source of credentials, and how they are renewed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud_adapter::Clock;
use cloud_adapter::client::Client;
use cloud_adapter::credentials::{CredentialsProvider, CredentialsSource, EnvLookup, OidcSource};
use cloud_adapter::error::ErrorClass;
use cloud_adapter::sts::caller_identity;
use common::{config, emulator, provider};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn lookup(pairs: &[(&str, &str)]) -> EnvLookup {
    let map: HashMap<String, String> = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Arc::new(move |name| map.get(name).cloned())
}

fn keys(id: &str, expiration: &str) -> serde_json::Value {
    json!({"Code": "Success", "AccessKeyId": id, "AccessKeySecret": "s", "SecurityToken": "t",
           "Expiration": expiration})
}

#[tokio::test]
async fn environment() {
    let source = CredentialsSource::Environment(lookup(&[
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "id"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hidden"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "token"),
    ]));
    let credentials = provider(source).get().await.unwrap();
    assert_eq!(credentials.secret.expose_secret(), "hidden");
    assert!(credentials.security_token.is_some());
    assert!(!format!("{credentials:?}").contains("hidden"));

    let empty = provider(CredentialsSource::Environment(lookup(&[])));
    let error = empty.get().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    assert_eq!(
        error.to_string(),
        "credentials from environment: Missing: the environment variable \
         ALIBABA_CLOUD_ACCESS_KEY_ID is not set; set it on the operator, or name another \
         credentials source"
    );
}

/// The emulator hands out temporary keys in three ways; each must be good for a signed call.
#[tokio::test]
async fn temporary_keys_sign_calls() {
    let emulator = emulator().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", token())).unwrap();
    let oidc = OidcSource::from_env(
        &lookup(&[
            (
                "ALIBABA_CLOUD_ROLE_ARN",
                "acs:ram::1234567890123456:role/operator",
            ),
            (
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                "acs:ram::1234567890123456:oidc-provider/ack-rrsa",
            ),
            (
                "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
                file.path().to_str().unwrap(),
            ),
        ]),
        &emulator.url(),
    );
    let sources = [
        CredentialsSource::Oidc(oidc.unwrap()),
        CredentialsSource::EcsRamRole {
            role: None,
            base_url: format!("{}/_emulator/imds", emulator.url()),
        },
        CredentialsSource::Uri(format!("{}/_emulator/credentials", emulator.url())),
    ];
    for source in sources {
        let name = source.name();
        let mut config = config(&emulator.url());
        config.credentials = provider(source);
        let client = Client::new(config).unwrap();
        let identity = caller_identity(&client)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(identity.account_id, "1234567890123456", "{name}");
        assert!(
            identity.arn.contains("assumed-role"),
            "{name}: {}",
            identity.arn
        );
    }
}

fn token() -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": "https://issuer", "sub": "system:serviceaccount:a:b",
                        "aud": "sts.aliyuncs.com", "exp": 4102444800u64});
    format!("{}.{}.c2ln", part(json!({"alg": "RS256"})), part(claims))
}

#[tokio::test]
async fn a_source_that_fails_says_what_to_do() {
    let refusing = MockServer::start().await;
    let body = json!({"Code": "AuthenticationFail.NoPermission", "Message": "not trusted"});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(400).set_body_json(body))
        .mount(&refusing)
        .await;
    let oidc = |file: &std::path::Path| {
        CredentialsSource::Oidc(OidcSource {
            role_arn: "r".into(),
            provider_arn: "p".into(),
            token_file: file.into(),
            session_name: "s".into(),
            sts_url: refusing.uri(),
        })
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "the-token").unwrap();
    let cases = [
        (
            oidc(file.path()),
            "STS refuses to assume the role: not trusted",
        ),
        (oidc("/nowhere/token".as_ref()), "/nowhere/token"),
        (
            CredentialsSource::Uri(format!("{}/?token=hidden", refusing.uri())),
            "404",
        ),
        (
            CredentialsSource::EcsRamRole {
                role: None,
                base_url: refusing.uri(),
            },
            "the metadata service answered 404",
        ),
    ];
    for (source, expected) in cases {
        let error = provider(source).get().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Credentials);
        assert!(error.message.contains(expected), "{error}");
        assert!(error.message.contains("; check "), "no advice: {error}");
        assert!(!error.to_string().contains("hidden") && !error.to_string().contains("the-token"));
    }
}

#[tokio::test]
async fn the_token_file_is_read_each_time_and_stays_out_of_the_query() {
    let sts = MockServer::start().await;
    for (token, id) in [("first", "k1"), ("second", "k2")] {
        let answer = json!({"Credentials": keys(id, "2026-11-20T01:00:00Z")});
        Mock::given(method("POST"))
            .and(body_string_contains(format!("OIDCToken={token}&")))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&sts)
            .await;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let source = CredentialsSource::Oidc(OidcSource {
        role_arn: "r".into(),
        provider_arn: "p".into(),
        token_file: file.path().into(),
        session_name: "s".into(),
        sts_url: sts.uri(),
    });
    let (clock, time) = clock("2026-11-20T00:00:00Z");
    let provider = CredentialsProvider::with_clock(source, clock);
    std::fs::write(file.path(), "first").unwrap();
    assert_eq!(provider.get().await.unwrap().access_key_id, "k1");
    std::fs::write(file.path(), "second").unwrap();
    time.fetch_add(3600, Ordering::SeqCst);
    // What STS gives has ended by this clock as well, but it is what there is.
    assert_eq!(provider.get().await.unwrap().access_key_id, "k2");
    for request in sts.received_requests().await.unwrap() {
        assert!(!request.url.as_str().contains("OIDCToken"));
        assert!(!request.headers.contains_key("authorization"));
    }
}

fn clock(start: &str) -> (Clock, Arc<AtomicI64>) {
    let start: Timestamp = start.parse().unwrap();
    let time = Arc::new(AtomicI64::new(start.as_second()));
    let seconds = time.clone();
    let clock: Clock =
        Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap());
    (clock, time)
}

/// A credentials URI whose answers the test sets.
async fn uri(answer: Arc<Mutex<Option<serde_json::Value>>>) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |_: &wiremock::Request| match answer.lock().unwrap().clone() {
        Some(body) => ResponseTemplate::new(200).set_body_json(body),
        None => ResponseTemplate::new(500),
    };
    Mock::given(path("/keys"))
        .respond_with(respond)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn credentials_are_renewed_ahead_of_their_end_and_kept_while_that_fails() {
    let answer = Arc::new(Mutex::new(Some(keys("k1", "2026-11-20T01:00:00Z"))));
    let server = uri(answer.clone()).await;
    let (clock, time) = clock("2026-11-20T00:00:00Z");
    let source = CredentialsSource::Uri(format!("{}/keys", server.uri()));
    let provider = CredentialsProvider::with_clock(source, clock);
    let asked = async || server.received_requests().await.unwrap().len();

    let (a, b) = tokio::join!(provider.get(), provider.get());
    assert_eq!(
        (a.unwrap().access_key_id, b.unwrap().access_key_id),
        ("k1".into(), "k1".into())
    );
    time.fetch_add(54 * 60, Ordering::SeqCst);
    provider.get().await.unwrap();
    assert_eq!(
        asked().await,
        1,
        "one call for all, and none before it is time"
    );

    *answer.lock().unwrap() = None;
    time.fetch_add(2 * 60, Ordering::SeqCst);
    assert_eq!(
        provider.get().await.unwrap().access_key_id,
        "k1",
        "still valid"
    );
    provider.get().await.unwrap();
    assert_eq!(
        asked().await,
        2,
        "a failing source is left alone for a while"
    );

    time.fetch_add(5 * 60, Ordering::SeqCst);
    let error = provider.get().await.unwrap_err();
    assert_eq!(
        error.class,
        ErrorClass::Credentials,
        "ended, and no renewal"
    );

    *answer.lock().unwrap() = Some(keys("k2", "2026-11-20T03:00:00Z"));
    assert_eq!(provider.get().await.unwrap().access_key_id, "k2");
}

#[tokio::test]
async fn keys_that_the_cloud_calls_expired_are_renewed_once() {
    let answer = Arc::new(Mutex::new(Some(keys("k1", "2099-01-01T00:00:00Z"))));
    let source = uri(answer.clone()).await;
    let cloud = MockServer::start().await;
    let next = answer.clone();
    let refuse = move |_: &wiremock::Request| {
        *next.lock().unwrap() = Some(keys("k2", "2099-01-01T00:00:00Z"));
        ResponseTemplate::new(400)
            .set_body_json(json!({"Code": "InvalidSecurityToken.Expired", "Message": "expired"}))
    };
    Mock::given(method("POST"))
        .respond_with(refuse)
        .mount(&cloud)
        .await;
    let mut config = config(&cloud.uri());
    config.credentials = provider(CredentialsSource::Uri(format!("{}/keys", source.uri())));
    let error = caller_identity(&Client::new(config).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
    let sent = cloud.received_requests().await.unwrap();
    let used: Vec<_> = sent
        .iter()
        .map(|r| r.headers["x-acs-accesskey-id"].to_str().unwrap())
        .collect();
    assert_eq!(used, ["k1", "k2"]);
}
