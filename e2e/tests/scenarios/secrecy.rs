//! The search for secrets at the end of every world finds one wherever it is shown.

use std::panic::{AssertUnwindSafe, catch_unwind};

use e2e::world::{World, WorldOptions};

use super::exposed::{api_key, exposed};

/// What a world says when it ends.
fn end(world: World) -> Result<(), String> {
    let ended = catch_unwind(AssertUnwindSafe(|| drop(world)));
    ended.map_err(|panic| match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => "it said nothing".to_owned(),
    })
}

#[tokio::test]
async fn a_world_that_shows_a_secret_does_not_end_well() {
    let world = exposed().await;
    let key = api_key(&world, "default", "knative-caller").await;
    let line = format!("a caller came with {key}\n");
    std::fs::write(world.folder().join("talkative.log"), line).unwrap();
    let object = format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: notes, namespace: default}}, data: {{key: \"{key}\"}}}}"
    );
    world.apply(&object).await.unwrap();
    // It counts also after it is gone.
    let consumer = super::exposed::consumer("default", "knative");
    world.delete(&consumer).await.unwrap();
    super::exposed::gone(&world, &consumer).await;

    let said = end(world).unwrap_err();
    for place in ["talkative.log", "ConfigMap default/notes"] {
        assert!(said.contains(place), "no {place} in {said}");
    }
    assert!(!said.contains(&key), "it repeats the secret");
}

#[tokio::test]
async fn a_world_that_shows_none_ends_well() {
    let world = World::start(WorldOptions::default()).await.unwrap();
    assert!(world.remember_secrets().await.unwrap() >= 3);
    assert_eq!(end(world), Ok(()));
}
