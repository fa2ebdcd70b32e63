//! Names for Kubernetes from names in the cloud, which may be in any script.

use std::collections::BTreeSet;

/// DNS labels, each given out once.
#[derive(Debug, Default)]
pub(super) struct Labels(BTreeSet<String>);

impl Labels {
    /// A label of at most `max` characters like `name`, or `otherwise` if it has no letter that a
    /// label can have; with a number if it is taken.
    pub(super) fn take(&mut self, name: &str, max: usize, otherwise: &str) -> String {
        let plain: String = name
            .chars()
            .map(|c| match c.to_ascii_lowercase() {
                c if c.is_ascii_alphanumeric() => c,
                _ => '-',
            })
            .collect();
        let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
        let plain = words.join("-");
        let base = if plain.is_empty() { otherwise } else { &plain };
        let mut number = 1;
        loop {
            let suffix = match number {
                1 => String::new(),
                number => format!("-{number}"),
            };
            let room = max.saturating_sub(suffix.len());
            let stem: String = base.chars().take(room).collect();
            let label = format!("{}{suffix}", stem.trim_end_matches('-'));
            if self.0.insert(label.clone()) {
                return label;
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_become_labels_that_are_given_out_once() {
        let mut labels = Labels::default();
        for (name, expected) in [
            ("knative_test", "knative-test"),
            ("Knative.Test", "knative-te-2"),
            ("knative-test", "knative-te-3"),
            ("示例", "app"),
            ("示例二", "app-2"),
            ("--a--", "a"),
            ("123456789-abc", "123456789-ab"),
            ("12345678901-x", "12345678901"),
        ] {
            assert_eq!(labels.take(name, 12, "app"), expected, "{name}");
        }
    }
}
