//! Values as Go's `gopkg.in/yaml.v2` writes them, as far as the hash of an Ingress needs it: which
//! texts are quoted and how, where long ones are broken, and in which order keys come.

use std::cmp::Ordering;

use serde_json::Value;

/// The column that folded texts are broken after.
const WIDTH: usize = 80;

/// A whole document.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => sequence(&mut text, items, 0),
        Value::Object(members) if !members.is_empty() => mapping(&mut text, members, 0, false),
        other => {
            scalar(&mut text, other, 0);
            text.push('\n');
        }
    }
    text
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn sequence(text: &mut String, items: &[Value], indent: usize) {
    for item in items {
        pad(text, indent);
        text.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => {
                mapping(text, members, indent + 2, true)
            }
            Value::Array(items) if !items.is_empty() => {
                let mut nested = String::new();
                sequence(&mut nested, items, indent + 2);
                text.push_str(nested.trim_start_matches(' '));
            }
            other => {
                scalar(text, other, indent + 2);
                text.push('\n');
            }
        }
    }
}

fn mapping(
    text: &mut String,
    members: &serde_json::Map<String, Value>,
    indent: usize,
    begun: bool,
) {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by(|one, other| compare(one.0, other.0));
    for (place, (key, value)) in members.into_iter().enumerate() {
        if place > 0 || !begun {
            pad(text, indent);
        }
        string(text, key, indent, true);
        text.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                text.push('\n');
                mapping(text, members, indent + 2, false);
            }
            // Sequences in mappings are not indented.
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                sequence(text, items, indent);
            }
            other => {
                text.push(' ');
                scalar(text, other, indent + 2);
                text.push('\n');
            }
        }
    }
}

fn scalar(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(string_value) => string(text, string_value, indent, false),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        other => text.push_str(&other.to_string()),
    }
}

fn string(text: &mut String, value: &str, indent: usize, key: bool) {
    if value.contains('\n') && !key {
        return literal(text, value, indent);
    }
    if resolves_to_other(value) {
        return double_quoted(text, value);
    }
    let column = text.rsplit('\n').next().map_or(0, str::len);
    match (plain_allowed(value), value.bytes().all(|byte| byte >= 32)) {
        (true, _) => text.push_str(&folded(value, column, indent, key)),
        (false, true) => {
            let quoted = value.replace('\'', "''");
            text.push('\'');
            text.push_str(&folded(&quoted, column + 1, indent, key));
            text.push('\'');
        }
        (false, false) => double_quoted(text, value),
    }
}

/// Breaks at single spaces past the width.
fn folded(value: &str, column: usize, indent: usize, key: bool) -> String {
    if key {
        return value.to_owned();
    }
    let characters: Vec<char> = value.chars().collect();
    let mut text = String::new();
    let (mut column, mut after_space) = (column, false);
    for (place, character) in characters.iter().enumerate() {
        let next = characters.get(place + 1);
        let inside = place > 0 && next.is_some();
        if *character == ' ' && !after_space && inside && column > WIDTH && next != Some(&' ') {
            text.push('\n');
            pad(&mut text, indent);
            column = indent;
        } else {
            text.push(*character);
            column += 1;
        }
        after_space = *character == ' ';
    }
    text
}

fn literal(text: &mut String, value: &str, indent: usize) {
    text.push('|');
    let lead = value.starts_with([' ', '\n']);
    if lead {
        text.push('2');
    }
    if !value.ends_with('\n') {
        text.push('-');
    } else if value == "\n" || value.ends_with("\n\n") {
        text.push('+');
    }
    for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
        text.push('\n');
        if !line.is_empty() {
            pad(text, indent);
            text.push_str(line);
        }
    }
}

fn double_quoted(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Whether a text would be read as something else if it were not quoted.
fn resolves_to_other(value: &str) -> bool {
    const WORDS: [&str; 31] = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "yes",
        "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N",
        ".nan", ".inf", "-.inf", "<<",
    ];
    WORDS.contains(&value) || is_number(value) || is_date(value)
}

fn is_number(value: &str) -> bool {
    if !value.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return false;
    }
    let plain = value.replace('_', "");
    let unsigned = plain.trim_start_matches(['+', '-']);
    let based = |prefix: &str, radix: u32| {
        let digits = unsigned.strip_prefix(prefix);
        digits.is_some_and(|digits| u64::from_str_radix(digits, radix).is_ok())
    };
    let base60 = unsigned.contains(':')
        && unsigned
            .split([':', '.'])
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let float = unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && unsigned.parse::<f64>().is_ok();
    float || based("0x", 16) || based("0b", 2) || based("0o", 8) || base60
}

fn is_date(value: &str) -> bool {
    let mut parts = value.get(..10).unwrap_or_default().split('-');
    let digits = |part: Option<&str>, most: usize| {
        part.is_some_and(|part| {
            part.len() == most && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    digits(parts.next(), 4) && digits(parts.next(), 2) && digits(parts.next(), 2)
}

/// Whether a text may stand without quotes in a block.
fn plain_allowed(value: &str) -> bool {
    let characters: Vec<char> = value.chars().collect();
    let blank = |place: usize| {
        characters
            .get(place)
            .is_none_or(|next| " \t".contains(*next))
    };
    let first = characters.first().copied().unwrap_or_default();
    if value.starts_with("---") || value.starts_with("...") {
        return false;
    }
    if "#,[]{}&*!|>'\"%@`".contains(first) || ("?:-".contains(first) && blank(1)) {
        return false;
    }
    if value.starts_with(' ') || value.ends_with(' ') || value.bytes().any(|byte| byte < 32) {
        return false;
    }
    !characters
        .iter()
        .enumerate()
        .skip(1)
        .any(|(place, character)| match character {
            ':' => blank(place + 1),
            '#' => characters
                .get(place - 1)
                .is_some_and(|before| *before == ' '),
            _ => false,
        })
}

/// Numbers in keys count as numbers, and letters come after all else.
fn compare(one: &str, other: &str) -> Ordering {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut digits = false;
    for (place, (left, right)) in one.iter().zip(&other).enumerate() {
        if left == right {
            digits = left.is_numeric();
            continue;
        }
        return match (left.is_alphabetic(), right.is_alphabetic()) {
            (true, true) => left.cmp(right),
            (true, false) if digits => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if digits => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_numbers(&one, &other, place),
        };
    }
    one.len().cmp(&other.len())
}

fn compare_numbers(one: &[char], other: &[char], place: usize) -> Ordering {
    let number = |text: &[char]| {
        let digits = text
            .iter()
            .skip(place)
            .take_while(|digit| digit.is_ascii_digit());
        let digits: String = digits.collect();
        (digits.parse::<u64>().unwrap_or_default(), digits.len())
    };
    let by_number = number(one).cmp(&number(other));
    by_number.then_with(|| one.get(place).cmp(&other.get(place)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_look_as_go_writes_them() {
        let value = json!([
            {"rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "n": 80}]}}], "a": "x"},
            {"order": "10", "on": "true", "json": "[{\"type\":\"it's\"}]", "b/z.2": "v", "b/z.10": "v"},
        ]);
        let wanted = "\
- a: x
  rules:
  - host: a.example.com
    http:
      paths:
      - \"n\": 80
        path: /
- b/z.2: v
  b/z.10: v
  json: '[{\"type\":\"it''s\"}]'
  \"on\": \"true\"
  order: \"10\"
";
        assert_eq!(write(&value), wanted);
    }

    #[test]
    fn long_texts_are_broken_and_lines_kept() {
        let words = "word ".repeat(20);
        let text = write(&json!({"a": format!("[{}]", words.trim())}));
        assert!(
            text.lines().count() == 2 && text.lines().all(|line| line.len() < 90),
            "{text}"
        );
        assert_eq!(write(&json!({"a": "x\ny\n"})), "a: |\n  x\n  y\n");
    }
}
