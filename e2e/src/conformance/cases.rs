//! The cases as `docs/conformance-alb.md` has them.

const TABLE: &str = include_str!("../../../docs/conformance-alb.md");

/// A case of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// Its public name.
    pub(super) name: String,
    /// What the table says of it.
    pub(super) said: Said,
}

/// What the table says of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// That it passes.
    Passes,
    /// Anything else.
    Fails,
}

/// All cases, in the order of the table, with or without Kourier in the cluster.
pub(super) fn documented(hop: bool) -> Vec<Case> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| `"));
    let case = |row: &str| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let name = cells.next()?.trim_matches('`').to_owned();
        let said = match cells.nth(1)? {
            "passes" => Said::Passes,
            "passes with a hop" if hop => Said::Passes,
            _ => Said::Fails,
        };
        Some(Case { name, said })
    };
    rows.filter_map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_passes() {
        for (name, hop, wanted) in [
            ("basics", false, Said::Passes),
            ("basics", true, Said::Passes),
            ("headers/post-split", false, Said::Fails),
            ("headers/post-split", true, Said::Passes),
            ("httpoption", true, Said::Fails),
        ] {
            let cases = documented(hop);
            let said = cases.iter().find(|case| case.name == name).unwrap().said;
            assert_eq!(said, wanted, "{name} {hop}");
        }
    }
}
