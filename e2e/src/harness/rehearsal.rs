//! A scenario in a world of its own, run as often as wanted.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use kube::api::DynamicObject;
use serde_json::json;

use super::{Footprint, HarnessError, Instance, Meter, Scenario, description::Request};
use crate::world::{Expect, OperatorOptions, Target, World, WorldError, WorldOptions};

/// Secret with the credentials of classes for an operator in this process.
const CREDENTIALS: (&str, &str) = ("gatewaybinding-system", "cloud-credentials");
/// How often an undisturbed run has to look the same before it counts as settled.
const STEADY: usize = 3;
/// For an undisturbed run on a loaded machine; nothing should come near it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of the operator's log in an error.
const SHOWN: usize = 40;

/// How the operator is run.
#[derive(Clone, Debug)]
pub enum How {
    /// As the program, with these options.
    Process(OperatorOptions),
    /// In this process, stoppable at a call.
    InProcess,
}

/// What one undisturbed run costs.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// From the manifests to the end of the last change.
    pub create_time: Duration,
    /// Calls of that time.
    pub create: Meter,
    /// Calls from the deletion of the manifests until nothing is left.
    pub delete: Meter,
}

/// See the module.
#[derive(Debug)]
pub struct Rehearsal {
    /// The operator in this process, if that is how it is run and it runs.
    pub instance: Option<Instance>,
    /// The world.
    pub world: World,
    /// What is run.
    pub scenario: Scenario,
    /// What an undisturbed run costs.
    pub plain: Costs,
    /// The manifests' objects, in their order.
    pub targets: Vec<Target>,
    how: How,
    before: Before,
    expected: Footprint,
}

/// What is there without the scenario.
#[derive(Debug, Default)]
struct Before {
    cluster: BTreeSet<String>,
    cloud: Vec<String>,
    ours: Footprint,
}

impl Rehearsal {
    /// Starts a world and runs the scenario undisturbed: what came about is checked against the
    /// description and remembered, and taken away again.
    ///
    /// # Errors
    /// If the world does not start, or the undisturbed run does not come to what is described.
    pub async fn start(scenario: &Scenario, how: How) -> Result<Self, HarnessError> {
        let scenario = match &how {
            How::Process(_) => scenario.clone(),
            How::InProcess => {
                let (namespace, name) = CREDENTIALS;
                scenario.clone().with_credentials_in(namespace, name)
            }
        };
        let options = WorldOptions::default().without_operator();
        let world = World::start(options).await?;
        let targets = world.targets(&scenario.yaml()).await?;
        let mut rehearsal = Self {
            instance: None,
            world,
            scenario,
            plain: Costs::default(),
            targets,
            how,
            before: Before::default(),
            expected: Footprint::default(),
        };
        if matches!(rehearsal.how, How::InProcess) {
            rehearsal.store_credentials().await?;
        }
        rehearsal.before = Before {
            cluster: rehearsal.world.objects().await?.into_keys().collect(),
            cloud: rehearsal.world.cloud_objects().await?.into_keys().collect(),
            ours: Footprint::of(&rehearsal.world).await?,
        };
        rehearsal.start_operator().await?;
        rehearsal.run_plain().await?;
        Ok(rehearsal)
    }

    /// The kinds of objects that the description names.
    pub fn described_kinds(&self) -> BTreeSet<&str> {
        let places = self.scenario.description.objects.keys();
        places.filter_map(|place| place.split(' ').nth(1)).collect()
    }

    /// What an undisturbed run comes to.
    pub(super) fn expected(&self) -> &Footprint {
        &self.expected
    }

    /// The places of the cloud that are there without the scenario.
    pub(super) fn cloud_before(&self) -> &[String] {
        &self.before.cloud
    }

    async fn store_credentials(&self) -> Result<(), HarnessError> {
        use crds::keys::cloud_secret;
        let (namespace, name) = CREDENTIALS;
        let keys = &self.world.options().operator_keys;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"namespace": namespace, "name": name},
            "stringData": {
                cloud_secret::ACCESS_KEY_ID: keys.id,
                cloud_secret::ACCESS_KEY_SECRET: keys.secret,
            },
        });
        self.world.apply(&secret.to_string()).await?;
        Ok(())
    }

    async fn run_plain(&mut self) -> Result<(), HarnessError> {
        self.world.cloud.reset_calls().await?;
        let started = Instant::now();
        self.apply().await?;
        self.expected = self.settled_as_described().await?;
        self.plain.create_time = started.elapsed();
        self.plain.create = self.costs().await?;
        self.answers(PATIENCE, "the undisturbed run").await?;
        self.world.remember_secrets().await?;

        self.world.cloud.reset_calls().await?;
        self.delete().await?;
        self.gone(PATIENCE, "the undisturbed deletion").await?;
        self.plain.delete = self.costs().await?;
        Ok(())
    }

    /// What an undisturbed run comes to, once it no longer changes.
    async fn settled_as_described(&self) -> Result<Footprint, HarnessError> {
        let (mut last, mut same) = (Footprint::default(), 0);
        let look = async || {
            self.all_ready().await?;
            let now = Footprint::of(&self.world)
                .await
                .map_err(|e| e.to_string())?;
            self.scenario.description.check(&now)?;
            let changed = now.compare(&last);
            same = if changed.is_ok() { same + 1 } else { 0 };
            last = now;
            if same < STEADY {
                return Err("it still changes".to_owned());
            }
            Ok(last.clone())
        };
        let waited = self
            .world
            .wait_until("the scenario", "as described", PATIENCE, look);
        waited
            .await
            .map_err(|source| self.wait_error("the undisturbed run", source))
    }

    /// Starts the operator, again if it was killed, under the identity it had.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_operator(&mut self) -> Result<(), HarnessError> {
        match &self.how {
            How::Process(options) => self.world.start_operator(&options.clone()).await?,
            How::InProcess => {
                let kubeconfig = self.world.control_plane.kubeconfig().path().to_owned();
                let (cloud, folder) = (self.world.cloud.url(), self.world.folder());
                self.instance = Some(Instance::start(&kubeconfig, cloud, folder).await?);
            }
        }
        Ok(())
    }

    /// Ends the operator without any chance to finish something: SIGKILL for a process.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill_operator(&mut self) -> Result<(), HarnessError> {
        if let Some(instance) = self.instance.take() {
            instance.kill().await?;
        }
        if let Some(operator) = self.world.operator.take() {
            operator.kill().await?;
        }
        Ok(())
    }

    /// Applies all manifests.
    ///
    /// # Errors
    /// If the API server refuses one.
    pub async fn apply(&self) -> Result<(), HarnessError> {
        self.world.apply(&self.scenario.yaml()).await?;
        Ok(())
    }

    /// Asks for the deletion of all manifests, last first.
    ///
    /// # Errors
    /// If the API server refuses one.
    pub async fn delete(&self) -> Result<(), HarnessError> {
        for target in self.targets.iter().rev() {
            self.world.delete(target).await?;
        }
        Ok(())
    }

    /// Waits until everything is as after the undisturbed run, and requests are answered so.
    ///
    /// # Errors
    /// With every difference that is left at the deadline.
    pub async fn applied(&mut self, patience: Duration, context: &str) -> Result<(), HarnessError> {
        let look = async || self.is_applied().await;
        let waited = self
            .world
            .wait_until("the scenario", "as undisturbed", patience, look);
        waited
            .await
            .map_err(|source| self.wait_error(context, source))?;
        self.answers(patience, context).await?;
        self.world.remember_secrets().await?;
        Ok(())
    }

    /// Waits until nothing of the scenario is left, and everything else is as it was.
    ///
    /// # Errors
    /// With all that is left, or was lost, at the deadline.
    pub async fn gone(&self, patience: Duration, context: &str) -> Result<(), HarnessError> {
        let look = async || self.is_gone().await;
        let waited = self
            .world
            .wait_until("the scenario", "gone without a trace", patience, look);
        waited
            .await
            .map_err(|source| self.wait_error(context, source))
    }

    /// Nothing if everything is as after the undisturbed run, else the differences.
    pub(super) async fn is_applied(&self) -> Result<(), String> {
        self.all_ready().await?;
        let now = Footprint::of(&self.world)
            .await
            .map_err(|e| e.to_string())?;
        now.compare(&self.expected)
    }

    /// Nothing if nothing is left, else what is.
    ///
    /// # Errors
    /// What is left.
    pub async fn is_gone(&self) -> Result<(), String> {
        for target in &self.targets {
            Expect::gone()
                .check(self.get(target).await?.as_ref())
                .map_err(|problem| format!("{target}: {problem}"))?;
        }
        let now = Footprint::of(&self.world)
            .await
            .map_err(|e| e.to_string())?;
        now.compare(&self.before.ours)?;
        let now = self.world.objects().await.map_err(|e| e.to_string())?;
        let now: BTreeSet<_> = now.into_keys().collect();
        let more: Vec<_> = now.difference(&self.before.cluster).collect();
        let fewer: Vec<_> = self.before.cluster.difference(&now).collect();
        if more.is_empty() && fewer.is_empty() {
            Ok(())
        } else {
            Err(format!("there is also {more:?}, and no longer {fewer:?}"))
        }
    }

    /// Nothing if each of our objects is Ready in its generation, else which is not.
    pub async fn all_ready(&self) -> Result<(), String> {
        let ready = Expect::condition("Ready", "True");
        for target in &self.targets {
            if target.kind().starts_with("Gateway") {
                ready
                    .check(self.get(target).await?.as_ref())
                    .map_err(|problem| format!("{target}: {problem}"))?;
            }
        }
        Ok(())
    }

    async fn get(&self, target: &Target) -> Result<Option<DynamicObject>, String> {
        let api = target.api(self.world.client());
        api.get_opt(target.name()).await.map_err(|e| e.to_string())
    }

    async fn answers(&self, patience: Duration, context: &str) -> Result<(), HarnessError> {
        for request in &self.scenario.description.requests {
            let look = async || self.answered(request).await;
            let subject = format!("the answer to {request:?}");
            let waited = self
                .world
                .wait_until(&subject, "as described", patience, look);
            waited
                .await
                .map_err(|source| self.wait_error(context, source))?;
        }
        Ok(())
    }

    async fn answered(&self, request: &Request) -> Result<(), String> {
        let said = |error: WorldError| error.to_string();
        let (namespace, name) = request.binding.split_once('/').unwrap_or_default();
        let binding = Target::of::<crds::GatewayBinding>(Some(namespace), name);
        let binding = self.get(&binding).await?;
        let url = binding
            .as_ref()
            .and_then(|it| it.data.pointer("/status/urls/0")?.as_str());
        let host = url.and_then(|url| url.split('/').nth(2));
        let host = host.ok_or_else(|| format!("{} has no URL", request.binding))?;
        let mut headers = Vec::new();
        if let Some((namespace, name)) = request.caller.as_deref().and_then(|it| it.split_once('/'))
        {
            let entry = crds::keys::consumer_secret::API_KEY;
            let key = self
                .world
                .secret(namespace, name, entry)
                .await
                .map_err(said)?;
            headers.push(("authorization", format!("APPCODE {key}")));
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = self
            .world
            .cloud
            .curl(host, &request.path, &headers)
            .await
            .map_err(said)?;
        let body = request.body.as_ref();
        if answer.status == request.status && body.is_none_or(|body| *body == answer.body) {
            return Ok(());
        }
        Err(format!("{answer:?}"))
    }

    /// What the operator called since the calls were last reset.
    ///
    /// # Errors
    /// If the cloud does not answer.
    pub async fn costs(&self) -> Result<Meter, HarnessError> {
        let calls = self.world.cloud.calls().await?;
        Ok(Meter::of(&calls, &self.world.options().operator_keys.id))
    }

    /// No secret of this world is shown anywhere so far. It is looked once more when it ends.
    ///
    /// # Errors
    /// With the places that show one.
    pub async fn assert_no_secret_leaked(&self) -> Result<(), HarnessError> {
        Ok(self.world.assert_no_secret_shown().await?)
    }

    pub(super) fn wait_error(
        &self,
        context: &str,
        source: crate::world::WaitError,
    ) -> HarnessError {
        HarnessError::Wait {
            context: format!("{context}\n{}", self.log_tail()),
            source: Box::new(source),
        }
    }

    /// The last lines of an operator in this process; the world shows those of a program.
    pub(super) fn log_tail(&self) -> String {
        match &self.instance {
            Some(instance) => format!(
                "--- operator in this process ---\n{}\n---",
                instance.log_tail(SHOWN)
            ),
            None => String::new(),
        }
    }
}
