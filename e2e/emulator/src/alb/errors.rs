//! The refusals that several actions share. Where the codes come from is said in
//! `docs/refusals-alb.md`.

use crate::api::ApiError;

pub(crate) fn not_found(kind: &str, id: &str) -> ApiError {
    ApiError::not_found(
        format!("ResourceNotFound.{kind}"),
        format!("The specified resource {id} is not found."),
    )
}

pub(crate) fn incorrect_status(kind: &str, id: &str) -> ApiError {
    ApiError::bad_request(
        format!("IncorrectStatus.{kind}"),
        format!("The status of {kind} [{id}] is incorrect."),
    )
}

pub(crate) fn denied(reason: &str) -> ApiError {
    ApiError::bad_request(
        format!("OperationDenied.{reason}"),
        format!("The operation is not allowed because of {reason}."),
    )
}

pub(crate) fn conflict(what: &str, of: &str, with: &str) -> ApiError {
    ApiError::bad_request(
        format!("Conflict.{what}"),
        format!("There is already {of} having the same configuration with {with}."),
    )
}

pub(crate) fn mismatch(what: &str, one: &str, other: &str) -> ApiError {
    ApiError::bad_request(
        format!("Mismatch.{what}"),
        format!("The {what} is mismatched for {one} and {other}."),
    )
}

pub(crate) fn in_use(kind: &str, id: &str) -> ApiError {
    ApiError::bad_request(
        format!("ResourceInUse.{kind}"),
        format!("The specified resource {id} of {kind} is in use."),
    )
}

pub(crate) fn quota(name: &str, used: usize, limit: usize) -> ApiError {
    ApiError::bad_request(
        format!("QuotaExceeded.{name}"),
        format!("The quota of {name} is exceeded, usage {used}/{limit}."),
    )
}

pub(crate) fn resource_quota(name: &str, resource: &str, used: usize, limit: usize) -> ApiError {
    ApiError::bad_request(
        format!("ResourceQuotaExceeded.{name}"),
        format!("The quota of {name} is exceeded for resource {resource}, usage {used}/{limit}."),
    )
}

pub(crate) fn illegal(name: &str) -> ApiError {
    ApiError::bad_request(
        format!("IllegalParam.{name}"),
        format!("The param of {name} is illegal."),
    )
}

pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::bad_request(
        format!("MissingParam.{name}"),
        format!("The param of {name} is missing."),
    )
}

pub(crate) fn token_used_otherwise() -> ApiError {
    ApiError::bad_request(
        "IdempotentParameterMismatch",
        "The request uses the same client token as a previous, but non-identical request.",
    )
}
