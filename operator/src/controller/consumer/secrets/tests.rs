use std::sync::{Arc, Mutex};

use axum::http::{Method, Request, Response, StatusCode};
use crds::v1alpha1::CredentialKind;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::core::consumer::credentials::Slot;

const SECRET: &str = "acme-first";

/// Writes that the API server was sent.
type Writes = Arc<Mutex<Vec<(Method, Value)>>>;

/// An API server with one Secret, or none.
fn server(secret: Option<Value>) -> (Client, Writes) {
    let writes = Writes::default();
    let sent = writes.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (secret, sent) = (secret.clone(), sent.clone());
        async move {
            let method = request.method().clone();
            let body = request.into_body().collect_bytes().await.unwrap();
            let (status, answer) = match (&method, secret) {
                (&Method::GET, Some(secret)) => (StatusCode::OK, secret),
                (&Method::GET, None) => (
                    StatusCode::NOT_FOUND,
                    json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}),
                ),
                (_, secret) => {
                    let body = serde_json::from_slice(&body).unwrap_or_default();
                    sent.lock().unwrap().push((method.clone(), body));
                    (
                        StatusCode::OK,
                        secret.unwrap_or_else(|| json!({"metadata": {}})),
                    )
                }
            };
            let answer = Body::from(answer.to_string().into_bytes());
            let response = Response::builder().status(status).body(answer).unwrap();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    (Client::new(service, "default"), writes)
}

fn consumer(type_: &str) -> GatewayConsumer {
    serde_json::from_value(json!({
        "apiVersion": "gatewaybinding.dev/v1alpha1", "kind": "GatewayConsumer",
        "metadata": {"name": "acme", "namespace": "partners", "uid": "u-1"},
        "spec": {"credentials": [
            {"name": "first", "type": type_, "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": SECRET}},
        ]},
    }))
    .unwrap()
}

/// `data` is base64, as the API server has it.
fn secret(made_for: Option<&str>, data: Value) -> Value {
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": "partners", "uid": "s-1", "resourceVersion": "7"},
        "data": data,
    });
    if let Some(owner) = made_for {
        secret["metadata"]["labels"] = json!({keys::MANAGED_BY: keys::FIELD_MANAGER});
        secret["metadata"]["annotations"] = json!({keys::CREATED_FOR: owner});
    }
    secret
}

const OURS: Option<&str> = Some("GatewayConsumer/partners/acme");

fn gap(kind: CredentialKind, key_id: Option<&str>) -> Gap {
    Gap {
        slot: Slot {
            credential: "first".into(),
            kind,
        },
        secret: SECRET.into(),
        key_id: key_id.map(str::to_owned),
        key_secret: None,
    }
}

fn parts() -> Vec<(Gap, Credential)> {
    let pair = Credential::KeyPair {
        id: "42".into(),
        secret: "s".into(),
    };
    vec![
        (
            gap(CredentialKind::APIKey, None),
            Credential::ApiKey("k".into()),
        ),
        (gap(CredentialKind::KeyPair, None), pair),
    ]
}

async fn write(
    present: Option<Value>,
    parts: &[(Gap, Credential)],
) -> (Result<Written, Reason>, Vec<(Method, Value)>) {
    let (client, writes) = server(present);
    let consumer = consumer("Generated");
    let secrets = Secrets::new(&client, &Leadership::always(), &consumer);
    let written = secrets.write(SECRET, parts).await;
    let writes = writes.lock().unwrap().clone();
    let written = written.map(|(written, _)| written);
    (written.map_err(|trouble| trouble.problem.reason), writes)
}

#[tokio::test]
async fn a_secret_is_made_with_all_entries_and_belongs_to_the_consumer() {
    let (written, writes) = write(None, &parts()).await;
    assert_eq!(written, Ok(Written::Created));
    let [(method, body)] = writes.as_slice() else {
        panic!("{writes:?}");
    };
    assert_eq!(method, Method::POST);
    assert_eq!(body["type"], "Opaque");
    assert_eq!(
        body["data"],
        json!({"apiKey": "aw==", "keyId": "NDI=", "keySecret": "cw=="})
    );
    assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u-1");
    assert_eq!(
        body["metadata"]["annotations"][keys::CREATED_FOR],
        json!(OURS)
    );
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_never_written() {
    for made_for in [None, Some("GatewayConsumer/partners/other")] {
        let (written, writes) = write(Some(secret(made_for, json!({}))), &parts()).await;
        assert_eq!(written, Err(Reason::SecretNotOwned));
        assert_eq!(writes, []);
    }
}

#[tokio::test]
async fn entries_that_are_there_are_never_overwritten() {
    // The entry apiKey came after the pass had looked; keyId was there.
    let present = secret(OURS, json!({"apiKey": "bmV3", "keyId": "NDI="}));
    let mut parts = parts();
    parts[1].0 = gap(CredentialKind::KeyPair, Some("42"));
    let (written, writes) = write(Some(present), &parts).await;
    assert_eq!(written, Ok(Written::Filled));
    let [(method, body)] = writes.as_slice() else {
        panic!("{writes:?}");
    };
    assert_eq!(method, Method::PATCH);
    assert_eq!(body["data"], json!({"keySecret": "cw=="}));
    assert_eq!(body["metadata"]["resourceVersion"], "7");
}

#[tokio::test]
async fn only_a_secret_of_ours_is_deleted() {
    for (present, deletes) in [
        (secret(OURS, json!({})), true),
        (secret(None, json!({})), false),
    ] {
        let (client, writes) = server(Some(present));
        let consumer = consumer("Generated");
        let secrets = Secrets::new(&client, &Leadership::always(), &consumer);
        assert_eq!(secrets.delete(SECRET).await.unwrap(), deletes);
        assert_eq!(writes.lock().unwrap().len(), usize::from(deletes));
    }
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing() {
    let (client, writes) = server(None);
    let consumer = consumer("Generated");
    let secrets = Secrets::new(&client, &Leadership::never(), &consumer);
    assert!(secrets.write(SECRET, &parts()).await.is_err());
    assert_eq!(*writes.lock().unwrap(), []);
}

#[tokio::test]
async fn a_foreign_secret_may_be_imported_but_not_generated_into() {
    for (type_, foreign) in [("Generated", true), ("Imported", false)] {
        let (client, _) = server(Some(secret(None, json!({"apiKey": "aHVzaA=="}))));
        let consumer = consumer(type_);
        let secrets = Secrets::new(&client, &Leadership::always(), &consumer);
        let (states, versions) = secrets.states().await;
        assert_eq!(matches!(states["first"], SecretState::Foreign), foreign);
        assert_eq!(versions.get(SECRET).map(String::as_str), Some("s-1/7"));
        assert!(!format!("{states:?}").contains("hush"));
    }
}
