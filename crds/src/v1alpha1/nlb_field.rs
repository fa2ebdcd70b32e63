//! The fields of [`NlbSettings`], one by one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::nlb_settings::NlbSettings;
use super::settings_field::{LoadBalancerSettings, SettingsField, settings_fields};

settings_fields! {
    /// A field of `NlbSettings`, or all of them.
    NlbField of NlbSettings in "nlb" {
        AddressType address_type "addressType"
        Existing existing "existing"
        Name name "name"
        ZoneMappings zone_mappings "zoneMappings"
        IpVersion ip_version "ipVersion"
        Ipv6AddressType ipv6_address_type "ipv6AddressType"
        ResourceGroupId resource_group_id "resourceGroupId"
        Tags tags "tags"
        SecurityGroupIds security_group_ids "securityGroupIds"
        BandwidthPackageId bandwidth_package_id "bandwidthPackageId"
        CrossZone cross_zone "crossZone"
        OnDelete on_delete "onDelete"
        Listeners listeners "listeners"
        Certificate certificate "certificate"
        TlsPolicy tls_policy "tlsPolicy"
        Alpn alpn "alpn"
        ProxyProtocol proxy_protocol "proxyProtocol"
        IdleTimeout idle_timeout "idleTimeout"
        MaxConnectionsPerSecond max_connections_per_second "maxConnectionsPerSecond"
        Scheduler scheduler "scheduler"
        ConnectionDrain connection_drain "connectionDrain"
        ClientAddress client_address "clientAddress"
        HealthCheck health_check "healthCheck"
        Backends backends "backends"
    }
}
