//! New credentials, in the alphabets and lengths that API Gateway uses for its own: an AppCode of
//! 32 hexadecimal digits, a numeric AppKey, an AppSecret of letters and digits (CloudAPI CreateApp).

use cloud_adapter::gateway::model::Credential;
use crds::v1alpha1::CredentialKind;
use rand::distr::{Alphanumeric, SampleString};
use rand::{CryptoRng, Rng};
use secrecy::SecretString;

use crate::core::consumer::credentials::Gap;

/// Characters of a key pair's secret: 190 bits.
const SECRET_LENGTH: usize = 32;

/// Makes what a Secret lacks. A half of a key pair that it has stays.
pub(super) fn credential(gap: &Gap) -> Credential {
    // Seeded by the operating system and cryptographically secure, as its bound below demands.
    with(gap, &mut rand::rng())
}

fn with(gap: &Gap, random: &mut (impl CryptoRng + Rng)) -> Credential {
    match gap.slot.kind {
        CredentialKind::APIKey => {
            let bytes: [u8; 16] = random.random();
            Credential::ApiKey(SecretString::from(hex::encode(bytes)))
        }
        CredentialKind::KeyPair => {
            // 18 digits: fits 64 bits, and no two meet by chance.
            let id = random.random_range(100_000_000_000_000_000_u64..1_000_000_000_000_000_000);
            let secret = Alphanumeric.sample_string(random, SECRET_LENGTH);
            Credential::KeyPair {
                id: gap.key_id.clone().unwrap_or_else(|| id.to_string()),
                secret: gap
                    .key_secret
                    .clone()
                    .unwrap_or_else(|| SecretString::from(secret)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::consumer::credentials::{Slot, same};
    use secrecy::ExposeSecret;

    fn gap(kind: CredentialKind) -> Gap {
        Gap {
            slot: Slot {
                credential: "a".into(),
                kind,
            },
            secret: "s".into(),
            key_id: None,
            key_secret: None,
        }
    }

    #[test]
    fn they_are_of_the_clouds_alphabets_and_differ() {
        for kind in [CredentialKind::APIKey, CredentialKind::KeyPair] {
            let (one, other) = (credential(&gap(kind)), credential(&gap(kind)));
            assert!(!same(&one, &other));
            match one {
                Credential::ApiKey(key) => {
                    let key = key.expose_secret();
                    assert_eq!(key.len(), 32);
                    assert!(key.chars().all(|c| c.is_ascii_hexdigit()));
                }
                Credential::KeyPair { id, secret } => {
                    assert_eq!(id.len(), 18);
                    assert!(id.parse::<i64>().is_ok());
                    let secret = secret.expose_secret();
                    assert_eq!(secret.len(), 32);
                    assert!(secret.chars().all(|c| c.is_ascii_alphanumeric()));
                }
            }
        }
    }

    #[test]
    fn a_half_that_is_there_stays() {
        let half = Gap {
            key_id: Some("42".into()),
            ..gap(CredentialKind::KeyPair)
        };
        let Credential::KeyPair { id, .. } = credential(&half) else {
            panic!("not a key pair");
        };
        assert_eq!(id, "42");
    }
}
