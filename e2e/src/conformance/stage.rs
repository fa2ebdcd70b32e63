//! The World of the suite: load balancers on addresses of their own, and the Services that name them.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use alicloud_emulator::traffic::alb::Place;
use anyhow::Context as _;
use control_plane::loopback::ensure_address;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::certificates::Certificates;
use crate::{
    knative::types::KIngress,
    world::{Expect, Target, World, WorldOptions, candidates},
};

/// The class of Knative Ingresses that the operator's layer serves.
pub(super) const INGRESS_CLASS: &str = "alb.ingress.networking.knative.dev";
/// Where the suite's images are said to be.
pub(super) const REPOSITORY: &str = "dev.local";

/// How long the first Knative Ingress may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// Of load balancers and Services.
const PORTS: [u16; 2] = [80, 443];
/// The Service of each kind of load balancer, and the list of a Knative Ingress that has its name.
const SIDES: [(&str, &str); 2] = [
    ("alb-internet", "publicLoadBalancer"),
    ("alb-intranet", "privateLoadBalancer"),
];

const CLASS: &str = "
apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {name: alb, annotations: {gatewaybinding.dev/is-default-class: \"true\"}}
spec:
  cloud: {accountId: \"1234567890123456\", regionId: cn-beijing, clusterId: c1f0, credentials: {type: Environment}}
  defaults: {gateway: alb}
  gateways:
  - name: alb
    alb:
      internet: {domainInternal: alb-internet.ingress.svc.cluster.local}
      intranet: {domainInternal: alb-intranet.ingress.svc.cluster.local}
      settings: {zoneMappings: [VSWITCHES]}
";

/// The first Knative Ingress, with which the load balancers come.
const FIRST: &str = "
apiVersion: v1
kind: Service
metadata: {name: first, namespace: ingress}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: first, namespace: ingress}
---
apiVersion: networking.internal.knative.dev/v1alpha1
kind: Ingress
metadata: {name: first, namespace: ingress, annotations: {networking.knative.dev/ingress.class: alb.ingress.networking.knative.dev}}
spec:
  httpOption: Enabled
  rules:
  - hosts: [first.example.com]
    visibility: ExternalIP
    http: {paths: [{splits: [{serviceNamespace: ingress, serviceName: first, servicePort: 80, percent: 100}]}]}
  - hosts: [first.ingress.svc.cluster.local]
    visibility: ClusterLocal
    http: {paths: [{splits: [{serviceNamespace: ingress, serviceName: first, servicePort: 80, percent: 100}]}]}
";

/// A World, ready for the suite.
pub(super) struct Stage {
    world: World,
    certificates: JoinHandle<()>,
}

impl Stage {
    /// Starts everything, and waits until both load balancers are there.
    pub(super) async fn set(
        hop: bool,
        folder: Option<PathBuf>,
        tell: &mut impl FnMut(&str),
    ) -> anyhow::Result<Self> {
        let options = WorldOptions {
            knative: false,
            albconfigs: true,
            serving: Some(vec![("config-network", "ingress-class", INGRESS_CLASS)]),
            kourier: hop,
            images: control_plane::conformance::images(REPOSITORY).await?,
            folder,
            ..WorldOptions::default()
        };
        let world = World::start_telling(options, &mut *tell).await?;
        let certificates = Certificates::default();
        let learning = tokio::spawn(certificates.clone().learn(world.client()));
        let mut stage = Self {
            world,
            certificates: learning,
        };
        tell("waiting for the load balancers");
        for namespace in ["ingress", "serving-tests"] {
            let yaml =
                format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
            stage.world.apply(&yaml).await?;
        }
        stage.world.apply(&class(&stage.world)?).await?;
        stage.world.apply(FIRST).await?;
        for (service, list) in SIDES {
            stage.open(service, list, &certificates).await?;
        }
        Ok(stage)
    }

    /// Has a load balancer listen on an address of its own, and makes the Service that names it.
    async fn open(
        &mut self,
        service: &str,
        list: &'static str,
        certificates: &Certificates,
    ) -> anyhow::Result<()> {
        let first = Target::of::<KIngress>(Some("ingress"), "first");
        let served = Expect::that(format!("Ready, with {list}"), move |ingress| {
            Expect::condition("Ready", "True").check(Some(ingress))?;
            domain(ingress, list)
                .map(drop)
                .ok_or_else(|| "no domain".to_owned())
        });
        let ingress = self.world.wait_for(&first, &served, PATIENCE).await?;
        let domain = domain(&ingress, list).context("the domain went away")?;
        let (address, listeners) = listen().await?;
        for (listener, port) in listeners.into_iter().zip(PORTS) {
            let known = certificates.clone();
            let find = move |id: &str| known.find(id);
            self.world
                .cloud
                .open(listener, Place::at(&domain, port), find)?;
        }
        let ports = PORTS.map(|port| json!({"name": format!("port-{port}"), "port": port}));
        let made = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": service, "namespace": "ingress"},
            // Of a class of its own, so that nobody makes a load balancer for it.
            "spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/made-by-hand", "ports": ports},
        });
        self.world.apply(&made.to_string()).await?;
        let endpoints = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": service, "namespace": "ingress",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4", "ports": ports, "endpoints": [{"addresses": [address]}],
        });
        self.world.apply(&endpoints.to_string()).await?;
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        let services = Api::<Service>::namespaced(self.world.client(), "ingress");
        let patch = Patch::Merge(&status);
        services
            .patch_status(service, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        self.world.control_plane.kubeconfig().path()
    }

    pub(super) fn folder(&self) -> &Path {
        self.world.folder()
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.certificates.abort();
        Ok(self.world.stop().await?)
    }
}

/// The load balancer's own name in a list of a Knative Ingress's status.
fn domain(ingress: &DynamicObject, list: &str) -> Option<String> {
    let entry = ingress.data["status"][list]["ingress"].get(0)?;
    Some(entry["domain"].as_str()?.to_owned())
}

/// The class, with vswitches that there are.
fn class(world: &World) -> anyhow::Result<String> {
    let mut vswitches = Vec::new();
    world.cloud.change(|cloud| {
        let ids = cloud.vpc.vswitches.keys();
        vswitches = ids.map(|id| format!("{{vswitchId: {id}}}")).collect();
    });
    anyhow::ensure!(vswitches.len() >= 2, "the cloud has no two vswitches");
    vswitches.truncate(2);
    Ok(CLASS.replace("VSWITCHES", &vswitches.join(", ")))
}

/// Listeners on all ports of the first address that nobody has yet.
async fn listen() -> anyhow::Result<(Ipv4Addr, Vec<TcpListener>)> {
    for candidate in candidates() {
        let address = ensure_address(candidate).await?;
        let mut listeners = Vec::new();
        for port in PORTS {
            match TcpListener::bind((address, port)).await {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => break,
                Err(error) => {
                    return Err(error).context(format!("cannot listen on {address}:{port}"));
                }
            }
        }
        if listeners.len() == PORTS.len() {
            return Ok((address, listeners));
        }
        anyhow::ensure!(
            address == candidate,
            "ports 80 and 443 of {address} are taken"
        );
    }
    anyhow::bail!("no address of 198.51.100.0/24 is left for a load balancer")
}
