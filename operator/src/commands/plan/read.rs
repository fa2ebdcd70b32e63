//! From files to the objects in them.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

/// An object as it stands in a file, and where.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Where it stands.
    pub(super) place: Place,
    /// The object.
    pub(super) value: Value,
}

/// Where an object stands.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Place {
    file: Arc<str>,
    /// From 1, without empty documents.
    document: usize,
    /// From 1, for an object in a list.
    item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {}", self.file, self.document)?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

impl Document {
    /// An object that stands in no file.
    pub(super) fn printed(index: usize, value: Value) -> Self {
        let place = Place {
            file: "printed".into(),
            document: index + 1,
            item: None,
        };
        Self { place, value }
    }
}

/// What is wrong with a manifest. No text of the file goes into it but names and the values of
/// fields that are no credentials.
#[derive(Debug, Error)]
pub(in crate::commands) enum ManifestError {
    /// A file or directory that cannot be read.
    #[error("{file}: cannot be read")]
    Unreadable {
        file: String,
        source: std::io::Error,
    },
    /// A directory without manifests.
    #[error(
        "{0}: the directory has no file that ends in .yaml, .yml or .json. Name one that has, or the files themselves."
    )]
    EmptyDirectory(String),
    /// Standard input, named twice.
    #[error("-: standard input can be read only once. Name it once.")]
    StdinTwice,
    /// Not YAML, and not JSON.
    #[error("{file}: not valid YAML: {reason}. Nothing of the file can be used until it is.")]
    Syntax { file: String, reason: String },
    /// An object that is not what its kind allows.
    #[error("{place}: {message}")]
    Invalid { place: Place, message: String },
}

impl ManifestError {
    pub(super) fn invalid(place: &Place, message: impl Into<String>) -> Self {
        Self::Invalid {
            place: place.clone(),
            message: message.into(),
        }
    }
}

/// Reads all objects in the order in which they are given; a directory's files by name.
pub(super) fn documents(paths: &[PathBuf]) -> (Vec<Document>, Vec<ManifestError>) {
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    let mut stdin_read = false;
    for path in paths {
        if path.as_os_str() == "-" {
            if std::mem::replace(&mut stdin_read, true) {
                errors.push(ManifestError::StdinTwice);
                continue;
            }
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text).map(|_| text);
            take("standard input", read, &mut documents, &mut errors);
            continue;
        }
        match files(path) {
            Ok(files) => {
                for file in files {
                    let read = std::fs::read_to_string(&file);
                    take(
                        &file.display().to_string(),
                        read,
                        &mut documents,
                        &mut errors,
                    );
                }
            }
            Err(error) => errors.push(error),
        }
    }
    (documents, errors)
}

/// The file itself, or a directory's manifests; as with kubectl, without those of directories
/// below it.
fn files(path: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let name = || path.display().to_string();
    let unreadable = |source| ManifestError::Unreadable {
        file: name(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(ManifestError::EmptyDirectory(name()));
    }
    files.sort();
    Ok(files)
}

fn take(
    file: &str,
    read: std::io::Result<String>,
    documents: &mut Vec<Document>,
    errors: &mut Vec<ManifestError>,
) {
    let text = match read {
        Ok(text) => text,
        Err(source) => {
            let file = file.to_owned();
            errors.push(ManifestError::Unreadable { file, source });
            return;
        }
    };
    match parse(&text) {
        Ok(values) => {
            let file: Arc<str> = file.into();
            for (index, value) in values.into_iter().enumerate() {
                let place = Place {
                    file: file.clone(),
                    document: index + 1,
                    item: None,
                };
                flatten(place, value, documents);
            }
        }
        Err(reason) => errors.push(ManifestError::Syntax {
            file: file.to_owned(),
            reason,
        }),
    }
}

/// JSON, several objects one after the other included, or else YAML, of which JSON on one line is
/// a part.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    if text.trim_start().starts_with('{') {
        let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect();
        if let Ok(values) = json {
            return Ok(values);
        }
    }
    // A snippet in the error could show a line of a Secret.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| error.to_string().trim_end_matches('.').to_owned())
}

/// A `List` stands for the objects in it. Those of a typed list need not repeat their kind.
fn flatten(place: Place, mut value: Value, documents: &mut Vec<Document>) {
    let text = |value: &Value, field: &str| value.get(field)?.as_str().map(str::to_owned);
    let kind = text(&value, "kind").unwrap_or_default();
    let of = kind.strip_suffix("List");
    let items = value.get_mut("items").and_then(Value::as_array_mut);
    let (Some(of), Some(items)) = (of, items.map(std::mem::take)) else {
        documents.push(Document { place, value });
        return;
    };
    let version = text(&value, "apiVersion");
    for (index, mut item) in items.into_iter().enumerate() {
        if let (false, Some(item), Some(version)) = (of.is_empty(), item.as_object_mut(), &version)
        {
            item.entry("kind").or_insert_with(|| of.into());
            item.entry("apiVersion")
                .or_insert_with(|| version.clone().into());
        }
        let place = Place {
            item: Some(index + 1),
            ..place.clone()
        };
        documents.push(Document { place, value: item });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Vec<(String, Value)> {
        let (mut documents, mut errors) = (Vec::new(), Vec::new());
        take("f.yaml", Ok(text.to_owned()), &mut documents, &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        documents
            .into_iter()
            .map(|document| (document.place.to_string(), document.value))
            .collect()
    }

    #[test]
    fn documents_and_items_are_counted_from_one_without_empty_ones() {
        let found = read("---\n---\na: 1\n---\nkind: List\nitems: [{b: 2}, {c: 3}]\n");
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            [
                "f.yaml, document 1",
                "f.yaml, document 2, item 1",
                "f.yaml, document 2, item 2"
            ]
        );
        assert_eq!(found[2].1, json!({"c": 3}));
    }

    #[test]
    fn items_of_a_typed_list_get_its_kind() {
        let found = read("{apiVersion: v1, kind: ServiceList, items: [{metadata: {name: a}}]}");
        let expected = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}});
        assert_eq!(found[0].1, expected);
    }

    #[test]
    fn json_objects_may_follow_each_other() {
        assert_eq!(read("{\n\t\"a\": 1\n}\n{\"b\": 2}").len(), 2);
    }

    #[test]
    fn a_syntax_error_shows_nothing_of_the_text() {
        let secret = "kind: Secret\nstringData:\n  password: hunter2\n bad: [";
        let error = parse(secret).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("line"), "{error}");
    }
}
