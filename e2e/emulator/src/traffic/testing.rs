//! A cloud with a whole chain behind its front door and a real server at the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::AppState;
use crate::cloudapi::testing::{Cloud, borrowed};
use crate::slb::{Backend, Listener, ListenerStatus, Protocol, VServerGroup};

/// What a consumer got back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `X-Ca-Error-Code`; empty if the backend answered.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) body: String,
}

impl Answer {
    /// The backend tells what it got, as JSON.
    pub(super) fn seen(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("the backend did not answer: {self:?}"))
    }
}

/// A published API with everything behind it.
pub(super) struct Chain {
    pub(super) cloud: Cloud,
    state: Option<AppState>,
    pub(super) group: String,
    pub(super) api: String,
    pub(super) app: String,
    pub(super) code: String,
    pub(super) server: SocketAddr,
}

impl Chain {
    /// An API on `/*` that asks for a code, published, with a granted consumer, a TCP listener on
    /// port 80 and one running server.
    pub(super) async fn new() -> Self {
        let server = echo_server().await;
        let mut cloud = Cloud::new();
        cloud.now = jiff::Timestamp::now();
        let (group, api) = cloud.published();
        cloud.ok(
            "ModifyApiGroupNetworkPolicy",
            &[("GroupId", &group), ("InnerDomainEnable", "true")],
        );
        let app = cloud.app("knative");
        let code = Cloud::text(
            &cloud.ok("DescribeAppSecurity", &[("AppId", &app)]),
            "AppCode",
        );
        cloud.ok(
            "SetAppsAuthorities",
            &[("ApiId", &api), ("AppIds", &app), ("StageName", "RELEASE")],
        );
        let mut chain = Self {
            cloud,
            state: None,
            group,
            api,
            app,
            code,
            server,
        };
        chain.listen(Protocol::Tcp, ListenerStatus::Running);
        chain.servers(&[server]);
        chain
    }

    /// Replaces the listener on port 80.
    pub(super) fn listen(&mut self, protocol: Protocol, status: ListenerStatus) {
        let listener = Listener {
            port: 80,
            protocol,
            status,
            server_group_id: Some("rsp-1".to_owned()),
            description: String::new(),
            settings: BTreeMap::new(),
            tags: BTreeMap::new(),
            domain_extensions: BTreeMap::new(),
        };
        self.balancer().listeners = vec![listener];
    }

    pub(super) fn balancer(&mut self) -> &mut crate::slb::LoadBalancer {
        &mut self
            .cloud
            .world
            .slb
            .load_balancers
            .get_mut("lb-access")
            .unwrap()
            .value
    }

    /// Replaces the servers behind the listener.
    pub(super) fn servers(&mut self, addresses: &[SocketAddr]) {
        let backend = |address: &SocketAddr| Backend {
            server_id: "eni-1".to_owned(),
            server_ip: address.ip().to_string(),
            port: address.port(),
            weight: 100,
            kind: "eni".to_owned(),
            description: String::new(),
        };
        let group = VServerGroup {
            id: "rsp-1".to_owned(),
            name: "backends".to_owned(),
            load_balancer_id: "lb-access".to_owned(),
            backends: addresses.iter().map(backend).collect(),
            tags: BTreeMap::new(),
            created: self.cloud.now,
        };
        self.cloud
            .world
            .slb
            .server_groups
            .insert(group.id.clone(), group);
    }

    /// Changes the definition of the API, whose parameters are given to `change`, and publishes it.
    pub(super) fn redefine(&mut self, change: impl FnOnce(&mut Vec<(&'static str, String)>)) {
        let mut params = Cloud::api_params(&self.group, "hello", "/*", "access");
        change(&mut params);
        params.push(("ApiId", self.api.clone()));
        self.cloud.ok("ModifyApi", &borrowed(&params));
        self.cloud.deploy(&self.api);
    }

    pub(super) fn host(&self) -> String {
        format!("{}-cn-hangzhou.alicloudapi.com", self.group)
    }

    /// A request with the code of the consumer.
    pub(super) fn get(&self, path: &str) -> http::request::Builder {
        self.bare(path)
            .header("authorization", format!("APPCODE {}", self.code))
    }

    /// A request without credentials.
    pub(super) fn bare(&self, path: &str) -> http::request::Builder {
        http::Request::get(path).header("host", self.host())
    }

    /// Sends a request through the front door. Counters live as long as the chain.
    pub(super) async fn send(&mut self, request: http::request::Builder) -> Answer {
        self.send_as(request, Body::empty(), false).await
    }

    pub(super) async fn send_as(
        &mut self,
        request: http::request::Builder,
        body: Body,
        secure: bool,
    ) -> Answer {
        let state = self.state.get_or_insert_with(|| {
            AppState::new(
                self.cloud.world.clone(),
                reqwest::Client::builder().no_proxy().build().unwrap(),
            )
        });
        state.world().clone_from(&self.cloud.world);
        let mut request: Request = request.body(body).unwrap();
        let peer: SocketAddr = "192.0.2.7:1000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = super::serve(state.clone(), request, secure).await;
        read(response).await
    }
}

async fn read(response: Response) -> Answer {
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    assert_eq!(
        header("x-ca-request-id").len(),
        36,
        "every answer has a request id"
    );
    let (status, code, message) = (
        response.status().as_u16(),
        header("x-ca-error-code"),
        header("x-ca-error-message"),
    );
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    Answer {
        status,
        code,
        message,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// A server that answers with what it got.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let headers: BTreeMap<String, String> =
            parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let uri = parts.uri.to_string();
        axum::Json(json!({ "server": address.to_string(), "method": parts.method.as_str(), "uri": uri, "headers": headers, "body": String::from_utf8_lossy(&body) }))
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// A server that takes connections and never answers; it stays as long as the guard.
pub(super) async fn silent_server() -> (SocketAddr, Arc<Mutex<Vec<tokio::net::TcpStream>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let kept = held.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            kept.lock().unwrap().push(stream);
        }
    });
    (address, held)
}

/// An address where nobody listens.
pub(super) async fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
