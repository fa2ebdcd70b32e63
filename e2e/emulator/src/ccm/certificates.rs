//! Certificates of HTTPS listeners, and of single domains on them.

use serde_json::Value;

use super::annotations::Annotations;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::{SyncError, Within, all};

/// `dom1:cert1,dom2:cert2`; an empty value is none.
pub(super) fn domains(annotations: Annotations<'_>) -> Result<Vec<(String, String)>, SyncError> {
    let said = annotations.get("domain-extensions");
    let pairs = said.into_iter().flat_map(|said| said.split(','));
    pairs
        .map(|pair| {
            let pair = pair.trim();
            match pair.split(':').collect::<Vec<_>>().as_slice() {
                [domain, certificate] => Ok(((*domain).to_owned(), (*certificate).to_owned())),
                _ => Err(SyncError::said(format!("invalid domain extension {pair}"))
                    .within("parse DomainExtensions error")),
            }
        })
        .collect()
}

/// The domains of a listener that have a certificate of their own.
pub(super) async fn describe(
    cloud: &Cloud,
    balancer: &str,
    port: i64,
) -> Result<Vec<Value>, SyncError> {
    let args = of_balancer(balancer).with("ListenerPort", port);
    let answer = cloud.slb("DescribeDomainExtensions", args).await?;
    Ok(items(&answer, "DomainExtensions", "DomainExtension").to_vec())
}

/// Gives a domain its certificate.
pub(super) async fn add(
    cloud: &Cloud,
    balancer: &str,
    port: i32,
    (domain, certificate): &(String, String),
) -> Result<(), SyncError> {
    let args = of_balancer(balancer)
        .with("ListenerPort", port)
        .with("Domain", domain)
        .with("ServerCertificateId", certificate);
    cloud.slb("CreateDomainExtension", args).await.map(drop)
}

/// Adds what is missing and removes what is not wanted. Where a domain has another certificate, the
/// call that CCM makes names no extension and carries the certificate that is there already.
pub(super) async fn apply_domains(
    cloud: &Cloud,
    balancer: &str,
    port: i32,
    wanted: &[(String, String)],
    remote: &[Value],
) -> Result<(), SyncError> {
    let mut outcomes = Vec::new();
    let known = |domain: &str| remote.iter().find(|one| text(one, "Domain") == domain);
    for (domain, certificate) in wanted {
        let current = known(domain).map(|known| text(known, "ServerCertificateId"));
        if let Some(current) = current.filter(|current| current != certificate) {
            let args = Args::default().with("ServerCertificateId", current);
            let changed = cloud.slb("SetDomainExtensionAttribute", args).await;
            outcomes.push(changed.map(drop));
        }
    }
    for pair in wanted.iter().filter(|(domain, _)| known(domain).is_none()) {
        outcomes.push(add(cloud, balancer, port, pair).await);
    }
    let is_wanted = |one: &&Value| {
        wanted
            .iter()
            .any(|(domain, _)| domain == text(one, "Domain"))
    };
    for extension in remote.iter().filter(|one| !is_wanted(one)) {
        let id = text(extension, "DomainExtensionId");
        let args = Args::default().with("DomainExtensionId", id);
        outcomes.push(cloud.slb("DeleteDomainExtension", args).await.map(drop));
    }
    all(outcomes.into_iter().filter_map(Result::err).collect())
}

/// CCM looks both up, and does not take a new one that is not there or has expired.
pub(super) async fn check(cloud: &Cloud, old: &str, new: &str) -> Result<(), SyncError> {
    let old = find(cloud, old)
        .await
        .within(&format!("describe old cert {old} error"))?;
    let found = find(cloud, new)
        .await
        .within(&format!("describe new cert {new} error"))?;
    if old.is_none() {
        return Ok(());
    }
    let Some(found) = found else {
        return Err(SyncError::said(format!("can not found cert by id {new}")));
    };
    let expires = found.get("ExpireTimeStamp").and_then(Value::as_i64);
    if expires.unwrap_or_default() < jiff::Timestamp::now().as_millisecond() {
        return Err(SyncError::said(format!(
            "can not update cert {new} because it is expired"
        )));
    }
    Ok(())
}

async fn find(cloud: &Cloud, id: &str) -> Result<Option<Value>, SyncError> {
    let id_or_all = Some(id).filter(|id| !id.is_empty());
    let args = Args::default().with_some("ServerCertificateId", id_or_all);
    let answer = cloud.slb("DescribeServerCertificates", args).await?;
    match items(&answer, "ServerCertificates", "ServerCertificate") {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        _ => Err(SyncError::said(format!(
            "find more than 1 server cert by id {id}"
        ))),
    }
}
