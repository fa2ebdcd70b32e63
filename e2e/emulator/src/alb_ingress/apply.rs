//! One model into the cloud, in the controller's order: server groups, load balancer, listeners,
//! rules; then server groups that nothing leads to any more.

use serde_json::Value;

use super::balancer::{self, Balancer, Config};
use super::failure::Failure;
use super::listeners;
use super::model::Model;
use super::servers::Backends;
use super::tracking::Stack;
use super::write_groups;
use super::write_rules;
use crate::ccm::Args;

/// Applies a model. `known` is the id of the load balancer in the status of the AlbConfig, which lies in
/// `zones`.
pub(super) async fn apply(
    stack: &Stack<'_>,
    (config, zones, known): (&Value, Args, &str),
    model: &Model,
    backends: &Backends,
) -> Result<Balancer, Failure> {
    let config = Config(config);
    let groups = write_groups::apply(stack, model, backends).await?;
    let balancer = balancer::apply(stack, &config, zones, known).await?;
    let ids = listeners::apply(stack, &config, &balancer, &model.listeners, &groups.ids).await?;
    let mut failed = None;
    for (listener, id) in model.listeners.iter().zip(ids) {
        match id {
            Ok(id) => write_rules::apply(stack, &id, listener, &groups.ids).await?,
            Err(error) => {
                failed = failed.or(Some(Failure::Apply(format!(
                    "apply  failed listenerPort {} errMsgs {error}",
                    listener.port
                ))));
            }
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    write_groups::clean_up(stack, &groups).await?;
    Ok(balancer)
}

/// Takes everything of an AlbConfig out of the cloud again.
pub(super) async fn remove(stack: &Stack<'_>, config: &Value) -> Result<(), Failure> {
    balancer::delete(stack, &Config(config)).await?;
    let groups = write_groups::apply(stack, &Model::default(), &Backends::default()).await?;
    write_groups::clean_up(stack, &groups).await
}
