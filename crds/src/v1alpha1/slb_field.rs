//! The fields of [`SlbSettings`], one by one: a class opens them to bindings, and several bindings
//! that share a gateway hold them, each on its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings_field::{LoadBalancerSettings, SettingsField, settings_fields};
use super::slb_settings::SlbSettings;

settings_fields! {
    /// A field of `SlbSettings`, or all of them.
    SlbField of SlbSettings in "slb" {
        AddressType address_type "addressType"
        Existing existing "existing"
        Name name "name"
        Zones zones "zones"
        VswitchId vswitch_id "vswitchId"
        Address address "address"
        IpVersion ip_version "ipVersion"
        Billing billing "billing"
        ResourceGroupId resource_group_id "resourceGroupId"
        Tags tags "tags"
        Protection protection "protection"
        PublishedAddress published_address "publishedAddress"
        PublishedHostname published_hostname "publishedHostname"
        OnDelete on_delete "onDelete"
        Listeners listeners "listeners"
        Certificate certificate "certificate"
        TlsPolicy tls_policy "tlsPolicy"
        Http2 http2 "http2"
        ProxyProtocol proxy_protocol "proxyProtocol"
        ForwardedHeaders forwarded_headers "forwardedHeaders"
        Scheduler scheduler "scheduler"
        SessionPersistence session_persistence "sessionPersistence"
        ConnectionDrain connection_drain "connectionDrain"
        Timeouts timeouts "timeouts"
        ClientAddresses client_addresses "clientAddresses"
        HealthCheck health_check "healthCheck"
        Backends backends "backends"
    }
}
