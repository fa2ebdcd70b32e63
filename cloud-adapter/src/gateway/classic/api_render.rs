//! An API's definition as `CreateApi` and `ModifyApi` take it: always whole, since `ModifyApi`
//! replaces everything.

use serde_json::json;

use crate::call::RpcCall;
use crate::gateway::model::*;

/// Unknown query parameters, headers and bodies pass through, and the constant Host applies.
pub(super) const REQUEST_MODE: &str = "MAPPING_PASSTHROUGH";
/// The caller's content type reaches the backend.
pub(super) const CONTENT_TYPE: &str = "CLIENT";
/// How signatures may be made.
pub(super) const SIGNATURE: &str = "HmacSHA256";
/// Not offered on the vendor's marketplace.
pub(super) const VISIBILITY: &str = "PRIVATE";

/// Adds the definition to a call.
pub(super) fn render(call: RpcCall, spec: &ApiSpec) -> RpcCall {
    let (auth, api_key) = auth(&spec.auth);
    let (request, service, map) = parameters(spec);
    call.query("ApiName", &spec.name)
        .query("Description", &spec.description)
        .query("Visibility", VISIBILITY)
        .query("AuthType", auth)
        .query_opt("AppCodeAuthType", api_key)
        .query("AllowSignatureMethod", SIGNATURE)
        .query("WebSocketApiType", "COMMON")
        .query("RequestConfig", request_config(spec))
        .query("ServiceConfig", service_config(spec))
        .query("ResultType", "JSON")
        .form("ResultSample", sample(api_key))
        .form("RequestParameters", request)
        .form("ServiceParameters", service)
        .form("ServiceParametersMap", map)
}

/// `AuthType` and `AppCodeAuthType`.
pub(super) fn auth(auth: &ApiAuth) -> (&'static str, Option<&'static str>) {
    match auth {
        ApiAuth::Anonymous => ("ANONYMOUS", None),
        ApiAuth::Consumer { api_key, .. } => {
            let query = api_key.contains(&ApiKeyLocation::Query);
            let key = match (api_key.is_empty(), query) {
                (true, _) => "DISABLE",
                (false, false) => "HEADER",
                (false, true) => "HEADER_QUERY",
            };
            ("APP", Some(key))
        }
    }
}

const SAMPLE: &str = "API key: ";

/// `DescribeDeployedApi` does not tell where an API key is looked for in what runs, but it gives
/// back the sample that the definition carries for its readers. So the sample says it.
fn sample(api_key: Option<&str>) -> String {
    format!("{SAMPLE}{}", api_key.unwrap_or("NONE"))
}

/// The `AppCodeAuthType` that a sample of ours names.
pub(super) fn sampled(sample: &str) -> Option<&str> {
    sample.strip_prefix(SAMPLE)
}

pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Any => "ANY",
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Head => "HEAD",
        Method::Patch => "PATCH",
        Method::Options => "OPTIONS",
    }
}

/// Public path and path at the backend.
pub(super) fn paths(path: &Path, backend: &str) -> (String, String) {
    let below = |path: &str| format!("{}/*", path.trim_end_matches('/'));
    match path {
        Path::Exact(path) => (path.clone(), backend.to_owned()),
        Path::Prefix(path) => (below(path), below(backend)),
    }
}

fn request_config(spec: &ApiSpec) -> String {
    let protocols: Vec<&str> = spec.protocols.iter().map(|p| protocol(*p)).collect();
    json!({
        "requestProtocol": protocols.join(","),
        "requestHttpMethod": method(spec.method),
        "requestPath": paths(&spec.path, "/").0,
        "requestMode": REQUEST_MODE,
        "bodyFormat": "",
    })
    .to_string()
}

pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "HTTP",
        Protocol::Https => "HTTPS",
    }
}

fn service_config(spec: &ApiSpec) -> String {
    json!({
        "serviceProtocol": "HTTP",
        "serviceAddress": "",
        "serviceHttpMethod": method(spec.method),
        "servicePath": paths(&spec.path, &spec.backend.path).1,
        "serviceTimeout": spec.backend.timeout_ms,
        "contentTypeCatagory": CONTENT_TYPE,
        "contentTypeValue": "",
        "mock": "FALSE",
        "mockResult": "",
        "serviceVpcEnable": "TRUE",
        "vpcConfig": {"name": spec.backend.name, "vpcScheme": ""},
        "aoneAppName": "",
    })
    .to_string()
}

/// A constant is a request parameter that nobody sends, with the value as its default, mapped to a
/// service parameter of the catalog CONSTANT: the form that the vendor's Terraform provider uses.
fn parameters(spec: &ApiSpec) -> (String, String, String) {
    let Some(host) = &spec.backend.host else {
        return ("[]".to_owned(), "[]".to_owned(), "[]".to_owned());
    };
    let request = json!([{
        "parameterType": "String",
        "name": "Host",
        "apiParameterName": "Host",
        "description": "",
        "location": "HEAD",
        "required": "REQUIRED",
        "defaultValue": host,
    }]);
    let service = json!([{
        "serviceParameterName": "Host",
        "location": "HEAD",
        "parameterType": "",
        "parameterCatalog": "CONSTANT",
    }]);
    let map = json!([{"requestParameterName": "Host", "serviceParameterName": "Host"}]);
    (request.to_string(), service.to_string(), map.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::operations::CREATE_API;

    /// An API with everything that can be said.
    pub(crate) fn api() -> ApiSpec {
        ApiSpec {
            name: "default_helloworld".to_owned(),
            description: "GatewayBinding default/helloworld".to_owned(),
            method: Method::Any,
            path: Path::Prefix("/default/helloworld".to_owned()),
            protocols: [Protocol::Http, Protocol::Https].into(),
            auth: ApiAuth::Consumer {
                api_key: [ApiKeyLocation::Header, ApiKeyLocation::Query].into(),
                signature: true,
            },
            backend: ApiBackend {
                name: BackendName::from("lb_80_knative"),
                path: "/".to_owned(),
                host: Some("helloworld.default.example.com".to_owned()),
                timeout_ms: 10_000,
            },
            unmodelled: Default::default(),
        }
    }

    #[test]
    fn the_wire_form_is_that_of_terraform() {
        let call = render(RpcCall::new(CREATE_API), &api());
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(call.query["AuthType"], "APP");
        assert_eq!(call.query["AppCodeAuthType"], "HEADER_QUERY");
        assert_eq!(
            json(&call.query["RequestConfig"]),
            json!({"requestProtocol": "HTTP,HTTPS", "requestHttpMethod": "ANY",
                   "requestPath": "/default/helloworld/*", "requestMode": "MAPPING_PASSTHROUGH",
                   "bodyFormat": ""})
        );
        let service = json(&call.query["ServiceConfig"]);
        assert_eq!(service["servicePath"], "/*");
        assert_eq!(service["vpcConfig"]["name"], "lb_80_knative");
        assert_eq!(
            json(&call.form["RequestParameters"])[0]["defaultValue"],
            "helloworld.default.example.com"
        );
        assert_eq!(
            json(&call.form["ServiceParameters"])[0]["parameterCatalog"],
            "CONSTANT"
        );
    }

    #[test]
    fn paths_on_the_wire() {
        let prefix = |path: &str| Path::Prefix(path.to_owned());
        assert_eq!(paths(&prefix("/"), "/"), ("/*".into(), "/*".into()));
        assert_eq!(paths(&prefix("/a"), "/"), ("/a/*".into(), "/*".into()));
        assert_eq!(
            paths(&prefix("/a"), "/b/c"),
            ("/a/*".into(), "/b/c/*".into())
        );
        let exact = Path::Exact("/a".to_owned());
        assert_eq!(paths(&exact, "/b"), ("/a".into(), "/b".into()));
    }
}
