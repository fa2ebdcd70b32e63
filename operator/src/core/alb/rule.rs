//! A forwarding rule of ALB, and what ALB takes.
//!
//! The ALB Ingress controller sends what an Ingress says as it is, and stops at the first refusal of
//! ALB for all Ingresses of an AlbConfig. So nothing may be written that ALB would refuse. The
//! limits are those of `CreateRules` (ALB 2020-06-16) and of the vendor's description of `alb_rule`.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;

/// Values in all conditions of a rule at the most, host and path among them.
pub const MAX_VALUES: usize = 10;
/// Actions of a rule at the most.
const MAX_ACTIONS: usize = 5;
/// Server groups of a rule at the most.
pub(super) const MAX_GROUPS: usize = 5;
/// Headers that cannot be set.
const FIXED_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "cookie",
    "host",
    "remoteip",
    "slb-id",
    "slb-ip",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A forwarding rule. It stands for all its hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forward {
    /// Whether it sends chosen requests to a revision, so that it comes before what else is said of
    /// its path.
    pub is_gray: bool,
    /// Beginning of the path, as a string; empty for all.
    pub path: String,
    /// Headers that a request must have, all of them.
    pub headers: Vec<(String, String)>,
    /// Cookies that a request must have, all of them.
    pub cookies: Vec<(String, String)>,
    /// Headers that are set, over the client's.
    pub insert: BTreeMap<String, String>,
    /// The Host that the service is to see.
    pub rewrite_host: Option<String>,
    /// Who answers, by weight.
    pub groups: Vec<Group>,
}

/// A share of the requests of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The Service.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// Its weight, of 100 in all.
    pub weight: u8,
}

impl Forward {
    /// Values that its conditions have without its hosts.
    pub fn values(&self) -> usize {
        1 + self.headers.len() + self.cookies.len()
    }

    /// Whether ALB takes it. `at` says what it is for.
    pub fn check(&self, at: &str) -> Result<(), Refusal> {
        let refuse = |what: String| Err(Refusal::unsupported(format!("{at}: {what}")));
        if self.values() >= MAX_VALUES {
            return refuse(format!(
                "{} conditions, ALB takes {MAX_VALUES} values in all conditions of a rule, host and path among them. Use fewer headers and cookies.",
                self.values()
            ));
        }
        let actions = 1 + self.insert.len() + usize::from(self.rewrite_host.is_some());
        if actions > MAX_ACTIONS {
            return refuse(format!(
                "{} headers to set, with which the rule has {actions} actions; ALB takes {MAX_ACTIONS}. Set fewer headers.",
                self.insert.len()
            ));
        }
        check_path(&self.path).or_else(&refuse)?;
        let mut names = BTreeSet::new();
        for (name, value) in &self.headers {
            check_header(name, value).or_else(&refuse)?;
            if !names.insert(name.to_ascii_lowercase()) {
                return refuse(format!("header \"{name}\" is there twice."));
            }
        }
        for (name, value) in &self.cookies {
            check_cookie(name, value).or_else(&refuse)?;
        }
        for (name, value) in &self.insert {
            check_inserted(name, value).or_else(&refuse)?;
        }
        Ok(())
    }
}

/// Whether ALB takes a host: 3 to 128 characters, with a dot, the last label of letters only.
pub fn takes_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    (3..=128).contains(&host.len())
        && host.contains('.')
        && name
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
        && last.chars().all(|c| c.is_ascii_lowercase())
}

/// Whether a text has a wildcard, which ALB would not take for itself.
fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| (' '..='~').contains(&c))
}

fn check_path(path: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "$-_.+/&~@:'".contains(c);
    // One more for the wildcard at its end.
    if path.is_empty() || path.starts_with('/') && path.len() < 128 && path.chars().all(fine) {
        return Ok(());
    }
    Err(format!(
        "path \"{path}\"; ALB takes up to 127 letters, digits and $-_.+/&~@:' after a slash."
    ))
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    check_name(name)?;
    if matches!(name.to_ascii_lowercase().as_str(), "host" | "cookie") {
        return Err(format!("header \"{name}\" cannot be matched as a header."));
    }
    check_value("header", name, value, 128)
}

/// CreateRule, `CookieConfig`: one that it refuses would keep all of an AlbConfig from being served.
fn check_cookie(name: &str, value: &str) -> Result<(), String> {
    let barred =
        |c: char| !c.is_ascii_graphic() || c.is_ascii_uppercase() || ";#[]{}\\|<>&".contains(c);
    let fine = |text: &str| (1..=100).contains(&text.len()) && !text.contains(barred);
    if !fine(name) || name.contains([',', '=', '*', '?', '"']) {
        return Err(format!(
            "cookie \"{name}\": ALB takes names of 1 to 100 characters without capital letters, spaces and any of ;#[]{{}}\\|<>&."
        ));
    }
    if has_wildcard(value) {
        return check_value("cookie", name, value, 100);
    }
    if !fine(value) {
        return Err(format!(
            "cookie \"{name}\": ALB takes values of 1 to 100 characters without capital letters, spaces and any of ;#[]{{}}\\|<>&."
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if (1..=40).contains(&name.len()) && name.chars().all(fine) {
        return Ok(());
    }
    Err(format!(
        "header \"{name}\"; ALB takes names of 1 to 40 letters, digits, - and _."
    ))
}

fn check_value(what: &str, name: &str, value: &str, most: usize) -> Result<(), String> {
    if has_wildcard(value) {
        return Err(format!(
            "{what} \"{name}\": the value has * or ?, which ALB takes for wildcards. Use a value without them."
        ));
    }
    if value.is_empty() || value.len() > most || !is_printable(value) {
        return Err(format!(
            "{what} \"{name}\": ALB takes values of 1 to {most} printable ASCII characters."
        ));
    }
    Ok(())
}

fn check_inserted(name: &str, value: &str) -> Result<(), String> {
    check_name(name)?;
    let lower = name.to_ascii_lowercase();
    if FIXED_HEADERS.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") {
        return Err(format!("header \"{name}\" cannot be set by ALB."));
    }
    if value.is_empty() || value.len() > 128 || !is_printable(value) {
        return Err(format!(
            "header \"{name}\": ALB sets values of 1 to 128 printable ASCII characters."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_alb_does() {
        for host in [
            "a.b",
            "hello.default",
            "hello.default.svc.cluster.local",
            "x.10.0.0.1.sslip.io",
            "*.example.com",
        ] {
            assert!(takes_host(host), "{host}");
        }
        let long = format!("{}.com", "a".repeat(125));
        for host in [
            "hello",
            "hello.ns-1",
            "hello.team1",
            "a..b",
            "-a.com",
            "a-.com",
            "a_b.com",
            "A.com",
            ".com",
            "",
            long.as_str(),
        ] {
            assert!(!takes_host(host), "{host}");
        }
    }

    fn rule() -> Forward {
        Forward {
            is_gray: false,
            path: String::new(),
            headers: vec![("demo".to_owned(), "test".to_owned())],
            cookies: Vec::new(),
            insert: BTreeMap::new(),
            rewrite_host: None,
            groups: Vec::new(),
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_alb_would_refuse_is_refused_before() {
        assert_eq!(rule().check("x"), Ok(()));
        let long = "v".repeat(129);
        let headers = [
            (pair("Host", "a"), "cannot be matched"),
            (pair("cookie", "a"), "cannot be matched"),
            (pair("a", "b*"), "wildcards"),
            (pair("a", "b?"), "wildcards"),
            (pair("a", ""), "1 to 128"),
            (pair("a", &long), "1 to 128"),
            (pair("a", "ä"), "printable"),
            (pair("a b", "c"), "1 to 40"),
            (pair(&"n".repeat(41), "c"), "1 to 40"),
        ];
        for (header, words) in headers {
            let odd = Forward {
                headers: vec![header.clone()],
                ..rule()
            };
            let message = odd.check("x").unwrap_err().message;
            assert!(
                message.starts_with("x: ") && message.contains(words),
                "{header:?}: {message}"
            );
        }
        let twice = Forward {
            headers: vec![pair("a", "b"), pair("A", "c")],
            ..rule()
        };
        assert!(twice.check("x").unwrap_err().message.contains("twice"));
        let refused = [
            pair("a;b", "c"),
            pair("Demo", "c"),
            pair("demo", "Always"),
            pair("demo", "a b"),
        ];
        for cookie in refused {
            let odd = Forward {
                cookies: vec![cookie.clone()],
                ..rule()
            };
            assert!(
                odd.check("x").unwrap_err().message.contains("cookie"),
                "{cookie:?}"
            );
        }
        let many = Forward {
            cookies: (0..8).map(|n| pair(&format!("c{n}"), "v")).collect(),
            ..rule()
        };
        assert!(many.check("x").unwrap_err().message.contains("10 values"));
        let fits = Forward {
            cookies: (0..7).map(|n| pair(&format!("c{n}"), "v")).collect(),
            ..rule()
        };
        assert_eq!(fits.check("x"), Ok(()));
    }

    #[test]
    fn paths_and_inserted_headers_have_limits_too() {
        for path in ["foo", "/a*", "/a?b", "/ä", &format!("/{}", "a".repeat(127))] {
            let odd = Forward {
                path: path.to_owned(),
                ..rule()
            };
            assert!(
                odd.check("x").unwrap_err().message.contains("path"),
                "{path}"
            );
        }
        let longest = Forward {
            path: format!("/{}", "a".repeat(126)),
            ..rule()
        };
        assert_eq!(longest.check("x"), Ok(()));
        for name in ["Host", "X-Forwarded-For", "Connection", "a b"] {
            let odd = Forward {
                insert: [pair(name, "v")].into(),
                ..rule()
            };
            assert!(odd.check("x").is_err(), "{name}");
        }
        let five = Forward {
            insert: (0..5).map(|n| pair(&format!("h{n}"), "v")).collect(),
            ..rule()
        };
        assert!(five.check("x").unwrap_err().message.contains("6 actions"));
    }
}
