//! The documents of this repository, carried out as they stand.
//!
//! What a document shows has to happen. Its blocks are read like this:
//!
//! | block | what it is |
//! |---|---|
//! | `console` | lines with `$ ` are commands, carried out in order by one shell after the other; the lines below each are what it prints |
//! | `console exit=N` | the same, for commands that end with this status |
//! | `yaml` after a sentence that ends with a file name in backticks and a colon | written to that file |
//! | other `yaml` that begins with `apiVersion:` | a manifest that the API server has to accept |
//!
//! In printed lines `…` stands for anything, and alone on a line for any number of lines; runs of
//! spaces count as one. A comment `<!-- runs in: NAME -->` says in which world a document is
//! carried out, see [`Stage`].

mod markdown;
mod output;
mod session;

use std::{fs, path::Path};

pub use markdown::{Document, Stage, Step};
pub use session::{DocumentError, Session};

/// Commands that documents show and that are carried out elsewhere: by `.ci/run`, or by a test of
/// their own.
const ELSEWHERE: [&str; 5] = [
    "export KUBECONFIG=",
    "export CLOUD=",
    "cargo play",
    "cargo test --workspace",
    "cargo run --release -p e2e --bin bench",
];

/// Every document below a folder of this repository, or the one with this path.
///
/// # Errors
/// If one cannot be read, or is not as described in this module.
pub fn documents(path: &str) -> Result<Vec<Document>, DocumentError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = vec![path.to_owned()];
    let mut documents = Vec::new();
    while let Some(path) = paths.pop() {
        let full = root.join(&path);
        let unreadable = |error: std::io::Error| DocumentError::Unreadable {
            path: path.clone(),
            source: error,
        };
        if full.is_dir() {
            for entry in fs::read_dir(&full).map_err(unreadable)? {
                let name = entry.map_err(unreadable)?.file_name();
                paths.push(format!("{path}/{}", name.to_string_lossy()));
            }
        } else if path.ends_with(".md") {
            let text = fs::read_to_string(&full).map_err(unreadable)?;
            documents.push(Document::parse(&path, &text)?);
        }
    }
    documents.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(documents)
}

/// Whether a command is carried out elsewhere.
fn is_elsewhere(command: &str) -> bool {
    ELSEWHERE.iter().any(|one| command.starts_with(one))
}
