//! Where bindings want a consumer, and the ways into the accounts concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::v1alpha1::{
    GatewayBinding, GatewayBindingClass, GatewayConsumer, NamespacedName, Reason,
};
use kube::ResourceExt;

use crate::controller::cloud::{Account, Trouble};
use crate::controller::context::Context;
use crate::controller::relations;
use crate::core::class;
use crate::core::consumer::claims::{AppKey, Claim, Claims, Location};
use crate::core::consumer::places::Use;
use crate::core::consumer::{adoption, lets_in, name_of};
use crate::core::names;
use crate::core::problem::Problem;

/// A way into an account.
#[derive(Clone)]
pub(super) struct Access {
    /// The account.
    pub account: Arc<Account>,
    /// Cluster id of the class, for ownership markers.
    pub cluster: String,
}

/// Where bindings want a consumer.
#[derive(Default)]
pub(super) struct Survey {
    /// What the bindings of each class want.
    pub uses: Vec<Use>,
    /// Where a binding's ledger holds a permission of the consumer.
    pub granted: BTreeSet<Location>,
    /// The ways into the accounts that `uses` name.
    pub access: BTreeMap<AppKey, Access>,
    /// Classes whose account could not be told.
    pub troubles: Vec<Trouble>,
}

/// Asks the bindings that have to do with it: of those that say the same, one.
pub(super) async fn survey(consumer: &GatewayConsumer, context: &Context) -> Survey {
    let mut survey = Survey::default();
    let mut wanted: BTreeMap<String, (GatewayBindingClass, bool)> = BTreeMap::new();
    let classes = context.stores.classes.state();
    let name = name_of(consumer);
    for reference in context.peers.speakers(&name) {
        let Some(stored) = context.stores.bindings.get(&reference) else {
            continue;
        };
        let binding = context.bindings.newest(stored);
        survey.granted.extend(granted(&binding, &name));
        if !may_use(&binding, consumer, context) {
            continue;
        }
        // Without a class there is no account; the binding itself says so.
        let Ok(class) = class::resolve(&binding, classes.iter().map(AsRef::as_ref)) else {
            continue;
        };
        let applies = binding.is_carried_out();
        wanted
            .entry(class.name_any())
            .and_modify(|(_, any)| *any |= applies)
            .or_insert_with(|| (class.clone(), applies));
    }
    for (class, applies) in wanted.into_values() {
        match context.clouds.of(&class).await {
            Ok(account) => {
                let access = access(&class, account);
                let app = match app_key(consumer, &class, &access, context) {
                    Ok(app) => app,
                    Err(problem) => {
                        survey.troubles.push(problem.into());
                        continue;
                    }
                };
                survey.uses.push(Use {
                    app: app.clone(),
                    applies,
                });
                survey.access.entry(app).or_insert(access);
            }
            Err(trouble) => survey.troubles.push(of_class(&class, trouble)),
        }
    }
    survey
}

/// Whether a binding names the consumer and is let in.
fn may_use(binding: &GatewayBinding, consumer: &GatewayConsumer, context: &Context) -> bool {
    let namespace = binding.namespace().unwrap_or_default();
    binding.metadata.deletion_timestamp.is_none()
        && relations::named(binding).any(|named| named == name_of(consumer))
        && lets_in(
            consumer,
            &namespace,
            &context.stores.namespace_labels(&namespace),
        )
}

/// The places where a binding's ledger holds a permission of the consumer.
fn granted(binding: &GatewayBinding, consumer: &NamespacedName) -> BTreeSet<Location> {
    let ledger = binding.status.iter().flat_map(|status| &status.ledger);
    let grants = ledger.filter(|entry| relations::grantee(entry).as_ref() == Some(consumer));
    grants
        .filter_map(|entry| {
            Some(Location {
                account: entry.account.clone()?,
                region: entry.region.clone()?,
            })
        })
        .collect()
}

/// Claims the consumer in every account that a class leads into. Its status was lost, so it may be
/// in any of them; where it is not, the claim ends as soon as the account is looked at.
pub(super) async fn claim_everywhere(
    consumer: &GatewayConsumer,
    claims: &mut Claims,
    context: &Context,
) {
    for class in context.stores.classes.state() {
        let Some(cloud) = &class.spec.cloud else {
            continue;
        };
        let known = class.status.as_ref();
        let known = known.and_then(|status| status.account.clone());
        let account = match context.clouds.of(&class).await {
            Ok(account) => Some(account.id.clone()),
            Err(_) => cloud.account_id.clone().or(known),
        };
        // An account of which not even the id is known was never entered.
        let Some(account) = account else { continue };
        let app = AppKey {
            location: Location {
                account,
                region: cloud.region_id.clone(),
            },
            name: app_name(consumer, &cloud.cluster_id),
        };
        claims.claim(&Claim::App(app));
    }
}

/// A way to an app that no binding names any more: any class that leads into its account, first
/// those under whose cluster id the app got its name.
pub(super) async fn way_to(
    app: &AppKey,
    consumer: &GatewayConsumer,
    context: &Context,
) -> Result<Access, Trouble> {
    let location = &app.location;
    let leads_there = |class: &GatewayBindingClass| {
        class.spec.cloud.as_ref().is_some_and(|cloud| {
            let account = cloud.account_id.as_ref();
            cloud.region_id == location.region && account.is_none_or(|id| *id == location.account)
        })
    };
    let mut classes = context.stores.classes.state();
    classes.retain(|class| leads_there(class));
    classes.sort_by_key(|class| {
        let fits = app_name(consumer, &cluster(class)) == app.name;
        (!fits, class.name_any())
    });
    let mut first = None;
    for class in classes {
        match context.clouds.of(&class).await {
            Ok(account) if account.id == location.account => return Ok(access(&class, account)),
            Ok(_) => {}
            Err(trouble) => first = first.or_else(|| Some(of_class(&class, trouble))),
        }
    }
    Err(first.unwrap_or_else(|| {
        Trouble::from(Problem::waiting(
            Reason::ClassNotFound,
            format!(
                "no GatewayBindingClass leads into {location}, where the consumer is as \"{}\". Create one with credentials for it.",
                app.name
            ),
        ))
    }))
}

fn access(class: &GatewayBindingClass, account: Arc<Account>) -> Access {
    Access {
        account,
        cluster: cluster(class),
    }
}

fn cluster(class: &GatewayBindingClass) -> String {
    let cloud = class.spec.cloud.as_ref();
    cloud
        .map(|cloud| cloud.cluster_id.clone())
        .unwrap_or_default()
}

/// The app in the account of a class: the one to adopt, or else one of the operator's.
fn app_key(
    consumer: &GatewayConsumer,
    class: &GatewayBindingClass,
    access: &Access,
    context: &Context,
) -> Result<AppKey, Problem> {
    let location = Location {
        account: access.account.id.clone(),
        region: access.account.region.clone(),
    };
    if let Some(adopted) = adoption::adopted_in(consumer, &location) {
        let namespace = consumer.namespace().unwrap_or_default();
        let labels = context.stores.namespace_labels(&namespace);
        adoption::consent(consumer, class, &labels)?;
        return Ok(adopted);
    }
    Ok(AppKey {
        location,
        name: app_name(consumer, &access.cluster),
    })
}

fn app_name(consumer: &GatewayConsumer, cluster: &str) -> String {
    let name = name_of(consumer);
    names::consumer_name(cluster, &name.namespace, &name.name)
}

/// The same trouble, told as what keeps a consumer from being in the cloud.
fn of_class(class: &GatewayBindingClass, trouble: Trouble) -> Trouble {
    let problem = Problem {
        condition: crds::v1alpha1::ConditionType::Programmed,
        message: format!(
            "GatewayBindingClass \"{}\": {}",
            class.name_any(),
            trouble.problem.message
        ),
        ..trouble.problem
    };
    Trouble { problem, ..trouble }
}
