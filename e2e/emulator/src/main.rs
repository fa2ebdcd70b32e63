//! The `alicloud-emulator` command.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alicloud_emulator::ccm::{BackendMode, Options};
use alicloud_emulator::ram::Policy;
use alicloud_emulator::{Builder, Emulator};
use anyhow::Context;
use clap::{Parser, ValueEnum};
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing_subscriber::EnvFilter;

/// A strict emulator of the Alibaba Cloud APIs: API Gateway, classic and application load balancer,
/// VPC and STS on one port, the traffic path included.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where to listen; port 0 takes a free one. The bound address is the first line on stdout.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The one region.
    #[arg(long, default_value = "cn-hangzhou")]
    region: String,
    /// The one account.
    #[arg(long, default_value = "1234567890123456")]
    account_id: String,
    /// A long-lived key, as ID:SECRET; may be given several times.
    #[arg(long = "access-key", value_name = "ID:SECRET", value_parser = access_key)]
    access_keys: Vec<AccessKey>,
    /// The policy of a key, or of the sessions of a role, as ID=FILE or ROLE-ARN=FILE; may be given
    /// several times. A key without one may do everything.
    #[arg(long = "ram-policy", value_name = "ID=FILE", value_parser = ram_policy)]
    ram_policies: Vec<RamPolicy>,
    /// Load the state from this file if it exists, and keep it there.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Sell load balancers by specification, which the vendor no longer does.
    #[arg(long)]
    sell_pay_by_spec: bool,
    /// The certificate chain for clients that begin with TLS, PEM; self-signed without it.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Play the cloud controller manager of the cluster in this kubeconfig, and the ALB Ingress
    /// controller.
    #[arg(long, value_name = "FILE")]
    ccm_kubeconfig: Option<PathBuf>,
    /// The cluster id that goes into tags and descriptions.
    #[arg(long, default_value = "clusterid")]
    ccm_cluster_id: String,
    /// Which of the keys it signs with; the first one given without it.
    #[arg(long, value_name = "ID")]
    ccm_access_key: Option<String>,
    /// Backend servers of Services that do not say: addresses of pods, or ports of nodes.
    #[arg(long, value_enum, default_value = "eni")]
    ccm_backend: Backend,
    /// The wait after the first failure of a Service, in milliseconds; it doubles up to 60 times
    /// as much.
    #[arg(long, default_value_t = 5000, value_name = "MS")]
    ccm_retry: u64,
    /// What is a second, in milliseconds, to the ALB Ingress controller that is played too where the
    /// cluster has the kind AlbConfig; a whole pass of the real one takes from 1.7 to 6.9.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    alb_second: u64,
    /// How long objects of the product ALB take until they are as they were asked to be, in
    /// milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    alb_settling: u64,
}

#[derive(Clone)]
struct AccessKey {
    id: String,
    secret: String,
}

#[derive(Clone)]
struct RamPolicy {
    of: String,
    file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Eni,
    Ecs,
}

fn access_key(text: &str) -> Result<AccessKey, String> {
    match text.split_once(':') {
        Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok(AccessKey {
            id: id.to_owned(),
            secret: secret.to_owned(),
        }),
        _ => Err("give the id and the secret of the key with a colon between them".to_owned()),
    }
}

fn ram_policy(text: &str) -> Result<RamPolicy, String> {
    match text.split_once('=') {
        Some((of, file)) if !of.is_empty() && !file.is_empty() => Ok(RamPolicy {
            of: of.to_owned(),
            file: file.into(),
        }),
        _ => Err("give the id of the key, or the ARN of the role, and the file of its policy with an equals sign between them".to_owned()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    // Only the first call of a process installs a provider; a second one would be no harm.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed already");
    }
    let running = builder(Arguments::parse()).await?.start().await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", running.address())?;
    stdout.flush()?;
    wait_for_signal().await?;
    running.stop().await;
    Ok(())
}

async fn builder(arguments: Arguments) -> anyhow::Result<Builder> {
    let mut builder = Emulator::builder()
        .listen(arguments.listen)
        .region(arguments.region)
        .account_id(arguments.account_id)
        .sell_pay_by_spec(arguments.sell_pay_by_spec)
        .alb_settling(Duration::from_millis(arguments.alb_settling));
    for key in arguments.access_keys {
        builder = builder.access_key(key.id, key.secret);
    }
    for RamPolicy { of, file } in arguments.ram_policies {
        let problem = || format!("policy {}", file.display());
        let text = std::fs::read(&file).with_context(problem)?;
        builder = builder.ram_policy(of, Policy::parse(&text).with_context(problem)?);
    }
    if let Some(path) = arguments.state {
        builder = builder.state_file(path);
    }
    if let (Some(cert), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        builder = builder.tls(tls_config(cert, key)?);
    }
    if let Some(path) = arguments.ccm_kubeconfig {
        let retry_min = Duration::from_millis(arguments.ccm_retry);
        let backends = match arguments.ccm_backend {
            Backend::Eni => BackendMode::Eni,
            Backend::Ecs => BackendMode::Ecs,
        };
        builder = builder.ccm(Options {
            cluster_id: arguments.ccm_cluster_id,
            access_key_id: arguments.ccm_access_key,
            backends,
            retry_min,
            retry_max: retry_min.saturating_mul(60),
            alb_second: Some(Duration::from_millis(arguments.alb_second)),
            ..Options::new(client(&path).await?)
        });
    }
    Ok(builder)
}

async fn client(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    let problem = || format!("kubeconfig {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(problem)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options)
        .await
        .with_context(problem)?;
    kube::Client::try_from(config).with_context(problem)
}

fn tls_config(cert: &Path, key: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let problem = |path: &Path| format!("TLS file {}", path.display());
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| problem(cert))?;
    let key_der = PrivateKeyDer::from_pem_file(key).with_context(|| problem(key))?;
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config
        .with_single_cert(chain, key_der)
        .with_context(|| problem(cert))?;
    Ok(Arc::new(config))
}

async fn wait_for_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    Ok(())
}
