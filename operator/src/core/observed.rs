//! What is there, as values: the gateway's Service, its load balancer, and look-ups in the
//! inventory of the API gateway.

use std::collections::BTreeMap;

use cloud_adapter::gateway::model::{
    Api, ApiId, Backend, Group, GroupId, Inventory, Marker, Method, Path, Policy, PolicyId,
};

use super::balancer::LoadBalancer;
use super::ccm::Complaint;
use super::desired::ServiceShape;
use super::key::id_of;

/// A Kubernetes Service as it is, reduced to what decisions need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceState {
    /// Its UID.
    pub uid: String,
    /// `spec.type`.
    pub type_: String,
    /// Whether this operator created it (and so may delete it).
    pub created_by_us: bool,
    /// All its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Annotation keys that this operator's field manager owns.
    pub our_annotations: Vec<String>,
    /// Who else wrote each of its annotations and fields of its spec last, as field managers with
    /// what they did: `"kubectl-annotate" (Update)`.
    pub writers: BTreeMap<String, Vec<String>>,
    /// Selector and ports.
    pub shape: ServiceShape,
    /// Label `service.k8s.alibaba/loadbalancer-id`, written by the cloud controller manager.
    pub load_balancer_id: Option<String>,
    /// Published address: IP or host name.
    pub address: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// `spec.loadBalancerClass`.
    pub class: Option<String>,
    /// Whether the cloud controller manager has dealt with it since it was last written to, or has had long
    /// enough to.
    pub settled: bool,
    /// Newest warning of the cloud controller manager about it, if it is about the present state.
    pub warning: Option<Complaint>,
}

/// A load balancer's attributes (SLB DescribeLoadBalancerAttribute), reduced to what decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancerState {
    /// `lb-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// `intranet` or `internet`.
    pub address_type: String,
    /// `vpc-…`
    pub vpc_id: String,
    /// `vsw-…`
    pub vswitch_id: String,
    /// Primary zone.
    pub primary_zone: String,
    /// Backup zone.
    pub backup_zone: String,
    /// `active`, `inactive` or `locked`.
    pub status: String,
    /// The address that it serves.
    pub address: String,
    /// `ipv4` or `ipv6`.
    pub ip_version: String,
    /// `rg-…`
    pub resource_group_id: String,
    /// `PayByCLCU` or `PayBySpec`.
    pub instance_charge: String,
    /// `slb.s1.small`, …; empty without PayBySpec.
    pub spec: String,
    /// `paybytraffic` or `paybybandwidth`.
    pub traffic_charge: String,
    /// Mbit/s; -1: billed by traffic.
    pub bandwidth: i64,
    /// `on` or `off`.
    pub delete_protection: String,
    /// `ConsoleProtection` or `NonProtection`.
    pub modification_protection: String,
    /// Tags, those of the cloud controller manager included.
    pub tags: BTreeMap<String, String>,
    /// Its listeners, in the order of their ports; none: they were not read.
    pub listeners: Option<Vec<ListenerState>>,
}

/// A listener of a load balancer (SLB DescribeLoadBalancerListeners, NLB ListListeners).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerState {
    /// The port that it serves, or the first of several.
    pub port: u16,
    /// The last port of a listener that serves several; 0: it serves one.
    pub last_port: u16,
    /// `tcp`, `udp`, `http`, `https` or `tcpssl`.
    pub protocol: String,
    /// `running`, `stopped`, …; of a network load balancer `Running`, `Stopped`, …
    pub status: String,
    /// Free text; the cloud controller manager writes whose it is.
    pub description: String,
    /// Its settings, by the names by which the API shows them.
    pub settings: BTreeMap<String, String>,
    /// Those of the server group behind it, for a network load balancer (NLB ListServerGroups).
    pub group: BTreeMap<String, String>,
}

/// The load balancer that settings name by its id, whether or not the Service has it yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExistingLoadBalancer {
    /// The id.
    pub id: String,
    /// Namespace and name of the Service that is to have it.
    pub of: (String, String),
    /// What it is; none: there is none of this id.
    pub state: Option<LoadBalancer>,
    /// The other Services of the cluster that use it, by name, with the ports that they serve.
    pub services: BTreeMap<String, Vec<u16>>,
}

/// Look-ups by what identifies an object before its id is known: its name, or for something that is
/// adopted its id in the form of [`super::key::by_id`].
pub trait Lookup {
    /// The group of this name.
    fn group(&self, name: &str) -> Option<&Group>;
    /// The backend of this name.
    fn backend(&self, name: &str) -> Option<&Backend>;
    /// The API of this name in the group of this name.
    fn api(&self, group: &str, name: &str) -> Option<&Api>;
    /// The API that holds a method and path in the group of this name.
    fn api_at(&self, group: &str, method: Method, path: &Path) -> Option<&Api>;
    /// The policy of this name.
    fn policy(&self, name: &str) -> Option<&Policy>;
    /// The throttling policy that acts on an API, among those whose attachments are known.
    fn throttling_of(
        &self,
        api: &ApiId,
        environment: cloud_adapter::gateway::model::Environment,
    ) -> Option<&Policy>;
}

impl Lookup for Inventory {
    fn group(&self, name: &str) -> Option<&Group> {
        match id_of(name) {
            Some(id) => self.groups.get(&GroupId::from(id)),
            None => self.groups.values().find(|group| group.spec.name == name),
        }
    }

    fn backend(&self, name: &str) -> Option<&Backend> {
        let is_it = |backend: &&Backend| match id_of(name) {
            Some(id) => backend.id == id,
            None => backend.spec.name.as_str() == name,
        };
        self.backends.values().find(is_it)
    }

    fn api(&self, group: &str, name: &str) -> Option<&Api> {
        let group = &self.group(group)?.id;
        match id_of(name) {
            Some(id) => {
                let found = self.apis.get(&ApiId::from(id));
                found.filter(|api| api.group == *group)
            }
            None => self.apis.named(group, name),
        }
    }

    fn api_at(&self, group: &str, method: Method, path: &Path) -> Option<&Api> {
        let group = &self.group(group)?.id;
        self.apis.at(group, method, path)
    }

    fn policy(&self, name: &str) -> Option<&Policy> {
        match id_of(name) {
            Some(id) => self.policies.get(&PolicyId::from(id)),
            None => self
                .policies
                .values()
                .find(|policy| policy.spec.name == name),
        }
    }

    fn throttling_of(
        &self,
        api: &ApiId,
        environment: cloud_adapter::gateway::model::Environment,
    ) -> Option<&Policy> {
        self.attachments_of(api)
            .filter(|attachment| attachment.environment == environment)
            .filter_map(|attachment| self.policies.get(&attachment.policy))
            .find(|policy| policy.spec.rules.limits_requests())
    }
}

/// Whether a marker says that `cluster` manages the object.
pub fn is_ours(marker: Option<&Marker>, cluster: &str) -> bool {
    marker.is_some_and(|marker| marker.cluster == cluster)
}
