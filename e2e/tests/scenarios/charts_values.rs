//! The files of the charts agree with each other: values, their schema, their table in the README,
//! and versions.

use std::{collections::BTreeSet, fs, path::PathBuf};

use e2e::chart;
use serde_json::Value;

const BEGIN: &str = "<!-- values: generated from values.yaml -->";
const END: &str = "<!-- end of values -->";

fn file(chart: &str, name: &str) -> PathBuf {
    chart::folder(chart).join(name)
}

fn read(chart: &str, name: &str) -> String {
    fs::read_to_string(file(chart, name)).unwrap()
}

/// A value with the comment above it.
#[derive(Debug, PartialEq)]
struct Documented {
    path: String,
    default: String,
    text: String,
}

/// The values that have a comment which begins with two dashes, in their order.
fn documented(yaml: &str) -> Vec<Documented> {
    let parsed: Value = serde_saphyr::from_str(yaml).unwrap();
    let (mut found, mut comment): (Vec<Documented>, Option<String>) = (Vec::new(), None);
    let mut parents: Vec<(usize, String)> = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(begins) = line.strip_prefix("# -- ") {
            comment = Some(begins.to_owned());
        } else if let (Some(text), Some(goes_on)) = (&mut comment, line.strip_prefix("# ")) {
            *text = format!("{text} {goes_on}");
        } else if let Some((key, _)) = line.split_once(':').filter(|_| !line.starts_with('#')) {
            parents.retain(|(outer, _)| *outer < indent);
            parents.push((indent, key.to_owned()));
            if let Some(text) = comment.take() {
                let names: Vec<_> = parents.iter().map(|(_, name)| name.as_str()).collect();
                let default = parsed.pointer(&format!("/{}", names.join("/"))).unwrap();
                found.push(Documented {
                    path: names.join("."),
                    default: default.to_string(),
                    text,
                });
            }
        }
    }
    found
}

fn table(values: &[Documented]) -> String {
    let mut lines = vec![
        "| value | default | |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for value in values {
        let text = value.text.replace('|', "\\|");
        lines.push(format!(
            "| `{}` | `{}` | {text} |",
            value.path, value.default
        ));
    }
    lines.join("\n")
}

#[test]
fn the_table_of_values_is_current() {
    let wanted = table(&documented(&read(chart::OPERATOR, "values.yaml")));
    let readme = read(chart::OPERATOR, "README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}\n{wanted}\n{END}{after}");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(file(chart::OPERATOR, "README.md"), &current).unwrap();
    }
    let readme = read(chart::OPERATOR, "README.md");
    assert!(
        readme == current,
        "the README of the chart is not current: run \
         UPDATE_GENERATED=1 cargo test -p e2e --test e2e table_of_values"
    );
}

/// Paths of a schema's properties, as far as it lists them.
fn properties(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if inner["properties"].is_object() {
            assert_eq!(
                inner["additionalProperties"], false,
                "{path}: a misspelt value would pass"
            );
            properties(inner, &path, found);
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn every_value_is_documented_and_in_the_schema_and_no_other() {
    let values: BTreeSet<String> = documented(&read(chart::OPERATOR, "values.yaml"))
        .into_iter()
        .map(|value| value.path)
        .collect();
    let schema: Value = serde_json::from_str(&read(chart::OPERATOR, "values.schema.json")).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let mut allowed = BTreeSet::new();
    properties(&schema, "", &mut allowed);
    // Helm puts it there.
    allowed.remove("global");
    assert_eq!(values, allowed);
}

#[test]
fn charts_and_program_have_one_version() {
    for chart in [chart::CRDS, chart::OPERATOR] {
        let text = read(chart, "Chart.yaml");
        let about: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(about["version"], env!("CARGO_PKG_VERSION"), "{chart}");
        assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"), "{chart}");
    }
}

#[test]
fn comments_of_several_lines_and_nested_values_are_read() {
    let yaml =
        "a:\n  # -- First\n  # and second.\n  b: [1]\n  # aside\n  c: 2\n# -- Last.\nd: {}\n";
    let value = |path: &str, default: &str, text: &str| Documented {
        path: path.into(),
        default: default.into(),
        text: text.into(),
    };
    let wanted = [
        value("a.b", "[1]", "First and second."),
        value("d", "{}", "Last."),
    ];
    assert_eq!(documented(yaml), wanted);
}
