//! Whole lists out of pages, or an error: a part is never taken for the whole. One item that cannot
//! be read does not make the list unreadable: it is there with what can be read of it.

use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, Effect, ErrorClass};
use crate::operations::Operation;
use crate::transport::failure;

/// Code of the error for a list whose pages do not add up.
const INCOMPLETE: &str = "IncompleteList";
/// Passes over a list that changes while it is read.
const PASSES: u32 = 3;

/// A whole list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Items of which some member cannot be read, by id, and why. What cannot be read of them is
    /// as if it were not there.
    pub(crate) unreadable: BTreeMap<String, String>,
}

impl<T> Listed<T> {
    /// The same list of something else.
    pub(crate) fn map<U>(self, of: impl FnMut(T) -> U) -> Listed<U> {
        Listed {
            items: self.items.into_iter().map(of).collect(),
            unreadable: self.unreadable,
        }
    }

    /// The items, for callers who could not tell the odd ones from others.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub(crate) fn all_readable(self, operation: Operation) -> Result<Vec<T>, CloudError> {
        match self.unreadable.first_key_value() {
            None => Ok(self.items),
            Some((id, why)) => Err(incomplete(
                operation,
                format!("{id:?} cannot be read: {why}"),
            )),
        }
    }
}

/// Every item of a list that comes as `{outer: {inner: [items]}, TotalCount}`. `id` are the members
/// that tell items apart, so that a list that shifts between two pages is noticed.
///
/// # Errors
/// Class `Unavailable`, code `IncompleteList`, if the pages do not add up to `TotalCount`, after a
/// few passes, or if it cannot be told which item one is.
pub(crate) async fn all<T: DeserializeOwned>(
    client: &Client,
    call: RpcCall,
    page_size: usize,
    (outer, inner): (&str, &str),
    id: &[&str],
) -> Result<Listed<T>, CloudError> {
    let mut pass = 1;
    loop {
        match one_pass(client, &call, page_size, (outer, inner), id).await {
            Err(error) if error.code == INCOMPLETE && pass < PASSES => pass += 1,
            result => return result,
        }
    }
}

/// Every item of a list that comes as `{member: [items], NextToken, TotalCount}`, page by page.
///
/// # Errors
/// Class `Unavailable`, code `IncompleteList`, if the pages do not add up to `TotalCount`, or if an item
/// cannot be read.
pub(crate) async fn by_token<T: DeserializeOwned>(
    client: &Client,
    call: RpcCall,
    page_size: usize,
    member: &str,
) -> Result<Vec<T>, CloudError> {
    let operation = call.operation;
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = call
            .clone()
            .query("MaxResults", page_size)
            .query_opt("NextToken", token.as_ref());
        let mut answer: Value = client.call_as(page).await?;
        let items = answer.get_mut(member).map(Value::take);
        let items: Vec<T> = items
            .ok_or_else(|| incomplete(operation, format!("the answer has no {member}")))
            .and_then(|items| {
                let unreadable = |error| incomplete(operation, format!("{member}: {error}"));
                serde_json::from_value(items).map_err(unreadable)
            })?;
        found.extend(items);
        let next = answer.get("NextToken").and_then(Value::as_str);
        let next = next.filter(|next| !next.is_empty() && token.as_deref() != Some(next));
        if let Some(next) = next {
            token = Some(next.to_owned());
            continue;
        }
        let total = answer.get("TotalCount").and_then(Value::as_u64);
        return match total.map(|total| total as usize) {
            Some(total) if total != found.len() => Err(incomplete(
                operation,
                format!("{} of {member} came where {total} are", found.len()),
            )),
            _ => Ok(found),
        };
    }
}

async fn one_pass<T: DeserializeOwned>(
    client: &Client,
    call: &RpcCall,
    page_size: usize,
    (outer, inner): (&str, &str),
    id: &[&str],
) -> Result<Listed<T>, CloudError> {
    let incomplete = |text: String| incomplete(call.operation, text);
    let mut items: Vec<T> = Vec::new();
    let mut unreadable = BTreeMap::new();
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
        let Value::Array(page) = page else {
            return Err(incomplete(format!(
                "{outer}.{inner} of page {number} is no list"
            )));
        };
        let due = total.saturating_sub(items.len()).min(page_size);
        if page.len() != due {
            return Err(incomplete(format!(
                "page {number} has {} items where {due} of {total} were due",
                page.len()
            )));
        }
        for item in page {
            let id = identity(&item, id).ok_or_else(|| {
                incomplete(format!(
                    "page {number} has an item without {}",
                    id.join(" and ")
                ))
            })?;
            let (item, problem) = read(item)
                .map_err(|error| incomplete(format!("{id:?} cannot be read: {error}")))?;
            if let Some(problem) = problem {
                unreadable.insert(id.clone(), problem);
            }
            if seen.contains(&id) {
                return Err(incomplete(format!("{id:?} is on two pages")));
            }
            seen.insert(id);
            items.push(item);
        }
        if items.len() >= total {
            break;
        }
    }
    Ok(Listed { items, unreadable })
}

/// What tells an item from others; none: it does not say.
fn identity(item: &Value, members: &[&str]) -> Option<String> {
    let parts = members.iter().map(|member| match item.get(member)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// An item, or as much of it as can be read, and what cannot.
fn read<T: DeserializeOwned>(item: Value) -> Result<(T, Option<String>), serde_json::Error> {
    let error = match T::deserialize(&item) {
        Ok(read) => return Ok((read, None)),
        Err(error) => error,
    };
    let Value::Object(members) = item else {
        return Err(error);
    };
    let (mut readable, mut problems) = (Map::new(), Vec::new());
    for (name, value) in members {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        match T::deserialize(&alone) {
            Ok(_) => drop(readable.insert(name, value)),
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    let read = T::deserialize(&Value::Object(readable))?;
    Ok((read, Some(problems.join("; "))))
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Item {
        id: String,
        port: u16,
        tags: Vec<String>,
    }

    #[test]
    fn of_an_odd_item_all_is_read_that_can_be() {
        let item = json!({"Id": "a", "Port": {"low": 1}, "Tags": ["t"], "Other": 1});
        let (read, problem) = read::<Item>(item).unwrap();
        let expected = Item {
            id: "a".into(),
            port: 0,
            tags: vec!["t".into()],
        };
        assert_eq!(read, expected);
        assert!(problem.unwrap().starts_with("Port: "));
        assert!(super::read::<Item>(json!("a")).is_err());
        let (_, problem) = super::read::<Item>(json!({"Id": "a", "Port": 80})).unwrap();
        assert_eq!(problem, None);
    }

    #[test]
    fn an_item_is_told_by_all_its_members() {
        let item = json!({"ApiId": "a", "App": 7, "Stage": ""});
        assert_eq!(identity(&item, &["ApiId", "App"]).as_deref(), Some("a/7"));
        assert_eq!(identity(&item, &["ApiId", "Stage"]), None);
        assert_eq!(identity(&item, &["Other"]), None);
    }
}
