//! The settings of a gateway's load balancer, of one kind or the other, and what is done with either.

use std::collections::BTreeMap;

use crds::v1alpha1::{NlbGateway, NlbSettings, SlbSettings};
use k8s_openapi::api::core::v1::ServicePort;

use super::balancer::LoadBalancer;
use super::diff::FieldChange;
use super::observed::{ExistingLoadBalancer, ServiceState};
use super::references::References;
use super::slb::Fault;
use super::strictest::Guarded;
use super::{nlb, slb};
use crate::core::desired::ServiceShape;

/// Settings of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Settings {
    /// Those of a classic load balancer.
    Slb(SlbSettings),
    /// Those of a network one.
    Nlb(NlbSettings),
}

/// No settings.
impl Default for Settings {
    fn default() -> Self {
        Self::Slb(SlbSettings::default())
    }
}

impl From<SlbSettings> for Settings {
    fn from(settings: SlbSettings) -> Self {
        Self::Slb(settings)
    }
}

impl From<NlbSettings> for Settings {
    fn from(settings: NlbSettings) -> Self {
        Self::Nlb(settings)
    }
}

/// A kind of settings, for what is decided field by field in the same way for either.
pub trait Kind: Guarded + Into<Settings> {
    /// Settings, if they are of this kind.
    fn of(settings: &Settings) -> Option<&Self>;
}

impl Kind for SlbSettings {
    fn of(settings: &Settings) -> Option<&Self> {
        match settings {
            Settings::Slb(settings) => Some(settings),
            Settings::Nlb(_) => None,
        }
    }
}

impl Kind for NlbSettings {
    fn of(settings: &Settings) -> Option<&Self> {
        match settings {
            Settings::Slb(_) => None,
            Settings::Nlb(settings) => Some(settings),
        }
    }
}

impl Settings {
    /// How class and binding call their block.
    pub fn block(&self) -> &'static str {
        match self {
            Self::Slb(_) => "slb",
            Self::Nlb(_) => "nlb",
        }
    }

    /// These under others of the same kind: those of a class under a binding's.
    pub fn under(&self, above: &Self) -> Self {
        match (self, above) {
            (Self::Slb(below), Self::Slb(above)) => slb::over(below, above).into(),
            (Self::Nlb(below), Self::Nlb(above)) => slb::over(below, above).into(),
            _ => self.clone(),
        }
    }

    /// The class that a Service must have to get such a load balancer.
    pub fn load_balancer_class(&self) -> Option<&'static str> {
        match self {
            Self::Slb(_) => None,
            Self::Nlb(_) => Some(NlbGateway::LOAD_BALANCER_CLASS),
        }
    }

    /// The id of the load balancer of others that they name.
    pub fn existing(&self) -> Option<&str> {
        match self {
            Self::Slb(settings) => Some(&settings.existing.as_ref()?.id),
            Self::Nlb(settings) => Some(&settings.existing.as_ref()?.id),
        }
    }

    /// Whether they leave the listeners of a load balancer of others alone.
    pub fn keeps_listeners(&self) -> bool {
        let overrides = match self {
            Self::Slb(settings) => {
                let existing = settings.existing.as_ref();
                existing.map(|existing| existing.overrides_listeners())
            }
            Self::Nlb(settings) => {
                let existing = settings.existing.as_ref();
                existing.map(|existing| existing.overrides_listeners())
            }
        };
        overrides == Some(false)
    }

    /// The name that the load balancer is to have.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Slb(settings) => settings.name.as_deref(),
            Self::Nlb(settings) => settings.name.as_deref(),
        }
    }

    /// The annotations of a Service that is to be made.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        match self {
            Self::Slb(settings) => slb::annotations(settings),
            Self::Nlb(settings) => nlb::annotations(settings),
        }
    }

    /// The annotations on a Service that is there.
    pub fn completed(&self, service: &ServiceState) -> BTreeMap<String, String> {
        match self {
            Self::Slb(settings) => slb::completed(settings, service),
            Self::Nlb(settings) => nlb::completed(settings, service),
        }
    }

    /// Why the cloud controller manager would make no such load balancer for a Service, and what to do.
    pub fn unmanaged(&self, service: &ServiceState) -> Option<String> {
        match self {
            Self::Slb(_) => slb::unmanaged(service),
            Self::Nlb(_) => nlb::unmanaged(service),
        }
    }

    /// Every setting that the load balancer does not show. `ports` are those of the Service.
    pub fn drift(&self, actual: &LoadBalancer, ports: &[ServicePort]) -> Vec<FieldChange> {
        match (self, actual) {
            (Self::Slb(settings), LoadBalancer::Classic(actual)) => {
                slb::drift(settings, actual, ports)
            }
            (Self::Nlb(settings), LoadBalancer::Network(actual)) => {
                nlb::drift(settings, actual, ports)
            }
            _ => Vec::new(),
        }
    }
}

/// Where settings are to take effect; what is not known is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scene<'a> {
    /// The Service.
    pub service: Option<&'a ServiceState>,
    /// What the Service is, or will be once it is made.
    pub shape: Option<&'a ServiceShape>,
    /// Its load balancer.
    pub load_balancer: Option<&'a LoadBalancer>,
    /// The load balancer of others that settings name.
    pub existing: Option<&'a ExistingLoadBalancer>,
}

impl<'a> Scene<'a> {
    /// What a binding's references tell about its gateway.
    pub fn of(references: &'a References) -> Self {
        let service = references.service.as_ref();
        Self {
            service,
            shape: service
                .map(|service| &service.shape)
                .or(references.source.as_ref()),
            load_balancer: references.load_balancer.as_ref(),
            existing: references.existing.as_ref(),
        }
    }

    /// The first thing that keeps settings from taking effect here.
    pub fn judge(&self, settings: &Settings) -> Option<Fault> {
        match settings {
            Settings::Slb(settings) => {
                let scene = slb::Scene {
                    service: self.service,
                    shape: self.shape,
                    load_balancer: self.load_balancer.and_then(LoadBalancer::classic),
                    existing: self.existing,
                };
                scene.judge(settings)
            }
            Settings::Nlb(settings) => {
                let scene = nlb::Scene {
                    service: self.service,
                    shape: self.shape,
                    load_balancer: self.load_balancer.and_then(LoadBalancer::network),
                    existing: self.existing,
                };
                scene.judge(settings)
            }
        }
    }

    /// Whether all is known that settings are to be judged by.
    pub fn knows(&self, settings: &Settings) -> bool {
        let named = settings.existing();
        named.is_none_or(|id| self.existing.is_some_and(|found| found.id == id))
    }
}
