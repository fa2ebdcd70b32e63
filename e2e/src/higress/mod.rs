//! A model of Higress: what its gateway does with a request, given the objects of the API server.
//!
//! It shares no type with the operator. Each plugin's configuration is read as its documentation has it,
//! and an unknown key, a wrong type or a missing field is refused as the plugin refuses it. Where it differs
//! from the real one: a request is answered from the objects of one moment; `cors` lets every request
//! through; `hmac-auth` and `jwt-auth` know whether something was sent, and not whether it is right.

mod gateway;
mod plugin;
#[cfg(test)]
mod produced;
mod rules;
mod schema;

pub use gateway::{Answer, Higress, Request};
pub use plugin::Fault;
