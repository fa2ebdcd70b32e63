//! The listeners and server groups that a Service asks for, read before anything is called.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::super::BackendMode;
use super::super::annotations::{Annotations, whole_number};
use super::super::backends::{self, Server, Weights};
use super::super::cleanup::preserves;
use super::super::cloud::Args;
use super::super::ensure::Pass;
use super::super::error::{SyncError, Within};
use super::super::model::{self, Names, group_port};
use super::balancer::Wish;

/// Settings by parameter name.
pub(super) type Settings = BTreeMap<String, String>;

/// What a Service asks for; nothing, once it goes.
pub(super) struct Local<'a> {
    pub(super) wish: Wish<'a>,
    pub(super) listeners: Vec<WantedListener>,
    pub(super) groups: Vec<WantedGroup>,
    pub(super) preserved: bool,
    pub(super) is_going: bool,
}

/// A listener that a port asks for.
#[derive(Debug, Clone)]
pub(super) struct WantedListener {
    service_port: ServicePort,
    /// `TCP`, `UDP` or `TCPSSL`.
    pub(super) protocol: String,
    /// 0 for a range.
    pub(super) port: i32,
    pub(super) range: Option<(i32, i32)>,
    pub(super) description: String,
    /// The name of its server group, and its id once it is known.
    pub(super) group: String,
    pub(super) group_id: Option<String>,
    pub(super) settings: Settings,
    /// Certificates beside the first, where they are said.
    pub(super) additional_certificates: Option<Vec<String>>,
}

/// A server group that a port asks for.
#[derive(Debug, Clone)]
pub(super) struct WantedGroup {
    pub(super) name: String,
    pub(super) id: Option<String>,
    /// `TCP`, `UDP` or `TCPSSL`.
    pub(super) protocol: String,
    /// Whether it takes connections to all ports of a range.
    pub(super) any_port: bool,
    pub(super) settings: Settings,
    pub(super) servers: Vec<Server>,
    pub(super) ignore_weights: bool,
}

/// Parameters out of settings.
pub(super) fn with(args: Args, settings: &Settings) -> Args {
    args.and(
        settings
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    )
}

/// What a Service that goes leaves to be done.
pub(super) fn going(service: &Service) -> Local<'_> {
    let annotations = Annotations::of(service);
    Local {
        wish: Wish::none(annotations),
        listeners: Vec::new(),
        groups: Vec::new(),
        preserved: preserves(annotations),
        is_going: true,
    }
}

/// Reads a Service; the first value that cannot be read fails the whole.
pub(super) async fn build<'a>(
    pass: &Pass<'_>,
    service: &'a Service,
    names: &Names,
) -> Result<Local<'a>, SyncError> {
    let annotations = Annotations::of(service);
    let wish = Wish::of(annotations).within("build nlb attribute error")?;
    let mode = model::mode(annotations, pass.backends);
    let listeners = listeners(service, names, mode).within("build nlb listener error")?;
    let groups = groups(pass, service, &listeners).await;
    Ok(Local {
        wish,
        groups: groups.within("builid nlb server group error")?,
        listeners,
        preserved: preserves(annotations),
        is_going: false,
    })
}

fn listeners(
    service: &Service,
    names: &Names,
    mode: BackendMode,
) -> Result<Vec<WantedListener>, SyncError> {
    let annotations = Annotations::of(service);
    let mut all: Vec<WantedListener> = Vec::new();
    for port in model::ports(service) {
        let built = listener(annotations, names, mode, port);
        all.push(built.within(&format!(
            "build listener from servicePort {} error",
            port.port
        ))?);
    }
    for (index, one) in all.iter().enumerate() {
        let (first, last) = one.ports();
        let mut later = all.iter().skip(index + 1);
        let other = later.find(|other| {
            let (begins, ends) = other.ports();
            other.protocol == one.protocol && first <= ends && begins <= last
        });
        if let Some(other) = other {
            return Err(SyncError::said(format!(
                "port of listener [{}] overlaps with listener [{}]",
                one.shown(),
                other.shown()
            )));
        }
    }
    Ok(all)
}

impl WantedListener {
    fn ports(&self) -> (i32, i32) {
        self.range.unwrap_or((self.port, self.port))
    }

    fn shown(&self) -> String {
        match self.range {
            Some((first, last)) => format!("{first}-{last}"),
            None => self.port.to_string(),
        }
    }
}

fn listener(
    annotations: Annotations<'_>,
    names: &Names,
    mode: BackendMode,
    port: &ServicePort,
) -> Result<WantedListener, SyncError> {
    let protocol = protocol(annotations, port)?;
    let range = range(annotations, mode, port.port)?;
    let ports = match range {
        Some((first, last)) => format!("{first}_{last}"),
        None => port.port.to_string(),
    };
    let behind = match range {
        Some(_) => ports.clone(),
        None => group_port(port, mode),
    };
    let additional = annotations.get("additional-cert-ids");
    let additional = additional.filter(|_| protocol == "TCPSSL");
    let is_said = annotations.present("additional-cert-ids").is_some();
    Ok(WantedListener {
        service_port: port.clone(),
        description: names.of_network_port(&ports, &protocol),
        group: names.of_network_port(&behind, &protocol),
        group_id: None,
        port: if range.is_some() { 0 } else { port.port },
        range,
        settings: listener_settings(annotations, &protocol)?,
        additional_certificates: is_said.then(|| {
            let ids = additional.into_iter().flat_map(|said| said.split(','));
            ids.map(str::to_owned).collect()
        }),
        protocol,
    })
}

/// `tcp:80,tcpssl:443`, in any case.
fn protocol(annotations: Annotations<'_>, port: &ServicePort) -> Result<String, SyncError> {
    let said = annotations.get("protocol-port");
    for pair in said.into_iter().flat_map(|said| said.split(',')) {
        let parts: Vec<&str> = pair.split(':').collect();
        let [protocol, number, ..] = parts.as_slice() else {
            return Err(SyncError::said(format!(
                "port and protocol format must be like 'https:443' with colon separated. got=[[{pair}]]"
            )));
        };
        let upper = protocol.to_uppercase();
        if !["TCP", "UDP", "TCPSSL"].contains(&upper.as_str()) {
            return Err(SyncError::said(format!(
                "port protocol format must be either [TCP|UDP|TCPSSL], protocol not supported with [{protocol}]\n"
            )));
        }
        if *number == port.port.to_string() {
            return Ok(upper);
        }
    }
    Ok(port.protocol.as_deref().unwrap_or("TCP").to_uppercase())
}

/// `1000-2000:80`
fn range(
    annotations: Annotations<'_>,
    mode: BackendMode,
    port: i32,
) -> Result<Option<(i32, i32)>, SyncError> {
    let Some(said) = annotations.get("listener-port-range") else {
        return Ok(None);
    };
    if mode != BackendMode::Eni {
        return Err(SyncError::said(
            "listener port range can only be used for eni backend type service",
        ));
    }
    for one in said.split(',') {
        let wrong = || {
            SyncError::said(format!(
                "listener port range must be like 1000-2000:80 with colon separated. got [{one}]"
            ))
        };
        let parts: Vec<&str> = one.split(':').collect();
        let [ports, number] = parts.as_slice() else {
            return Err(wrong());
        };
        if *number != port.to_string() {
            continue;
        }
        let parts: Vec<&str> = ports.split('-').collect();
        let [first, last] = parts.as_slice() else {
            return Err(wrong());
        };
        let number = |text: &str| {
            let number = whole_number(text).and_then(|number| {
                i32::try_from(number).map_err(|_| "value out of range".to_owned())
            });
            number.map_err(|why| {
                SyncError::said(format!(
                    "failed to convert port range [{one}] to int: {why}"
                ))
            })
        };
        let (first, last) = (number(first)?, number(last)?);
        if first >= last {
            return Err(SyncError::said(format!(
                "start port should be smaller than end port for port range [{one}]"
            )));
        }
        if first < 1 || last > 65_535 {
            return Err(SyncError::said(format!("port range [{one}] is invalid")));
        }
        return Ok(Some((first, last)));
    }
    Ok(None)
}

fn flag(said: &str) -> String {
    said.eq_ignore_ascii_case("on").to_string()
}

/// A number; what cannot be read is told with `what` before it.
fn number(
    annotations: Annotations<'_>,
    key: &str,
    what: impl Fn(String) -> String,
) -> Result<Option<i64>, SyncError> {
    annotations
        .whole(key)
        .map_err(|(_, why)| SyncError::said(what(why)))
}

fn list(settings: &mut Settings, name: &str, said: Option<&str>) {
    let items = said.into_iter().flat_map(|said| said.split(','));
    for (item, number) in items.zip(1..) {
        settings.insert(format!("{name}.{number}"), item.to_owned());
    }
}

fn listener_settings(annotations: Annotations<'_>, protocol: &str) -> Result<Settings, SyncError> {
    let mut settings = Settings::new();
    let timeout = number(annotations, "idle-timeout", |why| {
        format!("parse IdleTimeout error: {why}")
    });
    let timeout = timeout?.filter(|timeout| *timeout != 0);
    settings.extend(timeout.map(|timeout| ("IdleTimeout".to_owned(), timeout.to_string())));
    let cps = number(annotations, "cps", |why| format!("parse Mss error: {why}"))?;
    settings.extend(cps.map(|cps| ("Cps".to_owned(), cps.to_string())));
    let mut flags = vec![
        ("proxy-protocol", "ProxyProtocolEnabled"),
        ("cacert", "CaEnabled"),
        (
            "ppv2-pvl-ep-id-enabled",
            "ProxyProtocolV2Config.Ppv2PrivateLinkEpIdEnabled",
        ),
        (
            "ppv2-pvl-eps-id-enabled",
            "ProxyProtocolV2Config.Ppv2PrivateLinkEpsIdEnabled",
        ),
        (
            "ppv2-pvl-vpc-id-enabled",
            "ProxyProtocolV2Config.Ppv2VpcIdEnabled",
        ),
    ];
    if protocol == "TCPSSL" {
        flags.push(("alpn", "AlpnEnabled"));
    }
    for (key, name) in flags {
        settings.extend(
            annotations
                .get(key)
                .map(|said| (name.to_owned(), flag(said))),
        );
    }
    if let Some(policy) = annotations.get("tls-cipher-policy") {
        settings.insert("SecurityPolicyId".to_owned(), policy.to_owned());
    }
    let has_alpn = settings.get("AlpnEnabled").is_some_and(|on| on == "true");
    if let Some(policy) = annotations.get("alpn-policy").filter(|_| has_alpn) {
        settings.insert("AlpnPolicy".to_owned(), policy.to_owned());
    }
    list(&mut settings, "CertificateIds", annotations.get("cert-id"));
    list(
        &mut settings,
        "CaCertificateIds",
        annotations.get("cacert-id"),
    );
    Ok(settings)
}

async fn groups(
    pass: &Pass<'_>,
    service: &Service,
    listeners: &[WantedListener],
) -> Result<Vec<WantedGroup>, SyncError> {
    let annotations = Annotations::of(service);
    backends::candidates(annotations, &pass.cluster)?;
    let mut groups = Vec::new();
    for listener in listeners {
        let each = default_weight(annotations);
        let settings = group_settings(annotations, listener)?;
        let weights = Weights {
            sum: None,
            each: each?,
        };
        let what = format!(
            "set ServerGroup for port {} error",
            listener.service_port.port
        );
        let servers = servers(pass, service, listener, weights).within(&what)?;
        if servers.is_empty() {
            let note = "There are no available nodes for NetworkLoadBalancer".to_owned();
            let reason = "UnAvailableLoadBalancer";
            pass.events.told(service, "Normal", reason, note).await;
        }
        let ignored = annotations.get("ignore-weight-update");
        groups.push(WantedGroup {
            name: listener.group.clone(),
            id: None,
            protocol: listener.protocol.clone(),
            any_port: listener.range.is_some(),
            settings,
            servers,
            ignore_weights: ignored.is_some_and(|flag| flag.eq_ignore_ascii_case("on")),
        });
    }
    Ok(groups)
}

fn default_weight(annotations: Annotations<'_>) -> Result<Option<i64>, SyncError> {
    let what = |why: String| format!("default weight parse error: [{why}]");
    number(annotations, "default-weight", what)?;
    backends::weight(annotations, "default-weight", "default weight")
}

/// The kind of the server is that of its group where the group is one of addresses.
fn servers(
    pass: &Pass<'_>,
    service: &Service,
    listener: &WantedListener,
    weights: Weights,
) -> Result<Vec<Server>, SyncError> {
    let annotations = Annotations::of(service);
    let mode = model::mode(annotations, pass.backends);
    let (port, group) = (&listener.service_port, &listener.group);
    let found = backends::of_port(service, mode, port, group, &pass.cluster, weights);
    let what = match mode {
        BackendMode::Eni => "build eni backends error",
        BackendMode::Ecs => "build cluster backends error",
    };
    let mut servers = found.within(what)?;
    for server in &mut servers {
        if listener.range.is_some() && server.kind == "eni" {
            server.port = 0;
        }
        server.kind = match server.kind.as_str() {
            "eni" => "Eni".to_owned(),
            _ => "Ecs".to_owned(),
        };
    }
    Ok(servers)
}

/// Nothing of a health check is read unless its flag says on.
fn group_settings(
    annotations: Annotations<'_>,
    listener: &WantedListener,
) -> Result<Settings, SyncError> {
    let mut settings = Settings::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    if listener.range.is_some() {
        set("HealthCheckConfig.HealthCheckEnabled", "true".to_owned());
        if let Some(model::IntOrString::Int(port)) = &listener.service_port.target_port {
            set("HealthCheckConfig.HealthCheckConnectPort", port.to_string());
        }
    }
    if let Some(said) = annotations.get("connection-drain") {
        set("ConnectionDrainEnabled", flag(said));
    }
    let timeout = number(annotations, "connection-drain-timeout", |why| {
        format!("ConnectionDrainTimeout parse error: {why}")
    })?;
    if let Some(seconds) = timeout.filter(|seconds| *seconds != 0) {
        set("ConnectionDrainTimeout", seconds.to_string());
    }
    if let Some(scheduler) = annotations.get("scheduler") {
        set("Scheduler", scheduler.to_owned());
    }
    if let Some(said) = annotations.get("preserve-client-ip") {
        set("PreserveClientIpEnabled", flag(said));
    }
    if let Some(group) = annotations.get("resource-group-id") {
        set("ResourceGroupId", group.to_owned());
    }
    let Some(checks) = annotations.get("health-check-flag").map(flag) else {
        return Ok(settings);
    };
    set("HealthCheckConfig.HealthCheckEnabled", checks.clone());
    if checks != "true" {
        return Ok(settings);
    }
    let numbers = [
        ("health-check-connect-port", "HealthCheckConnectPort"),
        ("healthy-threshold", "HealthyThreshold"),
        ("unhealthy-threshold", "UnhealthyThreshold"),
        ("health-check-connect-timeout", "HealthCheckConnectTimeout"),
        ("health-check-interval", "HealthCheckInterval"),
    ];
    for (key, name) in numbers {
        let number = number(annotations, key, |why| {
            format!("{name} parse error: [{why}]")
        })?;
        if let Some(number) = number.filter(|number| *number != 0) {
            set(&format!("HealthCheckConfig.{name}"), number.to_string());
        }
    }
    let texts = [
        ("health-check-type", "HealthCheckType"),
        ("health-check-domain", "HealthCheckDomain"),
        ("health-check-uri", "HealthCheckUrl"),
        ("health-check-method", "HttpCheckMethod"),
    ];
    for (key, name) in texts {
        if let Some(said) = annotations.get(key) {
            set(&format!("HealthCheckConfig.{name}"), said.to_owned());
        }
    }
    let codes = annotations.get("health-check-httpcode");
    list(
        &mut settings,
        "HealthCheckConfig.HealthCheckHttpCode",
        codes,
    );
    Ok(settings)
}
