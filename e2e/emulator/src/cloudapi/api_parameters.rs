//! How the parameters of an API definition hang together: request parameters, service parameters
//! and the map between them, constants and system values split off.
//!
//! A constant is expressed in either of two ways: as the explicit list `ConstantParameters`, or as
//! a service parameter of catalogue `CONSTANT` that is mapped to a request parameter whose default
//! value is the constant (what Terraform sends). `DescribeApi` always answers with the split lists.

use super::api_model::{
    ConstantParameter, RequestParameter, ServiceParameter, ServiceParameterMap, SystemParameter,
};
use super::errors;
use crate::api::ApiError;

/// Values that the gateway knows and can hand to a backend (CloudAPI `DescribeSystemParameters`).
pub(super) const SYSTEM_NAMES: [&str; 15] = [
    "CaClientIp",
    "CaDomain",
    "CaRequestHandleTime",
    "CaAppId",
    "CaAppKey",
    "CaAppExtendInfo",
    "CaRequestId",
    "CaHttpSchema",
    "CaProxy",
    "CaApiName",
    "CaClientUa",
    "CaCloudMarketInstanceId",
    "CaStage",
    "CaInstanceId",
    "CaSourceVpcId",
];

/// All lists of parameters of one definition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parameters {
    pub(super) request: Vec<RequestParameter>,
    pub(super) service: Vec<ServiceParameter>,
    pub(super) map: Vec<ServiceParameterMap>,
    pub(super) constant: Vec<ConstantParameter>,
    pub(super) system: Vec<SystemParameter>,
}

impl Parameters {
    /// Splits off constants and system values, makes spelling uniform and checks the map.
    /// `mapping` says whether the request mode maps parameters at all.
    pub(super) fn normalised(mut self, mapping: bool) -> Result<Self, ApiError> {
        for parameter in std::mem::take(&mut self.service) {
            match parameter.parameter_catalog.to_ascii_uppercase().as_str() {
                "CONSTANT" => {
                    let source = self.take_source(&parameter)?;
                    self.constant.push(ConstantParameter {
                        service_parameter_name: parameter.service_parameter_name,
                        location: parameter.location,
                        constant_value: source.default_value,
                        description: source.description,
                    });
                }
                "SYSTEM" => {
                    let source = self.take_source(&parameter)?;
                    self.system.push(SystemParameter {
                        parameter_name: source.api_parameter_name,
                        service_parameter_name: parameter.service_parameter_name,
                        location: parameter.location,
                        demo_value: source.demo_value,
                        description: source.description,
                    });
                }
                "" | "REQUEST" => self.service.push(parameter),
                other => {
                    return Err(errors::invalid(
                        "ParameterCatalog",
                        &format!("\"{other}\" is none of REQUEST, CONSTANT, SYSTEM"),
                    ));
                }
            }
        }
        self.uniform()?;
        if mapping {
            self.check_map()?;
        }
        Ok(self)
    }

    /// The request parameter that stands for a constant or a system value; it and its map entry go.
    fn take_source(&mut self, parameter: &ServiceParameter) -> Result<RequestParameter, ApiError> {
        let name = &parameter.service_parameter_name;
        let unmapped = || {
            errors::mapping(&format!(
                "service parameter \"{name}\" is not in ServiceParametersMap"
            ))
        };
        let at = self
            .map
            .iter()
            .position(|entry| entry.service_parameter_name == *name)
            .ok_or_else(unmapped)?;
        let entry = self.map.remove(at);
        let wanted = &entry.request_parameter_name;
        let at = self
            .request
            .iter()
            .position(|p| p.api_parameter_name == *wanted)
            .ok_or_else(|| {
                errors::mapping(&format!(
                    "\"{wanted}\" of ServiceParametersMap is not in RequestParameters"
                ))
            })?;
        Ok(self.request.remove(at))
    }

    fn uniform(&mut self) -> Result<(), ApiError> {
        for parameter in &mut self.request {
            require("ApiParameterName", &parameter.api_parameter_name)?;
            parameter.location = location(&parameter.location)?;
            parameter.parameter_type = parameter_type(&parameter.parameter_type)?;
            parameter.required = required(&parameter.required)?;
        }
        for parameter in &mut self.service {
            require("ServiceParameterName", &parameter.service_parameter_name)?;
            parameter.location = location(&parameter.location)?;
            parameter.parameter_type = parameter_type(&parameter.parameter_type)?;
        }
        for parameter in &mut self.constant {
            require("ServiceParameterName", &parameter.service_parameter_name)?;
            require("ConstantValue", &parameter.constant_value)?;
            parameter.location = head_or_query(&parameter.location)?;
        }
        for parameter in &mut self.system {
            require("ServiceParameterName", &parameter.service_parameter_name)?;
            if !SYSTEM_NAMES.contains(&parameter.parameter_name.as_str()) {
                return Err(errors::invalid(
                    "SystemParameter",
                    &format!("\"{}\" is no system parameter", parameter.parameter_name),
                ));
            }
            parameter.location = head_or_query(&parameter.location)?;
        }
        unique(
            "ApiParameterName",
            self.request
                .iter()
                .map(|p| (&p.api_parameter_name, &p.location)),
        )?;
        let service = self
            .service
            .iter()
            .map(|p| (&p.service_parameter_name, &p.location));
        let constant = self
            .constant
            .iter()
            .map(|p| (&p.service_parameter_name, &p.location));
        let system = self
            .system
            .iter()
            .map(|p| (&p.service_parameter_name, &p.location));
        unique(
            "ServiceParameterName",
            service.chain(constant).chain(system),
        )
    }

    fn check_map(&self) -> Result<(), ApiError> {
        for entry in &self.map {
            if !self
                .request
                .iter()
                .any(|p| p.api_parameter_name == entry.request_parameter_name)
            {
                return Err(errors::mapping(&format!(
                    "\"{}\" is not in RequestParameters",
                    entry.request_parameter_name
                )));
            }
            if !self
                .service
                .iter()
                .any(|p| p.service_parameter_name == entry.service_parameter_name)
            {
                return Err(errors::mapping(&format!(
                    "\"{}\" is not in ServiceParameters",
                    entry.service_parameter_name
                )));
            }
        }
        for parameter in &self.request {
            if !self
                .map
                .iter()
                .any(|entry| entry.request_parameter_name == parameter.api_parameter_name)
            {
                return Err(errors::mapping(&format!(
                    "request parameter \"{}\" is not mapped",
                    parameter.api_parameter_name
                )));
            }
        }
        for parameter in &self.service {
            if !self
                .map
                .iter()
                .any(|entry| entry.service_parameter_name == parameter.service_parameter_name)
            {
                return Err(errors::mapping(&format!(
                    "service parameter \"{}\" is not mapped",
                    parameter.service_parameter_name
                )));
            }
        }
        Ok(())
    }
}

fn require(noun: &str, value: &str) -> Result<(), ApiError> {
    if value.is_empty() {
        Err(errors::missing(noun))
    } else {
        Ok(())
    }
}

fn unique<'a>(
    noun: &str,
    names: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<(), ApiError> {
    let mut seen = std::collections::BTreeSet::new();
    for (name, location) in names {
        let key = if location == "Head" {
            name.to_ascii_lowercase()
        } else {
            name.clone()
        };
        if !seen.insert((key, location.clone())) {
            return Err(errors::repeated(noun, name));
        }
    }
    Ok(())
}

fn location(text: &str) -> Result<String, ApiError> {
    let known = match text.to_ascii_uppercase().as_str() {
        "HEAD" => "Head",
        "QUERY" => "Query",
        "PATH" => "Path",
        "BODY" => "Body",
        _ => {
            return Err(errors::invalid(
                "Location",
                &format!("\"{text}\" is none of HEAD, QUERY, PATH, BODY"),
            ));
        }
    };
    Ok(known.to_owned())
}

fn head_or_query(text: &str) -> Result<String, ApiError> {
    match location(text)?.as_str() {
        known @ ("Head" | "Query") => Ok(known.to_owned()),
        other => Err(errors::invalid(
            "Location",
            &format!("{other} is allowed for request parameters only"),
        )),
    }
}

fn parameter_type(text: &str) -> Result<String, ApiError> {
    const KNOWN: [&str; 8] = [
        "String", "Int", "Long", "Float", "Double", "Boolean", "File", "Array",
    ];
    if text.is_empty() {
        return Ok("String".to_owned());
    }
    KNOWN
        .iter()
        .find(|known| known.eq_ignore_ascii_case(text))
        .map(|known| (*known).to_owned())
        .ok_or_else(|| {
            errors::invalid(
                "ParameterType",
                &format!("\"{text}\" is none of {}", KNOWN.join(", ")),
            )
        })
}

fn required(text: &str) -> Result<String, ApiError> {
    match text.to_ascii_uppercase().as_str() {
        known @ ("REQUIRED" | "OPTIONAL") => Ok(known.to_owned()),
        "" => Ok("OPTIONAL".to_owned()),
        _ => Err(errors::invalid(
            "Required",
            &format!("\"{text}\" is neither REQUIRED nor OPTIONAL"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json_text;
    use super::*;

    /// The bytes Terraform sends for one request, one constant and one system parameter.
    fn terraform() -> Parameters {
        let request = r#"[{"parameterType":"STRING","name":"name","apiParameterName":"name","description":"who","location":"QUERY","required":"OPTIONAL","defaultValue":"world"},
            {"parameterType":"String","name":"Host","apiParameterName":"Host","description":"","location":"HEAD","required":"REQUIRED","defaultValue":"hello.default.example.com"},
            {"parameterType":"String","name":"CaClientIp","apiParameterName":"CaClientIp","description":"","location":"HEAD","required":"REQUIRED","defaultValue":""}]"#;
        let service = r#"[{"serviceParameterName":"name","location":"QUERY","parameterType":"STRING","parameterCatalog":"REQUEST"},
            {"serviceParameterName":"Host","location":"HEAD","parameterType":"","parameterCatalog":"CONSTANT"},
            {"serviceParameterName":"X-Client-Ip","location":"HEAD","parameterType":"String","parameterCatalog":"SYSTEM"}]"#;
        let map = r#"[{"requestParameterName":"name","serviceParameterName":"name"},{"requestParameterName":"Host","serviceParameterName":"Host"},{"requestParameterName":"CaClientIp","serviceParameterName":"X-Client-Ip"}]"#;
        Parameters {
            request: json_text::list("RequestParameters", Some(request)).unwrap(),
            service: json_text::list("ServiceParameters", Some(service)).unwrap(),
            map: json_text::list("ServiceParametersMap", Some(map)).unwrap(),
            ..Parameters::default()
        }
    }

    #[test]
    fn constants_and_system_values_are_split_off() {
        let split = terraform().normalised(true).unwrap();
        assert_eq!(split.request.len(), 1);
        assert_eq!(split.request[0].location, "Query");
        assert_eq!(split.map.len(), 1);
        assert_eq!(split.constant[0].service_parameter_name, "Host");
        assert_eq!(
            split.constant[0].constant_value,
            "hello.default.example.com"
        );
        assert_eq!(split.constant[0].location, "Head");
        assert_eq!(split.system[0].parameter_name, "CaClientIp");
        assert_eq!(split.system[0].service_parameter_name, "X-Client-Ip");
    }

    #[test]
    fn both_forms_of_a_constant_are_one() {
        let mut explicit = terraform();
        explicit.request.remove(1);
        explicit.service.remove(1);
        explicit.map.remove(1);
        let text = r#"[{"serviceParameterName":"Host","location":"HEAD","constantValue":"hello.default.example.com"}]"#;
        explicit.constant = json_text::list("ConstantParameters", Some(text)).unwrap();
        assert_eq!(
            explicit.normalised(true).unwrap(),
            terraform().normalised(true).unwrap()
        );
    }

    #[test]
    fn an_incomplete_map_is_refused_unless_passed_through() {
        let mut unmapped = terraform();
        unmapped.map.remove(0);
        assert_eq!(
            unmapped.clone().normalised(true).unwrap_err().code,
            "InvalidParamMapping"
        );
        assert!(unmapped.normalised(false).is_ok());
        let mut constant = terraform();
        constant.map.remove(1);
        assert_eq!(
            constant.normalised(true).unwrap_err().code,
            "InvalidParamMapping"
        );
    }

    #[test]
    fn unknown_spellings_are_refused() {
        let mut wrong = terraform();
        wrong.request[0].location = "COOKIE".to_owned();
        assert_eq!(wrong.normalised(true).unwrap_err().code, "InvalidLocation");
        let mut wrong = terraform();
        wrong.request[2].api_parameter_name = "CaNothing".to_owned();
        wrong.map[2].request_parameter_name = "CaNothing".to_owned();
        assert_eq!(
            wrong.normalised(true).unwrap_err().code,
            "InvalidSystemParameter"
        );
        let mut twice = terraform();
        twice.constant.push(ConstantParameter {
            service_parameter_name: "host".to_owned(),
            location: "HEAD".to_owned(),
            constant_value: "x".to_owned(),
            ..ConstantParameter::default()
        });
        assert_eq!(
            twice.normalised(true).unwrap_err().code,
            "RepeatedServiceParameterName"
        );
    }
}
