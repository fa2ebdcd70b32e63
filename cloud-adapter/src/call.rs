//! One RPC call before it is signed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::operations::Operation;

/// An operation with its parameters.
#[derive(Clone)]
pub struct RpcCall {
    pub(crate) operation: Operation,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) deadline: Option<Duration>,
}

impl RpcCall {
    /// Without parameters.
    pub fn new(operation: Operation) -> Self {
        Self {
            operation,
            query: BTreeMap::new(),
            form: BTreeMap::new(),
            deadline: None,
        }
    }

    /// A parameter in the query.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.insert(name.into(), value.to_string());
        self
    }

    /// A parameter in the query, if there is a value.
    #[must_use]
    pub fn query_opt<T: ToString>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// A parameter in the form: what is long, or must not come into access logs.
    #[must_use]
    pub fn form(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.form.insert(name.into(), value.to_string());
        self
    }

    /// A list of values: `name.1`, `name.2`, …
    #[must_use]
    pub fn list<T: ToString>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values
            .into_iter()
            .enumerate()
            .fold(self, |call, (i, value)| {
                call.query(format!("{name}.{}", i + 1), value)
            })
    }

    /// Tags: `Tag.1.Key`, `Tag.1.Value`, …
    #[must_use]
    pub fn tags<'a>(self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        tags.into_iter()
            .enumerate()
            .fold(self, |call, (i, (key, value))| {
                call.query(format!("Tag.{}.Key", i + 1), key)
                    .query(format!("Tag.{}.Value", i + 1), value)
            })
    }

    /// How long the call may take in all, attempts and waiting together; otherwise the client's.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Values may be secret: only the names are shown.
impl fmt::Debug for RpcCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcCall")
            .field("operation", &self.operation.to_string())
            .field("query", &self.query.keys().collect::<Vec<_>>())
            .field("form", &self.form.keys().collect::<Vec<_>>())
            .finish()
    }
}
