//! How many calls may be made: one token bucket for each operation of an account in a region,
//! however many classes and objects use it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use governor::clock::DefaultClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::operations::Operation;

/// The longest that one answer keeps everybody from calling.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Account and region.
type Place = (String, String);
type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Who waits for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Share {
    /// A change that a user made.
    #[default]
    Foreground,
    /// Checks that nobody waits for: at most half of an operation's rate, so that the foreground
    /// always finds the other half.
    Background,
}

/// Every budget of the process, by account and region.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    accounts: Arc<Mutex<HashMap<Place, Weak<Account>>>>,
}

impl Budgets {
    /// No budgets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The budget of `account` in `region`. Of several that are alive for the same account the
    /// smallest rate (calls per second and operation) holds for all; a rate stops to count when
    /// the last clone of its budget is dropped.
    pub fn lease(&self, account: &str, region: &str, per_second: NonZeroU32) -> Budget {
        let mut accounts = lock(&self.accounts);
        accounts.retain(|_, account| account.strong_count() > 0);
        let key = (account.to_owned(), region.to_owned());
        let account = accounts
            .get(&key)
            .and_then(Weak::upgrade)
            .unwrap_or_else(|| {
                let account = Arc::new(Account::default());
                accounts.insert(key, Arc::downgrade(&account));
                account
            });
        Budget::join(account, per_second)
    }
}

/// The right to spend an account's budget.
#[derive(Clone, Debug)]
pub struct Budget {
    lease: Arc<Lease>,
}

impl Budget {
    /// A budget that is shared with nobody.
    pub fn alone(per_second: NonZeroU32) -> Self {
        Self::join(Arc::new(Account::default()), per_second)
    }

    fn join(account: Arc<Account>, per_second: NonZeroU32) -> Self {
        let id = account.add(per_second);
        Self {
            lease: Arc::new(Lease { account, id }),
        }
    }

    /// Calls per second and operation that hold now.
    pub fn per_second(&self) -> NonZeroU32 {
        lock(&self.lease.account.state).rate
    }

    /// The cloud asks for no call of an operation for so long; that holds for everybody.
    pub fn pause(&self, operation: Operation, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_PAUSE);
        let mut state = lock(&self.lease.account.state);
        let end = state.pauses.entry(operation).or_insert(until);
        *end = until.max(*end);
    }

    /// How long the cloud still wants no call of an operation.
    pub fn paused(&self, operation: Operation) -> Option<Duration> {
        let mut state = lock(&self.lease.account.state);
        let left = state.pauses.get(&operation)?;
        let left = left.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.pauses.remove(&operation);
            return None;
        }
        Some(left)
    }

    /// Waits for a token and takes it, while the cloud wants calls at all. Returns how many are left
    /// in the operation's bucket.
    pub async fn take(&self, operation: Operation, share: Share) -> u32 {
        loop {
            let left = self.token(operation, share).await;
            match self.paused(operation) {
                None => return left,
                Some(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    async fn token(&self, operation: Operation, share: Share) -> u32 {
        if share == Share::Background {
            let background = self.lease.account.limiter(operation, Share::Background);
            background.until_ready().await;
        }
        let limiter = self.lease.account.limiter(operation, Share::Foreground);
        limiter.until_ready().await.remaining_burst_capacity()
    }
}

struct Lease {
    account: Arc<Account>,
    id: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.remove(self.id);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

struct Account {
    state: Mutex<State>,
}

struct State {
    next_id: u64,
    rates: BTreeMap<u64, NonZeroU32>,
    rate: NonZeroU32,
    limiters: HashMap<(Operation, Share), Arc<Limiter>>,
    /// Until when the cloud wants no calls.
    pauses: HashMap<Operation, Instant>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                next_id: 0,
                rates: BTreeMap::new(),
                rate: NonZeroU32::MIN,
                limiters: HashMap::new(),
                pauses: HashMap::new(),
            }),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("rate", &lock(&self.state).rate)
            .finish_non_exhaustive()
    }
}

impl Account {
    fn add(&self, rate: NonZeroU32) -> u64 {
        let mut state = lock(&self.state);
        let id = state.next_id;
        state.next_id += 1;
        state.rates.insert(id, rate);
        state.settle();
        id
    }

    fn remove(&self, id: u64) {
        let mut state = lock(&self.state);
        state.rates.remove(&id);
        state.settle();
    }

    fn limiter(&self, operation: Operation, share: Share) -> Arc<Limiter> {
        let mut state = lock(&self.state);
        let rate = match share {
            Share::Foreground => state.rate,
            Share::Background => NonZeroU32::new(state.rate.get() / 2).unwrap_or(NonZeroU32::MIN),
        };
        let limiter = state.limiters.entry((operation, share)).or_insert_with(|| {
            // A small burst: with a whole second's worth of it the first second would see twice the
            // rate, which a quota equal to the rate refuses.
            let burst = NonZeroU32::new(rate.get() / 5).unwrap_or(NonZeroU32::MIN);
            let limiter = RateLimiter::direct(Quota::per_second(rate).allow_burst(burst));
            Arc::new(limiter.with_middleware())
        });
        limiter.clone()
    }
}

impl State {
    fn settle(&mut self) {
        let rate = self.rates.values().min().copied().unwrap_or(self.rate);
        if rate != self.rate {
            self.rate = rate;
            self.limiters.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::operations::{CREATE_API, DESCRIBE_APIS};

    fn rate(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    #[test]
    fn the_smallest_rate_of_an_account_holds() {
        let budgets = Budgets::new();
        let a = budgets.lease("1", "cn-beijing", rate(10));
        let b = budgets.lease("1", "cn-beijing", rate(4));
        let other = budgets.lease("2", "cn-beijing", rate(7));
        assert_eq!((a.per_second(), other.per_second()), (rate(4), rate(7)));
        drop(b);
        assert_eq!(a.per_second(), rate(10));
    }

    #[tokio::test]
    async fn what_the_cloud_asks_of_one_holds_for_all_of_the_account() {
        let budgets = Budgets::new();
        let a = budgets.lease("1", "cn-beijing", rate(1000));
        let b = budgets.lease("1", "cn-beijing", rate(1000));
        let other = budgets.lease("2", "cn-beijing", rate(1000));
        let wait = Duration::from_millis(200);
        let begin = Instant::now();
        a.pause(DESCRIBE_APIS, wait);
        a.pause(DESCRIBE_APIS, Duration::ZERO);
        assert!(b.paused(DESCRIBE_APIS).is_some(), "the longer one holds");
        for (budget, operation) in [(&b, CREATE_API), (&other, DESCRIBE_APIS)] {
            assert_eq!(budget.paused(operation), None);
        }
        b.take(DESCRIBE_APIS, Share::Foreground).await;
        assert!(begin.elapsed() >= wait, "{:?}", begin.elapsed());
        assert_eq!(b.paused(DESCRIBE_APIS), None);
    }

    #[tokio::test]
    async fn operations_do_not_share_and_background_leaves_half() {
        let budget = Budget::alone(rate(20));
        let start = Instant::now();
        let at_once = |operation, share| budget.take(operation, share).now_or_never();
        for share in [Share::Background, Share::Foreground] {
            for _ in 0..2 {
                assert!(at_once(DESCRIBE_APIS, share).is_some(), "{share:?}");
            }
        }
        assert_eq!(at_once(CREATE_API, Share::Foreground), Some(3));
        budget.take(DESCRIBE_APIS, Share::Foreground).await;
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(40), "{elapsed:?}");
    }

    #[tokio::test]
    async fn background_alone_is_held_to_half() {
        let budget = Budget::alone(rate(20));
        let start = Instant::now();
        for _ in 0..3 {
            budget.take(DESCRIBE_APIS, Share::Background).await;
        }
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(80), "{elapsed:?}");
    }
}
