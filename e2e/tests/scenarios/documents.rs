//! What the documents show is what happens: every command in them is carried out, and every
//! manifest is one that the API server takes.

use e2e::{
    documents::{Document, Session, Stage, documents},
    world::{Expect, Target, World, WorldOptions},
};

use super::{
    PATIENCE,
    exposed::{consumer, example, helloworld},
};

/// Those that show commands or manifests.
fn to_be_followed() -> Vec<Document> {
    let all = ["README.md", "docs", "examples", "charts"].map(documents);
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

#[tokio::test]
async fn what_documents_show_is_what_happens() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for document in to_be_followed() {
        let world = stage(&document).await;
        let session = Session::start(&world).await.unwrap();
        match session.follow(&document).await {
            Ok(()) => followed += 1,
            Err(error) => wrong.push(error.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(followed > 0, "there are no documents to follow");
    println!("{followed} documents followed");
}
