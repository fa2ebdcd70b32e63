//! TLS and plain HTTP on one port: the first byte of a connection tells which it is.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS handshake record.
const HANDSHAKE: u8 = 0x16;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made.
    #[error("making a self-signed certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate could not be used.
    #[error("using the certificate: {0}")]
    Config(#[from] rustls::Error),
}

/// A TLS configuration with a fresh self-signed certificate for these names.
///
/// # Errors
/// A name is no DNS name or address.
pub fn self_signed(names: impl Into<Vec<String>>) -> Result<Arc<ServerConfig>, TlsError> {
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

/// A connection in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Looks at the first byte without taking it and makes TLS of the connection if the client began
/// so; the flag says whether it did.
///
/// # Errors
/// The connection ended, or the handshake failed.
pub async fn accept(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> io::Result<(Box<dyn Duplex>, bool)> {
    let mut first = [0_u8];
    let secure = stream.peek(&mut first).await? == 1 && first == [HANDSHAKE];
    match secure {
        true => Ok((Box::new(acceptor.accept(stream).await?), true)),
        false => Ok((Box::new(stream), false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn both_kinds_of_clients_are_served_on_one_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(self_signed(vec!["localhost".to_owned()]).unwrap());
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (stream, _) = listener.accept().await.unwrap();
                let (mut stream, secure) = accept(stream, &acceptor).await.unwrap();
                let mut request = [0_u8; 18];
                stream.read_exact(&mut request).await.unwrap();
                let body = if secure { "tls" } else { "tcp" };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .no_proxy()
            .build()
            .unwrap();
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{address}/");
            let text = client.get(url).send().await.unwrap().text().await.unwrap();
            assert_eq!(text, if scheme == "https" { "tls" } else { "tcp" });
        }
        server.await.unwrap();
    }
}
