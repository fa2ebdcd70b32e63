//! Changes that were made several times and did not last.

use cloud_adapter::gateway::ApiGateway;

use super::report::Report;
use super::work::Work;
use crate::core::key::ObjectKey;
use crate::core::observed::Lookup;
use crate::core::plan::{Plan, Step};
use crate::core::problem::Problem;
use crate::core::writers;

impl Work<'_> {
    /// For whom a step is counted: what is put back through a Service that bindings share is not tried again
    /// by each of them.
    pub(super) fn counted_for(&self, step: &Step, report: &Report) -> String {
        let service = report.service.as_ref();
        match service.filter(|_| step.operation.resync().is_some()) {
            Some(service) => service.uid.clone(),
            None => self.uid(report),
        }
    }

    /// Takes changes out of a plan that were made several times and did not last.
    pub(super) async fn hopeless(&self, plan: &mut Plan, report: &mut Report) -> Option<Problem> {
        let (given_up, rest): (Vec<Step>, Vec<Step>) = std::mem::take(&mut plan.steps)
            .into_iter()
            .partition(|step| {
                let uid = self.counted_for(step, report);
                self.context.tries.step_exhausted(&uid, step)
            });
        plan.steps = rest;
        report
            .drifted
            .extend(given_up.iter().map(|step| step.key.clone()));
        let mut fields = Vec::new();
        for step in &given_up {
            for change in &step.changes {
                let by = match step.operation.resync() {
                    Some(_) => writers::PAST_THE_SERVICE.to_owned(),
                    None => self.writer(&step.key, &change.path, report).await,
                };
                fields.push(writers::unkept(&object(step, report), change, &by));
            }
        }
        (!fields.is_empty()).then(|| Problem::unkept(&fields))
    }

    /// Who set a field back, as far as that can be known.
    async fn writer(&self, key: &ObjectKey, path: &str, report: &Report) -> String {
        if let ObjectKey::Service { .. } = key {
            let field = path.split('.').next().unwrap_or_default();
            let service = report.service.as_ref();
            let known = service.and_then(|service| {
                let writers = &service.writers;
                writers.get(path).or_else(|| writers.get(field))
            });
            return writers::managers(known.map_or(&[], Vec::as_slice));
        }
        let unnamed = writers::unnamed(writers::calls(key));
        match self.publication(key, report).await {
            Some(note) => format!("in a publication described as \"{note}\", {unnamed}"),
            None => unnamed,
        }
    }

    /// What whoever published a deployment last wrote about it.
    async fn publication(&self, key: &ObjectKey, report: &Report) -> Option<String> {
        let ObjectKey::Deployment { api, environment } = key else {
            return None;
        };
        let found = report.inventory.as_ref()?.api(&api.group, &api.name)?;
        let gateway = &self.account?.gateway.gateway;
        let note = gateway.publication_note(found, *environment).await;
        note.ok()?.filter(|note| !note.is_empty())
    }
}

/// What a step is about: an object, or the load balancer that is put back through one.
pub(super) fn object(step: &Step, report: &Report) -> String {
    let balancer = report.load_balancer.as_ref();
    match balancer.filter(|_| step.operation.resync().is_some()) {
        Some(balancer) => format!("load balancer {} ({})", balancer.id(), step.key),
        None => step.key.to_string(),
    }
}
