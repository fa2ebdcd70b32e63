//! The rules of all bindings together. On one host the oldest binding wins; the outcome does not depend
//! on the order in which bindings are seen.

use std::collections::BTreeMap;

use crds::v1alpha1::{HigressPlugin, NamespacedName};
use jiff::Timestamp;

use super::rule::{Part, Rule};
use super::scope::Scope;

/// What one binding brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The binding.
    pub binding: NamespacedName,
    /// When it was created.
    pub created: Timestamp,
    /// What it asks for, or nothing if that is not valid.
    pub wanted: Option<Part>,
    /// What was last found good. An invalid binding keeps it: a guard does not go because of a typo.
    pub recorded: Option<Part>,
}

impl Offer {
    fn effective(&self) -> Option<&Part> {
        self.wanted.as_ref().or(self.recorded.as_ref())
    }
}

/// A rule, and the requests it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The plugin.
    pub plugin: HigressPlugin,
    /// The requests.
    pub scope: Scope,
    /// What the plugin does with them.
    pub rule: Rule,
    /// Whose it is.
    pub holder: NamespacedName,
}

/// What a binding asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The plugin.
    pub plugin: HigressPlugin,
    /// The requests.
    pub scope: Scope,
    /// Who got it.
    pub holder: NamespacedName,
}

/// The outcome for all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// The rules, in the order of plugin and scope.
    pub rules: Vec<Placed>,
    /// Who lost what.
    pub lost: BTreeMap<NamespacedName, Vec<Lost>>,
}

/// A host or a route of a slot, of which there is one rule.
type Spot<'a> = (HigressPlugin, bool, &'a str);

/// Merges. Of unequal rules for one host the oldest binding's counts, then by namespace and name. What
/// the other one asks for elsewhere stays in force.
pub fn merge(offers: &[Offer]) -> Merged {
    let mut offers: Vec<&Offer> = offers.iter().collect();
    offers.sort_by_key(|offer| (offer.created, &offer.binding));
    let mut merged = Merged::default();
    let mut held: BTreeMap<Spot<'_>, usize> = BTreeMap::new();
    for offer in offers {
        let Some(part) = offer.effective() else {
            continue;
        };
        for (plugin, rule) in &part.rules {
            let slot = slot(*plugin);
            let (free, taken) = split(slot, &part.scope, &held);
            for (index, scope) in taken {
                let Some(other) = merged.rules.get(index) else {
                    continue;
                };
                if other.rule != *rule || other.plugin != *plugin {
                    merged
                        .lost
                        .entry(offer.binding.clone())
                        .or_default()
                        .push(Lost {
                            plugin: *plugin,
                            scope,
                            holder: other.holder.clone(),
                        });
                }
            }
            if free.is_empty() {
                continue;
            }
            let index = merged.rules.len();
            let routes = part.scope.routes.iter();
            let routes = routes.filter(|route| free.routes.contains(*route));
            held.extend(routes.map(|route| ((slot, true, route.as_str()), index)));
            let hosts = part.scope.hosts.iter();
            let hosts = hosts.filter(|host| free.hosts.contains(*host));
            held.extend(hosts.map(|host| ((slot, false, host.as_str()), index)));
            merged.rules.push(Placed {
                plugin: *plugin,
                scope: free,
                rule: rule.clone(),
                holder: offer.binding.clone(),
            });
        }
    }
    merged
        .rules
        .sort_by(|one, other| (one.plugin, &one.scope).cmp(&(other.plugin, &other.scope)));
    merged
}

/// What of a scope nobody holds, and what each rule holds of it.
fn split(
    slot: HigressPlugin,
    scope: &Scope,
    held: &BTreeMap<Spot<'_>, usize>,
) -> (Scope, BTreeMap<usize, Scope>) {
    let mut free = Scope::default();
    let mut taken: BTreeMap<usize, Scope> = BTreeMap::new();
    for route in &scope.routes {
        let place = match held.get(&(slot, true, route.as_str())) {
            Some(index) => taken.entry(*index).or_default(),
            None => &mut free,
        };
        place.routes.insert(route.clone());
    }
    for host in &scope.hosts {
        let place = match held.get(&(slot, false, host.as_str())) {
            Some(index) => taken.entry(*index).or_default(),
            None => &mut free,
        };
        place.hosts.insert(host.clone());
    }
    (free, taken)
}

/// Plugins of which one at most may act on a request: two ways of knowing a caller would both have to
/// hold, and an older binding's callers could not call any more.
const fn slot(plugin: HigressPlugin) -> HigressPlugin {
    match plugin {
        HigressPlugin::BasicAuth | HigressPlugin::HmacAuth => HigressPlugin::KeyAuth,
        other => other,
    }
}
