//! How a world is started.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{OperatorOptions, alb_controller::VARIABLE};

/// An access key of the emulated cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Its id, as the call log shows it.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl Keys {
    fn new(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        }
    }
}

/// Settings of a world. The defaults are those of the manifests in `examples/`.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The one region of the cloud.
    pub region: String,
    /// The one account of the cloud.
    pub account_id: String,
    /// Id of the cluster, as classes name it and CCM marks its load balancers with.
    pub cluster_id: String,
    /// The key that the operator uses.
    pub operator_keys: Keys,
    /// The key that the stand-in of the cloud controller manager uses.
    pub ccm_keys: Keys,
    /// The key of a person at the console; nothing else uses it.
    pub console_keys: Keys,
    /// Whether that stand-in runs.
    pub ccm: bool,
    /// Whether Istio and Knative are there: the gateway, its objects, and the Knative stand-in.
    pub knative: bool,
    /// Whether the cloud still sells load balancers of a fixed size. Only where it runs in this process.
    pub sells_pay_by_spec: bool,
    /// Runs Knative Serving itself, with these settings of its ConfigMaps (name, key, value); the
    /// stand-ins of `knative` are for worlds without it.
    pub serving: Option<Vec<(&'static str, &'static str, &'static str)>>,
    /// Runs Kourier beside Knative Serving: its controller and Envoy, reached within the cluster only.
    pub kourier: bool,
    /// Which programs further images are, on the node that Knative Serving runs on.
    pub images: BTreeMap<String, PathBuf>,
    /// Domain of public hosts of Knative Services.
    pub domain: String,
    /// Type of the existing Service `istio-ingressgateway`.
    pub istio_service_type: String,
    /// Program of the emulator, to run it as a process; it runs in this one if absent.
    pub emulator_program: Option<PathBuf>,
    /// Whether there is the kind AlbConfig, so that the ALB Ingress controller is played beside the
    /// cloud controller manager.
    pub albconfigs: bool,
    /// Program of the real ALB Ingress controller, to run it in place of its stand-in: by default that
    /// which `ALB_CONTROLLER` names. Only where the cloud runs in this process, and the cloud controller
    /// manager is played beside it.
    pub alb_controller: Option<PathBuf>,
    /// Whether the operator's CustomResourceDefinitions are installed before anything else.
    pub definitions: bool,
    /// Whether the API server notes what ServiceAccounts in the operator's namespace ask for; see
    /// [`World::asked`](super::World::asked).
    pub audited: bool,
    /// How the operator is run; not at all if absent.
    pub operator: Option<OperatorOptions>,
    /// Folder for state and logs that stays; a temporary one if absent.
    pub folder: Option<PathBuf>,
    /// How long the control plane may take to be ready.
    pub control_plane_patience: Duration,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            region: "cn-beijing".to_owned(),
            account_id: "1234567890123456".to_owned(),
            cluster_id: "c1f0".to_owned(),
            operator_keys: Keys::new("LTAI5tOperatorOfTests", "operator-secret-of-tests-0001"),
            ccm_keys: Keys::new("LTAI5tCcmOfTests00000", "ccm-secret-of-tests-000000001"),
            console_keys: Keys::new("LTAI5tZhangSanOfTests", "console-secret-of-tests-00001"),
            ccm: true,
            knative: true,
            sells_pay_by_spec: false,
            serving: None,
            kourier: false,
            images: BTreeMap::new(),
            domain: "example.com".to_owned(),
            istio_service_type: "ClusterIP".to_owned(),
            emulator_program: None,
            albconfigs: false,
            alb_controller: std::env::var_os(VARIABLE).map(PathBuf::from),
            definitions: true,
            audited: false,
            operator: Some(OperatorOptions::default()),
            folder: None,
            control_plane_patience: Duration::from_secs(60),
        }
    }
}

impl WorldOptions {
    /// The program that is run in place of the stand-in, if one is.
    pub(super) fn real_alb_controller(&self) -> Option<PathBuf> {
        let program = self.alb_controller.clone();
        program.filter(|_| self.ccm && self.emulator_program.is_none())
    }

    /// Without the operator, for what can be shown without it.
    #[must_use]
    pub fn without_operator(mut self) -> Self {
        self.operator = None;
        self
    }
}
