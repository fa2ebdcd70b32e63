//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub)]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alicloud_emulator::api::Product;
use alicloud_emulator::protocol::sign_query;
use alicloud_emulator::{Emulator, Running};
use cloud_adapter::budget::Budget;
use cloud_adapter::client::{Client, ClientConfig, Patience};
use cloud_adapter::credentials::{Credentials, CredentialsProvider, CredentialsSource};
use cloud_adapter::endpoints::Endpoints;
use cloud_adapter::observe::CallRecord;
use serde_json::Value;

pub const KEY_ID: &str = "testid";
pub const SECRET: &str = "testsecret-do-not-show";
pub const REGION: &str = "cn-hangzhou";

/// Short waits, the usual number of attempts.
pub fn quick() -> Patience {
    Patience {
        first_wait: Duration::from_millis(5),
        locked_wait: Duration::from_millis(5),
        attempt: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        ..Patience::default()
    }
}

pub fn static_keys() -> CredentialsSource {
    CredentialsSource::Static(Credentials {
        access_key_id: KEY_ID.to_owned(),
        secret: SECRET.into(),
        security_token: None,
        expires: None,
    })
}

pub fn provider(source: CredentialsSource) -> Arc<CredentialsProvider> {
    Arc::new(CredentialsProvider::new(source))
}

pub fn budget(per_second: u32) -> Budget {
    Budget::alone(NonZeroU32::new(per_second).unwrap())
}

/// A configuration for a server at `url`.
pub fn config(url: &str) -> ClientConfig {
    ClientConfig {
        endpoints: Endpoints::all(url),
        patience: quick(),
        ..ClientConfig::new(REGION, provider(static_keys()), budget(1000))
    }
}

pub fn client(url: &str) -> Client {
    Client::new(config(url)).unwrap()
}

/// Collects the records of a client.
pub fn recorded(config: &mut ClientConfig) -> Arc<Mutex<Vec<CallRecord>>> {
    let records = Arc::new(Mutex::new(Vec::new()));
    let sink = records.clone();
    config.observer.after = Some(Arc::new(move |record| {
        sink.lock().unwrap().push(record.clone())
    }));
    records
}

pub async fn emulator() -> Running {
    Emulator::builder()
        .region(REGION)
        .access_key(KEY_ID, SECRET)
        .start()
        .await
        .unwrap()
}

/// A call that the adapter does not make, signed by the emulator's own means.
pub async fn call(
    running: &Running,
    product: Product,
    action: &str,
    params: &[(&str, &str)],
) -> Value {
    let common = [
        ("AccessKeyId", KEY_ID.to_owned()),
        ("Action", action.to_owned()),
        ("Format", "JSON".to_owned()),
        ("RegionId", REGION.to_owned()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureNonce", format!("{:032x}", rand::random::<u128>())),
        ("SignatureVersion", "1.0".to_owned()),
        (
            "Timestamp",
            jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
        ),
        ("Version", product.version().to_owned()),
    ];
    let given = params
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let all: Vec<(String, String)> = common
        .into_iter()
        .chain(given)
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let url = format!("{}/?{}", running.url(), sign_query("GET", &all, SECRET));
    let answer = reqwest::get(url).await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{action}: {body}");
    body
}

/// A VPC of the emulator, and a new intranet load balancer in it.
pub async fn intranet_balancer(running: &Running) -> (String, String) {
    let vswitches = call(running, Product::Vpc, "DescribeVSwitches", &[]).await;
    let vswitch = &vswitches["VSwitches"]["VSwitch"][0];
    let vpc = vswitch["VpcId"].as_str().unwrap();
    let params = [
        ("AddressType", "intranet"),
        ("VpcId", vpc),
        ("VSwitchId", vswitch["VSwitchId"].as_str().unwrap()),
        ("LoadBalancerName", "gateway"),
        ("InstanceChargeType", "PayByCLCU"),
    ];
    let made = call(running, Product::Slb, "CreateLoadBalancer", &params).await;
    (
        vpc.to_owned(),
        made["LoadBalancerId"].as_str().unwrap().to_owned(),
    )
}
