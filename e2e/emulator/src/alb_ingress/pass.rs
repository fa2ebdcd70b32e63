//! The two things the controller does: bring an AlbConfig in line, and note what an Ingress wants of
//! its AlbConfig.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};

use super::balancer::{self, Balancer, Config};
use super::failure::Failure;
use super::names::{self, key};
use super::ports::{self, Place};
use super::servers::Backends;
use super::tracking::Stack;
use super::watch::{Stores, albconfig};
use super::{Options, apply, build, config, hash, members};
use crate::ccm::{Cloud, Events};

const MANAGER: &str = "alb-ingress-controller";

/// What every pass works with.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) options: Options,
    pub(super) cloud: Cloud,
    pub(super) events: Events,
    pub(super) stores: Stores,
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// The hash of an AlbConfig, as the controller's structures have it.
pub(super) fn albconfig_hash(object: &DynamicObject) -> String {
    let spec = config::round_trip(object.data.get("spec").unwrap_or(&Value::Null));
    hash::of_albconfig(
        &spec,
        &json!(object.metadata.annotations),
        &json!(object.metadata.deletion_timestamp),
    )
}

/// Whether an object has the label of its content.
pub(super) fn is_applied<K: ResourceExt>(object: &K, hash: &str) -> bool {
    object.labels().get(names::HASH_LABEL).map(String::as_str) == Some(hash)
}

impl Work {
    fn client(&self) -> Client {
        self.options.client.clone()
    }

    fn albconfigs(&self) -> Api<DynamicObject> {
        Api::all_with(self.client(), &albconfig())
    }

    async fn event(&self, object: &ObjectReference, kind: &str, reason: &str, message: &str) {
        let message = message.to_owned();
        self.events.publish(object, kind, reason, message).await;
    }

    fn reference(&self, object: &DynamicObject) -> ObjectReference {
        object.object_ref(&albconfig())
    }

    /// Notes the listeners that an Ingress and its neighbours want in their AlbConfig, which belongs
    /// to the controller in that. The name of an AlbConfig that is to be brought in line.
    pub(super) async fn sync_ingress(
        &self,
        ingress: &Ingress,
        gone: bool,
    ) -> Result<Option<String>, Failure> {
        let reference = ingress.object_ref(&());
        self.event(&reference, "Normal", "Sync", "Scheduled for sync")
            .await;
        let outcome = self.note_listeners(ingress, gone).await;
        if let Err(failure) = &outcome {
            let message = failure.told();
            self.event(&reference, "Warning", "FailedBuildModel", &message)
                .await;
        }
        outcome
    }

    async fn note_listeners(
        &self,
        ingress: &Ingress,
        gone: bool,
    ) -> Result<Option<String>, Failure> {
        let classes = self.stores.classes();
        let name = members::albconfig(ingress, &classes)?;
        let api = self.albconfigs();
        let Some(mut object) = api.get_opt(&name).await? else {
            let message = format!("AlbConfig.alibabacloud.com \"{name}\" not found");
            self.event(
                &ingress.object_ref(&()),
                "Warning",
                "FailedBuildModel",
                &message,
            )
            .await;
            return Ok(None);
        };
        let ingresses = self.stores.ingresses();
        let members = match members::of(&name, &ingresses, &classes) {
            Ok(members) => members,
            Err(failure) => {
                self.report(&object, &[], &failure, &ingresses).await;
                return Err(failure);
            }
        };
        let mut places: Vec<Place> = Vec::new();
        for member in members {
            for place in ports::of(member).unwrap_or_default() {
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        let before = object.data.clone();
        let mut spec = config::round_trip(object.data.get("spec").unwrap_or(&Value::Null));
        add_listeners(&mut spec, places)?;
        object.data["spec"] = config::round_trip(&spec);
        // The API server makes no new version of what did not change; neither is it asked then.
        if object.data != before {
            api.replace(&name, &post_params(), &object).await?;
        }
        if gone || ingress.metadata.deletion_timestamp.is_some() {
            self.take_label_off(ingress).await?;
        }
        Ok(Some(name))
    }

    async fn take_label_off(&self, ingress: &Ingress) -> Result<(), Failure> {
        let namespace = ingress.namespace().unwrap_or_default();
        let api: Api<Ingress> = Api::namespaced(self.client(), &namespace);
        let none = json!({"metadata": {"labels": {names::HASH_LABEL: null}}});
        match api
            .patch_status(&ingress.name_any(), &params(), &Patch::Merge(none))
            .await
        {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// The event on a Service whose servers were brought in line, or not.
    pub(super) async fn tell_of_service(
        &self,
        (namespace, name): (&str, &str),
        backends: &Backends,
        outcome: &Result<(), Failure>,
    ) {
        let key = (namespace.to_owned(), name.to_owned());
        let Some(service) = backends.services.get(&key) else {
            return;
        };
        let reference = service.object_ref(&());
        match outcome {
            Ok(()) => {
                let (reason, message) = ("SuccessfullyReconciled", "Successfully reconciled");
                self.event(&reference, "Normal", reason, message).await;
            }
            Err(failure) => {
                let message = failure.to_string();
                let reason = "FailedUpdateEndpoints";
                self.event(&reference, "Warning", reason, &message).await;
            }
        }
    }

    /// Brings an AlbConfig in line with the cluster.
    pub(super) async fn reconcile(&self, name: &str) -> Result<(), Failure> {
        let Some(object) = self.albconfigs().get_opt(name).await? else {
            return Ok(());
        };
        let ingresses = self.stores.ingresses();
        let classes = self.stores.classes();
        let members = match members::of(name, &ingresses, &classes) {
            Ok(members) => members,
            Err(failure) => {
                self.report(&object, &[], &failure, &ingresses).await;
                return Err(failure);
            }
        };
        let outcome = match object.metadata.deletion_timestamp {
            Some(_) => self.clean_up(&object).await,
            None => self.bring_in_line(&object, &members).await,
        };
        if let Err(failure) = outcome {
            self.report(&object, &members, &failure, &ingresses).await;
            return Err(failure);
        }
        let (reason, message) = ("SuccessfullyReconciled", "Successfully reconciled");
        self.event(&self.reference(&object), "Normal", reason, message)
            .await;
        for member in &members {
            self.event(&member.object_ref(&()), "Normal", reason, message)
                .await;
        }
        Ok(())
    }

    fn stack<'a>(&'a self, name: &'a str) -> Stack<'a> {
        Stack {
            cloud: &self.cloud,
            cluster_id: &self.options.cluster_id,
            albconfig: name,
            second: self.options.second,
        }
    }

    async fn bring_in_line(
        &self,
        object: &DynamicObject,
        members: &[&Ingress],
    ) -> Result<(), Failure> {
        let name = object.name_any();
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let Some(config) = spec.get("config").filter(|config| config.is_object()) else {
            return Err(Failure::Silent(
                "does not exist albconfig.spec.config".to_owned(),
            ));
        };
        self.hold(object).await?;
        let stack = self.stack(&name);
        // Asked for before anything is known of the Ingresses.
        let zones = balancer::zones(&stack, &Config(config)).await?;
        let model = build::model(&name, &spec, members, &self.stores.secrets())?;
        let known = object.data.pointer("/status/loadBalancer/id");
        let known = known.and_then(Value::as_str).unwrap_or_default();
        let backends = self.stores.backends();
        let place = (config, zones, known);
        let balancer = apply::apply(&stack, place, &model, &backends).await?;
        self.publish(object, members, &balancer, &model).await
    }

    async fn hold(&self, object: &DynamicObject) -> Result<(), Failure> {
        if object
            .finalizers()
            .iter()
            .any(|held| held == names::FINALIZER)
        {
            return Ok(());
        }
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(names::FINALIZER.to_owned());
        self.write_finalizers(object, &finalizers).await
    }

    async fn write_finalizers(
        &self,
        object: &DynamicObject,
        finalizers: &[String],
    ) -> Result<(), Failure> {
        let patch = json!({"metadata": {
            "finalizers": finalizers,
            "resourceVersion": object.metadata.resource_version,
        }});
        let api = self.albconfigs();
        api.patch(&object.name_any(), &params(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Where the rules are: first on the Ingresses, then on the AlbConfig; then what was applied.
    async fn publish(
        &self,
        object: &DynamicObject,
        members: &[&Ingress],
        balancer: &Balancer,
        model: &super::model::Model,
    ) -> Result<(), Failure> {
        for member in members {
            self.write_address(member, &balancer.dns_name).await;
        }
        let listeners: Vec<Value> = model
            .listeners
            .iter()
            .filter(|listener| listener.protocol == "HTTPS")
            .map(|listener| {
                let certificates = listener.certificates.iter().zip(0..);
                let certificates: Vec<Value> = certificates
                    .map(|(id, place)| match place {
                        0 => json!({"certificateId": id, "isDefault": true}),
                        _ => json!({"certificateId": id}),
                    })
                    .collect();
                let place = format!("{}/{}", listener.port, listener.protocol);
                json!({"portAndProtocol": place, "certificates": certificates})
            })
            .collect();
        let mut shown = json!({"dnsname": balancer.dns_name, "id": balancer.id});
        if !listeners.is_empty() {
            shown["listeners"] = json!(listeners);
        }
        let status = json!({"status": {"loadBalancer": shown}});
        let api = self.albconfigs();
        let name = object.name_any();
        let shown = object.data.get("status");
        if shown != status.get("status") {
            api.patch_status(&name, &params(), &Patch::Merge(&status))
                .await?;
        }
        for member in members {
            self.label(member).await?;
        }
        let label = albconfig_hash(object);
        if !is_applied(object, &label) {
            let patch = json!({"metadata": {"labels": {names::HASH_LABEL: label}}});
            api.patch(&name, &params(), &Patch::Merge(patch)).await?;
        }
        Ok(())
    }

    async fn write_address(&self, member: &Ingress, host: &str) {
        let status = member
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref());
        let first = status.and_then(|status| status.ingress.as_ref()?.first()?.hostname.as_deref());
        if first == Some(host) {
            return;
        }
        let namespace = member.namespace().unwrap_or_default();
        let api: Api<Ingress> = Api::namespaced(self.client(), &namespace);
        let status = json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}});
        let patch = Patch::Merge(status);
        if let Err(error) = api
            .patch_status(&member.name_any(), &params(), &patch)
            .await
        {
            tracing::debug!(ingress = %key(member), %error, "an address was not written");
        }
    }

    /// The hash of what the store has now, which may be newer than what was applied.
    async fn label(&self, member: &Ingress) -> Result<(), Failure> {
        let Some(current) = self.stores.ingress(member) else {
            return Err(Failure::Apply(format!("no ingress {}", key(member))));
        };
        let label = hash::of_ingress(&current);
        if is_applied(current.as_ref(), &label) {
            return Ok(());
        }
        let namespace = member.namespace().unwrap_or_default();
        let api: Api<Ingress> = Api::namespaced(self.client(), &namespace);
        let patch = json!({"metadata": {"labels": {names::HASH_LABEL: label}}});
        api.patch_status(&member.name_any(), &params(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    async fn clean_up(&self, object: &DynamicObject) -> Result<(), Failure> {
        if !object
            .finalizers()
            .iter()
            .any(|held| held == names::FINALIZER)
        {
            return Ok(());
        }
        let name = object.name_any();
        let config = object.data.pointer("/spec/config").cloned();
        apply::remove(&self.stack(&name), &config.unwrap_or_default()).await?;
        let mut finalizers = object.finalizers().to_vec();
        finalizers.retain(|held| held != names::FINALIZER);
        self.write_finalizers(object, &finalizers).await
    }

    /// Events of a failure: on the Ingress that is to blame and the AlbConfig, or on all of the group.
    async fn report(
        &self,
        object: &DynamicObject,
        members: &[&Ingress],
        failure: &Failure,
        ingresses: &[Ingress],
    ) {
        let message = failure.told();
        let reason = match failure {
            Failure::Ingress { .. } | Failure::Model(_) => "FailedBuildModel",
            Failure::Apply(_) => "FailedApplyModel",
            Failure::Panic(_) | Failure::Silent(_) | Failure::Kubernetes(_) => return,
        };
        self.event(&self.reference(object), "Warning", reason, &message)
            .await;
        let to_blame: Vec<&Ingress> = match failure {
            Failure::Ingress { key: bad, .. } => ingresses
                .iter()
                .filter(|other| key(other) == *bad)
                .collect(),
            _ => members.to_vec(),
        };
        for ingress in to_blame {
            self.event(&ingress.object_ref(&()), "Warning", reason, &message)
                .await;
        }
    }
}

/// Adds the listeners that are not there; one with the other of HTTP and HTTPS is in the way.
fn add_listeners(spec: &mut Value, places: Vec<Place>) -> Result<(), Failure> {
    let mut listeners = spec["listeners"].as_array().cloned().unwrap_or_default();
    for (port, protocol) in places {
        // A port may be written as a text.
        let text = port.to_string();
        let there: Vec<&str> = listeners
            .iter()
            .filter(|listener| listener["port"] == port || listener["port"] == text.as_str())
            .filter_map(|listener| listener["protocol"].as_str())
            .collect();
        let other = if protocol == "HTTP" { "HTTPS" } else { "HTTP" };
        if protocol != "QUIC" && there.contains(&other) {
            return Err(Failure::Model(
                "conflict listener in albconfig, please remove it manual".to_owned(),
            ));
        }
        if !there.contains(&protocol.as_str()) {
            listeners.push(json!({"port": port, "protocol": protocol}));
        }
    }
    spec["listeners"] = json!(listeners);
    Ok(())
}
