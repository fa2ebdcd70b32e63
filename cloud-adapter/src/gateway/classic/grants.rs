//! Grants are authorizations of apps for APIs in a stage.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Listed, PARALLEL, environment, gone_is_fine, pages, stage};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::{CloudError, ErrorClass};
use crate::gateway::model::{ApiId, ConsumerId, Grant, GrantKey, GroupId};
use crate::operations::*;

const PAGE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Authorized {
    api_id: String,
    stage_name: String,
    /// The product's own spelling.
    auth_vaild_time: String,
    /// `PROVIDER` or `CONSUMER`: who authorized, and so who may revoke. (`AuthorizationSource`
    /// only says console or API.)
    operator: String,
}

/// One list for each consumer: there are fewer of them than APIs.
pub(super) async fn list(
    client: &Client,
    consumers: &[ConsumerId],
) -> Result<Listed<Grant>, CloudError> {
    let lists: Vec<Listed<Grant>> = futures::stream::iter(consumers.to_vec())
        .map(|consumer| of_consumer(client, consumer))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let mut all = Listed {
        items: Vec::new(),
        unreadable: BTreeMap::new(),
    };
    for list in lists {
        all.items.extend(list.items);
        all.unreadable.extend(list.unreadable);
    }
    Ok(all)
}

async fn of_consumer(client: &Client, consumer: ConsumerId) -> Result<Listed<Grant>, CloudError> {
    let call = RpcCall::new(DESCRIBE_AUTHORIZED_APIS).query("AppId", &consumer);
    let items = ("AuthorizedApis", "AuthorizedApi");
    let mut grants = Listed {
        items: Vec::new(),
        unreadable: BTreeMap::new(),
    };
    let found: Listed<Authorized> =
        match pages::all(client, call, PAGE, items, &["ApiId", "StageName"]).await {
            Ok(found) => found,
            // The consumer went away with all its grants.
            Err(error) if error.class == ErrorClass::NotFound => return Ok(grants),
            Err(error) => return Err(error),
        };
    for item in found.items {
        let listed = format!("{}/{}", item.api_id, item.stage_name);
        let Some((grant, problem)) = read(item, &consumer) else {
            continue;
        };
        if let Some(problem) = problem.or_else(|| found.unreadable.get(&listed).cloned()) {
            grants.unreadable.insert(grant.key.id(), problem);
        }
        grants.items.push(grant);
    }
    Ok(grants)
}

/// None in a stage that is not one of ours; else it, and what of it cannot be read.
fn read(item: Authorized, consumer: &ConsumerId) -> Option<(Grant, Option<String>)> {
    let environment = environment(&item.stage_name)?;
    let text = item.auth_vaild_time.trim();
    let until = end(text);
    let problem = (until.is_none() && !text.is_empty())
        .then(|| format!("AuthVaildTime: {text:?} is not a date"));
    let grant = Grant {
        key: GrantKey {
            api: ApiId(item.api_id),
            environment,
            consumer: consumer.clone(),
        },
        until,
        revocable: !item.operator.eq_ignore_ascii_case("CONSUMER"),
    };
    Some((grant, problem))
}

/// The documentation shows `2018-10-05T16:00:00Z` in answers, the same without a zone for other
/// times, and an HTTP date in one request; all of them are GMT.
fn end(text: &str) -> Option<Timestamp> {
    let zoneless = || {
        let time: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(time).ok()
    };
    let http = || {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        parser.parse_timestamp(text).ok()
    };
    text.parse().ok().or_else(zoneless).or_else(http)
}

/// `SetAppsAuthorities` sets: the same again changes nothing, another end moves it, none removes
/// the end.
pub(super) async fn grant(
    client: &Client,
    group: &GroupId,
    grant: &Grant,
) -> Result<(), CloudError> {
    let until = grant
        .until
        .map(|end| end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let call =
        on(RpcCall::new(SET_APPS_AUTHORITIES), group, &grant.key).query_opt("AuthValidTime", until);
    client.call(call).await.map(drop)
}

pub(super) async fn revoke(
    client: &Client,
    group: &GroupId,
    key: &GrantKey,
) -> Result<(), CloudError> {
    gone_is_fine(
        client
            .call(on(RpcCall::new(REMOVE_APPS_AUTHORITIES), group, key))
            .await,
    )
}

fn on(call: RpcCall, group: &GroupId, key: &GrantKey) -> RpcCall {
    call.query("GroupId", group)
        .query("ApiId", &key.api)
        .query("StageName", stage(key.environment))
        .query("AppIds", &key.consumer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_in_every_form_that_is_documented() {
        let expected: Timestamp = "2018-10-05T16:00:00Z".parse().unwrap();
        for text in [
            "2018-10-05T16:00:00Z",
            "2018-10-05T16:00:00",
            "2018-10-05 16:00:00",
            "Fri, 05 Oct 2018 16:00:00 GMT",
        ] {
            assert_eq!(end(text), Some(expected), "{text}");
        }
        assert_eq!(end("soon"), None);
    }

    #[test]
    fn who_authorized_decides_who_may_revoke() {
        let item = |operator: &str, stage: &str| Authorized {
            stage_name: stage.to_owned(),
            operator: operator.to_owned(),
            ..Authorized::default()
        };
        let consumer = ConsumerId::from("1");
        let grant = |operator, stage| read(item(operator, stage), &consumer);
        assert!(grant("PROVIDER", "RELEASE").unwrap().0.revocable);
        assert!(!grant("CONSUMER", "RELEASE").unwrap().0.revocable);
        assert_eq!(grant("PROVIDER", "CUSTOM"), None);
        let odd = Authorized {
            auth_vaild_time: "soon".to_owned(),
            ..item("PROVIDER", "RELEASE")
        };
        let (_, problem) = read(odd, &consumer).unwrap();
        assert!(problem.unwrap().contains("soon"));
    }
}
