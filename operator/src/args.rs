//! The command line.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use cloud_adapter::ram::Feature;
use jiff::SignedDuration;

use crate::telemetry::LogFormat;

/// What stands for all namespaces in `--secret-namespaces`.
const ALL: &str = "*";

/// Exposes Knative services on Alibaba Cloud from one typed GatewayBinding.
#[derive(Clone, Debug, Parser)]
#[command(name = "gatewaybinding-operator", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the operator until it is told to stop.
    Run(Box<RunArgs>),
    /// Print what would be done for manifests, and do nothing.
    Plan(PlanArgs),
    /// Print manifests that adopt what was made with kubectl and in the cloud console.
    Import(ImportArgs),
    /// Print the least permissions that the operator needs in the cloud.
    RamPolicy(RamPolicyArgs),
    /// Print the CustomResourceDefinitions as YAML.
    Crd,
    /// Print the version.
    Version,
}

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Kubeconfig file; without it, the one of the environment or the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Namespace of the Lease: the one the operator runs in.
    #[arg(long, env = "POD_NAMESPACE", default_value = "gatewaybinding-system")]
    pub namespace: String,

    /// Serve only classes labelled `gatewaybinding.dev/shard` with this value; when empty, only
    /// classes without the label.
    #[arg(long, default_value = "", value_parser = shard)]
    pub shard: String,

    /// Namespaces whose Secrets are watched for changes and looked through for orphans, with commas
    /// between them; `*` for all, empty for none. Name those where the operator may read Secrets.
    #[arg(long, value_name = "NAMESPACES", default_value = ALL, value_parser = secret_namespaces)]
    pub secret_namespaces: SecretNamespaces,

    /// One endpoint for all products of the cloud, instead of their own. For tests.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub cloud_endpoint: Option<String>,

    /// Address for /livez, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,

    /// How often everything is compared with the cloud when nothing has changed.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub drift_interval: Duration,

    /// The first delay after an error, at most. It doubles with each further error in a row, up to
    /// 5m, or 30s where it is cluster or cloud that fails.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub retry_delay: Duration,

    /// How many objects each controller works on at once.
    #[arg(long, value_name = "N", default_value = "8")]
    pub concurrency: NonZeroU16,

    /// How long the work in hand may take to finish when the process is told to stop.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration)]
    pub shutdown_grace: Duration,

    /// Format of log lines on standard error; RUST_LOG chooses which are written.
    #[arg(long, value_enum, default_value_t, env = "LOG_FORMAT")]
    pub log_format: LogFormat,

    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its doc comment would replace the help of `run`"
    )]
    pub lease: LeaseArgs,
}

impl RunArgs {
    /// The defaults, for the cluster of a kubeconfig.
    #[must_use]
    pub fn default_for(kubeconfig: &std::path::Path) -> Self {
        Self {
            kubeconfig: Some(kubeconfig.to_owned()),
            namespace: String::new(),
            shard: String::new(),
            secret_namespaces: SecretNamespaces::All,
            cloud_endpoint: None,
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            drift_interval: Duration::from_secs(600),
            retry_delay: Duration::from_secs(1),
            concurrency: NonZeroU16::MIN,
            shutdown_grace: Duration::from_secs(25),
            log_format: LogFormat::default(),
            lease: LeaseArgs {
                identity: None,
                lease_duration: Duration::from_secs(15),
                lease_renew_deadline: Duration::from_secs(10),
                lease_renew_interval: Duration::from_secs(2),
            },
        }
    }
}

/// Where Secrets are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretNamespaces {
    /// Everywhere.
    All,
    /// In these namespaces, perhaps in none.
    Only(BTreeSet<String>),
}

/// Flags of leader election.
#[derive(Clone, Debug, Args)]
pub struct LeaseArgs {
    /// Identity in the Lease; a restarted process with the same identity takes its own Lease back
    /// at once. Without it, the host's name with a random suffix.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// How long other replicas wait for a silent leader.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub lease_duration: Duration,

    /// How long after its last renewal a leader stops by itself.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub lease_renew_deadline: Duration,

    /// Time between two renewals.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub lease_renew_interval: Duration,
}

/// Flags of `plan`.
#[derive(Clone, Debug, Args)]
#[command(after_help = PLAN_HELP)]
pub struct PlanArgs {
    /// Manifests to plan for, YAML or JSON: files, directories, or `-` for standard input. They hold
    /// bindings, and what these refer to: classes, consumers, Services, namespaces, Knative Services
    /// and Routes.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,

    /// Compare with the cluster of this kubeconfig; without it, plan offline.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// With --kubeconfig: one endpoint for all products of the cloud, instead of their own. For
    /// tests.
    #[arg(long, value_name = "URL", value_parser = endpoint, requires = "kubeconfig")]
    pub cloud_endpoint: Option<String>,

    /// How to print the plan.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: PlanFormat,

    /// Exit with 2 if something would be done.
    #[arg(long = "detailed-exitcode")]
    pub detailed_exitcode: bool,
}

const PLAN_HELP: &str = "\
Without --kubeconfig, the plan is for an empty cluster and cloud account: each binding is planned as
if those before it had been applied, and what the files do not show is taken for granted and said.

Exit codes:
  0  every binding is planned; with --detailed-exitcode, and nothing would be done
  1  nothing is planned: wrong flags, or manifests that cannot be read or are not valid
  2  only with --detailed-exitcode: something would be done, and nothing is in the way
  3  at least one binding is refused or blocked until somebody acts; all plans are printed";

/// How `plan` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Flags of `import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub struct ImportArgs {
    /// The API group whose APIs are imported: its id, or its name in the console. Or the word
    /// `service`, before a Service.
    #[arg(value_name = "GROUP")]
    pub group: String,

    /// After the word `service`: the annotated Service whose load balancer is imported.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    pub service: Option<(String, String)>,

    /// The cluster with the Knative Services and the Services of their gateways.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,

    /// Region of the group. Example: cn-beijing.
    #[arg(long, value_name = "ID")]
    pub region: String,

    /// Id of the cluster, for `cloud.clusterId` of the class.
    #[arg(long, value_name = "ID")]
    pub cluster_id: String,

    /// Name of the class.
    #[arg(long, value_name = "NAME", default_value = "imported")]
    pub class: String,

    /// One endpoint for all products of the cloud, instead of their own. For tests.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub cloud_endpoint: Option<String>,
}

fn namespaced(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("give it as NAMESPACE/NAME, for example default/nginx".to_owned()),
    }
}

const IMPORT_HELP: &str = "\
Credentials come from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary
keys, ALIBABA_CLOUD_SECURITY_TOKEN. Only what reads is called, and no secret is printed.

Exit codes:
  0  everything of the group or Service is in the manifests, and applying them changes nothing
  1  nothing is printed: wrong flags, or cluster or cloud cannot be read
  3  manifests are printed, and something is not in them or would change; standard error says what";

/// Flags of `ram-policy`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RAM_POLICY_HELP)]
pub struct RamPolicyArgs {
    /// Manifests whose bindings and classes say what is used, and in which account and region: files,
    /// directories, or `-` for standard input. Without them, everything, anywhere.
    #[arg(short = 'f', long = "filename", value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,

    /// The features to grant, instead of those that the manifests use.
    #[arg(long, value_name = "FEATURE", value_delimiter = ',', value_parser = feature())]
    pub features: Vec<Feature>,

    /// Only what reads: enough for `plan`, not for `run`.
    #[arg(long)]
    pub read_only: bool,

    /// How to print the permissions.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: RamPolicyFormat,
}

const RAM_POLICY_HELP: &str = "\
A class without bindings in the files gets all that its bindings may come to use. What is no longer used
has to be removed with the permissions of old: take them away afterwards.";

/// How `ram-policy` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RamPolicyFormat {
    /// The policy document, as RAM takes it.
    #[default]
    Json,
    /// A table in Markdown: each permission, what needs it, and how well it is known.
    Table,
}

fn feature() -> impl TypedValueParser<Value = Feature> {
    PossibleValuesParser::new(Feature::ALL.map(Feature::name)).try_map(|name| {
        let known = Feature::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or("there is no such feature")
    })
}

/// `500ms`, `15s`, `10m`, `1h 30m`; above zero.
fn duration(text: &str) -> Result<Duration, String> {
    let hint = "write a number with its unit, e.g. 500ms, 15s, 10m or 1h";
    let parsed: SignedDuration = text.parse().map_err(|error| format!("{error}; {hint}"))?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("a duration must be above zero; {hint}")),
    }
}

/// The shard becomes a part of the Lease's name and has to be a label value.
fn shard(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = text.chars().all(|c| plain(c) || c == '-');
    if text.len() <= 40 && inner && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(text.to_owned());
    }
    Err("a shard is at most 40 lower-case letters, digits and inner dashes".into())
}

fn secret_namespaces(text: &str) -> Result<SecretNamespaces, String> {
    if text == ALL {
        return Ok(SecretNamespaces::All);
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    match names.iter().find(|name| !name.chars().all(plain)) {
        None => Ok(SecretNamespaces::Only(names)),
        Some(name) => Err(format!(
            "`{name}` is not the name of a namespace; write names with commas between them, or * alone for all"
        )),
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let uri: axum::http::Uri = text
        .parse()
        .map_err(|error| format!("not a URL: {error}"))?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if scheme && uri.host().is_some_and(|host| !host.is_empty()) && bare {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err("write http:// or https:// with a host and perhaps a port, and no path".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn run(flags: &[&str]) -> Result<RunArgs, String> {
        let words = ["gatewaybinding-operator", "run"].iter().chain(flags);
        match Cli::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Run(args) => Ok(*args),
            other => Err(format!("parsed as {other:?}")),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_needs_no_flags() {
        let args = run(&[]).unwrap();
        assert_eq!(args.shard, "");
        assert_eq!(args.metrics_listen.port(), 8080);
        assert_eq!(args.drift_interval, Duration::from_secs(600));
        assert_eq!(args.lease.lease_duration, Duration::from_secs(15));
        assert_eq!(args.cloud_endpoint, None);
        assert_eq!(args.secret_namespaces, SecretNamespaces::All);
    }

    #[test]
    fn values_are_read_in_the_forms_people_write() {
        let flags = [
            "--drift-interval",
            "1h 30m",
            "--cloud-endpoint",
            "http://127.0.0.1:9/",
            "--shard",
            "eu-1",
            "--secret-namespaces",
            "shop, default",
        ];
        let args = run(&flags).unwrap();
        assert_eq!(args.drift_interval, Duration::from_secs(5400));
        assert_eq!(args.cloud_endpoint.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(args.shard, "eu-1");
        let names = ["default", "shop"].map(str::to_owned);
        let only = SecretNamespaces::Only(names.into());
        assert_eq!(args.secret_namespaces, only);
        let none = SecretNamespaces::Only(BTreeSet::new());
        assert_eq!(
            run(&["--secret-namespaces="]).unwrap().secret_namespaces,
            none
        );
    }

    #[test]
    fn bad_values_are_refused_with_the_flag_and_the_rule() {
        for (flag, value, rule) in [
            ("--drift-interval", "10", "unit"),
            ("--drift-interval", "0s", "above zero"),
            ("--drift-interval", "-5s", "above zero"),
            ("--lease-duration", "soon", "unit"),
            ("--shard", "EU", "lower-case"),
            ("--shard", "-a", "inner dashes"),
            ("--secret-namespaces", "default,*", "* alone"),
            ("--cloud-endpoint", "127.0.0.1:9", "http"),
            ("--cloud-endpoint", "ftp://host", "http://"),
            ("--cloud-endpoint", "http://host/path", "no path"),
            ("--concurrency", "0", "concurrency"),
            ("--metrics-listen", "8080", "address"),
        ] {
            let error = run(&[&format!("{flag}={value}")]).unwrap_err();
            assert!(error.contains(flag), "{flag} {value}: {error}");
            assert!(error.contains(rule), "{flag} {value}: {error}");
        }
    }

    #[test]
    fn features_come_in_one_list_and_typos_are_told() {
        let parse = |features: &str| {
            let words = [
                "gatewaybinding-operator",
                "ram-policy",
                "--features",
                features,
            ];
            Cli::try_parse_from(words).map_err(|error| error.to_string())
        };
        let Command::RamPolicy(args) = parse("consumers,throttling").unwrap().command else {
            panic!("not parsed as ram-policy");
        };
        assert_eq!(args.features, [Feature::Consumers, Feature::Throttling]);
        let error = parse("consumer").unwrap_err();
        assert!(error.contains("consumers"), "{error}");
    }

    #[test]
    fn plan_takes_several_files() {
        let words = [
            "gatewaybinding-operator",
            "plan",
            "-f",
            "a.yaml",
            "-f",
            "b.yaml",
            "-o",
            "json",
        ];
        let Command::Plan(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("not parsed as plan");
        };
        assert_eq!(args.files.len(), 2);
        assert_eq!(args.output, PlanFormat::Json);
        assert!(Cli::try_parse_from(["gatewaybinding-operator", "plan"]).is_err());
    }
}
