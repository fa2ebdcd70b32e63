//! What the outside may see of calls: a gate before each attempt and a record after it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{CloudError, ErrorClass};
use crate::operations::Operation;

/// One attempt of a call. Holds no parameter and so no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// What was called.
    pub operation: Operation,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Result<(), ErrorClass>,
    /// From sending to the answer.
    pub duration: Duration,
    /// How long it waited for the budget before that.
    pub waited: Duration,
    /// Tokens left in the operation's bucket.
    pub budget_left: u32,
    /// The cloud's request id.
    pub request_id: Option<String>,
}

/// Asked before each attempt; an error stops the call before anything is sent. For fences (a lost
/// lease must stop all writes) and for tests that stop at a call boundary.
pub type Gate = Arc<dyn Fn(Operation) -> Result<(), CloudError> + Send + Sync>;

/// Told after each attempt.
pub type OnRecord = Arc<dyn Fn(&CallRecord) + Send + Sync>;

/// Hooks around calls; none by default.
#[derive(Clone, Default)]
pub struct Observer {
    /// See [`Gate`].
    pub before: Option<Gate>,
    /// See [`OnRecord`].
    pub after: Option<OnRecord>,
}

impl Observer {
    pub(crate) fn ask(&self, operation: Operation) -> Result<(), CloudError> {
        self.before.as_ref().map_or(Ok(()), |gate| gate(operation))
    }

    pub(crate) fn tell(&self, record: &CallRecord) {
        if let Some(after) = &self.after {
            after(record);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("before", &self.before.is_some())
            .field("after", &self.after.is_some())
            .finish()
    }
}
