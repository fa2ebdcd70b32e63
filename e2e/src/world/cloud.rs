//! The emulated cloud, by way of its HTTP interface: it may run in this process or in another.

use std::{collections::BTreeMap, ffi::OsString, path::Path, sync::Arc, time::Duration};

use alicloud_emulator::{
    Emulator, Running,
    calls::Call,
    ccm,
    state::AppState,
    traffic::alb::{PLACE_HEADER, Place},
};
use axum::http::Method;
use kube::Client;
use rustls::sign::CertifiedKey;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use super::{Keys, WorldError, operator::free_port};
use crate::process::{Process, ProcessSpec};

/// First wait of the cloud controller manager after a failure; the real one waits 5 s.
const CCM_RETRY: Duration = Duration::from_millis(500);
/// What is a second to the ALB Ingress controller's stand-in.
const ALB_SECOND: Duration = Duration::from_millis(100);
/// How long the emulator's process may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// How the emulated cloud is started.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// Its one region.
    pub region: String,
    /// Its one account.
    pub account_id: String,
    /// Whether load balancers of a fixed size are still sold.
    pub sells_pay_by_spec: bool,
    /// Its access keys.
    pub keys: Vec<Keys>,
    /// The cloud controller manager that is played, if one is.
    pub ccm: Option<Ccm>,
}

/// A cluster's cloud controller manager.
#[derive(Clone, Debug)]
pub struct Ccm {
    /// The cluster.
    pub cluster_id: String,
    /// Which of the access keys it uses.
    pub access_key_id: String,
    /// Whether the ALB Ingress controller is played beside it.
    pub with_alb: bool,
}

/// A handle on the emulated cloud, which ends when this is dropped.
pub struct Cloud {
    url: String,
    http: reqwest::Client,
    backing: Backing,
}

enum Backing {
    InProcess(Running),
    #[expect(dead_code, reason = "held for as long as the cloud is to run")]
    Process(Process),
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cloud")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What came back from a request through the front door.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case, the last value of each.
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    pub body: String,
}

impl Cloud {
    /// Starts the emulator in this process, on a free loopback port. `client` is the cluster's.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(options: &CloudOptions, client: Client) -> Result<Self, WorldError> {
        let mut builder = Emulator::builder()
            .region(&options.region)
            .account_id(&options.account_id)
            .sell_pay_by_spec(options.sells_pay_by_spec);
        for keys in &options.keys {
            builder = builder.access_key(&keys.id, &keys.secret);
        }
        if let Some(Ccm {
            cluster_id,
            access_key_id,
            with_alb,
        }) = &options.ccm
        {
            builder = builder.ccm(ccm::Options {
                cluster_id: cluster_id.clone(),
                access_key_id: Some(access_key_id.clone()),
                retry_min: CCM_RETRY,
                retry_max: CCM_RETRY * 8,
                alb_second: with_alb.then_some(ALB_SECOND),
                ..ccm::Options::new(client)
            });
        }
        let running = builder.start().await?;
        Self::new(running.url(), Backing::InProcess(running))
    }

    /// Starts the emulator's program on a free loopback port; its log is `emulator.log` in the
    /// folder, its state `emulator.json`.
    ///
    /// # Errors
    /// If it cannot be run or does not serve.
    pub async fn start_process(
        options: &CloudOptions,
        program: &Path,
        kubeconfig: &Path,
        folder: &Path,
    ) -> Result<Self, WorldError> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut args: Vec<OsString> = vec!["--listen".into(), address.clone().into()];
        args.extend(["--region".into(), options.region.clone().into()]);
        args.extend(["--account-id".into(), options.account_id.clone().into()]);
        args.extend(["--state".into(), folder.join("emulator.json").into()]);
        for keys in &options.keys {
            args.extend([
                "--access-key".into(),
                format!("{}:{}", keys.id, keys.secret).into(),
            ]);
        }
        if let Some(ccm) = &options.ccm {
            args.extend(["--ccm-kubeconfig".into(), kubeconfig.into()]);
            args.extend(["--ccm-cluster-id".into(), ccm.cluster_id.clone().into()]);
            args.extend(["--ccm-access-key".into(), ccm.access_key_id.clone().into()]);
            args.extend([
                "--ccm-retry".into(),
                CCM_RETRY.as_millis().to_string().into(),
            ]);
            args.extend([
                "--alb-second".into(),
                ALB_SECOND.as_millis().to_string().into(),
            ]);
        }
        let spec = ProcessSpec {
            name: "emulator".to_owned(),
            program: program.to_owned(),
            args,
            env: Vec::new(),
        };
        let mut process = Process::spawn(&spec, folder)?;
        let url = format!("http://{address}");
        wait_until_serving(&mut process, &format!("{url}/_emulator/health")).await?;
        Self::new(url, Backing::Process(process))
    }

    fn new(url: String, backing: Backing) -> Result<Self, WorldError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            url,
            http: http.build()?,
            backing,
        })
    }

    /// Gives a port of a load balancer a listener of its own; see [`Running::open`]. Says whether it
    /// could: not if the emulator runs in a process of its own.
    ///
    /// # Errors
    /// As [`Running::open`].
    pub fn open(
        &mut self,
        listener: TcpListener,
        place: Place,
        find: impl Fn(&str) -> Option<Arc<CertifiedKey>> + Send + Sync + 'static,
    ) -> Result<bool, rustls::Error> {
        match &mut self.backing {
            Backing::InProcess(running) => running.open(listener, place, find).map(|()| true),
            Backing::Process(_) => Ok(false),
        }
    }

    /// Its state, if it runs in this process.
    pub(super) fn in_process(&self) -> Option<AppState> {
        match &self.backing {
            Backing::InProcess(running) => Some(running.state().clone()),
            Backing::Process(_) => None,
        }
    }

    /// Changes the objects of the cloud past its interface, for what that cannot make. Says whether it
    /// could: not if the emulator runs in a process of its own.
    pub fn change(&self, change: impl FnOnce(&mut alicloud_emulator::world::World)) -> bool {
        let state = self.in_process();
        state.map(|state| change(&mut state.world())).is_some()
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Where all products are served, and the traffic of API groups by their hosts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All calls since the start or the last reset, oldest first.
    ///
    /// # Errors
    /// If the emulator does not answer as it should.
    pub async fn calls(&self) -> Result<Vec<Call>, WorldError> {
        let text = self.control(Method::GET, "calls", None).await?;
        let calls = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(serde_json::from_str);
        calls
            .collect::<Result<_, _>>()
            .map_err(|source| WorldError::Emulator {
                request: "GET /_emulator/calls".to_owned(),
                problem: format!("a line that is no call: {source}"),
            })
    }

    /// Forgets the calls so far.
    ///
    /// # Errors
    /// If the emulator does not answer as it should.
    pub async fn reset_calls(&self) -> Result<(), WorldError> {
        self.control(Method::DELETE, "calls", None).await.map(drop)
    }

    /// Replaces all faults; `{"rules": []}` clears them. The format is the emulator's fault plan.
    ///
    /// # Errors
    /// If the emulator refuses the plan.
    pub async fn faults(&self, plan: &Value) -> Result<(), WorldError> {
        self.control(Method::POST, "faults", Some(plan))
            .await
            .map(drop)
    }

    /// Replaces the policies of all keys: an object from their ids to policy documents. A key without
    /// one may do everything.
    ///
    /// # Errors
    /// If the emulator refuses one.
    pub async fn ram_policies(&self, policies: &Value) -> Result<(), WorldError> {
        self.control(Method::PUT, "ram", Some(policies))
            .await
            .map(drop)
    }

    /// All objects of the cloud.
    ///
    /// # Errors
    /// If the emulator does not answer as it should.
    pub async fn state(&self) -> Result<Value, WorldError> {
        let text = self.control(Method::GET, "state", None).await?;
        serde_json::from_str(&text).map_err(|source| WorldError::Emulator {
            request: "GET /_emulator/state".to_owned(),
            problem: source.to_string(),
        })
    }

    async fn control(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<String, WorldError> {
        let url = format!("{}/_emulator/{path}", self.url);
        let mut request = self.http.request(method.clone(), url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        if status.is_success() {
            return Ok(text);
        }
        let request = format!("{method} /_emulator/{path}");
        Err(WorldError::Emulator {
            request,
            problem: format!("{status}: {text}"),
        })
    }

    /// `GET` through the emulated API gateway's front door.
    ///
    /// # Errors
    /// If no answer came at all; an answer of any status is none.
    pub async fn curl(
        &self,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, WorldError> {
        let mut request = self
            .http
            .get(format!("{}{path}", self.url))
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    /// `GET` from a load balancer of the product ALB: `place` is its DNS name or an address of it,
    /// with a port if that is not 80.
    ///
    /// # Errors
    /// If no answer came at all; an answer of any status is none.
    pub async fn curl_alb(
        &self,
        place: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, WorldError> {
        let place = (PLACE_HEADER, place);
        let headers: Vec<_> = headers.iter().copied().chain([place]).collect();
        self.curl(host, path, &headers).await
    }
}

/// Sends a request and reads the whole answer.
pub(super) async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, WorldError> {
    let response = request.send().await?;
    let text =
        |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    Ok(Answer {
        status: response.status().as_u16(),
        headers,
        body: response.text().await?,
    })
}

async fn wait_until_serving(process: &mut Process, url: &str) -> Result<(), WorldError> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = process.try_wait()?;
        if ended.is_none()
            && http
                .get(url)
                .send()
                .await
                .is_ok_and(|response| response.status().is_success())
        {
            return Ok(());
        }
        if ended.is_some() || Instant::now() >= deadline {
            let problem = match ended {
                Some(status) => format!("the emulator ended with {status}"),
                None => format!("no answer after {} s", PATIENCE.as_secs()),
            };
            let log = process.log_tail(20);
            return Err(WorldError::Emulator {
                request: format!("GET {url}"),
                problem: format!("{problem}\n{log}"),
            });
        }
        sleep(POLL).await;
    }
}
