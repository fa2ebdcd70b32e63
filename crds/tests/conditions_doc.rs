//! `docs/conditions.md` explains every condition and every reason, and nothing else.

use crds::{ConditionType, Reason};

const DOCUMENT: &str = include_str!("../../docs/conditions.md");

/// The rows of the tables below a heading of the second level, as cells; those of tables whose
/// first column holds names.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    DOCUMENT
        .lines()
        .skip_while(|line| *line != format!("## {heading}"))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn names(rows: &[Vec<&'static str>]) -> Vec<&'static str> {
    rows.iter().map(|row| row[0].trim_matches('`')).collect()
}

#[test]
fn every_condition_is_explained() {
    let rows = rows("Conditions");
    let types: Vec<&str> = ConditionType::ALL
        .iter()
        .map(|type_| type_.as_str())
        .collect();
    assert_eq!(names(&rows), types);
    for row in rows {
        let explained = row.len() == 3 && row.iter().all(|cell| !cell.is_empty());
        assert!(explained, "{row:?}");
    }
}

#[test]
fn every_reason_is_explained_in_the_words_of_the_code() {
    let rows = rows("Reasons");
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names(&rows), reasons);
    for (row, reason) in rows.iter().zip(Reason::ALL) {
        let [_, meaning, seen_in, what_to_do] = row.as_slice() else {
            panic!("{reason} has not four cells: {row:?}");
        };
        assert_eq!(*meaning, reason.description(), "meaning of {reason}");
        assert!(
            !seen_in.is_empty() && what_to_do.ends_with('.'),
            "{reason}: say where it is seen, and in sentences what to do"
        );
    }
}
