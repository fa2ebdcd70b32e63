//! The structures inside an API definition, with the member names of CloudAPI `CreateApi` and
//! `DescribeApi` (misspellings such as `ContentTypeCatagory` are the product's own).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What clients may send: protocol, method, path (`RequestConfig`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestConfig {
    /// Comma-separated: `HTTP`, `HTTPS`, `WEBSOCKET`.
    pub request_protocol: String,
    /// A method, or `ANY`.
    pub request_http_method: String,
    /// Path below the group's base path: exact, with `[name]` segments, or ending in `/*`.
    pub request_path: String,
    /// `MAPPING`, `PASSTHROUGH` or `MAPPING_PASSTHROUGH`.
    pub request_mode: String,
    /// `FORM`, `STREAM` or empty.
    pub body_format: String,
    /// Description of the body, for documentation only.
    pub post_body_description: String,
    /// Model of the body, for documentation only.
    pub body_model: String,
    /// Whether path parameters are escaped towards the backend.
    pub escape_path_param: bool,
}

/// Where a call goes (`ServiceConfig`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceConfig {
    /// `HTTP`, `FunctionCompute`, `OSS` or `EventBridge`.
    pub service_protocol: String,
    /// Address of a public HTTP backend.
    pub service_address: String,
    /// Method towards the backend; `ANY` keeps the client's.
    pub service_http_method: String,
    /// Path towards the backend.
    pub service_path: String,
    /// Milliseconds until the backend counts as timed out.
    pub service_timeout: i64,
    /// `DEFAULT`, `CUSTOM` or `CLIENT`.
    pub content_type_catagory: String,
    /// Content type if the category is `CUSTOM`.
    pub content_type_value: String,
    /// `TRUE` answers from the gateway itself.
    pub mock: String,
    /// Body of a mocked answer.
    pub mock_result: String,
    /// Status of a mocked answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mock_status_code: Option<i64>,
    /// Headers of a mocked answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mock_headers: Vec<MockHeader>,
    /// `TRUE` if the backend is reached by a VPC authorization.
    pub service_vpc_enable: String,
    /// Which VPC authorization.
    pub vpc_config: VpcConfig,
    /// Function Compute backend, kept as sent.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub function_compute_config: Map<String, Value>,
    /// OSS backend, kept as sent.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub oss_config: Map<String, Value>,
    /// EventBridge backend, kept as sent.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub event_bridge_config: Map<String, Value>,
    /// Internal name of the vendor, kept as sent.
    pub aone_app_name: String,
}

impl ServiceConfig {
    /// Whether the gateway answers by itself.
    pub fn is_mock(&self) -> bool {
        self.mock.eq_ignore_ascii_case("TRUE")
    }

    /// Whether the backend is reached by a VPC authorization.
    pub fn is_vpc(&self) -> bool {
        self.service_vpc_enable.eq_ignore_ascii_case("TRUE")
    }
}

/// One header of a mocked answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MockHeader {
    /// Name of the header.
    pub header_name: String,
    /// Its value.
    pub header_value: String,
}

/// The VPC authorization that a definition names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcConfig {
    /// Name of the authorization.
    pub name: String,
    /// `http` or `https`; empty is `http`.
    pub vpc_scheme: String,
}

/// A parameter that clients send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestParameter {
    /// Name in the request.
    pub api_parameter_name: String,
    /// `Head`, `Query`, `Path` or `Body`.
    pub location: String,
    /// `String`, `Int`, `Long`, `Float`, `Double`, `Boolean`, `File` or `Array`.
    pub parameter_type: String,
    /// `REQUIRED` or `OPTIONAL`.
    pub required: String,
    /// Value if the client sends none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_value: String,
    /// Documentation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub demo_value: String,
    /// Documentation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Type of the items of an array.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub array_items_type: String,
    /// Allowed values, comma-separated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub enum_value: String,
    /// Pattern for the value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub regular_expression: String,
    /// JSON schema for the value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub json_scheme: String,
    /// `PUBLIC` or `PRIVATE`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doc_show: String,
    /// Position in the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_order: Option<i64>,
    /// Longest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// Shortest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<i64>,
    /// Largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_value: Option<i64>,
    /// Smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_value: Option<i64>,
}

/// A parameter towards the backend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceParameter {
    /// Name towards the backend.
    pub service_parameter_name: String,
    /// `Head`, `Query`, `Path` or `Body`.
    pub location: String,
    /// As in [`RequestParameter::parameter_type`].
    pub parameter_type: String,
    /// `REQUEST`, `CONSTANT` or `SYSTEM`; only in requests, the answer is split by it.
    #[serde(skip_serializing)]
    pub parameter_catalog: String,
}

/// Which request parameter feeds which service parameter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceParameterMap {
    /// [`RequestParameter::api_parameter_name`].
    pub request_parameter_name: String,
    /// [`ServiceParameter::service_parameter_name`].
    pub service_parameter_name: String,
}

/// A fixed value towards the backend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConstantParameter {
    /// Name towards the backend.
    pub service_parameter_name: String,
    /// `Head` or `Query`.
    pub location: String,
    /// The value.
    pub constant_value: String,
    /// Documentation.
    pub description: String,
}

/// A value known to the gateway, handed to the backend.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SystemParameter {
    /// Name of the value, such as `CaClientIp`.
    pub parameter_name: String,
    /// Name towards the backend.
    pub service_parameter_name: String,
    /// `Head` or `Query`.
    pub location: String,
    /// Documentation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub demo_value: String,
    /// Documentation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A documented error answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorCodeSample {
    /// Code of the backend.
    pub code: String,
    /// Its message.
    pub message: String,
    /// Its meaning.
    pub description: String,
    /// Model of the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
}
