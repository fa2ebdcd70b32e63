//! Addresses that load balancers take from a vswitch.

use std::net::Ipv4Addr;

use super::VSwitch;

/// Why a vswitch gave no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// All are taken.
    Exhausted,
    /// The one asked for is outside the range or reserved.
    Outside,
    /// The one asked for is taken.
    Taken,
}

impl VSwitch {
    /// Gives `owner` the address it asks for, or the lowest free one.
    pub(crate) fn allocate(
        &mut self,
        wanted: Option<Ipv4Addr>,
        owner: &str,
    ) -> Result<Ipv4Addr, AddressError> {
        let address = match wanted {
            Some(address) if !self.cidr.is_usable(address) => return Err(AddressError::Outside),
            Some(address) if self.used.contains_key(&address) => return Err(AddressError::Taken),
            Some(address) => address,
            None => self
                .cidr
                .usable()
                .find(|address| !self.used.contains_key(address))
                .ok_or(AddressError::Exhausted)?,
        };
        self.used.insert(address, owner.to_owned());
        Ok(address)
    }

    /// Takes back all addresses of `owner`.
    pub(crate) fn release(&mut self, owner: &str) {
        self.used.retain(|_, holder| holder != owner);
    }

    /// Free addresses.
    pub(crate) fn available(&self) -> usize {
        self.cidr.usable_count().saturating_sub(self.used.len())
    }
}
