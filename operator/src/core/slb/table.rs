//! The annotations of load balancers that settings are written as: what each becomes in the cloud,
//! what a change of it does, and how it is undone. It is the source of the table in the documents.
//!
//! Sources: the cloud controller manager v2.14.0, `pkg/controller/service/clbv1`, and the API
//! reference of SLB 2014-05-15.

use crds::v1alpha1::SlbField;

/// What the cloud controller manager does with a changed annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It updates the load balancer, or what it publishes, in place.
    Update,
    /// It refuses for ever, so the operator never writes it.
    Refused,
    /// It does nothing, so the operator never writes it.
    Ignored,
    /// It deletes the listener and makes it anew: a gap in traffic.
    Recreate,
}

/// What is done about an annotation that nobody wants any more and that was not there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The load balancer keeps it for life, so it stays.
    Keep,
    /// What was said before is written; if that is not known it stays as it is.
    Stay,
    /// It is removed: that acts, or it means nothing without one that is undone as well.
    Remove,
    /// It is removed, and the load balancer keeps it all the same: nothing would take it away.
    Forget,
    /// This is written: a mere removal would leave the load balancer as it is.
    Write(&'static str),
    /// The name that the cloud controller manager gives by itself is written.
    OwnName,
}

/// One annotation; `F` names the settings of one kind of load balancer.
#[derive(Clone, Copy, Debug)]
pub struct Annotation<F = SlbField> {
    /// Its key, without the prefix; `backend-type` has another one.
    pub key: &'static str,
    /// The setting that it comes from.
    pub field: F,
    /// Path within the setting; empty for the setting itself.
    pub part: &'static str,
    /// Action and parameter of the API that it becomes; none: it never leaves the cluster.
    pub parameter: &'static str,
    /// What a change does.
    pub change: Change,
    /// How it is undone.
    pub undo: Undo,
}

/// A row of a table of annotations.
pub(in crate::core) const fn row<F: Copy>(
    key: &'static str,
    (field, part): (F, &'static str),
    parameter: &'static str,
    change: Change,
    undo: Undo,
) -> Annotation<F> {
    Annotation {
        key,
        field,
        part,
        parameter,
        change,
        undo,
    }
}

use Change::{Ignored, Recreate, Refused, Update};
use SlbField as F;
use Undo::{Forget, Keep, OwnName, Remove, Stay, Write};

/// All of them, in the order of settings.
#[rustfmt::skip]
pub const ANNOTATIONS: &[Annotation] = &[
    row("address-type", (F::AddressType, ""), "CreateLoadBalancer AddressType", Refused, Keep),
    row("id", (F::Existing, "id"), "DescribeLoadBalancerAttribute LoadBalancerId", Refused, Keep),
    row("force-override-listeners", (F::Existing, "listeners"), "CreateLoadBalancer*Listener", Update, Keep),
    row("name", (F::Name, ""), "SetLoadBalancerName LoadBalancerName", Update, OwnName),
    row("master-zoneid", (F::Zones, "primary"), "CreateLoadBalancer MasterZoneId", Refused, Keep),
    row("slave-zoneid", (F::Zones, "backup"), "CreateLoadBalancer SlaveZoneId", Refused, Keep),
    row("vswitch-id", (F::VswitchId, ""), "CreateLoadBalancer VSwitchId", Ignored, Keep),
    row("ip", (F::Address, ""), "CreateLoadBalancer Address", Refused, Keep),
    row("ip-version", (F::IpVersion, ""), "CreateLoadBalancer AddressIPVersion", Refused, Keep),
    row("instance-charge-type", (F::Billing, "instance"), "ModifyLoadBalancerInstanceChargeType InstanceChargeType", Update, Keep),
    row("spec", (F::Billing, "spec"), "ModifyLoadBalancerInstanceSpec LoadBalancerSpec", Update, Stay),
    row("charge-type", (F::Billing, "traffic"), "ModifyLoadBalancerInternetSpec InternetChargeType", Update, Write("paybytraffic")),
    row("bandwidth", (F::Billing, "bandwidthMbps"), "ModifyLoadBalancerInternetSpec Bandwidth", Update, Remove),
    row("resource-group-id", (F::ResourceGroupId, ""), "CreateLoadBalancer ResourceGroupId", Refused, Keep),
    row("additional-resource-tags", (F::Tags, ""), "TagResources Tag", Update, Forget),
    row("delete-protection", (F::Protection, "deletion"), "SetLoadBalancerDeleteProtection DeleteProtection", Update, Write("on")),
    row("modification-protection", (F::Protection, "modification"), "SetLoadBalancerModificationProtection ModificationProtectionStatus", Update, Write("ConsoleProtection")),
    row("external-ip-type", (F::PublishedAddress, ""), "", Update, Remove),
    row("hostname", (F::PublishedHostname, ""), "", Update, Remove),
    row("preserve-lb-on-delete", (F::OnDelete, ""), "DeleteLoadBalancer", Update, Remove),
    row("protocol-port", (F::Listeners, "protocol"), "CreateLoadBalancer*Listener", Recreate, Remove),
    row("forward-port", (F::Listeners, "redirectTo"), "CreateLoadBalancerHTTPListener ForwardPort", Recreate, Remove),
    row("cert-id", (F::Certificate, "id"), "SetLoadBalancerHTTPSListenerAttribute ServerCertificateId", Update, Remove),
    row("domain-extensions", (F::Certificate, "hosts"), "CreateDomainExtension Domain", Update, Forget),
    row("tls-cipher-policy", (F::TlsPolicy, ""), "SetLoadBalancerHTTPSListenerAttribute TLSCipherPolicy", Update, Write("tls_cipher_policy_1_0")),
    row("http2-enabled", (F::Http2, ""), "SetLoadBalancerHTTPSListenerAttribute EnableHttp2", Update, Write("on")),
    row("proxy-protocol", (F::ProxyProtocol, ""), "SetLoadBalancer*ListenerAttribute ProxyProtocolV2Enabled", Update, Write("off")),
    row("xforwardedfor-proto", (F::ForwardedHeaders, "Protocol"), "SetLoadBalancer*ListenerAttribute XForwardedFor_proto", Update, Write("off")),
    row("xforwardedfor-slbport", (F::ForwardedHeaders, "ListenerPort"), "SetLoadBalancer*ListenerAttribute XForwardedFor_SLBPORT", Update, Write("off")),
    row("xforwardedfor-clientsrcport", (F::ForwardedHeaders, "ClientPort"), "SetLoadBalancer*ListenerAttribute XForwardedFor_ClientSrcPort", Update, Write("off")),
    row("scheduler", (F::Scheduler, ""), "SetLoadBalancer*ListenerAttribute Scheduler", Update, Write("rr")),
    row("persistence-timeout", (F::SessionPersistence, "sourceAddress"), "SetLoadBalancerTCPListenerAttribute PersistenceTimeout", Update, Write("0")),
    row("sticky-session", (F::SessionPersistence, ""), "SetLoadBalancer*ListenerAttribute StickySession", Update, Write("off")),
    row("sticky-session-type", (F::SessionPersistence, ""), "SetLoadBalancer*ListenerAttribute StickySessionType", Update, Remove),
    row("cookie-timeout", (F::SessionPersistence, "insertedCookie.timeout"), "SetLoadBalancer*ListenerAttribute CookieTimeout", Update, Remove),
    row("cookie", (F::SessionPersistence, "serverCookie.name"), "SetLoadBalancer*ListenerAttribute Cookie", Update, Remove),
    row("connection-drain", (F::ConnectionDrain, ""), "SetLoadBalancer*ListenerAttribute ConnectionDrain", Update, Write("off")),
    row("connection-drain-timeout", (F::ConnectionDrain, "timeout"), "SetLoadBalancer*ListenerAttribute ConnectionDrainTimeout", Update, Remove),
    row("established-timeout", (F::Timeouts, "established"), "SetLoadBalancer*ListenerAttribute EstablishedTimeout", Update, Write("900")),
    row("idle-timeout", (F::Timeouts, "idle"), "SetLoadBalancer*ListenerAttribute IdleTimeout", Update, Write("15")),
    row("request-timeout", (F::Timeouts, "request"), "SetLoadBalancer*ListenerAttribute RequestTimeout", Update, Write("60")),
    row("acl-status", (F::ClientAddresses, ""), "SetLoadBalancer*ListenerAttribute AclStatus", Update, Write("off")),
    row("acl-type", (F::ClientAddresses, ""), "SetLoadBalancer*ListenerAttribute AclType", Update, Remove),
    row("acl-id", (F::ClientAddresses, ""), "SetLoadBalancer*ListenerAttribute AclId", Update, Remove),
    row("health-check-flag", (F::HealthCheck, "type"), "SetLoadBalancer*ListenerAttribute HealthCheck", Update, Write("off")),
    row("health-check-switch", (F::HealthCheck, "type"), "SetLoadBalancer*ListenerAttribute HealthCheckSwitch", Update, Write("on")),
    row("health-check-type", (F::HealthCheck, "type"), "SetLoadBalancer*ListenerAttribute HealthCheckType", Update, Write("tcp")),
    row("health-check-uri", (F::HealthCheck, "path"), "SetLoadBalancer*ListenerAttribute HealthCheckURI", Update, Remove),
    row("health-check-domain", (F::HealthCheck, "host"), "SetLoadBalancer*ListenerAttribute HealthCheckDomain", Update, Write("$_ip")),
    row("health-check-method", (F::HealthCheck, "method"), "SetLoadBalancer*ListenerAttribute HealthCheckMethod", Update, Write("head")),
    row("health-check-httpcode", (F::HealthCheck, "statusCodes"), "SetLoadBalancer*ListenerAttribute HealthCheckHttpCode", Update, Write("http_2xx")),
    row("health-check-connect-port", (F::HealthCheck, "port"), "SetLoadBalancer*ListenerAttribute HealthCheckConnectPort", Update, Write("-520")),
    row("health-check-interval", (F::HealthCheck, "interval"), "SetLoadBalancer*ListenerAttribute HealthCheckInterval", Update, Write("2")),
    row("health-check-connect-timeout", (F::HealthCheck, "timeout"), "SetLoadBalancer*ListenerAttribute HealthCheckConnectTimeout", Update, Write("5")),
    row("health-check-timeout", (F::HealthCheck, "timeout"), "SetLoadBalancer*ListenerAttribute HealthCheckTimeout", Update, Write("5")),
    row("healthy-threshold", (F::HealthCheck, "healthyThreshold"), "SetLoadBalancer*ListenerAttribute HealthyThreshold", Update, Write("3")),
    row("unhealthy-threshold", (F::HealthCheck, "unhealthyThreshold"), "SetLoadBalancer*ListenerAttribute UnhealthyThreshold", Update, Write("3")),
    row("backend-type", (F::Backends, "type"), "AddVServerGroupBackendServers Type", Update, Remove),
    row("backend-label", (F::Backends, "nodeLabels"), "AddVServerGroupBackendServers", Update, Remove),
    row("remove-unscheduled-backend", (F::Backends, "cordonedNodes"), "RemoveVServerGroupBackendServers", Update, Remove),
    row("default-weight", (F::Backends, "weight"), "AddVServerGroupBackendServers Weight", Update, Remove),
    row("ignore-weight-update", (F::Backends, "consoleWeights"), "SetVServerGroupAttribute", Update, Remove),
];

/// An annotation that the cloud controller manager reads, and that no setting writes.
#[derive(Clone, Copy, Debug)]
pub struct Unwritten {
    /// Its key, without the prefix; that of `class` is `service.beta.kubernetes.io/class`.
    pub key: &'static str,
    /// Why, and what to do instead.
    pub why: &'static str,
}

/// All of those.
#[rustfmt::skip]
pub const UNWRITTEN: &[Unwritten] = &[
    Unwritten { key: "network-type", why: "It is compared with what the load balancer is, and never makes it so: any value can only block the Service. A load balancer is in a VPC." },
    Unwritten { key: "vgroup-port", why: "The cloud controller manager would fill, and empty, a server group that somebody else made." },
    Unwritten { key: "weight", why: "It is read beside `vgroup-port` alone. Use `backends.weight`." },
    Unwritten { key: "backend-ip-version", why: "It fails unless two feature gates of the cloud controller manager are on, which nobody can see from outside." },
    Unwritten { key: "type", why: "It is read behind a feature gate alone. Which load balancer a Service gets is in its `loadBalancerClass`." },
    Unwritten { key: "tunnel-type", why: "With it the cloud controller manager leaves the Service to others. A Service that has it is refused." },
    Unwritten { key: "class", why: "With it the cloud controller manager neither changes nor cleans up the load balancer, and deleting the Service hangs. A Service that has it is refused." },
];

/// The annotation of a key without prefix.
pub fn find(key: &str) -> Option<&'static Annotation> {
    ANNOTATIONS.iter().find(|annotation| annotation.key == key)
}

/// What of a load balancer a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What it has for life.
    Life,
    /// The load balancer itself.
    Instance,
    /// Its listeners.
    Listener,
    /// What is the Service's own: what it publishes, and its server groups.
    Service,
}

impl<F> Annotation<F> {
    /// What of a load balancer it is about.
    pub fn level(&self) -> Level {
        let is_of = |words: &[&str]| words.iter().any(|word| self.parameter.contains(word));
        if matches!(self.change, Change::Refused | Change::Ignored) {
            Level::Life
        } else if is_of(&["Listener", "DomainExtension"]) {
            Level::Listener
        } else if self.parameter.is_empty() || is_of(&["ServerGroup", "DeleteLoadBalancer"]) {
            Level::Service
        } else {
            Level::Instance
        }
    }
}

/// What of a load balancer a setting is about, by its first annotation.
pub fn level(field: SlbField) -> Level {
    let mut rows = ANNOTATIONS.iter();
    let row = rows.find(|row| row.field == field);
    row.map_or(Level::Listener, Annotation::level)
}
