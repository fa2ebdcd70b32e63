//! IPv4 ranges.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An IPv4 range such as `10.0.1.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: u32,
    prefix: u8,
}

/// Addresses at the start of a vswitch that nobody gets: network and gateway.
const RESERVED_FIRST: u32 = 1;

/// Addresses at the end of a vswitch that nobody gets.
const RESERVED_LAST: u32 = 3;

impl Cidr {
    /// The range around `address`; a prefix above 32 counts as 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Self {
            network: u32::from(address) & mask,
            prefix,
        }
    }

    /// The number of addresses less one.
    fn last_offset(self) -> u32 {
        u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0)
    }

    /// Whether instances may have this address: inside, and not reserved by the cloud (the first
    /// and the last three of a vswitch).
    pub fn is_usable(self, address: Ipv4Addr) -> bool {
        let Some(offset) = u32::from(address).checked_sub(self.network) else {
            return false;
        };
        let end = self.last_offset().saturating_sub(RESERVED_LAST);
        (RESERVED_FIRST..=end).contains(&offset)
    }

    /// All usable addresses, lowest first.
    pub fn usable(self) -> impl Iterator<Item = Ipv4Addr> {
        let end = self.last_offset().saturating_sub(RESERVED_LAST);
        (RESERVED_FIRST..=end).map(move |offset| Ipv4Addr::from(self.network + offset))
    }

    /// How many there are.
    pub fn usable_count(self) -> usize {
        usize::try_from(self.last_offset().saturating_sub(RESERVED_LAST)).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.network), self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || format!("{text:?} is no IPv4 range such as 10.0.1.0/24");
        let (address, prefix) = text.split_once('/').ok_or_else(problem)?;
        let address: Ipv4Addr = address.parse().map_err(|_| problem())?;
        let prefix: u8 = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= 32)
            .ok_or_else(problem)?;
        Ok(Self::new(address, prefix))
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_keeps_the_first_and_the_last_three_addresses() {
        let cidr: Cidr = "10.0.1.9/24".parse().expect("valid");
        assert_eq!(cidr.to_string(), "10.0.1.0/24");
        let usable: Vec<Ipv4Addr> = cidr.usable().collect();
        assert_eq!(usable.first(), Some(&Ipv4Addr::new(10, 0, 1, 1)));
        assert_eq!(usable.last(), Some(&Ipv4Addr::new(10, 0, 1, 252)));
        assert_eq!(usable.len(), cidr.usable_count());
        assert!(!cidr.is_usable(Ipv4Addr::new(10, 0, 1, 0)));
        assert!(!cidr.is_usable(Ipv4Addr::new(10, 0, 1, 253)));
        assert!(!cidr.is_usable(Ipv4Addr::new(10, 0, 0, 9)));
        assert!(!cidr.is_usable(Ipv4Addr::new(10, 0, 2, 9)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "x/8", "10.0.0.0/"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
