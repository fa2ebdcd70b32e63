//! In which accounts a consumer has to be.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{AppKey, Location};

/// What the bindings of one class want with a consumer in the class's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What the consumer is called in the class's account.
    pub app: AppKey,
    /// Whether one of them may have it made: it is not deleted, does more than plan, and is not
    /// suspended.
    pub applies: bool,
}

/// What is to happen with a consumer in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It is to be there.
    Make,
    /// Where it is there, it stays and is kept up to date.
    Keep,
    /// Nobody needs it there any more.
    Leave,
}

/// What is to happen where. `uses` are those of the bindings that name the consumer, `granted` the
/// places where a binding's ledger holds a permission of it, `claimed` what the consumer itself
/// claims. Unless all classes concerned could be asked for their account (`sure`), no place is left.
pub fn intents(
    uses: &[Use],
    granted: &BTreeSet<Location>,
    claimed: &BTreeSet<AppKey>,
    sure: bool,
) -> BTreeMap<AppKey, Intent> {
    let mut intents = BTreeMap::new();
    for app in claimed {
        let named = uses.iter().any(|usage| usage.app == *app);
        let stays = named || granted.contains(&app.location) || !sure;
        let intent = if stays { Intent::Keep } else { Intent::Leave };
        intents.insert(app.clone(), intent);
    }
    for usage in uses.iter().filter(|usage| usage.applies) {
        intents.insert(usage.app.clone(), Intent::Make);
    }
    intents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(region: &str) -> AppKey {
        AppKey {
            location: Location {
                account: "1".into(),
                region: region.into(),
            },
            name: "acme_1a2b3c4d".into(),
        }
    }

    #[test]
    fn it_is_made_for_the_first_binding_and_leaves_with_the_last_permission() {
        let named = |applies| {
            vec![Use {
                app: app("r"),
                applies,
            }]
        };
        let granted = BTreeSet::from([app("r").location]);
        let claimed = BTreeSet::from([app("r")]);
        let (nowhere, unclaimed) = (BTreeSet::new(), BTreeSet::new());
        for (uses, granted, claimed, sure, expected) in [
            (vec![], &nowhere, &unclaimed, true, None),
            (named(true), &nowhere, &unclaimed, true, Some(Intent::Make)),
            (named(false), &nowhere, &unclaimed, true, None),
            (named(true), &nowhere, &claimed, true, Some(Intent::Make)),
            (named(false), &nowhere, &claimed, true, Some(Intent::Keep)),
            (vec![], &granted, &claimed, true, Some(Intent::Keep)),
            (vec![], &nowhere, &claimed, true, Some(Intent::Leave)),
            (vec![], &nowhere, &claimed, false, Some(Intent::Keep)),
            (vec![], &granted, &unclaimed, true, None),
        ] {
            let found = intents(&uses, granted, claimed, sure);
            assert_eq!(
                found.get(&app("r")).copied(),
                expected,
                "{uses:?} {granted:?} {claimed:?} {sure}"
            );
        }
    }

    #[test]
    fn places_do_not_depend_on_each_other() {
        let uses = [Use {
            app: app("new"),
            applies: true,
        }];
        let claimed = BTreeSet::from([app("old"), app("kept")]);
        let granted = BTreeSet::from([app("kept").location]);
        let found = intents(&uses, &granted, &claimed, true);
        let expected = BTreeMap::from([
            (app("new"), Intent::Make),
            (app("kept"), Intent::Keep),
            (app("old"), Intent::Leave),
        ]);
        assert_eq!(found, expected);
    }
}
