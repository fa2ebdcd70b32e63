//! The policy language, as far as policies for programs use it: conditions and exclusions
//! (`NotAction`, …) are refused rather than ignored.

use serde::{Deserialize, Serialize};

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    version: Version,
    statement: Vec<Statement>,
}

/// Of the language; there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    #[serde(rename = "1")]
    One,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    effect: Effect,
    action: OneOrMore,
    resource: OneOrMore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// What a policy says of an action on a thing; a later one prevails over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// Nothing speaks of it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not a document of the language, or with elements that are not emulated.
    #[error("not a policy, or one with elements that are not emulated: {0}")]
    Document(#[from] serde_json::Error),
    /// An action that is no `product:Action`.
    #[error("the action {0:?} is not of the form product:Action")]
    Action(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("the resource {0:?} is neither * nor of the form acs:product:region:account:resource")]
    Resource(String),
    /// Nothing is allowed or denied.
    #[error("the policy has no statement")]
    Empty,
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// [`PolicyError`] where RAM would refuse it, or this emulator does not know enough.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        let policy: Self = serde_json::from_slice(text)?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if self.statement.is_empty() {
            return Err(PolicyError::Empty);
        }
        for statement in &self.statement {
            for action in statement.action.iter() {
                if action != "*" && !action.contains(':') {
                    return Err(PolicyError::Action(action.to_owned()));
                }
            }
            for resource in statement.resource.iter() {
                let parts: Vec<&str> = resource.splitn(5, ':').collect();
                if resource != "*" && (parts.len() < 5 || parts.first() != Some(&"acs")) {
                    return Err(PolicyError::Resource(resource.to_owned()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn decide(&self, action: &str, resource: &str) -> Decision {
        let effects = self.statement.iter().filter(|statement| {
            let is = |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes());
            statement.action.iter().any(|pattern| is(pattern, action))
                && statement
                    .resource
                    .iter()
                    .any(|pattern| is(pattern, resource))
        });
        effects.fold(Decision::NotAllowed, |so_far, statement| {
            match (so_far, statement.effect) {
                (Decision::Denied, _) | (_, Effect::Deny) => Decision::Denied,
                (_, Effect::Allow) => Decision::Allowed,
            }
        })
    }
}

impl OneOrMore {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let slice = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more.as_slice(),
        };
        slice.iter().map(String::as_str)
    }
}

/// Whether a pattern covers a text: `*` is any number of characters, `?` one. Case counts.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(seen) {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(wanted), _) if wanted == byte || *wanted == b'?' => {
                at += 1;
                seen += 1;
            }
            (_, Some((place, taken))) => {
                star = Some((place, taken + 1));
                at = place + 1;
                seen = taken + 1;
            }
            _ => return false,
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Allowed, Denied, NotAllowed};
    use serde_json::{Value, json};

    fn policy(statements: Value) -> Policy {
        let document = json!({"Version": "1", "Statement": statements});
        Policy::parse(document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn patterns_cover_what_they_say() {
        let is = |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes());
        for (pattern, text) in [
            ("*", ""),
            ("*", "apigateway:CreateApi"),
            ("apigateway:*", "apigateway:CreateApi"),
            ("apigateway:Describe*s", "apigateway:DescribeApis"),
            ("a*b*c", "aXbYbZc"),
            ("slb:Describe?oadBalancers", "slb:DescribeLoadBalancers"),
        ] {
            assert!(is(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("apigateway:CreateApi", "apigateway:CreateApiGroup"),
            ("apigateway:createapi", "apigateway:CreateApi"),
            ("slb:?", "slb:"),
            ("a*b", "aXbY"),
            ("acs:slb:*", "*"),
        ] {
            assert!(!is(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_denial_prevails_over_what_is_allowed_wherever_it_stands() {
        let deny = json!({"Effect": "Deny", "Action": "a:Delete*", "Resource": "acs:a:r:1:x/*"});
        let allow = json!({"Effect": "Allow", "Action": ["a:*"], "Resource": ["*"]});
        for order in [json!([deny, allow]), json!([allow, deny])] {
            let policy = policy(order);
            assert_eq!(policy.decide("a:DeleteX", "acs:a:r:1:x/1"), Denied);
            assert_eq!(policy.decide("a:DeleteX", "acs:a:r:1:y/1"), Allowed);
            assert_eq!(policy.decide("a:ReadX", "acs:a:r:1:x/1"), Allowed);
            assert_eq!(policy.decide("b:ReadX", "acs:b:r:1:x/1"), NotAllowed);
        }
    }

    #[test]
    fn an_action_is_allowed_on_its_own_resources_only() {
        let policy = policy(json!([
            {"Effect": "Allow", "Action": "a:Do", "Resource": "acs:a:cn-beijing:1:x/*"},
            {"Effect": "Allow", "Action": "a:Read", "Resource": "acs:a:*:*:x/*"},
        ]));
        assert_eq!(policy.decide("a:Do", "acs:a:cn-beijing:1:x/1"), Allowed);
        assert_eq!(policy.decide("a:Do", "acs:a:cn-shanghai:1:x/1"), NotAllowed);
        assert_eq!(policy.decide("a:Do", "acs:a:cn-beijing:2:x/1"), NotAllowed);
        assert_eq!(policy.decide("a:Do", "*"), NotAllowed);
        assert_eq!(policy.decide("a:Read", "acs:a:cn-shanghai:2:x/1"), Allowed);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let statement = json!({"Effect": "Allow", "Action": "a:Do", "Resource": "*"});
        let with = |field: &str, value: Value| {
            let mut changed = statement.clone();
            changed[field] = value;
            json!({"Version": "1", "Statement": [changed]})
        };
        for document in [
            json!({"Version": "2", "Statement": [statement]}),
            json!({"Version": "1", "Statement": []}),
            json!({"Statement": [statement]}),
            with("Effect", json!("allow")),
            with("Action", json!("CreateApi")),
            with("Resource", json!("apigroup/*")),
            with("Resource", json!("arn:aws:a:r:1:x")),
            with("Condition", json!({})),
            with("NotAction", json!("a:Do")),
        ] {
            let text = document.to_string();
            assert!(Policy::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
