//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::reference::{Reference, Selection};

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 it failed, standard error says why; 2 with --exit-code: something was found
(status: an object that is not Ready; plan: something to be done; orphans: there are some).";

/// Where bindings, consumers and classes stand, and why.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-gatewaybinding",
    bin_name = "kubectl gatewaybinding",
    version,
    arg_required_else_help = true,
    after_help = EXIT_CODES
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which cluster, and which part of it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Connection {
    /// Namespace; without it, the one of the context
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// All namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,

    /// Context of the kubeconfig; without it, the current one
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// Kubeconfig file; without it, those of KUBECONFIG, else ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Where objects stand, in a table
    Status {
        /// NAME of a binding, KIND/NAME, a KIND (bindings, consumers, classes), or "all"; without it, bindings
        #[arg(value_name = "KIND|NAME|KIND/NAME")]
        selection: Vec<Selection>,
        #[command(flatten)]
        format: Format,
        #[command(flatten)]
        check: Check,
    },
    /// The way of a request, from the URL down to the pods, with ids of the cloud
    Tree {
        /// Name of the binding
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// What a condition or reason means, or what is wrong with an object and what to do
    #[command(after_help = "\
A WORD begins with a capital letter (Programmed, PathConflict) and is explained without a cluster.
Everything else is an object: NAME of a binding, or KIND/NAME. Without either, all words are listed.")]
    Explain {
        /// Condition, reason, or object
        #[arg(value_name = "WORD|NAME|KIND/NAME")]
        what: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// What a binding with mode Plan would do, the hash of that, and how to approve it
    Plan {
        /// Name of the binding
        name: String,
        #[command(flatten)]
        format: Format,
        #[command(flatten)]
        check: Check,
    },
    /// Have exactly one plan carried out, the one with this hash
    Approve {
        /// Name of the binding
        name: String,
        /// Hash that `plan` shows: sha256:...
        hash: String,
    },
    /// Have the operator compare objects with the cloud now
    Reconcile {
        /// NAME of a binding, or KIND/NAME
        #[arg(required = true, value_name = "NAME|KIND/NAME")]
        objects: Vec<Reference>,
    },
    /// Leave cluster and cloud as they are, until resume
    Suspend {
        /// Names of bindings
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Go on with suspended bindings
    Resume {
        /// Names of bindings
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Things that carry the mark of ownership and belong to nobody
    Orphans {
        /// Name of the class; without it, all classes
        class: Option<String>,
        #[command(flatten)]
        format: Format,
        #[command(flatten)]
        check: Check,
    },
    /// An archive for a support case: objects, events, logs of the operator, and no secret
    #[command(after_help = "\
Without -n, all namespaces are in it. Read README.txt in the archive before you hand it on: it says
what was left out, and errors.txt what could not be read.")]
    Bundle(BundleArgs),
    /// Print a script for completion
    #[command(after_help = "\
For `kubectl gatewaybinding` (kubectl 1.26 or newer), with kubectl's own completion set up:

    kubectl gatewaybinding completion kubectl > /usr/local/bin/kubectl_complete-gatewaybinding
    chmod +x /usr/local/bin/kubectl_complete-gatewaybinding

The others complete `kubectl-gatewaybinding`, with the dash.")]
    Completion {
        /// For which shell
        shell: Shell,
    },
    /// Print the version of the plugin, the server and the API
    Version {
        /// Only of the plugin; asks no cluster
        #[arg(long)]
        client: bool,
    },
    /// Completions as kubectl asks for them
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words so far; the last one is to be completed
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// Flags of `bundle`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BundleArgs {
    /// File to write, which must not exist; - for standard output. Default: gatewaybinding-bundle-TIME.tar.gz
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Namespace of the operator, for its pods, logs and Leases
    #[arg(
        long,
        value_name = "NAMESPACE",
        default_value = "gatewaybinding-system"
    )]
    pub(crate) operator_namespace: String,

    /// Read no Secret, not even the names of its entries
    #[arg(long)]
    pub(crate) skip_secrets: bool,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Format {
    /// For programs
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Machine>,
}

/// Formats for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Machine {
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// Whether finding something is a failure.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Check {
    /// End with 2 if something is found, see --help of the program
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// For whom to print a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// The program that kubectl runs for completion of its plugins
    Kubectl,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_the_connection_stand_anywhere() {
        let before = Cli::try_parse_from(["x", "-n", "shop", "status"]).unwrap();
        let after = Cli::try_parse_from(["x", "status", "-n", "shop"]).unwrap();
        assert_eq!(before.connection.namespace, after.connection.namespace);
        assert!(Cli::try_parse_from(["x", "status", "-n", "shop", "-A"]).is_err());
    }
}
