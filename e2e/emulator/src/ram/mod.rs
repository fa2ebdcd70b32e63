//! Permissions (RAM): whether a key's policy allows a call.
//!
//! A key without a policy is the account's own and may do everything. One with a policy is a RAM
//! user's, who may do what a statement allows and none denies. Sessions of a role have the policy of
//! the role's ARN.

mod policy;
mod resources;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use policy::{Policy, PolicyError};

use crate::api::{ApiError, Product, Request};
use policy::Decision;

/// Policies by id of a long-lived key or ARN of a role.
pub type Policies = BTreeMap<String, Policy>;

/// Refuses a call that the caller's policy does not allow on each thing it is about.
pub fn authorize(policies: &Policies, request: &Request) -> Result<(), ApiError> {
    let caller = &request.caller;
    let policy = match &caller.role_arn {
        Some(role) => policies.get(role),
        None => policies.get(&caller.access_key_id),
    };
    let Some(policy) = policy else {
        return Ok(());
    };
    // Everybody may ask who they are; a role is assumed with a token, which is its own permission.
    if matches!(
        request.action.as_str(),
        "GetCallerIdentity" | "AssumeRoleWithOIDC"
    ) {
        return Ok(());
    }
    let action = format!("{}:{}", prefix(request.product), request.action);
    let needed = resources::needed(request);
    let decisions = needed
        .iter()
        .map(|resource| policy.decide(&action, resource));
    match decisions.max() {
        None | Some(Decision::Allowed) => Ok(()),
        Some(denied) => Err(refusal(request, &action, denied)),
    }
}

/// The product in actions and ARNs.
fn prefix(product: Product) -> &'static str {
    match product {
        Product::CloudApi => "apigateway",
        Product::Alb => "alb",
        Product::Nlb => "nlb",
        Product::Slb => "slb",
        Product::Vpc => "vpc",
        Product::Sts => "sts",
    }
}

fn refusal(request: &Request, action: &str, denied: Decision) -> ApiError {
    let (code, message) = match request.product {
        Product::Sts => (
            "NoPermission",
            "You are not authorized to do this action. You should be authorized by RAM.",
        ),
        _ => (
            "Forbidden.RAM",
            "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
        ),
    };
    ApiError {
        access_denied: Some(detail(request, action, denied)),
        ..ApiError::forbidden(code, message)
    }
}

/// `AccessDeniedDetail`. The diagnostic message differs with every call, as the real one does.
fn detail(request: &Request, action: &str, denied: Decision) -> Value {
    let caller = &request.caller;
    let (kind, name) = match &caller.role_arn {
        Some(role) => ("AssumedRoleUser", role),
        None => ("SubUser", &caller.access_key_id),
    };
    json!({
        "AuthAction": action,
        "AuthPrincipalDisplayName": name,
        "AuthPrincipalOwnerId": caller.account_id,
        "AuthPrincipalType": kind,
        "NoPermissionType": if denied == Decision::Denied { "ExplicitDeny" } else { "ImplicitDeny" },
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "EncodedDiagnosticMessage": format!("AQEAAAAA{}", request.request_id.replace('-', "")),
    })
}
