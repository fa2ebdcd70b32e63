//! The order in which plugins' objects are written, so that a rule is in force at every moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::render::PluginObject;

/// A write to the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Applies an object as a whole.
    Apply(PluginObject),
    /// Deletes the object of this name.
    Delete(String),
}

/// What brings the objects that are there to those that are wanted: nothing for one that is right.
/// `there` has the specs of all objects of ours, by name.
///
/// New objects come first and those that are not wanted any more go last. If a rule moves between two that
/// stay, the one that gets it is written before the one that loses it; one that gets and loses keeps what
/// it loses for that one write more.
pub fn writes(wanted: &[PluginObject], there: &BTreeMap<String, Value>) -> Vec<Write> {
    let mut created = Vec::new();
    let mut changed: Vec<(&PluginObject, &Value)> = Vec::new();
    for object in wanted {
        match there.get(&object.name) {
            None => created.push(Write::Apply(object.clone())),
            Some(old) if *old != object.spec => changed.push((object, old)),
            Some(_) => {}
        }
    }
    let (gaining, rest): (Vec<_>, Vec<_>) = changed
        .iter()
        .copied()
        .partition(|(object, old)| gains_a_moving_rule(object, old, there));
    let mut late: Vec<Write> = rest.into_iter().map(|(object, _)| apply(object)).collect();
    let mut writes = created;
    for (object, old) in gaining {
        match with_what_moves_away(object, old, wanted) {
            Some(between) => {
                writes.push(Write::Apply(between));
                late.push(apply(object));
            }
            None => writes.push(apply(object)),
        }
    }
    writes.append(&mut late);
    let names: BTreeSet<&str> = wanted.iter().map(|object| object.name.as_str()).collect();
    let gone = there.keys().filter(|name| !names.contains(name.as_str()));
    writes.extend(gone.cloned().map(Write::Delete));
    writes
}

fn apply(object: &PluginObject) -> Write {
    Write::Apply(object.clone())
}

/// What of an object is there and not wanted, as a patch that takes it away: a `pluginConfig` that somebody
/// added would put all rules out of force, and a field that a plugin does not know the whole plugin. Lists
/// are written as a whole, so nothing is left in them.
pub fn surplus(there: &Value, wanted: &Value) -> Option<Value> {
    let (there, wanted) = (there.as_object()?, wanted.as_object()?);
    let mut patch = Map::new();
    for (name, value) in there {
        let taken = match wanted.get(name) {
            None => Some(Value::Null),
            Some(wanted) => surplus(value, wanted),
        };
        patch.extend(taken.map(|taken| (name.clone(), taken)));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The requests that a rule is for.
fn requests(rule: &Value) -> (Option<&Value>, Option<&Value>) {
    (rule.get("ingress"), rule.get("domain"))
}

fn rules(spec: &Value) -> impl Iterator<Item = &Value> {
    let rules = spec.get("matchRules").and_then(Value::as_array);
    rules.into_iter().flatten()
}

fn has(spec: &Value, rule: &Value) -> bool {
    rules(spec).any(|other| requests(other) == requests(rule))
}

/// Whether it gets a rule for requests that another object has one for.
fn gains_a_moving_rule(
    object: &PluginObject,
    old: &Value,
    there: &BTreeMap<String, Value>,
) -> bool {
    let mut gained = rules(&object.spec).filter(|rule| !has(old, rule));
    gained.any(|rule| {
        let mut others = there.iter().filter(|(name, _)| **name != object.name);
        others.any(|(_, spec)| has(spec, rule))
    })
}

/// The object with those rules besides that leave it for another one.
fn with_what_moves_away(
    object: &PluginObject,
    old: &Value,
    wanted: &[PluginObject],
) -> Option<PluginObject> {
    let lost = rules(old).filter(|rule| !has(&object.spec, rule));
    let moving = lost.filter(|rule| {
        let mut others = wanted.iter().filter(|other| other.name != object.name);
        others.any(|other| has(&other.spec, rule))
    });
    let moving: Vec<Value> = moving.cloned().collect();
    if moving.is_empty() {
        return None;
    }
    let mut between = object.clone();
    let rules = between.spec.get_mut("matchRules")?.as_array_mut()?;
    rules.extend(moving);
    Some(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::v1alpha1::HigressPlugin;
    use serde_json::json;

    fn object(name: &str, routes: &[&str]) -> PluginObject {
        let rules = routes
            .iter()
            .map(|route| json!({"ingress": [route], "config": {}}));
        PluginObject {
            name: name.to_owned(),
            plugin: HigressPlugin::KeyAuth,
            spec: json!({"matchRules": rules.collect::<Vec<Value>>()}),
        }
    }

    fn there(objects: &[PluginObject]) -> BTreeMap<String, Value> {
        let objects = objects.iter();
        objects
            .map(|object| (object.name.clone(), object.spec.clone()))
            .collect()
    }

    /// Carries the writes out and looks after each of them whether every rule is in force that is before
    /// and after all.
    fn run(from: &[PluginObject], to: &[PluginObject]) -> usize {
        let mut world = there(from);
        let routes = |world: &BTreeMap<String, Value>| -> BTreeSet<String> {
            let rules = world.values().flat_map(rules);
            rules.map(|rule| rule["ingress"][0].to_string()).collect()
        };
        let (before, after) = (routes(&world), routes(&there(to)));
        let writes = writes(to, &world);
        let count = writes.len();
        for write in writes {
            match write {
                Write::Apply(object) => world.insert(object.name, object.spec),
                Write::Delete(name) => world.remove(&name),
            };
            let now = routes(&world);
            assert!(before.intersection(&after).all(|route| now.contains(route)));
        }
        assert_eq!(world, there(to));
        assert_eq!(super::writes(to, &world), []);
        count
    }

    #[test]
    fn nothing_is_written_twice_and_nothing_without_need() {
        let (a, b) = (object("a", &["1", "2"]), object("b", &["3"]));
        assert_eq!(run(&[a.clone(), b.clone()], &[a.clone(), b.clone()]), 0);
        assert_eq!(run(std::slice::from_ref(&a), &[a.clone(), b.clone()]), 1);
        assert_eq!(run(&[a.clone(), b], &[a, object("b", &["3", "4", "5"])]), 1);
    }

    #[test]
    fn what_somebody_added_is_taken_away() {
        let wanted = json!({"defaultConfig": {"keys": ["a"]}, "matchRules": [{"config": {}}]});
        let cases = [
            (wanted.clone(), None),
            (
                json!({"defaultConfig": {"keys": ["a"], "x": 1}, "pluginConfig": {}, "matchRules": []}),
                Some(json!({"defaultConfig": {"x": null}, "pluginConfig": null})),
            ),
        ];
        for (there, patch) in cases {
            assert_eq!(surplus(&there, &wanted), patch, "{there}");
        }
    }

    #[test]
    fn a_rule_that_moves_is_in_force_at_every_moment() {
        let cases: [(&[PluginObject], &[PluginObject], usize); 5] = [
            // Twice as many objects, and half as many.
            (
                &[object("a", &["1", "2"])],
                &[object("a", &["1"]), object("b", &["2"])],
                2,
            ),
            (
                &[object("a", &["1"]), object("b", &["2"])],
                &[object("a", &["1", "2"])],
                2,
            ),
            // From one that stays to one that stays, in either order of names.
            (
                &[object("a", &["1", "2"]), object("b", &["3"])],
                &[object("a", &["1"]), object("b", &["2", "3"])],
                2,
            ),
            (
                &[object("a", &["1"]), object("b", &["2", "3"])],
                &[object("a", &["1", "2"]), object("b", &["3"])],
                2,
            ),
            // Two that change places.
            (
                &[object("a", &["1"]), object("b", &["2"])],
                &[object("a", &["2"]), object("b", &["1"])],
                4,
            ),
        ];
        for (from, to, count) in cases {
            assert_eq!(run(from, to), count, "{from:?} to {to:?}");
        }
    }
}
