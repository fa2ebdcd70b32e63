//! The manifest for Krew has the shape that Krew asks for, and names the program by its name.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use serde_json::Value;

const MANIFEST: &str = include_str!("../../deploy/krew/gatewaybinding.yaml");

/// The manifest as a release fills it in.
fn manifest() -> Value {
    let mut text = MANIFEST
        .replace("__VERSION__", concat!("v", env!("CARGO_PKG_VERSION")))
        .replace("__RELEASE__", "https://example.com/v0.1.0");
    for platform in ["LINUX_AMD64", "LINUX_ARM64", "DARWIN_AMD64", "DARWIN_ARM64"] {
        text = text.replace(&format!("__SHA256_{platform}__"), &"a".repeat(64));
    }
    let filled: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(!filled.contains("__"), "a placeholder is left: {text}");
    serde_saphyr::from_str(&text).unwrap()
}

/// The rules of krew.googlecontainertools.github.com/v1alpha2 (Krew's `ValidatePlugin`), and those
/// for the names of plugins and their short descriptions.
#[test]
fn the_manifest_is_one_that_krew_takes() {
    let manifest = manifest();
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap();
    assert_eq!(
        text("/apiVersion"),
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(text("/kind"), "Plugin");
    let name = text("/metadata/name");
    // Cargo names a program in such a variable, so there is one by this name.
    let program = env!("CARGO_BIN_EXE_kubectl-gatewaybinding");
    assert!(program.ends_with(&format!("/kubectl-{name}")), "{program}");
    let version = text("/spec/version").strip_prefix('v').unwrap();
    assert_eq!(version.split('.').count(), 3);
    let short = text("/spec/shortDescription");
    assert!(short.len() <= 50 && !short.ends_with('.'), "{short}");
    assert!(text("/spec/description").lines().count() > 2);

    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    let mut selected = Vec::new();
    for platform in platforms {
        let labels = &platform["selector"]["matchLabels"];
        let (os, arch) = (
            labels["os"].as_str().unwrap(),
            labels["arch"].as_str().unwrap(),
        );
        let uri = platform["uri"].as_str().unwrap();
        assert!(
            uri.starts_with("https://") && uri.ends_with(&format!("_{os}_{arch}.tar.gz")),
            "{uri}"
        );
        assert_eq!(
            platform["sha256"].as_str().map(str::len),
            Some(64),
            "{platform}"
        );
        let bin = platform["bin"].as_str().unwrap();
        let files = platform["files"].as_array().unwrap();
        assert!(
            files
                .iter()
                .any(|file| file["from"] == bin && file["to"] == "."),
            "{platform}"
        );
        assert!(
            files.iter().any(|file| file["from"] == "LICENSE"),
            "{platform}"
        );
        selected.push((os, arch));
    }
    let all = selected.len();
    selected.sort_unstable();
    selected.dedup();
    assert_eq!(selected.len(), all, "a platform stands twice");
}
