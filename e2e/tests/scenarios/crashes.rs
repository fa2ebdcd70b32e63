//! Killed anywhere, nothing is lost: at every call boundary of every scenario the operator ends, and
//! its successor comes to the same final state, with nothing doubled and nothing left over.

use e2e::{
    harness::{Boundary, How, Points, Rehearsal, Scenario, Side},
    world::OperatorOptions,
};

/// Crashes before and after each call, in this process.
async fn everywhere(boundary: Boundary) {
    for scenario in Scenario::all().unwrap() {
        let mut rehearsal = Rehearsal::start(&scenario, How::InProcess).await.unwrap();
        let mut points = Points::default();
        for side in [Side::Before, Side::After] {
            points += rehearsal.crash_everywhere(boundary, side).await.unwrap();
        }
        println!("{}: {points} at calls of {boundary:?}", scenario.name);
        // Twice each change that the undisturbed run made, and more for what it read.
        let changes = rehearsal.plain.create.sends + rehearsal.plain.delete.sends;
        assert!(
            points.create + points.delete >= 2 * changes,
            "{points} are too few for {changes} changes"
        );
        rehearsal.assert_no_secret_leaked().await.unwrap();
    }
}

#[tokio::test]
async fn an_operator_that_ends_at_any_call_to_the_cloud_loses_nothing() {
    everywhere(Boundary::Cloud).await;
}

#[tokio::test]
async fn an_operator_that_ends_at_any_call_to_the_api_server_loses_nothing() {
    everywhere(Boundary::Kubernetes).await;
}

/// The program under SIGKILL: at every call to the cloud of the first scenario.
#[tokio::test]
async fn a_program_killed_at_any_call_to_the_cloud_loses_nothing() {
    let scenario = Scenario::named("api-gateway-intranet-slb").unwrap();
    let how = How::Process(OperatorOptions::default());
    let mut rehearsal = Rehearsal::start(&scenario, how).await.unwrap();
    let mut points = Points::default();
    for side in [Side::Before, Side::After] {
        let at_side = rehearsal.crash_everywhere(Boundary::Cloud, side).await;
        points += at_side.unwrap();
    }
    println!("{}: {points} with kill -9", scenario.name);
    assert!(points.create + points.delete >= 8, "{points}");
    rehearsal.assert_no_secret_leaked().await.unwrap();
}
