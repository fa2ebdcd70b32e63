//! Completion: scripts for shells, and the answers that kubectl asks plugins for.
//!
//! kubectl runs `kubectl_complete-gatewaybinding` with the words so far and reads candidates, one a
//! line with a description behind a tab, and a last line `:N` with what the shell may do besides.

use std::time::Duration;

use clap::{Command, CommandFactory};
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};

use super::print;
use crate::args::{Cli, Connection, Shell};
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::knowledge;
use crate::reference::Kind;

const PROGRAM: &str = "kubectl-gatewaybinding";
const FOR_KUBECTL: &str = include_str!("../../completion/kubectl_complete-gatewaybinding");

/// How long somebody who pressed Tab waits for the cluster.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn script(shell: Shell) -> Result<(), PluginError> {
    let mut command = Cli::command().name(PROGRAM).bin_name(PROGRAM);
    let mut out = Vec::new();
    match shell {
        Shell::Bash => generate(Bash, &mut command, PROGRAM, &mut out),
        Shell::Zsh => generate(Zsh, &mut command, PROGRAM, &mut out),
        Shell::Fish => generate(Fish, &mut command, PROGRAM, &mut out),
        Shell::Kubectl => out.extend_from_slice(FOR_KUBECTL.as_bytes()),
    }
    print(&String::from_utf8_lossy(&out))
}

/// What the shell may do besides, in the numbers of cobra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Besides {
    /// Offer files.
    Files = 0,
    /// Nothing.
    Nothing = 4,
}

/// What is to be offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Known without a cluster, with descriptions.
    fixed: Vec<(String, String)>,
    /// Names of objects of this kind.
    names: Option<Kind>,
    files: bool,
}

pub(super) async fn complete(connection: &Connection, words: &[String]) -> Result<(), PluginError> {
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", &[][..]),
    };
    let asked = asked(before, last);
    let mut candidates = asked.fixed;
    if let Some(kind) = asked.names {
        // Whoever presses Tab is told nothing about a cluster that does not answer.
        let connection = with_flags(connection, before);
        let names = tokio::time::timeout(PATIENCE, names(&connection, kind)).await;
        candidates.extend(
            names
                .unwrap_or_default()
                .into_iter()
                .map(|name| (name, String::new())),
        );
    }
    candidates.retain(|(word, _)| word.starts_with(last));
    let besides = if asked.files {
        Besides::Files
    } else {
        Besides::Nothing
    };
    let mut out = String::new();
    for (word, about) in candidates {
        out.push_str(&word);
        if !about.is_empty() {
            out.push('\t');
            out.push_str(&about);
        }
        out.push('\n');
    }
    print(&format!("{out}:{}\n", besides as u8))
}

async fn names(connection: &Connection, kind: Kind) -> Vec<String> {
    let Ok(cluster) = Cluster::connect(connection).await else {
        return Vec::new();
    };
    let objects = cluster.list(kind, cluster.scope()).await;
    let objects = objects.unwrap_or_default();
    objects
        .iter()
        .map(|object| object.name().to_owned())
        .collect()
}

/// What fits behind these words.
fn asked(before: &[String], last: &str) -> Asked {
    let program = Cli::command();
    let (command, value_of) = position(&program, before);
    if let Some(flag) = value_of {
        let files = matches!(flag.as_str(), "kubeconfig" | "file");
        let fixed = if flag == "output" {
            vec![plain("json"), plain("yaml")]
        } else {
            Vec::new()
        };
        return Asked {
            fixed,
            files,
            ..Asked::default()
        };
    }
    if last.starts_with('-') {
        let flags = command.into_iter().chain([&program]).flat_map(flags);
        return Asked {
            fixed: flags.collect(),
            ..Asked::default()
        };
    }
    let Some(command) = command else {
        let commands = program
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let fixed = commands.map(|command| (command.get_name().to_owned(), about(command)));
        return Asked {
            fixed: fixed.collect(),
            ..Asked::default()
        };
    };
    let fixed = match command.get_name() {
        "explain" => knowledge::all()
            .into_iter()
            .map(|entry| (entry.word, entry.meaning))
            .collect(),
        "completion" => ["bash", "zsh", "fish", "kubectl"].map(plain).to_vec(),
        "status" => ["all", "bindings", "consumers", "classes"]
            .map(plain)
            .to_vec(),
        _ => Vec::new(),
    };
    let names = match command.get_name() {
        "orphans" => Some(Kind::Class),
        "completion" | "version" | "bundle" => None,
        _ => Some(Kind::Binding),
    };
    Asked {
        fixed,
        names,
        files: false,
    }
}

fn plain(word: &str) -> (String, String) {
    (word.to_owned(), String::new())
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn flags(command: &Command) -> impl Iterator<Item = (String, String)> {
    let flags = command.get_arguments().filter_map(|argument| {
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        Some((format!("--{}", argument.get_long()?), help))
    });
    flags.collect::<Vec<_>>().into_iter()
}

/// The command that these words name, and the flag whose value comes next.
fn position<'a>(program: &'a Command, words: &[String]) -> (Option<&'a Command>, Option<String>) {
    let mut command: Option<&Command> = None;
    let mut value_of = None;
    for word in words {
        if value_of.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            value_of = flag_with_value(program, command, word);
        } else if command.is_none() {
            command = program.find_subcommand(word);
        }
    }
    (command, value_of)
}

/// The long name of a flag that takes a value, if this word is one and brings none itself.
fn flag_with_value(program: &Command, command: Option<&Command>, word: &str) -> Option<String> {
    let mut arguments = [Some(program), command]
        .into_iter()
        .flatten()
        .flat_map(Command::get_arguments);
    let flag = arguments.find(|argument| {
        let long = argument
            .get_long()
            .is_some_and(|long| word == format!("--{long}"));
        long || argument
            .get_short()
            .is_some_and(|short| word == format!("-{short}"))
    })?;
    let takes = flag.get_action().takes_values();
    takes.then(|| flag.get_long().unwrap_or_default().to_owned())
}

/// The flags of the connection among words that are no whole command line.
fn with_flags(connection: &Connection, words: &[String]) -> Connection {
    let value = |short: &str, long: &str| {
        let joined = words
            .iter()
            .find_map(|word| word.strip_prefix(&format!("--{long}=")));
        let apart = words
            .iter()
            .zip(words.iter().skip(1))
            .find_map(|(flag, value)| {
                (flag == short || *flag == format!("--{long}")).then_some(value.as_str())
            });
        joined.or(apart).map(str::to_owned)
    };
    let all = |word: &String| word == "-A" || word == "--all-namespaces";
    Connection {
        namespace: value("-n", "namespace").or_else(|| connection.namespace.clone()),
        all_namespaces: connection.all_namespaces || words.iter().any(all),
        context: value("", "context").or_else(|| connection.context.clone()),
        kubeconfig: value("", "kubeconfig")
            .map(Into::into)
            .or_else(|| connection.kubeconfig.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(words: &str, last: &str) -> Asked {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        asked(&words, last)
    }

    fn words(asked: &Asked) -> Vec<&str> {
        asked.fixed.iter().map(|(word, _)| word.as_str()).collect()
    }

    #[test]
    fn what_fits_depends_on_what_is_there() {
        let first = fits("-n shop", "");
        assert!(words(&first).contains(&"tree") && !words(&first).contains(&"__complete"));
        assert_eq!(fits("tree", "").names, Some(Kind::Binding));
        assert_eq!(fits("orphans --context x", "").names, Some(Kind::Class));
        assert!(words(&fits("explain", "P")).contains(&"PathConflict"));
        assert_eq!(words(&fits("status -o", "")), ["json", "yaml"]);
        assert!(words(&fits("status", "--")).contains(&"--exit-code"));
        assert!(words(&fits("status", "--")).contains(&"--namespace"));
        assert!(fits("status --kubeconfig", "").files);
        assert_eq!(fits("status -n", ""), Asked::default());
    }

    #[test]
    fn the_cluster_is_the_one_of_the_words() {
        let all = ["tree", "-n", "shop", "--context=prod"].map(str::to_owned);
        let connection = with_flags(&Connection::default(), &all);
        assert_eq!(connection.namespace.as_deref(), Some("shop"));
        assert_eq!(connection.context.as_deref(), Some("prod"));
        assert_eq!(connection.kubeconfig, None);
    }
}
