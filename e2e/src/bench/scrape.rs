//! Sums over the series of a metric, from the text that `/metrics` answers.

/// The sum of all series named `name` that have all of `labels`.
pub(super) fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let of_name = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if rest.starts_with(['{', ' ']) {
            Some(rest)
        } else {
            None
        }
    });
    of_name
        .filter(|series| {
            labels
                .iter()
                .all(|(label, value)| has(series, label, value))
        })
        .filter_map(|series| series.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// The operator's label values hold no quotes, so a label is found by its text.
fn has(series: &str, label: &str, value: &str) -> bool {
    let wanted = format!("{label}=\"{value}\"");
    series
        .match_indices(&wanted)
        .any(|(at, _)| series[..at].ends_with(['{', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE gatewaybinding_objects gauge
gatewaybinding_objects{kind=\"GatewayBinding\",condition=\"Ready\",status=\"True\",reason=\"Ready\"} 41
gatewaybinding_objects{kind=\"GatewayBinding\",condition=\"Ready\",status=\"True\",reason=\"Other\"} 1
gatewaybinding_objects{kind=\"GatewayBinding\",condition=\"Ready\",status=\"False\",reason=\"X\"} 5
gatewaybinding_objects_total{kind=\"GatewayBinding\"} 1000
gatewaybinding_leader 1
";

    #[test]
    fn series_are_chosen_by_name_and_labels() {
        let ready = [
            ("kind", "GatewayBinding"),
            ("condition", "Ready"),
            ("status", "True"),
        ];
        assert_eq!(sum(TEXT, "gatewaybinding_objects", &ready), 42.0);
        assert_eq!(sum(TEXT, "gatewaybinding_leader", &[]), 1.0);
        assert_eq!(
            sum(TEXT, "gatewaybinding_objects", &[("ind", "GatewayBinding")]),
            0.0
        );
        assert_eq!(sum(TEXT, "gatewaybinding_nothing", &[]), 0.0);
    }
}
