//! What words mean, and what is wrong with an object.

use crds::{ConditionType, OrphanCause};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use super::table::table;
use super::wrapped;
use crate::knowledge::{self, Entry, Sort};
use crate::object::Object;
use crate::reference::Kind;

/// All words with their meaning.
pub(crate) fn index(entries: &[Entry]) -> String {
    let row = |entry: &Entry| vec![entry.word.clone(), entry.meaning.clone()];
    let of = |sort: Sort| {
        let entries = entries.iter().filter(|entry| entry.sort == sort);
        entries.map(row).collect::<Vec<_>>()
    };
    let conditions = table(&["CONDITION", "MEANING"], &of(Sort::Condition));
    conditions + "\n" + &table(&["REASON", "MEANING"], &of(Sort::Reason))
}

/// What is said of a word.
pub(crate) fn words(entries: &[Entry]) -> String {
    let texts = entries.iter().map(|entry| {
        let mut out = format!("{} ({})\n", entry.word, entry.sort.as_str());
        wrapped(&mut out, "  ", &entry.meaning);
        let seen = match entry.sort {
            Sort::Condition => "  There:      ",
            Sort::Reason => "  Seen in:    ",
        };
        wrapped(&mut out, seen, &entry.seen);
        if let Some(what) = &entry.what_to_do {
            wrapped(&mut out, "  What to do: ", what);
        }
        out
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// What is to be said about an object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    object: ObjectId,
    ready: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    findings: Vec<Finding>,
    /// Where to look next.
    commands: Vec<String>,
    #[serde(skip)]
    title: String,
}

#[derive(Clone, Debug, Serialize)]
struct ObjectId {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

/// A condition that is not as it should be.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    condition: String,
    status: String,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_to_do: Option<String>,
}

impl Explained {
    pub(crate) fn of(object: &Object) -> Self {
        let standing = object.standing();
        let known = standing.reason.is_some() && !object.conditions().is_empty();
        let findings: Vec<Finding> = object
            .conditions()
            .iter()
            .filter(|condition| is_finding(condition, object.conditions()))
            .map(finding)
            .collect();
        let summary = match (standing.is_ready(), findings.is_empty()) {
            (false, true) => Some(standing.message.clone()),
            (false, false) if standing.ready == "Unknown" && known => {
                Some(standing.message.clone())
            }
            _ => None,
        };
        Self {
            object: ObjectId {
                kind: object.kind().as_str(),
                namespace: object.namespace().map(str::to_owned),
                name: object.name().to_owned(),
            },
            ready: standing.ready,
            summary: summary.filter(|text| !text.is_empty()),
            findings,
            commands: commands(object),
            title: object.title(),
        }
    }
}

/// Ready repeats the others, so it counts only where it stands alone; Reconciling and Stalled say
/// how it goes on.
fn is_finding(condition: &Condition, all: &[Condition]) -> bool {
    match ConditionType::parse(&condition.type_) {
        Some(ConditionType::Reconciling | ConditionType::Stalled) => false,
        Some(ConditionType::Ready) => {
            let alone = all.iter().all(|other| {
                other.status == "True"
                    || ConditionType::parse(&other.type_) == Some(ConditionType::Ready)
            });
            condition.status != "True" && alone
        }
        Some(_) => condition.status != "True",
        None => false,
    }
}

fn finding(condition: &Condition) -> Finding {
    let known = knowledge::reason(&condition.reason);
    let (meaning, what_to_do) = known.map_or((None, None), |entry| {
        (Some(entry.meaning), entry.what_to_do)
    });
    Finding {
        condition: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        meaning,
        what_to_do,
    }
}

fn commands(object: &Object) -> Vec<String> {
    let reference = object.reference();
    let namespace = object.namespace();
    let namespace = namespace
        .map(|name| format!(" -n {name}"))
        .unwrap_or_default();
    let kind = reference.kind.as_str().to_lowercase();
    let name = &reference.name;
    let mut commands = vec![format!("kubectl describe{namespace} {kind} {name}")];
    if reference.kind == Kind::Binding {
        commands.push(format!("kubectl gatewaybinding tree{namespace} {name}"));
    }
    if let Object::Class(class) = object {
        let orphans = class
            .status
            .as_ref()
            .map_or(&[][..], |status| &status.orphans);
        if orphans
            .iter()
            .any(|orphan| orphan.cause != OrphanCause::Retained)
        {
            commands.push(format!("kubectl gatewaybinding orphans {name}"));
        }
    }
    commands
}

/// What is wrong with an object, for people.
pub(crate) fn object(explained: &Explained) -> String {
    let mut out = format!("{}: Ready is {}\n", explained.title, explained.ready);
    if let Some(summary) = &explained.summary {
        wrapped(&mut out, "  ", summary);
    }
    if explained.ready == "True" {
        out.push_str("  Nothing is wrong.\n");
        return out;
    }
    for finding in &explained.findings {
        out.push_str(&format!(
            "\n{} is {}: {}\n",
            finding.condition, finding.status, finding.reason
        ));
        if let Some(meaning) = &finding.meaning {
            wrapped(&mut out, "  ", meaning);
        }
        if !finding.message.is_empty() {
            wrapped(&mut out, "  Message:    ", &finding.message);
        }
        if let Some(what) = &finding.what_to_do {
            wrapped(&mut out, "  What to do: ", what);
        }
    }
    out.push_str("\nLook further with\n");
    for command in &explained.commands {
        out.push_str(&format!("  {command}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{binding, broken, unobserved};

    #[test]
    fn a_word_is_explained_in_the_words_of_the_documents() {
        insta::assert_snapshot!("explain-word", words(&knowledge::about("PathConflict")));
        // Both a condition and a reason.
        insta::assert_snapshot!("explain-both", words(&knowledge::about("Ready")));
        assert!(index(&knowledge::all()).contains("\nConsumerNotFound "));
    }

    #[test]
    fn of_an_object_only_what_is_wrong_is_explained() {
        let explain = |binding| object(&Explained::of(&Object::Binding(Box::new(binding))));
        insta::assert_snapshot!("explain-broken", explain(broken()));
        insta::assert_snapshot!("explain-unobserved", explain(unobserved()));
        let text = explain(binding());
        assert_eq!(
            text,
            "GatewayBinding shop/cart: Ready is True\n  Nothing is wrong.\n"
        );
    }
}
