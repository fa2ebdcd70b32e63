//! What the backend gets: path, query, headers, Host.

use axum::body::Bytes;
use form_urlencoded::Serializer;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::admit::Admitted;
use super::backend::Target;
use super::failure::Failure;
use super::incoming::Incoming;
use super::path;
use crate::cloudapi::RequestParameter;

/// A request towards a backend.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) path_and_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Headers that end at the gateway.
const HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE];

/// Headers that reach the backend although the request mode is `MAPPING`.
const ALWAYS: [&str; 5] = [
    "accept",
    "content-type",
    "user-agent",
    "date",
    "accept-encoding",
];

pub(super) fn outgoing(
    incoming: &Incoming,
    admitted: &Admitted,
    target: &Target,
    request_id: &str,
    now: Timestamp,
) -> Result<Outgoing, Failure> {
    let definition = admitted.definition();
    let through = definition.request.request_mode != "MAPPING";
    let mut headers = passed_headers(incoming, admitted, through);
    let mut query = if through {
        incoming.query_pairs()
    } else {
        Vec::new()
    };
    if definition.request.request_mode != "PASSTHROUGH" {
        mapped(incoming, admitted, &mut headers, &mut query)?;
    }
    for constant in &definition.constant_parameters {
        place(
            &mut headers,
            &mut query,
            &constant.location,
            &constant.service_parameter_name,
            &constant.constant_value,
        )?;
    }
    for system in &definition.system_parameters {
        let value = system_value(&system.parameter_name, incoming, admitted, request_id, now);
        place(
            &mut headers,
            &mut query,
            &system.location,
            &system.service_parameter_name,
            &value,
        )?;
    }
    let host = host(incoming, admitted, target, &headers);
    put(&mut headers, "host", &host)?;
    forwarded(incoming, &mut headers, request_id)?;
    let method = match definition.service.service_http_method.as_str() {
        "ANY" | "" => incoming.method.clone(),
        name => Method::from_bytes(name.as_bytes())
            .map_err(|_| Failure::internal("the method towards the backend"))?,
    };
    let path = path::outgoing(definition, &admitted.matched);
    let query = if through && unchanged(incoming, &query) {
        incoming.query.clone()
    } else {
        encoded(&query)
    };
    let path_and_query = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    Ok(Outgoing {
        method,
        path_and_query,
        headers,
        body: incoming.body.clone(),
    })
}

fn passed_headers(incoming: &Incoming, admitted: &Admitted, through: bool) -> HeaderMap {
    let hide_code = admitted
        .group
        .settings
        .get("FilterAppCodeForBackend")
        .is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let mut headers = HeaderMap::new();
    for (name, value) in &incoming.headers {
        let is_code = || {
            value
                .to_str()
                .is_ok_and(|text| text.to_ascii_uppercase().starts_with("APPCODE "))
        };
        let hidden = HOP_BY_HOP.contains(name)
            || (hide_code && name.as_str() == "authorization" && is_code());
        if !hidden && (through || ALWAYS.contains(&name.as_str())) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Moves each declared parameter to where the backend wants it.
fn mapped(
    incoming: &Incoming,
    admitted: &Admitted,
    headers: &mut HeaderMap,
    query: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    let definition = admitted.definition();
    for parameter in &definition.request_parameters {
        let name = &parameter.api_parameter_name;
        let Some(value) = received(incoming, admitted, parameter)? else {
            continue;
        };
        let entry = definition
            .service_parameters_map
            .iter()
            .find(|entry| entry.request_parameter_name == *name);
        let service = entry.and_then(|entry| {
            definition
                .service_parameters
                .iter()
                .find(|s| s.service_parameter_name == entry.service_parameter_name)
        });
        let Some(service) = service else { continue };
        match parameter.location.as_str() {
            "Query" => query.retain(|(known, _)| known != name),
            "Head" => drop(headers.remove(name.as_str())),
            _ => {}
        }
        place(
            headers,
            query,
            &service.location,
            &service.service_parameter_name,
            &value,
        )?;
    }
    Ok(())
}

/// The value of a declared parameter, its default if it was not sent.
fn received(
    incoming: &Incoming,
    admitted: &Admitted,
    parameter: &RequestParameter,
) -> Result<Option<String>, Failure> {
    let name = &parameter.api_parameter_name;
    let first = |pairs: Vec<(String, String)>| {
        pairs
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let sent = match parameter.location.as_str() {
        "Query" => first(incoming.query_pairs()),
        "Head" => Some(incoming.header(name).to_owned()).filter(|value| !value.is_empty()),
        "Path" => first(admitted.matched.parameters.clone()),
        _ => first(incoming.form_pairs()),
    };
    let Some(value) =
        sent.or_else(|| Some(parameter.default_value.clone()).filter(|value| !value.is_empty()))
    else {
        return match parameter.required == "REQUIRED" {
            true => Err(Failure::parameter_missing(name)),
            false => Ok(None),
        };
    };
    check_value(parameter, &value)?;
    Ok(Some(value))
}

fn check_value(parameter: &RequestParameter, value: &str) -> Result<(), Failure> {
    let refused = |reason: &str| {
        Err(Failure::parameter_invalid(
            &parameter.api_parameter_name,
            reason,
        ))
    };
    if !parameter.enum_value.is_empty()
        && !parameter
            .enum_value
            .split(',')
            .any(|known| known.trim() == value)
    {
        return refused("it is none of the allowed values");
    }
    let number = || value.parse::<i64>().ok();
    if matches!(parameter.parameter_type.as_str(), "Int" | "Long") {
        let Some(number) = number() else {
            return refused("a whole number is expected");
        };
        if parameter.min_value.is_some_and(|least| number < least)
            || parameter.max_value.is_some_and(|most| number > most)
        {
            return refused("it is out of range");
        }
    }
    let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    if parameter.min_length.is_some_and(|least| length < least)
        || parameter.max_length.is_some_and(|most| length > most)
    {
        return refused("its length is out of range");
    }
    Ok(())
}

/// Puts a value where the backend wants it; path parameters are filled in with the path.
fn place(
    headers: &mut HeaderMap,
    query: &mut Vec<(String, String)>,
    location: &str,
    name: &str,
    value: &str,
) -> Result<(), Failure> {
    match location {
        "Head" => put(headers, name, value)?,
        "Query" => {
            query.retain(|(known, _)| known != name);
            query.push((name.to_owned(), value.to_owned()));
        }
        _ => {}
    }
    Ok(())
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Failure> {
    let key = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Failure::header_invalid(name, "is no header name"))?;
    let value = HeaderValue::from_str(value)
        .map_err(|_| Failure::header_invalid(name, "has characters a header cannot carry"))?;
    headers.insert(key, value);
    Ok(())
}

/// Which Host wins, from the strongest to the weakest: the VPC authorization's, the client's if the
/// group passes it, the API's constant, the load balancer's address (document "Configure the Host
/// header").
fn host(incoming: &Incoming, admitted: &Admitted, target: &Target, headers: &HeaderMap) -> String {
    if let Some(access) = admitted
        .access()
        .filter(|access| !access.target_host.is_empty())
    {
        return access.target_host.clone();
    }
    let passes = admitted
        .group
        .passthrough_headers
        .split([',', ';'])
        .any(|name| name.trim().eq_ignore_ascii_case("host"));
    if passes {
        return incoming.host_header.clone();
    }
    let constant = headers.get(HOST).and_then(|value| value.to_str().ok());
    constant.map_or_else(|| target.authority.clone(), str::to_owned)
}

fn forwarded(
    incoming: &Incoming,
    headers: &mut HeaderMap,
    request_id: &str,
) -> Result<(), Failure> {
    let client = incoming.client.to_string();
    let chain = match incoming.header("x-forwarded-for") {
        "" => client,
        before => format!("{before}, {client}"),
    };
    put(headers, "x-forwarded-for", &chain)?;
    put(
        headers,
        "x-forwarded-proto",
        if incoming.secure { "https" } else { "http" },
    )?;
    put(headers, "x-ca-request-id", request_id)
}

fn system_value(
    name: &str,
    incoming: &Incoming,
    admitted: &Admitted,
    request_id: &str,
    now: Timestamp,
) -> String {
    let consumer = admitted.consumer.as_ref();
    match name {
        "CaClientIp" => incoming.client.to_string(),
        "CaDomain" => incoming.host.clone(),
        "CaRequestHandleTime" => now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "CaAppId" => consumer.map_or_else(String::new, |consumer| consumer.app_id.to_string()),
        "CaAppKey" => consumer.map_or_else(String::new, |consumer| consumer.key.clone()),
        "CaAppExtendInfo" => consumer.map_or_else(String::new, |consumer| consumer.extend.clone()),
        "CaRequestId" => request_id.to_owned(),
        "CaHttpSchema" => if incoming.secure { "https" } else { "http" }.to_owned(),
        "CaProxy" => "AliyunApiGateway".to_owned(),
        "CaApiName" => admitted.definition().name.clone(),
        "CaClientUa" => incoming.header("user-agent").to_owned(),
        "CaStage" => admitted.stage.as_str().to_owned(),
        "CaInstanceId" => admitted.group.instance_id.clone(),
        _ => String::new(),
    }
}

/// A query that nothing was added to keeps the bytes it came in.
fn unchanged(incoming: &Incoming, query: &[(String, String)]) -> bool {
    incoming.query_pairs() == query
}

fn encoded(query: &[(String, String)]) -> String {
    let mut text = Serializer::new(String::new());
    for (name, value) in query {
        text.append_pair(name, value);
    }
    text.finish()
}
