//! Structured logs on standard error; standard output belongs to the commands that print.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error(
        "RUST_LOG is `{value}`, which is not a list of `target=level` like \
         `info,gatewaybinding_operator=debug`"
    )]
    Filter {
        /// The value as given.
        value: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is already a subscriber in this process.
    #[error("logging is already set up")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// Filter used when `RUST_LOG` is not set.
const DEFAULT_FILTER: &str = "info";

/// What no filter may lower, since these targets print what goes over the wire, with the bodies of
/// Secrets among it: the HTTP and TLS stacks below debug level, and kube's client, which logs a
/// response that does not decode word for word as a warning.
const CEILINGS: [&str; 8] = [
    "kube_client::client=error",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "rustls=info",
    "tower=info",
    "aws_lc_rs=info",
];

/// Sends the process's `tracing` output to standard error in the given format, filtered by the
/// environment variable `RUST_LOG`.
///
/// # Errors
///
/// If `RUST_LOG` does not parse, or logging was set up before.
pub fn init(format: LogFormat) -> Result<(), TelemetryError> {
    let filter = filter(std::env::var("RUST_LOG").ok().as_deref())?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_current_span(false))
            .try_init()?,
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            registry.with(lines.with_ansi(colours)).try_init()?;
        }
    }
    Ok(())
}

fn filter(asked: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let asked = asked.filter(|value| !value.trim().is_empty());
    let value = asked.unwrap_or(DEFAULT_FILTER);
    let parse = |source| TelemetryError::Filter {
        value: value.to_owned(),
        source,
    };
    let mut filter = EnvFilter::builder().parse(value).map_err(parse)?;
    for ceiling in CEILINGS {
        filter = filter.add_directive(ceiling.parse::<Directive>().map_err(parse)?);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Buffer {
        type Writer = Buffer;
        fn make_writer(&'a self) -> Buffer {
            self.clone()
        }
    }

    fn logged(asked: Option<&str>, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::registry()
            .with(filter(asked).unwrap())
            .with(tracing_subscriber::fmt::layer().with_writer(buffer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_default_is_info() {
        let text = logged(None, || {
            tracing::info!("told");
            tracing::debug!("kept");
        });
        assert!(text.contains("told") && !text.contains("kept"), "{text}");
    }

    #[test]
    fn no_filter_makes_the_wire_speak() {
        for asked in ["trace", "trace,hyper=trace,kube_client::client=trace", ""] {
            let text = logged(Some(asked), || {
                tracing::warn!(target: "kube_client::client", "secret-1");
                tracing::trace!(target: "hyper::proto::h1", "secret-2");
                tracing::debug!(target: "h2::codec", "secret-3");
                tracing::info!("told");
            });
            assert!(text.contains("told"), "{asked}: {text}");
            assert!(!text.contains("secret"), "{asked}: {text}");
        }
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = filter(Some("operator=loud")).unwrap_err().to_string();
        assert!(error.contains("RUST_LOG is `operator=loud`"), "{error}");
    }
}
