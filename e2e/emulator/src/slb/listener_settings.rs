//! The settings of listeners: which protocol has which, their values and defaults.

use std::collections::BTreeMap;

use crate::api::{ApiError, Params};
use crate::slb::Protocol;

/// What values a setting takes.
enum Rule {
    OneOf(&'static [&'static str]),
    Number(i64, i64),
    /// A port of a health check, or -520 for the one of the backend.
    CheckPort,
    /// -1 for no limit, or Mbit/s.
    Bandwidth,
    Flag,
    Text(usize),
}

/// A setting by the name it has in requests.
struct Setting {
    name: &'static str,
    rule: Rule,
    default: Option<&'static str>,
    protocols: &'static [Protocol],
}

const L4: &[Protocol] = &[Protocol::Tcp, Protocol::Udp];
const L7: &[Protocol] = &[Protocol::Http, Protocol::Https];
const TCP: &[Protocol] = &[Protocol::Tcp];
const UDP: &[Protocol] = &[Protocol::Udp];
const HTTP: &[Protocol] = &[Protocol::Http];
const HTTPS: &[Protocol] = &[Protocol::Https];
const NOT_UDP: &[Protocol] = &[Protocol::Tcp, Protocol::Http, Protocol::Https];
const ALL: &[Protocol] = &[
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::Http,
    Protocol::Https,
];

const ON_OFF: Rule = Rule::OneOf(&["on", "off"]);

const fn setting(
    name: &'static str,
    rule: Rule,
    default: Option<&'static str>,
    protocols: &'static [Protocol],
) -> Setting {
    Setting {
        name,
        rule,
        default,
        protocols,
    }
}

const SETTINGS: &[Setting] = &[
    setting("Bandwidth", Rule::Bandwidth, Some("-1"), ALL),
    setting("BackendServerPort", Rule::Number(1, 65_535), None, ALL),
    setting(
        "Scheduler",
        Rule::OneOf(&["wrr", "wlc", "rr", "sch", "tch"]),
        Some("wrr"),
        TCP,
    ),
    setting(
        "Scheduler",
        Rule::OneOf(&["wrr", "wlc", "rr", "sch", "tch", "qch"]),
        Some("wrr"),
        UDP,
    ),
    setting(
        "Scheduler",
        Rule::OneOf(&["wrr", "wlc", "rr"]),
        Some("wrr"),
        L7,
    ),
    setting("AclStatus", ON_OFF, Some("off"), ALL),
    setting("AclType", Rule::OneOf(&["white", "black"]), None, ALL),
    setting("AclId", Rule::Text(500), None, ALL),
    setting("PersistenceTimeout", Rule::Number(0, 3600), Some("0"), TCP),
    setting(
        "EstablishedTimeout",
        Rule::Number(10, 900),
        Some("900"),
        TCP,
    ),
    setting("ConnectionDrain", ON_OFF, Some("off"), L4),
    setting("ConnectionDrainTimeout", Rule::Number(10, 900), None, L4),
    setting("ProxyProtocolV2Enabled", Rule::Flag, Some("false"), L4),
    setting("HealthCheckSwitch", ON_OFF, Some("on"), L4),
    setting(
        "HealthCheckType",
        Rule::OneOf(&["tcp", "http"]),
        Some("tcp"),
        TCP,
    ),
    setting(
        "HealthCheckConnectTimeout",
        Rule::Number(1, 300),
        Some("5"),
        L4,
    ),
    setting("healthCheckExp", Rule::Text(64), None, UDP),
    setting("healthCheckReq", Rule::Text(64), None, UDP),
    setting("HealthCheck", ON_OFF, Some("off"), L7),
    setting("HealthCheckTimeout", Rule::Number(1, 300), Some("5"), L7),
    setting(
        "HealthCheckMethod",
        Rule::OneOf(&["head", "get"]),
        Some("head"),
        L7,
    ),
    setting("HealthCheckURI", Rule::Text(80), None, NOT_UDP),
    setting("HealthCheckDomain", Rule::Text(80), None, NOT_UDP),
    setting("HealthCheckHttpCode", Rule::Text(80), None, NOT_UDP),
    setting("HealthCheckConnectPort", Rule::CheckPort, None, ALL),
    setting("HealthyThreshold", Rule::Number(2, 10), Some("3"), ALL),
    setting("UnhealthyThreshold", Rule::Number(2, 10), Some("3"), ALL),
    setting("HealthCheckInterval", Rule::Number(1, 50), Some("2"), ALL),
    setting("IdleTimeout", Rule::Number(1, 60), Some("15"), L7),
    setting("RequestTimeout", Rule::Number(1, 180), Some("60"), L7),
    setting("StickySession", ON_OFF, Some("off"), L7),
    setting(
        "StickySessionType",
        Rule::OneOf(&["insert", "server"]),
        None,
        L7,
    ),
    setting("CookieTimeout", Rule::Number(1, 86_400), None, L7),
    setting("Cookie", Rule::Text(200), None, L7),
    setting("Gzip", ON_OFF, Some("on"), L7),
    setting("XForwardedFor", ON_OFF, Some("on"), L7),
    setting("XForwardedFor_SLBIP", ON_OFF, Some("off"), L7),
    setting("XForwardedFor_SLBID", ON_OFF, Some("off"), L7),
    setting("XForwardedFor_proto", ON_OFF, Some("off"), L7),
    setting("XForwardedFor_SLBPORT", ON_OFF, Some("off"), L7),
    setting("XForwardedFor_ClientSrcPort", ON_OFF, Some("off"), L7),
    setting("ListenerForward", ON_OFF, Some("off"), HTTP),
    setting("ForwardPort", Rule::Number(1, 65_535), None, HTTP),
    setting("ServerCertificateId", Rule::Text(200), None, HTTPS),
    setting("CACertificateId", Rule::Text(200), None, HTTPS),
    setting("EnableHttp2", ON_OFF, Some("on"), HTTPS),
    setting(
        "TLSCipherPolicy",
        Rule::OneOf(&[
            "tls_cipher_policy_1_0",
            "tls_cipher_policy_1_1",
            "tls_cipher_policy_1_2",
            "tls_cipher_policy_1_2_strict",
            "tls_cipher_policy_1_2_strict_with_1_3",
        ]),
        Some("tls_cipher_policy_1_0"),
        HTTPS,
    ),
];

/// Settings that go out as numbers.
const NUMBERS: &[&str] = &[
    "Bandwidth",
    "BackendServerPort",
    "PersistenceTimeout",
    "EstablishedTimeout",
    "ConnectionDrainTimeout",
    "HealthCheckConnectTimeout",
    "HealthCheckTimeout",
    "HealthCheckConnectPort",
    "HealthyThreshold",
    "UnhealthyThreshold",
    "HealthCheckInterval",
    "IdleTimeout",
    "RequestTimeout",
    "CookieTimeout",
    "ForwardPort",
];

fn of(protocol: Protocol) -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .iter()
        .filter(move |setting| setting.protocols.contains(&protocol))
}

/// The settings a new listener starts with.
pub(super) fn defaults(protocol: Protocol) -> BTreeMap<String, String> {
    of(protocol)
        .filter_map(|setting| Some((setting.name.to_owned(), setting.default?.to_owned())))
        .collect()
}

/// Takes the settings a call carries over into `settings`.
pub(super) fn apply(
    settings: &mut BTreeMap<String, String>,
    protocol: Protocol,
    params: &Params,
) -> Result<(), ApiError> {
    for setting in of(protocol) {
        let Some(value) = sent(params, setting.name) else {
            continue;
        };
        if !setting.rule.allows(value) {
            return Err(params.invalid(setting.name));
        }
        settings.insert(
            setting.name.to_owned(),
            value.to_lowercase_if(&setting.rule),
        );
    }
    raise_timeout(settings, protocol);
    Ok(())
}

/// The vendor's metadata spells `HealthCheckInterval` with a small letter for some actions; both
/// are taken.
fn sent<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    let other_case = || {
        let (first, rest) = name.split_at_checked(1)?;
        params.filled(&format!("{}{rest}", first.to_ascii_lowercase()))
    };
    params.filled(name).or_else(other_case)
}

/// A timeout below the interval is replaced by the interval.
fn raise_timeout(settings: &mut BTreeMap<String, String>, protocol: Protocol) {
    let timeout = if matches!(protocol, Protocol::Tcp | Protocol::Udp) {
        "HealthCheckConnectTimeout"
    } else {
        "HealthCheckTimeout"
    };
    let number = |name: &str| settings.get(name).and_then(|text| text.parse::<i64>().ok());
    if let (Some(limit), Some(interval)) = (number(timeout), number("HealthCheckInterval"))
        && limit < interval
    {
        settings.insert(timeout.to_owned(), interval.to_string());
    }
}

/// Combinations that the product refuses, judged on the settings as they will be.
pub(super) fn check(settings: &BTreeMap<String, String>, params: &Params) -> Result<(), ApiError> {
    let get = |name: &str| settings.get(name).map(String::as_str);
    if get("AclStatus") == Some("on") {
        for name in ["AclId", "AclType"] {
            get(name).ok_or_else(|| params.missing(name))?;
        }
    }
    if get("StickySession") == Some("on") {
        match get("StickySessionType") {
            None => return Err(params.missing("StickySessionType")),
            Some("insert") => {
                get("CookieTimeout").ok_or_else(|| params.missing("CookieTimeout"))?
            }
            Some(_) => get("Cookie").ok_or_else(|| params.missing("Cookie"))?,
        };
    }
    if get("ListenerForward") == Some("on") {
        get("ForwardPort").ok_or_else(|| params.missing("ForwardPort"))?;
    }
    Ok(())
}

/// A setting as answers show it: its name there, and whether it is a number.
pub(super) fn shown(name: &str, value: &str) -> (String, serde_json::Value) {
    let shown_name = match name {
        "HealthCheckSwitch" => "HealthCheck",
        "healthCheckExp" => "HealthCheckExp",
        "healthCheckReq" => "HealthCheckReq",
        other => other,
    };
    let value = match value.parse::<i64>() {
        Ok(number) if NUMBERS.contains(&name) => serde_json::Value::from(number),
        _ => serde_json::Value::from(value),
    };
    (shown_name.to_owned(), value)
}

trait LowercaseIf {
    fn to_lowercase_if(&self, rule: &Rule) -> String;
}

impl LowercaseIf for str {
    /// Flags come as `True` from one SDK and as `true` from the others.
    fn to_lowercase_if(&self, rule: &Rule) -> String {
        if matches!(rule, Rule::Flag) {
            self.to_ascii_lowercase()
        } else {
            self.to_owned()
        }
    }
}

impl Rule {
    fn allows(&self, value: &str) -> bool {
        let number = || value.parse::<i64>().ok();
        match self {
            Self::OneOf(allowed) => allowed.contains(&value),
            Self::Number(low, high) => {
                number().is_some_and(|number| (*low..=*high).contains(&number))
            }
            Self::CheckPort => {
                number().is_some_and(|number| number == -520 || (1..=65_535).contains(&number))
            }
            Self::Bandwidth => {
                number().is_some_and(|number| number == -1 || (1..=5120).contains(&number))
            }
            Self::Flag => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::Text(longest) => value.chars().count() <= *longest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Product;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(
            Product::Slb,
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn values_are_checked_by_protocol() {
        let apply_to = |protocol, pair| apply(&mut defaults(protocol), protocol, &params(&[pair]));
        assert!(apply_to(Protocol::Udp, ("Scheduler", "qch")).is_ok());
        assert!(apply_to(Protocol::Tcp, ("Scheduler", "qch")).is_err());
        assert!(apply_to(Protocol::Http, ("Scheduler", "sch")).is_err());
        assert!(apply_to(Protocol::Tcp, ("EstablishedTimeout", "9")).is_err());
        assert!(apply_to(Protocol::Tcp, ("HealthCheckConnectPort", "-520")).is_ok());
        // A setting of another protocol is passed over, as the cloud does with unknown parameters.
        assert!(apply_to(Protocol::Tcp, ("IdleTimeout", "9999")).is_ok());
    }

    #[test]
    fn both_spellings_of_the_interval_count_and_raise_the_timeout() {
        let mut settings = defaults(Protocol::Tcp);
        apply(
            &mut settings,
            Protocol::Tcp,
            &params(&[("healthCheckInterval", "9")]),
        )
        .expect("valid");
        assert_eq!(settings["HealthCheckInterval"], "9");
        assert_eq!(settings["HealthCheckConnectTimeout"], "9");
    }

    #[test]
    fn combinations_are_checked() {
        let refusal = |protocol: Protocol, pairs: &[(&str, &str)]| {
            let mut settings = defaults(protocol);
            let params = params(pairs);
            apply(&mut settings, protocol, &params).expect("each value is valid");
            check(&settings, &params).expect_err("refused").message
        };
        assert!(refusal(Protocol::Tcp, &[("AclStatus", "on")]).contains("AclId"));
        assert!(refusal(Protocol::Http, &[("StickySession", "on")]).contains("StickySessionType"));
        let insert = [("StickySession", "on"), ("StickySessionType", "insert")];
        assert!(refusal(Protocol::Http, &insert).contains("CookieTimeout"));
        assert!(refusal(Protocol::Http, &[("ListenerForward", "on")]).contains("ForwardPort"));
    }
}
