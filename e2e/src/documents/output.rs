//! Whether a command printed what a document shows.

use regex::Regex;

/// Stands for anything within a line, and alone on a line for any number of lines.
const ANYTHING: char = '…';

/// Nothing if all of `printed` is as `shown`, else the first shown line that does not come.
///
/// # Errors
/// What was expected where something else came, for a person.
pub(super) fn compare(shown: &[String], printed: &str) -> Result<(), String> {
    let shown: Vec<&str> = trimmed(shown.iter().map(String::as_str));
    let printed: Vec<&str> = trimmed(printed.lines());
    if shown.is_empty() {
        // A document need not show what is of no interest.
        return Ok(());
    }
    matches(&shown, &printed).map_err(|missing| {
        format!(
            "expected the line\n    {missing}\nand got\n{}",
            printed.join("\n")
        )
    })
}

/// Without empty lines at the ends.
fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty());
    let last = lines.iter().rposition(|line| !line.is_empty());
    match first.zip(last) {
        Some((first, last)) => lines[first..=last].to_vec(),
        None => Vec::new(),
    }
}

fn matches(shown: &[&str], printed: &[&str]) -> Result<(), String> {
    let Some((first, rest)) = shown.split_first() else {
        return match printed.first() {
            None => Ok(()),
            Some(more) => Err(format!("(no more lines, but there is {more:?})")),
        };
    };
    if first.trim() == ANYTHING.to_string() {
        let mut last = Err(String::new());
        for skipped in 0..=printed.len() {
            last = matches(rest, &printed[skipped..]);
            if last.is_ok() {
                return Ok(());
            }
        }
        return match rest.first() {
            Some(next) => Err((*next).to_owned()),
            None => last,
        };
    }
    match printed.split_first() {
        Some((line, others)) if is_like(first, line) => matches(rest, others),
        _ => Err((*first).to_owned()),
    }
}

fn is_like(shown: &str, printed: &str) -> bool {
    let spaces = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = spaces(shown);
    let parts: Vec<String> = shown.split(ANYTHING).map(regex::escape).collect();
    let pattern = format!("^{}$", parts.join(".*"));
    Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(&spaces(printed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shown: &str, printed: &str) -> Result<(), String> {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        compare(&shown, printed)
    }

    #[test]
    fn spaces_and_ellipses_are_loose_and_nothing_else() {
        for (shown, printed) in [
            ("", "whatever"),
            ("NAME   READY\na      True", "NAME       READY\na True\n\n"),
            ("age …s, (done)", "age 27s, (done)"),
            ("a\n…\nz", "a\nz"),
            ("a\n…\nz", "a\nb\nc\nz"),
            ("a\n…", "a\nb"),
        ] {
            assert_eq!(check(shown, printed), Ok(()), "{shown:?} {printed:?}");
        }
        for (shown, printed, missing) in [
            ("a", "b", "a"),
            ("a\nb", "a", "b"),
            ("a", "a\nb", "no more lines"),
            ("a.c", "abc", "a.c"),
            ("a\n…\nz", "a\nb", "z"),
        ] {
            let error = check(shown, printed).unwrap_err();
            assert!(error.contains(missing), "{error}");
        }
    }
}
