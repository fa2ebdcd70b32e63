//! `docs/reference-slb.md` has a table of every setting, made from the one that the operator goes by.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use gatewaybinding_operator::core::slb::table::{ANNOTATIONS, Annotation, Change, UNWRITTEN, Undo};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference-slb.md");
const BEGIN: &str = "<!-- made from operator/src/core/slb/table.rs; do not edit -->\n";
const END: &str = "<!-- end of what is made -->\n";

fn setting(row: &Annotation) -> String {
    match row.part {
        "" => format!("`{}`", row.field.path()),
        part => format!("`{}.{part}`", row.field.path()),
    }
}

fn parameter(row: &Annotation) -> String {
    match row.parameter.split_once(' ') {
        None if row.parameter.is_empty() => "none: it stays in the cluster".to_owned(),
        None => format!("`{}`", row.parameter),
        Some((action, parameter)) => format!("`{action}` `{parameter}`"),
    }
}

fn on_change(row: &Annotation) -> &'static str {
    match row.change {
        Change::Update => "changed in place",
        Change::Refused => "refused: fixed once the load balancer exists",
        Change::Ignored => "refused: the cloud controller manager would ignore it",
        Change::Recreate => "the listener is made anew: a gap in traffic",
    }
}

fn undone(row: &Annotation) -> String {
    match row.undo {
        Undo::Keep => "stays".to_owned(),
        Undo::Stay => "stays, unless something was said before".to_owned(),
        Undo::Remove => "removed".to_owned(),
        Undo::Forget => "removed; **the load balancer keeps it**".to_owned(),
        Undo::Write(default) => format!("`{default}`"),
        Undo::OwnName => "the name it had first".to_owned(),
    }
}

fn tables() -> String {
    let mut text = "| setting | annotation | in the cloud | when it changes | when nobody sets it any more |\n|---|---|---|---|---|\n".to_owned();
    for row in ANNOTATIONS {
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
    for row in UNWRITTEN {
        text += &format!("| `{}` | {} |\n", row.key, row.why);
    }
    text
}

#[test]
fn the_table_of_the_document_is_current() {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("a beginning");
    let (_, after) = rest.split_once(END).expect("an end");
    let current = format!("{before}{BEGIN}{}{END}{after}", tables());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(DOCUMENT, current).unwrap();
        return;
    }
    assert!(
        text == current,
        "docs/reference-slb.md is not current. Run UPDATE_GENERATED=1 cargo test -p gatewaybinding-operator --test slb_reference."
    );
}
