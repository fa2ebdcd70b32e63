//! Flat parameters as the tree they stand for: `Rules.1.RuleActions.2.Type` and so on.

use std::collections::BTreeMap;

use super::errors;
use crate::api::{ApiError, Params};

/// A value, members, or items by their number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    value: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    /// All parameters of a call.
    pub(crate) fn of(params: &Params) -> Self {
        let mut root = Self::default();
        for (name, value) in params.iter() {
            let mut node = &mut root;
            for part in name.split('.') {
                node = node.members.entry(part.to_owned()).or_default();
            }
            node.value = Some(value.to_owned());
        }
        root
    }

    /// The member, where one without any value below it counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members.get(name).filter(|node| node.is_filled())
    }

    fn is_filled(&self) -> bool {
        self.value.as_ref().is_some_and(|value| !value.is_empty())
            || self.members.values().any(Self::is_filled)
    }

    /// A text, `None` when absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.members.get(name)?.value.as_deref();
        value.filter(|value| !value.is_empty())
    }

    /// A text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| errors::missing(name))
    }

    /// A value out of a closed set in whatever case, as it is written in `allowed`. Documents write
    /// `Instance` and `loadbalancer` where the ALB Ingress controller sends `instance` and
    /// `LoadBalancer`, which works.
    pub(crate) fn one_of_any_case<'a>(
        &self,
        name: &str,
        allowed: &[&'a str],
    ) -> Result<Option<&'a str>, ApiError> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        let mut allowed = allowed.iter();
        let known = allowed.find(|known| known.eq_ignore_ascii_case(value));
        known
            .map(|known| Some(*known))
            .ok_or_else(|| errors::illegal(name))
    }

    /// A text out of a closed set.
    pub(crate) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(text) if !allowed.contains(&text) => Err(errors::illegal(name)),
            other => Ok(other),
        }
    }

    /// A text out of a closed set, sent in any case and given as the set has it.
    pub(crate) fn one_in_any_case<'s>(
        &self,
        name: &str,
        allowed: &[&'s str],
    ) -> Result<Option<&'s str>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let mut known = allowed.iter();
        let found = known.find(|known| known.eq_ignore_ascii_case(text));
        found
            .copied()
            .map(Some)
            .ok_or_else(|| errors::illegal(name))
    }

    /// An integer within `low..=high`.
    pub(crate) fn int(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.trim().parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(errors::illegal(name)),
        }
    }

    /// A boolean in any case.
    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(errors::illegal(name)),
        }
    }

    /// The items of a list, in the order of their numbers.
    pub(crate) fn items(&self, name: &str) -> Vec<&Self> {
        let mut items: Vec<(u32, &Self)> = self
            .members
            .get(name)
            .into_iter()
            .flat_map(|list| &list.members)
            .filter_map(|(number, node)| Some((number.parse().ok()?, node)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, node)| node).collect()
    }

    /// The values of a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let items = self.items(name).into_iter();
        items.filter_map(|node| node.value.clone()).collect()
    }

    /// Whether something was sent under the name, be it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Product;

    #[test]
    fn numbers_order_items_and_empty_members_are_absent() {
        let sent = [
            ("Rules.10.Name", "z"),
            ("Rules.2.Name", "b"),
            ("Rules.2.Host.Values.1", "h"),
            ("Rules.2.Empty.Key", ""),
        ];
        let pairs = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let root = Node::of(&Params::new(Product::Alb, pairs));
        let rules = root.items("Rules");
        let names: Vec<_> = rules.iter().filter_map(|rule| rule.text("Name")).collect();
        assert_eq!(names, ["b", "z"]);
        let first = rules.first().expect("two rules");
        assert_eq!(first.get("Host").expect("a host").texts("Values"), ["h"]);
        assert!(first.get("Empty").is_none() && first.has("Empty"));
    }
}
