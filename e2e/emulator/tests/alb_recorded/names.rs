//! Names in place of ids, which differ from run to run.

use std::collections::BTreeMap;

use alicloud_emulator::alb_ingress::certificate_id;

use super::relay::Call;

/// What an id is written as.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Learns the ids in the answers to calls, and those that the stand-in gives to the certificates in
    /// Secrets, which are given by namespace and name.
    pub(super) fn of(calls: &[Call], secrets: &[(String, String)]) -> Self {
        let mut names = Self::default();
        for (namespace, name) in secrets {
            let id = certificate_id(&format!("{namespace}/{name}"));
            names.put(&id, format!("<certificate {namespace}-{name}>"));
        }
        let mut ingresses: BTreeMap<&str, &str> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.action == "TagResources") {
            let id = call.parameters.get("ResourceId.1");
            let ingress = tag(call, "ingress.k8s.alibaba/ingress_name");
            if let (Some(id), Some(ingress)) = (id, ingress) {
                ingresses.insert(id, ingress);
            }
        }
        for call in calls.iter().filter(|call| call.outcome == "ok") {
            names.learn(call, &ingresses);
        }
        names
    }

    fn learn(&mut self, call: &Call, ingresses: &BTreeMap<&str, &str>) {
        let sent = |name: &str| call.parameters.get(name).map_or("", String::as_str);
        let answered = |name: &str| call.answer[name].as_str().unwrap_or_default();
        match call.action.as_str() {
            "CreateLoadBalancer" => {
                let name = format!("<balancer {}>", sent("LoadBalancerName"));
                self.put(answered("LoadBalancerId"), name);
            }
            "GetLoadBalancerAttribute" => {
                let name = format!("<address of {}>", answered("LoadBalancerName"));
                self.put(answered("DNSName"), name);
            }
            "CreateListener" => {
                let name = format!("<listener {}>", sent("ListenerPort"));
                self.put(answered("ListenerId"), name);
            }
            "CreateServerGroup" => {
                let id = answered("ServerGroupId");
                let of = ingresses.get(id).copied().unwrap_or("no Ingress");
                let name = format!("<{} of {of}>", sent("ServerGroupName"));
                self.put(id, name);
            }
            "CreateRule" => {
                let name = format!("<rule {}>", sent("Priority"));
                self.put(answered("RuleId"), name);
            }
            "CreateRules" => {
                let rules = call.answer["RuleIds"].as_array();
                for rule in rules.into_iter().flatten() {
                    let listener = self.name(sent("ListenerId"));
                    let listener = listener.trim_matches(['<', '>']);
                    let name = format!("<rule {} of {listener}>", rule["Priority"]);
                    self.put(rule["RuleId"].as_str().unwrap_or_default(), name);
                }
            }
            "CreateSSLCertificateWithName" => {
                // Namespace and name of the Secret, and what tells its content.
                if let Some((secret, _content)) = sent("CertName").rsplit_once('-') {
                    let name = format!("<certificate {secret}>");
                    self.put(answered("CertIdentifier"), name);
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, id: &str, name: String) {
        if !id.is_empty() {
            self.0.insert(id.to_owned(), name);
        }
    }

    /// The name of an id, or the id.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// A text with names for all ids in it.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.0 {
            if text.contains(id) {
                text = text.replace(id, name);
            }
        }
        in_order(&text).unwrap_or(text)
    }
}

/// The refusal of two rules at one place, with the two in order: which one the cloud names first follows
/// from their ids. The id of the one that is refused is told, but nobody gets it.
fn in_order(text: &str) -> Option<String> {
    let (before, rest) = text.split_once("There is already ")?;
    let (one, rest) = rest.split_once(" having the same configuration with ")?;
    let (other, after) = rest.split_once('.')?;
    let name = |id| match str::starts_with(id, "rule-") {
        true => "<a refused rule>",
        false => id,
    };
    let (one, other) = (name(one), name(other));
    let (one, other) = (one.min(other), one.max(other));
    Some(format!(
        "{before}There is already {one} having the same configuration with {other}.{after}"
    ))
}

fn tag<'a>(call: &'a Call, key: &str) -> Option<&'a str> {
    let (name, _) = call.parameters.iter().find(|(name, value)| {
        name.starts_with("Tag.") && name.ends_with(".Key") && value.as_str() == key
    })?;
    let name = name.replace(".Key", ".Value");
    call.parameters.get(&name).map(String::as_str)
}
