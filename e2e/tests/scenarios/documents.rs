//! What the documents show is what happens: every command in them is carried out, and every
//! manifest is one that the API server takes.

use e2e::{
    documents::{Document, Session, Stage, Step, documents},
    world::{Expect, Target, World, WorldOptions},
};

use super::{
    PATIENCE,
    exposed::{consumer, example, helloworld},
};

/// Those that show commands or manifests.
fn to_be_followed() -> Vec<Document> {
    let all = ["README.md", "CONTRIBUTING.md", "docs", "examples", "charts"].map(documents);
    let all = all.into_iter().flat_map(|documents| documents.unwrap());
    all.filter(|document| !document.steps.is_empty()).collect()
}

async fn stage(document: &Document) -> World {
    let world = World::start(WorldOptions::default()).await.unwrap();
    if document.stage == Stage::Playground {
        world.apply(&example()).await.unwrap();
        let ready = Expect::condition("Ready", "True");
        let targets: [Target; 2] = [helloworld(), consumer("default", "knative")];
        for target in targets {
            world.wait_for(&target, &ready, PATIENCE).await.unwrap();
        }
    }
    world
}

/// Whether a document shows commands.
fn acts(document: &Document) -> bool {
    let mut steps = document.steps.iter();
    steps.any(|step| matches!(step, Step::Command { .. }))
}

async fn follow(world: &World, document: &Document, wrong: &mut Vec<String>) {
    let session = Session::start(world).await.unwrap();
    if let Err(error) = session.follow(document).await {
        wrong.push(error.to_string());
    }
}

#[tokio::test]
async fn what_documents_show_is_what_happens() {
    let mut wrong = Vec::new();
    let (active, quiet): (Vec<_>, Vec<_>) = to_be_followed().into_iter().partition(acts);
    for document in &active {
        let world = stage(document).await;
        follow(&world, document, &mut wrong).await;
    }
    // Those that only show manifests change nothing, so one world serves them all.
    let world = super::world().await;
    for document in &quiet {
        follow(&world, document, &mut wrong).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(
        !active.is_empty() && !quiet.is_empty(),
        "there are documents of both sorts"
    );
    println!("{} documents followed", active.len() + quiet.len());
}
