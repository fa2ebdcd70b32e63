//! What was measured, for people.

use super::{Figures, Ready, layer::Layer};

/// What is told of a layer: in words, and as a number of which less is better.
type Cell = fn(&Figures) -> (String, Option<f64>);

/// The names of rows, whether layers are compared in it, and its cells.
const ROWS: [(&str, bool, Cell); 9] = [
    ("last Ingress applied after", false, |f| {
        seconds(f.applied.as_secs_f64())
    }),
    ("all made after", true, |f| seconds(f.made.as_secs_f64())),
    ("CPU", true, |f| seconds(f.cpu_seconds)),
    ("peak memory", true, |f| mib(f.peak_mib)),
    ("API server writes / Ingress", true, |f| {
        let writes = f.writes as f64 / f.ingresses as f64;
        (format!("{writes:.2}"), Some(writes))
    }),
    ("restart, nothing changed: CPU", true, |f| {
        seconds(f.again.cpu_seconds)
    }),
    ("restart: peak memory", true, |f| mib(f.again.peak_mib)),
    ("restart: API server writes", true, |f| {
        (f.again.writes.to_string(), Some(f.again.writes as f64))
    }),
    ("all Ready after", false, |f| match &f.ready {
        Ready::After(time) => seconds(time.as_secs_f64()),
        Ready::NotMeasured(why) => (format!("not measured: {why}"), None),
    }),
];

/// A Markdown table: a column for each layer, and behind those of one size who leads.
pub(super) fn text(figures: &[Figures]) -> String {
    let sizes: Vec<&[Figures]> = figures
        .chunk_by(|one, next| one.ingresses == next.ingresses)
        .collect();
    let mut text = String::from("| |");
    let mut columns = 0;
    for size in &sizes {
        for one in *size {
            let (name, number, made) = (one.layer.name(), one.ingresses, one.layer.made_is());
            text += &format!(" {name}, {number} ({made}) |");
        }
        text += &leads_heading(size);
        columns += size.len() + usize::from(is_compared(size));
    }
    text += "\n|---|";
    text += &"---:|".repeat(columns);
    for (name, compared, cell) in ROWS {
        text += &format!("\n| {name} |");
        for size in &sizes {
            for one in *size {
                text += &format!(" {} |", cell(one).0);
            }
            if is_compared(size) {
                let leads = if compared { leader(size, cell) } else { None };
                text += &format!(" {} |", leads.unwrap_or_default());
            }
        }
    }
    text
}

fn leads_heading(size: &[Figures]) -> String {
    match size.first().filter(|_| is_compared(size)) {
        Some(first) => format!(" leads, {} |", first.ingresses),
        None => String::new(),
    }
}

/// Layers that make objects; those that do not stand there for information.
fn compared(size: &[Figures]) -> impl Iterator<Item = &Figures> {
    size.iter().filter(|one| one.layer.child().is_some())
}

fn is_compared(size: &[Figures]) -> bool {
    compared(size).count() > 1
}

/// Who needs least, and if that is not ours, by how much ours needs more. What looks the same is the same.
fn leader(size: &[Figures], cell: Cell) -> Option<String> {
    let least = compared(size).filter_map(|one| Some((one, cell(one).1?)));
    let (first, least) = least.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let ties = compared(size).filter(|one| cell(one).0 == cell(first).0);
    let names: Vec<&str> = ties.map(|one| one.layer.name()).collect();
    let mut text = names.join(", ");
    let ours = compared(size).find(|one| one.layer == Layer::Alb);
    if let Some((ours, name)) = ours.map(|ours| (cell(ours), ours.layer.name()))
        && !names.contains(&name)
        && let Some(ours) = ours.1
    {
        if least > 0.0 {
            text += &format!(" ({name}: {:.2} times as much)", ours / least);
        } else {
            text += &format!(" ({name}: more)");
        }
    }
    Some(text)
}

fn seconds(seconds: f64) -> (String, Option<f64>) {
    (format!("{seconds:.1} s"), Some(seconds))
}

fn mib(mib: f64) -> (String, Option<f64>) {
    (format!("{mib:.0} MiB"), Some(mib))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::ingresses::Restart;

    fn figures(layer: Layer, ingresses: usize, cpu_seconds: f64, peak_mib: f64) -> Figures {
        Figures {
            layer,
            ingresses,
            applied: Duration::from_secs(4),
            made: Duration::from_millis(5100),
            cpu_seconds,
            peak_mib,
            writes: 3 * ingresses as u64,
            again: Restart {
                cpu_seconds: 0.3,
                peak_mib,
                writes: 0,
            },
            ready: Ready::NotMeasured("no gateway".to_owned()),
        }
    }

    #[test]
    fn each_row_says_who_leads_among_those_that_make_objects() {
        let text = text(&[
            figures(Layer::Alb, 500, 2.0, 60.0),
            figures(Layer::NetGatewayApi, 500, 1.0, 90.0),
            figures(Layer::NetKourier, 500, 0.5, 30.0),
            figures(Layer::Alb, 2000, 2.0, 60.0),
        ]);
        let row = |name: &str| {
            let start = format!("| {name} |");
            let mut rows = text.lines();
            rows.find_map(|line| line.strip_prefix(&start)).unwrap()
        };
        let heads = " alb, 500 (Ingresses made) | net-gateway-api, 500 (HTTPRoutes made) | net-kourier, 500 (Ready) | leads, 500 | alb, 2000 (Ingresses made) |";
        assert_eq!(text.lines().next().unwrap(), format!("| |{heads}"));
        assert_eq!(text.lines().nth(1).unwrap().matches("---:").count(), 5);
        assert_eq!(
            row("CPU"),
            " 2.0 s | 1.0 s | 0.5 s | net-gateway-api (alb: 2.00 times as much) | 2.0 s |"
        );
        assert_eq!(
            row("peak memory"),
            " 60 MiB | 90 MiB | 30 MiB | alb | 60 MiB |"
        );
        let writes = row("restart: API server writes");
        assert_eq!(writes, " 0 | 0 | 0 | alb, net-gateway-api | 0 |");
        let ready = " not measured: no gateway |";
        assert_eq!(
            row("all Ready after"),
            format!("{}  |{ready}", ready.repeat(3))
        );
    }
}
