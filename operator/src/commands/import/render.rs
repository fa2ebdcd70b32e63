//! Manifests as YAML, with what a reader should know as comments.

use std::fmt::Write;

use crate::core::import::Import;

/// What no import looks at.
const UNSEEN: &str = "Not looked at, and left as it is: custom domains, log settings, throttling, IP control and back-end signatures of the kinds that came before plugins, and permissions of apps of other accounts.";

/// One stream of documents.
///
/// # Errors
///
/// If a manifest cannot be written as YAML.
pub(super) fn yaml(import: &Import) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    comment(
        &mut text,
        "Adopts what is there as it is. Read it, and let `gatewaybinding-operator plan -f FILE --kubeconfig FILE` show that it changes nothing, before you apply it.",
    );
    comment(&mut text, UNSEEN);
    for what in &import.left {
        comment(&mut text, &format!("Not imported: {what}"));
    }
    for (index, manifest) in import.manifests.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        for note in &manifest.notes {
            comment(&mut text, note);
        }
        text.push_str(&serde_saphyr::to_string(&manifest.object)?);
    }
    Ok(text)
}

/// One line: a name in the cloud can hold anything, and must not end the comment.
fn comment(text: &mut String, words: &str) {
    let plain: String = words
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let _ = writeln!(text, "# {plain}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::import::Manifest;
    use serde_json::json;

    #[test]
    fn a_name_cannot_leave_its_comment_and_an_id_is_no_number() {
        let import = Import {
            manifests: vec![Manifest {
                notes: vec!["an app \"a\nkind: Secret\u{2028}x\"".to_owned()],
                object: json!({"kind": "GatewayBindingClass", "id": "38e81718"}),
            }],
            left: vec!["API \"x\r\n---\"".to_owned()],
        };
        let text = yaml(&import).unwrap();
        let outside: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(outside, ["id: \"38e81718\"", "kind: GatewayBindingClass"]);
        assert!(text.contains("# Not imported: API \"x  ---\""), "{text}");
    }
}
