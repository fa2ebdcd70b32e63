//! The refusals of CloudAPI. The product words them by families (`NotFound%s`, `Repeated%s`, …);
//! which noun fills a family is documented for few of them, see `docs/refusals-cloudapi.md`.

use crate::api::ApiError;

/// `NotFound%s`.
pub(super) fn not_found(noun: &str) -> ApiError {
    ApiError::bad_request(
        format!("NotFound{noun}"),
        format!("Cannot find resource according to your specified {noun}."),
    )
}

/// `Repeated%s`: a name or a path is taken.
pub(super) fn repeated(noun: &str, value: &str) -> ApiError {
    ApiError::bad_request(
        format!("Repeated{noun}"),
        format!("The specified {noun} is repeated: {value}."),
    )
}

/// `Invalid%s`, with the rule that was broken.
pub(super) fn invalid(noun: &str, rule: &str) -> ApiError {
    ApiError::bad_request(
        format!("Invalid{noun}"),
        format!("The specified parameter {noun} value is not valid: {rule}."),
    )
}

/// `InvalidFormat%s`: text that cannot be read.
pub(super) fn invalid_format(noun: &str, reason: &str) -> ApiError {
    ApiError::bad_request(
        format!("InvalidFormat{noun}"),
        format!("The specified parameter {noun} value is not well formatted: {reason}."),
    )
}

/// `Invalid%s.LengthLimit`.
pub(super) fn length(noun: &str, limit: usize) -> ApiError {
    ApiError::bad_request(
        format!("Invalid{noun}.LengthLimit"),
        format!("The parameter {noun} length exceeds the limit: {limit} characters."),
    )
}

/// `Missing%s`.
pub(super) fn missing(noun: &str) -> ApiError {
    ApiError::bad_request(
        format!("Missing{noun}"),
        format!("The {noun} is mandatory for this action."),
    )
}

/// `DependencyViolation%s`: `noun` is still used by `user`.
pub(super) fn dependency(noun: &str, user: &str) -> ApiError {
    ApiError::bad_request(
        format!("DependencyViolation{noun}"),
        format!("The specified {noun} has {user} definitions."),
    )
}

/// `ExceedLimit%s`: a quota is used up.
pub(super) fn exceeded(noun: &str, limit: usize) -> ApiError {
    ApiError::bad_request(
        format!("ExceedLimit{noun}"),
        format!("The specified {noun} count exceeds the limit: {limit}."),
    )
}

/// `InvalidParamMapping`.
pub(super) fn mapping(reason: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidParamMapping",
        format!("Parameters must be fully mapped: {reason}."),
    )
}
