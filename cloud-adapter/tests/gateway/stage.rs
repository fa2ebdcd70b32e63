//! A published API on an emulator, and what the tests expect of it.

use std::sync::Arc;
use std::time::Duration;

use alicloud_emulator::Running;
use cloud_adapter::client::Client;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::classic::{ClassicGateway, ClassicTiming};
use cloud_adapter::gateway::model::*;
use jiff::{SignedDuration, Timestamp};

use crate::common::{config, intranet_balancer};

pub(crate) const CLUSTER: &str = "c1f0";
pub(crate) const RELEASE: Environment = Environment::Release;

/// With a clock that runs ahead, so that what was just written counts as settled.
pub(crate) fn gateway(running: &Running) -> ClassicGateway {
    let mut config = config(&running.url());
    config.clock = Arc::new(|| Timestamp::now() + SignedDuration::from_secs(30));
    let timing = ClassicTiming {
        poll: Duration::from_millis(10),
        ..ClassicTiming::default()
    };
    ClassicGateway::with_timing(Client::new(config).unwrap(), timing)
}

pub(crate) fn marker(owner: &str) -> Marker {
    Marker {
        cluster: CLUSTER.to_owned(),
        owner: owner.to_owned(),
    }
}

pub(crate) fn group_spec() -> GroupSpec {
    GroupSpec {
        name: "knative".to_owned(),
        description: "made by a test".to_owned(),
        instance: None,
        test_domain: true,
        pass_host: false,
    }
}

pub(crate) fn api_spec(backend: &BackendName) -> ApiSpec {
    ApiSpec {
        name: "default_helloworld".to_owned(),
        description: "GatewayBinding default/helloworld".to_owned(),
        method: Method::Any,
        path: Path::Prefix("/".to_owned()),
        protocols: [Protocol::Http, Protocol::Https].into(),
        auth: ApiAuth::Consumer {
            api_key: [ApiKeyLocation::Header, ApiKeyLocation::Query].into(),
            signature: true,
        },
        backend: ApiBackend {
            name: backend.clone(),
            path: "/".to_owned(),
            host: Some("helloworld.default.example.com".to_owned()),
            timeout_ms: 10_000,
        },
        unmodelled: Default::default(),
    }
}

pub(crate) fn limits(requests: u64) -> PolicySpec {
    PolicySpec {
        name: "limit_1".to_owned(),
        description: String::new(),
        rules: PolicyRules::Throttling(Throttling {
            window: Window::Minute,
            api: requests,
            account: None,
            consumer: Some(60),
            consumers: Default::default(),
        }),
    }
}

pub(crate) async fn backend(running: &Running, gateway: &dyn ApiGateway) -> Backend {
    let (vpc_id, load_balancer_id) = intranet_balancer(running).await;
    let name = BackendName::from("lb_80_knative");
    let spec = BackendSpec {
        name,
        vpc_id,
        load_balancer_id,
        port: 80,
        host_override: None,
    };
    gateway
        .create_backend(&spec, &marker("GatewayBindingClass/production"))
        .await
        .unwrap()
}

/// A group, a backend and a published API.
pub(crate) async fn published(
    running: &Running,
    gateway: &dyn ApiGateway,
) -> (Group, Backend, ApiId, ApiSpec) {
    let group = gateway
        .create_group(&group_spec(), &marker("GatewayBindingClass/production"))
        .await;
    let group = group.unwrap();
    let backend = backend(running, gateway).await;
    let spec = api_spec(&backend.spec.name);
    let owner = marker("GatewayBinding/default/helloworld");
    let api = gateway.create_api(&group.id, &spec, &owner).await.unwrap();
    gateway
        .deploy(&group.id, &api, RELEASE, "first")
        .await
        .unwrap();
    (group, backend, api, spec)
}

/// No call was refused, and none had a parameter that its action does not have.
pub(crate) fn assert_clean(running: &Running) {
    for call in running.calls() {
        assert_eq!(call.outcome, "ok", "{call:?}");
        assert!(call.unknown_parameters.is_empty(), "{call:?}");
    }
}

pub(crate) fn count(running: &Running, action: &str) -> usize {
    running
        .calls()
        .iter()
        .filter(|call| call.action == action)
        .count()
}
