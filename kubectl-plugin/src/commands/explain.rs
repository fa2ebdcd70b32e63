//! `explain`: words without a cluster, objects with one.

use super::print;
use crate::args::Format;
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::knowledge;
use crate::reference::Reference;
use crate::render::explain::{self, Explained};
use crate::render::{Items, machine};

/// What is asked about.
pub(super) enum Asked {
    /// A word of a status, or all of them.
    Words(Option<String>),
    Object(Result<Reference, PluginError>),
}

/// Words begin with a capital letter, which no name of an object does.
pub(super) fn asked(what: Option<String>) -> Asked {
    match what {
        Some(text) if text.contains('/') || !text.starts_with(char::is_uppercase) => {
            Asked::Object(text.parse().map_err(PluginError::Usage))
        }
        word => Asked::Words(word),
    }
}

pub(super) fn words(word: Option<&str>, format: Format) -> Result<(), PluginError> {
    let entries = match word {
        Some(word) => knowledge::about(word),
        None => knowledge::all(),
    };
    if let Some(unknown) = word.filter(|_| entries.is_empty()) {
        return Err(PluginError::Usage(unknown_word(unknown)));
    }
    let shown = match (format.output, word) {
        (Some(format), _) => machine("Explanations", &Items { items: &entries }, format)?,
        (None, Some(_)) => explain::words(&entries),
        (None, None) => explain::index(&entries),
    };
    print(&shown)
}

fn unknown_word(word: &str) -> String {
    let like = knowledge::like(word);
    let hint = if like.is_empty() {
        "`kubectl gatewaybinding explain` lists all there are".to_owned()
    } else {
        format!("is it one of {}?", like.join(", "))
    };
    format!("there is no condition or reason {word:?}; {hint}")
}

pub(super) async fn object(
    cluster: &Cluster,
    reference: &Reference,
    format: Format,
) -> Result<(), PluginError> {
    let explained = Explained::of(&cluster.get(reference).await?);
    let shown = match format.output {
        Some(format) => machine("Explanation", &explained, format)?,
        None => explain::object(&explained),
    };
    print(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_letter_makes_it_a_word() {
        let is_word = |text: &str| matches!(asked(Some(text.to_owned())), Asked::Words(_));
        assert!(is_word("Ready") && !is_word("ready"));
        assert!(!is_word("GatewayConsumer/acme"));
        assert!(matches!(asked(None), Asked::Words(None)));
    }

    #[test]
    fn an_unknown_word_is_answered_with_near_ones() {
        let told = unknown_word("NotFound");
        assert!(told.contains("ConsumerNotFound, "), "{told}");
        assert!(unknown_word("Zzz").contains("lists all"));
    }
}
