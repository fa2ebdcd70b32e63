//! What a person may do behind the operator's back to each object that a scenario has: derived from
//! what is there, so that a new scenario is disturbed without a line of code. A kind that nothing is
//! known to disturb is an error, so that none is left out.

use std::collections::BTreeMap;

use alicloud_emulator::api::Product::CloudApi;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::{
    HarnessError,
    footprint::ours,
    names::{Names, inner, kind},
};
use crate::world::{Target, World, WorldError};

/// Kinds that somebody else looks after, who is played as well.
const OTHERS: [&str; 4] = ["loadBalancers", "listeners", "serverGroups", "acls"];
/// Kinds that are the user's own words, with the operator's status.
const USERS: [&str; 3] = ["GatewayBinding", "GatewayBindingClass", "GatewayConsumer"];
const CLOUD_ANNOTATION: &str = "service.beta.kubernetes.io/alibaba-cloud-";

/// Something that a person does.
#[derive(Clone, Debug)]
pub(super) struct Disturbance {
    /// Which object, by name, and what is done to it. The same in every run.
    pub(super) what: String,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    /// Calls of the API gateway, as the console makes them.
    Calls(Vec<(&'static str, Vec<(&'static str, String)>)>),
    /// The backend's timeout of an API is another one, and that is published in these stages.
    Timeout {
        api: String,
        publish: Vec<String>,
    },
    Delete(Target),
    Patch(Target, Value),
}

impl Disturbance {
    /// All that may be done, in the order of their names. `before` are the places of the cloud that
    /// were there without the scenario.
    pub(super) async fn all(world: &World, before: &[String]) -> Result<Vec<Self>, HarnessError> {
        let mut cloud = world.cloud_objects().await?;
        let cluster = ours(world).await?;
        let uids: Vec<_> = cluster
            .iter()
            .map(|object| (object.name_any(), object.uid().unwrap_or_default()))
            .collect();
        let names = Names::of(&cloud, &uids);
        cloud.retain(|place, _| !before.contains(place));
        let mut all = Vec::new();
        for (place, object) in &cloud {
            all.extend(of_cloud(place, inner(object), &names)?);
        }
        for object in &cluster {
            all.extend(of_cluster(object)?);
        }
        all.sort_by(|a, b| a.what.cmp(&b.what));
        Ok(all)
    }

    /// The kind of the object.
    pub(super) fn kind(&self) -> &str {
        self.what.split(' ').next().unwrap_or_default()
    }

    /// Does it.
    pub(super) async fn make(&self, world: &World) -> Result<(), HarnessError> {
        match &self.act {
            Act::Calls(calls) => {
                for (action, params) in calls {
                    call(world, action, params).await?;
                }
            }
            Act::Timeout { api, publish } => {
                change_timeout(world, api).await?;
                for stage in publish {
                    let params = [
                        ("ApiId", api.clone()),
                        ("StageName", stage.clone()),
                        ("Description", "by hand".to_owned()),
                    ];
                    call(world, "DeployApi", &params).await?;
                }
            }
            Act::Delete(target) => world.delete(target).await?,
            Act::Patch(target, patch) => drop(world.patch(target, patch).await?),
        }
        Ok(())
    }
}

async fn call(
    world: &World,
    action: &str,
    params: &[(&'static str, String)],
) -> Result<Value, WorldError> {
    let keys = &world.options().console_keys;
    let params: Vec<(&str, &str)> = params
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    world.cloud.call(keys, CloudApi, action, &params).await
}

/// A member as text, as parameters are.
fn text(object: &Value, name: &str) -> String {
    match &object[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

type Calls = Vec<(&'static str, Vec<(&'static str, String)>)>;

fn of_cloud(place: &str, object: &Value, names: &Names) -> Result<Vec<Disturbance>, HarnessError> {
    let kind = kind(place).unwrap_or(place);
    let of = |name: &str| text(object, name);
    let id = || of("id");
    let one = |action, params: &[(&'static str, String)]| vec![(action, params.to_vec())];
    let acts: Vec<(&str, Calls)> = match kind {
        kind if OTHERS.contains(&kind) => Vec::new(),
        "groups" => of_group(object),
        "vpcAccesses" => of_backend(object),
        "plugins" => vec![
            (
                "renamed",
                one(
                    "ModifyPlugin",
                    &[("PluginId", id()), ("PluginName", other_name(&of("name")))],
                ),
            ),
            (
                "described otherwise",
                one(
                    "ModifyPlugin",
                    &[("PluginId", id()), ("Description", "by hand".into())],
                ),
            ),
            (
                "edited",
                one(
                    "ModifyPlugin",
                    &[
                        ("PluginId", id()),
                        ("PluginData", other_limits(&of("data"))),
                    ],
                ),
            ),
        ],
        "apps" => of_app(object),
        "grants" => {
            let end = ("ApiId", of("apiId"));
            let other = ("AppIds", of("appId"));
            let stage = ("StageName", of("stage"));
            let until = ("AuthValidTime", "2099-01-01T00:00:00Z".to_owned());
            vec![
                (
                    "revoked",
                    one(
                        "RemoveAppsAuthorities",
                        &[end.clone(), other.clone(), stage.clone()],
                    ),
                ),
                (
                    "given an end",
                    one("SetAppsAuthorities", &[end, other, stage, until]),
                ),
            ]
        }
        "apiPlugins" => {
            let params = [
                ("ApiId", of("apiId")),
                ("PluginId", of("pluginId")),
                ("StageName", of("stage")),
            ];
            vec![("detached", one("DetachPlugin", &params))]
        }
        "deployments" => {
            let api = place.rsplit('/').next().unwrap_or_default();
            let stages = object.as_object().into_iter().flatten();
            let offline = stages.map(|(stage, _)| {
                (
                    "AbolishApi",
                    vec![("ApiId", api.to_owned()), ("StageName", stage.clone())],
                )
            });
            let mut all = named(
                kind,
                names.text(api),
                vec![("taken offline", offline.collect())],
            );
            let stages = object.as_object().into_iter().flatten();
            all.push(Disturbance {
                what: format!("{kind} {}: edited and published", names.text(api)),
                act: Act::Timeout {
                    api: api.to_owned(),
                    publish: stages.map(|(stage, _)| stage.clone()).collect(),
                },
            });
            return Ok(all);
        }
        "apis" => {
            return Ok(vec![Disturbance {
                what: format!("{kind} {}: edited", names.text(&id())),
                act: Act::Timeout {
                    api: id(),
                    publish: Vec::new(),
                },
            }]);
        }
        kind => {
            return Err(HarnessError::Broken(format!(
                "nobody knows how {kind} are disturbed: say it in harness/disturb.rs"
            )));
        }
    };
    let name = match of("name").as_str() {
        "" => names.value(object).to_string(),
        name => name.to_owned(),
    };
    Ok(named(kind, name, acts))
}

fn named(kind: &str, name: String, acts: Vec<(&str, Calls)>) -> Vec<Disturbance> {
    let made = acts.into_iter().map(|(doing, calls)| Disturbance {
        what: format!("{kind} {name}: {doing}"),
        act: Act::Calls(calls),
    });
    made.collect()
}

/// A name of the same length: some are as long as they may be.
fn other_name(name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if let Some(last) = letters.last_mut() {
        *last = if *last == 'x' { 'y' } else { 'x' };
    }
    letters.into_iter().collect()
}

fn of_group(group: &Value) -> Vec<(&'static str, Calls)> {
    let id = ("GroupId", text(group, "id"));
    let modify = |name, value: String| vec![("ModifyApiGroup", vec![id.clone(), (name, value)])];
    let on = group["testDomainEnabled"] != true;
    vec![
        (
            "renamed",
            modify("GroupName", other_name(&text(group, "name"))),
        ),
        (
            "described otherwise",
            modify("Description", "by hand".to_owned()),
        ),
        (
            "lets the Host through",
            modify("PassthroughHeaders", "Host".to_owned()),
        ),
        (
            "its test domain switched",
            vec![(
                "ModifyApiGroupNetworkPolicy",
                vec![id.clone(), ("InnerDomainEnable", on.to_string())],
            )],
        ),
    ]
}

fn of_backend(backend: &Value) -> Vec<(&'static str, Calls)> {
    let point = |port: String, host: &str| {
        let params = vec![
            ("Name", text(backend, "name")),
            ("VpcId", text(backend, "vpcId")),
            ("InstanceId", text(backend, "instanceId")),
            ("Port", port),
            ("VpcTargetHostName", host.to_owned()),
        ];
        vec![("ModifyVpcAccessAndUpdateApis", params)]
    };
    let port = text(backend, "port");
    let other = if port == "443" { "80" } else { "443" };
    vec![
        ("leads to another port", point(other.to_owned(), "")),
        ("sets a Host", point(port, "elsewhere.example.com")),
    ]
}

fn of_app(app: &Value) -> Vec<(&'static str, Calls)> {
    let id = ("AppId", text(app, "id"));
    let modify = |name, value: String| vec![("ModifyApp", vec![id.clone(), (name, value)])];
    let disabled = app["disabled"] != true;
    let mut acts = vec![
        ("deleted", vec![("DeleteApp", vec![id.clone()])]),
        (
            "described otherwise",
            modify("Description", "by hand".to_owned()),
        ),
        (
            "disabled or enabled",
            modify("Disabled", disabled.to_string()),
        ),
        (
            "renamed",
            modify("AppName", format!("hand{}", text(app, "id"))),
        ),
    ];
    if let Some(code) = app["codes"].get(0) {
        let params = vec![id.clone(), ("AppCode", text(code, "code"))];
        acts.push(("without its code", vec![("DeleteAppCode", params)]));
        acts.push((
            "with another code",
            vec![("CreateAppCode", vec![id.clone()])],
        ));
    }
    if let Some(key) = app["keys"].get(0) {
        let params = vec![id, ("AppKey", text(key, "key"))];
        acts.push(("without its key", vec![("DeleteAppKey", params)]));
    }
    acts
}

/// The same plugin with limits that nobody asked for.
fn other_limits(data: &str) -> String {
    let mut data: Value = serde_json::from_str(data).unwrap_or_else(|_| json!({}));
    data["apiDefault"] = json!(77_777);
    data.to_string()
}

/// The draft of an API as it is, but for the backend's timeout in milliseconds.
async fn change_timeout(world: &World, api: &str) -> Result<(), HarnessError> {
    let id = api.to_owned();
    let api = call(world, "DescribeApi", &[("ApiId", id.clone())]).await?;
    let mut service = api["ServiceConfig"].clone();
    let timeout = service["ServiceTimeout"].as_u64().unwrap_or_default();
    service["ServiceTimeout"] = json!(if timeout == 1234 { 4321 } else { 1234 });
    let mut params = vec![
        ("ApiId", id),
        ("ServiceConfig", service.to_string()),
        ("RequestConfig", api["RequestConfig"].to_string()),
        (
            "ConstantParameters",
            api["ConstantParameters"]["ConstantParameter"].to_string(),
        ),
    ];
    // What is not sent is cleared.
    for name in [
        "GroupId",
        "ApiName",
        "Description",
        "Visibility",
        "AuthType",
        "AppCodeAuthType",
        "AllowSignatureMethod",
        "WebSocketApiType",
        "ResultType",
        "ResultSample",
    ] {
        params.push((name, text(&api, name)));
    }
    call(world, "ModifyApi", &params).await?;
    Ok(())
}

fn of_cluster(object: &DynamicObject) -> Result<Vec<Disturbance>, HarnessError> {
    let kind = object.types.as_ref().map_or("", |types| &types.kind);
    let name = format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    );
    let target = |of: fn(Option<&str>, &str) -> Target| {
        of(object.namespace().as_deref(), &object.name_any())
    };
    let is_made = object.labels().contains_key(crds::keys::MANAGED_BY);
    let mut acts: BTreeMap<String, Act> = BTreeMap::new();
    match kind {
        kind if USERS.contains(&kind) => {}
        "Service" => {
            let service = target(Target::of::<k8s_openapi::api::core::v1::Service>);
            let annotations = object.annotations().iter();
            for (key, value) in annotations.filter(|(key, _)| key.starts_with(CLOUD_ANNOTATION)) {
                let other = if value == "internet" {
                    "intranet"
                } else {
                    "internet"
                };
                let patch = json!({"metadata": {"annotations": {key.as_str(): other}}});
                acts.insert(
                    format!("annotated otherwise ({key})"),
                    Act::Patch(service.clone(), patch),
                );
            }
            if is_made {
                let patch = json!({"spec": {"selector": {"by": "hand"}}});
                acts.insert(
                    "selecting otherwise".to_owned(),
                    Act::Patch(service.clone(), patch),
                );
                acts.insert("deleted".to_owned(), Act::Delete(service));
            }
        }
        "Secret" => {
            let secret = target(Target::of::<k8s_openapi::api::core::v1::Secret>);
            let entries = object.data.get("data").and_then(Value::as_object);
            for entry in entries.into_iter().flat_map(|entries| entries.keys()) {
                let patch = json!({"data": {entry.as_str(): null}});
                acts.insert(
                    format!("without {entry}"),
                    Act::Patch(secret.clone(), patch),
                );
            }
            acts.insert("deleted".to_owned(), Act::Delete(secret));
        }
        kind => {
            return Err(HarnessError::Broken(format!(
                "nobody knows how {kind} are disturbed: say it in harness/disturb.rs"
            )));
        }
    }
    let made = acts.into_iter().map(|(doing, act)| Disturbance {
        what: format!("{kind} {name}: {doing}"),
        act,
    });
    Ok(made.collect())
}
