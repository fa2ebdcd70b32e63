//! A client of the emulator that signs as the vendor's clients do.
#![allow(dead_code, unreachable_pub)] // Each test file uses its own part of it.

use alicloud_emulator::protocol::sign_query;
use alicloud_emulator::{Builder, Emulator, Running};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const KEY: &str = "testid";
pub const SECRET: &str = "testsecret";
pub const REGION: &str = "cn-hangzhou";

pub const SLB: &str = "2014-05-15";
pub const VPC: &str = "2016-04-28";
pub const STS: &str = "2015-04-01";
pub const CLOUDAPI: &str = "2016-07-14";

pub fn builder() -> Builder {
    Emulator::builder().region(REGION).access_key(KEY, SECRET)
}

pub async fn start() -> Running {
    builder().start().await.expect("the emulator starts")
}

/// An answer, refused or not.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["Code"].as_str().unwrap_or("ok")
    }

    pub fn text(&self, member: &str) -> String {
        self.body[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member} in {self:?}"))
            .to_owned()
    }
}

/// Who calls, and what may be wrong about it.
#[derive(Clone)]
pub struct Client {
    pub url: String,
    pub key: String,
    pub secret: String,
    pub token: Option<String>,
    pub clock_offset: SignedDuration,
    pub nonce: Option<String>,
    pub http: reqwest::Client,
}

impl Client {
    pub fn of(emulator: &Running) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            url: emulator.url(),
            key: KEY.to_owned(),
            secret: SECRET.to_owned(),
            token: None,
            clock_offset: SignedDuration::ZERO,
            nonce: None,
            http,
        }
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    fn time(&self) -> String {
        let now = Timestamp::now() + self.clock_offset;
        now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn nonce(&self) -> String {
        self.nonce
            .clone()
            .unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()))
    }

    /// Signature version 1.0, all in the query.
    pub fn v1(&self, version: &str, action: &str, params: &[(&str, &str)]) -> RequestBuilder {
        let (time, nonce) = (self.time(), self.nonce());
        let mut all = vec![
            ("AccessKeyId", self.key.as_str()),
            ("Action", action),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", &nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", &time),
            ("Version", version),
        ];
        all.extend(self.token.as_deref().map(|token| ("SecurityToken", token)));
        all.extend_from_slice(params);
        let owned: Vec<(String, String)> = all
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self.http.post(format!(
            "{}/?{}",
            self.url,
            sign_query("POST", &owned, &self.secret)
        ))
    }

    /// Signature V3, parameters in the form body.
    pub fn v3(&self, version: &str, action: &str, params: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        let hash = hex::encode(Sha256::digest(&body));
        let host = self.url.trim_start_matches("http://").to_owned();
        let mut headers = vec![
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("host", host),
            ("x-acs-action", action.to_owned()),
            ("x-acs-content-sha256", hash.clone()),
            ("x-acs-date", self.time()),
            ("x-acs-signature-nonce", self.nonce()),
            ("x-acs-version", version.to_owned()),
        ];
        headers.extend(
            self.token
                .clone()
                .map(|token| ("x-acs-security-token", token)),
        );
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!("POST\n/\n\n{lines}\n{names}\n{hash}");
        let to_sign = format!(
            "ACS3-HMAC-SHA256\n{}",
            hex::encode(Sha256::digest(canonical))
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length");
        mac.update(to_sign.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}",
            self.key
        );
        let mut request = self
            .http
            .post(&self.url)
            .header("authorization", authorization)
            .body(body);
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        request
    }

    pub async fn call(&self, version: &str, action: &str, params: &[(&str, &str)]) -> Reply {
        reply(self.v1(version, action, params)).await
    }

    /// A call of the load balancer product in the emulator's region.
    pub async fn slb(&self, action: &str, params: &[(&str, &str)]) -> Reply {
        let mut all = vec![("RegionId", REGION)];
        all.extend_from_slice(params);
        self.call(SLB, action, &all).await
    }

    /// The same, for calls that must be taken.
    pub async fn slb_ok(&self, action: &str, params: &[(&str, &str)]) -> Value {
        let reply = self.slb(action, params).await;
        assert_eq!(reply.status, StatusCode::OK, "{action}: {reply:?}");
        reply.body
    }
}

pub async fn reply(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.json().await.expect("a JSON body");
    Reply {
        status,
        headers,
        body,
    }
}
