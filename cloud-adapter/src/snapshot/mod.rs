//! One view of what an account has in a region, shared by everybody who asks.
//!
//! Lists are complete or not taken. Our own writes show at once, and go on to show for a grace
//! period although a list taken meanwhile does not have them yet: the cloud's lists lag behind
//! its writes.

mod change;
mod recording;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use imbl::OrdMap;
use tokio::sync::Semaphore;

use change::Subject;

pub use change::Change;
pub use recording::RecordingGateway;

use crate::error::CloudError;
use crate::gateway::ApiGateway;
use crate::gateway::model::*;

/// Every kind, those that others depend on first.
const KINDS: [Kind; 7] = [
    Kind::Groups,
    Kind::Backends,
    Kind::Apis,
    Kind::Consumers,
    Kind::Policies,
    Kind::Grants,
    Kind::Attachments,
];

/// A clock that only runs forward. A value, so that tests set it.
pub type Ticks = Arc<dyn Fn() -> Instant + Send + Sync>;

/// How snapshots wait.
#[derive(Clone)]
pub struct SnapshotTiming {
    /// For how long a write of ours counts although a list does not show it.
    pub grace: Duration,
    /// Lists taken at once.
    pub parallel: usize,
    /// The clock.
    pub ticks: Ticks,
}

impl Default for SnapshotTiming {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            parallel: 4,
            ticks: Arc::new(Instant::now),
        }
    }
}

/// The gateway of one account and region as everybody uses it: reads from snapshots, writes that
/// the snapshots show.
#[derive(Clone, Debug)]
pub struct GatewayAccess {
    /// For writes. Its lists go to the cloud each time.
    pub gateway: Arc<RecordingGateway>,
    /// For reads.
    pub snapshots: Arc<Snapshots>,
}

impl GatewayAccess {
    /// Around `gateway`, for the objects of `cluster`.
    pub fn new(gateway: Arc<dyn ApiGateway>, cluster: &str, timing: SnapshotTiming) -> Self {
        let snapshots = Arc::new(Snapshots::new(gateway.clone(), cluster, timing));
        let gateway = Arc::new(RecordingGateway::new(gateway, snapshots.clone()));
        Self { gateway, snapshots }
    }
}

/// Snapshots of one account and region.
pub struct Snapshots {
    gateway: Arc<dyn ApiGateway>,
    cluster: String,
    timing: SnapshotTiming,
    state: Mutex<State>,
    /// Held while a kind is listed, so that it is listed once.
    flights: BTreeMap<Kind, tokio::sync::Mutex<()>>,
    parallel: Semaphore,
}

#[derive(Default)]
struct State {
    inventory: Arc<Inventory>,
    lists: BTreeMap<Kind, List>,
    /// The last write of ours to each object.
    changes: HashMap<Subject, Recorded>,
    /// How many of them there may be before they are gone through.
    remembers: usize,
    /// Counts everything that happens, to tell what came first.
    sequence: u64,
    /// What others made and somebody here looks after.
    watched: Watched,
    /// Groups of others whose details, consumers whose grants, and policies whose attachments the
    /// last lists covered.
    groups: BTreeSet<GroupId>,
    consumers: BTreeSet<ConsumerId>,
    policies: BTreeSet<PolicyId>,
}

/// When a kind was last listed, measured where the listing began.
#[derive(Clone, Copy, Default)]
struct List {
    taken: Option<(Instant, u64)>,
    invalid: u64,
    /// The one that is being taken, or was when its taker gave up.
    begun: Option<u64>,
}

struct Recorded {
    change: Change,
    at: Instant,
    sequence: u64,
}

/// One list as it came.
enum Listed {
    Groups(BTreeSet<GroupId>, Vec<Group>),
    Backends(Vec<Backend>),
    Apis(Vec<Api>),
    Consumers(Vec<Consumer>),
    Policies(Vec<Policy>),
    Grants(BTreeSet<ConsumerId>, Vec<Grant>),
    Attachments(BTreeSet<PolicyId>, Vec<Attachment>),
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots")
            .field("gateway", &self.gateway)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Snapshots {
    /// Lists nothing yet. APIs come with their definitions where their marker names `cluster`;
    /// grants and attachments are listed for the consumers and policies of `cluster`; and all of
    /// that for what is watched.
    pub fn new(gateway: Arc<dyn ApiGateway>, cluster: &str, timing: SnapshotTiming) -> Self {
        Self {
            gateway,
            cluster: cluster.to_owned(),
            parallel: Semaphore::new(timing.parallel.max(1)),
            timing,
            state: Mutex::default(),
            flights: KINDS
                .into_iter()
                .map(|kind| (kind, tokio::sync::Mutex::new(())))
                .collect(),
        }
    }

    /// An inventory of which no list is older than `max_age`. Lists what is; callers who ask at
    /// once share the lists.
    ///
    /// # Errors
    /// That of a list that could not be taken whole; what was known stays known.
    pub async fn get(&self, max_age: Duration) -> Result<Arc<Inventory>, CloudError> {
        self.get_kinds(&KINDS, max_age).await
    }

    /// As [`Snapshots::get`] where only these kinds matter: the others are as they were last seen,
    /// perhaps never.
    pub async fn get_kinds(
        &self,
        kinds: &[Kind],
        max_age: Duration,
    ) -> Result<Arc<Inventory>, CloudError> {
        // None reaches back before the clock began: any age will do.
        let oldest = (self.timing.ticks)().checked_sub(max_age);
        let ensured = kinds.iter().map(|kind| self.ensure(*kind, oldest));
        futures::future::join_all(ensured)
            .await
            .into_iter()
            .collect::<Result<(), _>>()?;
        Ok(self.lock().inventory.clone())
    }

    /// What is known now, without a call. Kinds that were never listed are empty, so nothing may
    /// be concluded from what is missing.
    pub fn peek(&self) -> Arc<Inventory> {
        self.lock().inventory.clone()
    }

    /// From now on these are looked after as well. What was not listed with them is listed again
    /// when it is next asked for. They are not forgotten: that would save a few reads at the most.
    pub fn watch(&self, more: Watched) {
        let Watched {
            groups,
            apis,
            consumers,
            policies,
        } = more;
        let watched = &mut self.lock().watched;
        watched.groups.extend(groups);
        watched.apis.extend(apis);
        watched.consumers.extend(consumers);
        watched.policies.extend(policies);
    }

    /// The next `get` lists this kind anew, whatever its age.
    pub fn invalidate(&self, kind: Kind) {
        let mut state = self.lock();
        let sequence = state.next();
        state.lists.entry(kind).or_default().invalid = sequence;
    }

    /// Shows a write of ours.
    pub fn record(&self, change: Change) {
        let now = (self.timing.ticks)();
        let mut state = self.lock();
        let sequence = state.next();
        state.cover(&change);
        change.apply(Arc::make_mut(&mut state.inventory));
        let recorded = Recorded {
            change,
            at: now,
            sequence,
        };
        state.changes.insert(recorded.change.subject(), recorded);
        state.forget_changes(now, self.timing.grace);
    }

    /// How old each list is; kinds that were never listed are missing.
    pub fn ages(&self) -> BTreeMap<Kind, Duration> {
        let now = (self.timing.ticks)();
        let age = |(kind, list): (&Kind, &List)| {
            let (at, _) = list.taken?;
            Some((*kind, now.saturating_duration_since(at)))
        };
        self.lock().lists.iter().filter_map(age).collect()
    }

    /// When each list was begun; kinds that were never listed are missing. Two equal moments mean
    /// the same list.
    pub fn taken(&self) -> BTreeMap<Kind, Instant> {
        let taken = |(kind, list): (&Kind, &List)| Some((*kind, list.taken?.0));
        self.lock().lists.iter().filter_map(taken).collect()
    }

    async fn ensure(&self, kind: Kind, oldest: Option<Instant>) -> Result<(), CloudError> {
        // Grants and attachments are asked for by consumer and policy.
        match kind {
            Kind::Grants => Box::pin(self.ensure(Kind::Consumers, oldest)).await?,
            Kind::Attachments => Box::pin(self.ensure(Kind::Policies, oldest)).await?,
            _ => {}
        }
        if self.fresh(kind, oldest) {
            return Ok(());
        }
        let Some(flight) = self.flights.get(&kind) else {
            return Ok(());
        };
        let _flight = flight.lock().await;
        if self.fresh(kind, oldest) {
            return Ok(());
        }
        // Never closed, so there is always a permit to come.
        let _permit = self.parallel.acquire().await;
        let started = ((self.timing.ticks)(), self.lock().begin(kind));
        let listed = self.list(kind).await?;
        self.take(kind, listed, started);
        Ok(())
    }

    fn fresh(&self, kind: Kind, oldest: Option<Instant>) -> bool {
        let state = self.lock();
        let covered = match kind {
            Kind::Groups => state.watched.groups.is_subset(&state.groups),
            Kind::Grants => self.known_consumers(&state).is_subset(&state.consumers),
            Kind::Attachments => self.known_policies(&state).is_subset(&state.policies),
            _ => true,
        };
        let list = state.lists.get(&kind).copied().unwrap_or_default();
        covered
            && list.taken.is_some_and(|(at, sequence)| {
                oldest.is_none_or(|oldest| at >= oldest) && sequence > list.invalid
            })
    }

    async fn list(&self, kind: Kind) -> Result<Listed, CloudError> {
        let gateway = &self.gateway;
        Ok(match kind {
            Kind::Groups => {
                let watched = self.lock().watched.groups.clone();
                let more: Vec<GroupId> = watched.iter().cloned().collect();
                Listed::Groups(watched, gateway.list_groups(&more).await?)
            }
            Kind::Backends => Listed::Backends(gateway.list_backends().await?),
            Kind::Apis => {
                let more: Vec<ApiId> = self.lock().watched.apis.iter().cloned().collect();
                Listed::Apis(gateway.list_apis(&self.cluster, &more).await?)
            }
            Kind::Consumers => Listed::Consumers(gateway.list_consumers().await?),
            Kind::Policies => Listed::Policies(gateway.list_policies().await?),
            Kind::Grants => {
                let known = self.known_consumers(&self.lock());
                let ids: Vec<ConsumerId> = known.iter().cloned().collect();
                Listed::Grants(known, gateway.list_grants(&ids).await?)
            }
            Kind::Attachments => {
                let known = self.known_policies(&self.lock());
                let ids: Vec<PolicyId> = known.iter().cloned().collect();
                Listed::Attachments(known, gateway.list_attachments(&ids).await?)
            }
        })
    }

    /// Takes a whole list in place of the old one, and puts our latest writes on top.
    fn take(&self, kind: Kind, listed: Listed, started: (Instant, u64)) {
        let now = (self.timing.ticks)();
        let mut guard = self.lock();
        let state = &mut *guard;
        let inventory = Arc::make_mut(&mut state.inventory);
        match listed {
            Listed::Groups(watched, list) => {
                inventory.groups = by(list, |x| x.id.clone());
                state.groups = watched;
            }
            Listed::Backends(list) => inventory.backends = by(list, |x| x.spec.name.clone()),
            Listed::Apis(list) => inventory.apis = list.into_iter().collect(),
            Listed::Consumers(list) => inventory.consumers = by(list, |x| x.id.clone()),
            Listed::Policies(list) => inventory.policies = by(list, |x| x.id.clone()),
            Listed::Grants(consumers, list) => {
                inventory.grants = by(list, |x| x.key.clone());
                state.consumers = consumers;
            }
            Listed::Attachments(policies, list) => {
                inventory.attachments = list.into_iter().collect();
                state.policies = policies;
            }
        }
        let unreadable = self.gateway.unreadable().into_iter();
        inventory.unreadable.retain(|(of, _), _| *of != kind);
        inventory
            .unreadable
            .extend(unreadable.filter(|((of, _), _)| *of == kind));
        for recorded in state
            .changes
            .values()
            .filter(|recorded| recorded.change.kind() == kind)
        {
            if recorded.sequence > started.1 {
                recorded.change.apply(inventory);
            } else if now.saturating_duration_since(recorded.at) < self.timing.grace {
                recorded.change.apply_where_unseen(inventory);
            }
        }
        let list = state.lists.entry(kind).or_default();
        list.taken = Some(started);
        list.begun = None;
        state.remembers = 0;
        state.forget_changes(now, self.timing.grace);
    }

    /// Those that are ours, and those of others that are watched.
    fn known_consumers(&self, state: &State) -> BTreeSet<ConsumerId> {
        let consumers = state.inventory.consumers.values();
        consumers
            .filter(|x| self.is_ours(&x.marker) || state.watched.consumers.contains(&x.id))
            .map(|x| x.id.clone())
            .collect()
    }

    /// The same of policies. What limits an API that others made is theirs as well, so once one is
    /// watched every throttling policy is.
    fn known_policies(&self, state: &State) -> BTreeSet<PolicyId> {
        let Watched { apis, policies, .. } = &state.watched;
        let known = |policy: &&Policy| {
            self.is_ours(&policy.marker)
                || policies.contains(&policy.id)
                || (!apis.is_empty() && policy.spec.rules.limits_requests())
        };
        let all = state.inventory.policies.values();
        all.filter(known).map(|policy| policy.id.clone()).collect()
    }

    fn is_ours(&self, marker: &Option<Marker>) -> bool {
        marker
            .as_ref()
            .is_some_and(|marker| marker.cluster == self.cluster)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn begin(&mut self, kind: Kind) -> u64 {
        let sequence = self.next();
        self.lists.entry(kind).or_default().begun = Some(sequence);
        sequence
    }

    /// Forgets the changes that no list needs any more: their grace is over, and no list is under way
    /// that was begun before them. Now and then, since it goes through all of them.
    fn forget_changes(&mut self, now: Instant, grace: Duration) {
        if self.changes.len() <= self.remembers {
            return;
        }
        let lists = &self.lists;
        self.changes.retain(|_, recorded| {
            let begun = lists.get(&recorded.change.kind());
            let begun = begun.and_then(|list| list.begun);
            begun.is_some_and(|begun| recorded.sequence > begun)
                || now.saturating_duration_since(recorded.at) < grace
        });
        self.remembers = self.changes.len() * 2 + 64;
        self.changes.shrink_to(self.remembers);
    }

    /// What we have just made has no grants and no attachments but those we record.
    fn cover(&mut self, change: &Change) {
        match change {
            Change::PutConsumer(new) if !self.inventory.consumers.contains_key(&new.id) => {
                self.consumers.insert(new.id.clone());
            }
            Change::PutPolicy(new) if !self.inventory.policies.contains_key(&new.id) => {
                self.policies.insert(new.id.clone());
            }
            _ => {}
        }
    }
}

fn by<K: Ord + Clone, V: Clone>(list: Vec<V>, key: fn(&V) -> K) -> OrdMap<K, V> {
    list.into_iter().map(|item| (key(&item), item)).collect()
}
