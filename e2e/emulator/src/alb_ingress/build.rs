//! The model of an AlbConfig: what there should be in the cloud.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::groups::GroupBook;
use super::model::{Model, WantedListener};
use super::names::key;
use super::ports;
use super::rules;

/// Builds the model from an AlbConfig and its Ingresses in order. `secrets` are those there are, as
/// `namespace/name`.
pub(super) fn model(
    name: &str,
    spec: &Value,
    members: &[&Ingress],
    secrets: &BTreeSet<String>,
) -> Result<Model, Failure> {
    let mut book = GroupBook::default();
    let mut listeners = Vec::new();
    let listed = spec.get("listeners").and_then(Value::as_array);
    for listed in listed.into_iter().flatten() {
        listeners.push(listener(name, listed, &mut book));
    }
    let mut by_place: BTreeMap<ports::Place, Vec<&Ingress>> = BTreeMap::new();
    for ingress in members {
        let places = ports::of(ingress).map_err(|error| error.of(&key(ingress)))?;
        for place in places {
            by_place.entry(place).or_default().push(ingress);
        }
    }
    for listener in &mut listeners {
        let place = (listener.port, listener.protocol.clone());
        let Some(ingresses) = by_place.get(&place) else {
            continue;
        };
        let (port, protocol) = (listener.port, listener.protocol.as_str());
        listener.rules = rules::of_listener(&mut book, port, protocol, ingresses)?;
        if listener.protocol != "HTTP" {
            let named = certificates(ingresses, secrets)?;
            let missing = named
                .into_iter()
                .filter(|id| !listener.certificates.contains(id));
            let missing: Vec<String> = missing.collect();
            listener.certificates.extend(missing);
        }
    }
    Ok(Model {
        groups: book.0,
        listeners,
    })
}

/// What of a request its headers may tell, all of it off if nothing is said.
const FORWARDED: [&str; 9] = [
    "",
    "ClientCertClientVerify",
    "ClientCertFingerprint",
    "ClientCertIssuerDN",
    "ClientCertSubjectDN",
    "ClientSrcPort",
    "Proto",
    "SLBId",
    "SLBPort",
];

fn listener(albconfig: &str, listed: &Value, book: &mut GroupBook) -> WantedListener {
    let text = |name: &str| listed.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str, default: i64| {
        let number = listed.get(name).and_then(Value::as_i64);
        number.filter(|number| *number != 0).unwrap_or(default)
    };
    // A port may be written as a text.
    let port = match text("port").parse() {
        Ok(port) => port,
        Err(_) => number("port", 80),
    };
    let protocol = match text("protocol") {
        "" => "HTTP",
        protocol => protocol,
    };
    let description = match text("description") {
        "" => format!("ingress-auto-listener-{port}"),
        description => description.to_owned(),
    };
    let mut settings = BTreeMap::from([
        ("ListenerDescription".to_owned(), description),
        (
            "IdleTimeout".to_owned(),
            number("idleTimeout", 15).to_string(),
        ),
        (
            "RequestTimeout".to_owned(),
            number("requestTimeout", 60).to_string(),
        ),
    ]);
    let gzip = listed.get("gzipEnabled").and_then(Value::as_bool);
    settings.insert("GzipEnabled".to_owned(), gzip.unwrap_or(true).to_string());
    let switch = |config: &str, name: &str| {
        let config = listed.get(config).and_then(|config| config.get(name));
        let on = config.and_then(Value::as_bool).unwrap_or_default();
        on.to_string()
    };
    let quic = switch("quicConfig", "quicUpgradeEnabled");
    settings.insert("QuicConfig.QuicUpgradeEnabled".to_owned(), quic);
    for name in FORWARDED {
        let name = format!("XForwardedFor{name}Enabled");
        let on = switch("xForwardedForConfig", &name);
        settings.insert(format!("XForwardedForConfig.{name}"), on);
    }
    if protocol == "HTTPS" {
        let http2 = listed.get("http2Enabled").and_then(Value::as_bool);
        // One that says no gets what it asks for, one that says yes does not.
        let http2 = http2.is_none().to_string();
        settings.insert("Http2Enabled".to_owned(), http2);
        let policy = match text("securityPolicyId") {
            "" => "tls_cipher_policy_1_0",
            policy => policy,
        };
        settings.insert("SecurityPolicyId".to_owned(), policy.to_owned());
    }
    let certificates = listed.get("certificates").and_then(Value::as_array);
    let certificates = certificates.into_iter().flatten();
    let certificates = certificates
        .filter_map(|certificate| Some(certificate.get("CertificateId")?.as_str()?.to_owned()));
    let default_group = book.default_of(albconfig, port);
    WantedListener {
        port,
        protocol: protocol.to_owned(),
        default_group,
        settings,
        certificates: certificates.collect(),
        rules: Vec::new(),
    }
}

/// The certificates of Secrets. Their contents would go to the certificate product, which is not
/// played: the id follows from the Secret's name.
fn certificates(
    ingresses: &[&Ingress],
    secrets: &BTreeSet<String>,
) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for ingress in ingresses {
        let tls = ingress
            .spec
            .iter()
            .flat_map(|spec| spec.tls.iter().flatten());
        for secret in tls.filter_map(|tls| tls.secret_name.as_deref()) {
            let namespace = ingress.namespace().unwrap_or_default();
            let name = format!("{namespace}/{secret}");
            if !secrets.contains(&name) {
                return Err(Failure::Ingress {
                    key: key(ingress),
                    message: format!("Secret \"{secret}\" not found"),
                });
            }
            let id = certificate_id(&name);
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

/// The id that a Secret's certificate has, by `NAMESPACE/NAME`.
pub fn certificate_id(secret: &str) -> String {
    let digest = hex::encode(Sha256::digest(secret));
    let digits: String = digest
        .bytes()
        .take(8)
        .map(|byte| char::from(b'0' + byte % 10))
        .collect();
    format!("{digits}-cn-hangzhou")
}
