//! Request paths of APIs: `/a/b`, `/a/[id]`, `/a/*`.

use super::errors;
use crate::api::ApiError;

/// A request path, segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
    wildcard: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Parameter(String),
}

/// What a pattern found in a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathMatch {
    /// Values of `[name]` segments, as they stand in the path.
    pub parameters: Vec<(String, String)>,
    /// What `*` stands for, without a leading slash.
    pub rest: Option<String>,
}

impl PathPattern {
    /// Reads a path that was checked before; anything odd in it matches only itself.
    pub fn of(path: &str) -> Self {
        let mut segments: Vec<&str> = split(path);
        let wildcard = segments.last() == Some(&"*");
        if wildcard {
            segments.pop();
        }
        let segment = |text: &&str| match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            Some(name) => Segment::Parameter(name.to_owned()),
            None => Segment::Exact((*text).to_owned()),
        };
        Self {
            segments: segments.iter().map(segment).collect(),
            wildcard,
        }
    }

    /// Checks a request path (CloudAPI `CreateApi`, `RequestConfig.RequestPath`).
    pub(super) fn check(path: &str) -> Result<Self, ApiError> {
        let refuse = |rule: &str| errors::invalid("RequestPath", &format!("\"{path}\" {rule}"));
        if !path.starts_with('/') {
            return Err(refuse("must begin with /"));
        }
        if path.len() > 200 {
            return Err(errors::length("RequestPath", 200));
        }
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let last = segments.len().saturating_sub(1);
        for (index, segment) in segments.iter().enumerate() {
            if segment.is_empty() && index != last {
                return Err(refuse("has an empty segment"));
            }
            if segment.contains('*') && (*segment != "*" || index != last) {
                return Err(refuse("may have * only as its whole last segment"));
            }
            let inner = segment
                .strip_prefix('[')
                .and_then(|s| s.strip_suffix(']'))
                .unwrap_or(segment);
            if !inner
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.~%*:@!$&'()+,;=".contains(c))
            {
                return Err(refuse(
                    "has a character that a path must not have, or brackets that do not enclose a segment",
                ));
            }
        }
        Ok(Self::of(path))
    }

    /// Names of the `[name]` segments.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Exact(_) => None,
        })
    }

    /// Compares with the path of a request. `/a/*` takes `/a` and all below it.
    pub fn matches(&self, path: &str) -> Option<PathMatch> {
        let parts = split(path);
        if parts.len() < self.segments.len()
            || (!self.wildcard && parts.len() > self.segments.len())
        {
            return None;
        }
        let mut found = PathMatch::default();
        for (segment, part) in self.segments.iter().zip(&parts) {
            match segment {
                Segment::Exact(text) if text == part => {}
                Segment::Exact(_) => return None,
                Segment::Parameter(name) => {
                    found.parameters.push((name.clone(), (*part).to_owned()))
                }
            }
        }
        if self.wildcard {
            let rest: Vec<&str> = parts.into_iter().skip(self.segments.len()).collect();
            let slash = if path.ends_with('/') && !rest.is_empty() {
                "/"
            } else {
                ""
            };
            found.rest = Some(rest.join("/") + slash);
        }
        Some(found)
    }

    /// Orders patterns that match the same path: the greater one is the more specific.
    pub fn specificity(&self) -> (bool, Vec<bool>) {
        (
            !self.wildcard,
            self.segments
                .iter()
                .map(|segment| matches!(segment, Segment::Exact(_)))
                .collect(),
        )
    }
}

/// Whether two checked paths are the same route: the names of `[name]` segments do not count.
pub(super) fn same_route(one: &str, other: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('[');
    let mut others = segments(other);
    segments(one).all(|segment| {
        others
            .next()
            .is_some_and(|other| segment == other || (is_parameter(segment) && is_parameter(other)))
    }) && others.next().is_none()
}

fn split(path: &str) -> Vec<&str> {
    segments(path).collect()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'a>(patterns: &[&'a str], path: &str) -> Option<&'a str> {
        patterns
            .iter()
            .map(|text| (PathPattern::of(text), *text))
            .filter(|(pattern, _)| pattern.matches(path).is_some())
            .max_by_key(|(pattern, _)| pattern.specificity())
            .map(|(_, text)| text)
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let patterns = ["/*", "/a/*", "/a/b/*", "/a/[id]", "/a/b"];
        assert_eq!(best(&patterns, "/a/b"), Some("/a/b"));
        assert_eq!(best(&patterns, "/a/c"), Some("/a/[id]"));
        assert_eq!(best(&patterns, "/a/b/c"), Some("/a/b/*"));
        assert_eq!(best(&patterns, "/a/c/d"), Some("/a/*"));
        assert_eq!(best(&patterns, "/x"), Some("/*"));
        assert_eq!(best(&patterns, "/"), Some("/*"));
        assert_eq!(best(&["/a/b"], "/a"), None);
    }

    #[test]
    fn a_wildcard_takes_its_bare_prefix() {
        let pattern = PathPattern::of("/a/*");
        assert_eq!(pattern.matches("/a").unwrap().rest.as_deref(), Some(""));
        assert_eq!(pattern.matches("/a/").unwrap().rest.as_deref(), Some(""));
        assert_eq!(
            pattern.matches("/a/b/c/").unwrap().rest.as_deref(),
            Some("b/c/")
        );
        assert_eq!(pattern.matches("/ab"), None);
    }

    #[test]
    fn parameters_are_named() {
        let found = PathPattern::of("/users/[id]/posts/[post]")
            .matches("/users/7/posts/x%20y")
            .unwrap();
        assert_eq!(
            found.parameters,
            [
                ("id".to_owned(), "7".to_owned()),
                ("post".to_owned(), "x%20y".to_owned())
            ]
        );
    }

    #[test]
    fn malformed_paths_are_refused() {
        for bad in ["a", "/a*", "/*/b", "/a//b", "/a b", "/[a", "/a?b"] {
            assert_eq!(
                PathPattern::check(bad).unwrap_err().code,
                "InvalidRequestPath",
                "{bad}"
            );
        }
        for good in ["/", "/*", "/a/[id]/*", "/v1.0/a-b_c~d"] {
            assert!(PathPattern::check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn names_of_parameters_do_not_make_another_route() {
        assert!(same_route("/a/[x]", "/a/[y]/"));
        assert!(same_route("/", "/"));
        for (one, other) in [
            ("/a/[x]", "/a/b"),
            ("/a", "/a/b"),
            ("/a/*", "/a"),
            ("/a/b", "/a"),
        ] {
            assert!(!same_route(one, other), "{one} {other}");
        }
    }
}
