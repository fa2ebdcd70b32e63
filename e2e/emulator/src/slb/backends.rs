//! Lists of backend servers as they come in, a JSON string, and as they go out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::{ApiError, Request};
use crate::slb::Backend;

/// The servers in a JSON list parameter; member names in any case, numbers as numbers or strings.
pub(super) fn parse(request: &Request, name: &str) -> Result<Vec<Backend>, ApiError> {
    let Some(text) = request.params.filled(name) else {
        return Ok(Vec::new());
    };
    let items: Vec<Map<String, Value>> =
        serde_json::from_str(text).map_err(|_| request.params.invalid(name))?;
    items
        .into_iter()
        .map(|item| backend(request, name, item))
        .collect()
}

fn backend(request: &Request, name: &str, item: Map<String, Value>) -> Result<Backend, ApiError> {
    let members: BTreeMap<String, String> = item
        .into_iter()
        .filter_map(|(key, value)| {
            let text = match value {
                Value::String(text) => text,
                Value::Null => return None,
                other => other.to_string(),
            };
            Some((key.to_ascii_lowercase(), text))
        })
        .collect();
    let member = |key: &str| {
        members
            .get(key)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let kind = member("type").unwrap_or("ecs");
    let server_id = member("serverid").ok_or_else(|| request.params.invalid(name))?;
    let id_fits = match kind {
        "ecs" => server_id.starts_with("i-"),
        "eni" => server_id.starts_with("eni-"),
        _ => return Err(refused("Type")),
    };
    if !id_fits {
        return Err(ApiError::bad_request(
            "InvalidServerId.NotExist",
            format!("The specified ServerId {server_id} does not exist."),
        ));
    }
    let server_ip = member("serverip").unwrap_or_default();
    if kind == "eni" && server_ip.parse::<std::net::IpAddr>().is_err() {
        return Err(refused("ServerIp"));
    }
    let port = member("port")
        .and_then(|text| text.parse::<u16>().ok())
        .filter(|port| *port > 0);
    let weight = member("weight")
        .map_or(Some(100), |text| text.parse().ok())
        .filter(|weight| *weight <= 100);
    Ok(Backend {
        server_id: server_id.to_owned(),
        server_ip: server_ip.to_owned(),
        port: port.ok_or_else(|| {
            ApiError::bad_request(
                "InvalidParameter",
                "The specified Port must be between 1 and 65535.",
            )
        })?,
        weight: weight.ok_or_else(|| refused("Weight"))?,
        kind: kind.to_owned(),
        description: member("description").unwrap_or_default().to_owned(),
    })
}

fn refused(member: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidParameter",
        format!("The specified {member} of BackendServers is not valid."),
    )
}

/// Whether two entries are the same server and port.
pub(super) fn same_place(one: &Backend, other: &Backend) -> bool {
    one.server_id == other.server_id && one.server_ip == other.server_ip && one.port == other.port
}

pub(super) fn view(backends: &[Backend]) -> Value {
    let items: Vec<Value> = backends
        .iter()
        .map(|backend| {
            json!({
                "ServerId": backend.server_id,
                "ServerIp": backend.server_ip,
                "Port": backend.port,
                "Weight": backend.weight,
                "Type": backend.kind,
                "Description": backend.description,
            })
        })
        .collect();
    json!({"BackendServer": items})
}
