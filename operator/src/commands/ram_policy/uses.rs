//! From manifests to what they use, and where.

use std::collections::{BTreeMap, BTreeSet};

use cloud_adapter::ram::{Feature, Place};
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, OrphanPolicy};
use kube::ResourceExt;

use crate::commands::plan::given::namespace_labels;
use crate::commands::plan::manifests::Manifests;
use crate::core::alb::binding::alb_of;
use crate::core::class::resolve;
use crate::core::key::id_of;
use crate::core::settings::Settings;
use crate::core::validate::{Validated, validate};

/// The features that manifests use in each place.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) places: BTreeMap<Place, BTreeSet<Feature>>,
    /// What a person should know about how it came about.
    pub(super) notes: Vec<String>,
}

impl Uses {
    fn add(&mut self, place: Place, features: impl IntoIterator<Item = Feature>) {
        self.places.entry(place).or_default().extend(features);
    }
}

/// What the bindings use, and what those classes offer that have no binding in the manifests.
pub(super) fn of(manifests: &Manifests) -> Uses {
    let mut uses = Uses::default();
    let mut bound = BTreeSet::new();
    for binding in &manifests.bindings {
        let name = format!(
            "GatewayBinding {}/{}",
            binding.namespace().unwrap_or_default(),
            binding.name_any()
        );
        let Ok(class) = resolve(binding, &manifests.classes) else {
            uses.notes.push(format!(
                "the class of {name} is not in the files: what it needs is not narrowed to an account and region."
            ));
            uses.add(Place::default(), asked_for(binding));
            continue;
        };
        bound.insert(class.name_any());
        // What such a load balancer needs does not go by its bindings.
        if alb_of(binding, class).is_some() {
            continue;
        }
        let labels = namespace_labels(manifests, &binding.namespace().unwrap_or_default());
        match validate(binding, class, &labels) {
            Ok(validated) => uses.add(place(class), needed(&validated)),
            Err(problem) => uses.notes.push(format!(
                "{name} is refused as it is, and counts for nothing: {}",
                problem.message
            )),
        }
    }
    for class in &manifests.classes {
        if collects(class) {
            uses.add(place(class), [Feature::Orphans]);
        }
        if asks_for_zones(class) {
            uses.add(place(class), [Feature::ApplicationLoadBalancers]);
        }
        if !bound.contains(&class.name_any()) {
            uses.add(place(class), offered(class));
        }
    }
    uses
}

/// Whether a class lets what lost its owner be removed.
fn collects(class: &GatewayBindingClass) -> bool {
    class.spec.orphan_policy() == OrphanPolicy::Collect
}

/// Whether a class may come to make an application load balancer with a vswitch whose zone is not said.
fn asks_for_zones(class: &GatewayBindingClass) -> bool {
    let gateways = class.spec.gateways.iter().flatten();
    let mut albs = gateways.filter_map(|gateway| gateway.alb.as_ref());
    albs.any(|alb| {
        let settings = alb.settings.as_ref();
        let said = settings.and_then(|settings| settings.zone_mappings.as_ref());
        said.is_none_or(|said| said.iter().any(|one| one.zone_id.is_none()))
    })
}

fn place(class: &GatewayBindingClass) -> Place {
    let cloud = class.spec.cloud.as_ref();
    Place {
        account_id: cloud.and_then(|cloud| cloud.account_id.clone()),
        region_id: cloud.map(|cloud| cloud.region_id.clone()),
    }
}

/// What a valid binding uses.
fn needed(binding: &Validated) -> BTreeSet<Feature> {
    let mut features = BTreeSet::new();
    features.extend(
        binding
            .gateway
            .as_ref()
            .map(|gateway| match gateway.class_settings {
                Settings::Slb(_) => Feature::LoadBalancers,
                Settings::Nlb(_) => Feature::NetworkLoadBalancers,
            }),
    );
    if let Some(exposure) = &binding.exposure {
        features.insert(Feature::ApiGateway);
        if !exposure.allow.is_empty() {
            features.insert(Feature::Consumers);
        }
        // What limits an API that others made is looked at before anybody is let in.
        let adopts = exposure.apis.iter().any(|api| id_of(&api.name).is_some());
        if exposure.limits.is_some() || exposure.adopted_policy.is_some() || adopts {
            features.insert(Feature::Throttling);
        }
    }
    features
}

/// What a binding asks for, whatever its class says of it.
fn asked_for(binding: &GatewayBinding) -> BTreeSet<Feature> {
    let mut features = BTreeSet::from([match (&binding.spec.nlb, &binding.spec.alb) {
        (Some(_), _) => Feature::NetworkLoadBalancers,
        (None, Some(_)) => Feature::ApplicationLoadBalancers,
        (None, None) => Feature::LoadBalancers,
    }]);
    if let Some(wish) = &binding.spec.api_gateway {
        features.insert(Feature::ApiGateway);
        let consumers = wish.auth.consumer.as_ref();
        if consumers.is_some_and(|consumers| !consumers.allow.is_empty()) {
            features.insert(Feature::Consumers);
        }
        let adopts = wish
            .routes
            .iter()
            .flatten()
            .any(|route| route.existing.is_some());
        if wish.throttling.is_some() || adopts {
            features.insert(Feature::Throttling);
        }
    }
    features
}

/// All that bindings of a class may use.
fn offered(class: &GatewayBindingClass) -> BTreeSet<Feature> {
    let mut features = BTreeSet::new();
    for gateway in class.spec.gateways.iter().flatten() {
        features.extend(gateway.slb.as_ref().map(|_| Feature::LoadBalancers));
        let network = gateway.nlb.as_ref();
        features.extend(network.map(|_| Feature::NetworkLoadBalancers));
    }
    if class.spec.api_gateways.iter().flatten().next().is_some() {
        features.extend([Feature::ApiGateway, Feature::Consumers, Feature::Throttling]);
    }
    features
}
