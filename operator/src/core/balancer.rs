//! What the load balancer of a gateway's Service is, of one kind or the other.

use std::collections::BTreeMap;

use super::nlb::NlbState;
use super::observed::{ListenerState, LoadBalancerState};

/// A load balancer as the cloud shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadBalancer {
    /// A classic one.
    Classic(LoadBalancerState),
    /// A network one.
    Network(NlbState),
}

impl From<LoadBalancerState> for LoadBalancer {
    fn from(state: LoadBalancerState) -> Self {
        Self::Classic(state)
    }
}

impl From<NlbState> for LoadBalancer {
    fn from(state: NlbState) -> Self {
        Self::Network(state)
    }
}

impl LoadBalancer {
    /// Whether an id is that of a network load balancer: by it alone it is known where to look.
    pub fn is_network(id: &str) -> bool {
        id.starts_with("nlb-")
    }

    /// `lb-…` or `nlb-…`
    pub fn id(&self) -> &str {
        match self {
            Self::Classic(state) => &state.id,
            Self::Network(state) => &state.id,
        }
    }

    /// `vpc-…`
    pub fn vpc_id(&self) -> &str {
        match self {
            Self::Classic(state) => &state.vpc_id,
            Self::Network(state) => &state.vpc_id,
        }
    }

    /// Its status in the cloud's word.
    pub fn status(&self) -> &str {
        match self {
            Self::Classic(state) => &state.status,
            Self::Network(state) => &state.status,
        }
    }

    /// Whether it serves.
    pub fn is_usable(&self) -> bool {
        self.status() == self.usable_status()
    }

    /// The status in which it serves.
    pub fn usable_status(&self) -> &'static str {
        match self {
            Self::Classic(_) => "active",
            Self::Network(_) => "Active",
        }
    }

    /// Whether the cloud is still making or changing it, and it serves by itself after that.
    pub fn is_changing(&self) -> bool {
        match self {
            Self::Classic(_) => false,
            Self::Network(state) => {
                ["Provisioning", "Configuring"].contains(&state.status.as_str())
            }
        }
    }

    /// Its tags.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Classic(state) => &state.tags,
            Self::Network(state) => &state.tags,
        }
    }

    /// Its listeners; none: they were not read.
    pub fn listeners(&self) -> Option<&[ListenerState]> {
        match self {
            Self::Classic(state) => state.listeners.as_deref(),
            Self::Network(state) => state.listeners.as_deref(),
        }
    }

    /// It, if it is a classic one.
    pub fn classic(&self) -> Option<&LoadBalancerState> {
        match self {
            Self::Classic(state) => Some(state),
            Self::Network(_) => None,
        }
    }

    /// It, if it is a network one.
    pub fn network(&self) -> Option<&NlbState> {
        match self {
            Self::Classic(_) => None,
            Self::Network(state) => Some(state),
        }
    }
}
