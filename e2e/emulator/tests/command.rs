//! The command itself: addresses on stdout, TLS, and a clean end on SIGTERM.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{Client, SECRET};
use reqwest::Certificate;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alicloud-emulator"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn start(arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command(arguments).spawn().expect("the command starts");
    let stdout = child.stdout.take().expect("piped");
    (child, BufReader::new(stdout).lines())
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(PATIENCE, lines.next_line())
        .await
        .expect("an address in time");
    line.expect("readable").expect("an address before the end")
}

async fn terminate(mut child: Child) -> Option<i32> {
    let id = child.id().expect("running").to_string();
    let sent = Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .await
        .expect("kill runs");
    assert!(sent.success());
    timeout(PATIENCE, child.wait())
        .await
        .expect("it ends in time")
        .expect("a status")
        .code()
}

fn certificate(folder: &Path) -> (String, String, Certificate) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let trusted = Certificate::from_pem(made.cert.pem().as_bytes()).expect("a certificate");
    (
        cert.display().to_string(),
        key.display().to_string(),
        trusted,
    )
}

#[tokio::test]
async fn it_serves_both_ways_and_saves_its_state_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key, trusted) = certificate(folder.path());
    let state = folder.path().join("state.json").display().to_string();
    let (child, mut lines) = start(&[
        "--access-key",
        "testid:testsecret",
        "--state",
        &state,
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ]);
    let address = line(&mut lines).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted])
        .build()
        .expect("a client");
    let client = Client {
        url: format!("http://{address}"),
        key: common::KEY.to_owned(),
        secret: SECRET.to_owned(),
        token: None,
        clock_offset: jiff::SignedDuration::ZERO,
        nonce: None,
        http,
    };
    client
        .slb_ok("CreateLoadBalancer", &[("LoadBalancerName", "kept")])
        .await;
    let over_tls = Client {
        url: format!("https://{address}"),
        ..client
    };
    assert_eq!(
        over_tls.slb_ok("DescribeLoadBalancers", &[]).await["TotalCount"],
        1
    );
    assert_eq!(terminate(child).await, Some(0));
    assert!(
        std::fs::read_to_string(&state)
            .expect("saved")
            .contains("kept")
    );
}

#[tokio::test]
async fn a_key_without_a_secret_is_refused_with_what_to_do() {
    let output = command(&["--access-key", "testid"])
        .output()
        .await
        .expect("it runs");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("colon between them"), "{text}");
}

#[tokio::test]
async fn a_policy_is_read_from_its_file_or_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.json");
    let flag = format!("testid={}", file.display());
    let arguments = ["--access-key", "testid:testsecret", "--ram-policy", &flag];
    let write = |text: &str| std::fs::write(&file, text).expect("written");

    write(
        r#"{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "CreateApi", "Resource": "*"}]}"#,
    );
    let output = command(&arguments).output().await.expect("it runs");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    for word in ["policy.json", "CreateApi", "product:Action"] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }

    write(
        r#"{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "slb:Describe*", "Resource": "*"}]}"#,
    );
    let (child, mut lines) = start(&arguments);
    let client = Client {
        url: format!("http://{}", line(&mut lines).await),
        key: common::KEY.to_owned(),
        secret: SECRET.to_owned(),
        token: None,
        clock_offset: jiff::SignedDuration::ZERO,
        nonce: None,
        http: reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client"),
    };
    client.slb_ok("DescribeLoadBalancers", &[]).await;
    let refused = client.slb("CreateLoadBalancer", &[]).await;
    assert_eq!(refused.code(), "Forbidden.RAM", "{refused:?}");
    assert_eq!(terminate(child).await, Some(0));
}
