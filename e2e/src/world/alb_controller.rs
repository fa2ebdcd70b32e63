//! The real ALB Ingress controller in a world, in place of its stand-in.

use std::{
    collections::BTreeMap,
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{Keys, WorldError};

const ECS: &str = "2014-05-26";
const CERTIFICATES: &str = "2020-06-19";

/// The program as it runs, and the proxy by which it reaches the emulated cloud. Both end when this is dropped.
#[derive(Debug)]
pub struct AlbController {
    child: Child,
    proxy: JoinHandle<()>,
}

impl AlbController {
    /// Starts the program; its configuration and its log go to `folder`.
    ///
    /// # Errors
    /// If there is no port, or it cannot be run.
    pub async fn start(
        program: &Path,
        folder: &Path,
        kubeconfig: &Path,
        cloud: &str,
        (region, cluster_id, keys): (&str, &str, &Keys),
        (vpc, vswitch): (&str, &str),
    ) -> Result<Self, WorldError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| WorldError::Io { what, source }
        };
        let (address, proxy) = proxy(cloud.to_owned()).await.map_err(io("listen"))?;
        let config = json!({"Global": {
            "accessKeyID": base64(&keys.id), "accessKeySecret": base64(&keys.secret), "clusterID": cluster_id,
            "region": region, "vpcid": vpc, "vswitchid": vswitch, "serviceBackendType": "eni",
        }});
        let path = folder.join("alb-controller.yaml");
        std::fs::write(&path, config.to_string()).map_err(io("write the configuration"))?;
        let log = File::create(folder.join("alb-controller.log")).map_err(io("make a log"))?;
        let child = Command::new(program)
            .arg(format!("--cloud-config={}", path.display()))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .args(["--controllers=ingress", "--configure-cloud-routes=false"])
            .args(["--leader-elect=false", "--leader-elect-resource-lock=leases"])
            .args(["--metrics-bind-addr=127.0.0.1:0", "--health-probe-bind-addr=0"])
            .env("ALICLOUD_CLIENT_SCHEME", "HTTP")
            .env("HTTP_PROXY", format!("http://{address}"))
            .env("http_proxy", format!("http://{address}"))
            .env("NO_PROXY", "127.0.0.1,localhost")
            .stdout(Stdio::from(log.try_clone().map_err(io("make a log"))?))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(io("run the ALB Ingress controller"))?;
        Ok(Self { child, proxy })
    }
}

impl Drop for AlbController {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.proxy.abort();
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

struct Proxy {
    cloud: String,
    http: reqwest::Client,
    certificates: std::sync::Mutex<Vec<Value>>,
}

async fn proxy(cloud: String) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let http = reqwest::Client::builder().no_proxy().build().map_err(std::io::Error::other)?;
    let proxy = Proxy { cloud, http, certificates: Default::default() };
    let router = Router::new().fallback(pass_on).with_state(Arc::new(proxy));
    let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
    Ok((address, task))
}

async fn pass_on(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let query = parts.uri.query().unwrap_or_default();
    let parameters = |name: &str| {
        [query.as_bytes(), &body].iter().flat_map(|text| {
            std::str::from_utf8(text).unwrap_or_default().split('&').map(str::to_owned).collect::<Vec<_>>()
        }).filter_map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()))).filter(|(key, _)| key.starts_with(name)).collect::<BTreeMap<_, _>>()
    };
    let version = parameters("Version").remove("Version").unwrap_or_default();
    let action = parameters("Action").remove("Action").unwrap_or_default();
    let answer = match version.as_str() {
        ECS => interfaces(&parameters("PrivateIpAddress.")),
        CERTIFICATES if action == "CreateSSLCertificateWithName" => {
            let name = parameters("CertName").remove("CertName");
            let mut kept = proxy.certificates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let id = format!("{}-cn-beijing", kept.len() + 1);
            kept.push(json!({"CertName": name, "CertIdentifier": id}));
            json!({"RequestId": "r", "CertIdentifier": id})
        }
        CERTIFICATES => {
            let kept = proxy.certificates.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            json!({"RequestId": "r", "CertMetaList": kept, "TotalCount": kept.len(), "PageCount": 1, "CurrentPage": 1, "ShowSize": 50})
        }
        _ => {
            return match forwarded(&proxy, parts, body).await {
                Ok((status, answer)) => (status, axum::Json(answer)).into_response(),
                Err(_) => StatusCode::BAD_GATEWAY.into_response(),
            };
        }
    };
    axum::Json(answer).into_response()
}

async fn forwarded(proxy: &Proxy, parts: Parts, body: Bytes) -> reqwest::Result<(StatusCode, Value)> {
    let query = parts.uri.query().unwrap_or_default();
    let mut request = proxy.http.request(parts.method, format!("{}/?{query}", proxy.cloud));
    for (name, value) in &parts.headers {
        if name == header::CONTENT_TYPE || name == header::ACCEPT {
            request = request.header(name, value);
        }
    }
    let answer = request.body(body).send().await?;
    let status = answer.status();
    Ok((status, answer.json().await.unwrap_or_default()))
}

fn interfaces(addresses: &BTreeMap<String, String>) -> Value {
    let sets: Vec<Value> = addresses.values().map(|ip| json!({
        "NetworkInterfaceId": alicloud_emulator::ccm::eni_id(ip),
        "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": ip, "Primary": true}]},
    })).collect();
    json!({
        "RequestId": "r", "PageNumber": 1, "PageSize": 100, "TotalCount": sets.len(),
        "NetworkInterfaceSets": {"NetworkInterfaceSet": sets},
    })
}
