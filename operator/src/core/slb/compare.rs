//! Settings of listeners and server groups as annotations say them, against what the cloud shows of them.

use std::collections::BTreeMap;

use crds::v1alpha1::SettingsField;
use serde_json::Value;

use super::table::Annotation;
use crate::core::diff::FieldChange;

/// How the cloud shows a setting that is written as an annotation.
#[derive(Clone, Copy, Debug)]
pub(in crate::core) struct Shown {
    /// The annotation, without its prefix.
    pub key: &'static str,
    /// Its name in the answer.
    pub name: &'static str,
    /// The protocols whose listeners the cloud controller manager gives it, in small letters.
    pub of: &'static [&'static str],
    /// What has to be on in the cloud for it to count.
    pub beside: Option<&'static str>,
    /// How values are compared.
    pub form: Form,
}

/// A row of a table of such settings.
pub(in crate::core) const fn row(
    key: &'static str,
    name: &'static str,
    of: &'static [&'static str],
    beside: Option<&'static str>,
    form: Form,
) -> Shown {
    Shown {
        key,
        name,
        of,
        beside,
        form,
    }
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core) enum Form {
    /// Numbers, switches and words, which the cloud writes in letters of either case.
    Word,
    /// What is kept as it was written.
    Text,
    /// Several, whose order means nothing.
    List,
    /// Seconds, in whose place the cloud takes those of the setting of this name if they are more.
    AtLeast(&'static str),
}

/// A setting that is not as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core) struct Difference {
    /// Its field and its name in the cloud.
    pub path: String,
    /// Port and protocol of the listener.
    pub listener: String,
    /// What the cloud has.
    pub is: String,
    /// What it is to be.
    pub wanted: String,
}

/// What of `wanted`, annotations that settings are written as, a listener of `protocol` does not show in
/// `seen`. Nothing else is looked at, and what the cloud does not show is not known to differ.
pub(in crate::core) fn differences<F: SettingsField>(
    shown: &[Shown],
    rows: &[Annotation<F>],
    wanted: &BTreeMap<String, String>,
    (listener, protocol): (&str, &str),
    seen: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let protocol = protocol.to_lowercase();
    let concerned = shown.iter().filter(|shown| shown.of.contains(&&*protocol));
    let differing = concerned.filter_map(|shown| {
        let wanted = wanted.get(&super::key(shown.key))?;
        let is = seen.get(shown.name)?;
        let is_off = |name: &str| seen.get(name).is_none_or(|is| word(is) != "on");
        if shown.beside.is_some_and(is_off) || agrees(shown.form, is, wanted, seen) {
            return None;
        }
        let row = rows.iter().find(|row| row.key == shown.key)?;
        let dot = if row.part.is_empty() { "" } else { "." };
        Some(Difference {
            path: format!("{}{dot}{} ({})", row.field.path(), row.part, shown.name),
            listener: listener.to_owned(),
            is: is.clone(),
            wanted: wanted.clone(),
        })
    });
    differing.collect()
}

/// One change for what is the same at several listeners.
pub(in crate::core) fn changes(differences: Vec<Difference>) -> Vec<FieldChange> {
    let mut groups: Vec<(Difference, Vec<String>)> = Vec::new();
    for difference in differences {
        let same = |(one, _): &&mut (Difference, Vec<String>)| {
            (&one.path, &one.is, &one.wanted)
                == (&difference.path, &difference.is, &difference.wanted)
        };
        let listener = difference.listener.clone();
        match groups.iter_mut().find(same) {
            Some((_, listeners)) => listeners.push(listener),
            None => groups.push((difference, vec![listener])),
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|(one, listeners)| FieldChange {
            path: format!("{} of listener {}", one.path, listeners.join(" and ")),
            from: (!one.is.is_empty()).then(|| Value::from(one.is)),
            to: Some(one.wanted.into()),
        })
        .collect()
}

fn agrees(form: Form, is: &str, wanted: &str, seen: &BTreeMap<String, String>) -> bool {
    match form {
        Form::Word => word(is) == word(wanted),
        Form::Text => is == wanted,
        Form::List => items(is) == items(wanted),
        Form::AtLeast(least) => {
            let number = |text: &str| text.parse::<i64>().ok();
            let least = seen.get(least).and_then(|least| number(least));
            number(is) == number(wanted).max(least).or(number(wanted))
        }
    }
}

/// Annotations say `on` and `off` where the API of some products says whether.
fn word(text: &str) -> String {
    match text {
        "true" => "on".to_owned(),
        "false" => "off".to_owned(),
        text => text.to_lowercase(),
    }
}

fn items(text: &str) -> Vec<&str> {
    let mut items: Vec<&str> = text.split(',').map(str::trim).collect();
    items.sort_unstable();
    items
}

/// What holds for every row of a table: it is seen where it differs, and nowhere else.
#[cfg(test)]
pub(in crate::core) fn holds<F: SettingsField>(
    table: &[Shown],
    rows: &[Annotation<F>],
    protocols: &[&str],
) {
    for shown in table {
        let wanted = BTreeMap::from([(super::key(shown.key), "7".to_owned())]);
        let seen = |value: &str, beside: &str| -> BTreeMap<String, String> {
            let beside = shown
                .beside
                .map(|name| (name.to_owned(), beside.to_owned()));
            let itself = (shown.name.to_owned(), value.to_owned());
            beside.into_iter().chain([itself]).collect()
        };
        type Texts = BTreeMap<String, String>;
        let found = |wanted: &Texts, protocol: &str, seen: &Texts| {
            let shown = std::slice::from_ref(shown);
            differences(shown, rows, wanted, ("80", protocol), seen)
        };
        for protocol in protocols {
            let differing = found(&wanted, protocol, &seen("9", "on"));
            if !shown.of.contains(protocol) {
                assert_eq!(differing, [], "{} of {protocol}", shown.key);
                continue;
            }
            let [one] = differing.as_slice() else {
                panic!("{} of {protocol}: {differing:?}", shown.key)
            };
            assert_eq!((one.is.as_str(), one.wanted.as_str()), ("9", "7"));
            assert!(one.path.contains(shown.name), "{}", one.path);
            let quiet = [
                found(&wanted, protocol, &seen("7", "on")),
                found(&wanted, protocol, &BTreeMap::new()),
                found(&BTreeMap::new(), protocol, &seen("9", "on")),
            ];
            assert_eq!(quiet.concat(), [], "{} of {protocol}", shown.key);
            if shown.beside.is_some() {
                let off = found(&wanted, protocol, &seen("9", "false"));
                assert_eq!(off, [], "{} of {protocol}", shown.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_the_cloud_writes_them() {
        let none = BTreeMap::new();
        let interval = BTreeMap::from([("interval".to_owned(), "10".to_owned())]);
        let cases = [
            (Form::Word, "true", "on", &none, true),
            (Form::Word, "false", "on", &none, false),
            (Form::Word, "RR", "rr", &none, true),
            (Form::Text, "/A", "/a", &none, false),
            (Form::List, "b,a", "a, b", &none, true),
            (Form::List, "a,b", "a", &none, false),
            (Form::AtLeast("interval"), "10", "5", &interval, true),
            (Form::AtLeast("interval"), "9", "5", &interval, false),
            (Form::AtLeast("interval"), "20", "20", &interval, true),
            (Form::AtLeast("interval"), "5", "5", &none, true),
        ];
        for (form, is, wanted, seen, expected) in cases {
            let agreed = agrees(form, is, wanted, seen);
            assert_eq!(agreed, expected, "{form:?}: {is} for {wanted}");
        }
    }

    #[test]
    fn what_is_the_same_at_several_listeners_is_told_once() {
        let at = |listener: &str, is: &str| Difference {
            path: "slb.scheduler (Scheduler)".to_owned(),
            listener: listener.to_owned(),
            is: is.to_owned(),
            wanted: "rr".to_owned(),
        };
        let differences = vec![
            at("80/http", "wrr"),
            at("81/tcp", "sch"),
            at("443/https", "wrr"),
        ];
        let changes = changes(differences);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let expected = [
            "slb.scheduler (Scheduler) of listener 80/http and 443/https",
            "slb.scheduler (Scheduler) of listener 81/tcp",
        ];
        assert_eq!(paths, expected);
        assert_eq!(changes[0].from, Some("wrr".into()));
        assert_eq!(changes[0].to, Some("rr".into()));
    }
}
