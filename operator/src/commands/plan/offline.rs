//! Plans against nothing: as if neither the cluster nor the cloud had anything yet but what stands
//! in the files.

use cloud_adapter::gateway::model::Marker;
use crds::v1alpha1::{GatewayBinding, GatewayBindingClass, Mode, NamespacedName, Reason};
use jiff::Timestamp;
use kube::ResourceExt;

use super::assumed;
use super::given;
use super::manifests::Manifests;
use super::planned::{Planned, Plans};
use super::world::{Account, World};
use crate::core::alb::binding::{self as alb, alb_of};
use crate::core::alb::plan::{Annotation, steps as alb_steps};
use crate::core::class;
use crate::core::desire::desire;
use crate::core::desired::Item;
use crate::core::ledger::Ledger;
use crate::core::peers::{self, Peer};
use crate::core::plan::{self, Plan, Step};
use crate::core::problem::Problem;
use crate::core::settings::Scene;
use crate::core::slb::legacy::masked;
use crate::core::validate::{self, Validated};

/// Plans every binding, each as if those before it had been applied.
pub(super) fn plan(manifests: &Manifests, now: Timestamp) -> Plans {
    let bindings: Vec<Judged<'_>> = manifests
        .bindings
        .iter()
        .map(|binding| Judged::new(binding, manifests))
        .collect();
    let valid = bindings
        .iter()
        .filter_map(|binding| binding.validated.as_ref().ok());
    let mut world = World::before(manifests, valid);
    let peers: Vec<Peer> = bindings
        .iter()
        .map(|binding| peers::peer(binding.binding, binding.validated.as_ref()))
        .collect();
    let items = bindings
        .iter()
        .map(|binding| binding.plan(&peers, manifests, &mut world, now))
        .collect();
    Plans {
        items,
        // What the account has is not known.
        quotas: Vec::new(),
    }
}

/// A binding with its class and what is meant by it.
struct Judged<'a> {
    binding: &'a GatewayBinding,
    class: Option<&'a GatewayBindingClass>,
    validated: Result<Validated, Problem>,
}

impl<'a> Judged<'a> {
    fn new(binding: &'a GatewayBinding, manifests: &'a Manifests) -> Self {
        let namespace = binding.namespace().unwrap_or_default();
        let class = class::resolve(binding, &manifests.classes).map_err(only_files);
        let labels = given::namespace_labels(manifests, &namespace);
        Self {
            binding,
            class: class.as_ref().ok().copied(),
            validated: class.and_then(|class| validate::validate(binding, class, &labels)),
        }
    }

    fn account(&self) -> Account {
        let cloud = self.class.and_then(|class| class.spec.cloud.as_ref());
        cloud.map_or_else(Account::default, |cloud| {
            (cloud.account_id.clone(), cloud.region_id.clone())
        })
    }

    fn plan(
        &self,
        peers: &[Peer],
        manifests: &Manifests,
        world: &mut World,
        now: Timestamp,
    ) -> Planned {
        let namespace = self.binding.namespace().unwrap_or_default();
        let mut planned = Planned::new(NamespacedName {
            namespace: namespace.clone(),
            name: self.binding.name_any(),
        });
        planned.class = self.class.map(ResourceExt::name_any);
        planned.mode = self.binding.spec.mode();
        if let Some(class) = self.class
            && alb_of(self.binding, class).is_some()
        {
            let labels = given::namespace_labels(manifests, &namespace);
            match alb::validate(self.binding, class, &labels) {
                Ok(valid) => {
                    planned.gateway = Some(valid.gateway.clone());
                    planned.assumptions.push(format!(
                        "Knative Service {} is there, and names no class.",
                        valid.service
                    ));
                    planned.alb = alb_steps(&valid, self.binding, |_| Annotation::default());
                }
                Err(problem) => planned.problems.push(problem),
            }
            return planned;
        }
        let validated = match &self.validated {
            Ok(validated) => validated,
            Err(problem) => {
                if problem.reason == Reason::NamespaceNotAllowed
                    && !manifests.namespaces.contains_key(&namespace)
                {
                    planned.assumptions.push(format!(
                        "Namespace \"{namespace}\" is not in the files and is taken to have no labels. Add its manifest if it has some."
                    ));
                }
                planned.problems.push(problem.clone());
                return planned;
            }
        };
        let settings = peers::shares(validated, peers, Scene::default())
            .shares
            .settings;
        let (references, mut assumptions) =
            given::references(validated, &settings, manifests, world, now);
        let outcome = peers::shares(validated, peers, Scene::of(&references));
        let wanted = desire(validated, &references, &outcome.shares);
        let inventory = world.inventory(&self.account());
        assumptions.extend(assumed::assume(&wanted.items, inventory));
        let plan = steps(validated, &wanted.items, world, &self.account());
        if planned.mode == Mode::Apply {
            for step in &plan.steps {
                let marker = marker(validated, step);
                world.apply(&self.account(), step, marker);
            }
        }
        if let Some(gateway) = &validated.gateway {
            planned.gateway = Some(gateway.name.clone());
            let place = given::place(gateway);
            planned.copied_from = world.sources.get(&place).map(|source| source.name.clone());
            planned.shape_is_known = world.sources.get(&place).is_none_or(|source| source.known);
        }
        planned.adopted = plan.adopted.into_iter().collect();
        let service = references.service.as_ref();
        let warnings = service.map(|service| masked(service, &plan.steps));
        planned.warnings = warnings.unwrap_or_default();
        planned.steps = plan.steps;
        planned.conflicts = outcome.conflicts;
        planned.assumptions = assumptions;
        planned.problems = wanted.problems;
        planned.problems.extend(plan.problems);
        planned
    }
}

fn steps(validated: &Validated, items: &[Item], world: &mut World, account: &Account) -> Plan {
    let inventory = world.inventory(account).clone();
    let world = plan::World {
        cluster: &validated.cluster,
        owner: &validate::owner(&validated.binding),
        class_owner: Some(&validate::class_owner(&validated.class)),
        inventory: Some(&inventory),
        services: &world.services,
        in_use: &|_| true,
        is_live: &|_| false,
    };
    plan::plan(items, &Ledger::default(), &world)
}

/// The mark that a step leaves on its object.
fn marker(validated: &Validated, step: &Step) -> Marker {
    let owner = if step.key.is_shared() {
        validate::class_owner(&validated.class)
    } else {
        validate::owner(&validated.binding)
    };
    Marker {
        cluster: validated.cluster.clone(),
        owner,
    }
}

/// Without a cluster, a class that is not found may well exist.
fn only_files(problem: Problem) -> Problem {
    match problem.reason {
        Reason::ClassNotFound | Reason::NoDefaultClass => Problem {
            message: format!(
                "{} Only the files were searched: if the class exists already, add its manifest to them.",
                problem.message
            ),
            ..problem
        },
        _ => problem,
    }
}
