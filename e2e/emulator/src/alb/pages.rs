//! `MaxResults` and `NextToken`.

use serde_json::{Value, json};

use crate::api::{ApiError, Request};

/// Items on a page when none are asked for.
const DEFAULT: usize = 20;
/// The most items on a page.
const MOST: i64 = 100;

/// One page of a list under its name, with the members that every list has.
pub(crate) fn page(request: &Request, name: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    let params = &request.params;
    let size = params.int_between("MaxResults", 1, MOST)?;
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(DEFAULT);
    let start: usize = match params.filled("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("next-")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| params.invalid("NextToken"))?,
    };
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(shown.len());
    let next = match end < total {
        true => format!("next-{end}"),
        false => String::new(),
    };
    Ok(json!({name: shown, "MaxResults": size, "NextToken": next, "TotalCount": total}))
}

/// Whether an id is among those of a filter; one that names none lets all through.
pub(crate) fn among(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == value)
}

/// A filter of ids; more than `most` are refused.
pub(crate) fn wanted(request: &Request, name: &str, most: usize) -> Result<Vec<String>, ApiError> {
    let wanted = request.params.strings(name);
    match wanted.len() > most {
        true => Err(request.params.invalid(name)),
        false => Ok(wanted),
    }
}
