//! The format of a fault plan.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::{ApiError, Product};

/// All faults in force. `{"rules":[]}` clears them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Plan {
    /// Seed of the generator behind `probability`.
    pub seed: u64,
    /// How long created objects stay invisible to reads, in milliseconds.
    pub consistency_delay_ms: u64,
    /// Calls per second and action; none by default.
    pub quota: Option<Quota>,
    /// The rules, tried in order.
    pub rules: Vec<Rule>,
}

/// A rate limit on every action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    /// Calls allowed per second, product and action; the cloud documents 50.
    pub requests_per_second: u32,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Only this product: `CloudAPI`, `SLB`, `VPC` or `STS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// Only this action; a trailing `*` matches any ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only calls signed with this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Only actions that change something.
    #[serde(default)]
    pub mutating_only: bool,
    /// The chance of firing, 0 to 1; always without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Fire at most this often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Let this many matching calls pass first.
    #[serde(default)]
    pub after: u64,
    /// What happens.
    pub effect: Effect,
}

/// What a rule does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Effect {
    /// Refused with `Throttling.User`; nothing is changed.
    Throttle {
        /// Sent as `x-acs-retry-after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Refused with a 5xx; nothing is changed.
    ServerError {
        /// 500, 503 or another; 503 without it.
        #[serde(default = "unavailable")]
        status: u16,
    },
    /// Refused with any error; nothing is changed.
    Error {
        /// The HTTP status.
        status: u16,
        /// The code.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
    },
    /// Carried out, but the caller never learns.
    AppliedButUnanswered {
        /// What the caller sees instead.
        #[serde(default)]
        loss: Loss,
    },
    /// Answered as if it were carried out, and it is not.
    AnsweredButNotApplied,
    /// Answered later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Neither carried out nor answered; the connection stays open.
    Hang,
    /// A list in the answer loses all items but the first `keep`; the total stays.
    TruncateList {
        /// How many items stay.
        keep: usize,
    },
    /// A list in the answer is empty; the total stays.
    EmptyList,
    /// One item of a list in the answer has a member that is not what it should be.
    SpoilItem {
        /// The value of any member of the item.
        id: String,
        /// The member that is spoilt.
        member: String,
    },
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Loss {
    /// The connection is closed without a byte.
    #[default]
    ConnectionDropped,
    /// HTTP 504 from a proxy, without a body.
    GatewayTimeout,
    /// The connection stays open for ever.
    Hang,
}

fn unavailable() -> u16 {
    503
}

/// What of a call the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The product.
    pub product: Product,
    /// The action.
    pub action: &'a str,
    /// The key that signed it.
    pub access_key_id: &'a str,
    /// Whether it changes something.
    pub mutating: bool,
}

impl Plan {
    /// Reads and checks a plan.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let plan: Self =
            serde_json::from_slice(json).map_err(|error| format!("not a fault plan: {error}"))?;
        for (index, rule) in plan.rules.iter().enumerate() {
            rule.check()
                .map_err(|problem| format!("rules[{index}]: {problem}"))?;
        }
        if plan
            .quota
            .is_some_and(|quota| quota.requests_per_second == 0)
        {
            return Err("quota.requestsPerSecond: 0 would refuse every call; leave the quota out or give 1 or more".to_owned());
        }
        Ok(plan)
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if let Some(probability) = self
            .probability
            .filter(|probability| !(0.0..=1.0).contains(probability))
        {
            return Err(format!("probability: {probability} is not within 0 and 1"));
        }
        match &self.effect {
            Effect::ServerError { status } if !(500..600).contains(status) => Err(format!(
                "effect.status: {status} is no server error; give 500 to 599, or use the effect error"
            )),
            Effect::Error { status, .. } if !(400..600).contains(status) => Err(format!(
                "effect.status: {status} is no error; give 400 to 599"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn matches(&self, call: Target<'_>) -> bool {
        let Target {
            product,
            action,
            access_key_id,
            mutating,
        } = call;
        let action_matches = match self.action.as_deref() {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(prefix) => action.starts_with(prefix),
                None => action == pattern,
            },
        };
        action_matches
            && self.product.is_none_or(|own| own == product)
            && self
                .access_key_id
                .as_deref()
                .is_none_or(|own| own == access_key_id)
            && (mutating || !self.mutating_only)
    }
}

impl Effect {
    /// The refusal of an effect that refuses.
    pub fn refusal(&self) -> Option<ApiError> {
        match self {
            Self::Throttle { retry_after_ms } => Some(ApiError::throttled(
                retry_after_ms.map(Duration::from_millis),
            )),
            Self::ServerError { status: 500 } => Some(ApiError::internal(
                "The request processing has failed due to some unknown error, exception or failure.",
            )),
            Self::ServerError { status } => Some(ApiError::new(
                *status,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            )),
            Self::Error {
                status,
                code,
                message,
            } => Some(ApiError::new(*status, code, message)),
            Self::AppliedButUnanswered { .. }
            | Self::AnsweredButNotApplied
            | Self::Delay { .. }
            | Self::Hang
            | Self::TruncateList { .. }
            | Self::EmptyList
            | Self::SpoilItem { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let refusal = |json: &str| Plan::parse(json.as_bytes()).expect_err("refused");
        assert!(refusal(r#"{"rules":[{"effect":{"type":"explode"}}]}"#).contains("explode"));
        assert!(refusal(r#"{"rules":[{"effekt":{}}]}"#).contains("effekt"));
        assert!(
            refusal(r#"{"rules":[{"probability":2,"effect":{"type":"hang"}}]}"#)
                .contains("rules[0]: probability")
        );
        assert!(
            refusal(r#"{"rules":[{"effect":{"type":"serverError","status":404}}]}"#)
                .contains("404")
        );
        assert!(refusal(r#"{"quota":{"requestsPerSecond":0}}"#).contains("quota"));
    }

    #[test]
    fn a_plan_reads_back_as_written() {
        let text = r#"{"rules":[{"product":"CloudAPI","effect":{"type":"appliedButUnanswered","loss":"gatewayTimeout"}}]}"#;
        let plan = Plan::parse(text.as_bytes()).expect("valid");
        let again = serde_json::to_vec(&plan).expect("serializable");
        assert_eq!(Plan::parse(&again), Ok(plan));
    }
}
