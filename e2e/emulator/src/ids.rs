//! Ids in the shapes the cloud uses, drawn from a seeded counter so that runs repeat.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A generator of ids. Two generators with the same seed give the same ids in the same order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ids {
    seed: String,
    drawn: u64,
}

impl Ids {
    /// A generator that starts from `seed`.
    pub fn new(seed: impl Into<String>) -> Self {
        Self {
            seed: seed.into(),
            drawn: 0,
        }
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::digest(format!("{}/{}", self.seed, self.drawn)).into()
    }

    /// 32 lower-case hex characters, the form of CloudAPI's group, API and policy ids.
    pub fn hex32(&mut self) -> String {
        hex::encode(self.draw()).chars().take(32).collect()
    }

    /// `<prefix>` followed by lower-case letters and digits, the form of `lb-2ze…`, `vpc-…`.
    pub fn resource(&mut self, prefix: &str) -> String {
        let tail: String = self.alphanumeric(21, b"abcdefghijklmnopqrstuvwxyz0123456789");
        format!("{prefix}{tail}")
    }

    /// Letters of both cases and digits, for keys and secrets that are handed out.
    pub fn secret(&mut self, length: usize) -> String {
        self.alphanumeric(
            length,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        )
    }

    /// A number of nine digits, the form of CloudAPI's `AppId`.
    pub fn number(&mut self) -> i64 {
        let bytes = self.draw();
        let raw = bytes
            .iter()
            .take(6)
            .fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        110_000_000 + raw % 800_000_000
    }

    /// An upper-case UUID, the form of `RequestId`.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex32().to_uppercase();
        let mut text = String::with_capacity(36);
        for (index, character) in hex.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(character);
        }
        text
    }

    fn alphanumeric(&mut self, length: usize, alphabet: &[u8]) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let room = length - text.len();
            text.extend(self.draw().iter().take(room).filter_map(|byte| {
                alphabet
                    .get(usize::from(*byte) % alphabet.len())
                    .map(|letter| char::from(*letter))
            }));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shape_of_the_cloud_and_repeat() {
        let mut ids = Ids::new("a");
        let group = ids.hex32();
        assert_eq!(group.len(), 32);
        assert!(ids.resource("lb-2ze").starts_with("lb-2ze"));
        assert_eq!(ids.secret(40).len(), 40);
        assert_eq!(
            ids.uuid().split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!((110_000_000..910_000_000).contains(&ids.number()));
        assert_ne!(ids.hex32(), group);
        assert_eq!(Ids::new("a").hex32(), group);
    }
}
