//! Whole lists out of pages, or an error: a part is never taken for the whole.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::operations::Operation;
use crate::transport::failure;

/// Code of the error for a list whose pages do not add up.
const INCOMPLETE: &str = "IncompleteList";
/// Passes over a list that changes while it is read.
const PASSES: u32 = 3;

/// Every item of a list that comes as `{outer: {inner: [items]}, TotalCount}`. `id` tells items
/// apart, so that a list that shifts between two pages is noticed.
///
/// # Errors
/// Class `Unavailable`, code `IncompleteList`, if the pages do not add up to `TotalCount`, after a
/// few passes.
pub(crate) async fn all<T: DeserializeOwned>(
    client: &Client,
    call: RpcCall,
    page_size: usize,
    (outer, inner): (&str, &str),
    id: fn(&T) -> String,
) -> Result<Vec<T>, CloudError> {
    let mut pass = 1;
    loop {
        match one_pass(client, &call, page_size, (outer, inner), id).await {
            Err(error) if error.code == INCOMPLETE && pass < PASSES => pass += 1,
            result => return result,
        }
    }
}

async fn one_pass<T: DeserializeOwned>(
    client: &Client,
    call: &RpcCall,
    page_size: usize,
    (outer, inner): (&str, &str),
    id: fn(&T) -> String,
) -> Result<Vec<T>, CloudError> {
    let incomplete = |text: String| incomplete(call.operation, text);
    let mut items: Vec<T> = Vec::new();
    let mut seen = HashSet::new();
    let mut expected = None;
    for number in 1usize.. {
        let page = call
            .clone()
            .query("PageSize", page_size)
            .query("PageNumber", number);
        let mut answer: Value = client.call_as(page).await?;
        let total = answer
            .get("TotalCount")
            .and_then(Value::as_u64)
            .map(|n| n as usize);
        let total = total.ok_or_else(|| incomplete("the answer has no TotalCount".to_owned()))?;
        if *expected.get_or_insert(total) != total {
            return Err(incomplete(format!(
                "the list changed while it was read, now {total} items"
            )));
        }
        let page = answer
            .get_mut(outer)
            .and_then(|outer| outer.get_mut(inner))
            .map(Value::take)
            .ok_or_else(|| incomplete(format!("page {number} has no {outer}.{inner}")))?;
        let page: Vec<T> = serde_json::from_value(page)
            .map_err(|error| incomplete(format!("page {number} cannot be read: {error}")))?;
        let due = total.saturating_sub(items.len()).min(page_size);
        if page.len() != due {
            return Err(incomplete(format!(
                "page {number} has {} items where {due} of {total} were due",
                page.len()
            )));
        }
        for item in page {
            if !seen.insert(id(&item)) {
                return Err(incomplete(format!("{:?} is on two pages", id(&item))));
            }
            items.push(item);
        }
        if items.len() >= total {
            break;
        }
    }
    Ok(items)
}

pub(crate) fn incomplete(operation: Operation, message: String) -> CloudError {
    failure(
        operation,
        ErrorClass::Unavailable,
        INCOMPLETE,
        message,
        Effect::None,
    )
}
