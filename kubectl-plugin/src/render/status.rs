//! Where objects stand, in tables.

use jiff::Timestamp;
use serde::Serialize;

use super::age::age;
use super::table::table;
use crate::object::Object;
use crate::reference::Kind;

/// An object, as `-o json` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// True, False or Unknown.
    pub(crate) ready: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// Where a binding's service can be called; the accounts of a consumer; the account and region
    /// of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) creation_timestamp: Option<Timestamp>,
}

/// One row for each object.
pub(crate) fn rows(objects: &[Object]) -> Vec<Row> {
    objects.iter().map(row).collect()
}

fn row(object: &Object) -> Row {
    let standing = object.standing();
    let created = object.metadata().creation_timestamp.as_ref();
    Row {
        kind: object.kind().as_str(),
        namespace: object.namespace().map(str::to_owned),
        name: object.name().to_owned(),
        ready: standing.ready,
        reason: standing.reason,
        message: standing.message,
        place: place(object),
        creation_timestamp: created.map(|time| time.0),
    }
}

fn place(object: &Object) -> Option<String> {
    match object {
        Object::Binding(binding) => binding.status.as_ref()?.address.clone(),
        Object::Consumer(consumer) => {
            let accounts = consumer.status.as_ref()?.accounts.iter();
            let accounts = accounts.map(|at| format!("{}/{}", at.account, at.region));
            let accounts = accounts.collect::<Vec<_>>().join(",");
            (!accounts.is_empty()).then_some(accounts)
        }
        Object::Class(class) => {
            let region = &class.spec.cloud.as_ref()?.region_id;
            let account = class.status.as_ref()?.account.as_ref()?;
            Some(format!("{account}/{region}"))
        }
    }
}

/// One table for each kind. `namespaces` adds a column with them.
pub(crate) fn text(rows: &[Row], namespaces: bool, now: Timestamp) -> String {
    let kinds = Kind::ALL.into_iter();
    let tables = kinds.filter_map(|kind| {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| row.kind == kind.as_str())
            .collect();
        (!rows.is_empty()).then(|| kind_table(kind, &rows, namespaces, now))
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn kind_table(kind: Kind, rows: &[&Row], namespaces: bool, now: Timestamp) -> String {
    let namespaces = namespaces && kind.is_namespaced();
    let (name, place) = match kind {
        Kind::Binding => ("BINDING", "ADDRESS"),
        Kind::Consumer => ("CONSUMER", "ACCOUNTS"),
        Kind::Class => ("CLASS", "ACCOUNT"),
    };
    let mut header = vec![name, "READY", "REASON", place, "AGE", "MESSAGE"];
    if namespaces {
        header.insert(0, "NAMESPACE");
    }
    let cells = |row: &&Row| {
        let old = row.creation_timestamp.map(|created| age(created, now));
        let mut cells = vec![
            row.name.clone(),
            row.ready.clone(),
            row.reason.clone().unwrap_or_default(),
            row.place.clone().unwrap_or_default(),
            old.unwrap_or_default(),
            row.message.replace('\n', " "),
        ];
        if namespaces {
            cells.insert(0, row.namespace.clone().unwrap_or_default());
        }
        cells
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Machine;
    use crate::render::{Items, machine};
    use crate::testing::{now, objects};

    #[test]
    fn all_kinds_have_their_tables() {
        let rows = rows(&objects());
        insta::assert_snapshot!("status", text(&rows, false, now()));
        insta::assert_snapshot!("status-namespaces", text(&rows, true, now()));
    }

    #[test]
    fn programs_get_the_same() {
        let rows = rows(&objects());
        let json = machine("StatusList", &Items { items: &rows }, Machine::Json).unwrap();
        insta::assert_snapshot!("status-json", json);
        let yaml = machine("StatusList", &Items { items: &rows }, Machine::Yaml).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read, expected);
    }
}
