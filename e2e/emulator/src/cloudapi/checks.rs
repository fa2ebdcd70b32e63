//! Rules that the parameters of many actions share.

use std::collections::BTreeMap;

use super::errors;
use crate::api::{ApiError, Params};

/// A name of `low..=high` characters made of letters, digits, `_`, `-` and Chinese characters that
/// begins with a letter or a Chinese character.
pub(super) fn name(noun: &str, value: &str, low: usize, high: usize) -> Result<String, ApiError> {
    let length = value.chars().count();
    if !(low..=high).contains(&length) {
        return Err(errors::invalid(
            noun,
            &format!("\"{value}\" has {length} characters, allowed are {low} to {high}"),
        ));
    }
    let begins = value
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || is_chinese(c));
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || is_chinese(c);
    if !begins || !value.chars().all(allowed) {
        return Err(errors::invalid(
            noun,
            &format!(
                "\"{value}\" must begin with a letter and contain only letters, digits, underscores and hyphens"
            ),
        ));
    }
    Ok(value.to_owned())
}

/// A plugin name: 4 to 50 letters, digits, underscores and Chinese characters (CloudAPI
/// `CreatePlugin`); hyphens are not among them.
pub(super) fn plugin_name(value: &str) -> Result<String, ApiError> {
    let length = value.chars().count();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_chinese(c);
    if !(4..=50).contains(&length) || !value.chars().all(allowed) {
        return Err(errors::invalid(
            "PluginName",
            &format!("\"{value}\" must have 4 to 50 letters, digits or underscores"),
        ));
    }
    Ok(value.to_owned())
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fa5}').contains(&c)
}

/// A `Description` of at most `limit` characters.
pub(super) fn description(params: &Params, limit: usize) -> Result<String, ApiError> {
    let text = params.get("Description").unwrap_or_default();
    if text.chars().count() > limit {
        return Err(errors::length("Description", limit));
    }
    Ok(text.to_owned())
}

/// The tags of a create: at most 20, keys up to 64 and values up to 128 characters, neither may
/// begin with `aliyun` or `acs:`.
pub(super) fn tags(params: &Params) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in params.list("Tag") {
        let key = tag.get("Key").map(String::as_str).unwrap_or_default();
        let value = tag.get("Value").map(String::as_str).unwrap_or_default();
        if key.is_empty() || key.chars().count() > 64 || reserved(key) {
            return Err(errors::invalid(
                "TagKey",
                "1 to 64 characters that do not begin with aliyun, acs:, http:// or https://",
            ));
        }
        if value.chars().count() > 128 || reserved(value) {
            return Err(errors::invalid(
                "TagValue",
                "at most 128 characters that do not begin with aliyun, acs:, http:// or https://",
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(errors::repeated("TagKey", key));
        }
    }
    if tags.len() > 20 {
        return Err(errors::exceeded("Tag", 20));
    }
    Ok(tags)
}

fn reserved(text: &str) -> bool {
    ["aliyun", "acs:", "http://", "https://"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
}

/// The tags a list is filtered by: all given keys must be there, with the given values.
#[derive(Debug, Default)]
pub(super) struct TagFilter(Vec<(String, Option<String>)>);

impl TagFilter {
    pub(super) fn of(params: &Params) -> Self {
        let filled = |tag: &BTreeMap<String, String>, name: &str| {
            tag.get(name).filter(|v| !v.is_empty()).cloned()
        };
        Self(
            params
                .list("Tag")
                .iter()
                .filter_map(|tag| Some((filled(tag, "Key")?, filled(tag, "Value"))))
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(key, value)| {
            tags.get(key)
                .is_some_and(|present| value.as_ref().is_none_or(|wanted| wanted == present))
        })
    }
}

/// Ids given as one comma-separated text, at most 100, without repetitions.
pub(super) fn ids(parameter: &str, text: &str) -> Result<Vec<String>, ApiError> {
    let mut ids: Vec<String> = Vec::new();
    for id in text.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    if ids.is_empty() {
        return Err(errors::missing(parameter));
    }
    if ids.len() > 100 {
        return Err(errors::exceeded(parameter, 100));
    }
    Ok(ids)
}

/// Whether `value` passes an optional filter that asks for equality.
pub(super) fn equal(filter: Option<&str>, value: &str) -> bool {
    filter.is_none_or(|wanted| wanted == value)
}

/// Whether `value` passes an optional filter that asks for a part of it.
pub(super) fn contains(filter: Option<&str>, value: &str) -> bool {
    filter.is_none_or(|part| value.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Product;

    #[test]
    fn names_follow_the_documented_rule() {
        assert!(name("GroupName", "kn_default", 4, 50).is_ok());
        assert!(name("GroupName", "你好世界", 4, 50).is_ok());
        for bad in ["abc", "1abc", "a b c", "-abcd", &"x".repeat(51)] {
            assert_eq!(
                name("GroupName", bad, 4, 50).unwrap_err().code,
                "InvalidGroupName",
                "{bad}"
            );
        }
        assert_eq!(
            plugin_name("has-hyphen").unwrap_err().code,
            "InvalidPluginName"
        );
        assert!(plugin_name("1_limit").is_ok());
    }

    #[test]
    fn tags_are_bounded_and_filtered() {
        let pairs = [("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.2.Key", "b")];
        let params = Params::new(
            Product::CloudApi,
            pairs.map(|(k, v)| (k.to_owned(), v.to_owned())),
        );
        let tags = tags(&params).unwrap();
        assert_eq!(tags.len(), 2);
        let filter = TagFilter::of(&Params::new(
            Product::CloudApi,
            [("Tag.1.Key".to_owned(), "a".to_owned())],
        ));
        assert!(filter.matches(&tags));
        assert!(!filter.matches(&BTreeMap::new()));
        let reserved = Params::new(
            Product::CloudApi,
            [("Tag.1.Key".to_owned(), "acs:x".to_owned())],
        );
        assert_eq!(super::tags(&reserved).unwrap_err().code, "InvalidTagKey");
    }
}
