//! Kinds of drift: what somebody does at the console or with kubectl, and how they undo it.

use std::collections::BTreeMap;

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Target, World};
use serde_json::{Map, Value, json};

use super::exposed::{consumer, helloworld, intranet_service, now};

const ADDRESS_TYPE: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type";

/// Settings of an API besides its main parts.
const KEPT: [&str; 4] = [
    "AllowSignatureMethod",
    "WebSocketApiType",
    "ResultType",
    "ResultSample",
];

/// What is changed behind the operator's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drift {
    /// The backend's timeout in the API's draft.
    Draft,
    /// The same, and published.
    Definition,
    /// The API is taken offline, and is without its plugin when it is published again.
    Offline,
    Grant,
    Detached,
    Throttling,
    /// The VPC authorization leads to another port.
    Backend,
    /// The VPC authorization sets a Host of its own.
    BackendHost,
    /// The group lets the caller's Host through.
    PassthroughHeaders,
    GroupName,
    Annotation,
    Service,
    /// The caller's app, and with it the grant.
    App,
}

impl Drift {
    /// Who tells it under `driftPolicy: Report`.
    pub(super) fn told_by(self) -> Target {
        match self {
            Self::App => consumer("default", "knative"),
            _ => helloworld(),
        }
    }
}

/// One kind of drift, and what is expected of the operator.
pub(super) struct Case {
    pub(super) drift: Drift,
    /// Mutating calls that repair it, in this order and no others.
    pub(super) repair: &'static [&'static str],
    /// What the condition says under `driftPolicy: Report`: the object, and the field or that the
    /// object is gone.
    pub(super) told: &'static [&'static str],
    /// Mutating calls once it was undone by hand: only where what was made anew has another id.
    pub(super) after_undo: &'static [&'static str],
}

pub(super) const CASES: [Case; 13] = [
    Case {
        drift: Drift::Draft,
        repair: &["ModifyApi"],
        told: &["classic/API/knative/", "timeout"],
        after_undo: &[],
    },
    Case {
        drift: Drift::Definition,
        repair: &["ModifyApi", "DeployApi"],
        told: &[
            "classic/API/knative/",
            "classic/Deployment/knative/",
            "timeout",
        ],
        after_undo: &[],
    },
    Case {
        drift: Drift::Offline,
        repair: &["DeployApi", "AttachPlugin"],
        told: &["classic/Deployment/knative/", "/Release is gone"],
        after_undo: &[],
    },
    Case {
        drift: Drift::Grant,
        repair: &["SetAppsAuthorities"],
        told: &["classic/Grant/knative/", "default/knative is gone"],
        after_undo: &[],
    },
    Case {
        drift: Drift::Detached,
        repair: &["AttachPlugin"],
        told: &["classic/Attachment/knative/", "/Release is gone"],
        after_undo: &[],
    },
    Case {
        drift: Drift::Throttling,
        repair: &["ModifyPlugin"],
        told: &["classic/Policy/", "rules.throttling."],
        after_undo: &[],
    },
    Case {
        drift: Drift::Backend,
        repair: &["ModifyVpcAccessAndUpdateApis"],
        told: &["classic/Backend/", "(port)"],
        after_undo: &[],
    },
    Case {
        drift: Drift::BackendHost,
        repair: &["ModifyVpcAccessAndUpdateApis"],
        told: &["classic/Backend/", "host"],
        after_undo: &[],
    },
    Case {
        drift: Drift::PassthroughHeaders,
        repair: &["ModifyApiGroup"],
        told: &["classic/Group/knative", "(passHost)"],
        after_undo: &[],
    },
    Case {
        drift: Drift::GroupName,
        repair: &["ModifyApiGroup"],
        told: &["classic/Group/knative", "(name)"],
        after_undo: &[],
    },
    Case {
        drift: Drift::Annotation,
        repair: &[],
        told: &[
            "kubernetes/Service/istio-system/istio-ingressgateway-intranet",
            ADDRESS_TYPE,
        ],
        after_undo: &[],
    },
    Case {
        drift: Drift::Service,
        repair: &["ModifyVpcAccessAndUpdateApis"],
        told: &["kubernetes/Service/istio-system/istio-ingressgateway-intranet is gone"],
        after_undo: &["ModifyVpcAccessAndUpdateApis"],
    },
    // The last one: what the operator has just made is believed to be there for a while although
    // no list shows it.
    Case {
        drift: Drift::App,
        repair: &["CreateApp", "SetAppsAuthorities"],
        told: &["classic/Consumer/knative_", "/cn-beijing is gone"],
        after_undo: &[],
    },
];

/// A person at the console and with kubectl, who remembers how everything was.
pub(super) struct Person<'a> {
    world: &'a World,
    api: Value,
    group: Value,
    plugin: Value,
    app: Value,
    backend: Value,
    publication: String,
    service: Value,
}

impl<'a> Person<'a> {
    /// Looks around.
    pub(super) async fn of(world: &'a World) -> Self {
        let state = world.cloud.state().await.unwrap();
        let the_one = |kind: &str| {
            let all = state["cloudapi"][kind].as_object().unwrap();
            assert_eq!(all.len(), 1, "{kind}: {all:?}");
            let object = all.values().next().unwrap();
            object.get("value").unwrap_or(object).clone()
        };
        let service = now(world, &intranet_service()).await;
        let meta = &service.metadata;
        let labels = without_ccm(meta.labels.as_ref());
        let annotations = without_ccm(meta.annotations.as_ref());
        let mut spec = service.data["spec"].clone();
        for assigned in ["clusterIP", "clusterIPs"] {
            spec.as_object_mut().unwrap().remove(assigned);
        }
        Self {
            world,
            api: the_one("apis"),
            group: the_one("groups"),
            plugin: the_one("plugins"),
            app: the_one("apps"),
            backend: the_one("vpcAccesses"),
            publication: the_one("deployments")["RELEASE"]["description"]
                .as_str()
                .unwrap()
                .to_owned(),
            service: json!({
                "apiVersion": "v1", "kind": "Service", "spec": spec,
                "metadata": {
                    "name": meta.name, "namespace": meta.namespace,
                    "labels": labels, "annotations": annotations,
                },
            }),
        }
    }

    async fn call(&self, action: &str, params: &[(&str, &str)]) -> Value {
        let keys = &self.world.options().console_keys;
        let called = self.world.cloud.call(keys, CloudApi, action, params);
        called.await.unwrap()
    }

    async fn kubectl(&self, args: &[&str]) {
        self.world.kubectl(args).await.unwrap();
    }

    /// Makes the drift.
    pub(super) async fn make(&self, drift: Drift) {
        let (api, plugin) = (text(&self.api, "id"), text(&self.plugin, "id"));
        let (group, app) = (text(&self.group, "id"), text(&self.app, "id"));
        match drift {
            Drift::Draft => self.modify_api(1000).await,
            Drift::Definition => {
                self.modify_api(1000).await;
                self.publish("by hand").await;
            }
            Drift::Offline => {
                let params = [("ApiId", api.as_str()), ("StageName", "RELEASE")];
                self.call("AbolishApi", &params).await;
            }
            Drift::Grant => self.permit("RemoveAppsAuthorities", &app).await,
            Drift::Detached => self.attach("DetachPlugin").await,
            Drift::Throttling => {
                let params = [
                    ("PluginId", plugin.as_str()),
                    ("PluginData", "{\"unit\":\"DAY\",\"apiDefault\":500}"),
                ];
                self.call("ModifyPlugin", &params).await;
            }
            Drift::Backend => self.point("443", "").await,
            Drift::BackendHost => {
                let port = text(&self.backend, "port");
                self.point(&port, "elsewhere.example.com").await;
            }
            Drift::PassthroughHeaders => {
                let params = [("GroupId", group.as_str()), ("PassthroughHeaders", "Host")];
                self.call("ModifyApiGroup", &params).await;
            }
            Drift::GroupName => {
                let params = [("GroupId", group.as_str()), ("GroupName", "knative_old")];
                self.call("ModifyApiGroup", &params).await;
            }
            Drift::Annotation => self.annotate("internet").await,
            Drift::Service => self.world.delete(&intranet_service()).await.unwrap(),
            Drift::App => drop(self.call("DeleteApp", &[("AppId", &app)]).await),
        }
    }

    /// Undoes it.
    pub(super) async fn undo(&self, drift: Drift) {
        let app = text(&self.app, "id");
        match drift {
            Drift::Draft => self.modify_api(self.timeout()).await,
            Drift::Definition => {
                self.modify_api(self.timeout()).await;
                self.publish(&self.publication).await;
            }
            Drift::Offline => {
                self.publish(&self.publication).await;
                self.attach("AttachPlugin").await;
            }
            Drift::Grant => self.permit("SetAppsAuthorities", &app).await,
            Drift::Detached => self.attach("AttachPlugin").await,
            Drift::Throttling => {
                let (plugin, data) = (text(&self.plugin, "id"), text(&self.plugin, "data"));
                let params = [("PluginId", plugin.as_str()), ("PluginData", &data)];
                self.call("ModifyPlugin", &params).await;
            }
            Drift::Backend | Drift::BackendHost => {
                let (port, host) = (
                    text(&self.backend, "port"),
                    text(&self.backend, "targetHost"),
                );
                self.point(&port, &host).await;
            }
            Drift::PassthroughHeaders | Drift::GroupName => {
                let (group, name) = (text(&self.group, "id"), text(&self.group, "name"));
                let headers = text(&self.group, "passthroughHeaders");
                let params = [
                    ("GroupId", group.as_str()),
                    ("GroupName", &name),
                    ("PassthroughHeaders", &headers),
                ];
                self.call("ModifyApiGroup", &params).await;
            }
            Drift::Annotation => self.annotate("intranet").await,
            Drift::Service => {
                let manifest = self.world.folder().join("service.json");
                std::fs::write(&manifest, self.service.to_string()).unwrap();
                self.kubectl(&["create", "-f", manifest.to_str().unwrap()])
                    .await;
            }
            Drift::App => self.make_app().await,
        }
    }

    /// An app as it was, with its marks, its credentials and what it may call.
    async fn make_app(&self) {
        let (code, key) = (&self.app["codes"][0], &self.app["keys"][0]);
        let mut params = vec![
            ("AppName".to_owned(), text(&self.app, "name")),
            ("Description".to_owned(), text(&self.app, "description")),
            ("AppCode".to_owned(), text(code, "code")),
            ("AppKey".to_owned(), text(key, "key")),
            ("AppSecret".to_owned(), text(key, "secret")),
        ];
        let tags = self.app["tags"].as_object().unwrap();
        for (number, (tag, value)) in (1..).zip(tags) {
            params.push((format!("Tag.{number}.Key"), tag.clone()));
            let value = value.as_str().unwrap().to_owned();
            params.push((format!("Tag.{number}.Value"), value));
        }
        let params: Vec<(&str, &str)> = params.iter().map(|(n, v)| (&**n, &**v)).collect();
        let made = self.call("CreateApp", &params).await;
        self.permit("SetAppsAuthorities", &text(&made, "AppId"))
            .await;
    }

    fn timeout(&self) -> u64 {
        let service = &self.api["definition"]["service"];
        let timeout = ["ServiceTimeout", "serviceTimeout"].map(|name| service[name].as_u64());
        timeout.into_iter().flatten().next().unwrap()
    }

    /// The draft as it is, but for the backend's timeout in milliseconds.
    async fn modify_api(&self, timeout: u64) {
        let id = text(&self.api, "id");
        let api = self.call("DescribeApi", &[("ApiId", &id)]).await;
        let mut service = api["ServiceConfig"].clone();
        service["ServiceTimeout"] = json!(timeout);
        let (service, request) = (service.to_string(), api["RequestConfig"].to_string());
        let constants = api["ConstantParameters"]["ConstantParameter"].to_string();
        let of = |name: &str| text(&api, name);
        let (group, name, description) = (of("GroupId"), of("ApiName"), of("Description"));
        let (visibility, auth, code) = (of("Visibility"), of("AuthType"), of("AppCodeAuthType"));
        let params = [
            ("ApiId", id.as_str()),
            ("GroupId", &group),
            ("ApiName", &name),
            ("Description", &description),
            ("Visibility", &visibility),
            ("AuthType", &auth),
            ("AppCodeAuthType", &code),
            ("RequestConfig", &request),
            ("ServiceConfig", &service),
            ("ConstantParameters", &constants),
        ];
        // What is not sent is cleared.
        let kept = KEPT.map(|name| (name, api[name].as_str().unwrap_or_default()));
        self.call("ModifyApi", &[&params[..], &kept[..]].concat())
            .await;
    }

    async fn publish(&self, note: &str) {
        let api = text(&self.api, "id");
        let params = [
            ("ApiId", api.as_str()),
            ("StageName", "RELEASE"),
            ("Description", note),
        ];
        self.call("DeployApi", &params).await;
    }

    async fn permit(&self, action: &str, app: &str) {
        let api = text(&self.api, "id");
        let params = [
            ("ApiId", api.as_str()),
            ("AppIds", app),
            ("StageName", "RELEASE"),
        ];
        self.call(action, &params).await;
    }

    async fn attach(&self, action: &str) {
        let (api, plugin) = (text(&self.api, "id"), text(&self.plugin, "id"));
        let params = [
            ("ApiId", api.as_str()),
            ("PluginId", &plugin),
            ("StageName", "RELEASE"),
        ];
        self.call(action, &params).await;
    }

    async fn point(&self, port: &str, host: &str) {
        let of = |name: &str| text(&self.backend, name);
        let (name, vpc, instance) = (of("name"), of("vpcId"), of("instanceId"));
        let params = [
            ("Name", name.as_str()),
            ("VpcId", &vpc),
            ("InstanceId", &instance),
            ("Port", port),
            ("VpcTargetHostName", host),
        ];
        self.call("ModifyVpcAccessAndUpdateApis", &params).await;
    }

    async fn annotate(&self, address_type: &str) {
        let name = intranet_service();
        let annotation = format!("{ADDRESS_TYPE}={address_type}");
        let args = ["-n", "istio-system", "annotate", "--overwrite", "service"];
        self.kubectl(&[&args[..], &[name.name(), &annotation]].concat())
            .await;
    }
}

/// Labels or annotations but for those by which the cloud controller manager remembers the load
/// balancer of that very Service.
fn without_ccm(all: Option<&BTreeMap<String, String>>) -> Map<String, Value> {
    let all = all.into_iter().flatten();
    let lasting = all.filter(|(name, _)| {
        !name.starts_with("service.k8s.alibaba/") && *name != "service.beta.kubernetes.io/hash"
    });
    lasting
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect()
}

/// A member as text, as parameters are.
fn text(object: &Value, name: &str) -> String {
    match &object[name] {
        Value::String(text) => text.clone(),
        Value::Null => panic!("no {name} in {object}"),
        other => other.to_string(),
    }
}
