//! What a Service asks for, read before anything is called.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
pub(super) use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::BackendMode;
use super::annotations::{Annotations, whole_number};
use super::certificates;
use super::error::{SyncError, Within};

/// The names CCM derives from a Service.
pub(super) struct Names {
    service: String,
    namespace: String,
    cluster_id: String,
    uid: String,
}

impl Names {
    pub(super) fn of(service: &Service, cluster_id: &str) -> Self {
        let metadata = &service.metadata;
        Self {
            service: metadata.name.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            cluster_id: cluster_id.to_owned(),
            uid: metadata.uid.clone().unwrap_or_default(),
        }
    }

    /// `a` and the UID without dashes, cut to 32 characters: name and tag of the load balancer.
    pub(super) fn load_balancer(&self) -> String {
        let name: String = format!("a{}", self.uid.replace('-', ""));
        name.chars().take(32).collect()
    }

    /// `k8s/<port>/<service>/<namespace>/<cluster>`: vServer groups and descriptions.
    pub(super) fn of_port(&self, port: &str) -> String {
        format!(
            "k8s/{port}/{}/{}/{}",
            self.service, self.namespace, self.cluster_id
        )
    }

    /// Whether a name was made by [`Names::of_port`] for this Service.
    pub(super) fn owns(&self, name: &str) -> bool {
        match name.split('/').collect::<Vec<_>>().as_slice() {
            ["k8s", _, service, namespace, cluster] => {
                *service == self.service
                    && *namespace == self.namespace
                    && *cluster == self.cluster_id
            }
            _ => false,
        }
    }

    /// The same of a listener, whose port is a number.
    pub(super) fn owns_listener(&self, description: &str) -> bool {
        let port = description.split('/').nth(1);
        port.is_some_and(|port| whole_number(port).is_ok()) && self.owns(description)
    }

    /// `k8s.<port>.<PROTOCOL>.<service>.<namespace>.<cluster>`: the same for network load balancers.
    pub(super) fn of_network_port(&self, port: &str, protocol: &str) -> String {
        format!(
            "k8s.{port}.{protocol}.{}.{}.{}",
            self.service, self.namespace, self.cluster_id
        )
    }

    /// Whether a name was made by [`Names::of_network_port`] for this Service.
    pub(super) fn owns_network(&self, name: &str) -> bool {
        let end = format!(".{}.{}.{}", self.service, self.namespace, self.cluster_id);
        let port = name
            .strip_prefix("k8s.")
            .and_then(|name| name.strip_suffix(&end));
        port.is_some_and(|port| port.split('.').count() == 2)
    }

    /// `<namespace>/<name>`
    pub(super) fn service(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub(super) fn uid(&self) -> &str {
        &self.uid
    }
}

/// A listener the Service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedListener {
    pub(super) port: i32,
    /// `tcp`, `udp`, `http` or `https`.
    pub(super) protocol: String,
    pub(super) description: String,
    /// The name of its vServer group.
    pub(super) group: String,
    /// The id of that group, where it is known.
    pub(super) group_id: Option<String>,
    /// The port it forwards to.
    pub(super) forward: Option<i64>,
    /// Settings by annotation, as far as they are said, of whatever protocol.
    pub(super) settings: BTreeMap<&'static str, String>,
    /// The certificate, on HTTPS listeners; empty without one.
    pub(super) certificate: String,
    /// Certificates of domains, on HTTPS listeners.
    pub(super) domains: Vec<(String, String)>,
}

/// The kind of servers of a Service.
pub(super) fn mode(annotations: Annotations<'_>, default: BackendMode) -> BackendMode {
    match annotations.exact("service.beta.kubernetes.io/backend-type") {
        Some("eni") => BackendMode::Eni,
        Some(_) => BackendMode::Ecs,
        None => default,
    }
}

/// The bandwidth that is said; 0 without one.
pub(super) fn bandwidth(annotations: Annotations<'_>) -> Result<i64, SyncError> {
    let said = annotations.whole("bandwidth").map_err(|(text, why)| {
        SyncError::said(format!(
            "bandwidth must be integer, got [{text}], error: {why}"
        ))
    });
    Ok(said?.unwrap_or_default())
}

/// The ports of a Service.
pub(super) fn ports(service: &Service) -> &[ServicePort] {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default()
}

/// The listeners that a Service asks for. The first value that cannot be read fails it as a whole.
pub(super) fn listeners(
    service: &Service,
    names: &Names,
    mode: BackendMode,
) -> Result<Vec<WantedListener>, SyncError> {
    let annotations = Annotations::of(service);
    let one = |port: &ServicePort| {
        let what = format!("build listener from servicePort {} error", port.port);
        listener(annotations, names, mode, port).within(&what)
    };
    ports(service).iter().map(one).collect()
}

fn listener(
    annotations: Annotations<'_>,
    names: &Names,
    mode: BackendMode,
    port: &ServicePort,
) -> Result<WantedListener, SyncError> {
    let protocol = protocol(annotations.get("protocol-port"), port)?;
    let group_id = match annotations.names_balancer() {
        true => chosen_group(annotations, port)?,
        false => None,
    };
    let mut settings = BTreeMap::new();
    for number in NUMBERS_FIRST {
        read_number(annotations, number, &mut settings)?;
    }
    let forward = match protocol.as_str() {
        "http" => forward_port(annotations, port.port)?,
        _ => None,
    };
    for number in NUMBERS_THEN {
        read_number(annotations, number, &mut settings)?;
    }
    for suffix in super::listeners::texts() {
        settings.extend(
            annotations
                .get(suffix)
                .map(|text| (suffix, text.to_owned())),
        );
    }
    if let Some(said) = annotations.get("proxy-protocol") {
        settings.insert("proxy-protocol", (said == "on").to_string());
    }
    let certificate = annotations.get("cert-id").unwrap_or_default();
    Ok(WantedListener {
        port: port.port,
        protocol,
        description: names.of_port(&port.port.to_string()),
        group: names.of_port(&group_port(port, mode)),
        group_id,
        forward: forward.filter(|port| *port != 0),
        settings,
        certificate: certificate.to_owned(),
        domains: certificates::domains(annotations)?,
    })
}

/// Annotations that are numbers and how an error calls them, in the order in which CCM reads them:
/// those before the forwarding and those after it.
const NUMBERS_FIRST: [(&str, &str); 2] = [
    ("persistence-timeout", "persistence timeout"),
    ("established-timeout", "EstablishedTimeout"),
];
const NUMBERS_THEN: [(&str, &str); 10] = [
    ("idle-timeout", "IdleTimeout"),
    ("request-timeout", "RequestTimeout"),
    ("connection-drain-timeout", "ConnectionDrainTimeout"),
    ("cookie-timeout", "CookieTimeout"),
    ("healthy-threshold", "HealthyThreshold"),
    ("unhealthy-threshold", "UnhealthyThreshold"),
    ("health-check-connect-timeout", "HealthCheckConnectTimeout"),
    ("health-check-connect-port", "HealthCheckConnectPort"),
    ("health-check-interval", "HealthCheckInterval"),
    ("health-check-timeout", "HealthCheckTimeout"),
];

fn read_number(
    annotations: Annotations<'_>,
    (suffix, name): (&'static str, &str),
    settings: &mut BTreeMap<&'static str, String>,
) -> Result<(), SyncError> {
    let number = annotations.whole(suffix).map_err(|(text, why)| {
        SyncError::said(format!(
            "Annotation {name} must be integer, but got [{text}]. message=[{why}] "
        ))
    })?;
    // Nothing is what 0 means, but for the one that may be 0.
    let number = number.filter(|number| *number != 0 || suffix == "persistence-timeout");
    settings.extend(number.map(|number| (suffix, number.to_string())));
    Ok(())
}

/// The port that the name of a group carries.
pub(super) fn group_port(port: &ServicePort, mode: BackendMode) -> String {
    match (mode, &port.target_port) {
        (BackendMode::Ecs, _) => port.node_port.unwrap_or_default().to_string(),
        (BackendMode::Eni, Some(IntOrString::Int(number))) => number.to_string(),
        (BackendMode::Eni, Some(IntOrString::String(name))) => name.clone(),
        (BackendMode::Eni, None) => port.port.to_string(),
    }
}

/// `https:443,http:80`, as far as the pair of a port.
fn protocol(text: Option<&str>, port: &ServicePort) -> Result<String, SyncError> {
    for pair in text.into_iter().flat_map(|text| text.split(',')) {
        let parts: Vec<&str> = pair.split(':').collect();
        let [protocol, number, ..] = parts.as_slice() else {
            return Err(SyncError::said(format!(
                "port and protocol format must be like 'https:443' with colon separated. got=[[{pair}]]"
            )));
        };
        if !["http", "https", "tcp", "udp"].contains(protocol) {
            return Err(SyncError::said(format!(
                "port protocol format must be either [http|https|tcp|udp], protocol not supported wit [{protocol}]\n"
            )));
        }
        if *number == port.port.to_string() {
            return Ok((*protocol).to_owned());
        }
    }
    Ok(port.protocol.as_deref().unwrap_or("TCP").to_lowercase())
}

/// `80:443,88:6443`, as far as the pair of a port.
fn forward_port(annotations: Annotations<'_>, port: i32) -> Result<Option<i64>, SyncError> {
    let Some(text) = annotations.get("forward-port") else {
        return Ok(None);
    };
    let wrong = |why: String| SyncError::said(format!("Annotation ForwardPort error: {why} "));
    for pair in text.split(',') {
        match pair.split(':').collect::<Vec<_>>().as_slice() {
            [from, to] if *from == port.to_string() => {
                let number = whole_number(to);
                return number
                    .map(Some)
                    .map_err(|_| wrong(format!("forward port is not an integer, {to}")));
            }
            [_, _] => {}
            _ => {
                return Err(wrong(format!(
                    "forward port format error: {text}, expect 80:443,88:6443"
                )));
            }
        }
    }
    Ok(None)
}

/// `rsp-1:80,rsp-2:443`: the group that is named for a port.
pub(super) fn chosen_group(
    annotations: Annotations<'_>,
    port: &ServicePort,
) -> Result<Option<String>, SyncError> {
    let said = annotations.get("vgroup-port");
    for pair in said.into_iter().flat_map(|said| said.split(',')) {
        let (group, number) = pair
            .split_once(':')
            .ok_or_else(|| no_group_and_port(pair))?;
        let number = number.split(':').next().unwrap_or_default();
        if number == port.port.to_string() {
            return Ok(Some(group.to_owned()).filter(|group| !group.is_empty()));
        }
    }
    Ok(None)
}

/// All groups that are named.
pub(super) fn chosen_groups(annotations: Annotations<'_>) -> Result<Vec<String>, SyncError> {
    let said = annotations.get("vgroup-port");
    let pairs = said.into_iter().flat_map(|said| said.split(','));
    pairs
        .map(|pair| {
            let group = pair.split_once(':').map(|(group, _)| group.to_owned());
            group.ok_or_else(|| no_group_and_port(pair))
        })
        .collect()
}

fn no_group_and_port(pair: &str) -> SyncError {
    SyncError::said(format!(
        "vgroupid and protocol format must be like 'vsp-xxx:443' with colon separated. got=[[{pair}]]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(annotations: &[(&str, &str)]) -> Service {
        let prefix = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
        let pairs = annotations
            .iter()
            .map(|(key, value)| (format!("{prefix}{key}"), (*value).to_owned()));
        let annotations: BTreeMap<String, String> = pairs.collect();
        let json = serde_json::json!({
            "metadata": {"name": "gw", "namespace": "ns", "uid": "01234567-89ab-cdef-0123-456789abcdef", "annotations": annotations},
            "spec": {"type": "LoadBalancer", "ports": [
                {"name": "http", "port": 80, "targetPort": 8081, "nodePort": 30080, "protocol": "TCP"},
                {"name": "https", "port": 443, "targetPort": "tls", "protocol": "TCP"},
            ]},
        });
        serde_json::from_value(json).expect("a Service")
    }

    fn model(
        annotations: &[(&str, &str)],
        mode: BackendMode,
    ) -> Result<Vec<WantedListener>, SyncError> {
        let service = service(annotations);
        listeners(&service, &Names::of(&service, "c1"), mode)
    }

    #[test]
    fn names_follow_the_uid_and_the_service() {
        let names = Names::of(&service(&[]), "c1");
        assert_eq!(names.load_balancer(), "a0123456789abcdef0123456789abcde");
        assert_eq!(names.of_port("80"), "k8s/80/gw/ns/c1");
        assert!(names.owns("k8s/80/gw/ns/c1"));
        assert!(names.owns("k8s/http/gw/ns/c1") && !names.owns_listener("k8s/http/gw/ns/c1"));
        assert!(!names.owns("k8s/80/gw/ns/c2"));
        assert!(!names.owns("k8s/80/gw/ns/c1/x"));
    }

    #[test]
    fn groups_carry_the_target_port_of_pods_and_the_node_port_of_nodes() {
        let groups = |mode| -> Vec<String> {
            let listeners = model(&[], mode).expect("valid").into_iter();
            listeners.map(|listener| listener.group).collect()
        };
        assert_eq!(
            groups(BackendMode::Eni),
            ["k8s/8081/gw/ns/c1", "k8s/tls/gw/ns/c1"]
        );
        assert_eq!(
            groups(BackendMode::Ecs),
            ["k8s/30080/gw/ns/c1", "k8s/0/gw/ns/c1"]
        );
    }

    #[test]
    fn protocols_are_taken_per_port_and_spelled_exactly() {
        let http = model(&[("protocol-port", "http:80")], BackendMode::Eni).expect("valid");
        assert_eq!(http[0].protocol, "http");
        assert_eq!(http[1].protocol, "tcp");
        for wrong in ["grpc:80", "http:80, https:443", "http"] {
            let refusal = model(&[("protocol-port", wrong)], BackendMode::Eni);
            assert!(refusal.is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_says_which_port_and_annotation() {
        let refusal = model(&[("idle-timeout", "1s")], BackendMode::Eni).expect_err("no number");
        assert_eq!(
            refusal.to_string(),
            "build listener from servicePort 80 error: Annotation IdleTimeout must be integer, \
             but got [1s]. message=[strconv.Atoi: parsing \"1s\": invalid syntax] "
        );
        let wrong = service(&[("bandwidth", "abc")]);
        let refusal = bandwidth(Annotations::of(&wrong)).expect_err("no number");
        assert_eq!(
            refusal.to_string(),
            "bandwidth must be integer, got [abc], error: strconv.Atoi: parsing \"abc\": invalid syntax"
        );
    }
}
