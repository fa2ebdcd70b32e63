//! Certificates of HTTPS listeners, and of single domains on them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::annotations::Annotations;
use super::cloud::{Args, Cloud, items, of_balancer, text};
use super::error::SyncError;
use super::model::WantedListener;

/// `dom1:cert1,dom2:cert2`; an empty value counts as none, so nothing can be cleared.
pub(super) fn domains(
    annotations: Annotations<'_>,
) -> Result<Option<BTreeMap<String, String>>, SyncError> {
    let Some(said) = annotations.get("domain-extensions") else {
        return Ok(None);
    };
    let pair = |pair: &str| {
        let (domain, certificate) = pair.split_once(':').ok_or_else(|| {
            SyncError::Model(format!(
                "domain extension format error: {pair}, expect domain:cert-id"
            ))
        })?;
        Ok((domain.to_owned(), certificate.to_owned()))
    };
    said.split(',')
        .map(pair)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Adds what is missing and removes what is not wanted. Where a domain has another certificate, the
/// call that CCM makes names no extension and carries the certificate that is there already.
pub(super) async fn apply_domains(
    cloud: &Cloud,
    balancer: &str,
    port: i32,
    wanted: &BTreeMap<String, String>,
) -> Result<(), SyncError> {
    let here = || of_balancer(balancer).with("ListenerPort", port);
    let answer = cloud.slb("DescribeDomainExtensions", here()).await?;
    let remote = items(&answer, "DomainExtensions", "DomainExtension");
    for extension in remote {
        if !wanted.contains_key(text(extension, "Domain")) {
            let id = text(extension, "DomainExtensionId");
            let args = Args::default().with("DomainExtensionId", id);
            cloud.slb("DeleteDomainExtension", args).await?;
        }
    }
    for (domain, certificate) in wanted {
        let known = remote.iter().find(|one| text(one, "Domain") == domain);
        let Some(known) = known else {
            let args = here()
                .with("Domain", domain)
                .with("ServerCertificateId", certificate);
            cloud.slb("CreateDomainExtension", args).await?;
            continue;
        };
        let current = text(known, "ServerCertificateId");
        if current != certificate {
            let args = Args::default().with("ServerCertificateId", current);
            cloud.slb("SetDomainExtensionAttribute", args).await?;
        }
    }
    Ok(())
}

/// The certificate that an HTTPS listener gets in place of the old one, if it is another; that may
/// be none.
pub(super) fn change<'a>(wanted: &'a WantedListener, old: &str) -> Option<Option<&'a str>> {
    if wanted.protocol != "https" {
        return None;
    }
    let new = wanted.settings.get("ServerCertificateId");
    let new = new.map(String::as_str);
    (new.unwrap_or_default() != old).then_some(new)
}

/// CCM looks both up, and does not take a new one that is not there or has expired.
pub(super) async fn check(cloud: &Cloud, old: &str, new: Option<&str>) -> Result<(), SyncError> {
    let Some(new) = new else { return Ok(()) };
    find(cloud, old).await?;
    let Some(found) = find(cloud, new).await? else {
        return Err(SyncError::Apply(format!("can not found cert by id: {new}")));
    };
    let expires = found.get("ExpireTimeStamp").and_then(Value::as_i64);
    if expires.is_some_and(|expires| expires < jiff::Timestamp::now().as_millisecond()) {
        return Err(SyncError::Apply(format!(
            "can not update cert {new} because it is expired"
        )));
    }
    Ok(())
}

async fn find(cloud: &Cloud, id: &str) -> Result<Option<Value>, SyncError> {
    let args = Args::default().with("ServerCertificateId", id);
    let answer = cloud.slb("DescribeServerCertificates", args).await?;
    let found = items(&answer, "ServerCertificates", "ServerCertificate");
    Ok(found.first().cloned())
}
