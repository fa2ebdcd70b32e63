//! The annotations of network load balancers that settings are written as. It is the source of the
//! table in the documents.
//!
//! Sources: the cloud controller manager v2.14.0, `pkg/controller/service/nlbv2`, and the API reference
//! of NLB 2022-04-30.

use crds::v1alpha1::NlbField;

use crate::core::slb::table::{Annotation, Change, Level, Undo, Unwritten, row};
use Change::{Recreate, Refused, Update};
use NlbField as F;
use Undo::{Forget, Keep, OwnName, Remove, Stay, Write};

/// All of them, in the order of settings.
///
/// An address type is not undone: the default is a public one, and nobody asked for that. That of
/// version 6 has the other default. Of how long a
/// connection may idle, and of whose address backends see, the default differs from protocol to
/// protocol, and one annotation speaks of all: another value than the cloud takes would block the whole
/// Service.
#[rustfmt::skip]
pub const ANNOTATIONS: &[Annotation<NlbField>] = &[
    row("address-type", (F::AddressType, ""), "UpdateLoadBalancerAddressTypeConfig AddressType", Update, Stay),
    row("id", (F::Existing, "id"), "GetLoadBalancerAttribute LoadBalancerId", Refused, Keep),
    row("force-override-listeners", (F::Existing, "listeners"), "CreateListener", Update, Keep),
    row("name", (F::Name, ""), "UpdateLoadBalancerAttribute LoadBalancerName", Update, OwnName),
    row("zone-maps", (F::ZoneMappings, ""), "UpdateLoadBalancerZones ZoneMappings", Update, Stay),
    row("ip-version", (F::IpVersion, ""), "CreateLoadBalancer AddressIpVersion", Refused, Keep),
    row("ipv6-address-type", (F::Ipv6AddressType, ""), "EnableLoadBalancerIpv6Internet", Update, Write("intranet")),
    row("resource-group-id", (F::ResourceGroupId, ""), "CreateLoadBalancer ResourceGroupId", Refused, Keep),
    row("additional-resource-tags", (F::Tags, ""), "TagResources Tag", Update, Forget),
    row("security-group-ids", (F::SecurityGroupIds, ""), "LoadBalancerJoinSecurityGroup SecurityGroupIds", Update, Write("")),
    row("bandwidth-package-id", (F::BandwidthPackageId, ""), "AttachCommonBandwidthPackageToLoadBalancer BandwidthPackageId", Update, Write("")),
    row("cross-zone-enabled", (F::CrossZone, ""), "UpdateLoadBalancerAttribute CrossZoneEnabled", Update, Write("on")),
    row("preserve-lb-on-delete", (F::OnDelete, ""), "DeleteLoadBalancer", Update, Remove),
    row("protocol-port", (F::Listeners, "protocol"), "CreateListener ListenerProtocol", Recreate, Remove),
    row("listener-port-range", (F::Listeners, "range"), "CreateListener StartPort", Recreate, Remove),
    row("cert-id", (F::Certificate, "id"), "UpdateListenerAttribute CertificateIds", Update, Remove),
    row("additional-cert-ids", (F::Certificate, "additionalIds"), "AssociateAdditionalCertificatesWithListener AdditionalCertificateIds", Update, Write("")),
    row("cacert", (F::Certificate, "clientAuthorityId"), "UpdateListenerAttribute CaEnabled", Update, Write("off")),
    row("cacert-id", (F::Certificate, "clientAuthorityId"), "UpdateListenerAttribute CaCertificateIds", Update, Remove),
    row("tls-cipher-policy", (F::TlsPolicy, ""), "UpdateListenerAttribute SecurityPolicyId", Update, Write("tls_cipher_policy_1_0")),
    row("alpn", (F::Alpn, ""), "UpdateListenerAttribute AlpnEnabled", Update, Write("off")),
    row("alpn-policy", (F::Alpn, ""), "UpdateListenerAttribute AlpnPolicy", Update, Remove),
    row("proxy-protocol", (F::ProxyProtocol, "version2"), "UpdateListenerAttribute ProxyProtocolEnabled", Update, Write("off")),
    row("ppv2-pvl-vpc-id-enabled", (F::ProxyProtocol, "privateLink.VPCId"), "UpdateListenerAttribute ProxyProtocolV2Config.Ppv2VpcIdEnabled", Update, Write("off")),
    row("ppv2-pvl-ep-id-enabled", (F::ProxyProtocol, "privateLink.EndpointId"), "UpdateListenerAttribute ProxyProtocolV2Config.Ppv2PrivateLinkEpIdEnabled", Update, Write("off")),
    row("ppv2-pvl-eps-id-enabled", (F::ProxyProtocol, "privateLink.EndpointServiceId"), "UpdateListenerAttribute ProxyProtocolV2Config.Ppv2PrivateLinkEpsIdEnabled", Update, Write("off")),
    row("idle-timeout", (F::IdleTimeout, ""), "UpdateListenerAttribute IdleTimeout", Update, Forget),
    row("cps", (F::MaxConnectionsPerSecond, ""), "UpdateListenerAttribute Cps", Update, Write("0")),
    row("scheduler", (F::Scheduler, ""), "UpdateServerGroupAttribute Scheduler", Update, Write("Wrr")),
    row("connection-drain", (F::ConnectionDrain, ""), "UpdateServerGroupAttribute ConnectionDrainEnabled", Update, Write("off")),
    row("connection-drain-timeout", (F::ConnectionDrain, "timeout"), "UpdateServerGroupAttribute ConnectionDrainTimeout", Update, Remove),
    row("preserve-client-ip", (F::ClientAddress, ""), "UpdateServerGroupAttribute PreserveClientIpEnabled", Update, Forget),
    row("health-check-flag", (F::HealthCheck, "type"), "UpdateServerGroupAttribute HealthCheckEnabled", Update, Write("on")),
    row("health-check-type", (F::HealthCheck, "type"), "UpdateServerGroupAttribute HealthCheckType", Update, Write("TCP")),
    row("health-check-uri", (F::HealthCheck, "path"), "UpdateServerGroupAttribute HealthCheckUrl", Update, Remove),
    row("health-check-domain", (F::HealthCheck, "host"), "UpdateServerGroupAttribute HealthCheckDomain", Update, Write("$SERVER_IP")),
    row("health-check-method", (F::HealthCheck, "method"), "UpdateServerGroupAttribute HttpCheckMethod", Update, Write("GET")),
    row("health-check-httpcode", (F::HealthCheck, "statusCodes"), "UpdateServerGroupAttribute HealthCheckHttpCode", Update, Write("http_2xx")),
    row("health-check-connect-port", (F::HealthCheck, "port"), "UpdateServerGroupAttribute HealthCheckConnectPort", Update, Forget),
    row("health-check-interval", (F::HealthCheck, "interval"), "UpdateServerGroupAttribute HealthCheckInterval", Update, Write("5")),
    row("health-check-connect-timeout", (F::HealthCheck, "timeout"), "UpdateServerGroupAttribute HealthCheckConnectTimeout", Update, Write("5")),
    row("healthy-threshold", (F::HealthCheck, "healthyThreshold"), "UpdateServerGroupAttribute HealthyThreshold", Update, Write("2")),
    row("unhealthy-threshold", (F::HealthCheck, "unhealthyThreshold"), "UpdateServerGroupAttribute UnhealthyThreshold", Update, Write("2")),
    row("backend-type", (F::Backends, "type"), "AddServersToServerGroup ServerType", Update, Remove),
    row("backend-label", (F::Backends, "nodeLabels"), "AddServersToServerGroup", Update, Remove),
    row("remove-unscheduled-backend", (F::Backends, "cordonedNodes"), "RemoveServersFromServerGroup", Update, Remove),
    row("default-weight", (F::Backends, "weight"), "AddServersToServerGroup Weight", Update, Remove),
    row("ignore-weight-update", (F::Backends, "consoleWeights"), "UpdateServerGroupServersAttribute", Update, Remove),
];

/// What the cloud controller manager reads besides for a network load balancer, and no setting writes.
#[rustfmt::skip]
pub const UNWRITTEN: &[Unwritten] = &[
    Unwritten { key: "server-group-type", why: "A change makes every server group anew while it serves, and the default, `Instance`, takes nodes and pods alike." },
    Unwritten { key: "vgroup-port", why: "The cloud controller manager would fill, and empty, a server group that somebody else made." },
    Unwritten { key: "weight", why: "It is read beside `vgroup-port` alone. Use `backends.weight`." },
    Unwritten { key: "backend-ip-version", why: "It fails unless two feature gates of the cloud controller manager are on, which nobody can see from outside." },
    Unwritten { key: "type", why: "It is read behind a feature gate alone. Which load balancer a Service gets is in its `loadBalancerClass`." },
    Unwritten { key: "tunnel-type", why: "It leaves the Service to others. A Service that has it is refused." },
    Unwritten { key: "class", why: "It leaves the Service to others, without a clean-up. A Service that has it is refused." },
];

/// Annotations of classic load balancers that are not read for a network one: a Service that says them
/// says nothing.
pub const UNREAD: &[&str] = &[
    "delete-protection",
    "modification-protection",
    "spec",
    "bandwidth",
    "charge-type",
    "instance-charge-type",
    "vswitch-id",
    "master-zoneid",
    "slave-zoneid",
    "network-type",
    "ip",
    "hostname",
    "external-ip-type",
    "acl-status",
    "acl-type",
    "acl-id",
    "sticky-session",
    "sticky-session-type",
    "cookie-timeout",
    "cookie",
    "forward-port",
];

/// The annotation of a key without prefix.
pub fn find(key: &str) -> Option<&'static Annotation<NlbField>> {
    ANNOTATIONS.iter().find(|annotation| annotation.key == key)
}

/// What of a load balancer a setting is about, by its first annotation.
pub fn level(field: NlbField) -> Level {
    let mut rows = ANNOTATIONS.iter();
    let row = rows.find(|row| row.field == field);
    row.map_or(Level::Listener, Annotation::level)
}
