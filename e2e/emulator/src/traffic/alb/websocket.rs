//! WebSocket, which ALB carries without being told to: from the opening request on, the connection
//! belongs to its two ends.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::header::{CONNECTION, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

/// The client's side of a connection, as soon as it was told that the server agrees.
pub(super) struct Opening(OnUpgrade);

impl Opening {
    /// What a request opens, if it asks for a WebSocket.
    pub(super) fn of(request: &mut Request) -> Option<Self> {
        is_asked(request.headers()).then(|| Self(hyper::upgrade::on(request)))
    }

    /// The server's answer. Once it is sent, what either end says goes to the other until one ends.
    pub(super) fn join(self, answer: reqwest::Response, stopping: CancellationToken) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let carried = async move {
            let (Ok(client), Ok(mut server)) = tokio::join!(self.0, answer.upgrade()) else {
                return tracing::debug!("one end of a WebSocket was gone before it was open");
            };
            // An interrupted connection is the business of its ends.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut server).await;
        };
        tokio::spawn(async move { stopping.run_until_cancelled(carried).await });
        response
    }
}

fn is_asked(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter();
        let mut words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        words.any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    says(CONNECTION, "upgrade") && says(UPGRADE, "websocket")
}
