//! What hangs on an API where it runs: limits, and permissions of consumers.

use cloud_adapter::gateway::model::{ConsumerId, Environment, GrantKey, Inventory, Policy};
use crds::v1alpha1::Reason;
use jiff::Timestamp;

use super::Operation;
use super::forward::Forward;
use super::ownership::group_title;
use crate::core::diff;
use crate::core::key::{ApiKey, ConsumerKey, ObjectKey, by_id, id_of};
use crate::core::observed::{Lookup, is_ours};
use crate::core::problem::Problem;

impl Forward<'_, '_> {
    pub(super) fn attachment(
        &mut self,
        key: &ObjectKey,
        api: &ApiKey,
        environment: Environment,
        policy: &str,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let there = self.coming(&ObjectKey::Policy {
            name: policy.to_owned(),
        });
        if !there || !self.runs(api, environment, inventory) {
            self.withhold_limits(key, api, environment);
            return;
        }
        let present = self.present(api);
        let acting = inventory
            .api(&present.group, &present.name)
            .filter(|found| found.deployments.contains_key(&environment))
            .and_then(|found| inventory.throttling_of(&found.id, environment));
        let wanted = inventory.policy(policy).map(|policy| &policy.id);
        if acting.is_some_and(|acting| wanted == Some(&acting.id)) {
            return;
        }
        if let Some(acting) = acting
            && self.is_others_limit(key, api, environment, acting)
        {
            return;
        }
        let policy = policy.to_owned();
        self.step(key, Operation::Attach { policy }, Vec::new());
    }

    pub(super) fn grant(
        &mut self,
        key: &ObjectKey,
        (api, environment, _): (&ApiKey, Environment, &ConsumerKey),
        consumer: &ConsumerId,
        until: Option<Timestamp>,
        inventory: &Inventory,
    ) {
        if !self.api_coming(api) {
            return;
        }
        let present = self.present(api);
        self.id(key, consumer.as_str());
        let consumer = consumer.clone();
        let held = inventory
            .api(&present.group, &present.name)
            .and_then(|found| {
                inventory.grants.get(&GrantKey {
                    api: found.id.clone(),
                    environment,
                    consumer: consumer.clone(),
                })
            });
        match held {
            None if self.unlimited.contains(&(api.clone(), environment))
                || !self.runs(api, environment, inventory) =>
            {
                self.plan.withheld.insert(key.clone());
            }
            None => self.step(key, Operation::Grant { consumer, until }, Vec::new()),
            Some(grant) if grant.until != until => {
                let changes = diff::fields(
                    &serde_json::json!({ "until": grant.until }),
                    &serde_json::json!({ "until": until }),
                );
                self.step(key, Operation::Regrant { consumer, until }, changes);
            }
            Some(_) => {}
        }
    }

    /// Whether an API runs somewhere, or an earlier step has it run.
    fn runs(&self, api: &ApiKey, environment: Environment, inventory: &Inventory) -> bool {
        let present = self.present(api);
        let found = inventory.api(&present.group, &present.name);
        let running = found.is_some_and(|found| found.deployments.contains_key(&environment));
        let api = api.clone();
        running || self.coming(&ObjectKey::Deployment { api, environment })
    }

    /// The limits cannot be put into effect, so nobody is let in anew.
    fn withhold_limits(&mut self, key: &ObjectKey, api: &ApiKey, environment: Environment) {
        self.plan.withheld.insert(key.clone());
        self.unlimited.insert((api.clone(), environment));
    }

    /// Whether others limit an API that they made: their limits are not taken off in silence. Once
    /// ours were in effect, theirs are a change like any other.
    fn is_others_limit(
        &mut self,
        key: &ObjectKey,
        api: &ApiKey,
        environment: Environment,
        acting: &Policy,
    ) -> bool {
        let ledger = &self.known.ledger.entries;
        let policy = ObjectKey::Policy {
            name: by_id(acting.id.as_str()),
        };
        let known =
            is_ours(acting.marker.as_ref(), self.world.cluster) || ledger.contains_key(&policy);
        let in_effect = ledger.get(key).is_some_and(|entry| entry.applied.is_some());
        let Some(id) = id_of(&api.name).filter(|_| !known && !in_effect) else {
            return false;
        };
        let group = self
            .world
            .inventory
            .map_or_else(String::new, |inventory| group_title(&api.group, inventory));
        self.plan.problems.push(Problem::blocked(
            Reason::ForeignField,
            format!(
                "plugin \"{}\" limits API {id} of {group} in {environment:?}, and an API has one. It is left, and no consumer is let in anew. Adopt it with spec.apiGateway.throttling.existing: {{id: {}}}, or detach it in the console.",
                acting.spec.name, acting.id
            ),
        ));
        self.withhold_limits(key, api, environment);
        true
    }
}
