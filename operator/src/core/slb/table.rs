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
    /// It is removed: that acts, or it means nothing without one that is undone as well.
    Remove,
    /// This is written: a mere removal would leave the load balancer as it is.
    Write(&'static str),
    /// The name that the cloud controller manager gives by itself is written.
    OwnName,
}

/// One annotation.
#[derive(Clone, Copy, Debug)]
pub struct Annotation {
    /// Its key, without the prefix.
    pub key: &'static str,
    /// The setting that it comes from.
    pub field: SlbField,
    /// Path within the setting; empty for the setting itself.
    pub part: &'static str,
    /// Action and parameter of the API that it becomes; none: it never leaves the cluster.
    pub parameter: &'static str,
    /// What a change does.
    pub change: Change,
    /// How it is undone.
    pub undo: Undo,
}

const fn row(
    key: &'static str,
    (field, part): (SlbField, &'static str),
    parameter: &'static str,
    change: Change,
    undo: Undo,
) -> Annotation {
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
use Undo::{Keep, OwnName, Remove, Write};

const LISTENER: &str = "SetLoadBalancer*ListenerAttribute";

/// All of them, in the order of settings.
#[rustfmt::skip]
pub const ANNOTATIONS: &[Annotation] = &[
    row("address-type", (F::AddressType, ""), "CreateLoadBalancer AddressType", Refused, Keep),
    row("id", (F::Existing, "id"), "DescribeLoadBalancerAttribute LoadBalancerId", Refused, Keep),
    row("force-override-listeners", (F::Existing, "listeners"), "", Refused, Keep),
    row("name", (F::Name, ""), "SetLoadBalancerName LoadBalancerName", Update, OwnName),
    row("master-zoneid", (F::Zones, "primary"), "CreateLoadBalancer MasterZoneId", Refused, Keep),
    row("slave-zoneid", (F::Zones, "backup"), "CreateLoadBalancer SlaveZoneId", Refused, Keep),
    row("vswitch-id", (F::VswitchId, ""), "CreateLoadBalancer VSwitchId", Ignored, Keep),
    row("ip", (F::Address, ""), "CreateLoadBalancer Address", Refused, Keep),
    row("ip-version", (F::IpVersion, ""), "CreateLoadBalancer AddressIPVersion", Refused, Keep),
    row("instance-charge-type", (F::Billing, "instance"), "ModifyLoadBalancerInstanceChargeType InstanceChargeType", Update, Write("PayByCLCU")),
    row("spec", (F::Billing, "spec"), "ModifyLoadBalancerInstanceSpec LoadBalancerSpec", Update, Remove),
    row("charge-type", (F::Billing, "traffic"), "ModifyLoadBalancerInternetSpec InternetChargeType", Update, Write("paybytraffic")),
    row("bandwidth", (F::Billing, "bandwidthMbps"), "ModifyLoadBalancerInternetSpec Bandwidth", Update, Remove),
    row("resource-group-id", (F::ResourceGroupId, ""), "CreateLoadBalancer ResourceGroupId", Refused, Keep),
    row("additional-resource-tags", (F::Tags, ""), "TagResources Tag", Update, Remove),
    row("delete-protection", (F::Protection, "deletion"), "SetLoadBalancerDeleteProtection DeleteProtection", Update, Write("on")),
    row("modification-protection", (F::Protection, "modification"), "SetLoadBalancerModificationProtection ModificationProtectionStatus", Update, Write("ConsoleProtection")),
    row("external-ip-type", (F::PublishedAddress, ""), "", Update, Remove),
    row("protocol-port", (F::Listeners, "protocol"), "CreateLoadBalancer*Listener", Recreate, Remove),
    row("forward-port", (F::Listeners, "redirectTo"), "CreateLoadBalancerHTTPListener ForwardPort", Recreate, Remove),
    row("cert-id", (F::Certificate, "id"), "SetLoadBalancerHTTPSListenerAttribute ServerCertificateId", Update, Remove),
    row("tls-cipher-policy", (F::TlsPolicy, ""), "SetLoadBalancerHTTPSListenerAttribute TLSCipherPolicy", Update, Write("tls_cipher_policy_1_0")),
    row("scheduler", (F::Scheduler, ""), LISTENER, Update, Write("rr")),
    row("persistence-timeout", (F::SessionPersistence, "sourceAddress"), "SetLoadBalancerTCPListenerAttribute PersistenceTimeout", Update, Write("0")),
    row("sticky-session", (F::SessionPersistence, ""), LISTENER, Update, Write("off")),
    row("sticky-session-type", (F::SessionPersistence, ""), LISTENER, Update, Remove),
    row("cookie-timeout", (F::SessionPersistence, "insertedCookie.timeout"), LISTENER, Update, Remove),
    row("cookie", (F::SessionPersistence, "serverCookie.name"), LISTENER, Update, Remove),
    row("connection-drain", (F::ConnectionDrain, ""), LISTENER, Update, Write("off")),
    row("connection-drain-timeout", (F::ConnectionDrain, "timeout"), LISTENER, Update, Remove),
    row("established-timeout", (F::Timeouts, "established"), LISTENER, Update, Write("900")),
    row("idle-timeout", (F::Timeouts, "idle"), LISTENER, Update, Write("15")),
    row("request-timeout", (F::Timeouts, "request"), LISTENER, Update, Write("60")),
    row("acl-status", (F::ClientAddresses, ""), LISTENER, Update, Write("off")),
    row("acl-type", (F::ClientAddresses, ""), LISTENER, Update, Remove),
    row("acl-id", (F::ClientAddresses, ""), LISTENER, Update, Remove),
    row("health-check-flag", (F::HealthCheck, "type"), LISTENER, Update, Write("off")),
    row("health-check-switch", (F::HealthCheck, "type"), LISTENER, Update, Write("on")),
    row("health-check-type", (F::HealthCheck, "type"), LISTENER, Update, Write("tcp")),
    row("health-check-uri", (F::HealthCheck, "path"), LISTENER, Update, Remove),
    row("health-check-domain", (F::HealthCheck, "host"), LISTENER, Update, Write("$_ip")),
    row("health-check-method", (F::HealthCheck, "method"), LISTENER, Update, Write("head")),
    row("health-check-httpcode", (F::HealthCheck, "statusCodes"), LISTENER, Update, Write("http_2xx")),
    row("health-check-connect-port", (F::HealthCheck, "port"), LISTENER, Update, Write("-520")),
    row("health-check-interval", (F::HealthCheck, "interval"), LISTENER, Update, Write("2")),
    row("health-check-connect-timeout", (F::HealthCheck, "timeout"), LISTENER, Update, Write("5")),
    row("health-check-timeout", (F::HealthCheck, "timeout"), LISTENER, Update, Write("5")),
    row("healthy-threshold", (F::HealthCheck, "healthyThreshold"), LISTENER, Update, Write("3")),
    row("unhealthy-threshold", (F::HealthCheck, "unhealthyThreshold"), LISTENER, Update, Write("3")),
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
    /// What the Service publishes of it.
    Published,
}

impl Annotation {
    /// What of a load balancer it is about.
    pub fn level(&self) -> Level {
        if matches!(self.change, Change::Refused | Change::Ignored) {
            Level::Life
        } else if self.parameter.contains("Listener") {
            Level::Listener
        } else if self.parameter.is_empty() {
            Level::Published
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
