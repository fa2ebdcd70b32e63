//! The credentials of the consumers that rules name. They are read when they are needed, and kept by
//! nobody but Higress.

use std::collections::BTreeSet;

use cloud_adapter::gateway::model::Credential as Value;
use crds::v1alpha1::{ConsumerState, NamespacedName};
use futures::future::try_join_all;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::controller::consumer;
use crate::controller::context::Context;
use crate::core::higress::render::{Caller, Credential, Known};
use crate::core::problem::Problem;
use crate::core::unreadable;

/// Secrets that are read at the same time.
const AT_ONCE: usize = 8;

/// Consumers that may call, with their credentials, and when the first of these ends. One that is gone,
/// disabled, or has nothing that can be read is not among them: rules that name it let it in no more.
///
/// # Errors
/// If the API server does not answer: then it is not known who may call.
pub(super) async fn known(
    consumers: &BTreeSet<NamespacedName>,
    context: &Context,
) -> Result<(Known, Option<Timestamp>), Problem> {
    let mut known = Known::new();
    let mut first: Option<Timestamp> = None;
    let names: Vec<&NamespacedName> = consumers.iter().collect();
    for some in names.chunks(AT_ONCE) {
        let mut reading = Vec::new();
        for name in some {
            reading.push(one(name, context));
        }
        for (name, caller, end) in try_join_all(reading).await?.into_iter().flatten() {
            first = first.into_iter().chain(end).min();
            known.insert(name, caller);
        }
    }
    Ok((known, first))
}

async fn one(
    name: &NamespacedName,
    context: &Context,
) -> Result<Option<(NamespacedName, Caller, Option<Timestamp>)>, Problem> {
    let reference = ObjectRef::new(&name.name).within(&name.namespace);
    let Some(found) = context.stores.consumers.get(&reference) else {
        return Ok(None);
    };
    let may_call = found.metadata.deletion_timestamp.is_none()
        && unreadable::why(&*found).is_none()
        && found.spec.state() == ConsumerState::Active;
    if !may_call {
        return Ok(None);
    }
    let (values, end) = consumer::credentials(&found, context).await?;
    let credentials = values.into_iter().map(|value| match value {
        Value::ApiKey(key) => Credential::Key(key),
        Value::KeyPair { id, secret } => Credential::Pair { id, secret },
    });
    let created = found.creation_timestamp().map(|time| time.0);
    let caller = Caller {
        created: created.unwrap_or_default(),
        credentials: credentials.collect(),
    };
    Ok(Some((name.clone(), caller, end)))
}
