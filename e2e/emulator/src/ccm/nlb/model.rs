//! The listeners and server groups that a Service asks for, read before anything is called.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::super::BackendMode;
use super::super::annotations::Annotations;
use super::super::cloud::Args;
use super::super::error::SyncError;
use super::super::model::{Names, group_port};

/// A port of the Service: its listener, and the server group behind it.
pub(super) struct Port {
    pub(super) port: ServicePort,
    /// The name of its server group.
    pub(super) group_name: String,
    pub(super) mode: BackendMode,
    /// `TCP`, `UDP` or `TCPSSL`.
    pub(super) protocol: String,
    /// 0 for a range.
    pub(super) number: i32,
    pub(super) range: Option<(i32, i32)>,
    pub(super) description: String,
    /// Settings of the listener by parameter name, and those of the server group.
    pub(super) listener: Vec<(&'static str, String)>,
    pub(super) group: Vec<(String, String)>,
    pub(super) additional_certificates: Option<Vec<String>>,
    pub(super) ignore_weights: bool,
}

/// Parameters out of settings.
pub(super) fn with<N: AsRef<str>>(args: Args, settings: &[(N, String)]) -> Args {
    let pairs = settings.iter();
    args.and(pairs.map(|(name, value)| (name.as_ref().to_owned(), value.clone())))
}

/// All ports; the first value that cannot be read fails the whole.
pub(super) fn ports(
    service: &Service,
    names: &Names,
    default_mode: BackendMode,
) -> Result<Vec<Port>, SyncError> {
    let annotations = Annotations::of(service);
    let mode = match annotations.exact("service.beta.kubernetes.io/backend-type") {
        Some("eni") => BackendMode::Eni,
        Some("ecs") => BackendMode::Ecs,
        _ => default_mode,
    };
    let spec = service.spec.iter();
    let ports = spec.flat_map(|spec| spec.ports.iter().flatten());
    let ports = ports
        .map(|port| one(annotations, names, mode, port))
        .collect::<Result<Vec<Port>, _>>()?;
    for (index, port) in ports.iter().enumerate() {
        let taken = |port: &Port| port.range.unwrap_or((port.number, port.number));
        let (first, last) = taken(port);
        let mut later = ports.iter().skip(index + 1);
        let overlaps = later.any(|other| {
            let (begins, ends) = taken(other);
            other.protocol == port.protocol && first <= ends && begins <= last
        });
        if overlaps {
            let why = format!("port of listener [{first}] overlaps with another listener");
            return Err(SyncError::Said(why));
        }
    }
    Ok(ports)
}

fn one(
    annotations: Annotations<'_>,
    names: &Names,
    mode: BackendMode,
    port: &ServicePort,
) -> Result<Port, SyncError> {
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
    let additional = annotations.present("additional-cert-ids");
    let additional = additional.filter(|_| protocol == "TCPSSL").map(|said| {
        let ids = said.split(',').filter(|id| !id.is_empty());
        ids.map(str::to_owned).collect()
    });
    Ok(Port {
        port: port.clone(),
        group_name: names.of_network_port(&behind, &protocol),
        mode,
        description: names.of_network_port(&ports, &protocol),
        number: if range.is_some() { 0 } else { port.port },
        range,
        listener: listener(annotations, &protocol)?,
        group: group(annotations)?,
        additional_certificates: additional,
        ignore_weights: annotations
            .get("ignore-weight-update")
            .is_some_and(|flag| flag.eq_ignore_ascii_case("on")),
        protocol,
    })
}

/// `tcp:80,tcpssl:443`, in any case.
fn protocol(annotations: Annotations<'_>, port: &ServicePort) -> Result<String, SyncError> {
    let own = port.protocol.as_deref().unwrap_or("TCP").to_uppercase();
    let said = annotations.get("protocol-port");
    for pair in said.into_iter().flat_map(|said| said.split(',')) {
        let (protocol, number) = pair.split_once(':').ok_or_else(|| {
            SyncError::Said(format!("port and protocol format must be like 'https:443' with colon separated. got=[{pair}]"))
        })?;
        let upper = protocol.to_uppercase();
        if !["TCP", "UDP", "TCPSSL"].contains(&upper.as_str()) {
            return Err(SyncError::Said(format!(
                "port protocol format must be either [TCP|UDP|TCPSSL], protocol not supported with [{protocol}]"
            )));
        }
        if number == port.port.to_string() {
            return Ok(upper);
        }
    }
    Ok(own)
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
        return Err(SyncError::Said(
            "listener port range can only be used for eni backend type service".to_owned(),
        ));
    }
    for one in said.split(',') {
        let wrong = || {
            SyncError::Said(format!(
                "listener port range must be like 1000-2000:80 with colon separated. got [{one}]"
            ))
        };
        let (ports, number) = one.split_once(':').ok_or_else(wrong)?;
        if number != port.to_string() {
            continue;
        }
        let (first, last) = ports.split_once('-').ok_or_else(wrong)?;
        let (first, last): (i32, i32) = match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) => (first, last),
            _ => return Err(wrong()),
        };
        if first >= last || first < 1 || last > 65_535 {
            return Err(SyncError::Said(format!("port range [{one}] is invalid")));
        }
        return Ok(Some((first, last)));
    }
    Ok(None)
}

fn number(annotations: Annotations<'_>, key: &str) -> Result<Option<i64>, SyncError> {
    annotations.whole(key).map_err(|(text, why)| {
        SyncError::said(format!(
            "Annotation {key} must be integer, but got [{text}]. message=[{why}]"
        ))
    })
}

fn flag(said: &str) -> String {
    said.eq_ignore_ascii_case("on").to_string()
}

fn listener(
    annotations: Annotations<'_>,
    protocol: &str,
) -> Result<Vec<(&'static str, String)>, SyncError> {
    let mut settings = Vec::new();
    for (key, name) in [("idle-timeout", "IdleTimeout"), ("cps", "Cps")] {
        let number = number(annotations, key)?;
        settings.extend(number.map(|number| (name, number.to_string())));
    }
    let flags = [
        ("proxy-protocol", "ProxyProtocolEnabled"),
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
    for (key, name) in flags {
        settings.extend(annotations.get(key).map(|said| (name, flag(said))));
    }
    if protocol != "TCPSSL" {
        return Ok(settings);
    }
    for (key, name) in [("cacert", "CaEnabled"), ("alpn", "AlpnEnabled")] {
        settings.extend(annotations.get(key).map(|said| (name, flag(said))));
    }
    let texts = [
        ("cert-id", "CertificateIds.1"),
        ("cacert-id", "CaCertificateIds.1"),
        ("tls-cipher-policy", "SecurityPolicyId"),
        ("alpn-policy", "AlpnPolicy"),
    ];
    for (key, name) in texts {
        settings.extend(annotations.get(key).map(|said| (name, said.to_owned())));
    }
    Ok(settings)
}

/// Nothing of a health check is read unless its flag says on.
fn group(annotations: Annotations<'_>) -> Result<Vec<(String, String)>, SyncError> {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
    if let Some(scheduler) = annotations.get("scheduler") {
        set("Scheduler", scheduler.to_owned());
    }
    let flags = [
        ("connection-drain", "ConnectionDrainEnabled"),
        ("preserve-client-ip", "PreserveClientIpEnabled"),
    ];
    for (key, name) in flags {
        if let Some(said) = annotations.get(key) {
            set(name, flag(said));
        }
    }
    if let Some(seconds) = number(annotations, "connection-drain-timeout")? {
        set("ConnectionDrainTimeout", seconds.to_string());
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
        if let Some(number) = number(annotations, key)? {
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
    let codes = codes.into_iter().flat_map(|said| said.split(','));
    for (code, number) in codes.zip(1..) {
        set(
            &format!("HealthCheckConfig.HealthCheckHttpCode.{number}"),
            code.to_owned(),
        );
    }
    Ok(settings)
}
