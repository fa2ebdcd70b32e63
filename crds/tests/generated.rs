//! The committed CustomResourceDefinitions, and the reference in `docs`, are those that the types
//! generate.

// Helpers of tests fail as tests do.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::{
    generate::{self, GenerateError},
    reference,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use similar::TextDiff;

/// What is generated: for each definition its file in a directory.
struct Generated {
    directory: PathBuf,
    write: fn(&CustomResourceDefinition) -> Result<String, GenerateError>,
}

/// The definitions as they are, and as templates of the chart.
fn all() -> [Generated; 2] {
    let crate_directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    [
        Generated {
            directory: crate_directory.join("generated"),
            write: generate::document,
        },
        Generated {
            directory: crate_directory.join("../charts/gatewaybinding-crds/templates"),
            write: generate::chart_template,
        },
    ]
}

impl Generated {
    fn files(&self) -> Vec<(PathBuf, String)> {
        let file = |definition: &CustomResourceDefinition| {
            let name = definition
                .metadata
                .name
                .as_deref()
                .expect("a definition has a name");
            let text = (self.write)(definition).expect("a definition can be written");
            (self.directory.join(format!("{name}.yaml")), text)
        };
        generate::all().iter().map(file).collect()
    }
}

fn api_reference() -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api-reference.md");
    (path, reference::markdown())
}

#[test]
fn the_committed_files_are_current() {
    for generated in all() {
        for (path, text) in generated.files() {
            is_current(&path, &text);
        }
        is_all_there_is(&generated);
    }
    let (path, text) = api_reference();
    is_current(&path, &text);
}

fn is_current(path: &Path, generated: &str) {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(path, generated).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let diff = TextDiff::from_lines(committed.as_str(), generated);
    assert!(
        committed == generated,
        "{} is not current. Run UPDATE_GENERATED=1 cargo test -p crds --test generated.\n{}",
        path.display(),
        diff.unified_diff()
            .context_radius(2)
            .header("committed", "generated"),
    );
}

fn is_all_there_is(generated: &Generated) {
    let mut found: Vec<PathBuf> = fs::read_dir(&generated.directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let files = generated.files().into_iter();
    let mut expected: Vec<PathBuf> = files.map(|(path, _)| path).collect();
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
