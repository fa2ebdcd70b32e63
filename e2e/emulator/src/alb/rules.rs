//! Creating, changing, deleting and listing forwarding rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::errors;
use super::jobs;
use super::model::State;
use super::node::Node;
use super::pages::{self, among};
use super::rule_check;
use super::rule_model::{Effect, Rule, RuleWrite};
use super::rule_params::{Wish, wish};
use super::tags;
use crate::api::{Answer, ApiError, Request};
use crate::world::{Visible, World};

/// Rules that one call may name.
const BATCH_MAX: usize = 10;

pub(super) fn create_one(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let made = make(world, request, &[&root])?;
    let id = made.first().map(|(id, _)| id.clone()).unwrap_or_default();
    let job = jobs::start(world, request, "rule", &id);
    Ok(json!({"JobId": job, "RuleId": id}))
}

pub(super) fn create(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let items = batch(&root, "Rules")?;
    let made = make(world, request, &items)?;
    let ids: Vec<Value> = made
        .iter()
        .map(|(id, priority)| json!({"RuleId": id, "Priority": priority}))
        .collect();
    let listener = request.params.filled("ListenerId").unwrap_or_default();
    let job = jobs::start(world, request, "listener", listener);
    Ok(json!({"JobId": job, "RuleIds": ids}))
}

fn batch<'a>(root: &'a Node, name: &str) -> Result<Vec<&'a Node>, ApiError> {
    let items = root.items(name);
    match items.len() {
        0 => Err(errors::missing(name)),
        count if count > BATCH_MAX => Err(errors::illegal(name)),
        _ => Ok(items),
    }
}

/// Makes all of the rules or none.
fn make(
    world: &mut World,
    request: &Request,
    items: &[&Node],
) -> Result<Vec<(String, u32)>, ApiError> {
    let listener_id = request.params.required("ListenerId")?;
    let balancer_id = world.alb.listener(listener_id)?.load_balancer_id.clone();
    let mut new = Vec::new();
    for item in items {
        let id = world.ids.resource("rule-");
        let tags = tags::of_node(item)?;
        let listener_id = listener_id.to_owned();
        let rule = described(
            wish(item)?,
            id,
            listener_id,
            balancer_id.clone(),
            tags,
            request,
        )?;
        new.push(Rule {
            settled: request.now + world.alb.settling,
            ..rule
        });
    }
    let made = new.iter().map(|rule| (rule.id.clone(), rule.priority));
    let made = made.collect();
    change(world, request, &[listener_id.to_owned()], |state| {
        for rule in new {
            state
                .rule_writes
                .push(written(&rule, None, Effect::Created));
            let id = rule.id.clone();
            state
                .rules
                .insert(id, Visible::new(rule, request.visible_from));
        }
        Ok(())
    })?;
    Ok(made)
}

fn described(
    wish: Wish,
    id: String,
    listener_id: String,
    load_balancer_id: String,
    tags: BTreeMap<String, String>,
    request: &Request,
) -> Result<Rule, ApiError> {
    Ok(Rule {
        id,
        listener_id,
        load_balancer_id,
        name: wish.name.ok_or_else(|| errors::missing("RuleName"))?,
        priority: wish.priority.ok_or_else(|| errors::missing("Priority"))?,
        direction: wish.direction.unwrap_or_default(),
        conditions: wish
            .conditions
            .ok_or_else(|| errors::missing("RuleConditions"))?,
        actions: wish.actions.ok_or_else(|| errors::missing("RuleActions"))?,
        tags,
        created: request.now,
        settled: request.now,
    })
}

pub(super) fn update_one(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    amend(world, request, &[&root])
}

pub(super) fn update(world: &mut World, request: &Request) -> Answer {
    let root = Node::of(&request.params);
    let items = batch(&root, "Rules")?;
    amend(world, request, &items)
}

/// Changes all of the rules or none. Priorities may be swapped: only the outcome counts.
fn amend(world: &mut World, request: &Request, items: &[&Node]) -> Answer {
    let mut wishes = Vec::new();
    let mut listeners = Vec::new();
    for item in items {
        let id = item.required("RuleId")?.to_owned();
        let rule = world.alb.rule(&id)?;
        if request.now < rule.settled {
            return Err(errors::incorrect_status("Rule", &id));
        }
        listeners.push(rule.listener_id.clone());
        wishes.push((id, wish(item)?));
    }
    listeners.sort();
    listeners.dedup();
    let settled = request.now + world.alb.settling;
    change(world, request, &listeners, |state| {
        for (id, wish) in wishes {
            let before = state.rule(&id)?.clone();
            let mut after = Rule {
                name: wish.name.unwrap_or_else(|| before.name.clone()),
                priority: wish.priority.unwrap_or(before.priority),
                conditions: wish.conditions.unwrap_or_else(|| before.conditions.clone()),
                actions: wish.actions.unwrap_or_else(|| before.actions.clone()),
                ..before.clone()
            };
            let effect = match after.same_as(&before) {
                true => Effect::Identical,
                false => Effect::Changed,
            };
            after.settled = settled;
            state
                .rule_writes
                .push(written(&after, Some(&before), effect));
            if let Some(kept) = state.rules.get_mut(&id) {
                kept.value = after;
            }
        }
        Ok(())
    })?;
    let job = jobs::start(world, request, "listener", &listeners.join(","));
    Ok(json!({ "JobId": job }))
}

pub(super) fn delete_one(world: &mut World, request: &Request) -> Answer {
    let id = request.params.required("RuleId")?.to_owned();
    remove(world, request, &[id])
}

pub(super) fn delete(world: &mut World, request: &Request) -> Answer {
    let ids = request.params.strings("RuleIds");
    match ids.len() {
        0 => Err(errors::missing("RuleIds")),
        count if count > BATCH_MAX => Err(errors::illegal("RuleIds")),
        _ => remove(world, request, &ids),
    }
}

fn remove(world: &mut World, request: &Request, ids: &[String]) -> Answer {
    let mut listeners = Vec::new();
    for id in ids {
        listeners.push(world.alb.rule(id)?.listener_id.clone());
    }
    listeners.sort();
    listeners.dedup();
    change(world, request, &listeners, |state| {
        for id in ids {
            if let Some(rule) = state.rules.remove(id) {
                let write = written(&rule.value, None, Effect::Deleted);
                state.rule_writes.push(write);
            }
        }
        Ok(())
    })?;
    let job = jobs::start(world, request, "listener", &listeners.join(","));
    Ok(json!({ "JobId": job }))
}

fn written(after: &Rule, before: Option<&Rule>, effect: Effect) -> RuleWrite {
    let mut hosts = after.hosts();
    hosts.extend(before.map(Rule::hosts).unwrap_or_default());
    hosts.sort();
    hosts.dedup();
    RuleWrite {
        rule_id: after.id.clone(),
        priority: after.priority,
        effect,
        hosts,
    }
}

/// Carries a change out on a copy, and keeps it if all rules of the load balancers are as they may be.
fn change(
    world: &mut World,
    request: &Request,
    listeners: &[String],
    act: impl FnOnce(&mut State) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    for id in listeners {
        let listener = world.alb.listener(id)?;
        if request.now < listener.settled {
            return Err(errors::incorrect_status("Listener", id));
        }
    }
    let mut trial = world.alb.clone();
    trial.rule_writes.clear();
    act(&mut trial)?;
    for write in &trial.rule_writes {
        if let Some(rule) = trial.rules.get(&write.rule_id) {
            let balancer = trial.load_balancer(&rule.value.load_balancer_id)?;
            rule_check::rule(&trial, balancer, &rule.value)?;
        }
    }
    for id in listeners {
        let balancer = trial.listener(id)?.load_balancer_id.clone();
        rule_check::together(&trial, trial.load_balancer(&balancer)?)?;
    }
    let settled = request.now + trial.settling;
    for id in listeners {
        if let Some(listener) = trial.listeners.get_mut(id) {
            listener.value.settled = settled;
        }
    }
    world.alb = trial;
    Ok(())
}

pub(super) fn list(world: &World, request: &Request) -> Answer {
    let params = &request.params;
    let ids = pages::wanted(request, "RuleIds", 20)?;
    let mut listeners = pages::wanted(request, "ListenerIds", 20)?;
    // The controller's client has a name of its own for one listener.
    listeners.extend(params.filled("ListenerId").map(str::to_owned));
    let balancers = pages::wanted(request, "LoadBalancerIds", 20)?;
    let direction = params.one_of("Direction", &["Request", "Response"])?;
    let seen = world
        .alb
        .rules
        .values()
        .filter_map(|rule| rule.seen(request.now));
    let mut rules: Vec<&Rule> = seen
        .filter(|rule| {
            among(&ids, &rule.id)
                && among(&listeners, &rule.listener_id)
                && among(&balancers, &rule.load_balancer_id)
                && direction.is_none_or(|direction| direction == rule.direction.name())
                && tags::matches(request, &rule.tags)
        })
        .collect();
    rules.sort_by_key(|rule| (&rule.listener_id, rule.priority, rule.direction));
    let views = rules.into_iter().map(|rule| view(world, request, rule));
    pages::page(request, "Rules", views.collect())
}

fn view(world: &World, request: &Request, rule: &Rule) -> Value {
    let actions: Vec<Value> = rule.actions.iter().map(|action| action.view()).collect();
    let conditions = rule.conditions.iter().map(|condition| condition.view());
    let conditions: Vec<Value> = conditions.collect();
    json!({
        "RuleId": rule.id,
        "RuleName": rule.name,
        "RuleStatus": rule.status(request.now, world.alb.settling),
        "Priority": rule.priority,
        "Direction": rule.direction.name(),
        "ListenerId": rule.listener_id,
        "LoadBalancerId": rule.load_balancer_id,
        "RuleActions": actions,
        "RuleConditions": conditions,
        "Tags": tags::view(&rule.tags),
    })
}
