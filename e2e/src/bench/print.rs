//! What was measured, for people.

use super::{
    calls::ByAction,
    report::{Cost, Edit, Run, Size},
};

/// What one size is to keep to after a cold start with everything in place.
struct Goal {
    bindings: usize,
    seconds: f64,
    lists: Option<u64>,
    peak_mib: f64,
}

const GOALS: [Goal; 2] = [
    Goal {
        bindings: 1000,
        seconds: 30.0,
        lists: Some(60),
        peak_mib: 60.0,
    },
    Goal {
        bindings: 5000,
        seconds: 90.0,
        lists: None,
        peak_mib: 150.0,
    },
];

type Row = (&'static str, fn(&Size) -> String);

const ROWS: [Row; 30] = [
    ("bindings", |s| s.bindings.to_string()),
    ("namespaces, groups, consumers", |s| {
        format!("{}, {}, {}", s.namespaces, s.groups, s.consumers)
    }),
    ("FROM NOTHING", |_| String::new()),
    ("last apply after", |s| seconds(s.fill.apply_seconds)),
    ("all Ready after", |s| seconds(s.fill.ready_seconds)),
    ("mutating calls / binding", |s| {
        each(s.fill.cost.mutating(), s)
    }),
    ("reading calls / binding", |s| {
        each(s.fill.cost.lists() + s.fill.cost.details(), s)
    }),
    ("calls throttled", |s| s.fill.cost.throttled().to_string()),
    ("API server requests / binding", |s| {
        each(s.fill.cost.requests(), s)
    }),
    ("API server writes / binding", |s| {
        each(s.fill.cost.writes(), s)
    }),
    ("passes / binding", |s| each(s.fill.passes, s)),
    ("CPU", |s| seconds(s.fill.cost.cpu_seconds)),
    ("peak memory", |s| mib(&s.fill.cost)),
    ("COLD START, ALL IN PLACE", |_| String::new()),
    ("all known good after", |s| {
        seconds(s.cold_start.known_good_seconds)
    }),
    ("list calls", |s| s.cold_start.cost.lists().to_string()),
    ("reads of one object", |s| {
        s.cold_start.cost.details().to_string()
    }),
    ("mutating calls", |s| {
        s.cold_start.cost.mutating().to_string()
    }),
    ("calls throttled", |s| {
        s.cold_start.cost.throttled().to_string()
    }),
    ("API server requests", |s| {
        s.cold_start.cost.requests().to_string()
    }),
    ("API server writes", |s| {
        s.cold_start.cost.writes().to_string()
    }),
    ("CPU", |s| seconds(s.cold_start.cost.cpu_seconds)),
    ("peak memory", |s| mib(&s.cold_start.cost)),
    ("ONE SWEEP", |_| String::new()),
    ("from first list to last pass", |s| seconds(s.sweep.seconds)),
    ("list calls + reads of one", |s| {
        format!("{} + {}", s.sweep.cost.lists(), s.sweep.cost.details())
    }),
    ("writes, cloud + API server", |s| {
        format!("{} + {}", s.sweep.cost.mutating(), s.sweep.cost.writes())
    }),
    ("CPU", |s| seconds(s.sweep.cost.cpu_seconds)),
    ("edit to first call, median / worst", |s| edits(&s.edits)),
    ("CPU of the emulator, whole run", |s| {
        seconds(s.emulator_cpu_seconds)
    }),
];

fn seconds(value: f64) -> String {
    format!("{value:.1} s")
}

fn each(count: u64, size: &Size) -> String {
    format!("{:.2}", count as f64 / size.bindings as f64)
}

fn mib(cost: &Cost) -> String {
    format!("{:.0} MiB", cost.peak_mib)
}

fn edits(edits: &[Edit]) -> String {
    let mut all: Vec<f64> = edits.iter().map(|edit| edit.seconds).collect();
    all.sort_by(f64::total_cmp);
    match (all.get(all.len() / 2), all.last()) {
        (Some(median), Some(worst)) => {
            format!("{median:.2} / {worst:.2} s of {}", all.len())
        }
        _ => "the sweep was over first".to_owned(),
    }
}

/// The whole run as text.
pub(super) fn text(run: &Run) -> String {
    let machine = &run.machine;
    let mut text = format!(
        "{} cores, {} build, load before {}; the cloud allows {} calls per second and action, the class {}\n\n",
        machine.cores, machine.profile, machine.load_before, run.quota, run.call_budget
    );
    let rows: Vec<Vec<String>> = ROWS
        .iter()
        .map(|(label, value)| {
            let values = run.sizes.iter().map(value);
            std::iter::once((*label).to_owned()).chain(values).collect()
        })
        .collect();
    text.push_str(&table(&rows));
    for size in &run.sizes {
        text.push_str(&format!("\nCALLS BY ACTION, {} bindings\n", size.bindings));
        text.push_str(&by_action(size));
        text.push_str(&format!(
            "\nREQUESTS TO THE API SERVER, {} bindings\n",
            size.bindings
        ));
        text.push_str(&by_request(size));
    }
    text.push_str("\nAGAINST THE GOALS\n");
    text.push_str(&against_goals(run));
    text
}

fn by_action(size: &Size) -> String {
    columns(size, |cost| {
        let calls = &cost.calls;
        let mut all = ByAction::new();
        for counted in [&calls.mutating, &calls.lists, &calls.details] {
            all.extend(counted.iter().map(|(action, n)| (action.clone(), *n)));
        }
        let of = |what: &str, counted: &ByAction| -> Vec<(String, u64)> {
            let label = |action: &String| format!("  {what} {action}");
            counted.iter().map(|(a, n)| (label(a), *n)).collect()
        };
        all.extend(of("throttled:", &calls.throttled));
        all.extend(of("refused:", &calls.refused));
        all
    })
}

fn by_request(size: &Size) -> String {
    columns(size, |cost| cost.requests.clone())
}

/// One line for each key, with its counts in the three parts.
fn columns(size: &Size, counted: impl Fn(&Cost) -> ByAction) -> String {
    let parts = [&size.fill.cost, &size.cold_start.cost, &size.sweep.cost].map(counted);
    let mut keys: Vec<&String> = parts.iter().flat_map(ByAction::keys).collect();
    keys.sort();
    keys.dedup();
    let head = ["", "from nothing", "cold start", "sweep"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    rows.extend(keys.into_iter().map(|key| {
        let counts = parts
            .iter()
            .map(|part| part.get(key).copied().unwrap_or_default().to_string());
        std::iter::once(key.clone()).chain(counts).collect()
    }));
    table(&rows)
}

/// The first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if index == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn against_goals(run: &Run) -> String {
    let mut text = String::new();
    for goal in &GOALS {
        let Some(size) = run.sizes.iter().find(|size| size.bindings == goal.bindings) else {
            text.push_str(&format!("{} bindings: not measured.\n", goal.bindings));
            continue;
        };
        text.push_str(&format!(
            "{} bindings, cold start with everything in place:\n",
            goal.bindings
        ));
        let cold = &size.cold_start;
        let cost = &cold.cost;
        let writes = cost.mutating() + cost.writes();
        let mut say = |met: bool, what: String| {
            let verdict = if met { "met    " } else { "NOT MET" };
            text.push_str(&format!("  {verdict}  {what}\n"));
        };
        say(
            cold.known_good_seconds < goal.seconds,
            format!(
                "known good after {:.1} s, goal under {} s",
                cold.known_good_seconds, goal.seconds
            ),
        );
        say(writes == 0, format!("{writes} writes, goal none"));
        if let Some(lists) = goal.lists {
            say(
                cost.lists() <= lists,
                format!("{} list calls, goal at most {lists}", cost.lists()),
            );
        }
        say(
            cost.peak_mib < goal.peak_mib,
            format!(
                "peak memory {:.0} MiB, goal under {} MiB",
                cost.peak_mib, goal.peak_mib
            ),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["a", "100"]), row(["longer", "5"]), row(["", ""])]);
        assert_eq!(text, "a       100\nlonger    5\n\n");
    }

    #[test]
    fn edits_are_summed_up() {
        let edit = |seconds| Edit {
            seconds,
            passes_before: 0,
        };
        assert_eq!(
            edits(&[edit(3.0), edit(1.0), edit(2.0)]),
            "2.00 / 3.00 s of 3"
        );
        assert_eq!(edits(&[]), "the sweep was over first");
    }
}
