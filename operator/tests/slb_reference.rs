//! `docs/reference-slb.md` and `docs/reference-nlb.md` have a table of every setting, made from those
//! that the operator goes by.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crds::v1alpha1::SettingsField;
use gatewaybinding_operator::core::nlb;
use gatewaybinding_operator::core::slb::table::{
    ANNOTATIONS, Annotation, Change, UNWRITTEN, Undo, Unwritten,
};

const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
const END: &str = "<!-- end of what is made -->\n";

fn setting<F: SettingsField>(row: &Annotation<F>) -> String {
    match row.part {
        "" => format!("`{}`", row.field.path()),
        part => format!("`{}.{part}`", row.field.path()),
    }
}

fn parameter<F>(row: &Annotation<F>) -> String {
    match row.parameter.split_once(' ') {
        None if row.parameter.is_empty() => "none: it stays in the cluster".to_owned(),
        None => format!("`{}`", row.parameter),
        Some((action, parameter)) => format!("`{action}` `{parameter}`"),
    }
}

fn on_change<F>(row: &Annotation<F>) -> &'static str {
    match row.change {
        Change::Update => "changed in place",
        Change::Refused => "refused: fixed once the load balancer exists",
        Change::Ignored => "refused: the cloud controller manager would ignore it",
        Change::Recreate => "the listener is made anew: a gap in traffic",
    }
}

fn undone<F>(row: &Annotation<F>) -> String {
    match row.undo {
        Undo::Keep => "stays".to_owned(),
        Undo::Stay => "stays, unless something was said before".to_owned(),
        Undo::Remove => "removed".to_owned(),
        Undo::Forget => "removed; **the load balancer keeps it**".to_owned(),
        Undo::Write("") => "emptied, which takes all away".to_owned(),
        Undo::Write(default) => format!("`{default}`"),
        Undo::OwnName => "the name it had first".to_owned(),
    }
}

fn tables<F: SettingsField>(rows: &[Annotation<F>], unwritten: &[Unwritten]) -> String {
    let mut text = "| setting | annotation | in the cloud | when it changes | when nobody sets it any more |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        text += &format!(
            "| {} | `{}` | {} | {} | {} |\n",
            setting(row),
            row.key,
            parameter(row),
            on_change(row),
            undone(row)
        );
    }
    text += "\nWhat the cloud controller manager reads besides has no setting:\n\n| annotation | why |\n|---|---|\n";
    for row in unwritten {
        text += &format!("| `{}` | {} |\n", row.key, row.why);
    }
    text
}

fn is_current(name: &str, source: &str, tables: &str) {
    let path = format!("{DOCUMENTS}/{name}");
    let begin = format!("<!-- made from {source}; do not edit -->\n");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin).expect("a beginning");
    let (_, after) = rest.split_once(END).expect("an end");
    let current = format!("{before}{begin}{tables}{END}{after}");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, current).unwrap();
        return;
    }
    assert!(
        text == current,
        "docs/{name} is not current. Run UPDATE_GENERATED=1 cargo test -p gatewaybinding-operator --test slb_reference."
    );
}

#[test]
fn the_table_of_classic_ones_is_current() {
    let tables = tables(ANNOTATIONS, UNWRITTEN);
    is_current(
        "reference-slb.md",
        "operator/src/core/slb/table.rs",
        &tables,
    );
}

#[test]
fn the_table_of_network_ones_is_current() {
    let mut tables = tables(nlb::table::ANNOTATIONS, nlb::table::UNWRITTEN);
    let unread = nlb::table::UNREAD.iter().map(|key| format!("`{key}`"));
    let unread: Vec<String> = unread.collect();
    tables += &format!(
        "\nFor a network load balancer the cloud controller manager does not read {}.\n",
        unread.join(", ")
    );
    is_current(
        "reference-nlb.md",
        "operator/src/core/nlb/table.rs",
        &tables,
    );
}
