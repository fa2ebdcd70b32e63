//! The committed CustomResourceDefinitions, and the reference in `docs`, are those that the types
//! generate.

// Helpers of tests fail as tests do.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{fs, path::PathBuf};

use crds::{generate, reference};
use similar::TextDiff;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("generated")
}

fn files() -> Vec<(PathBuf, String)> {
    generate::all()
        .iter()
        .map(|definition| {
            let name = definition
                .metadata
                .name
                .as_deref()
                .expect("a definition has a name");
            let text = generate::document(definition).expect("a definition can be written");
            (directory().join(format!("{name}.yaml")), text)
        })
        .collect()
}

fn api_reference() -> (PathBuf, String) {
    let path = directory().join("../../docs/api-reference.md");
    (path, reference::markdown())
}

#[test]
fn the_committed_files_are_current() {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(directory()).unwrap();
        for (path, text) in files().into_iter().chain([api_reference()]) {
            fs::write(path, text).unwrap();
        }
    }
    for (path, generated) in files().into_iter().chain([api_reference()]) {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let diff = TextDiff::from_lines(&committed, &generated);
        assert!(
            committed == generated,
            "{} is not current. Run UPDATE_GENERATED=1 cargo test -p crds --test generated.\n{}",
            path.display(),
            diff.unified_diff()
                .context_radius(2)
                .header("committed", "generated"),
        );
    }

    let mut found: Vec<PathBuf> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let mut expected: Vec<PathBuf> = files().into_iter().map(|(path, _)| path).collect();
    found.sort();
    expected.sort();
    assert_eq!(
        found, expected,
        "the directory holds the generated files and nothing else"
    );
}

#[test]
fn the_text_reads_back_as_the_same_definitions() {
    for definition in generate::all() {
        let text = generate::document(&definition).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, serde_json::to_value(&definition).unwrap());
    }
}

#[test]
fn the_stream_holds_every_kind_once() {
    let text = generate::yaml().unwrap();
    for kind in ["GatewayBinding", "GatewayBindingClass", "GatewayConsumer"] {
        let lines = text
            .lines()
            .filter(|line| *line == format!("    kind: {kind}"))
            .count();
        assert_eq!(lines, 1, "{kind}");
    }
    assert_eq!(text.split("---\n").count(), 3);
}
