//! The fields of [`SlbSettings`], one by one: a class opens them to bindings, and several bindings
//! that share a gateway hold them, each on its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::slb_settings::SlbSettings;

/// Makes the enumeration of fields and what can be done with each, so that none is forgotten.
macro_rules! fields {
    ($($variant:ident $member:ident $name:literal)*) => {
        /// A field of `SlbSettings`, or all of them.
        #[derive(
            Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum SlbField {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
            /// Every field, also those that later versions add.
            #[serde(rename = "*")]
            All,
        }

        impl SlbField {
            /// Every single field, in the order in which they are merged, reported and written.
            pub const EACH: &[Self] = &[$(Self::$variant),*];

            /// Path of the field in a binding's spec.
            #[must_use]
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("slb.", $name),)*
                    Self::All => "slb",
                }
            }

            /// Whether settings have it.
            #[must_use]
            pub fn is_set(self, settings: &SlbSettings) -> bool {
                match self {
                    $(Self::$variant => settings.$member.is_some(),)*
                    Self::All => *settings != SlbSettings::default(),
                }
            }

            /// Whether two settings say the same about it.
            #[must_use]
            pub fn agrees(self, one: &SlbSettings, other: &SlbSettings) -> bool {
                match self {
                    $(Self::$variant => one.$member == other.$member,)*
                    Self::All => one == other,
                }
            }

            /// Copies it.
            pub fn copy(self, into: &mut SlbSettings, from: &SlbSettings) {
                match self {
                    $(Self::$variant => into.$member.clone_from(&from.$member),)*
                    Self::All => into.clone_from(from),
                }
            }

            /// Its value as text, if it is set: a word as it is, anything else as JSON.
            #[must_use]
            pub fn value(self, settings: &SlbSettings) -> Option<String> {
                let value = match self {
                    $(Self::$variant => settings.$member.as_ref().map(serde_json::to_value),)*
                    Self::All => None,
                };
                match value?.ok()? {
                    Value::String(word) => Some(word),
                    value => Some(value.to_string()),
                }
            }

            /// Sets it to the value that a text says; what the text does not say right is left unset.
            pub fn read(self, into: &mut SlbSettings, text: &str) {
                let word = || Value::String(text.to_owned());
                match self {
                    $(
                        Self::$variant => {
                            into.$member = serde_json::from_str(text)
                                .ok()
                                .or_else(|| serde_json::from_value(word()).ok());
                        }
                    )*
                    Self::All => {}
                }
            }
        }
    };
}

fields! {
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
