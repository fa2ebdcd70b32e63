//! Pieces of schema that the derived ones cannot express: bounds for Kubernetes' own types.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A DNS label, the form of every `name` that a user gives to an entry of a list.
pub(crate) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A DNS subdomain, the form of most Kubernetes object names.
pub(crate) const DNS_SUBDOMAIN: &str =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// A key of a Secret.
pub(crate) const SECRET_KEY: &str = "^[-._a-zA-Z0-9]+$";

/// An absolute path of a URL, without query, placeholders and wildcards.
pub(crate) const URL_PATH: &str = "^/[A-Za-z0-9/._~!$&'()+,;=:@%-]*$";

/// An Alibaba Cloud region or zone id, such as `cn-beijing` or `cn-beijing-g`.
pub(crate) const REGION_OR_ZONE: &str = "^[a-z]{2}-[a-z0-9]+(-[a-z0-9]+)*$";

/// A SHA-256 as hashes of plans are written.
pub(crate) const SHA256: &str = "^sha256:[0-9a-f]{64}$";

/// A time with zone as RFC 3339 has it. The API server's own `date-time` is laxer.
const RFC_3339: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// A point in time.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 35, "pattern": RFC_3339})
}

/// A length of time, in the form of the Gateway API.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 32, "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"})
}

/// A length of time in whole seconds, within bounds.
pub(crate) fn seconds(least: &str, most: &str) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "pattern": "^([0-9]{1,5}(h|m|s)){1,3}$",
        "x-kubernetes-validations": [{
            "rule": format!("duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"),
            "message": format!("must be between {least} and {most}"),
            "reason": "FieldValueInvalid",
        }],
    })
}

/// A `LabelSelector` that is bounded and says something: an empty one would select everything.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that must be there with these values. All of them must hold. Example: {tenant: payments}.",
                "type": "object",
                "minProperties": 1,
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "Requirements on labels. All of them must hold.",
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label's key.",
                            "type": "string", "minLength": 1, "maxLength": 317,
                        },
                        "operator": {
                            "description": "How the label relates to the values: In, NotIn, Exists or DoesNotExist.",
                            "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values for In and NotIn; must be left out for Exists and DoesNotExist.",
                            "type": "array", "maxItems": 32, "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                },
            },
        },
    })
}

/// A list of Kubernetes conditions, with the bounds the API conventions give them.
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What the condition is about: Accepted, ResolvedRefs, Programmed, Verified, Ready, Reconciling or Stalled.",
                    "type": "string", "minLength": 1, "maxLength": 64,
                },
                "status": {
                    "description": "Whether it holds: True, False or Unknown.",
                    "type": "string", "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "Why, in one word of a fixed set.",
                    "type": "string", "minLength": 1, "maxLength": 64,
                },
                "message": {
                    "description": "What is wrong, where, and what to do; empty where there is nothing to say.",
                    "type": "string", "maxLength": 32768,
                },
                "lastTransitionTime": time(generator).into_described("When the status last changed."),
                "observedGeneration": {
                    "description": "The generation of the object that this was said about.",
                    "type": "integer", "format": "int64", "minimum": 0,
                },
            },
        },
    })
}

trait Described {
    fn into_described(self, description: &str) -> serde_json::Value;
}

impl Described for Schema {
    fn into_described(mut self, description: &str) -> serde_json::Value {
        self.insert("description".to_owned(), description.into());
        self.to_value()
    }
}
