//! The annotations `alicloud.serving.knative.dev/headers` and `/cookies` in all the ways people write
//! them: JSON, YAML's flow style, and flow style without the spaces that YAML wants after colons.
//!
//! ```text
//! list   = '[' [entry {',' entry}] ']' | entry
//! entry  = '{' field {',' field} '}'
//! field  = key ':' (scalar | map)
//! map    = '{' [key ':' scalar {',' key ':' scalar}] '}'
//! scalar = '"' JSON string '"' | "'" text "'" | text without , { } [ ]
//! ```

use thiserror::Error;

/// One entry: what it is about, and what a request must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Name of the revision.
    pub revision: String,
    /// Pairs that must all be there, in the written order.
    pub pairs: Vec<(String, String)>,
}

/// Why an annotation cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LooseError {
    /// Something else was expected.
    #[error("{expected} is expected where it has \"{found}\"")]
    Expected {
        /// What.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A quote that does not end, or an escape that is none.
    #[error("a quoted text does not end, or has an escape that is none")]
    Quote,
    /// A key is there twice.
    #[error("\"{0}\" is there twice in one entry")]
    Twice(String),
    /// A key that means nothing.
    #[error("\"{key}\" is unknown: an entry has revision and {kind}")]
    Unknown {
        /// The key.
        key: String,
        /// `headers` or `cookies`.
        kind: &'static str,
    },
    /// A part is missing.
    #[error("an entry needs a revision, and {0} with one pair or more")]
    Incomplete(&'static str),
}

/// Reads an annotation whose entries have a map under `kind`: `headers` or `cookies`.
pub fn parse(text: &str, kind: &'static str) -> Result<Vec<Entry>, LooseError> {
    let mut reader = Reader { rest: text.trim() };
    let mut entries = Vec::new();
    if reader.take('[') {
        while !reader.take(']') {
            entries.push(entry(&mut reader, kind)?);
            if !reader.take(',') && !reader.rest.starts_with(']') {
                return Err(reader.expected("a comma or ]"));
            }
        }
    } else {
        entries.push(entry(&mut reader, kind)?);
    }
    if reader.rest.is_empty() {
        Ok(entries)
    } else {
        Err(reader.expected("the end"))
    }
}

fn entry(reader: &mut Reader<'_>, kind: &'static str) -> Result<Entry, LooseError> {
    let (mut revision, mut pairs) = (None, None);
    reader.must('{', "{")?;
    while !reader.take('}') {
        let key = reader.scalar(true)?;
        reader.must(':', "a colon")?;
        let again = match key.as_str() {
            "revision" => revision.replace(reader.scalar(false)?).is_some(),
            key if key == kind => pairs.replace(map(reader)?).is_some(),
            _ => return Err(LooseError::Unknown { key, kind }),
        };
        if again {
            return Err(LooseError::Twice(key));
        }
        if !reader.take(',') && !reader.rest.starts_with('}') {
            return Err(reader.expected("a comma or }"));
        }
    }
    match (revision, pairs) {
        (Some(revision), Some(pairs)) if !revision.is_empty() && !pairs.is_empty() => {
            Ok(Entry { revision, pairs })
        }
        _ => Err(LooseError::Incomplete(kind)),
    }
}

fn map(reader: &mut Reader<'_>) -> Result<Vec<(String, String)>, LooseError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    reader.must('{', "{")?;
    while !reader.take('}') {
        let key = reader.scalar(true)?;
        reader.must(':', "a colon")?;
        let value = reader.scalar(false)?;
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(LooseError::Twice(key));
        }
        pairs.push((key, value));
        if !reader.take(',') && !reader.rest.starts_with('}') {
            return Err(reader.expected("a comma or }"));
        }
    }
    Ok(pairs)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, mark: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn must(&mut self, mark: char, expected: &'static str) -> Result<(), LooseError> {
        if self.take(mark) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn expected(&self, expected: &'static str) -> LooseError {
        LooseError::Expected {
            expected,
            found: self.rest.chars().take(20).collect(),
        }
    }

    /// A key ends at its first colon; a value may have colons.
    fn scalar(&mut self, is_key: bool) -> Result<String, LooseError> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.json_string();
        }
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (text, rest) = rest.split_once('\'').ok_or(LooseError::Quote)?;
            let text = text.to_owned();
            self.rest = rest.trim_start();
            return Ok(text);
        }
        let ends = |c: char| ",{}[]".contains(c) || is_key && c == ':';
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let text = text.trim().to_owned();
        self.rest = rest;
        if is_key && text.is_empty() {
            return Err(self.expected("a key"));
        }
        Ok(text)
    }

    fn json_string(&mut self) -> Result<String, LooseError> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = values.next().and_then(Result::ok);
        let text = text.ok_or(LooseError::Quote)?;
        let end = values.byte_offset();
        self.rest = self.rest.get(end..).unwrap_or_default().trim_start();
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(revision: &str, pairs: &[(&str, &str)]) -> Entry {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Entry {
            revision: revision.to_owned(),
            pairs: pairs.iter().map(owned).collect(),
        }
    }

    #[test]
    fn the_article_s_own_spelling_is_read() {
        let headers = "[{revision:helloworld-go-00002,headers:{demo:test}}]";
        let found = parse(headers, "headers");
        assert_eq!(
            found,
            Ok(vec![entry("helloworld-go-00002", &[("demo", "test")])])
        );
        let cookies = "[{revision:helloworld-go-00002,cookies:{demo:always,cookie2:v2}}]";
        let pairs = [("demo", "always"), ("cookie2", "v2")];
        let found = parse(cookies, "cookies");
        assert_eq!(found, Ok(vec![entry("helloworld-go-00002", &pairs)]));
    }

    #[test]
    fn json_yaml_and_one_entry_without_a_list_are_read() {
        let wanted = Ok(vec![entry("r", &[("a", "b:c"), ("d", "e")])]);
        for text in [
            r#"[{"revision":"r","headers":{"a":"b:c","d":"e"}}]"#,
            "[{revision: r, headers: {a: b:c, d: e}}]",
            "{revision: 'r', headers: {'a': 'b:c', d: \"e\"}}",
            " [ { headers : { a : b:c , d : e , } , revision : r } , ] ",
        ] {
            assert_eq!(parse(text, "headers"), wanted, "{text}");
        }
        assert_eq!(parse("[]", "headers"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("", "{ is expected"),
            ("[{revision:r}]", "headers with one pair"),
            ("[{revision:,headers:{a:b}}]", "an entry needs a revision"),
            ("[{revision:r,headers:{}}]", "one pair or more"),
            ("[{revision:r,headers:{a:b,a:c}}]", "\"a\" is there twice"),
            (
                "[{revision:r,revision:s,headers:{a:b}}]",
                "\"revision\" is there twice",
            ),
            ("[{revision:r,cookies:{a:b}}]", "\"cookies\" is unknown"),
            ("[{revision:r,headers:{a}}]", "a colon is expected"),
            ("[{revision:r,headers:{a:\"b}}]", "quoted text"),
            ("[{revision:r,headers:{a:b}}] x", "the end is expected"),
            ("[{revision:r,headers:{a:b}} {", "a comma or ]"),
        ] {
            let error = parse(text, "headers").unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,80}") {
            let _ = parse(&text, "headers");
        }

        #[test]
        fn json_is_read_as_json(revision in "[a-z0-9-]{1,20}", pairs in prop::collection::btree_map("[a-zA-Z-]{1,10}", ".{0,12}", 1..4)) {
            let text = serde_json::json!([{"revision": revision, "headers": pairs}]).to_string();
            let wanted = Entry { revision, pairs: pairs.into_iter().collect() };
            prop_assert_eq!(parse(&text, "headers"), Ok(vec![wanted]));
        }
    }
}
