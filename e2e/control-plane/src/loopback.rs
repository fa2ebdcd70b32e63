//! An address that backends can listen on and that the API server takes for an endpoint.
//!
//! Kubernetes refuses addresses of 127.0.0.0/8 in EndpointSlices, so test backends listen on an
//! extra address of the loopback device, from a range reserved for documentation (RFC 5737), such
//! as 198.51.100.1.

use std::{io, net::Ipv4Addr};

use tokio::net::TcpListener;

/// Why there is no such address.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// The address is not fit for an endpoint.
    #[error(
        "{0} cannot be an endpoint: Kubernetes refuses loopback, link-local, multicast and unspecified addresses; take one like 198.51.100.1"
    )]
    Unfit(Ipv4Addr),
    /// It is not there, must not be added, and the machine has no other.
    #[error(
        "{address} is not on this machine, cannot be added ({reason}), and there is no other address than loopback: as root, run `ip address add {address}/32 dev lo` (macOS: `ifconfig lo0 alias {address}`)"
    )]
    Unavailable {
        /// The address wanted.
        address: Ipv4Addr,
        /// Why it cannot be added.
        reason: String,
    },
}

/// Makes sure that one can listen on `address`: adds it to the loopback device unless it is there
/// already. Without the right to (`CAP_NET_ADMIN`) the machine's first other address serves.
/// Returns the address to be used. An added address stays until the machine restarts or somebody
/// removes it.
///
/// # Errors
/// [`LoopbackError::Unfit`] for an address that no endpoint may have;
/// [`LoopbackError::Unavailable`] when neither it nor another address can be had.
pub async fn ensure_address(address: Ipv4Addr) -> Result<Ipv4Addr, LoopbackError> {
    if !is_fit(address) {
        return Err(LoopbackError::Unfit(address));
    }
    if can_listen(address).await {
        return Ok(address);
    }
    let reason = match platform::add(address).await {
        Ok(()) if can_listen(address).await => return Ok(address),
        Ok(()) => "it was added, but one cannot listen on it".to_owned(),
        Err(error) => error.to_string(),
    };
    for other in platform::addresses().await.unwrap_or_default() {
        if is_fit(other) && can_listen(other).await {
            return Ok(other);
        }
    }
    Err(LoopbackError::Unavailable { address, reason })
}

fn is_fit(address: Ipv4Addr) -> bool {
    !(address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified())
}

async fn can_listen(address: Ipv4Addr) -> bool {
    TcpListener::bind((address, 0)).await.is_ok()
}

#[cfg(target_os = "linux")]
mod platform {
    use super::{Ipv4Addr, io};
    use futures::TryStreamExt as _;
    use rtnetlink::{
        Handle, new_connection,
        packet_route::address::{AddressAttribute, AddressMessage},
    };
    use std::net::IpAddr;

    /// A netlink connection that is served until `work` is done.
    async fn with_netlink<T>(
        work: impl AsyncFnOnce(Handle) -> Result<T, rtnetlink::Error>,
    ) -> io::Result<T> {
        let (connection, handle, _) = new_connection()?;
        let server = tokio::spawn(connection);
        let result = work(handle).await;
        server.abort();
        result.map_err(io::Error::other)
    }

    pub(super) async fn add(address: Ipv4Addr) -> io::Result<()> {
        with_netlink(async |handle| {
            let loopback = handle
                .link()
                .get()
                .match_name("lo".to_owned())
                .execute()
                .try_next()
                .await?;
            let index = loopback
                .ok_or(rtnetlink::Error::RequestFailed)?
                .header
                .index;
            handle
                .address()
                .add(index, IpAddr::V4(address), 32)
                .replace()
                .execute()
                .await
        })
        .await
    }

    pub(super) async fn addresses() -> io::Result<Vec<Ipv4Addr>> {
        let messages: Vec<AddressMessage> =
            with_netlink(async |handle| handle.address().get().execute().try_collect().await)
                .await?;
        let address = |message: AddressMessage| {
            message
                .attributes
                .into_iter()
                .find_map(|attribute| match attribute {
                    AddressAttribute::Address(IpAddr::V4(address)) => Some(address),
                    _ => None,
                })
        };
        Ok(messages.into_iter().filter_map(address).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{Ipv4Addr, io};

    pub(super) async fn add(_: Ipv4Addr) -> io::Result<()> {
        Err(io::Error::other("only possible on Linux"))
    }

    pub(super) async fn addresses() -> io::Result<Vec<Ipv4Addr>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_backend_can_listen_and_be_reached() {
        let address = ensure_address(Ipv4Addr::new(198, 51, 100, 1))
            .await
            .unwrap();
        assert!(is_fit(address));
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let target = listener.local_addr().unwrap();
        let (connected, accepted) = tokio::join!(TcpStream::connect(target), listener.accept());
        connected.unwrap();
        accepted.unwrap();
        assert_eq!(
            ensure_address(address).await.unwrap(),
            address,
            "the second time it is there"
        );
    }

    #[tokio::test]
    async fn an_address_that_no_endpoint_may_have_is_refused() {
        let error = ensure_address(Ipv4Addr::LOCALHOST).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("127.0.0.1 cannot be an endpoint"),
            "{error}"
        );
    }
}
