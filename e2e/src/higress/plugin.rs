//! An object `WasmPlugin` as the controller of Higress reads it.

use serde_json::Value;

use super::schema;

/// Why an object, or a plugin with what it was given, does not do what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Name of the object.
    pub object: String,
    /// What is wrong.
    pub why: String,
}

/// A plugin at work.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    /// Name of the plugin, from its image.
    pub(super) name: String,
    /// Name of the object.
    pub(super) object: String,
    /// Lower ones run first.
    pub(super) order: (u8, i64),
    /// Whether requests are refused if it cannot start.
    pub(super) fail_close: bool,
    /// What it has for all its rules.
    pub(super) shared: Value,
    /// Its rules. The first one that matches counts.
    pub(super) rules: Vec<Rule>,
    /// Whether it could not read what it was given.
    pub(super) broken: bool,
}

/// A rule, and the requests it is for.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    routes: Vec<String>,
    domains: Vec<String>,
    pub(super) config: Value,
}

impl Rule {
    /// Whether it is for a request to this `Host`, exactly as it was sent, of this route.
    pub(super) fn matches(&self, host: &str, route: &str) -> bool {
        self.routes.iter().any(|wanted| wanted == route)
            || self
                .domains
                .iter()
                .any(|domain| domain_matches(domain, host))
    }
}

/// As the matcher in Go does it: letters count, and so does a port.
fn domain_matches(domain: &str, host: &str) -> bool {
    if let Some(suffix) = domain.strip_prefix('*') {
        host.ends_with(suffix)
    } else if let Some(prefix) = domain.strip_suffix('*') {
        host.starts_with(prefix)
    } else {
        domain == host
    }
}

const FIELDS: [&str; 13] = [
    "url",
    "sha256",
    "verificationKey",
    "imagePullSecret",
    "imagePullPolicy",
    "pluginName",
    "phase",
    "priority",
    "failStrategy",
    "defaultConfig",
    "defaultConfigDisable",
    "matchRules",
    "vmConfig",
];

impl Plugin {
    /// Reads an object's spec. What is wrong with it is added to `faults`.
    pub(super) fn read(object: &str, spec: &Value, faults: &mut Vec<Fault>) -> Option<Self> {
        let before = faults.len();
        let mut fault = |why: String| {
            faults.push(Fault {
                object: object.to_owned(),
                why,
            });
        };
        let url = spec.get("url").and_then(Value::as_str).unwrap_or_default();
        let Some(name) = plugin_of(url) else {
            fault(format!("url {url:?} names no plugin"));
            return None;
        };
        for field in spec.as_object().into_iter().flat_map(|spec| spec.keys()) {
            if !FIELDS.contains(&field.as_str()) {
                fault(format!("a WasmPlugin has no field {field}"));
            }
        }
        let phase = match spec.get("phase").and_then(Value::as_str) {
            Some("AUTHN") => 0,
            Some("AUTHZ") => 1,
            Some("STATS") => 2,
            Some("UNSPECIFIED_PHASE") | None => 3,
            Some(other) => {
                fault(format!("there is no phase {other}"));
                3
            }
        };
        let disabled = spec.get("defaultConfigDisable").and_then(Value::as_bool) == Some(true);
        let shared = spec.get("defaultConfig").filter(|_| !disabled);
        if let Some(Err(why)) = shared.map(|config| schema::check_shared(name, config)) {
            fault(format!("defaultConfig: {why}"));
        }
        let mut rules = Vec::new();
        let listed = spec.get("matchRules").and_then(Value::as_array);
        for (index, rule) in listed.into_iter().flatten().enumerate() {
            if rule.get("configDisable").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            let config = rule.get("config").cloned().unwrap_or_default();
            if let Err(why) = schema::check_rule(name, &config) {
                fault(format!("matchRules[{index}]: {why}"));
            }
            let (routes, domains) = (texts(rule, "ingress"), texts(rule, "domain"));
            if routes.is_empty() == domains.is_empty() {
                fault(format!(
                    "matchRules[{index}]: give one of ingress and domain"
                ));
            }
            rules.push(Rule {
                routes,
                domains,
                config,
            });
        }
        Some(Self {
            name: name.to_owned(),
            object: object.to_owned(),
            order: (
                phase,
                -spec
                    .get("priority")
                    .and_then(Value::as_i64)
                    .unwrap_or_default(),
            ),
            fail_close: spec.get("failStrategy").and_then(Value::as_str) != Some("FAIL_OPEN"),
            shared: shared.cloned().unwrap_or_default(),
            rules,
            broken: faults.len() > before,
        })
    }
}

fn plugin_of(url: &str) -> Option<&str> {
    let last = url.rsplit('/').next()?;
    let name = last.split(':').next()?;
    (!name.is_empty()).then_some(name)
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let items = value.get(name).and_then(Value::as_array);
    let items = items.into_iter().flatten().filter_map(Value::as_str);
    items.map(str::to_owned).collect()
}
