//! Deterministic names. The cloud knows no idempotency token for most of what we create, so the
//! name is what makes a repeated create find the first one.

use sha2::{Digest, Sha256};

/// A short digest of `text`, 8 hexadecimal digits.
pub fn short_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
        .chars()
        .take(8)
        .collect()
}

/// A digest of texts, 16 hexadecimal digits.
pub fn digest_of(texts: &[&str]) -> String {
    hex::encode(Sha256::digest(texts.join("\n").as_bytes()))
        .chars()
        .take(16)
        .collect()
}

/// A digest of `value`'s JSON for comparing what was applied with what is wanted.
pub fn digest<T: serde::Serialize>(value: &T) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let hash = hex::encode(Sha256::digest(json.as_bytes()));
    format!("sha256:{}", hash.chars().take(16).collect::<String>())
}

/// A readable name in the cloud's alphabet (letters, digits, underscores; a letter first) of at
/// most `max` characters that no other `parts` yield: their text for people, then a digest of
/// their exact text, since replacing characters and cutting lets different parts look alike.
pub fn cloud_name(parts: &[&str], max: usize) -> String {
    let hash = short_hash(&parts.join("/"));
    let readable: String = parts
        .join("_")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let first_is_letter = readable
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic());
    let prefix = if first_is_letter { "" } else { "x" };
    let room = max.saturating_sub(hash.len() + 1 + prefix.len());
    let readable: String = readable.chars().take(room).collect();
    format!("{prefix}{readable}_{hash}")
}

/// Name of a group in the cloud, which takes letters, digits and underscores (CloudAPI
/// CreateApiGroup): a class's group names have dashes and no underscores, so each keeps a name of
/// its own.
pub fn group_name(name: &str) -> String {
    name.replace('-', "_")
}

/// Name of the API for one route and method of a binding: 4 to 50 characters (CloudAPI CreateApi).
pub fn api_name(namespace: &str, binding: &str, route: &str, method: &str) -> String {
    if method == "ANY" {
        cloud_name(&[namespace, binding, route], 50)
    } else {
        cloud_name(&[namespace, binding, route, method], 50)
    }
}

/// Name of the backend for a port of a gateway's Service: unique in account and region, hence the
/// cluster id in it (CloudAPI SetVpcAccess).
pub fn backend_name(cluster: &str, namespace: &str, service: &str, port: u16) -> String {
    cloud_name(&["gwb", cluster, namespace, service, &port.to_string()], 50)
}

/// Name of a throttling policy with this content: equal content is one policy of a class (CloudAPI
/// CreatePlugin).
pub fn policy_name(cluster: &str, class: &str, content: &str) -> String {
    cloud_name(&["gwb", cluster, class, content], 50)
}

/// Name of a consumer: 4 to 26 characters, a letter first, unique in the account (CloudAPI
/// CreateApp). Its own name says enough to people; the digest tells clusters and namespaces apart.
pub fn consumer_name(cluster: &str, namespace: &str, name: &str) -> String {
    let hash = short_hash(&format!("{cluster}/{namespace}/{name}"));
    let first_is_letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let prefix = if first_is_letter { "" } else { "x" };
    let readable: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(17 - prefix.len())
        .collect();
    format!("{prefix}{readable}_{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_the_clouds_rules() {
        let long = "a".repeat(63);
        for name in [
            api_name("default", "helloworld", "all", "ANY"),
            api_name(&long, &long, &long, "GET"),
            api_name("0day", "x", "y", "ANY"),
            backend_name("c1f0", "istio-system", "istio-ingressgateway-intranet", 80),
            policy_name("c1f0", "production", "1000 requests per Minute"),
        ] {
            assert!((4..=50).contains(&name.len()), "{name}");
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}"
            );
            assert!(
                name.starts_with(|c: char| c.is_ascii_alphabetic()),
                "{name}"
            );
        }
        for consumer in ["k", "knative", "0day", &long] {
            let name = consumer_name("c1f0", "default", consumer);
            assert!((4..=26).contains(&name.len()), "{name}");
            assert!(
                name.starts_with(|c: char| c.is_ascii_alphabetic()),
                "{name}"
            );
        }
    }

    #[test]
    fn parts_that_look_alike_get_different_names() {
        assert_ne!(
            api_name("a-b", "c", "r", "ANY"),
            api_name("a", "b-c", "r", "ANY")
        );
        assert_ne!(
            api_name("a", "b", "r", "ANY"),
            api_name("a", "b", "r", "GET")
        );
        assert_ne!(consumer_name("c", "a", "k"), consumer_name("c", "b", "k"));
    }
}
