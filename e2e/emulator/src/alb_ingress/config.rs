//! The spec of an AlbConfig as it comes out of the controller's structures: what those do not know is
//! lost, and what they have is written, be it empty.

use serde_json::{Map, Value, json};

/// A spec after a round trip through the controller.
pub(super) fn round_trip(spec: &Value) -> Value {
    json!({
        "config": spec.get("config").filter(|config| config.is_object()).map(config),
        "listeners": list(spec, "listeners", listener),
    })
}

fn list(object: &Value, name: &str, each: fn(&Value) -> Value) -> Value {
    match object.get(name) {
        Some(Value::Array(items)) => Value::Array(items.iter().map(each).collect()),
        _ => Value::Null,
    }
}

/// The members of a structure, each with what it is if nobody wrote it.
fn filled(object: &Value, members: &[(&str, Value)]) -> Value {
    let members = members.iter().map(|(name, zero)| {
        let there = object.get(*name).filter(|value| !value.is_null());
        ((*name).to_owned(), there.unwrap_or(zero).clone())
    });
    Value::Object(members.collect::<Map<String, Value>>())
}

fn inner(object: &Value, name: &str, members: &[(&str, Value)]) -> Value {
    filled(object.get(name).unwrap_or(&Value::Null), members)
}

fn texts<const N: usize>(names: [&str; N]) -> [(&str, Value); N] {
    names.map(|name| (name, json!("")))
}

fn config(object: &Value) -> Value {
    let mut config = filled(
        object,
        &texts([
            "id",
            "name",
            "addressAllocatedMode",
            "addressType",
            "ipv6AddressType",
            "addressIpVersion",
            "resourceGroupId",
            "edition",
        ]),
    );
    for name in [
        "deletionProtectionEnabled",
        "forceOverride",
        "listenerForceOverride",
    ] {
        config[name] = object.get(name).cloned().unwrap_or_default();
    }
    config["zoneMappings"] = list(object, "zoneMappings", |zone| {
        filled(
            zone,
            &texts(["vSwitchId", "zoneId", "allocationId", "eipType"]),
        )
    });
    config["tags"] = list(object, "tags", |tag| filled(tag, &texts(["key", "value"])));
    let log = texts(["logStore", "logProject"]);
    config["accessLogConfig"] = inner(object, "accessLogConfig", &log);
    let protection = texts(["reason", "status"]);
    config["modificationProtectionConfig"] =
        inner(object, "modificationProtectionConfig", &protection);
    let mut billing = texts(["internetChargeType", "payType", "bandWidthPackageId"]).to_vec();
    billing.push(("internetBandwidth", json!(0)));
    config["billingConfig"] = inner(object, "billingConfig", &billing);
    config
}

fn listener(object: &Value) -> Value {
    let mut listener = filled(
        object,
        &[
            ("gzipEnabled", Value::Null),
            ("http2Enabled", Value::Null),
            ("defaultActions", Value::Null),
            ("port", json!(0)),
            ("protocol", json!("")),
            ("securityPolicyId", json!("")),
            ("idleTimeout", json!(0)),
            ("requestTimeout", json!(0)),
            ("loadBalancerId", json!("")),
            ("description", json!("")),
            ("caEnabled", json!(false)),
        ],
    );
    let certificate = |certificate: &Value| {
        filled(
            certificate,
            &[("IsDefault", json!(false)), ("CertificateId", json!(""))],
        )
    };
    listener["certificates"] = list(object, "certificates", certificate);
    listener["caCertificates"] = list(object, "caCertificates", certificate);
    let quic = [
        ("quicUpgradeEnabled", json!(false)),
        ("quicListenerId", json!("")),
    ];
    listener["quicConfig"] = inner(object, "quicConfig", &quic);
    listener["aclConfig"] = inner(
        object,
        "aclConfig",
        &[
            ("aclName", json!("")),
            ("aclType", json!("")),
            ("aclEntries", Value::Null),
            ("aclIds", Value::Null),
        ],
    );
    let mut log = inner(
        object,
        "logConfig",
        &[("accessLogRecordCustomizedHeadersEnabled", json!(false))],
    );
    log["accessLogTracingConfig"] = inner(
        object.get("logConfig").unwrap_or(&Value::Null),
        "accessLogTracingConfig",
        &[
            ("tracingSample", json!(0)),
            ("tracingType", json!("")),
            ("tracingEnabled", json!(false)),
        ],
    );
    listener["logConfig"] = log;
    listener["xForwardedForConfig"] = forwarded(object);
    listener
}

fn forwarded(object: &Value) -> Value {
    let certificate = ["ClientVerify", "Fingerprint", "IssuerDN", "SubjectDN"];
    let mut members: Vec<(String, Value)> = Vec::new();
    for part in certificate {
        let name = format!("XForwardedForClientCert{part}");
        // The product has no alias of the subject's that the structure lacks.
        members.push((format!("{name}Alias"), json!("")));
        members.push((format!("{name}Enabled"), json!(false)));
    }
    for part in ["Proto", "SLBId", "ClientSrcPort", "", "SLBPort"] {
        members.push((format!("XForwardedFor{part}Enabled"), json!(false)));
    }
    let members: Vec<(&str, Value)> = members
        .iter()
        .map(|(name, zero)| (name.as_str(), zero.clone()))
        .collect();
    inner(object, "xForwardedForConfig", &members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_fills_in_what_is_empty_and_loses_what_is_unknown() {
        let spec = json!({
            "config": {"name": "n", "zoneMappings": [{"vSwitchId": "a"}], "unknown": 1},
            "listeners": [{"port": 80, "protocol": "HTTP"}],
        });
        let after = round_trip(&spec);
        assert_eq!(after["config"]["name"], "n");
        assert_eq!(after["config"]["edition"], "");
        assert_eq!(after["config"]["tags"], Value::Null);
        assert_eq!(after["config"]["zoneMappings"][0]["zoneId"], "");
        assert_eq!(after["config"].get("unknown"), None);
        assert_eq!(after["listeners"][0]["aclConfig"]["aclIds"], Value::Null);
        assert_eq!(round_trip(&after), after);
    }
}
