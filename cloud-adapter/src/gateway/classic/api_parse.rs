//! An API's definition as the cloud gives it back, compared by meaning: case of words, members
//! that the service fills in, and what belongs to documentation do not count. What is left and is
//! not what the adapter writes goes to `unmodelled`.

use std::collections::{BTreeMap, BTreeSet};

use super::api_answer::{ApiAnswer, ConstantParameter};
use super::api_render::{CONTENT_TYPE, REQUEST_MODE, SIGNATURE, VISIBILITY, method, sampled};
use crate::gateway::model::*;

/// The draft.
pub(super) fn draft(answer: &ApiAnswer) -> ApiSpec {
    spec(answer, answer.app_code_auth_type.as_deref())
}

/// What runs. It does not tell its `AppCodeAuthType` (nor some settings that the adapter never
/// writes), so that comes from the sample it carries. Where the draft was edited by other hands,
/// so that its sample no longer tells the truth, what runs is not trusted either: it shows as
/// drift until both are ours again. The sample of an API that others made says nothing of the kind:
/// what only its draft shows was deployed with it, as far as anybody can tell.
pub(super) fn deployed(answer: &ApiAnswer, draft: &ApiAnswer, ours: bool) -> ApiSpec {
    let known = answer.app_code_auth_type.as_deref();
    let of_draft = draft.app_code_auth_type.as_deref().filter(|_| !ours);
    let sampled_or_draft = sampled(&answer.result_sample).or(of_draft);
    let mut spec = spec(answer, known.or(sampled_or_draft));
    spec.name.clone_from(&draft.api_name);
    spec.description.clone_from(&draft.description);
    if known.is_none() && is_app(answer) && ours {
        let honest = sampled(&draft.result_sample) == draft.app_code_auth_type.as_deref();
        if !honest || sampled(&answer.result_sample).is_none() {
            let why = "not known: the definition was edited by other hands";
            spec.unmodelled
                .insert("AppCodeAuthType".to_owned(), why.to_owned());
        }
    }
    // Settings that only the draft shows were deployed with it, as far as anybody can tell.
    for (name, value) in hidden(draft) {
        spec.unmodelled.entry(name.to_owned()).or_insert(value);
    }
    spec
}

fn is_app(answer: &ApiAnswer) -> bool {
    answer.auth_type.eq_ignore_ascii_case("APP")
}

fn spec(answer: &ApiAnswer, app_code: Option<&str>) -> ApiSpec {
    let mut unmodelled = BTreeMap::new();
    if let Some(why) = &answer.unreadable {
        unmodelled.insert("definition".to_owned(), why.clone());
    }
    for (name, value) in odd(answer).into_iter().chain(hidden(answer)) {
        unmodelled.insert(name.to_owned(), value);
    }
    let request = &answer.request_config;
    let service = &answer.service_config;
    let (path, backend_path) = paths(&request.request_path, &service.service_path);
    let backend_path = backend_path.unwrap_or_else(|| {
        unmodelled.insert("ServicePath".to_owned(), service.service_path.clone());
        service.service_path.clone()
    });
    let auth = match auth(&answer.auth_type, app_code) {
        Ok(auth) => auth,
        Err((name, value)) => {
            unmodelled.insert(name.to_owned(), value);
            ApiAuth::Consumer {
                api_key: BTreeSet::new(),
                signature: true,
            }
        }
    };
    ApiSpec {
        name: answer.api_name.clone(),
        description: answer.description.clone(),
        method: parse_method(&request.request_http_method).unwrap_or(Method::Any),
        path,
        protocols: protocols(&request.request_protocol),
        auth,
        backend: ApiBackend {
            name: BackendName(service.vpc_config.name.clone()),
            path: backend_path,
            host: host(answer).map(|constant| constant.constant_value.clone()),
            timeout_ms: service.service_timeout,
        },
        unmodelled,
    }
}

/// Settings that differ from what the adapter writes, in members that both answers have.
fn odd(answer: &ApiAnswer) -> Vec<(&'static str, String)> {
    let request = &answer.request_config;
    let service = &answer.service_config;
    let mut odd = Vec::new();
    let mut expect = |name, value: &str, allowed: &[&str]| {
        if !allowed.iter().any(|word| word.eq_ignore_ascii_case(value)) {
            odd.push((name, value.to_owned()));
        }
    };
    expect("Visibility", &answer.visibility, &[VISIBILITY]);
    if is_app(answer) {
        expect(
            "AllowSignatureMethod",
            &answer.allow_signature_method,
            &["", SIGNATURE],
        );
    }
    expect(
        "DisableInternet",
        &answer.disable_internet.to_string(),
        &["false"],
    );
    expect(
        "ForceNonceCheck",
        &answer.force_nonce_check.to_string(),
        &["false"],
    );
    expect("RequestMode", &request.request_mode, &[REQUEST_MODE]);
    expect("BodyFormat", &request.body_format, &["", "STREAM"]);
    let known = parse_method(&request.request_http_method).map(method);
    expect(
        "RequestHttpMethod",
        &request.request_http_method,
        &[known.unwrap_or("ANY")],
    );
    expect(
        "ServiceHttpMethod",
        &service.service_http_method,
        &["", known.unwrap_or("ANY")],
    );
    expect("ServiceProtocol", &service.service_protocol, &["HTTP"]);
    expect("ServiceVpcEnable", &service.service_vpc_enable, &["TRUE"]);
    expect("Mock", &service.mock, &["", "FALSE"]);
    let other = |word: &&str| !["HTTP", "HTTPS"].contains(word);
    let protocols = words(&request.request_protocol).collect::<Vec<_>>();
    if protocols
        .iter()
        .map(String::as_str)
        .any(|word| other(&word))
    {
        odd.push(("RequestProtocol", request.request_protocol.clone()));
    }
    odd.extend(parameters(answer));
    odd
}

/// The same in members that only `DescribeApi` has.
fn hidden(answer: &ApiAnswer) -> Vec<(&'static str, String)> {
    let mut odd = Vec::new();
    let mut expect = |name, value: &str, allowed: &[&str]| {
        if !allowed.iter().any(|word| word.eq_ignore_ascii_case(value)) {
            odd.push((name, value.to_owned()));
        }
    };
    let service = &answer.service_config;
    expect(
        "WebSocketApiType",
        &answer.web_socket_api_type,
        &["", "COMMON"],
    );
    expect(
        "BackendEnable",
        &answer.backend_enable.to_string(),
        &["false"],
    );
    expect(
        "EscapePathParam",
        &answer.request_config.escape_path_param.to_string(),
        &["false"],
    );
    expect(
        "ContentTypeCatagory",
        &service.content_type_catagory,
        &["", CONTENT_TYPE],
    );
    expect("VpcScheme", &service.vpc_config.vpc_scheme, &["", "HTTP"]);
    odd
}

/// Parameters besides the one constant Host.
fn parameters(answer: &ApiAnswer) -> Vec<(&'static str, String)> {
    let constants = &answer.constant_parameters.constant_parameter;
    let is_constant = |name: &str| {
        constants
            .iter()
            .any(|constant| constant.service_parameter_name.eq_ignore_ascii_case(name))
    };
    let names = |names: Vec<&str>| names.join(",");
    let mut found = Vec::new();
    let host = host(answer);
    let others: Vec<&str> = constants
        .iter()
        .filter(|constant| !host.is_some_and(|host| std::ptr::eq(host, *constant)))
        .map(|constant| constant.service_parameter_name.as_str())
        .collect();
    found.push(("ConstantParameters", names(others)));
    let request = &answer.request_parameters.request_parameter;
    let request = request.iter().map(|p| p.api_parameter_name.as_str());
    found.push((
        "RequestParameters",
        names(request.filter(|name| !is_constant(name)).collect()),
    ));
    let service = &answer.service_parameters.service_parameter;
    let service = service.iter().map(|p| p.service_parameter_name.as_str());
    found.push((
        "ServiceParameters",
        names(service.filter(|name| !is_constant(name)).collect()),
    ));
    found.retain(|(_, value)| !value.is_empty());
    let name =
        |value: &serde_json::Value| value["ServiceParameterName"].as_str().map(str::to_owned);
    for (kind, values) in [
        (
            "SystemParameters",
            &answer.system_parameters.system_parameter,
        ),
        (
            "CustomSystemParameters",
            &answer.custom_system_parameters.custom_system_parameter,
        ),
    ] {
        let names: Vec<String> = values.iter().filter_map(name).collect();
        if !values.is_empty() {
            found.push((kind, names.join(",")));
        }
    }
    found
}

fn host(answer: &ApiAnswer) -> Option<&ConstantParameter> {
    answer
        .constant_parameters
        .constant_parameter
        .iter()
        .find(|constant| constant.is_host())
}

fn auth(kind: &str, app_code: Option<&str>) -> Result<ApiAuth, (&'static str, String)> {
    match kind.to_ascii_uppercase().as_str() {
        "ANONYMOUS" => return Ok(ApiAuth::Anonymous),
        "APP" => {}
        _ => return Err(("AuthType", kind.to_owned())),
    }
    let app_code = app_code.unwrap_or_default().to_ascii_uppercase();
    let api_key = match app_code.as_str() {
        "" | "DISABLE" => BTreeSet::new(),
        "HEADER" => [ApiKeyLocation::Header].into(),
        "HEADER_QUERY" => [ApiKeyLocation::Header, ApiKeyLocation::Query].into(),
        _ => return Err(("AppCodeAuthType", app_code)),
    };
    Ok(ApiAuth::Consumer {
        api_key,
        signature: true,
    })
}

/// The method, none for one that the model does not have. `HEADER` is how an old part of the
/// documentation spells `HEAD`.
pub(super) fn parse_method(text: &str) -> Option<Method> {
    let text = text.to_ascii_uppercase();
    if text == "HEADER" {
        return Some(Method::Head);
    }
    [
        Method::Any,
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Head,
        Method::Patch,
        Method::Options,
    ]
    .into_iter()
    .find(|known| method(*known) == text)
}

/// A public path.
pub(super) fn parse_path(text: &str) -> Path {
    match prefix(text) {
        Some(prefix) => Path::Prefix(prefix),
        None => Path::Exact(text.to_owned()),
    }
}

/// Both paths; none for a backend path that does not end as the public one does.
fn paths(public: &str, backend: &str) -> (Path, Option<String>) {
    let path = parse_path(public);
    let backend = match path {
        Path::Prefix(_) => prefix(backend),
        Path::Exact(_) => Some(backend.to_owned()),
    };
    (path, backend)
}

fn prefix(text: &str) -> Option<String> {
    let prefix = text.strip_suffix("/*")?;
    Some(if prefix.is_empty() { "/" } else { prefix }.to_owned())
}

fn words(list: &str) -> impl Iterator<Item = String> {
    list.split(',')
        .map(|word| word.trim().to_ascii_uppercase())
        .filter(|word| !word.is_empty())
}

fn protocols(list: &str) -> BTreeSet<Protocol> {
    words(list)
        .filter_map(|word| match word.as_str() {
            "HTTP" => Some(Protocol::Http),
            "HTTPS" => Some(Protocol::Https),
            _ => None,
        })
        .collect()
}
