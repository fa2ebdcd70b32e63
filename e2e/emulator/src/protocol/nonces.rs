//! Nonces seen within the clock window.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

/// How far a request's time may be from the server's, either way.
pub(super) const CLOCK_WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// Remembers nonces for as long as a replay of them could still pass the clock check.
#[derive(Debug, Default)]
pub struct Nonces {
    seen: HashMap<String, Timestamp>,
    swept: Option<Timestamp>,
}

impl Nonces {
    /// Records a nonce of a key; `false` when it was used before.
    pub fn record(&mut self, access_key_id: &str, nonce: &str, now: Timestamp) -> bool {
        if self
            .swept
            .is_none_or(|swept| now.duration_since(swept) > CLOCK_WINDOW)
        {
            self.seen
                .retain(|_, at| now.duration_since(*at) <= CLOCK_WINDOW * 2);
            self.swept = Some(now);
        }
        self.seen
            .insert(format!("{access_key_id}/{nonce}"), now)
            .is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_passes_once_per_key() {
        let mut nonces = Nonces::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(nonces.record("a", "1", now));
        assert!(!nonces.record("a", "1", now));
        assert!(nonces.record("b", "1", now));
        assert!(nonces.record("a", "1", now + CLOCK_WINDOW * 3));
    }
}
