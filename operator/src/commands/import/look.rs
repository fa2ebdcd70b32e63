//! What there is in cluster and cloud. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud_adapter::error::CloudError;
use cloud_adapter::gateway::ApiGateway;
use cloud_adapter::gateway::model::{ConsumerId, Credential, Group, Inventory, Watched};
use crds::v1alpha1::{CredentialKind, GatewayBindingClass, NlbGateway};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::json;

use super::ImportError;
use crate::args::{ImportArgs, RunArgs};
use crate::chain::chain;
use crate::commands::plan::cluster;
use crate::controller::binding::route_host;
use crate::controller::cloud::{Account, Clouds, Trouble};
use crate::controller::service;
use crate::controller::stores::knative_route;
use crate::core::balancer::LoadBalancer;
use crate::core::import::{AnnotatedService, GatewayService, Seen};
use crate::core::{nlb, slb};

/// What was listed is good for the whole command.
const AGE: Duration = Duration::from_secs(600);
/// How many things are read at once; the account's budget holds as well.
const PARALLEL: usize = 8;

/// What there is.
pub(super) struct Looked {
    account: String,
    group: Group,
    inventory: Inventory,
    services: Vec<GatewayService>,
    hosts: BTreeMap<String, (String, String)>,
    credentials: BTreeMap<ConsumerId, BTreeMap<CredentialKind, usize>>,
}

impl Looked {
    pub(super) fn seen<'a>(&'a self, args: &'a ImportArgs) -> Seen<'a> {
        Seen {
            class: &args.class,
            account: &self.account,
            region: &args.region,
            cluster: &args.cluster_id,
            group: &self.group,
            inventory: &self.inventory,
            services: &self.services,
            hosts: &self.hosts,
            credentials: &self.credentials,
        }
    }
}

/// Reads cluster and cloud.
pub(super) async fn look(args: &ImportArgs, run: RunArgs) -> Result<Looked, ImportError> {
    let client = crate::commands::run::client(&run)
        .await
        .map_err(ImportError::Cluster)?;
    let unreadable = |error: kube::Error| ImportError::Cluster(error.into());
    let services: Vec<Service> = cluster::list(&client).await.map_err(unreadable)?;
    let routes = cluster::routes(&client, &knative_route()).await;
    let hosts = routes.map_err(unreadable)?.into_iter().filter_map(|route| {
        let place = (route.namespace()?, route.name_any());
        Some((route_host(&route)?, place))
    });
    let hosts = hosts.collect();
    let account = account(args, cluster::runtime(client, run)).await?;
    let (group, inventory) = inventory(&account, args).await?;
    let credentials = credentials(&account, &group, &inventory).await?;
    Ok(Looked {
        services: gateway_services(&account, &services).await?,
        account: account.id.clone(),
        group,
        inventory,
        hosts,
        credentials,
    })
}

/// Reads an annotated Service and its load balancer.
pub(super) async fn service(
    args: &ImportArgs,
    run: RunArgs,
    (namespace, name): &(String, String),
) -> Result<AnnotatedService, ImportError> {
    let client = crate::commands::run::client(&run)
        .await
        .map_err(ImportError::Cluster)?;
    let services: kube::Api<Service> = kube::Api::namespaced(client.clone(), namespace);
    let found = services.get_opt(name).await;
    let found = found.map_err(|error| ImportError::Cluster(error.into()))?;
    let found = found.ok_or_else(|| ImportError::NoService(namespace.clone(), name.clone()))?;
    let state = service::state(&found, &args.cluster_id);
    let network = state.class.as_deref() == Some(NlbGateway::LOAD_BALANCER_CLASS);
    let unmanaged = match network {
        true => nlb::unmanaged,
        false => slb::unmanaged,
    };
    let why = slb::untyped(&state).or_else(|| unmanaged(&state));
    if let Some(why) = why {
        let service = format!("{namespace}/{name}");
        return Err(ImportError::NotTaken(service, format!("it {why}")));
    }
    let account = account(args, cluster::runtime(client, run)).await?;
    let mut load_balancer = None;
    if let Some(id) = &state.load_balancer_id {
        load_balancer = account.load_balancer(id, "", AGE).await.map_err(cloud)?;
    }
    let spec = found.spec.as_ref();
    let ranges = spec.and_then(|spec| spec.load_balancer_source_ranges.as_ref());
    Ok(AnnotatedService {
        class: args.class.clone(),
        account: account.id.clone(),
        region: args.region.clone(),
        cluster: args.cluster_id.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
        restricts: ranges.is_some_and(|ranges| !ranges.is_empty()),
        state,
        load_balancer,
    })
}

/// The way in that the class to be would have.
async fn account(
    args: &ImportArgs,
    runtime: crate::runtime::Runtime,
) -> Result<std::sync::Arc<Account>, ImportError> {
    let class = json!({
        "metadata": {"name": args.class},
        "spec": {"cloud": {
            "regionId": args.region,
            "clusterId": args.cluster_id,
            "credentials": {"type": "Environment"},
        }},
    });
    let class: GatewayBindingClass =
        serde_json::from_value(class).map_err(|error| ImportError::Cloud(error.to_string()))?;
    let told = |trouble: Trouble| ImportError::Cloud(trouble.problem.message);
    Clouds::new(runtime).of(&class).await.map_err(told)
}

fn cloud(error: CloudError) -> ImportError {
    ImportError::Cloud(chain(&error))
}

/// The group, and all that the account has with what matters to it read.
async fn inventory(
    account: &Account,
    args: &ImportArgs,
) -> Result<(Group, Inventory), ImportError> {
    let snapshots = &account.gateway.snapshots;
    let listed = snapshots.get(AGE).await.map_err(cloud)?;
    let group = group(&listed, account, args)?;
    snapshots.watch(Watched {
        groups: [group.id.clone()].into(),
        apis: listed
            .apis
            .of_group(&group.id)
            .map(|api| api.id.clone())
            .collect(),
        consumers: listed.consumers.keys().cloned().collect(),
        policies: listed.policies.keys().cloned().collect(),
    });
    let mut inventory = (*snapshots.get(AGE).await.map_err(cloud)?).clone();
    let apis = listed.apis.of_group(&group.id);
    let gateway = &account.gateway.gateway;
    let read: Vec<_> = futures::stream::iter(apis)
        .map(|api| gateway.read_api(api))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
        .map_err(cloud)?;
    for api in read.into_iter().flatten() {
        inventory.apis.insert(api);
    }
    Ok((group, inventory))
}

fn group(
    inventory: &Inventory,
    account: &Account,
    args: &ImportArgs,
) -> Result<Group, ImportError> {
    let groups = inventory.groups.values();
    let wanted = |group: &&Group| group.id.as_str() == args.group || group.spec.name == args.group;
    let found: Vec<&Group> = groups.filter(wanted).collect();
    let group = match found.as_slice() {
        [] => {
            return Err(ImportError::NoGroup {
                group: args.group.clone(),
                account: account.id.clone(),
                region: args.region.clone(),
            });
        }
        [group] => *group,
        _ => return Err(ImportError::Ambiguous(args.group.clone())),
    };
    match &group.marker {
        Some(marker) => Err(ImportError::Owned {
            group: args.group.clone(),
            owner: marker.owner.clone(),
        }),
        None => Ok(group.clone()),
    }
}

/// Which kinds of credentials the apps have that may call an API of the group. Their values are
/// dropped at once.
async fn credentials(
    account: &Account,
    group: &Group,
    inventory: &Inventory,
) -> Result<BTreeMap<ConsumerId, BTreeMap<CredentialKind, usize>>, ImportError> {
    let of_group = |id| {
        let api = inventory.apis.get(id);
        api.is_some_and(|api| api.group == group.id)
    };
    let grants = inventory.grants.keys().filter(|key| of_group(&key.api));
    let apps: std::collections::BTreeSet<&ConsumerId> = grants.map(|key| &key.consumer).collect();
    let mut kinds = BTreeMap::new();
    for id in apps {
        let has = account
            .gateway
            .gateway
            .credentials(id)
            .await
            .map_err(cloud)?;
        let mut of_app = BTreeMap::new();
        for credential in has {
            let kind = match credential {
                Credential::ApiKey(_) => CredentialKind::APIKey,
                Credential::KeyPair { .. } => CredentialKind::KeyPair,
            };
            *of_app.entry(kind).or_insert(0) += 1;
        }
        if !of_app.is_empty() {
            kinds.insert(id.clone(), of_app);
        }
    }
    Ok(kinds)
}

async fn gateway_services(
    account: &Account,
    services: &[Service],
) -> Result<Vec<GatewayService>, ImportError> {
    let mut found = Vec::new();
    for service in services {
        let state = service::state(service, "");
        let Some(load_balancer) = state.load_balancer_id else {
            continue;
        };
        if LoadBalancer::is_network(&load_balancer) {
            continue; // No API gateway reaches one.
        }
        let balancer = account.load_balancer(&load_balancer, "", AGE).await;
        found.push(GatewayService {
            namespace: service.namespace().unwrap_or_default(),
            name: service.name_any(),
            annotations: state.annotations,
            address_type: balancer
                .map_err(cloud)?
                .and_then(|balancer| Some(balancer.classic()?.address_type.clone())),
            load_balancer,
        });
    }
    Ok(found)
}
