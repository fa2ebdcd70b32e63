//! Putting a world together.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alicloud_emulator::alb_ingress;
use control_plane::ControlPlane;
use local_node::serving::{API_SERVER_FLAG, Serving};

use super::{
    AlbController, Ccm, Cloud, CloudOptions, Folder, Operator, OperatorOptions, World, WorldError,
    WorldOptions, audit, operator, secrecy::Secrecy, start_gateway,
};
use crate::{
    binaries,
    gateway::{Gateway, istio},
    knative::{KnativeOptions, KnativeStandIn},
};

/// How long the operator may take from its start to `/readyz`.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(60);

impl World {
    /// Starts everything that the options ask for, and waits until each part serves.
    ///
    /// # Errors
    /// [`WorldError`] of the first part that does not start; those before it end.
    pub async fn start(options: WorldOptions) -> Result<Self, WorldError> {
        Self::start_telling(options, |step| tracing::info!("{step}")).await
    }

    /// As [`World::start`], and tells what comes next before each step.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_telling(
        options: WorldOptions,
        mut tell: impl FnMut(&str),
    ) -> Result<Self, WorldError> {
        // Both HTTP clients use this provider; a second install in one process is harmless.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        tell("starting etcd, kube-apiserver and kube-controller-manager");
        let (control_plane, folder) = start_control_plane(&options).await?;
        tell("starting the emulated cloud");
        let cloud = start_cloud(&options, &control_plane, folder.path()).await?;
        let keys = [
            &options.operator_keys,
            &options.ccm_keys,
            &options.console_keys,
        ];
        let mut world = Self {
            secrecy: Secrecy::new(&control_plane, &cloud, &keys, folder.path()),
            operator: None,
            knative: None,
            serving: None,
            gateway: None,
            alb_controller: None,
            cloud,
            control_plane,
            options,
            folder,
        };
        tell("installing the CustomResourceDefinitions");
        world.install_crds().await?;
        if let Some(program) = world.options.real_alb_controller() {
            tell("starting the ALB Ingress controller");
            world.start_alb_controller(program).await?;
        }
        if world.options.knative {
            tell("starting the stand-ins for Istio and Knative");
            world.start_knative().await?;
        }
        if let Some(settings) = world.options.serving.clone() {
            tell("starting Knative Serving");
            let folder = world.folder().join("pods");
            let (plane, images) = (&world.control_plane, &world.options.images);
            let serving = if world.options.kourier {
                Serving::start_with_kourier(plane, &settings, &folder, images).await?
            } else {
                Serving::start_with(plane, &settings, &folder, images).await?
            };
            world.serving = Some(serving);
        }
        if let Some(options) = world.options.operator.clone() {
            tell("starting the operator");
            world.start_operator(&options).await?;
        }
        Ok(world)
    }

    async fn install_crds(&self) -> Result<(), WorldError> {
        let knative = control_plane::knative::crds().await?;
        control_plane::install_crds(self.client(), &knative).await?;
        let namespace = operator::NAMESPACE;
        let mut yaml =
            format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}\n");
        if self.options.albconfigs {
            yaml = format!("{}\n---\n{yaml}", alb_ingress::DEFINITION);
        }
        if self.options.definitions {
            yaml = format!("{}\n---\n{yaml}", crds::generate::yaml()?);
        }
        self.apply(&yaml).await?;
        Ok(())
    }

    /// The real controller registers the kind AlbConfig when it starts; it has to be there before.
    async fn start_alb_controller(&mut self, program: PathBuf) -> Result<(), WorldError> {
        self.apply(alb_ingress::DEFINITION).await?;
        let controller = AlbController::start(
            program,
            &self.options,
            &self.cloud,
            self.control_plane.kubeconfig().path(),
            self.folder(),
        );
        self.alb_controller = Some(controller.await?);
        Ok(())
    }

    /// Starts the gateway with its objects, and the Knative stand-in.
    ///
    /// # Errors
    /// If there is no address for the gateway, or the API server refuses the objects.
    pub async fn start_knative(&mut self) -> Result<(), WorldError> {
        let gateway: Gateway = start_gateway(&self.client()).await?;
        let ip = gateway.address().ip();
        let istio = istio::IstioOptions {
            ip,
            region: self.options.region.clone(),
            service_type: self.options.istio_service_type.clone(),
        };
        istio::install(&self.client(), &istio).await?;
        let knative = KnativeOptions {
            domain: self.options.domain.clone(),
            activator_ip: ip,
        };
        self.knative = Some(KnativeStandIn::start(self.client(), knative).await?);
        self.gateway = Some(gateway);
        Ok(())
    }

    /// Starts the operator, again if it was stopped or killed, and waits until it is ready.
    ///
    /// # Errors
    /// If it cannot be built or run, or does not become ready.
    pub async fn start_operator(&mut self, options: &OperatorOptions) -> Result<(), WorldError> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => binaries::ensure(|line| tracing::info!("{line}"))
                .await?
                .operator
                .clone(),
        };
        let mut operator = Operator::start(
            options,
            &program,
            self.control_plane.kubeconfig().path(),
            self.cloud.url(),
            &self.options.operator_keys,
            self.folder(),
        )?;
        operator.wait_until_ready(OPERATOR_PATIENCE).await?;
        self.secrecy.operator_at(Some(operator.health_url()));
        self.operator = Some(operator);
        Ok(())
    }

    /// Ends everything in order and waits for it. Dropping a world does the same, less orderly.
    ///
    /// # Errors
    /// If something does not end.
    pub async fn stop(mut self) -> Result<(), WorldError> {
        if let Some(operator) = self.operator.take() {
            self.secrecy.operator_at(None);
            operator.terminate(OPERATOR_PATIENCE).await?;
        }
        drop(self.knative.take());
        drop(self.serving.take());
        drop(self.gateway.take());
        let client = self.control_plane.client();
        self.secrecy.end(client).await?;
        Ok(self.control_plane.stop().await?)
    }
}

async fn start_control_plane(options: &WorldOptions) -> Result<(ControlPlane, Folder), WorldError> {
    let mut builder = ControlPlane::builder().start_timeout(options.control_plane_patience);
    let folder = match &options.folder {
        Some(folder) => {
            builder = builder.data_dir(folder.join("control-plane"));
            Folder::Kept(folder.clone())
        }
        None => {
            let folder = tempfile::Builder::new()
                .prefix("gatewaybinding-world-")
                .tempdir();
            Folder::Temporary(folder.map_err(|source| WorldError::Io {
                what: "make a folder".to_owned(),
                source,
            })?)
        }
    };
    if options.audited {
        builder = builder.apiserver_flags(audit::flags(folder.path())?);
    }
    if options.serving.is_some() {
        builder = builder.apiserver_flags([API_SERVER_FLAG.to_owned()]);
    }
    Ok((builder.start().await?, folder))
}

async fn start_cloud(
    options: &WorldOptions,
    control_plane: &ControlPlane,
    folder: &Path,
) -> Result<Cloud, WorldError> {
    let cloud = CloudOptions {
        region: options.region.clone(),
        account_id: options.account_id.clone(),
        sells_pay_by_spec: options.sells_pay_by_spec,
        keys: vec![
            options.operator_keys.clone(),
            options.ccm_keys.clone(),
            options.console_keys.clone(),
        ],
        ccm: options.ccm.then(|| Ccm {
            cluster_id: options.cluster_id.clone(),
            access_key_id: options.ccm_keys.id.clone(),
            with_alb: options.real_alb_controller().is_none(),
        }),
    };
    match &options.emulator_program {
        None => Cloud::start(&cloud, control_plane.client()).await,
        Some(program) => {
            Cloud::start_process(&cloud, program, control_plane.kubeconfig().path(), folder).await
        }
    }
}
