//! Parameters of an RPC call: query and form merged, flat names (`Tag.1.Key`) on the wire.

use std::collections::BTreeMap;

use super::{ApiError, Product};

/// The parameters of one call. Names are case-exact.
#[derive(Debug, Clone)]
pub struct Params {
    product: Product,
    values: BTreeMap<String, String>,
}

/// A page request, validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// From 1.
    pub number: usize,
    /// Items on a page.
    pub size: usize,
}

impl Paging {
    /// The items of this page.
    pub fn slice<T: Clone>(self, items: &[T]) -> Vec<T> {
        let skipped = self.number.saturating_sub(1).saturating_mul(self.size);
        items
            .iter()
            .skip(skipped)
            .take(self.size)
            .cloned()
            .collect()
    }
}

impl Params {
    /// Parameters of a call of `product`, which decides the error codes.
    pub fn new(product: Product, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            product,
            values: pairs.into_iter().collect(),
        }
    }

    /// The value as sent, which may be empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value, where an empty one counts as absent, as it does for most parameters of the cloud.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value, or the product's error for a missing parameter.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.filled(name).ok_or_else(|| self.missing(name))
    }

    /// The product's error for a missing parameter.
    pub fn missing(&self, name: &str) -> ApiError {
        match self.product {
            Product::CloudApi | Product::Alb | Product::Nlb | Product::Sts => {
                ApiError::bad_request(
                    format!("Missing{name}"),
                    format!("{name} is mandatory for this action."),
                )
            }
            Product::Slb | Product::Vpc => ApiError::bad_request(
                "MissingParameter",
                format!(
                    "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
                ),
            ),
        }
    }

    /// The product's error for a parameter value out of its range or of the wrong type.
    pub fn invalid(&self, name: &str) -> ApiError {
        match self.product {
            Product::CloudApi => ApiError::bad_request(
                format!("Invalid{name}"),
                format!("The parameter {name} does not comply with specifications."),
            ),
            Product::Alb | Product::Nlb => ApiError::bad_request(
                format!("IllegalParam.{name}"),
                format!("The param of {name} is illegal."),
            ),
            Product::Slb | Product::Vpc | Product::Sts => ApiError::bad_request(
                "InvalidParameter",
                format!("The specified parameter {name} is not valid."),
            ),
        }
    }

    /// An integer, `None` when absent or empty.
    pub fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.filled(name)
            .map(|text| text.trim().parse().map_err(|_| self.invalid(name)))
            .transpose()
    }

    /// An integer within `low..=high`, `None` when absent or empty.
    pub fn int_between(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        match self.int(name)? {
            Some(value) if !(low..=high).contains(&value) => Err(self.invalid(name)),
            other => Ok(other),
        }
    }

    /// A boolean in any case (`True` from the Python SDK, `true` from the others).
    pub fn bool(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.filled(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self.invalid(name)),
        }
    }

    /// A value out of a closed, case-sensitive set, `None` when absent or empty.
    pub fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.filled(name) {
            Some(value) if !allowed.contains(&value) => Err(self.invalid(name)),
            other => Ok(other),
        }
    }

    /// A repeated structure: `list("Tag")` collects `Tag.1.Key`, `Tag.1.Value`, `Tag.2.Key`, … in
    /// the order of the index.
    pub fn list(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let prefix = format!("{name}.");
        let mut items: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
        for (key, value) in &self.values {
            let Some((index, member)) = key
                .strip_prefix(&prefix)
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            if let Ok(index) = index.parse() {
                items
                    .entry(index)
                    .or_default()
                    .insert(member.to_owned(), value.clone());
            }
        }
        items.into_values().collect()
    }

    /// A repeated value: `strings("ResourceId")` collects `ResourceId.1`, `ResourceId.2`, …
    pub fn strings(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}.");
        let mut items: BTreeMap<u32, String> = BTreeMap::new();
        for (key, value) in &self.values {
            if let Some(Ok(index)) = key.strip_prefix(&prefix).map(str::parse) {
                items.insert(index, value.clone());
            }
        }
        items.into_values().collect()
    }

    /// `PageNumber` and `PageSize`; a size above `max` is refused.
    pub fn paging(&self, default: usize, max: usize) -> Result<Paging, ApiError> {
        let number = self
            .int_between("PageNumber", 1, i64::from(i32::MAX))?
            .unwrap_or(1);
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let size = self.int_between("PageSize", 1, limit)?;
        Ok(Paging {
            number: usize::try_from(number).unwrap_or(1),
            size: size
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(default),
        })
    }

    /// All names and values as sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(
            Product::Slb,
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn repeated_structures_follow_their_index() {
        let params = params(&[
            ("Tag.10.Key", "z"),
            ("Tag.2.Key", "b"),
            ("Tag.2.Value", "2"),
            ("Tags", "no"),
        ]);
        let tags = params.list("Tag");
        assert_eq!(tags.len(), 2);
        assert_eq!(tags[0]["Key"], "b");
        assert_eq!(tags[0]["Value"], "2");
        assert_eq!(tags[1]["Key"], "z");
    }

    #[test]
    fn repeated_values_follow_their_index() {
        let params = params(&[
            ("ResourceId.10", "z"),
            ("ResourceId.9", "y"),
            ("ResourceId.x", "no"),
        ]);
        assert_eq!(params.strings("ResourceId"), ["y", "z"]);
    }

    #[test]
    fn booleans_ignore_case_and_refuse_the_rest() {
        let params = params(&[("A", "True"), ("B", "FALSE"), ("C", "yes"), ("D", "")]);
        assert_eq!(params.bool("A"), Ok(Some(true)));
        assert_eq!(params.bool("B"), Ok(Some(false)));
        assert!(params.bool("C").is_err());
        assert_eq!(params.bool("D"), Ok(None));
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!(
            params(&[]).paging(10, 50),
            Ok(Paging {
                number: 1,
                size: 10
            })
        );
        assert!(params(&[("PageSize", "51")]).paging(10, 50).is_err());
        assert!(params(&[("PageNumber", "0")]).paging(10, 50).is_err());
        let third = params(&[("PageNumber", "3"), ("PageSize", "2")])
            .paging(10, 50)
            .expect("valid");
        assert_eq!(third.slice(&[1, 2, 3, 4, 5]), [5]);
        assert_eq!(third.slice(&[1]), Vec::<i32>::new());
    }

    #[test]
    fn missing_is_worded_per_product() {
        assert_eq!(params(&[]).missing("X").code, "MissingParameter");
        assert_eq!(
            Params::new(Product::CloudApi, []).missing("GroupId").code,
            "MissingGroupId"
        );
    }
}
