//! A plan for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use crds::v1alpha1::{FieldConflict, Mode};

use super::explain::explain;
use super::planned::{Planned, Summary};
use crate::core::plan::{Action, Step};

/// Characters in a line.
const WIDTH: usize = 96;
/// Characters that the longest label of a row takes, and the gap behind it.
const LABEL: usize = 15;

/// Plans as text, one binding after the other.
pub(super) fn render(plans: &[Planned], colour: bool) -> String {
    let mut printer = Printer {
        out: String::new(),
        colour,
    };
    for planned in plans {
        printer.binding(planned);
    }
    printer.total(plans);
    printer.out
}

struct Printer {
    out: String,
    colour: bool,
}

impl Printer {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Text that starts after `first` and goes on under its own beginning.
    fn wrapped(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(first.chars().count());
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(first)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        for line in textwrap::wrap(text, options) {
            self.line(&line);
        }
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn binding(&mut self, planned: &Planned) {
        let bold = Style::new().bold();
        let title = format!("GatewayBinding {}", planned.binding);
        let title = self.styled(bold, &title);
        self.line(&title);
        let mut about: Vec<String> = Vec::new();
        about.extend(planned.class.as_ref().map(|class| format!("class {class}")));
        let gateway = planned.gateway.as_ref();
        about.extend(gateway.map(|gateway| format!("gateway {gateway}")));
        about.push(
            match planned.mode {
                Mode::Apply => "mode Apply",
                Mode::Plan => "mode Plan: none of this is done before the mode is Apply",
                Mode::Suspend => "mode Suspend: none of this is done before the mode is Apply",
            }
            .to_owned(),
        );
        self.wrapped("  ", &about.join(", "));
        self.wrapped("  ", &summary(planned.summary()));
        for (index, step) in planned.steps.iter().enumerate() {
            self.step(index + 1, step, planned);
        }
        self.section("Taken for granted", &planned.assumptions);
        let conflicts: Vec<String> = planned.conflicts.iter().map(conflict).collect();
        self.section("Set otherwise by another binding", &conflicts);
        let problems: Vec<String> = planned
            .problems
            .iter()
            .map(|problem| {
                format!(
                    "{} ({} is not True): {}",
                    problem.reason, problem.condition, problem.message
                )
            })
            .collect();
        self.section("Problems", &problems);
        self.line("");
    }

    fn step(&mut self, number: usize, step: &Step, planned: &Planned) {
        let explained = explain(step, planned);
        let (sign, colour) = match step.operation.action() {
            Action::Create => ("+", AnsiColor::Green),
            Action::Update => ("~", AnsiColor::Yellow),
            Action::Delete => ("-", AnsiColor::Red),
        };
        let title = format!(
            "{sign} {} {}",
            step.operation.action().as_str(),
            explained.object
        );
        let title = self.styled(Style::new().fg_color(Some(colour.into())), &title);
        self.line("");
        self.line(&format!("{number:>4}. {title}"));
        self.wrapped("        ", &explained.detail);
        let mut last = "";
        for (label, value) in &explained.rows {
            let shown = if *label == last { "" } else { *label };
            last = label;
            self.wrapped(&format!("        {shown:<LABEL$}"), value);
        }
        if let Some(risk) = step.operation.risk() {
            self.wrapped(&format!("        {:<LABEL$}", "risk"), risk);
        }
    }

    fn section(&mut self, title: &str, entries: &[String]) {
        if entries.is_empty() {
            return;
        }
        self.line("");
        let title = self.styled(Style::new().bold(), &format!("  {title}:"));
        self.line(&title);
        for entry in entries {
            self.wrapped("  - ", entry);
        }
    }

    fn total(&mut self, plans: &[Planned]) {
        let sum = plans
            .iter()
            .map(Planned::summary)
            .fold(Summary::default(), std::ops::Add::add);
        let stopped = plans.iter().filter(|planned| planned.is_stopped()).count();
        let mut text = match plans.len() {
            1 => "1 binding: ".to_owned(),
            several => format!("{several} bindings: "),
        };
        text.push_str(&summary(sum));
        match stopped {
            0 => {}
            1 => text.push_str(" 1 of them cannot be as it says until its problems are solved."),
            several => {
                let _ = write!(
                    text,
                    " {several} of them cannot be as they say until their problems are solved."
                );
            }
        }
        self.wrapped("", &text);
    }
}

fn summary(summary: Summary) -> String {
    format!(
        "{} to create, {} to change, {} to remove.",
        summary.create, summary.update, summary.delete
    )
}

fn conflict(conflict: &FieldConflict) -> String {
    let value = |value: &Option<String>| value.as_deref().unwrap_or("a value").to_owned();
    let holder = conflict
        .held_by
        .as_ref()
        .map_or_else(|| "another binding".to_owned(), ToString::to_string);
    format!(
        "{} of {}: wanted \"{}\", but GatewayBinding {holder} holds it with \"{}\". Agree on one value, or leave the field out here.",
        conflict.field,
        conflict.object,
        value(&conflict.wanted),
        value(&conflict.held)
    )
}

#[cfg(test)]
mod tests {
    use cloud_adapter::gateway::model::{BackendName, BackendSpec, ConsumerId, Environment};
    use crds::v1alpha1::NamespacedName;
    use serde_json::json;

    use super::*;
    use crate::core::diff::FieldChange;
    use crate::core::key::{ApiKey, ConsumerKey, ObjectKey};
    use crate::core::plan::Operation;

    fn planned() -> Planned {
        let api = ApiKey {
            group: "knative".into(),
            name: "default_helloworld_all".into(),
        };
        let grant = ObjectKey::Grant {
            api: api.clone(),
            environment: Environment::Release,
            consumer: ConsumerKey {
                namespace: "default".into(),
                name: "knative".into(),
            },
        };
        let backend = BackendSpec {
            name: BackendName("gwb".into()),
            vpc_id: "vpc-1".into(),
            load_balancer_id: "lb-2".into(),
            port: 80,
            host_override: None,
        };
        let step = |key, operation, changes| Step {
            key,
            operation,
            changes,
        };
        let mut planned = Planned::new(NamespacedName {
            namespace: "default".into(),
            name: "helloworld".into(),
        });
        planned.steps = vec![
            step(
                grant,
                Operation::Revoke {
                    consumer: ConsumerId("1".into()),
                },
                Vec::new(),
            ),
            step(
                ObjectKey::Backend { name: "gwb".into() },
                Operation::UpdateBackend(backend),
                vec![FieldChange {
                    path: "loadBalancerId".into(),
                    from: Some(json!("lb-1")),
                    to: Some(json!("lb-2")),
                }],
            ),
            step(
                ObjectKey::Deployment {
                    api,
                    environment: Environment::Test,
                },
                Operation::Undeploy,
                Vec::new(),
            ),
        ];
        planned
    }

    #[test]
    fn changes_and_removals_show_their_risk() {
        insta::assert_snapshot!(render(&[planned()], false), @r"
        GatewayBinding default/helloworld
          mode Apply
          0 to create, 1 to change, 2 to remove.

           1. - delete permission of consumer default/knative for default_helloworld_all in Release
                Takes the consumer's permission away.
                risk           the consumer is refused from now on

           2. ~ update VPC authorization gwb
                Points the API gateway to another load balancer or port.
                change         loadBalancerId: lb-1 → lb-2
                risk           moves every API behind this backend

           3. - delete publication of default_helloworld_all in Test
                Takes the API offline.
                risk           requests to this API are refused from now on

        1 binding: 0 to create, 1 to change, 2 to remove.
        ");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let plain = render(&[planned()], false);
        let coloured = render(&[planned()], true);
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
