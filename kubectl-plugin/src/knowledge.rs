//! What `docs/conditions.md` says of every condition and reason, built into the program.

use serde::Serialize;

const DOCUMENT: &str = include_str!("../../docs/conditions.md");

/// What a word of a status means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// The word.
    pub(crate) word: String,
    pub(crate) sort: Sort,
    pub(crate) meaning: String,
    /// When a condition is there; where a reason is seen, and what the operator does meanwhile.
    pub(crate) seen: String,
    /// What to do about a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) what_to_do: Option<String>,
}

/// Of what sort a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Sort {
    Condition,
    Reason,
}

impl Sort {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Reason => "reason",
        }
    }
}

/// All conditions, then all reasons, in the order of the document.
pub(crate) fn all() -> Vec<Entry> {
    let conditions = rows("Conditions").filter_map(|row| entry(Sort::Condition, &row));
    let reasons = rows("Reasons").filter_map(|row| entry(Sort::Reason, &row));
    conditions.chain(reasons).collect()
}

/// What the document says of a word: a word can be both a condition and a reason.
pub(crate) fn about(word: &str) -> Vec<Entry> {
    let mut entries = all();
    entries.retain(|entry| entry.word == word);
    entries
}

/// What to do about a reason.
pub(crate) fn reason(word: &str) -> Option<Entry> {
    let mut entries = all().into_iter();
    entries.find(|entry| entry.sort == Sort::Reason && entry.word == word)
}

/// Words that somebody may have meant: the same in another case, or that contain this or are
/// contained in it.
pub(crate) fn like(word: &str) -> Vec<String> {
    let asked = word.to_lowercase();
    let mut words: Vec<String> = all().into_iter().map(|entry| entry.word).collect();
    words.retain(|word| {
        let word = word.to_lowercase();
        word.contains(&asked) || asked.contains(&word)
    });
    words.dedup();
    words
}

/// The rows of the tables below a heading, whose first cell is a word in backticks.
fn rows(heading: &'static str) -> impl Iterator<Item = Vec<String>> {
    DOCUMENT
        .lines()
        .skip_while(move |line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(plain).collect())
}

fn entry(sort: Sort, row: &[String]) -> Option<Entry> {
    let (word, meaning, seen, what_to_do) = match row {
        [word, meaning, seen] => (word, meaning, seen, None),
        [word, meaning, seen, what] => (word, meaning, seen, Some(what.clone())),
        _ => return None,
    };
    Some(Entry {
        word: word.clone(),
        sort,
        meaning: meaning.clone(),
        seen: seen.clone(),
        what_to_do,
    })
}

/// A cell without Markdown: no backticks, and links as `text (docs/target)`.
fn plain(cell: &str) -> String {
    let mut out = String::new();
    let mut rest = cell.trim();
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        let parts = link
            .split_once("](")
            .and_then(|(text, rest)| Some((text, rest.split_once(')')?)));
        let Some((text, (target, after))) = parts else {
            rest = link;
            continue;
        };
        let folder = if target.contains(':') { "" } else { "docs/" };
        out.push_str(&format!("{text} ({folder}{target})"));
        rest = after;
    }
    out.push_str(rest);
    out.replace('`', "")
}

#[cfg(test)]
mod tests {
    use crds::{ConditionType, Reason};

    use super::*;

    #[test]
    fn every_condition_and_reason_is_known() {
        for type_ in ConditionType::ALL {
            let known = about(type_.as_str());
            assert!(
                known.iter().any(|entry| entry.sort == Sort::Condition),
                "{type_}"
            );
        }
        for known in Reason::ALL {
            let entry = reason(known.as_str()).unwrap();
            assert_eq!(entry.meaning, known.description().replace('`', ""));
            assert!(
                entry.what_to_do.is_some_and(|what| what.ends_with('.')),
                "{known}"
            );
        }
        assert_eq!(all().len(), ConditionType::ALL.len() + Reason::ALL.len());
    }

    #[test]
    fn text_is_plain() {
        let text = plain(" see `x` ([all of it](ram-policy.md), [web](https://x.org/)) ");
        let expected = "see x (all of it (docs/ram-policy.md), web (https://x.org/))";
        assert_eq!(text, expected);
        for entry in all() {
            for text in [&entry.meaning, &entry.seen] {
                assert!(!text.contains(['`', '[', ']']), "{text}");
            }
        }
    }

    #[test]
    fn words_that_are_nearly_right_are_found() {
        assert_eq!(like("Pathconflict"), ["Conflict", "PathConflict"]);
        assert!(like("Zzz").is_empty());
    }
}
