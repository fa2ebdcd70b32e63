//! The watch of Knative Ingresses, and the tasks of this controller. Nothing is watched before a class
//! has Higress, so that no right is needed for what nobody uses.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use crds::v1alpha1::GatewayBinding;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use super::KIND;
use super::pass::{reconcile, tell_panic};
use crate::controller::context::Context;
use crate::controller::queue::{self, Asker, Work};
use crate::controller::stores::{Seen, fingerprint, keep, lighten};
use crate::core::alb::kingress::KIngress;
use crate::supervise::{Stage, Supervisor};

/// Starts the controller, which then waits for a class with Higress.
pub fn spawn(context: &Arc<Context>, supervisor: &mut Supervisor) {
    let wakes = &context.higress.wakes;
    let (Some(requests), Some(writer)) = (wakes.requests(), context.higress.writer()) else {
        return;
    };
    let (stop, watched) = (context.runtime.shutdown.clone(), context.clone());
    supervisor.spawn(
        Stage::Work,
        "watch of Knative Ingresses for Higress",
        async move {
            let watching = async {
                watched.higress.wakes.until_active().await;
                let client = watched.runtime.client.clone();
                let seen = Ingresses::new(&watched);
                let ingresses = Api::<KIngress>::all(client);
                keep(
                    ingresses,
                    std::convert::identity,
                    writer,
                    None,
                    shorten,
                    |event| {
                        seen.see(&event);
                    },
                )
                .await;
            };
            stop.run_until_cancelled(watching).await;
            Ok::<_, Infallible>(())
        },
    );
    let context = context.clone();
    supervisor.spawn(Stage::Work, format!("{KIND} controller"), async move {
        let ready = async {
            context.higress.wakes.until_active().await;
            context.runtime.leadership.until_leader().await;
            context.stores.ready().await;
        };
        tokio::select! {
            () = context.runtime.shutdown.cancelled() => return Ok::<_, Infallible>(()),
            () = ready => {}
        }
        let work = Work {
            kind: KIND,
            reconcile,
            tell: tell_panic,
        };
        let store = context.stores.namespaces.clone();
        queue::run(work, context, store, requests).await;
        Ok(())
    });
}

/// Takes off a Knative Ingress what nobody here reads.
fn shorten(ingress: &mut KIngress) {
    lighten(ingress);
    ingress.status = serde_json::Value::Null;
}

/// Tells bindings of changes of the Knative Ingresses of their namespace.
struct Ingresses<'a> {
    context: &'a Context,
    bindings: Asker<GatewayBinding>,
    seen: Mutex<HashMap<String, u64>>,
}

impl<'a> Ingresses<'a> {
    fn new(context: &'a Context) -> Self {
        Self {
            context,
            bindings: context.higress.bindings(),
            seen: Mutex::default(),
        }
    }

    fn see(&self, event: &Seen<'_, KIngress>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Seen::NoSuchKind => self.context.higress.listed(),
            Seen::Listed => {
                self.context.higress.listed();
                self.tell(|_| true);
            }
            Seen::Changed(ingress) => {
                let print = fingerprint(*ingress);
                let news = seen.insert(ingress.uid().unwrap_or_default(), print) != Some(print);
                if news {
                    self.tell(|binding| binding.namespace() == ingress.namespace());
                }
            }
            Seen::Gone(ingress) => {
                seen.remove(&ingress.uid().unwrap_or_default());
                self.tell(|binding| binding.namespace() == ingress.namespace());
            }
        }
    }

    fn tell(&self, concerned: impl Fn(&GatewayBinding) -> bool) {
        for binding in self.context.stores.bindings.state() {
            if binding.spec.higress.is_some() && concerned(&binding) {
                self.bindings.edited(ObjectRef::from_obj(&*binding));
            }
        }
    }
}
