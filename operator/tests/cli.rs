//! The command line, as its users meet it: what it prints and how it exits.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the operator in the folder of the fixtures, so that messages name files without a path of
/// this machine.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewaybinding-operator"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plan"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the operator starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // One that reads nothing has closed it already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the operator ends")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// All that a user sees.
fn seen(output: &Output) -> String {
    format!(
        "{}\n--- standard error\n{}\n--- exit code {}\n",
        stdout(output),
        stderr(output),
        code(output)
    )
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("the output is JSON")
}

#[test]
fn the_first_scenario_reads_as_a_reviewer_wants_it() {
    let output = run(&["plan", "-f", "helloworld"], "");
    insta::assert_snapshot!("helloworld", seen(&output));
}

#[test]
fn the_first_scenario_as_json() {
    let output = run(&["plan", "-f", "helloworld", "-o", "json"], "");
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!("helloworld-json", stdout(&output));
}

#[test]
fn without_the_things_around_it_a_binding_is_planned_all_the_same() {
    let class = std::fs::read_to_string("tests/plan/helloworld/class.yaml").unwrap();
    let binding = std::fs::read_to_string("tests/plan/helloworld/helloworld.yaml").unwrap();
    let class = class.split("---\n").next().unwrap();
    let binding = binding.split("---\n").nth(1).unwrap();
    let output = run(&["plan", "-f", "-"], &format!("{class}---\n{binding}"));
    insta::assert_snapshot!("helloworld-alone", seen(&output));
}

#[test]
fn what_was_made_in_the_console_is_taken_to_be_as_the_manifests_say() {
    let output = run(&["plan", "-f", "adopting"], "");
    insta::assert_snapshot!("adopting", seen(&output));
    let output = run(&["plan", "-f", "adopting", "-o", "json"], "");
    let adopted = &json(&output)["items"][0]["adopted"];
    assert_eq!(
        adopted[0]["object"], "classic/Group/id:0009db9c",
        "{adopted}"
    );
    assert_eq!(adopted.as_array().unwrap().len(), 4, "{adopted}");
}

#[test]
fn what_is_shared_is_created_once() {
    let files = ["plan", "-f", "helloworld/class.yaml", "-f", "sharing"];
    insta::assert_snapshot!("sharing", seen(&run(&files, "")));

    let output = run(&[&files[..], &["-o", "json"]].concat(), "");
    let plans = json(&output);
    let mut created: Vec<&str> = plans["items"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|plan| plan["steps"].as_array().unwrap())
        .inspect(|step| assert_eq!(step["action"], "Create", "{step}"))
        .map(|step| step["object"].as_str().unwrap())
        .collect();
    let all = created.len();
    created.sort_unstable();
    created.dedup();
    assert_eq!(created.len(), all, "something is created twice");
    for shared in ["Group", "Backend", "Policy", "Service"] {
        let of_kind = created
            .iter()
            .filter(|object| object.split('/').nth(1) == Some(shared));
        assert_eq!(of_kind.count(), 1, "{shared}: {created:#?}");
    }
}

#[test]
fn what_a_suspended_binding_would_share_the_next_one_creates() {
    let class = std::fs::read_to_string("tests/plan/helloworld/class.yaml").unwrap();
    let bindings = std::fs::read_to_string("tests/plan/sharing/bindings.yaml").unwrap();
    let first = "serviceRef: {kind: KnativeService, name: cart}";
    let bindings = bindings.replace(first, &format!("{first}\n    mode: Suspend"));
    let output = run(
        &["plan", "-f", "-", "-o", "json"],
        &format!("{class}---\n{bindings}"),
    );
    let plans = json(&output);
    let mut groups = plans["items"].as_array().unwrap().iter().map(|plan| {
        let steps = plan["steps"].as_array().unwrap();
        steps.iter().any(|step| step["kind"] == "Group")
    });
    assert_eq!(plans["items"][0]["mode"], "Suspend");
    assert_eq!(
        [groups.next(), groups.next(), groups.next()],
        [Some(true), Some(true), Some(false)]
    );
}

#[test]
fn what_the_files_show_is_taken_to_be_there() {
    let output = run(&["plan", "-f", "existing.yaml"], "");
    insta::assert_snapshot!("existing", seen(&output));
    let output = run(&["plan", "-f", "existing.yaml", "-o", "json"], "");
    let step = &json(&output)["items"][0]["steps"][0];
    assert_eq!(step["action"], "Update", "{step}");
    let name = &step["fields"][1];
    assert_eq!(name["from"], "by-hand", "{step}");
    assert_eq!(name["to"], "edge", "{step}");
}

#[test]
fn refused_bindings_leave_their_neighbours_alone() {
    let output = run(&["plan", "-f", "helloworld", "rejected.yaml"], "");
    assert_eq!(code(&output), 3);
    insta::assert_snapshot!("rejected", stdout(&output));
    let alone = stdout(&run(&["plan", "-f", "helloworld"], ""));
    let (plan, _) = alone.split_once("\n1 binding:").unwrap();
    assert!(stdout(&output).contains(plan));
}

#[test]
fn bad_manifests_are_told_field_by_field() {
    let mut told = String::new();
    let mut files: Vec<_> = std::fs::read_dir("tests/plan/bad")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    for file in files {
        let file = format!("bad/{file}");
        let output = run(&["plan", "-f", &file], "");
        assert_ne!(code(&output), 0, "{file}");
        told.push_str(&format!("$ plan -f {file}\n{}\n", seen(&output)));
    }
    assert!(!told.contains("hunter2"), "a secret is shown");
    insta::assert_snapshot!("bad", told);
}

#[test]
fn standard_input_json_and_files_may_be_mixed() {
    let class = std::fs::read_to_string("tests/plan/helloworld/class.yaml").unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&class).unwrap();
    let input: String = documents
        .iter()
        .map(|document| serde_json::to_string_pretty(document).unwrap() + "\n")
        .collect();
    let mixed = ["plan", "-f", "-", "-f", "helloworld/helloworld.yaml"];
    let output = run(&mixed, &input);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        stdout(&run(&["plan", "-f", "helloworld"], ""))
    );
    let twice = run(&["plan", "-f", "-", "-f", "-"], &input);
    assert_eq!(code(&twice), 1);
    assert!(stderr(&twice).contains("only once"), "{}", stderr(&twice));
}

#[test]
fn a_directory_without_manifests_is_an_error() {
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("readme.md"), "nothing").unwrap();
    let output = run(&["plan", "-f", empty.path().to_str().unwrap()], "");
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains(".yaml"), "{}", stderr(&output));
}

/// Whoever reads only the beginning is no error.
#[test]
fn a_reader_may_stop_early() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewaybinding-operator"))
        .args(["plan", "-f", "tests/plan/helloworld", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn bad_usage_exits_with_1() {
    for (arguments, mentions) in [
        (&["plan"][..], "--filename"),
        (&["plan", "-f", "nowhere.yaml"], "nowhere.yaml"),
        (&["plan", "-f", "helloworld", "-o", "xml"], "--output"),
        (
            &["plan", "-f", "helloworld", "--kubeconfig", "k"],
            "--kubeconfig",
        ),
    ] {
        let output = run(arguments, "");
        assert_eq!(code(&output), 1, "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        let error = stderr(&output);
        assert!(error.contains(mentions), "{arguments:?}: {error}");
    }
}

/// As with `kubectl diff` and `terraform plan`, on request only: a pipeline that prints plans must
/// not fail because there are some.
#[test]
fn changes_are_told_by_the_exit_code_on_request() {
    let detailed = |files: &[&str]| {
        let arguments = [&["plan", "--detailed-exitcode", "-f"], files].concat();
        code(&run(&arguments, ""))
    };
    assert_eq!(detailed(&["helloworld"]), 2);
    assert_eq!(detailed(&["helloworld", "rejected.yaml"]), 3);
    assert_eq!(detailed(&["nowhere.yaml"]), 1);
}

#[test]
fn help_tells_the_exit_codes() {
    let help = stdout(&run(&["plan", "--help"], ""));
    for line in ["Exit codes", "  0  ", "  1  ", "  2  ", "  3  "] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn an_alb_is_planned_as_what_is_written_in_the_cluster() {
    let files = [
        "plan",
        "-f",
        "../../../examples/alb-gray-release/class.yaml",
        "-f",
        "../../../examples/alb-gray-release/binding.yaml",
        "--detailed-exitcode",
    ];
    let output = run(&[&files[..], &["-o", "json"]].concat(), "");
    assert_eq!(code(&output), 2, "{}", seen(&output));
    let plans = json(&output);
    assert_eq!(plans["summary"]["update"], 2);
    let steps = &plans["items"][0]["steps"];
    assert_eq!(steps[0]["kind"], "KnativeService");
    let class = &steps[0]["fields"][0];
    assert_eq!(
        (&class["from"], &class["to"]),
        (&Value::Null, &"alb.ingress.networking.knative.dev".into())
    );
    assert_eq!(steps[1]["kind"], "KnativeIngress");
    assert_eq!(steps[1]["fields"].as_array().unwrap().len(), 2);
    let text = stdout(&run(&files, ""));
    for words in [
        "gateway alb",
        "kubernetes/KnativeService/default/helloworld-go",
        "revision helloworld-go-00001 for header demo=test",
    ] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}
