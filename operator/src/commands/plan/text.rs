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
