//! Knative's public conformance suite for what serves its Ingresses: the suite itself is among the
//! [`crate::tools`], as are the programs in the images that it runs.

use std::{collections::BTreeMap, path::PathBuf};

use crate::tools::{self, CONFORMANCE, Tool, ToolError};

/// An image of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Image {
    /// Answers gRPC.
    GrpcPing,
    /// Hands requests on to a host within the cluster.
    HttpProxy,
    /// Fails every other time.
    Retry,
    /// Says what it was asked.
    Runtime,
    /// Answers slowly.
    Timeout,
    /// Echoes through a WebSocket.
    WsServer,
}

impl Image {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::GrpcPing,
        Self::HttpProxy,
        Self::Retry,
        Self::Runtime,
        Self::Timeout,
        Self::WsServer,
    ];

    /// The name under which the suite asks for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GrpcPing => "grpc-ping",
            Self::HttpProxy => "httpproxy",
            Self::Retry => "retry",
            Self::Runtime => "runtime",
            Self::Timeout => "timeout",
            Self::WsServer => "wsserver",
        }
    }

    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::GrpcPing => "knative.dev/networking/test/test_images/grpc-ping",
            Self::HttpProxy => "knative.dev/networking/test/test_images/httpproxy",
            Self::Retry => "knative.dev/networking/test/test_images/retry",
            Self::Runtime => "knative.dev/networking/test/test_images/runtime",
            Self::Timeout => "knative.dev/networking/test/test_images/timeout",
            Self::WsServer => "knative.dev/networking/test/test_images/wsserver",
        }
    }
}

/// The version of `knative.dev/networking` that the suite is of.
#[must_use]
pub fn version() -> &'static str {
    CONFORMANCE.version()
}

/// The program of the suite; builds it first if need be.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn suite() -> Result<PathBuf, ToolError> {
    tools::ensure(Tool::Conformance).await
}

/// The program of each image, by the image's name in this repository of images; builds them first if
/// need be.
///
/// # Errors
/// As [`crate::tools::ensure`].
pub async fn images(repository: &str) -> Result<BTreeMap<String, PathBuf>, ToolError> {
    let mut images = BTreeMap::new();
    for image in Image::ALL {
        let program = tools::ensure(Tool::ConformanceImage(image)).await?;
        images.insert(format!("{repository}/{}:latest", image.name()), program);
    }
    Ok(images)
}
