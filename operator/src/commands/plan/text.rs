//! A plan for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::planned::Summary;
use super::shown::{Shown, ShownBinding, ShownStep};
use crate::core::plan::Action;

/// Characters in a line.
const WIDTH: usize = 96;
/// Characters that the longest label of a row takes, and the gap behind it.
const LABEL: usize = 15;

/// Plans as text, one binding after the other.
pub(crate) fn render(shown: &Shown, colour: bool) -> String {
    let mut printer = Printer {
        out: String::new(),
        colour,
    };
    for binding in &shown.bindings {
        printer.binding(binding);
    }
    printer.total(shown);
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

    fn binding(&mut self, binding: &ShownBinding) {
        let title = self.styled(Style::new().bold(), &binding.title);
        self.line(&title);
        self.wrapped("  ", &binding.about.join(", "));
        self.wrapped("  ", &summary(binding.summary));
        for line in &binding.approval {
            self.wrapped("  ", line);
        }
        for (index, step) in binding.steps.iter().enumerate() {
            self.step(index + 1, step);
        }
        for (title, entries) in &binding.sections {
            self.section(title, entries);
        }
        self.line("");
    }

    fn step(&mut self, number: usize, step: &ShownStep) {
        let (sign, colour) = match step.action {
            Action::Create => ("+", AnsiColor::Green),
            Action::Update => ("~", AnsiColor::Yellow),
            Action::Delete => ("-", AnsiColor::Red),
        };
        let title = format!("{sign} {} {}", step.action.as_str(), step.object);
        let title = self.styled(Style::new().fg_color(Some(colour.into())), &title);
        self.line("");
        self.line(&format!("{number:>4}. {title}"));
        if !step.detail.is_empty() {
            self.wrapped("        ", &step.detail);
        }
        let mut last = "";
        for (label, value) in &step.rows {
            let shown = if label == last { "" } else { label };
            last = label;
            self.wrapped(&format!("        {shown:<LABEL$}"), value);
        }
        if let Some(risk) = &step.risk {
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

    fn total(&mut self, shown: &Shown) {
        let bindings = &shown.bindings;
        let stopped = bindings.iter().filter(|binding| binding.stopped).count();
        let mut text = match bindings.len() {
            1 => "1 binding: ".to_owned(),
            several => format!("{several} bindings: "),
        };
        text.push_str(&summary(shown.total));
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
        for quota in &shown.quotas {
            self.wrapped("Quota: ", quota);
        }
    }
}

fn summary(summary: Summary) -> String {
    format!(
        "{} to create, {} to change, {} to remove.",
        summary.create, summary.update, summary.delete
    )
}

#[cfg(test)]
mod tests {
    use cloud_adapter::gateway::model::{BackendName, BackendSpec, ConsumerId, Environment};
    use crds::v1alpha1::NamespacedName;
    use serde_json::json;

    use super::super::planned::{Planned, Plans};
    use super::*;
    use crate::core::diff::FieldChange;
    use crate::core::key::{ApiKey, ConsumerKey, ObjectKey};
    use crate::core::plan::{Operation, Step};
    use crate::core::quota::{Counted, Quota};

    fn planned() -> Shown {
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
        let quota = |quota, after| Quota {
            quota,
            group: Some("knative".into()),
            limit: 1000,
            used: 998,
            after,
        };
        let quotas = [
            quota(Counted::ApisPerGroup, 999),
            quota(Counted::PluginsPerRegion, 1003),
        ];
        Shown::of(&Plans {
            items: vec![planned],
            quotas: quotas.map(|quota| (Default::default(), quota)).to_vec(),
        })
    }

    #[test]
    fn changes_and_removals_show_their_risk() {
        insta::assert_snapshot!(render(&planned(), false), @r"
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
        Quota: APIs in group knative: 998 now, 999 after this, 1 of 1000 left
        Quota: plugins in the region: 998 now, 1003 after this, which is more than the 1000 that an
               account has by default. Unless yours has more, the cloud refuses the rest.
        ");
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let plain = render(&planned(), false);
        let coloured = render(&planned(), true);
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
