//! What was measured, for people.

use super::Figures;

/// A Markdown table, a column for each layer and size.
pub(super) fn text(figures: &[Figures]) -> String {
    type Row = (&'static str, fn(&Figures) -> String);
    let rows: [Row; 8] = [
        ("last Ingress applied after", |f| {
            seconds(f.applied.as_secs_f64())
        }),
        ("all made after", |f| seconds(f.made.as_secs_f64())),
        ("CPU", |f| seconds(f.cpu_seconds)),
        ("peak memory", |f| format!("{:.0} MiB", f.peak_mib)),
        ("API server writes / Ingress", |f| {
            format!("{:.2}", f.writes as f64 / f.ingresses as f64)
        }),
        ("restart, nothing changed: CPU", |f| {
            seconds(f.again.cpu_seconds)
        }),
        ("restart: peak memory", |f| {
            format!("{:.0} MiB", f.again.peak_mib)
        }),
        ("restart: API server writes", |f| f.again.writes.to_string()),
    ];
    let mut text = String::from("| |");
    for one in figures {
        text += &format!(
            " {}, {} ({}) |",
            one.layer.name(),
            one.ingresses,
            one.layer.made_is()
        );
    }
    text += "\n|---|";
    text += &"---:|".repeat(figures.len());
    for (name, cell) in rows {
        text += &format!("\n| {name} |");
        for one in figures {
            text += &format!(" {} |", cell(one));
        }
    }
    text
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}
