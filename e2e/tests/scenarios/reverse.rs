//! In reverse: the manifests of every scenario are deleted in any order, and in the end nothing of
//! ours is left, and everything foreign is as it was.

use std::time::Duration;

use e2e::{
    harness::{How, Rehearsal, Scenario},
    world::{Expect, OperatorOptions, Target},
};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

const PATIENCE: Duration = Duration::from_secs(60);
/// Orders of a scenario that are tried; all, if it has no more.
const ORDERS: usize = 24;
/// Orders that are tried with a pause after each object, until nothing more happens to it.
const STEPWISE: usize = 6;
const SEED: u64 = 3;

#[tokio::test]
async fn manifests_are_deleted_in_any_order() {
    for scenario in Scenario::all().unwrap() {
        let how = How::Process(OperatorOptions::default());
        let mut rehearsal = Rehearsal::start(&scenario, how).await.unwrap();
        let all = orders(rehearsal.targets.len());
        for order in &all {
            delete(&mut rehearsal, order, false).await;
        }
        let mut some = all.clone();
        some.shuffle(&mut StdRng::seed_from_u64(SEED));
        some.truncate(STEPWISE);
        for order in &some {
            delete(&mut rehearsal, order, true).await;
        }
        println!(
            "{}: {} orders at once, {} step by step",
            scenario.name,
            all.len(),
            some.len()
        );
        rehearsal.assert_no_secret_leaked().await.unwrap();
    }
}

async fn delete(rehearsal: &mut Rehearsal, order: &[usize], stepwise: bool) {
    rehearsal.apply().await.unwrap();
    rehearsal.applied(PATIENCE, "before").await.unwrap();
    let targets: Vec<Target> = order
        .iter()
        .map(|index| rehearsal.targets[*index].clone())
        .collect();
    for target in &targets {
        rehearsal.world.delete(target).await.unwrap();
        if stepwise {
            gone_or_blocked(rehearsal, target).await;
        }
    }
    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
    let context = format!("deleting {names:?}, stepwise: {stepwise}");
    rehearsal.gone(PATIENCE, &context).await.unwrap();
}

/// An object that has been told to go is gone, or says what holds it.
async fn gone_or_blocked(rehearsal: &Rehearsal, target: &Target) {
    let api = target.api(rehearsal.world.client());
    let blocked = Expect::condition("Ready", "False");
    let look = async || {
        let object = api
            .get_opt(target.name())
            .await
            .map_err(|e| e.to_string())?;
        let gone = Expect::gone().check(object.as_ref());
        gone.or_else(|there| {
            blocked
                .check(object.as_ref())
                .map_err(|why| format!("{there}; {why}"))
        })
    };
    let subject = target.to_string();
    let expected = "gone, or not Ready for a reason";
    let waited = rehearsal
        .world
        .wait_until(&subject, expected, PATIENCE, look);
    waited.await.unwrap_or_else(|error| panic!("{error}"));
}

/// Every order of so many things; if these are too many, a sample.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..count {
        let longer = orders.iter().flat_map(|order: &Vec<usize>| {
            let next = (0..count).filter(|index| !order.contains(index));
            next.map(|index| [order.as_slice(), &[index]].concat())
                .collect::<Vec<_>>()
        });
        orders = longer.collect();
        // Keeps the number bounded, and the sample spread over what came first.
        orders.shuffle(&mut StdRng::seed_from_u64(SEED));
        orders.truncate(ORDERS.max(count));
    }
    orders.truncate(ORDERS);
    orders
}

#[test]
fn all_orders_of_few_things_and_some_of_many() {
    let all = orders(4);
    assert_eq!(all.len(), 24);
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 24);
    assert_eq!(orders(7).len(), ORDERS);
}
