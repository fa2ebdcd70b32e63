//! Holds back what would be a mass change.

use crds::v1alpha1::{GatewayConsumer, Reason};
use kube::ResourceExt;

use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::consumer::claims::{AppKey, Claim};
use crate::core::guard::{self, Answer, Thing, Things};
use crate::core::problem::Problem;

/// Whether a consumer may leave an account, as one of the `leaving`.
pub(super) fn may_leave(
    consumer: &GatewayConsumer,
    app: &AppKey,
    leaving: &[AppKey],
    context: &Context,
) -> Result<(), Trouble> {
    let uid = consumer.uid().unwrap_or_default();
    let here = leaving
        .iter()
        .filter(|other| other.location == app.location);
    let things: Things = here.map(|app| (thing(app), String::new())).collect();
    match context.guard.ask_at(&app.location, &uid, &things) {
        (Answer::Held(held), class) if held.contains(&thing(app)) => {
            Err(Trouble::from(guard::problem(&held, &class)))
        }
        (Answer::Later(left), _) => {
            let problem = Problem::retry(
                Reason::Pending,
                "it leaves the account in a few seconds, unless much more is on its way out as well.",
            );
            Err(Trouble {
                retry_after: Some(left),
                ..Trouble::from(problem)
            })
        }
        _ => Ok(()),
    }
}

/// A consumer left an account.
pub(super) fn has_left(app: &AppKey, context: &Context) {
    context.guard.went_at(&app.location, &thing(app));
}

fn thing(app: &AppKey) -> Thing {
    Thing::named(Claim::App(app.clone()))
}
