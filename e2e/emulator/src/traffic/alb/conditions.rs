//! Whether a request has what a condition asks for.

use ipnet::IpNet;
use regex::RegexBuilder;

use crate::alb::{Condition, ConditionKind, Pair};
use crate::traffic::incoming::Incoming;

/// Whether one of the values is met.
pub(super) fn met(condition: &Condition, incoming: &Incoming) -> bool {
    let values = &condition.values;
    let any = |fits: &dyn Fn(&str) -> bool| values.iter().any(|value| fits(value));
    match condition.kind {
        ConditionKind::Host => any(&|pattern| fits(pattern, &incoming.host)),
        ConditionKind::Path => any(&|pattern| fits(pattern, &incoming.path)),
        ConditionKind::Method => any(&|method| method == incoming.method.as_str()),
        ConditionKind::SourceIp => any(&|block| is_from(block, incoming)),
        ConditionKind::Header => {
            let sent = incoming.headers.get_all(condition.key.as_str());
            let mut sent = sent.iter().filter_map(|value| value.to_str().ok());
            sent.any(|value| any(&|pattern| fits(pattern, value)))
        }
        ConditionKind::Cookie => has_pair(&condition.pairs, &cookies(incoming)),
        ConditionKind::QueryString => has_pair(&condition.pairs, &incoming.query_pairs()),
        // Of answers, which come later.
        ConditionKind::ResponseHeader | ConditionKind::ResponseStatusCode => false,
    }
}

/// Wildcards, or a regular expression from `~` on (`~*`: case does not count).
fn fits(pattern: &str, text: &str) -> bool {
    let Some(expression) = pattern.strip_prefix('~') else {
        return glob(pattern.as_bytes(), text.as_bytes());
    };
    let (expression, any_case) = match expression.strip_prefix('*') {
        Some(rest) => (rest, true),
        None => (expression, false),
    };
    let expression = RegexBuilder::new(expression)
        .case_insensitive(any_case)
        .build();
    expression.is_ok_and(|expression| expression.is_match(text))
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on if what follows the last star does not fit: the star, and one more character.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut done) = (0, 0);
    while done < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, done));
                at += 1;
            }
            Some(byte) if *byte == b'?' || text.get(done) == Some(byte) => {
                at += 1;
                done += 1;
            }
            _ => match retry {
                Some((star, taken)) => {
                    retry = Some((star, taken + 1));
                    at = star + 1;
                    done = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

fn is_from(block: &str, incoming: &Incoming) -> bool {
    match block.parse::<IpNet>() {
        Ok(block) => block.contains(&incoming.client),
        Err(_) => block.parse() == Ok(incoming.client),
    }
}

fn cookies(incoming: &Incoming) -> Vec<(String, String)> {
    let headers = incoming.headers.get_all(http::header::COOKIE);
    let texts = headers.iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn has_pair(wanted: &[Pair], sent: &[(String, String)]) -> bool {
    wanted.iter().any(|pair| {
        sent.iter()
            .any(|(name, value)| fits(&pair.key, name) && fits(&pair.value, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_expressions_match_as_written() {
        for (pattern, text) in [
            ("/*", "/"),
            ("/foo*", "/foobar"),
            ("/a/*/c", "/a/b/b/c"),
            ("*.example.com", "a.b.example.com"),
            ("v?", "v1"),
            ("a*b*c", "aXbYbZc"),
            ("~^/v[0-9]+/", "/v12/x"),
            ("~*/FOO", "/a/foo"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/foo", "/foobar"),
            ("/foo/*", "/foo"),
            ("*.example.com", "example.com"),
            ("v?", "v12"),
            ("a*b", "abc"),
            ("~/FOO", "/a/foo"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
