//! Every setting that the references of load balancers list is tried against the cloud.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::nlb_settings_rows::{Table, WITHOUT_ROW, most, rest};
use super::slb_settings::made_rows;
use super::slb_settings_rows::{Row, listeners, rows};

/// The settings in the first column of a reference's table, without the block.
fn listed(document: &str, block: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(document);
    let text = fs::read_to_string(path).unwrap();
    let begins = format!("| `{block}.");
    let rows = text.lines().filter_map(|line| line.strip_prefix(&begins));
    let settings: BTreeSet<String> = rows
        .map(|rest| rest.split('`').next().unwrap_or_default().to_owned())
        .collect();
    assert!(settings.len() > 20, "{document}: {settings:?}");
    settings
}

/// Whether a value says something of a setting: a list says it by its words, or by one of its items.
fn says(value: &Value, setting: &str) -> bool {
    let (name, rest) = setting.split_once('.').unwrap_or((setting, ""));
    match value {
        Value::Object(fields) => fields
            .get(name)
            .is_some_and(|inner| rest.is_empty() || says(inner, rest)),
        Value::Array(items) => items.iter().any(|item| item == name || says(item, setting)),
        _ => false,
    }
}

#[test]
fn every_setting_of_a_network_load_balancer_has_a_row() {
    let zone = |letter: &str| json!({"zoneId": letter, "vswitchId": letter});
    let tables: [Table; 2] = [most(zone), rest()];
    let seen = tables.iter().flat_map(|table| table.seen);
    let mut shown: BTreeSet<String> = seen.map(|(setting, ..)| (*setting).to_owned()).collect();
    for setting in &shown {
        let said = tables
            .iter()
            .any(|table| says(&table.first, setting) || says(&table.then, setting));
        assert!(said, "nothing says {setting}");
    }
    shown.extend(WITHOUT_ROW.map(str::to_owned));
    assert_eq!(shown, listed("reference-nlb.md", "nlb"));
}

/// What is fixed once the load balancer exists is refused, and load balancers of others are tried by
/// `slb_articles`; addresses of the VPC by `slb_elastic`.
const OF_CLASSIC_ONES_WITHOUT_ROW: [&str; 7] = [
    "existing.id",
    "existing.listeners",
    "ipVersion",
    "resourceGroupId",
    "vswitchId",
    "address",
    "publishedAddress",
];

#[test]
fn every_setting_of_a_classic_load_balancer_has_a_row() {
    let rows: Vec<Row> = [rows(), listeners(), made_rows()]
        .into_iter()
        .flatten()
        .collect();
    let said = |setting: &str| {
        let (field, rest) = setting.split_once('.').unwrap_or((setting, ""));
        let of_it = rows.iter().filter(|row| row.field == field);
        let mut values = of_it.flat_map(|row| [&row.first, &row.then]);
        values.any(|value| rest.is_empty() || says(value, rest))
    };
    let listed = listed("reference-slb.md", "slb");
    let without: BTreeSet<&str> = listed
        .iter()
        .map(String::as_str)
        .filter(|setting| !said(setting))
        .collect();
    assert_eq!(without, OF_CLASSIC_ONES_WITHOUT_ROW.into());
}
