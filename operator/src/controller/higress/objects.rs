//! The objects `WasmPlugin` in the API server. They hold credentials in clear text, so of what the API
//! server says about one only the fields are told on.

use std::collections::BTreeMap;

use crds::keys;
use crds::v1alpha1::Reason;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    Preconditions,
};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::controller::cloud::{Trouble, refusal};
use crate::controller::context::Context;
use crate::core::higress::render::PluginObject;
use crate::core::higress::writes::surplus;
use crate::core::problem::Problem;

/// Kind of the objects.
const KIND: &str = "WasmPlugin";

/// The objects of one Higress.
pub(super) struct Objects<'a> {
    system: &'a str,
    context: &'a Context,
    api: Api<DynamicObject>,
}

/// The kind that plugins of Higress are given by.
fn plugins() -> ApiResource {
    let kind = GroupVersionKind::gvk("extensions.higress.io", "v1alpha1", KIND);
    ApiResource::from_gvk_with_plural(&kind, "wasmplugins")
}

impl<'a> Objects<'a> {
    pub(super) fn new(system: &'a str, context: &'a Context) -> Self {
        let client = context.runtime.client.clone();
        Self {
            system,
            context,
            api: Api::namespaced_with(client, system, &plugins()),
        }
    }

    /// Those that this shard of the operator made, by name; none if the cluster has no such kind.
    pub(super) async fn list(&self) -> Result<Option<BTreeMap<String, DynamicObject>>, Trouble> {
        let shard = &self.context.runtime.args.shard;
        let ours = format!(
            "{}={},{}={shard}",
            keys::MANAGED_BY,
            keys::FIELD_MANAGER,
            keys::SHARD
        );
        let list = ListParams::default().labels(&ours);
        match self.api.list(&list).await {
            Ok(found) => {
                let named = found.items.into_iter();
                Ok(Some(named.map(|one| (one.name_any(), one)).collect()))
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(self.failed("", &error)),
        }
    }

    /// Names begin with the shard, where there are shards.
    pub(super) fn named(&self, mut object: PluginObject) -> PluginObject {
        let shard = &self.context.runtime.args.shard;
        if !shard.is_empty() {
            let rest = object
                .name
                .trim_start_matches(keys::FIELD_MANAGER)
                .to_owned();
            object.name = format!("{}-{shard}{rest}", keys::FIELD_MANAGER);
        }
        object
    }

    /// Makes an object, or brings it to what is wanted. What is there of that name and is not ours is left.
    pub(super) async fn apply(
        &self,
        object: &PluginObject,
        there: Option<&DynamicObject>,
    ) -> Result<(), Trouble> {
        if there.is_none() && self.get(&object.name).await?.is_some() {
            return Err(Trouble::from(Problem::blocked(
                Reason::NotOwned,
                format!(
                    "there is a WasmPlugin {}/{} that the operator did not make. Delete it or give it another name: the rules for {} are to be in it.",
                    self.system,
                    object.name,
                    object.plugin.name()
                ),
            )));
        }
        let labels = json!({
            keys::MANAGED_BY: keys::FIELD_MANAGER,
            keys::SHARD: self.context.runtime.args.shard,
        });
        let metadata = json!({
            "name": object.name,
            "uid": there.and_then(ResourceExt::uid),
            "labels": labels,
        });
        let written = self.patch(object, metadata, there.is_some()).await?;
        let action = if there.is_some() { "Update" } else { "Create" };
        self.context.runtime.metrics.plan_step(action, KIND);
        let found = written.data.get("spec").unwrap_or(&Value::Null);
        match surplus(found, &object.spec) {
            Some(patch) => self.take_away(&written, &patch).await,
            None => Ok(()),
        }
    }

    /// Makes an object that is nobody's any more, unless it is there.
    pub(super) async fn leave(&self, object: &PluginObject, holder: &str) -> Result<(), Trouble> {
        if self.get(&object.name).await?.is_some() {
            return Ok(());
        }
        let annotations = json!({keys::CREATED_FOR: holder});
        let metadata = json!({"name": object.name, "annotations": annotations});
        self.patch(object, metadata, false).await?;
        self.context.runtime.metrics.plan_step("Create", KIND);
        Ok(())
    }

    async fn patch(
        &self,
        object: &PluginObject,
        metadata: Value,
        force: bool,
    ) -> Result<DynamicObject, Trouble> {
        self.lead()?;
        let body = json!({
            "apiVersion": "extensions.higress.io/v1alpha1",
            "kind": KIND,
            "metadata": metadata,
            "spec": object.spec,
        });
        let mut params = PatchParams::apply(keys::FIELD_MANAGER);
        // Of what is ours, all is put back; of what appears in its place, nothing is taken.
        params.force = force;
        let patch = Patch::Apply(body);
        let written = self.api.patch(&object.name, &params, &patch).await;
        written.map_err(|error| self.failed(&object.name, &error))
    }

    /// Takes away what somebody else put into an object of ours.
    async fn take_away(&self, there: &DynamicObject, patch: &Value) -> Result<(), Trouble> {
        self.lead()?;
        let name = there.name_any();
        let version = json!({"uid": there.uid(), "resourceVersion": there.resource_version()});
        let patch = Patch::Merge(json!({"metadata": version, "spec": patch}));
        let params = PatchParams {
            field_manager: Some(keys::FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self.api.patch(&name, &params, &patch).await;
        patched.map_err(|error| self.failed(&name, &error))?;
        Ok(())
    }

    /// Deletes an object of ours.
    pub(super) async fn delete(&self, there: &DynamicObject) -> Result<(), Trouble> {
        self.lead()?;
        let name = there.name_any();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: there.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.api.delete(&name, &params).await {
            Ok(_) => self.context.runtime.metrics.plan_step("Delete", KIND),
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => return Err(self.failed(&name, &error)),
        }
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<DynamicObject>, Trouble> {
        let found = self.api.get_opt(name).await;
        found.map_err(|error| self.failed(name, &error))
    }

    fn lead(&self) -> Result<(), Trouble> {
        let leading = self.context.runtime.leadership.ensure_leading();
        leading.map_err(|error| {
            Trouble::from(Problem::retry(Reason::InternalError, error.to_string()))
        })
    }

    fn failed(&self, name: &str, error: &kube::Error) -> Trouble {
        let (reason, why) = told(error, self.system);
        let what = if name.is_empty() {
            format!("WasmPlugins in {}", self.system)
        } else {
            format!("WasmPlugin {}/{name}", self.system)
        };
        Trouble::from(Problem::retry(reason, format!("{what}: {why}")))
    }
}

/// What may be told of an error. The API server quotes values that it refuses.
fn told(error: &kube::Error, system: &str) -> (Reason, String) {
    match error {
        kube::Error::Api(status) if !status.is_forbidden() => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
            let fields = fields.join(", ");
            let why = format!("the API server says {} {}", status.code, status.reason);
            let why = if fields.is_empty() {
                format!("{why}.")
            } else {
                format!("{why}, of {fields}.")
            };
            (Reason::InternalError, why)
        }
        error => {
            let refusal = refusal(error, &format!("\"{system}\" to rbac.higressNamespaces"));
            (refusal.reason, refusal.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn a_refused_value_is_not_told_on() {
        let refused = "Invalid value: \"the-key\"";
        let cause = json!({"reason": "FieldValueInvalid", "message": refused, "field": "spec.matchRules[0].config"});
        let status = json!({
            "status": "Failure", "reason": "Invalid", "code": 422, "message": refused,
            "details": {"causes": [cause]},
        });
        let status: Status = serde_json::from_value(status).unwrap();
        let (reason, why) = told(&kube::Error::Api(Box::new(status)), "higress-system");
        assert_eq!(reason, Reason::InternalError);
        assert_eq!(
            why,
            "the API server says 422 Invalid, of spec.matchRules[0].config."
        );
    }
}
