//! Changing the definition of an API that others made. `ModifyApi` replaces everything, so the
//! draft is read and sent back with our part in place of theirs: their parameters, constants,
//! samples and switches stay.

use serde_json::{Map, Value, json};

use super::api_render::{self, CONTENT_TYPE, REQUEST_MODE, VISIBILITY};
use super::{apis, check};
use crate::call::RpcCall;
use crate::client::Client;
use crate::error::CloudError;
use crate::gateway::model::*;
use crate::operations::*;

/// What becomes of a setting that the model has no word for ([`ApiSpec::unmodelled`]) when an API
/// that others made is brought to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is left as it is.
    Stays,
    /// It says otherwise what the definition says, and goes.
    Goes,
    /// It would be lost: the product does not say how to send it back.
    Lost,
}

/// See [`Fate`]. `protocols` says whether the definition's protocols are those that were seen.
pub fn fate(setting: &str, value: &str, protocols: bool) -> Fate {
    match setting {
        // Nothing is put into a request that passes through as it is, not even a Host.
        "RequestMode" if value.eq_ignore_ascii_case("PASSTHROUGH") => Fate::Goes,
        "RequestProtocol" if protocols => Fate::Stays,
        "AppCodeAuthType" | "AuthType" | "BackendEnable" | "Mock" | "RequestHttpMethod"
        | "RequestProtocol" | "ServicePath" | "ServiceProtocol" | "ServiceVpcEnable"
        | "VpcScheme" => Fate::Goes,
        "CustomSystemParameters" | "definition" => Fate::Lost,
        _ => Fate::Stays,
    }
}

pub(super) async fn amend(
    client: &Client,
    group: &GroupId,
    id: &ApiId,
    spec: &ApiSpec,
) -> Result<(), CloudError> {
    check::check_api(spec)?;
    let draft = client
        .call(apis::on(RpcCall::new(DESCRIBE_API), group, id))
        .await?;
    let call = apis::on(RpcCall::new(MODIFY_API), group, id);
    client.call(render(call, &draft, spec)).await.map(drop)
}

/// The whole definition: `draft` (an answer of `DescribeApi`) with the words of `spec`.
fn render(call: RpcCall, draft: &Value, spec: &ApiSpec) -> RpcCall {
    let (auth, api_key) = api_render::auth(&spec.auth);
    let visibility = match text(draft, "Visibility") {
        "" => VISIBILITY,
        kept => kept,
    };
    let mut call = call
        .query("ApiName", &spec.name)
        .query("Description", &spec.description)
        .query("Visibility", visibility)
        .query("AuthType", auth)
        .query_opt("AppCodeAuthType", api_key)
        .query("RequestConfig", request_config(draft, spec))
        .query("ServiceConfig", service_config(draft, spec));
    for name in [
        "AllowSignatureMethod",
        "WebSocketApiType",
        "ResultType",
        "ResultBodyModel",
    ] {
        if !text(draft, name).is_empty() {
            call = call.query(name, text(draft, name));
        }
    }
    for name in ["DisableInternet", "ForceNonceCheck"] {
        if draft[name].as_bool() == Some(true) {
            call = call.query(name, true);
        }
    }
    for name in ["ResultSample", "FailResultSample"] {
        if !text(draft, name).is_empty() {
            call = call.form(name, text(draft, name));
        }
    }
    for (name, item) in [
        ("ErrorCodeSamples", "ErrorCodeSample"),
        ("ResultDescriptions", "ResultDescription"),
    ] {
        let list = list(draft, name, item);
        if !list.is_empty() {
            call = call.form(name, Value::from(list));
        }
    }
    let (request, service, map) = parameters(draft, spec.backend.host.as_deref());
    call.form("RequestParameters", Value::from(request))
        .form("ServiceParameters", Value::from(service))
        .form("ServiceParametersMap", Value::from(map))
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// A list as answers wrap it.
fn list(draft: &Value, name: &str, item: &str) -> Vec<Value> {
    let list = draft[name][item].as_array();
    list.cloned().unwrap_or_default()
}

fn members(draft: &Value, name: &str) -> Map<String, Value> {
    draft[name].as_object().cloned().unwrap_or_default()
}

fn request_config(draft: &Value, spec: &ApiSpec) -> Value {
    let mut config = members(draft, "RequestConfig");
    let protocols: Vec<&str> = spec
        .protocols
        .iter()
        .map(|protocol| api_render::protocol(*protocol))
        .collect();
    if !spec.unmodelled.contains_key("RequestProtocol") {
        config.insert("RequestProtocol".to_owned(), json!(protocols.join(",")));
    }
    let path = api_render::paths(&spec.path, "/").0;
    config.insert(
        "RequestHttpMethod".to_owned(),
        json!(api_render::method(spec.method)),
    );
    config.insert("RequestPath".to_owned(), json!(path));
    if !spec.unmodelled.contains_key("RequestMode") {
        config.insert("RequestMode".to_owned(), json!(REQUEST_MODE));
    }
    config.into()
}

/// Where requests go is ours to say, all of it but content types, and the method towards the
/// backend where that is another one than the caller's.
fn service_config(draft: &Value, spec: &ApiSpec) -> Value {
    let seen = members(draft, "ServiceConfig");
    let kept = |name: &str, default: &str| match seen.get(name).and_then(Value::as_str) {
        Some(kept) if !kept.is_empty() => kept.to_owned(),
        _ => default.to_owned(),
    };
    let method = api_render::method(spec.method);
    let method = if spec.unmodelled.contains_key("ServiceHttpMethod") {
        kept("ServiceHttpMethod", method)
    } else {
        method.to_owned()
    };
    let unless = |name: &str, odd: &[&str], instead: &str| {
        let kept = kept(name, "");
        let is_odd = odd.iter().any(|word| word.eq_ignore_ascii_case(&kept));
        if is_odd { instead.to_owned() } else { kept }
    };
    json!({
        "ServiceProtocol": "HTTP",
        "ServiceAddress": "",
        "ServiceHttpMethod": method,
        "ServicePath": api_render::paths(&spec.path, &spec.backend.path).1,
        "ServiceTimeout": spec.backend.timeout_ms,
        "ContentTypeCatagory": kept("ContentTypeCatagory", CONTENT_TYPE),
        "ContentTypeValue": kept("ContentTypeValue", ""),
        "Mock": unless("Mock", &["TRUE"], "FALSE"),
        "MockResult": "",
        "ServiceVpcEnable": "TRUE",
        "VpcConfig": {"Name": spec.backend.name, "VpcScheme": ""},
        "AoneAppName": kept("AoneAppName", ""),
    })
}

type Lists = (Vec<Value>, Vec<Value>, Vec<Value>);

/// Their parameters, constants and system values, and our Host in place of theirs. Answers have
/// constants and system values apart; requests have each as a request parameter that nobody sends,
/// a service parameter of its catalogue, and an entry of the map.
fn parameters(draft: &Value, host: Option<&str>) -> Lists {
    let mut lists: Lists = (
        list(draft, "RequestParameters", "RequestParameter"),
        Vec::new(),
        list(draft, "ServiceParametersMap", "ServiceParameterMap"),
    );
    for mut parameter in list(draft, "ServiceParameters", "ServiceParameter") {
        parameter["ParameterCatalog"] = json!("REQUEST");
        lists.1.push(parameter);
    }
    let mut constants = list(draft, "ConstantParameters", "ConstantParameter");
    if !constants.iter().any(is_host) {
        constants.push(json!({"ServiceParameterName": "Host", "Location": "Head"}));
    }
    for constant in &constants {
        let value = match (is_host(constant), host) {
            (false, _) => text(constant, "ConstantValue"),
            (true, Some(host)) => host,
            (true, None) => continue,
        };
        let name = text(constant, "ServiceParameterName");
        add(&mut lists, "CONSTANT", (name, name), value, constant);
    }
    for system in list(draft, "SystemParameters", "SystemParameter") {
        let names = (
            text(&system, "ParameterName"),
            text(&system, "ServiceParameterName"),
        );
        add(&mut lists, "SYSTEM", names, "", &system);
    }
    lists
}

fn is_host(constant: &Value) -> bool {
    let location = text(constant, "Location");
    (location.eq_ignore_ascii_case("HEAD") || location.eq_ignore_ascii_case("HEADER"))
        && text(constant, "ServiceParameterName").eq_ignore_ascii_case("host")
}

/// Adds a value that the caller does not send. A constant's name in the request is nobody's
/// business, so it gets out of the way of parameters that callers do send.
fn add(
    (request, service, map): &mut Lists,
    catalog: &str,
    (wanted, towards): (&str, &str),
    value: &str,
    like: &Value,
) {
    let mut name = wanted.to_owned();
    while catalog == "CONSTANT" && request.iter().any(|other| parameter_name(other) == name) {
        name.push_str("Constant");
    }
    let location = text(like, "Location").to_uppercase();
    request.push(json!({
        "parameterType": "String",
        "name": name,
        "apiParameterName": name,
        "description": text(like, "Description"),
        "demoValue": text(like, "DemoValue"),
        "location": location,
        "required": "REQUIRED",
        "defaultValue": value,
    }));
    service.push(json!({
        "serviceParameterName": towards,
        "location": location,
        "parameterType": "",
        "parameterCatalog": catalog,
    }));
    map.push(json!({"requestParameterName": name, "serviceParameterName": towards}));
}

fn parameter_name(parameter: &Value) -> &str {
    let names = ["ApiParameterName", "apiParameterName"];
    let mut found = names.iter().filter_map(|name| parameter[*name].as_str());
    found.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::api_render::tests::api;
    use super::*;

    /// What `DescribeApi` answers of an API with all that the console offers.
    fn draft() -> Value {
        json!({
            "ApiName": "greet", "Description": "by hand", "Visibility": "PUBLIC",
            "AuthType": "APP", "AppCodeAuthType": "HEADER",
            "AllowSignatureMethod": "HmacSHA1,HmacSHA256", "WebSocketApiType": "COMMON",
            "ForceNonceCheck": true, "DisableInternet": false,
            "ResultType": "HTML", "ResultSample": "<p>hi</p>", "FailResultSample": "",
            "RequestConfig": {
                "RequestProtocol": "HTTP", "RequestHttpMethod": "GET", "RequestPath": "/greet",
                "RequestMode": "MAPPING", "BodyFormat": "FORM", "PostBodyDescription": "none",
            },
            "ServiceConfig": {
                "ServiceProtocol": "HTTP", "ServiceAddress": "http://10.0.0.1", "ServiceTimeout": 5,
                "ServiceHttpMethod": "POST", "ServicePath": "/old", "ServiceVpcEnable": "FALSE",
                "Mock": "TRUE", "MockResult": "hi", "ContentTypeCatagory": "CUSTOM",
                "ContentTypeValue": "text/plain",
            },
            "RequestParameters": {"RequestParameter": [
                {"ApiParameterName": "Host", "Location": "Query", "ParameterType": "String",
                 "Required": "OPTIONAL", "DocOrder": 1, "RegularExpression": "^[a-z]+$"},
            ]},
            "ServiceParameters": {"ServiceParameter": [
                {"ServiceParameterName": "who", "Location": "Query", "ParameterType": "String"},
            ]},
            "ServiceParametersMap": {"ServiceParameterMap": [
                {"RequestParameterName": "Host", "ServiceParameterName": "who"},
            ]},
            "ConstantParameters": {"ConstantParameter": [
                {"ServiceParameterName": "Host", "Location": "Head", "ConstantValue": "old.example.com"},
                {"ServiceParameterName": "X-Channel", "Location": "Head", "ConstantValue": "web"},
            ]},
            "SystemParameters": {"SystemParameter": [
                {"ParameterName": "CaClientIp", "ServiceParameterName": "X-Client", "Location": "Head"},
            ]},
            "ErrorCodeSamples": {"ErrorCodeSample": [{"Code": "404", "Message": "nobody"}]},
        })
    }

    fn amended(spec: &ApiSpec) -> RpcCall {
        render(RpcCall::new(MODIFY_API), &draft(), spec)
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_the_definition_does_not_speak_of_is_sent_back_as_it_came() {
        let mut spec = api();
        for (name, value) in [("ServiceHttpMethod", "POST"), ("RequestMode", "MAPPING")] {
            spec.unmodelled.insert(name.to_owned(), value.to_owned());
        }
        let call = amended(&spec);
        let expected = [
            ("Visibility", "PUBLIC"),
            ("AllowSignatureMethod", "HmacSHA1,HmacSHA256"),
            ("ForceNonceCheck", "true"),
            ("ResultType", "HTML"),
        ];
        for (name, value) in expected {
            assert_eq!(call.query[name], value, "{name}");
        }
        assert_eq!(call.form["ResultSample"], "<p>hi</p>");
        assert_eq!(
            parsed(&call.form["ErrorCodeSamples"]),
            json!([{"Code": "404", "Message": "nobody"}])
        );
        let request = parsed(&call.query["RequestConfig"]);
        assert_eq!(
            (&request["RequestMode"], &request["BodyFormat"]),
            (&json!("MAPPING"), &json!("FORM"))
        );
        assert_eq!(request["PostBodyDescription"], "none");
        let service = parsed(&call.query["ServiceConfig"]);
        assert_eq!(service["ServiceHttpMethod"], "POST");
        assert_eq!(service["ContentTypeCatagory"], "CUSTOM");
        assert_eq!(service["ContentTypeValue"], "text/plain");
    }

    #[test]
    fn what_it_speaks_of_is_as_it_says() {
        let call = amended(&api());
        assert_eq!(call.query["ApiName"], "default_helloworld");
        assert_eq!(call.query["AppCodeAuthType"], "HEADER_QUERY");
        let request = parsed(&call.query["RequestConfig"]);
        assert_eq!(request["RequestProtocol"], "HTTP,HTTPS");
        assert_eq!(request["RequestHttpMethod"], "ANY");
        assert_eq!(request["RequestPath"], "/default/helloworld/*");
        let service = parsed(&call.query["ServiceConfig"]);
        for (name, value) in [
            ("Mock", "FALSE"),
            ("MockResult", ""),
            ("ServiceVpcEnable", "TRUE"),
            ("ServiceAddress", ""),
            ("ServicePath", "/*"),
            ("ServiceHttpMethod", "ANY"),
        ] {
            assert_eq!(service[name], value, "{name}");
        }
        assert_eq!(service["VpcConfig"]["Name"], "lb_80_knative");
        assert_eq!(service["ServiceTimeout"], 10_000);
    }

    #[test]
    fn constants_and_system_values_come_back_in_the_form_of_requests() {
        let call = amended(&api());
        let service = parsed(&call.form["ServiceParameters"]);
        let catalogs: Vec<(&str, &str)> = service
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| {
                let either = |upper: &str, lower: &str| {
                    let found = parameter[upper].as_str().or(parameter[lower].as_str());
                    found.unwrap()
                };
                (
                    either("ServiceParameterName", "serviceParameterName"),
                    either("ParameterCatalog", "parameterCatalog"),
                )
            })
            .collect();
        let expected = [
            ("who", "REQUEST"),
            ("Host", "CONSTANT"),
            ("X-Channel", "CONSTANT"),
            ("X-Client", "SYSTEM"),
        ];
        assert_eq!(catalogs, expected);
        let request = parsed(&call.form["RequestParameters"]);
        assert_eq!(
            request[0]["RegularExpression"], "^[a-z]+$",
            "all of a parameter"
        );
        let names: Vec<&str> = request
            .as_array()
            .unwrap()
            .iter()
            .map(parameter_name)
            .collect();
        assert_eq!(names, ["Host", "HostConstant", "X-Channel", "CaClientIp"]);
        assert_eq!(
            request[1]["defaultValue"], "helloworld.default.example.com",
            "our Host in place of theirs"
        );
        let map = parsed(&call.form["ServiceParametersMap"]);
        assert_eq!(map.as_array().unwrap().len(), 4);
    }

    #[test]
    fn protocols_that_stay_stay_in_the_products_words() {
        let mut spec = api();
        spec.unmodelled
            .insert("RequestProtocol".to_owned(), "HTTP,WEBSOCKET".to_owned());
        let request = parsed(&amended(&spec).query["RequestConfig"]);
        assert_eq!(request["RequestProtocol"], "HTTP", "as it came");
        assert_eq!(fate("RequestProtocol", "WEBSOCKET", true), Fate::Stays);
        assert_eq!(fate("RequestProtocol", "WEBSOCKET", false), Fate::Goes);
        assert_eq!(fate("RequestMode", "MAPPING", false), Fate::Stays);
        assert_eq!(fate("RequestMode", "PASSTHROUGH", false), Fate::Goes);
    }
}
