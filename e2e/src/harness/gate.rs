//! A boundary of calls to the API server at which an operator in this process stands still.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use kube::client::Body;
use tower::{Layer, Service};

/// On which side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is not sent.
    Before,
    /// It is carried out, and its answer never arrives.
    After,
}

/// Counts calls and holds them up for ever from an armed one on, so that nothing happens between
/// that call and the operator's end. Clones share it.
///
/// Watches do not count, since they carry no change, and neither does the Lease, since it is
/// renewed by the clock.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    seen: usize,
    armed: Option<(usize, Side)>,
    /// The call to be held after it, from when it is sent.
    under_way: Option<String>,
    reached: Option<String>,
}

/// What is to become of a call.
enum Verdict {
    Pass,
    Hold,
    CarryOutAndHold(String),
}

impl Gate {
    /// Holds up the `number`th call from now on, and all that come after it.
    pub fn arm(&self, number: usize, side: Side) {
        *self.lock() = State {
            seen: 0,
            armed: Some((number, side)),
            ..State::default()
        };
    }

    /// Lets everything pass from now on. Says which call was the first to be held, if one was.
    pub fn disarm(&self) -> Option<String> {
        let State {
            under_way, reached, ..
        } = std::mem::take(&mut *self.lock());
        reached.or(under_way)
    }

    /// The call at which the operator stands still, once it does.
    pub fn reached(&self) -> Option<String> {
        self.lock().reached.clone()
    }

    fn judge(&self, request: &Request<Body>) -> Verdict {
        let mut state = self.lock();
        let Some((number, side)) = state.armed else {
            return Verdict::Pass;
        };
        if !counts(request) {
            return Verdict::Pass;
        }
        state.seen += 1;
        let call = format!("{} {}", request.method(), request.uri().path());
        match (state.seen.cmp(&number), side) {
            (std::cmp::Ordering::Less, _) => Verdict::Pass,
            (std::cmp::Ordering::Equal, Side::Before) => {
                state.reached = Some(call);
                Verdict::Hold
            }
            (std::cmp::Ordering::Equal, Side::After) => {
                state.under_way = Some(call.clone());
                Verdict::CarryOutAndHold(call)
            }
            (std::cmp::Ordering::Greater, _) => Verdict::Hold,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counts(request: &Request<Body>) -> bool {
    let uri = request.uri();
    let watches = uri.query().is_some_and(|query| query.contains("watch="));
    !watches && !uri.path().contains("/leases")
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            inner,
        }
    }
}

/// A client's stack behind a [`Gate`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.gate.judge(&request) {
            Verdict::Pass => Box::pin(self.inner.call(request)),
            Verdict::Hold => Box::pin(std::future::pending()),
            Verdict::CarryOutAndHold(call) => {
                let (gate, answer) = (self.gate.clone(), self.inner.call(request));
                Box::pin(async move {
                    drop(answer.await);
                    gate.lock().reached = Some(call);
                    match std::future::pending::<Infallible>().await {}
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower::{ServiceExt as _, service_fn};

    use super::*;

    async fn call(gate: &Gate, sent: &Arc<Mutex<Vec<String>>>, uri: &str) -> bool {
        let sent = sent.clone();
        let inner = service_fn(move |request: Request<Body>| {
            sent.lock().unwrap().push(request.uri().to_string());
            async { Ok::<_, Infallible>(Response::new(())) }
        });
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let answer = gate.layer(inner).oneshot(request);
        tokio::time::timeout(Duration::from_millis(50), answer)
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn calls_stand_still_from_the_armed_one_on() {
        for (side, reaching) in [(Side::Before, vec!["/a"]), (Side::After, vec!["/a", "/b"])] {
            let (gate, sent) = (Gate::default(), Arc::default());
            gate.arm(2, side);
            assert!(call(&gate, &sent, "/a").await);
            assert!(
                call(&gate, &sent, "/leases/x").await,
                "the Lease is not counted"
            );
            assert!(call(&gate, &sent, "/w?watch=true").await);
            assert_eq!(gate.reached(), None);
            assert!(!call(&gate, &sent, "/b").await);
            assert_eq!(gate.reached().as_deref(), Some("GET /b"));
            assert!(!call(&gate, &sent, "/c").await, "nothing after it");
            let counted: Vec<String> = sent.lock().unwrap().clone();
            let counted: Vec<&str> = counted
                .iter()
                .map(String::as_str)
                .filter(|uri| uri.len() == 2)
                .collect();
            assert_eq!(counted, reaching);
            gate.disarm();
            assert!(call(&gate, &sent, "/c").await);
        }
    }
}
