//! The RPC protocol of the cloud: decoding, both signature families, parameter schemas, replies.
//! Written from the public descriptions of the protocol, independently of any client.

mod acs3;
mod authenticate;
mod encoding;
mod nonces;
mod reply;
mod schema;
mod v1;
mod wire;

pub use authenticate::authenticate;
pub use nonces::Nonces;
pub use reply::{error_response, ok_response};
pub use schema::{ActionSchema, action_schema};
pub use v1::sign_query;
pub use wire::Wire;
