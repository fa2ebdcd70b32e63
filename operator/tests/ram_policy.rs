//! `ram-policy`: what it prints, and that `docs/ram-policy.md` shows it.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const EXAMPLE: &str = "examples/api-gateway-intranet-slb";

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewaybinding-operator"))
        .arg("ram-policy")
        .args(arguments)
        .current_dir(ROOT)
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

fn printed(arguments: &[&str], input: &str) -> (String, String) {
    let output = run(arguments, input);
    assert!(output.status.success(), "{output:?}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Actions, and the resources of all statements.
fn policy(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let policy: Value = serde_json::from_str(text).unwrap();
    assert_eq!(policy["Version"], "1");
    let all = |field: &str| -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let values = statements.flat_map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            statement[field].as_array().unwrap()
        });
        values
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    (all("Action"), all("Resource"))
}

fn example(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(EXAMPLE).join(file)).unwrap()
}

/// The text with the blocks between its markers replaced by what is printed.
fn filled(document: &str) -> String {
    let code = |text: &str| format!("```json\n{text}```\n");
    let with = |more: &[&str]| printed(&[&["-f", EXAMPLE], more].concat(), "").0;
    let blocks = [
        ("policy", code(&with(&[]))),
        ("read-only", code(&with(&["--read-only"]))),
        ("table", printed(&["-o", "table"], "").0),
    ];
    blocks
        .into_iter()
        .fold(document.to_owned(), |text, (name, block)| {
            let start = format!("<!-- generated: {name} -->\n");
            let (before, rest) = text.split_once(&start).expect("the marker is there");
            let (_, after) = rest.split_once("<!-- end -->").expect("it ends");
            format!("{before}{start}{block}<!-- end -->{after}")
        })
}

#[test]
fn the_document_shows_what_is_printed() {
    let path = Path::new(ROOT).join("docs/ram-policy.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let current = filled(&committed);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &current).unwrap();
        return;
    }
    assert!(
        committed == current,
        "docs/ram-policy.md is not current. Run UPDATE_GENERATED=1 cargo test -p gatewaybinding-operator --test ram_policy."
    );
}

#[test]
fn only_what_the_bindings_use_is_granted_and_only_in_their_place() {
    let binding = "\n---\n{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {name: a}, \
        spec: {serviceRef: {kind: KnativeService, name: a}API}}\n";
    let granted = |api: &str| {
        let input = example("class.yaml") + &binding.replace("API", api);
        policy(&printed(&["-f", "-"], &input).0)
    };
    let (actions, resources) = granted("");
    let expected = ["", "Attribute", "Listeners"].map(|what| match what {
        "" => "slb:DescribeLoadBalancers".to_owned(),
        what => format!("slb:DescribeLoadBalancer{what}"),
    });
    assert_eq!(actions, BTreeSet::from(expected));
    let expected = ["acs:slb:cn-beijing:1234567890123456:loadbalancer/*".to_owned()];
    assert_eq!(resources, BTreeSet::from(expected));
    let (open, _) = granted(", apiGateway: {auth: {anonymous: {}}}");
    assert!(open.contains("apigateway:CreateApi"), "{open:?}");
    for other in ["apigateway:CreateApp", "apigateway:CreatePlugin"] {
        assert!(!open.contains(other), "{other}");
    }
    let all = policy(&printed(&["-f", EXAMPLE], "").0).0;
    assert!(all.is_superset(&open));
    // A class alone may come to be used in every way.
    assert_eq!(
        policy(&printed(&["-f", "-"], &example("class.yaml")).0).0,
        all
    );
}

#[test]
fn an_alb_needs_a_look_at_vswitches_unless_all_zones_are_said() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/alb-gray-release");
    let (text, notes) = printed(&["-f", example], "");
    let vswitches = "acs:vpc:cn-beijing:1234567890123456:vswitch/*";
    let expected = ["vpc:DescribeVSwitches"].map(str::to_owned);
    assert_eq!(
        policy(&text),
        (expected.into(), [vswitches.to_owned()].into())
    );
    assert!(!notes.contains("refused"), "{notes}");
    let class = std::fs::read_to_string(format!("{example}/class.yaml")).unwrap();
    let mut said = class;
    for (id, zone) in [
        ("vsw-2zeqgkyib34gw1fxxx", "f"),
        ("vsw-2zefv5qwao4prxxx", "g"),
    ] {
        let with_zone = format!("{id}\n          zoneId: cn-beijing-{zone}");
        said = said.replace(id, &with_zone);
    }
    let output = run(&["-f", "-"], &said);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_binding_without_its_class_is_granted_anywhere_and_told_so() {
    let (text, notes) = printed(&["-f", "-"], &example("binding.yaml"));
    let (actions, resources) = policy(&text);
    assert!(actions.contains("apigateway:CreateApp"), "{actions:?}");
    assert!(
        resources.contains("acs:apigateway:*:*:app/*"),
        "{resources:?}"
    );
    assert!(
        notes.contains("GatewayBinding default/helloworld"),
        "{notes}"
    );
}

#[test]
fn what_needs_nothing_or_cannot_be_read_gets_no_policy() {
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: a}}";
    for (input, word) in [(namespace, "needs a permission"), ("a: [", "have errors")] {
        let output = run(&["-f", "-"], input);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(word), "{said}");
    }
}
