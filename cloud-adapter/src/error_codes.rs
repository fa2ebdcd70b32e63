//! The table from the cloud's error codes to [`ErrorClass`].
//!
//! The code decides, never the HTTP status alone: the API gateway answers "not found" with 400,
//! STS with 404. Sources: the error code table of API Gateway, the common error codes of the
//! OpenAPI portal, and what the vendor's tools treat as retriable.

use crate::error::{Effect, ErrorClass};

use ErrorClass::*;

/// Codes that mean exactly one thing. Looked up before [`PREFIXES`].
const EXACT: &[(&str, ErrorClass)] = &[
    // Credentials.
    ("InvalidAccessKeyId", Credentials),
    ("InvalidAccessKeyId.NotFound", Credentials),
    ("InvalidAccessKeyId.Inactive", Credentials),
    ("Forbidden.AccessKeyDisabled", Credentials),
    ("InvalidSecurityToken.Expired", Credentials),
    ("InvalidSecurityToken.Malformed", Credentials),
    ("InvalidSecurityToken.MismatchWithAccessKey", Credentials),
    ("MissingSecurityToken", Credentials),
    ("MissingAccessKeyId", Credentials),
    ("IncompleteSignature", Credentials),
    ("SignatureDoesNotMatch", Credentials),
    ("InvalidTimeStamp.Expired", Credentials),
    ("InvalidTimeStamp.Format", Credentials),
    ("AuthenticationFail.OIDCToken.Expired", Credentials),
    ("AuthenticationFail.OIDCToken.Invalid", Credentials),
    ("AuthenticationFail.NoPermission", Credentials),
    ("EntityNotExist.Role", Credentials),
    ("EntityNotExist.OIDCProvider", Credentials),
    ("UserNotFound", NotFound),
    // The nonce is new with each attempt, so this can only be a collision or a replaying proxy.
    ("SignatureNonceUsed", Unavailable),
    // Account.
    ("ServiceUnOpen", Account),
    ("ServiceInDebt", Account),
    ("ServiceForbidden", Account),
    ("InvalidUser.NotActive", Account),
    ("Forbidden.InDebt", Account),
    ("AccountInDebt", Account),
    // In progress or locked.
    ("RepeatedCommit", Busy),
    ("ConcurrencyLockTimeout", Busy),
    ("OperationConflict", Busy),
    ("OperationBusy", Busy),
    ("Operation.Conflict", Busy),
    ("TaskConflict", Busy),
    ("LastTokenProcessing", Busy),
    ("IncorrectLoadBalancerStatus", Busy),
    ("IncorrectVSwitchStatus", Busy),
    ("IncorrectVpcStatus", Busy),
    // Taken.
    ("EqualSignature", AlreadyExists),
    ("DomainAlreadyBind", AlreadyExists),
    // Permissions.
    ("NoPermission", Forbidden),
    ("Forbidden.RAM", Forbidden),
    ("ImplicitDeny", Forbidden),
    ("ExplicitDeny", Forbidden),
    // Quota.
    ("QuotaExceeded", Quota),
    // The cloud's own trouble.
    ("ServiceUnavailable", Unavailable),
    ("InternalError", Unavailable),
    ("UnknownError", Unavailable),
    // The request.
    ("UnsupportedHTTPMethod", Invalid),
    ("UnsupportedOperation", Invalid),
    ("InvalidAction.NotFound", Invalid),
    ("InvalidApi.NotFound", Invalid),
    ("InvalidVersion", Invalid),
    ("CertificateNotMatch", Invalid),
    ("CertificateKeyNotMatch", Invalid),
    ("CertificateSecretKeyError", Invalid),
    ("PrivateKeyEncrypted", Invalid),
    ("SingleDomainOwnershipCheckFail", Invalid),
    ("DomainNotResolved", Invalid),
    ("DomainCertificateNotFound", NotFound),
    // An API is attached to or granted on a stage where it does not run.
    ("NotFoundDeployment", NotFound),
];

/// Families: the first prefix that fits decides.
const PREFIXES: &[(&str, ErrorClass)] = &[
    ("Throttling", Throttled),
    ("Rejected.Throttling", Throttled),
    ("NotFound", NotFound),
    ("Repeated", AlreadyExists),
    ("Duplicate", AlreadyExists),
    ("DependencyViolation", InUse),
    ("ExceedLimit", Quota),
    ("QuotaExceeded", Quota),
    ("Forbidden", Forbidden),
    ("NoPermission", Forbidden),
    ("InvalidSecurityToken", Credentials),
    ("InvalidAccessKey", Credentials),
    ("AuthenticationFail", Credentials),
    ("ServiceUnavailable", Unavailable),
    ("InternalError", Unavailable),
    ("Missing", Invalid),
    ("Unsupported", Invalid),
    ("Invalid", Invalid),
];

/// The class of an answer. `status` only decides what the code leaves open.
pub fn classify(code: &str, message: &str, status: u16) -> ErrorClass {
    if let Some((_, class)) = EXACT.iter().find(|(exact, _)| *exact == code) {
        return *class;
    }
    // `InvalidLoadBalancerId.NotFound`, `InvalidVpcId.NotFound`, `Invalid%sId.NotFound`, …
    // and `ResourceNotFound.loadBalancer` of network load balancers.
    if code.ends_with(".NotFound")
        || code.ends_with(".NotExist")
        || code.starts_with("ResourceNotFound.")
    {
        return NotFound;
    }
    if let Some((_, class)) = PREFIXES.iter().find(|(prefix, _)| code.starts_with(prefix)) {
        return *class;
    }
    match status {
        429 => Throttled,
        500..=599 => Unavailable,
        // The gateway's own back end failed: the vendor's tools look for this text as well.
        _ if message.starts_with("code: 5") => Unavailable,
        _ => Unknown,
    }
}

/// Whether a refusal with this code may hide that the request took effect. `RepeatedCommit` says
/// that the same request was sent a moment ago, perhaps by us; a 5xx says nothing.
pub fn effect(code: &str, class: ErrorClass, status: u16) -> Effect {
    match class {
        Throttled => Effect::None,
        Unavailable | Unknown => Effect::Unknown,
        _ if code == "RepeatedCommit" || status >= 500 => Effect::Unknown,
        _ => Effect::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (code, status, class, effect_) in [
            ("NotFoundApi", 400, NotFound, Effect::None),
            ("NotFoundApiGroup", 400, NotFound, Effect::None),
            ("NotFoundAuthorization", 400, NotFound, Effect::None),
            (
                "InvalidLoadBalancerId.NotFound",
                404,
                NotFound,
                Effect::None,
            ),
            ("InvalidVpcId.NotFound", 400, NotFound, Effect::None),
            ("ResourceNotFound.loadBalancer", 404, NotFound, Effect::None),
            ("UserNotFound", 404, NotFound, Effect::None),
            ("RepeatedApiName", 400, AlreadyExists, Effect::None),
            ("DuplicateVpcAccessName", 400, AlreadyExists, Effect::None),
            ("EqualSignature", 400, AlreadyExists, Effect::None),
            ("RepeatedCommit", 400, Busy, Effect::Unknown),
            ("ConcurrencyLockTimeout", 400, Busy, Effect::None),
            ("IncorrectLoadBalancerStatus", 400, Busy, Effect::None),
            ("DependencyViolationApiGroup", 400, InUse, Effect::None),
            ("ExceedLimitApi", 400, Quota, Effect::None),
            ("QuotaExceeded.LoadBalancer", 400, Quota, Effect::None),
            ("MissingGroupName", 400, Invalid, Effect::None),
            ("InvalidGroupName", 400, Invalid, Effect::None),
            ("InvalidDescription.LengthLimit", 400, Invalid, Effect::None),
            ("InvalidFormatPluginData", 400, Invalid, Effect::None),
            ("InvalidParamMapping", 400, Invalid, Effect::None),
            ("InvalidApi.NotFound", 404, Invalid, Effect::None),
            ("Forbidden.RAM", 403, Forbidden, Effect::None),
            ("NoPermission", 403, Forbidden, Effect::None),
            ("ServiceInDebt", 400, Account, Effect::None),
            (
                "InvalidAccessKeyId.NotFound",
                404,
                Credentials,
                Effect::None,
            ),
            ("SignatureDoesNotMatch", 400, Credentials, Effect::None),
            (
                "InvalidSecurityToken.Expired",
                400,
                Credentials,
                Effect::None,
            ),
            ("InvalidTimeStamp.Expired", 400, Credentials, Effect::None),
            ("Throttling", 400, Throttled, Effect::None),
            ("Throttling.User", 429, Throttled, Effect::None),
            ("Throttling.Api", 400, Throttled, Effect::None),
            ("Rejected.Throttling", 400, Throttled, Effect::None),
            ("ServiceUnavailable", 503, Unavailable, Effect::Unknown),
            ("InternalError", 500, Unavailable, Effect::Unknown),
            ("SomethingNew", 400, Unknown, Effect::Unknown),
            ("SomethingNew", 502, Unavailable, Effect::Unknown),
            ("SomethingNew", 429, Throttled, Effect::None),
        ] {
            let got = classify(code, "", status);
            assert_eq!(got, class, "{code} {status}");
            assert_eq!(effect(code, got, status), effect_, "{code} {status}");
        }
        assert_eq!(classify("X", "code: 502, bad gateway", 400), Unavailable);
    }

    #[test]
    fn no_code_is_listed_twice() {
        for table in [EXACT, PREFIXES] {
            let mut codes: Vec<_> = table.iter().map(|(code, _)| code).collect();
            codes.sort();
            codes.dedup();
            assert_eq!(codes.len(), table.len());
        }
    }
}
