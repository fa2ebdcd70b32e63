//! From what was fetched to what is printed. Nothing here knows a cluster or a clock.

mod age;
pub(crate) mod explain;
pub(crate) mod orphans;
pub(crate) mod plan;
pub(crate) mod status;
mod table;
pub(crate) mod tree;

use serde::Serialize;

use crate::args::Machine;
use crate::error::PluginError;

/// Characters in a line of prose.
const WIDTH: usize = 96;

/// A document for programs, with `apiVersion` and `kind` before the rest.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, T> {
    api_version: String,
    kind: &'a str,
    #[serde(flatten)]
    rest: &'a T,
}

/// A document for programs.
pub(crate) fn machine<T: Serialize>(
    kind: &str,
    rest: &T,
    format: Machine,
) -> Result<String, PluginError> {
    let document = Document {
        api_version: format!("{}/{}", crds::GROUP, crds::VERSION),
        kind,
        rest,
    };
    Ok(match format {
        Machine::Json => serde_json::to_string_pretty(&document)? + "\n",
        Machine::Yaml => yaml(&document)?,
    })
}

/// Anything as YAML.
pub(crate) fn yaml<T: Serialize>(value: &T) -> Result<String, PluginError> {
    // By way of JSON values, which have no types that YAML would spell in its own way.
    let text = serde_saphyr::to_string(&serde_json::to_value(value)?)?;
    Ok(text.trim_end().to_owned() + "\n")
}

/// A list of things.
#[derive(Serialize)]
pub(crate) struct Items<'a, T> {
    pub(crate) items: &'a [T],
}

/// Text that starts behind `first` and goes on below its own beginning.
fn wrapped(out: &mut String, first: &str, text: &str) {
    let indent = " ".repeat(first.chars().count());
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    for line in textwrap::wrap(text, options) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
