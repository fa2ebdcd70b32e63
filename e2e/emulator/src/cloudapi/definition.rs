//! The definition of an API: read from the parameters of `CreateApi` and `ModifyApi`, checked, and
//! written as `DescribeApi` answers it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api_model::{
    ConstantParameter, ErrorCodeSample, RequestConfig, RequestParameter, ServiceConfig,
    ServiceParameter, ServiceParameterMap, SystemParameter,
};
use super::api_parameters::Parameters;
use super::api_path::{PathPattern, same_route};
use super::state::VpcAccess;
use super::{checks, errors, json_text};
use crate::api::{ApiError, Params};

const METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "CONNECT", "ANY",
];

/// An API as its owner defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Unique in the group.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `PUBLIC` or `PRIVATE`.
    pub visibility: String,
    /// `APP`, `ANONYMOUS`, `APPOPENID` or `OPENID`.
    pub auth_type: String,
    /// `DEFAULT`, `DISABLE`, `HEADER` or `HEADER_QUERY`.
    pub app_code_auth_type: String,
    /// What clients may send.
    pub request: RequestConfig,
    /// Where calls go.
    pub service: ServiceConfig,
    /// Parameters that clients send.
    pub request_parameters: Vec<RequestParameter>,
    /// Parameters towards the backend.
    pub service_parameters: Vec<ServiceParameter>,
    /// Which feeds which.
    pub service_parameters_map: Vec<ServiceParameterMap>,
    /// Fixed values towards the backend.
    pub constant_parameters: Vec<ConstantParameter>,
    /// Values the gateway knows.
    pub system_parameters: Vec<SystemParameter>,
    /// Documented error answers.
    pub error_code_samples: Vec<ErrorCodeSample>,
    /// Whether the internet is shut out.
    pub disable_internet: bool,
    /// Whether signed requests must carry a nonce.
    pub force_nonce_check: bool,
    /// `OpenIdConnectConfig`, kept as sent.
    pub open_id_connect: Map<String, Value>,
    /// Other settings by parameter name, kept as sent.
    pub settings: std::collections::BTreeMap<String, String>,
}

/// Settings without effect on traffic that are stored and answered as sent.
const KEPT: [&str; 6] = [
    "AllowSignatureMethod",
    "WebSocketApiType",
    "ResultType",
    "ResultSample",
    "FailResultSample",
    "ResultBodyModel",
];

impl Definition {
    /// Reads and checks a whole definition. Whatever is absent is cleared, as `ModifyApi` demands
    /// the full definition each time.
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        if params.bool("BackendEnable")? == Some(true) {
            return Err(errors::not_found("Backend"));
        }
        let request = request_config(params)?;
        let service = service_config(params)?;
        let mapping = !request.request_mode.eq_ignore_ascii_case("PASSTHROUGH");
        let parameters = Parameters {
            request: json_text::list("RequestParameters", params.get("RequestParameters"))?,
            service: json_text::list("ServiceParameters", params.get("ServiceParameters"))?,
            map: json_text::list("ServiceParametersMap", params.get("ServiceParametersMap"))?,
            constant: json_text::list("ConstantParameters", params.get("ConstantParameters"))?,
            system: json_text::list("SystemParameters", params.get("SystemParameters"))?,
        }
        .normalised(mapping)?;
        let definition = Self {
            name: checks::name("ApiName", params.required("ApiName")?, 4, 50)?,
            description: checks::description(params, 180)?,
            visibility: one_of(params, "Visibility", &["PUBLIC", "PRIVATE"])?
                .ok_or_else(|| errors::missing("Visibility"))?,
            auth_type: one_of(
                params,
                "AuthType",
                &["APP", "ANONYMOUS", "APPOPENID", "OPENID"],
            )?
            .unwrap_or("APP".to_owned()),
            app_code_auth_type: one_of(
                params,
                "AppCodeAuthType",
                &["DEFAULT", "DISABLE", "HEADER", "HEADER_QUERY"],
            )?
            .unwrap_or("DEFAULT".to_owned()),
            request,
            service,
            request_parameters: parameters.request,
            service_parameters: parameters.service,
            service_parameters_map: parameters.map,
            constant_parameters: parameters.constant,
            system_parameters: parameters.system,
            error_code_samples: json_text::list(
                "ErrorCodeSamples",
                params.get("ErrorCodeSamples"),
            )?,
            disable_internet: params.bool("DisableInternet")?.unwrap_or(false),
            force_nonce_check: params.bool("ForceNonceCheck")?.unwrap_or(false),
            open_id_connect: params
                .filled("OpenIdConnectConfig")
                .map_or(Ok(Map::new()), |text| {
                    json_text::object("OpenIdConnectConfig", text)
                })?,
            settings: KEPT
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), params.filled(name)?.to_owned())))
                .collect(),
        };
        definition.check_settings()?;
        if mapping {
            definition.check_path_parameters()?;
        }
        Ok(definition)
    }

    /// Whether method and path are those of another definition; in a group they must not be.
    pub(super) fn same_route(&self, other: &Self) -> bool {
        let (request, others) = (&self.request, &other.request);
        request.request_http_method == others.request_http_method
            && same_route(&request.request_path, &others.request_path)
    }

    fn check_settings(&self) -> Result<(), ApiError> {
        let set = |name: &str| self.settings.get(name).map(String::as_str);
        if let Some(methods) = set("AllowSignatureMethod") {
            let known = |m: &str| ["HmacSHA256", "HmacSHA1"].contains(&m.trim());
            if !methods.split(',').all(known) {
                return Err(errors::invalid(
                    "AllowSignatureMethod",
                    "HmacSHA256, or HmacSHA1,HmacSHA256",
                ));
            }
        }
        let types = ["COMMON", "REGISTER", "UNREGISTER", "NOTIFY"];
        if set("WebSocketApiType").is_some_and(|kind| !types.contains(&kind)) {
            return Err(errors::invalid("WebSocketApiType", &types.join(", ")));
        }
        Ok(())
    }

    fn check_path_parameters(&self) -> Result<(), ApiError> {
        let pattern = PathPattern::of(&self.request.request_path);
        for name in pattern.parameters() {
            let declared =
                |p: &RequestParameter| p.location == "Path" && p.api_parameter_name == name;
            if !self.request_parameters.iter().any(declared) {
                return Err(errors::mapping(&format!(
                    "path parameter \"{name}\" is not in RequestParameters with location PATH"
                )));
            }
        }
        Ok(())
    }

    /// The members that `DescribeApi` and `DescribeDeployedApi` share. `backend` is the VPC
    /// authorization that the definition names.
    pub(super) fn answer(&self, backend: Option<&VpcAccess>) -> Map<String, Value> {
        let mut service = json!(self.service);
        if let Some(members) = service.as_object_mut() {
            if let Some(headers) = members.remove("MockHeaders") {
                members.insert("MockHeaders".to_owned(), json!({ "MockHeader": headers }));
            }
            members.insert("VpcConfig".to_owned(), self.vpc_answer(backend));
        }
        let mut answer = Map::new();
        let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
        put("ApiName", json!(self.name));
        put("Description", json!(self.description));
        put("Visibility", json!(self.visibility));
        put("AuthType", json!(self.auth_type));
        put("AppCodeAuthType", json!(self.app_code_auth_type));
        put("DisableInternet", json!(self.disable_internet));
        put("ForceNonceCheck", json!(self.force_nonce_check));
        put("RequestConfig", json!(self.request));
        put("ServiceConfig", service);
        put(
            "RequestParameters",
            json!({ "RequestParameter": self.request_parameters }),
        );
        put(
            "ServiceParameters",
            json!({ "ServiceParameter": self.service_parameters }),
        );
        put(
            "ServiceParametersMap",
            json!({ "ServiceParameterMap": self.service_parameters_map }),
        );
        put(
            "ConstantParameters",
            json!({ "ConstantParameter": self.constant_parameters }),
        );
        put(
            "SystemParameters",
            json!({ "SystemParameter": self.system_parameters }),
        );
        put(
            "CustomSystemParameters",
            json!({ "CustomSystemParameter": [] }),
        );
        put(
            "ErrorCodeSamples",
            json!({ "ErrorCodeSample": self.error_code_samples }),
        );
        if !self.open_id_connect.is_empty() {
            put("OpenIdConnectConfig", json!(self.open_id_connect));
        }
        put("BackendEnable", json!(false));
        for (name, value) in &self.settings {
            put(name, json!(value));
        }
        answer
    }

    fn vpc_answer(&self, backend: Option<&VpcAccess>) -> Value {
        let mut vpc = json!(self.service.vpc_config);
        if let (Some(members), Some(access)) = (vpc.as_object_mut(), backend) {
            members.insert("VpcId".to_owned(), json!(access.vpc_id));
            members.insert("InstanceId".to_owned(), json!(access.instance_id));
            members.insert("Port".to_owned(), json!(access.port));
        }
        vpc
    }
}

fn one_of(params: &Params, name: &str, allowed: &[&str]) -> Result<Option<String>, ApiError> {
    match params.filled(name) {
        Some(value) if !allowed.contains(&value) => Err(errors::invalid(
            name,
            &format!("\"{value}\" is none of {}", allowed.join(", ")),
        )),
        value => Ok(value.map(str::to_owned)),
    }
}

fn request_config(params: &Params) -> Result<RequestConfig, ApiError> {
    let mut config: RequestConfig =
        json_text::object("RequestConfig", params.required("RequestConfig")?)?;
    if config.request_protocol.is_empty() {
        return Err(errors::missing("RequestProtocol"));
    }
    let known = |protocol: &str| ["HTTP", "HTTPS", "WEBSOCKET"].contains(&protocol.trim());
    if !config.request_protocol.split(',').all(known) {
        return Err(errors::invalid(
            "RequestProtocol",
            &format!(
                "\"{}\" is no list of HTTP, HTTPS, WEBSOCKET",
                config.request_protocol
            ),
        ));
    }
    method("RequestHttpMethod", &config.request_http_method)?;
    if config.request_path.is_empty() {
        return Err(errors::missing("RequestPath"));
    }
    PathPattern::check(&config.request_path)?;
    if config.request_mode.is_empty() {
        config.request_mode = "MAPPING".to_owned();
    }
    let modes = ["MAPPING", "PASSTHROUGH", "MAPPING_PASSTHROUGH"];
    if !modes.contains(&config.request_mode.as_str()) {
        return Err(errors::invalid(
            "RequestMode",
            &format!(
                "\"{}\" is none of {}",
                config.request_mode,
                modes.join(", ")
            ),
        ));
    }
    if !["", "FORM", "STREAM"].contains(&config.body_format.as_str()) {
        return Err(errors::invalid(
            "BodyFormat",
            &format!("\"{}\" is neither FORM nor STREAM", config.body_format),
        ));
    }
    Ok(config)
}

fn service_config(params: &Params) -> Result<ServiceConfig, ApiError> {
    let config: ServiceConfig =
        json_text::object("ServiceConfig", params.required("ServiceConfig")?)?;
    if config.is_mock() {
        return Ok(config);
    }
    let protocols = ["HTTP", "HTTPS", "FunctionCompute", "OSS", "EventBridge"];
    if !protocols
        .iter()
        .any(|known| known.eq_ignore_ascii_case(&config.service_protocol))
    {
        return Err(errors::invalid(
            "ServiceProtocol",
            &format!(
                "\"{}\" is none of {}",
                config.service_protocol,
                protocols.join(", ")
            ),
        ));
    }
    if !(1..=30_000).contains(&config.service_timeout) {
        return Err(errors::invalid(
            "ServiceTimeout",
            &format!(
                "{} is not within 1 to 30000 milliseconds",
                config.service_timeout
            ),
        ));
    }
    if !["", "DEFAULT", "CUSTOM", "CLIENT"].contains(&config.content_type_catagory.as_str()) {
        return Err(errors::invalid(
            "ContentTypeCatagory",
            "DEFAULT, CUSTOM or CLIENT",
        ));
    }
    if !config
        .service_protocol
        .to_ascii_uppercase()
        .starts_with("HTTP")
    {
        return Ok(config);
    }
    method("ServiceHttpMethod", &config.service_http_method)?;
    if config.service_path.is_empty() || !config.service_path.starts_with('/') {
        return Err(errors::invalid(
            "ServicePath",
            &format!("\"{}\" must begin with /", config.service_path),
        ));
    }
    let address = &config.service_address;
    if config.is_vpc() {
        if config.vpc_config.name.is_empty() {
            return Err(errors::missing("VpcConfig"));
        }
    } else if !address.starts_with("http://") && !address.starts_with("https://") {
        return Err(ApiError::bad_request(
            "InvalidApiServiceAddress",
            "The specified service address is not valid.",
        ));
    }
    Ok(config)
}

fn method(noun: &str, value: &str) -> Result<(), ApiError> {
    if value.is_empty() {
        return Err(errors::missing(noun));
    }
    if !METHODS.contains(&value) {
        return Err(errors::invalid(
            noun,
            &format!("\"{value}\" is none of {}", METHODS.join(", ")),
        ));
    }
    Ok(())
}
