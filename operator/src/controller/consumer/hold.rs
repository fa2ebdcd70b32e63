//! Holds back what would be a mass change.

use crds::v1alpha1::{GatewayConsumer, Reason};
use kube::ResourceExt;

use crate::controller::cloud::Trouble;
use crate::controller::guard::Guard;
use crate::core::consumer::claims::{AppKey, Claim};
use crate::core::guard::{Answer, Thing, Things, problem};
use crate::core::problem::Problem;

/// Whether a consumer may leave an account, as one of the `leaving`.
pub(super) fn may_leave(
    consumer: &GatewayConsumer,
    app: &AppKey,
    leaving: &[AppKey],
    guard: &Guard,
) -> Result<(), Trouble> {
    let uid = consumer.uid().unwrap_or_default();
    let here = leaving
        .iter()
        .filter(|other| other.location == app.location);
    let things: Things = here.map(|app| (thing(app), String::new())).collect();
    match guard.ask_at(&app.location, &uid, &things) {
        (Answer::Held(held), class) if held.contains(&thing(app)) => {
            Err(Trouble::from(problem(&held, &class)))
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
pub(super) fn has_left(app: &AppKey, guard: &Guard) {
    guard.went_at(&app.location, &thing(app));
}

fn thing(app: &AppKey) -> Thing {
    Thing::named(Claim::App(app.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::queue::queue;
    use crate::core::consumer::claims::Location;
    use crds::v1alpha1::GatewayBindingClass;
    use serde_json::{Value, json};

    fn app(account: &str, name: &str) -> AppKey {
        AppKey {
            location: Location {
                account: account.into(),
                region: "r".into(),
            },
            name: name.into(),
        }
    }

    fn class(name: &str, account: &str, guard: Value, confirmed: Value) -> GatewayBindingClass {
        let object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayBindingClass",
            "metadata": {"name": name, "uid": name},
            "spec": {
                "cloud": {"regionId": "r", "clusterId": "c1f0", "credentials": {"type": "Environment"}},
                "massChangeGuard": guard,
            },
            "status": {"account": account, "massChange": {"confirmed": confirmed}},
        });
        serde_json::from_value(object).unwrap()
    }

    /// A consumer with an app of its name in an account.
    fn consumer(account: &str, name: &str, deleting: bool) -> GatewayConsumer {
        let key = Claim::App(app(account, name)).to_string();
        let mut object = json!({
            "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
            "metadata": {"name": name, "namespace": "n", "uid": name},
            "spec": {"credentials": []},
            "status": {"ledger": [{"key": key, "kind": "Consumer", "account": account, "region": "r", "id": name}]},
        });
        if deleting {
            object["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        }
        serde_json::from_value(object).unwrap()
    }

    /// Two classes that lead into different accounts, with a consumer in each of these places.
    fn guard(consumers: &[GatewayConsumer]) -> Guard {
        let (nobody, _) = queue();
        let guard = Guard::new(nobody);
        let one = json!({"maxObjects": 1});
        guard.class(&class("strict", "1", one.clone(), Value::Null));
        guard.class(&class("other", "2", one, Value::Null));
        for consumer in consumers {
            guard.consumer(consumer);
        }
        guard
    }

    fn leave(consumer: &GatewayConsumer, account: &str, guard: &Guard) -> Result<(), Reason> {
        let app = app(account, &consumer.name_any());
        let all = std::slice::from_ref(&app);
        may_leave(consumer, &app, all, guard).map_err(|trouble| trouble.problem.reason)
    }

    #[test]
    fn many_that_are_deleted_together_are_held_and_those_elsewhere_are_not() {
        let gone = ["a", "b", "c"].map(|name| consumer("1", name, true));
        let elsewhere = consumer("2", "d", true);
        let mut all = gone.to_vec();
        all.push(elsewhere.clone());
        let guard = guard(&all);
        for consumer in &gone {
            assert_eq!(leave(consumer, "1", &guard), Err(Reason::MassChangeHeld));
        }
        assert_eq!(leave(&elsewhere, "2", &guard), Ok(()));
    }

    #[test]
    fn what_a_person_confirmed_goes_and_nothing_else() {
        let gone = ["a", "b", "c"].map(|name| consumer("1", name, true));
        let guard = guard(&gone);
        let held = class("strict", "1", json!({"maxObjects": 1}), Value::Null);
        let token = guard.status(&held).0.unwrap().held.unwrap().token;
        let asks = json!({"maxObjects": 1, "confirmed": token});
        let asks = class("strict", "1", asks, Value::Null);
        let confirmed = guard.status(&asks).0.unwrap().confirmed;
        guard.class(&class(
            "strict",
            "1",
            json!({"maxObjects": 1}),
            json!(confirmed),
        ));
        for consumer in &gone {
            assert_eq!(leave(consumer, "1", &guard), Ok(()));
        }
        // Two more, on top of none that went unconfirmed, are two too many.
        let more = ["x", "y"].map(|name| consumer("1", name, true));
        more.iter().for_each(|consumer| guard.consumer(consumer));
        assert_eq!(leave(&more[0], "1", &guard), Err(Reason::MassChangeHeld));
    }

    #[test]
    fn what_went_a_moment_ago_counts_and_one_that_nobody_names_any_more_too() {
        let all = ["a", "b", "c"].map(|name| consumer("1", name, false));
        let guard = guard(&all);
        // Within the limit, but more may be on its way out.
        assert_eq!(leave(&all[0], "1", &guard), Err(Reason::Pending));
        has_left(&app("1", "a"), &guard);
        guard.gone("a");
        assert_eq!(leave(&all[1], "1", &guard), Err(Reason::MassChangeHeld));
    }
}
