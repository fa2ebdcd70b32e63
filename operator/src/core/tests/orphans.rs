//! Collecting what lost its owner comes to the same as deleting the owner.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::gateway::model::{Consumer, ConsumerSpec, Inventory, Marker};

use super::model::Model;
use super::plans::converge;
use super::scenario::{CLASS_OWNER, CLUSTER, binding, spec};
use crate::core::consumer::claims::Location;
use crate::core::ledger::Ledger;
use crate::core::orphans::find::{Speaks, View, find};
use crate::core::orphans::going::{Leaving, Users, World, within};
use crate::core::orphans::{Id, Kind, MarkedService};
use crate::core::plan;

fn services(model: &Model) -> Vec<MarkedService> {
    let services = model.services.iter();
    services
        .map(|((namespace, name), state)| MarkedService {
            namespace: namespace.clone(),
            name: name.clone(),
            owner: CLASS_OWNER.into(),
            state: state.clone(),
        })
        .collect()
}

#[test]
fn what_lost_its_owner_goes_in_the_order_of_a_deletion_without_a_trace() {
    let hello = binding("default", "helloworld", spec());
    let mut model = Model::default();
    converge(&hello, &[&hello], Ledger::default(), &mut model);
    let id = model
        .inventory
        .grants
        .keys()
        .next()
        .unwrap()
        .consumer
        .clone();
    let caller = Consumer {
        id: id.clone(),
        spec: ConsumerSpec {
            name: "knative".into(),
            description: String::new(),
            disabled: false,
        },
        marker: Some(Marker {
            cluster: CLUSTER.into(),
            owner: "GatewayConsumer/default/knative".into(),
        }),
    };
    model.inventory.consumers.insert(id, caller);
    let services = services(&model);
    let location = Location {
        account: "1".into(),
        region: "r".into(),
    };
    let inventory = model.inventory.clone();
    let found = find(&View {
        class: "production",
        cluster: CLUSTER,
        location: &location,
        inventory: &inventory,
        services: &services,
        secrets: &[],
        speaks: Speaks::default(),
        lives: &|owner| owner != "GatewayBinding/default/helloworld",
        used: &|_| false,
        claimed: &|_| false,
    });
    let kinds: Vec<Kind> = found.iter().map(|orphan| orphan.id.kind).collect();
    let expected = [
        Kind::Api,
        Kind::Policy,
        Kind::Backend,
        Kind::Group,
        Kind::Service,
    ];
    assert_eq!(kinds, expected, "the caller lives");

    let users: Users = inventory
        .backends
        .keys()
        .map(|name| (name.clone(), Some(inventory.apis.keys().cloned().collect())))
        .collect();
    let world = World {
        inventory: &inventory,
        services: &services,
        users: &users,
    };
    let leaving = Leaving::of(&found, world);
    assert_eq!(leaving.needs(), BTreeMap::new());
    let world = plan::World {
        cluster: CLUSTER,
        owner: "",
        class_owner: Some(CLASS_OWNER),
        inventory: Some(&inventory),
        services: &model.services.clone(),
        in_use: &|_| false,
        is_live: &|_| false,
    };
    let claims = leaving.claims();
    let plan = plan::plan(&[], &claims, &world);
    let all: BTreeSet<Id> = found.iter().map(|orphan| orphan.id.clone()).collect();
    let steps = within(&plan, &all);
    let kinds: Vec<&str> = steps.iter().map(|(step, _)| step.key.kind()).collect();
    let expected = [
        "Grant",
        "Deployment",
        "API",
        "Policy",
        "Backend",
        "Group",
        "Service",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        within(&plan, &BTreeSet::new()),
        vec![],
        "nothing was judged"
    );
    // The model refuses what the cloud refuses, so it holds in this order.
    model.execute(&plan, &claims, "");
    model.inventory.consumers.clear();
    assert_eq!(model.inventory, Inventory::default());
    assert_eq!(model.services.len(), 0);
}
