//! The gauge of things that belong to nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Series {
    class: String,
    kind: &'static str,
    cause: &'static str,
}

/// The gauge, and the series it has.
#[derive(Clone, Debug, Default)]
pub(super) struct Orphans {
    family: Family<Series, Gauge>,
    present: Arc<Mutex<BTreeSet<Series>>>,
}

impl Orphans {
    pub(super) fn family(&self) -> Family<Series, Gauge> {
        self.family.clone()
    }

    /// Replaces what is known of a class. Series that count none any more stay, at zero, so that a
    /// fall is seen as one.
    pub(super) fn set(&self, class: &str, counts: &BTreeMap<(&'static str, &'static str), i64>) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let new = counts.keys().map(|(kind, cause)| Series {
            class: class.to_owned(),
            kind,
            cause,
        });
        present.extend(new);
        for series in present.iter().filter(|series| series.class == class) {
            let count = counts.get(&(series.kind, series.cause));
            let count = count.copied().unwrap_or_default();
            self.family.get_or_create(series).set(count);
        }
    }

    /// Drops the classes that are gone.
    pub(super) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.retain(|series| {
            let stays = is_there(&series.class);
            if !stays {
                self.family.remove(series);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(orphans: &Orphans, class: &str) -> Option<i64> {
        let series = Series {
            class: class.to_owned(),
            kind: "API",
            cause: "OwnerLost",
        };
        orphans.family.get(&series).map(|gauge| gauge.get())
    }

    #[test]
    fn a_count_falls_to_zero_and_goes_with_its_class() {
        let orphans = Orphans::default();
        let two = BTreeMap::from([(("API", "OwnerLost"), 2)]);
        orphans.set("a", &two);
        orphans.set("b", &two);
        orphans.set("a", &BTreeMap::new());
        assert_eq!(
            (count(&orphans, "a"), count(&orphans, "b")),
            (Some(0), Some(2))
        );
        orphans.retain(|class| class == "b");
        assert_eq!(
            (count(&orphans, "a"), count(&orphans, "b")),
            (None, Some(2))
        );
    }
}
