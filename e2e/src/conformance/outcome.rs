//! What the suite said of each case, from what it printed.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;

use super::cases::{Case, Said};

/// The longest reason that is shown.
const LONGEST: usize = 160;

#[expect(clippy::unwrap_used, reason = "constant expressions, tested below")]
fn regex(expression: &str) -> Regex {
    Regex::new(expression).unwrap()
}

static END: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^\s*--- (PASS|FAIL|SKIP): TestIngressConformance/(\S+) \((\d+\.\d+)s\)$")
});
static ABOUT: LazyLock<Regex> = LazyLock::new(|| regex(r"^=== \w+\s+TestIngressConformance/(\S+)"));
static SAYS: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s+\w+\.go:\d+: (.*)$"));
static ERROR: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\berror\b|unexpected|wanted|unable|does not|timed out"));
/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The case.
    case: Case,
    /// Whether it passed; `None` if the suite does not say.
    passed: Option<bool>,
    seconds: String,
    /// Why it did not.
    why: String,
}

impl Outcome {
    /// Whether it is what the table says.
    pub(super) fn is_expected(&self) -> bool {
        self.passed == Some(self.case.said == Said::Passes)
    }
}

/// The test that a line says the end of: what came of it, its name and its seconds.
pub(super) fn end(line: &str) -> Option<(&str, &str, &str)> {
    let (_, [result, name, seconds]) = END.captures(line)?.extract();
    Some((result, name, seconds))
}

/// The outcomes of these cases.
pub(super) fn read(log: &str, cases: &[&Case]) -> Vec<Outcome> {
    let ends: BTreeMap<&str, (&str, &str)> = log
        .lines()
        .filter_map(end)
        .map(|(result, name, seconds)| (name, (result, seconds)))
        .collect();
    let reasons = reasons(log, cases);
    let outcome = |case: &&Case| {
        let end = ends.get(case.name.as_str());
        let passed = end.and_then(|(result, _)| match *result {
            "PASS" => Some(true),
            "FAIL" => Some(false),
            _ => None,
        });
        let why = match passed {
            Some(true) => String::new(),
            Some(false) => reasons.get(&case.name).cloned().unwrap_or_default(),
            None => "the suite did not run it to its end".to_owned(),
        };
        Outcome {
            case: (*case).clone(),
            passed,
            seconds: end.map_or_else(String::new, |(_, seconds)| (*seconds).to_owned()),
            why,
        }
    };
    cases.iter().map(outcome).collect()
}

/// The first line of each case that sounds like an error.
fn reasons(log: &str, cases: &[&Case]) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    let mut about = None;
    for line in log.lines() {
        if let Some(found) = ABOUT.captures(line) {
            about = case_of(&found[1], cases);
        } else if let (Some(case), Some(says)) = (about, SAYS.captures(line))
            && ERROR.is_match(&says[1])
        {
            let reason = reasons.entry(case.name.clone());
            reason.or_insert_with(|| shortened(&says[1]));
        }
    }
    reasons
}

/// The case that a test belongs to: the one with the longest name that its name begins with.
fn case_of<'a>(test: &str, cases: &[&'a Case]) -> Option<&'a Case> {
    let is_of = |case: &&&Case| {
        let rest = test.strip_prefix(&case.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = cases.iter().filter(is_of);
    found.max_by_key(|case| case.name.len()).copied()
}

/// What a line says. Where the suite stopped to wait, it says at length what it saw last: nothing.
fn shortened(line: &str) -> String {
    if line.contains("is not in desired state") {
        return "an Ingress did not become Ready".to_owned();
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// A table of outcomes, and what they come to.
pub(super) fn table(outcomes: &[Outcome], version: &str) -> String {
    let mut lines = vec![format!("knative.dev/networking {version}")];
    for outcome in outcomes {
        let word = match outcome.passed {
            Some(true) => "passes",
            Some(false) => "fails",
            None => "?",
        };
        let remark = match (outcome.is_expected(), outcome.why.as_str()) {
            (true, why) => why.to_owned(),
            (false, why) => format!("NOT AS DOCUMENTED {why}"),
        };
        let line = format!(
            "{:<28} {word:<6} {:>7} s  {remark}",
            outcome.case.name, outcome.seconds
        );
        lines.push(line.trim_end().to_owned());
    }
    let expected = outcomes.iter().filter(|one| one.is_expected()).count();
    lines.push(format!(
        "{expected} of {} cases as docs/conformance-alb.md says",
        outcomes.len()
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
=== RUN   TestIngressConformance
=== RUN   TestIngressConformance/visibility
=== PAUSE TestIngressConformance/visibility
=== CONT  TestIngressConformance/visibility/path
    util.go:116: [ingress-conformance-0] Using port 65
=== NAME  TestIngressConformance/visibility
    util.go:116: [ingress-conformance-1] Using port 66
=== RUN   TestIngressConformance/visibility/fqdn
    visibility.go:70: Error meeting response expectations: got unexpected status: 503, expected map[404:{}]
    util.go:1100: Error another
=== NAME  TestIngressConformance/grpc
    grpc.go:55: Error waiting for ingress \"a\" state: ingress is not in desired state, got: &{}: would exceed context deadline
--- FAIL: TestIngressConformance (20.19s)
    --- PASS: TestIngressConformance/visibility/path (3.21s)
    --- FAIL: TestIngressConformance/visibility (4.01s)
        --- FAIL: TestIngressConformance/visibility/fqdn (0.01s)
    --- FAIL: TestIngressConformance/grpc (600.00s)
    --- SKIP: TestIngressConformance/basics (0.00s)
FAIL
";

    fn case(name: &str, said: Said) -> Case {
        let name = name.to_owned();
        Case { name, said }
    }

    #[test]
    fn outcomes_are_those_of_the_cases_themselves() {
        let cases = [
            case("visibility", Said::Fails),
            case("visibility/path", Said::Fails),
            case("grpc", Said::Fails),
            case("basics", Said::Passes),
        ];
        let cases: Vec<&Case> = cases.iter().collect();
        let outcomes = read(LOG, &cases);
        let found: Vec<_> = outcomes
            .iter()
            .map(|one| {
                (
                    one.passed,
                    one.seconds.as_str(),
                    one.why.as_str(),
                    one.is_expected(),
                )
            })
            .collect();
        let status =
            "Error meeting response expectations: got unexpected status: 503, expected map[404:{}]";
        assert_eq!(
            found,
            [
                (Some(false), "4.01", status, true),
                (Some(true), "3.21", "", false),
                (
                    Some(false),
                    "600.00",
                    "an Ingress did not become Ready",
                    true
                ),
                (None, "0.00", "the suite did not run it to its end", false),
            ]
        );
        let shown = table(&outcomes, "v0");
        assert!(shown.contains("NOT AS DOCUMENTED"), "{shown}");
        assert!(
            shown.ends_with("2 of 4 cases as docs/conformance-alb.md says"),
            "{shown}"
        );
    }
}
