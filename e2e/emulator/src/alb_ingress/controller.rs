//! Watches, queues and workers.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::DynamicObject;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::names;
use super::pass::{Work, albconfig_hash, is_applied};
use super::servers::{self, key};
use super::watch::{self, Seen, SeenStream};
use super::{Options, hash, members};
use crate::ccm::{Cloud, CloudConfig, Events, Key, Queue};

/// AlbConfigs under way at once.
const ALBCONFIG_WORKERS: usize = 3;

/// Services under way at once.
const SERVICE_WORKERS: usize = 3;

/// How often the cluster is asked whether it has AlbConfigs at all.
const LOOK: Duration = Duration::from_secs(1);

/// What a worker was busy with.
enum Done {
    AlbConfig(Key, Result<(), Failure>),
    Service(Key, Result<(), Failure>),
    /// An Ingress, and the AlbConfig that is to be brought in line.
    Ingress(Key, Result<Option<String>, Failure>),
}

struct Controller {
    work: Work,
    ingresses: Queue,
    albconfigs: Queue,
    services: Queue,
    /// Ingresses as they were last seen; those that are gone stay until their turn.
    seen: HashMap<Key, Ingress>,
    gone: HashMap<Key, Ingress>,
    /// What of AlbConfigs was last seen.
    marks: HashMap<String, String>,
    busy: [usize; 3],
}

/// Plays the ALB Ingress controller until `stopping` is cancelled. It begins when there is the kind
/// AlbConfig.
pub async fn run(
    options: Options,
    config: CloudConfig,
    http: reqwest::Client,
    stopping: CancellationToken,
) {
    let played = async {
        while !has_albconfigs(&options.client).await {
            tokio::time::sleep(LOOK).await;
        }
        let (stores, seen) = watch::start(&options.client);
        let second = options.second;
        // Retries as the real one's two queues have them; a second may be shorter here.
        let queue = |shortest: u32| {
            let shortest = second.saturating_mul(shortest) / 1000;
            Queue::new(shortest, second.saturating_mul(1000))
        };
        let controller = Controller {
            ingresses: queue(500),
            albconfigs: Queue::new(options.retry, options.retry.saturating_mul(60)),
            services: queue(500),
            work: Work {
                events: Events::new(options.client.clone(), "ingress"),
                cloud: Cloud::new(config, http),
                options,
                stores,
            },
            seen: HashMap::new(),
            gone: HashMap::new(),
            marks: HashMap::new(),
            busy: [0; 3],
        };
        controller.work(seen).await;
    };
    stopping.run_until_cancelled(played).await;
}

async fn has_albconfigs(client: &kube::Client) -> bool {
    let api: kube::Api<DynamicObject> = kube::Api::all_with(client.clone(), &watch::albconfig());
    let one = kube::api::ListParams::default().limit(1);
    api.list(&one).await.is_ok()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Controller {
    async fn work(mut self, mut seen: SeenStream) {
        let mut passes: JoinSet<Done> = JoinSet::new();
        let mut ready = false;
        loop {
            if !ready && self.work.stores.ready() {
                ready = true;
                self.begin();
            }
            if ready {
                self.spawn(&mut passes);
            }
            let wake = self.next_due().filter(|_| ready);
            tokio::select! {
                Some(event) = seen.next() => self.take_in(event),
                Some(done) = passes.join_next() => self.finish(done),
                () = sleep_until(wake) => {}
                () = tokio::time::sleep(Duration::from_millis(50)), if !ready => {}
            }
        }
    }

    /// When something is due for which there is a worker.
    fn next_due(&self) -> Option<Instant> {
        let [ingresses, albconfigs, services] = self.busy;
        let due = [
            self.ingresses.next_due().filter(|_| ingresses == 0),
            self.albconfigs
                .next_due()
                .filter(|_| albconfigs < ALBCONFIG_WORKERS),
            self.services
                .next_due()
                .filter(|_| services < SERVICE_WORKERS),
        ];
        due.into_iter().flatten().min()
    }

    fn spawn(&mut self, passes: &mut JoinSet<Done>) {
        let now = Instant::now();
        // One Ingress at a time.
        if self.busy[0] == 0
            && let Some(key) = self.ingresses.take(now)
        {
            let gone = self.gone.remove(&key);
            let current = self.seen.get(&key).cloned();
            match current.or_else(|| gone.clone()) {
                Some(ingress) => {
                    self.busy[0] += 1;
                    let work = self.work.clone();
                    passes.spawn(async move {
                        let outcome = work.sync_ingress(&ingress, gone.is_some()).await;
                        Done::Ingress(key, outcome)
                    });
                }
                None => self.ingresses.done(key, true, now),
            }
        }
        while self.busy[1] < ALBCONFIG_WORKERS
            && let Some(key) = self.albconfigs.take(now)
        {
            self.busy[1] += 1;
            let work = self.work.clone();
            passes.spawn(async move {
                let outcome = work.reconcile(&key.1).await;
                Done::AlbConfig(key, outcome)
            });
        }
        while self.busy[2] < SERVICE_WORKERS
            && let Some(key) = self.services.take(now)
        {
            self.busy[2] += 1;
            let work = self.work.clone();
            passes.spawn(async move {
                let backends = work.stores.backends();
                let (cluster, second) = (&work.options.cluster_id, work.options.second);
                let service = (key.0.as_str(), key.1.as_str());
                let outcome = servers::sync(&work.cloud, cluster, second, service, &backends).await;
                work.tell_of_service(service, &backends, &outcome).await;
                Done::Service(key, outcome)
            });
        }
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let now = Instant::now();
        match done {
            Ok(Done::Ingress(key, outcome)) => {
                self.busy[0] -= 1;
                note("an Ingress", &key, outcome.as_ref().err());
                if let Ok(Some(albconfig)) = &outcome {
                    self.albconfigs.add((String::new(), albconfig.clone()), now);
                }
                self.ingresses.done(key, outcome.is_ok(), now);
            }
            Ok(Done::AlbConfig(key, outcome)) => {
                self.busy[1] -= 1;
                note("an AlbConfig", &key, outcome.as_ref().err());
                // What the controller recovers from is not tried again.
                let settled = matches!(outcome, Ok(()) | Err(Failure::Panic(_)));
                self.albconfigs.done(key, settled, now);
            }
            Ok(Done::Service(key, outcome)) => {
                self.busy[2] -= 1;
                note("a Service", &key, outcome.as_ref().err());
                self.services.done(key, outcome.is_ok(), now);
            }
            Err(error) => {
                tracing::error!(%error, "a pass of the ALB Ingress controller stand-in broke off");
            }
        }
    }

    fn take_in(&mut self, event: Seen) {
        let now = Instant::now();
        match event {
            Seen::Ingress(ingress) => self.take_in_ingress(*ingress, now),
            Seen::IngressGone(ingress) => {
                let name = key(ingress.as_ref());
                self.seen.remove(&name);
                if members::is_ours(&ingress, &self.work.stores.classes()) {
                    self.gone.insert(name.clone(), *ingress);
                    self.ingresses.add(name, now);
                }
            }
            // Ingresses that came before their class wait for it.
            Seen::Class => self.take_in_all(now),
            Seen::Backend(name) => {
                if self.is_led_to(&name) {
                    self.services.add(name, now);
                }
            }
            Seen::AlbConfig(object) => self.take_in_albconfig(&object, now),
            Seen::Secret(name) => self.take_in_secret(&name, now),
        }
    }

    /// The first lists are in, so it can be told what is whose.
    fn begin(&mut self) {
        let now = Instant::now();
        self.take_in_all(now);
        let services: Vec<Key> = self.work.stores.backends().services.into_keys().collect();
        for name in services {
            if self.is_led_to(&name) {
                self.services.add(name, now);
            }
        }
    }

    fn take_in_all(&mut self, now: Instant) {
        let classes = self.work.stores.classes();
        let all = self.seen.iter();
        let ours = all.filter(|(_, ingress)| members::is_ours(ingress, &classes));
        let changed = ours.filter(|(_, ingress)| !is_done(ingress));
        for name in changed.map(|(name, _)| name.clone()) {
            self.ingresses.add(name, now);
        }
    }

    fn take_in_ingress(&mut self, ingress: Ingress, now: Instant) {
        let name = key(&ingress);
        let classes = self.work.stores.classes();
        let before = self.seen.insert(name.clone(), ingress.clone());
        let (ours, was_ours) = (
            members::is_ours(&ingress, &classes),
            before
                .as_ref()
                .is_some_and(|before| members::is_ours(before, &classes)),
        );
        if !ours && was_ours {
            if let Some(before) = before {
                self.gone.insert(name.clone(), before);
                self.ingresses.add(name, now);
            }
            return;
        }
        if !ours || is_done(&ingress) {
            return;
        }
        // One that moved to another AlbConfig leaves its rules behind if nobody looks there.
        if let Some(before) = before.filter(|_| was_ours)
            && let (Ok(left), Ok(joined)) = (
                members::albconfig(&before, &classes),
                members::albconfig(&ingress, &classes),
            )
            && left != joined
        {
            self.albconfigs.add((String::new(), left), now);
        }
        self.ingresses.add(name, now);
    }

    fn take_in_albconfig(&mut self, object: &DynamicObject, now: Instant) {
        let name = object.name_any();
        let label = albconfig_hash(object);
        let same = self.marks.insert(name.clone(), label.clone()) == Some(label.clone());
        if !same && !is_applied(object, &label) {
            self.albconfigs.add((String::new(), name), now);
        }
    }

    /// Ingresses with a certificate are looked at again, be they as they were.
    fn take_in_secret(&mut self, (namespace, secret): &Key, now: Instant) {
        let classes = self.work.stores.classes();
        let uses = |ingress: &Ingress| {
            let mut tls = ingress
                .spec
                .iter()
                .flat_map(|spec| spec.tls.iter().flatten());
            ingress.namespace().as_ref() == Some(namespace)
                && tls.any(|tls| tls.secret_name.as_ref() == Some(secret))
                && members::is_ours(ingress, &classes)
        };
        for (name, _) in self.seen.iter().filter(|(_, ingress)| uses(ingress)) {
            self.ingresses.add(name.clone(), now);
        }
    }

    /// Whether an Ingress of the controller may lead to a Service.
    fn is_led_to(&self, (namespace, service): &Key) -> bool {
        let classes = self.work.stores.classes();
        let quoted = format!("\"{service}\"");
        self.seen.values().any(|ingress| {
            let actions = format!("{}actions.", names::PREFIX);
            let mut annotations = ingress.annotations().iter();
            let by_annotation = annotations
                .any(|(name, text)| name.starts_with(&actions) && text.contains(&quoted));
            let rules = ingress
                .spec
                .iter()
                .flat_map(|spec| spec.rules.iter().flatten());
            let mut paths = rules.flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths));
            let by_backend = paths.any(|path| {
                let backend = path.backend.service.as_ref();
                backend.is_some_and(|backend| backend.name == *service)
            });
            ingress.namespace().as_ref() == Some(namespace)
                && (by_annotation || by_backend)
                && members::is_ours(ingress, &classes)
        })
    }
}

fn is_done(ingress: &Ingress) -> bool {
    is_applied(ingress, &hash::of_ingress(ingress))
}

fn note(what: &str, key: &Key, failure: Option<&Failure>) {
    if let Some(failure) = failure {
        tracing::info!(namespace = key.0, name = key.1, %failure, "{what} was not brought in line");
    }
}
