//! What each plugin does with a request that one of its rules is for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::gateway::Request;

/// What was counted: by object, rule and value.
pub(super) type Counts = BTreeMap<(String, usize, String), (Duration, u64)>;

/// An answer of a plugin's own: status and body.
pub(super) type Verdict = Option<(u16, String)>;

fn answer(status: u16, body: &str) -> Verdict {
    Some((status, body.to_owned()))
}

fn texts<'a>(config: &'a Value, name: &str) -> Vec<&'a str> {
    let items = config.get(name).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn text<'a>(config: &'a Value, name: &str) -> Option<&'a str> {
    config.get(name).and_then(Value::as_str)
}

/// `key-auth`: the header alone is read if both places are on.
pub(super) fn key_auth(shared: &Value, rule: &Value, request: &Request) -> Verdict {
    let in_header = shared.get("in_header").and_then(Value::as_bool) == Some(true);
    let keys = texts(shared, "keys").into_iter();
    let sent: Vec<&str> = keys
        .flat_map(|key| {
            if in_header {
                request.header(key).into_iter().collect()
            } else {
                request.parameters(key)
            }
        })
        .collect();
    match sent.as_slice() {
        [] => answer(401, "No Key Authentication information found."),
        [credential] => allowed(shared, rule, |consumer| {
            text(consumer, "credential") == Some(credential)
        }),
        _ => answer(401, "Muti Key Authentication information found."),
    }
}

/// `basic-auth`.
pub(super) fn basic_auth(shared: &Value, rule: &Value, request: &Request) -> Verdict {
    let sent = request.header("authorization");
    let Some(sent) = sent.and_then(|value| value.strip_prefix("Basic ")) else {
        return answer(401, "No Basic Authentication information found.");
    };
    allowed(shared, rule, |consumer| {
        text(consumer, "credential").is_some_and(|credential| base64(credential) == sent)
    })
}

/// `hmac-auth` and `jwt-auth`, as far as they are modelled.
pub(super) fn not_modelled(request: &Request) -> Verdict {
    let sent = ["authorization", "x-ca-signature"];
    let sent = sent.into_iter().find_map(|name| request.header(name));
    answer(401, sent.map_or("nothing was sent", |_| "not modelled"))
}

fn allowed(shared: &Value, rule: &Value, is: impl Fn(&Value) -> bool) -> Verdict {
    let consumers = shared.get("consumers").and_then(Value::as_array);
    let found = consumers
        .into_iter()
        .flatten()
        .find(|consumer| is(consumer));
    let name = found.and_then(|consumer| text(consumer, "name"));
    match name {
        Some(name) if texts(rule, "allow").contains(&name) => None,
        _ => answer(403, "Unauthorized consumer."),
    }
}

/// `key-rate-limit`: a bucket for each value, which is full again after the window.
pub(super) fn rate_limit(
    (object, index): (&str, usize),
    rule: &Value,
    request: &Request,
    counts: &mut Counts,
) -> Verdict {
    let value = match (text(rule, "limit_by_header"), text(rule, "limit_by_param")) {
        (Some(header), _) => request.header(header)?.to_owned(),
        (_, Some(parameter)) => request.parameters(parameter).first()?.to_string(),
        _ => return None,
    };
    let keys = rule.get("limit_keys").and_then(Value::as_array);
    let mut keys = keys.into_iter().flatten();
    let key = keys.find(|key| text(key, "key") == Some(&value))?;
    let windows = [
        ("second", 1),
        ("minute", 60),
        ("hour", 3600),
        ("day", 86400),
    ];
    let (limit, window) = windows.into_iter().find_map(|(name, seconds)| {
        let limit = key
            .get(format!("query_per_{name}"))
            .and_then(Value::as_u64)?;
        Some((limit, Duration::from_secs(seconds)))
    })?;
    let bucket = (object.to_owned(), index, value);
    let (since, used) = counts.entry(bucket).or_insert((request.at, 0));
    if request.at.saturating_sub(*since) >= window {
        (*since, *used) = (request.at, 0);
    }
    if *used >= limit {
        return answer(429, "rate_limited");
    }
    *used += 1;
    None
}

/// `ip-restriction`.
pub(super) fn addresses(rule: &Value, request: &Request) -> Verdict {
    let address = match text(rule, "ip_source_type") {
        Some("header") => {
            let header = text(rule, "ip_header_name").unwrap_or("x-forwarded-for");
            let value = request.header(header).unwrap_or_default();
            let first = value.split(',').next().unwrap_or_default();
            first.trim().parse().ok()
        }
        _ => Some(request.peer),
    };
    let within = |name: &str| {
        let networks = texts(rule, name);
        address.is_some_and(|address| networks.iter().any(|network| holds(network, address)))
    };
    let refused = if rule.get("allow").is_some() {
        !within("allow")
    } else {
        within("deny")
    };
    refused.then(|| (403, "Your IP address is not allowed.".to_owned()))
}

fn holds(network: &str, address: IpAddr) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse().ok()),
        None => (network, None),
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    let ((base, longest), (address, other)) = (bits(base), bits(address));
    let length: u32 = length.unwrap_or(longest);
    longest == other && (base ^ address).checked_shr(128 - length).unwrap_or(0) == 0
}

/// `request-block`.
pub(super) fn block(rule: &Value, request: &Request) -> Verdict {
    let sensitive = rule.get("case_sensitive").and_then(Value::as_bool) == Some(true);
    let folded = |text: &str| {
        if sensitive {
            text.to_owned()
        } else {
            text.to_ascii_lowercase()
        }
    };
    let holds = |name: &str, text: &str| {
        let text = folded(text);
        texts(rule, name)
            .into_iter()
            .any(|blocked| text.contains(&folded(blocked)))
    };
    let mut headers = request.headers.iter();
    let blocked = holds("block_urls", &request.path)
        || headers
            .any(|(name, value)| holds("block_headers", name) || holds("block_headers", value));
    let code = rule.get("blocked_code").and_then(Value::as_u64);
    let code = code
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(403);
    blocked.then(|| (code, String::new()))
}

/// `custom-response`, where it answers every request.
pub(super) fn response(rule: &Value) -> Verdict {
    if rule.get("enable_on_status").is_some() {
        return None;
    }
    let status = rule
        .get("status_code")
        .and_then(Value::as_u64)
        .unwrap_or(200);
    let body = text(rule, "body").unwrap_or_default();
    answer(u16::try_from(status).unwrap_or(200), body)
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for index in 0..4 {
            let six = (bits >> (18 - 6 * index)) & 63;
            let letter = LETTERS.get(six as usize).copied().map_or('=', char::from);
            encoded.push(if index as usize <= chunk.len() {
                letter
            } else {
                '='
            });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_base64() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(holds("10.0.0.0/8", address("10.9.8.7")));
        assert!(!holds("10.0.0.0/8", address("11.9.8.7")));
        assert!(holds("0.0.0.0/0", address("11.9.8.7")));
        assert!(!holds("0.0.0.0/0", address("::1")));
        assert!(holds("::1", address("::1")));
        assert_eq!(base64("user:pass"), "dXNlcjpwYXNz");
        assert_eq!(base64("a"), "YQ==");
    }
}
