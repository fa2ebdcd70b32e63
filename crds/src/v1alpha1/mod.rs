//! Version `v1alpha1` of the API.

// The schema derive copies each type into a function body, where its `pub` reaches nobody.
#![allow(unreachable_pub)]
// Doc comments are what `kubectl explain` shows, which knows no markup.
#![allow(rustdoc::bare_urls)]

mod adoption;
mod alb;
mod api_gateway;
mod api_gateway_auth;
mod api_gateway_class;
mod api_gateway_route;
mod api_gateway_throttling;
mod cloud;
mod condition;
mod gateway_binding;
mod gateway_binding_class;
mod gateway_consumer;
mod higress;
mod higress_binding;
mod knative_switch;
mod ledger;
mod mass_change;
mod nlb;
mod nlb_field;
mod nlb_listeners;
mod nlb_settings;
mod orphans;
mod plan;
mod policy;
mod reason;
mod reference;
mod settings_field;
mod slb;
mod slb_backends;
mod slb_field;
mod slb_listeners;
mod slb_settings;
mod status;

pub use adoption::*;
pub use alb::*;
pub use api_gateway::*;
pub use api_gateway_auth::*;
pub use api_gateway_class::*;
pub use api_gateway_route::*;
pub use api_gateway_throttling::*;
pub use cloud::*;
pub use condition::*;
pub use gateway_binding::*;
pub use gateway_binding_class::*;
pub use gateway_consumer::*;
pub use higress::*;
pub use higress_binding::*;
pub use knative_switch::*;
pub use ledger::*;
pub use mass_change::*;
pub use nlb::*;
pub use nlb_field::*;
pub use nlb_listeners::*;
pub use nlb_settings::*;
pub use orphans::*;
pub use plan::*;
pub use policy::*;
pub use reason::*;
pub use reference::*;
pub use settings_field::{LoadBalancerSettings, SettingsField};
pub use slb::*;
pub use slb_backends::*;
pub use slb_field::*;
pub use slb_listeners::*;
pub use slb_settings::*;
pub use status::*;
