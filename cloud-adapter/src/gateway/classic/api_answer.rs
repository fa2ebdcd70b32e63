//! `DescribeApi` and `DescribeDeployedApi` as they come. The deployed form lacks some members
//! (`AppCodeAuthType`, `WebSocketApiType`, `ContentTypeCatagory`, `VpcScheme`, …), so all of those
//! are optional.

use serde::Deserialize;
use serde_json::Value;

use super::tags::Tags;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ApiAnswer {
    /// Why the answer could not be read, in place of all the rest.
    #[serde(skip)]
    pub(super) unreadable: Option<String>,
    pub(super) api_name: String,
    pub(super) description: String,
    pub(super) visibility: String,
    pub(super) auth_type: String,
    pub(super) app_code_auth_type: Option<String>,
    pub(super) allow_signature_method: String,
    pub(super) disable_internet: bool,
    pub(super) force_nonce_check: bool,
    pub(super) web_socket_api_type: String,
    pub(super) backend_enable: bool,
    pub(super) result_sample: String,
    pub(super) request_config: RequestConfig,
    pub(super) service_config: ServiceConfig,
    pub(super) request_parameters: RequestParameters,
    pub(super) service_parameters: ServiceParameters,
    pub(super) constant_parameters: ConstantParameters,
    pub(super) system_parameters: SystemParameters,
    pub(super) custom_system_parameters: CustomSystemParameters,
    /// Of `DescribeApi` only, as are the next two.
    pub(super) modified_time: String,
    pub(super) deployed_infos: DeployedInfos,
    pub(super) tag_list: Tags,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DeployedInfos {
    pub(super) deployed_info: Vec<DeployedInfo>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DeployedInfo {
    pub(super) stage_name: String,
    pub(super) deployed_status: String,
    pub(super) effective_version: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RequestConfig {
    pub(super) request_protocol: String,
    pub(super) request_http_method: String,
    pub(super) request_path: String,
    pub(super) request_mode: String,
    pub(super) body_format: String,
    pub(super) escape_path_param: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ServiceConfig {
    pub(super) service_protocol: String,
    pub(super) service_http_method: String,
    pub(super) service_path: String,
    pub(super) service_timeout: u32,
    pub(super) content_type_catagory: String,
    pub(super) mock: String,
    pub(super) service_vpc_enable: String,
    pub(super) vpc_config: VpcConfig,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct VpcConfig {
    pub(super) name: String,
    pub(super) vpc_scheme: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RequestParameters {
    pub(super) request_parameter: Vec<RequestParameter>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RequestParameter {
    pub(super) api_parameter_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ServiceParameters {
    pub(super) service_parameter: Vec<ServiceParameter>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ServiceParameter {
    pub(super) service_parameter_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ConstantParameters {
    pub(super) constant_parameter: Vec<ConstantParameter>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ConstantParameter {
    pub(super) service_parameter_name: String,
    pub(super) location: String,
    pub(super) constant_value: String,
}

impl ConstantParameter {
    /// Whether this is the Host towards the backend.
    pub(super) fn is_host(&self) -> bool {
        let location = &self.location;
        (location.eq_ignore_ascii_case("HEAD") || location.eq_ignore_ascii_case("HEADER"))
            && self.service_parameter_name.eq_ignore_ascii_case("host")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SystemParameters {
    pub(super) system_parameter: Vec<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct CustomSystemParameters {
    pub(super) custom_system_parameter: Vec<Value>,
}
