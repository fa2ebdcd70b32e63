//! Of several wishes about who may connect, the one that keeps out whomever any of them keeps out.

use crds::v1alpha1::{
    LoadBalancerSettings, NlbField, NlbSettings, SlbClientAddresses, SlbField, SlbSettings,
};

/// The most that access lists of a listener may be (`SetLoadBalancerTCPListenerAttribute`, AclId).
const MOST_LISTS: usize = 10;

/// What several wishes for one field come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Strictest<S> {
    /// The field does not guard access.
    NoGuard,
    /// These settings keep out whomever one of the wishes keeps out.
    Is(S),
    /// No setting does, or it cannot be told from the names of lists.
    Unknown,
}

/// Settings of which some fields guard access. Those are never decided by who came first.
pub trait Guarded: LoadBalancerSettings {
    /// What several wishes for a field come to; each of `wishes` has the field.
    fn strictest(field: Self::Field, wishes: &[&Self]) -> Strictest<Self>;
}

impl Guarded for SlbSettings {
    fn strictest(field: SlbField, wishes: &[&Self]) -> Strictest<Self> {
        if field != SlbField::ClientAddresses {
            return Strictest::NoGuard;
        }
        let wishes: Vec<_> = wishes
            .iter()
            .filter_map(|wish| wish.client_addresses.as_ref())
            .collect();
        let allow = each(&wishes, |wish| wish.allow_acls.as_ref());
        let deny = each(&wishes, |wish| wish.deny_acls.as_ref());
        let addresses = match (allow, deny) {
            (Some(allow), None) => common(&allow).map(|lists| SlbClientAddresses {
                allow_acls: Some(lists),
                deny_acls: None,
            }),
            (None, Some(deny)) => all_of(&deny).map(|lists| SlbClientAddresses {
                allow_acls: None,
                deny_acls: Some(lists),
            }),
            _ => None,
        };
        addresses.map_or(Strictest::Unknown, |addresses| {
            Strictest::Is(Self {
                client_addresses: Some(addresses),
                ..Self::default()
            })
        })
    }
}

impl Guarded for NlbSettings {
    /// A security group lets in whom its rules name, and so a second one lets in more.
    fn strictest(field: NlbField, wishes: &[&Self]) -> Strictest<Self> {
        if field != NlbField::SecurityGroupIds {
            return Strictest::NoGuard;
        }
        let groups = each(wishes, |wish| wish.security_group_ids.as_ref());
        let common = groups.and_then(|groups| common(&groups));
        common.map_or(Strictest::Unknown, |groups| {
            Strictest::Is(Self {
                security_group_ids: Some(groups),
                ..Self::default()
            })
        })
    }
}

/// The lists of all wishes, if each has some.
fn each<'a, W>(
    wishes: &'a [&W],
    of: impl Fn(&'a W) -> Option<&'a Vec<String>>,
) -> Option<Vec<&'a Vec<String>>> {
    wishes.iter().map(|wish| of(wish)).collect()
}

/// What all have, in the order of the first. Wishes that say the same stay as they are.
fn common(lists: &[&Vec<String>]) -> Option<Vec<String>> {
    let (first, others) = lists.split_first()?;
    let mut kept: Vec<String> = first.to_vec();
    if others.iter().any(|other| !same(first, other)) {
        kept.sort();
    }
    kept.retain(|id| others.iter().all(|other| other.contains(id)));
    (!kept.is_empty()).then_some(kept)
}

/// What any has, if there is room for it.
fn all_of(lists: &[&Vec<String>]) -> Option<Vec<String>> {
    let (first, others) = lists.split_first()?;
    if others.iter().all(|other| same(first, other)) {
        return Some(first.to_vec());
    }
    let mut all: Vec<String> = lists.iter().copied().flatten().cloned().collect();
    all.sort();
    all.dedup();
    (all.len() <= MOST_LISTS).then_some(all)
}

fn same(one: &[String], other: &[String]) -> bool {
    one == other
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(allow: &[&str], deny: &[&str]) -> SlbSettings {
        let lists = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        SlbSettings {
            client_addresses: Some(SlbClientAddresses {
                allow_acls: (!allow.is_empty()).then(|| lists(allow)),
                deny_acls: (!deny.is_empty()).then(|| lists(deny)),
            }),
            ..SlbSettings::default()
        }
    }

    fn strictest(wishes: &[SlbSettings]) -> Strictest<SlbSettings> {
        let wishes: Vec<_> = wishes.iter().collect();
        SlbSettings::strictest(SlbField::ClientAddresses, &wishes)
    }

    #[test]
    fn of_lists_that_let_in_what_all_have_is_kept() {
        let both = [wish(&["acl-c", "acl-a"], &[]), wish(&["acl-a"], &[])];
        assert_eq!(strictest(&both), Strictest::Is(wish(&["acl-a"], &[])));
    }

    #[test]
    fn of_lists_that_keep_out_all_count() {
        let both = [wish(&[], &["acl-b"]), wish(&[], &["acl-a"])];
        let all = wish(&[], &["acl-a", "acl-b"]);
        assert_eq!(strictest(&both), Strictest::Is(all));
    }

    #[test]
    fn a_wish_alone_stays_as_it_is() {
        for one in [
            wish(&["acl-b", "acl-a"], &[]),
            wish(&[], &["acl-b", "acl-a"]),
        ] {
            assert_eq!(strictest(std::slice::from_ref(&one)), Strictest::Is(one));
        }
    }

    #[test]
    fn what_cannot_be_compared_is_not_guessed() {
        let apart = [wish(&["acl-a"], &[]), wish(&["acl-b"], &[])];
        let opposite = [wish(&["acl-a"], &[]), wish(&[], &["acl-a"])];
        let eleven: Vec<String> = (0..11).map(|number| format!("acl-{number}")).collect();
        let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
        let (few, many) = eleven.split_at(1);
        let too_many = [wish(&[], few), wish(&[], many)];
        for wishes in [apart, opposite, too_many] {
            assert_eq!(strictest(&wishes), Strictest::Unknown, "{wishes:?}");
        }
    }

    #[test]
    fn other_fields_are_no_guards() {
        let one = SlbSettings::default();
        assert_eq!(
            SlbSettings::strictest(SlbField::Name, &[&one]),
            Strictest::NoGuard
        );
    }

    #[test]
    fn security_groups_of_all_are_kept() {
        let of = |ids: &[&str]| NlbSettings {
            security_group_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
            ..NlbSettings::default()
        };
        let strictest =
            |wishes: &[&NlbSettings]| NlbSettings::strictest(NlbField::SecurityGroupIds, wishes);
        let (both, one, other) = (of(&["sg-a", "sg-b"]), of(&["sg-b"]), of(&["sg-c"]));
        assert_eq!(strictest(&[&both, &one]), Strictest::Is(one.clone()));
        assert_eq!(strictest(&[&one, &other]), Strictest::Unknown);
    }

    proptest! {
        /// Lists stand for disjoint sets of addresses; `None` is any address on no list.
        #[test]
        fn nobody_gets_in_whom_one_keeps_out(
            wishes in proptest::collection::vec((any::<bool>(), proptest::collection::btree_set(0..6u8, 1..4)), 1..4),
        ) {
            let wishes: Vec<SlbSettings> = wishes.iter().map(|(allow, ids)| {
                let ids: Vec<String> = ids.iter().map(|id| format!("acl-{id}")).collect();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                if *allow { wish(&ids, &[]) } else { wish(&[], &ids) }
            }).collect();
            let lets_in = |settings: &SlbSettings, from: Option<u8>| {
                let on = |lists: &Vec<String>| from.is_some_and(|id| lists.contains(&format!("acl-{id}")));
                let wish = settings.client_addresses.as_ref().unwrap();
                wish.allow_acls.as_ref().is_none_or(on) && !wish.deny_acls.as_ref().is_some_and(on)
            };
            if let Strictest::Is(found) = strictest(&wishes) {
                for from in (0..6).map(Some).chain([None]) {
                    let by_all = wishes.iter().all(|wish| lets_in(wish, from));
                    prop_assert_eq!(lets_in(&found, from), by_all);
                }
            }
        }
    }
}
