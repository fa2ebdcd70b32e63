//! What API Gateway cannot do or would refuse, told before anything is sent. Pure, so that a
//! caller can validate with the same rules.

use thiserror::Error;

use crate::error::{CloudError, Effect, ErrorClass};
use crate::gateway::model::*;

/// Something that the product does not do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field} {value:?}: {rule}; {advice}")]
pub struct Unsupported {
    /// What it is about, in words of the model.
    pub field: &'static str,
    /// The value.
    pub value: String,
    /// The rule that it breaks.
    pub rule: String,
    /// What to do.
    pub advice: &'static str,
}

impl From<Unsupported> for CloudError {
    fn from(unsupported: Unsupported) -> Self {
        Self {
            class: ErrorClass::Invalid,
            operation: "CloudAPI".to_owned(),
            code: "Unsupported".to_owned(),
            message: unsupported.to_string(),
            request_id: None,
            retry_after: None,
            effect: Effect::None,
        }
    }
}

type Checked = Result<(), Unsupported>;

fn refuse(
    field: &'static str,
    value: impl Into<String>,
    rule: impl Into<String>,
    advice: &'static str,
) -> Checked {
    Err(Unsupported {
        field,
        value: value.into(),
        rule: rule.into(),
        advice,
    })
}

/// Things with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Named {
    Group,
    Backend,
    Api,
    Consumer,
    Policy,
}

impl Named {
    fn field(self) -> &'static str {
        match self {
            Self::Group => "group name",
            Self::Backend => "backend name",
            Self::Api => "API name",
            Self::Consumer => "consumer name",
            Self::Policy => "policy name",
        }
    }

    /// The longest name, in characters.
    pub const fn longest(self) -> usize {
        match self {
            Self::Consumer => 26,
            _ => 50,
        }
    }
}

/// Checks a name: 4 to 50 (a consumer: 26) letters, digits and underscores; all but a policy's
/// begin with a letter, a backend's may have hyphens (CloudAPI CreateApiGroup, SetVpcAccess,
/// CreateApi, CreateApp, CreatePlugin).
pub fn check_name(kind: Named, name: &str) -> Checked {
    let advice = "choose another name";
    let length = name.chars().count();
    let longest = kind.longest();
    if !(4..=longest).contains(&length) {
        let rule = format!("has {length} characters, allowed are 4 to {longest}");
        return refuse(kind.field(), name, rule, advice);
    }
    let hyphen = kind == Named::Backend;
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || c == '_' || chinese(c) || (hyphen && c == '-');
    if let Some(odd) = name.chars().find(|c| !allowed(*c)) {
        let hyphens = if hyphen { ", hyphens" } else { "" };
        let rule = format!("has {odd:?}, allowed are letters, digits, underscores{hyphens}");
        return refuse(kind.field(), name, rule, advice);
    }
    let first = name.chars().next();
    if kind != Named::Policy && !first.is_some_and(|c| c.is_ascii_alphabetic() || chinese(c)) {
        return refuse(kind.field(), name, "must begin with a letter", advice);
    }
    Ok(())
}

fn chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fa5}').contains(&c)
}

/// Checks a description: at most 180 characters.
pub fn check_description(text: &str) -> Checked {
    let length = text.chars().count();
    if length > 180 {
        let rule = format!("has {length} characters, allowed are 180");
        return refuse("description", text, rule, "shorten it");
    }
    Ok(())
}

/// Checks that a marker fits into tags: values of at most 128 characters, not empty, with no
/// reserved beginning.
pub fn check_marker(marker: &Marker) -> Checked {
    for (field, value) in [("cluster id", &marker.cluster), ("owner", &marker.owner)] {
        let length = value.chars().count();
        if !(1..=128).contains(&length) {
            let rule = format!("has {length} characters, a tag holds 1 to 128");
            return refuse(field, value, rule, "use shorter names");
        }
        if ["aliyun", "acs:", "http://", "https://"]
            .iter()
            .any(|word| value.starts_with(word))
        {
            let rule = "begins with a word that tags may not begin with";
            return refuse(field, value, rule, "choose another name");
        }
    }
    Ok(())
}

/// Checks limits: above zero, and consumer ≤ account ≤ API, as the product demands.
pub fn check_throttling(limits: &Throttling) -> Checked {
    let field = "limit";
    let each = [Some(limits.api), limits.account, limits.consumer];
    let all = each
        .into_iter()
        .flatten()
        .chain(limits.consumers.values().copied());
    for limit in all {
        if limit == 0 || limit > i32::MAX as u64 {
            let rule = "must be from 1 to 2147483647";
            return refuse(field, limit.to_string(), rule, "choose another limit");
        }
    }
    let pairs = [
        (
            "the account's",
            limits.account,
            "the API's",
            Some(limits.api),
        ),
        (
            "each consumer's",
            limits.consumer,
            "the account's",
            limits.account,
        ),
        (
            "each consumer's",
            limits.consumer,
            "the API's",
            Some(limits.api),
        ),
    ];
    for (small_name, small, large_name, large) in pairs {
        if let (Some(small), Some(large)) = (small, large)
            && small > large
        {
            let rule = format!("{small_name} limit is above {large_name}, {large}");
            return refuse(
                field,
                small.to_string(),
                rule,
                "lower it or raise the other",
            );
        }
    }
    Ok(())
}

/// Checks what an API asks for against what the product can do.
pub fn check_api(spec: &ApiSpec) -> Checked {
    check_name(Named::Api, &spec.name)?;
    check_description(&spec.description)?;
    check_name(Named::Backend, spec.backend.name.as_str())?;
    check_path("path", path_text(&spec.path))?;
    check_path("backend path", &spec.backend.path)?;
    if spec.protocols.is_empty() {
        return refuse("protocols", "", "none is given", "name HTTP, HTTPS or both");
    }
    if !(1..=30_000).contains(&spec.backend.timeout_ms) {
        let value = format!("{} ms", spec.backend.timeout_ms);
        return refuse(
            "backend timeout",
            value,
            "must be from 1 ms to 30 s",
            "choose another",
        );
    }
    if let Some(host) = &spec.backend.host {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
            let rule = "is not a host name";
            return refuse(
                "backend host",
                host,
                rule,
                "give a host name, with a port if needed",
            );
        }
    }
    check_auth(&spec.auth)
}

fn check_auth(auth: &ApiAuth) -> Checked {
    let ApiAuth::Consumer { api_key, signature } = auth else {
        return Ok(());
    };
    if !signature {
        let rule = "API Gateway accepts signed requests of every consumer that may call";
        return refuse("signature", "false", rule, "allow signatures");
    }
    if api_key.contains(&ApiKeyLocation::Query) && !api_key.contains(&ApiKeyLocation::Header) {
        let rule = "API Gateway takes keys from the header, or from header and query";
        return refuse("API key location", "Query", rule, "add Header");
    }
    Ok(())
}

fn path_text(path: &Path) -> &str {
    match path {
        Path::Exact(text) | Path::Prefix(text) => text,
    }
}

fn check_path(field: &'static str, path: &str) -> Checked {
    let advice = "give a path such as /a/b";
    if !path.starts_with('/') {
        return refuse(field, path, "must begin with /", advice);
    }
    if path.len() > 1 && path.ends_with('/') {
        return refuse(field, path, "must not end with /", advice);
    }
    if path.len() > 198 {
        return refuse(field, path, "is longer than 198 characters", "shorten it");
    }
    if path.contains("//") {
        return refuse(field, path, "has an empty segment", advice);
    }
    // `*` and brackets are the product's own patterns.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%:@!$&'()+,;=".contains(c);
    match path.chars().find(|c| !plain(*c)) {
        Some(odd) => refuse(field, path, format!("has {odd:?}"), advice),
        None => Ok(()),
    }
}

pub(super) fn group(spec: &GroupSpec) -> Checked {
    check_name(Named::Group, &spec.name)?;
    check_description(&spec.description)
}

pub(super) fn consumer(spec: &ConsumerSpec) -> Checked {
    check_name(Named::Consumer, &spec.name)?;
    check_description(&spec.description)
}

pub(super) fn policy(spec: &PolicySpec) -> Checked {
    check_name(Named::Policy, &spec.name)?;
    check_description(&spec.description)?;
    match &spec.rules {
        PolicyRules::Throttling(limits) => check_throttling(limits),
        PolicyRules::Other { .. } => Ok(()),
    }
}

/// `CreateApp` takes one code and one key pair.
pub(super) fn first_credentials(credentials: &[Credential]) -> Checked {
    let keys = credentials
        .iter()
        .filter(|c| matches!(c, Credential::ApiKey(_)))
        .count();
    let pairs = credentials.len() - keys;
    if keys > 1 || pairs > 1 {
        let value = format!("{keys} API keys and {pairs} key pairs");
        let rule = "a consumer is created with at most one of each";
        return refuse("credentials", value, rule, "add the others afterwards");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::api_render::tests::api;
    use super::*;

    #[test]
    fn names() {
        for (kind, name, fine) in [
            (Named::Group, "knative", true),
            (Named::Group, "kn", false),
            (Named::Group, "1knative", false),
            (Named::Group, "kn-default", false),
            (Named::Group, "知原网关", true),
            (Named::Backend, "lb-2ze_80", true),
            (Named::Backend, "_lb", false),
            (Named::Consumer, &"c".repeat(26), true),
            (Named::Consumer, &"c".repeat(27), false),
            (Named::Api, &"a".repeat(50), true),
            (Named::Api, &"a".repeat(51), false),
            (Named::Policy, "1_limit", true),
            (Named::Policy, "a limit", false),
        ] {
            assert_eq!(check_name(kind, name).is_ok(), fine, "{kind:?} {name}");
        }
    }

    #[test]
    fn a_refusal_says_what_rule_and_what_to_do() {
        let refusal = check_name(Named::Consumer, &"c".repeat(27)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "consumer name \"ccccccccccccccccccccccccccc\": has 27 characters, allowed are 4 to 26; \
             choose another name"
        );
        assert_eq!(CloudError::from(refusal).class, ErrorClass::Invalid);
    }

    #[test]
    fn limits_are_ordered() {
        let limits = |api, account, consumer| Throttling {
            window: Window::Minute,
            api,
            account,
            consumer,
            consumers: Default::default(),
        };
        assert!(check_throttling(&limits(10, Some(10), Some(5))).is_ok());
        assert!(check_throttling(&limits(10, None, None)).is_ok());
        for bad in [
            limits(0, None, None),
            limits(10, Some(11), None),
            limits(10, None, Some(11)),
            limits(10, Some(5), Some(6)),
        ] {
            assert!(check_throttling(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn apis() {
        assert_eq!(check_api(&api()), Ok(()));
        let with = |change: fn(&mut ApiSpec)| {
            let mut spec = api();
            change(&mut spec);
            check_api(&spec).map_err(|refusal| refusal.field)
        };
        let auth = |locations: &[ApiKeyLocation], signature| ApiAuth::Consumer {
            api_key: locations.iter().copied().collect::<BTreeSet<_>>(),
            signature,
        };
        assert_eq!(check_auth(&auth(&[], true)), Ok(()));
        assert_eq!(check_auth(&auth(&[ApiKeyLocation::Header], true)), Ok(()));
        assert!(check_auth(&auth(&[ApiKeyLocation::Query], true)).is_err());
        assert!(check_auth(&auth(&[ApiKeyLocation::Header], false)).is_err());
        assert_eq!(with(|s| s.path = Path::Exact("/a/*".into())), Err("path"));
        assert_eq!(
            with(|s| s.path = Path::Exact("/a/[id]".into())),
            Err("path")
        );
        assert_eq!(with(|s| s.path = Path::Prefix("a".into())), Err("path"));
        assert_eq!(with(|s| s.path = Path::Prefix("/a/".into())), Err("path"));
        assert_eq!(with(|s| s.backend.path = "//".into()), Err("backend path"));
        assert_eq!(with(|s| s.protocols.clear()), Err("protocols"));
        assert_eq!(
            with(|s| s.backend.timeout_ms = 30_001),
            Err("backend timeout")
        );
        assert_eq!(
            with(|s| s.backend.host = Some("a b".into())),
            Err("backend host")
        );
    }
}
