//! An address of its own for each world's gateway.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use control_plane::loopback::ensure_address;
use kube::Client;

use super::WorldError;
use crate::gateway::{Gateway, GatewayError};

/// The port that the article's Service leads to.
const PORT: u16 = 80;

/// A range for documentation (RFC 5737), so that it is nobody's.
pub(crate) fn candidates() -> impl Iterator<Item = Ipv4Addr> {
    (1..=254).map(|last| Ipv4Addr::new(198, 51, 100, last))
}

/// Starts a gateway on port 80 of the first address that no other world listens on. Listening is
/// what claims an address, so that worlds of several processes keep out of each other's way, and
/// the few addresses are used again and again.
///
/// # Errors
/// If there is no such address, or port 80 may not be used.
pub async fn start_gateway(client: &Client) -> Result<Gateway, WorldError> {
    let mut tried = None;
    for candidate in candidates() {
        let ip = ensure_address(candidate).await?;
        match Gateway::start(client.clone(), IpAddr::V4(ip), PORT).await {
            // Without the right to add addresses, every candidate gives the same one.
            Err(GatewayError::Listen { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse && tried != Some(ip) =>
            {
                tried = Some(ip);
            }
            other => return Ok(other?),
        }
    }
    Err(WorldError::NoAddress)
}
