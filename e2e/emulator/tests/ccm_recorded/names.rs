//! What two runs call differently is called the same: ids, addresses, tokens, the order of what has
//! none.

use std::collections::BTreeMap;

use serde_json::Value;

/// Parameters that say nothing about what is wanted.
const ENVELOPE: [&str; 10] = [
    "AccessKeyId",
    "Action",
    "Format",
    "RegionId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
];

/// Names of ids and addresses, learnt from the calls that made them.
#[derive(Debug, Default)]
pub struct Names {
    known: Vec<(String, String)>,
    balancers: usize,
}

impl Names {
    /// Starts anew, but for what does not change: `known` pairs of what is said and its name.
    pub fn forget(&mut self) {
        self.known.clear();
        self.balancers = 0;
    }

    /// From now on `said` is called `name`.
    pub fn call(&mut self, said: &str, name: String) {
        if said.is_empty() || self.known.iter().any(|(known, _)| known == said) {
            return;
        }
        self.known.push((said.to_owned(), name));
        // Longer ones first, since one may be the beginning of another.
        self.known
            .sort_by_key(|(said, _)| std::cmp::Reverse(said.len()));
    }

    /// Takes the ids out of the answer of a call.
    pub fn learn(&mut self, sent: &BTreeMap<String, String>, answer: &Value) {
        let param = |name: &str| sent.get(name).map_or("", String::as_str);
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        match param("Action") {
            "CreateLoadBalancer" => {
                let id = [text("LoadBalancerId"), text("LoadbalancerId")].concat();
                if id.is_empty() || self.known.iter().any(|(known, _)| *known == id) {
                    return;
                }
                self.balancers += 1;
                let name = format!("lb-{}", self.balancers);
                self.call(text("Address"), format!("<address of {name}>"));
                self.call(text("DNSName"), format!("<host of {name}>"));
                self.call(&id, name);
            }
            "CreateVServerGroup" => {
                let name = self.plain(param("VServerGroupName"));
                self.call(text("VServerGroupId"), format!("<group {name}>"));
            }
            "CreateServerGroup" => {
                let name = self.plain(param("ServerGroupName"));
                self.call(text("ServerGroupId"), format!("<group {name}>"));
            }
            "CreateListener" => {
                let name = self.plain(param("ListenerDescription"));
                self.call(text("ListenerId"), format!("<listener {name}>"));
            }
            "CreateDomainExtension" => {
                let name = format!("<extension {}>", param("Domain"));
                self.call(text("DomainExtensionId"), name);
            }
            "CreateAccessControlList" => {
                self.call(text("AclId"), format!("<acl {}>", param("AclName")));
            }
            "GetLoadBalancerAttribute" => {
                let id = self.plain(text("LoadBalancerId"));
                self.call(text("DNSName"), format!("<host of {id}>"));
            }
            _ => {}
        }
        if !text("JobId").is_empty() {
            self.call(text("JobId"), "<job>".to_owned());
        }
    }

    /// A text in which everything has its name.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (said, name) in &self.known {
            text = text.replace(said, name);
        }
        text
    }

    /// The id that goes by a name.
    pub fn id(&self, name: &str) -> Option<&str> {
        let found = self.known.iter().find(|(_, known)| known == name);
        found.map(|(said, _)| said.as_str())
    }
}

fn product(version: &str) -> &str {
    match version {
        "2014-05-15" => "SLB",
        "2022-04-30" => "NLB",
        "2016-04-28" => "VPC",
        other => other,
    }
}

/// A call in one line: `SLB SetLoadBalancerName LoadBalancerId=… LoadBalancerName=… -> ok`.
pub fn call_line(sent: &BTreeMap<String, String>, outcome: &str) -> String {
    let param = |name: &str| sent.get(name).map_or("", String::as_str);
    let mut line = format!("{} {}", product(param("Version")), param("Action"));
    let mut lists: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for (name, value) in sent {
        // The clients of one product send what is empty, those of the others do not.
        if ENVELOPE.contains(&name.as_str()) || name == "Version" || value.is_empty() {
            continue;
        }
        let value = value_of(name, value);
        match list_item(name) {
            Some((list, number, member)) => {
                let item = lists.entry(list).or_default().entry(number).or_default();
                item.push(format!("{member}{value}"));
            }
            None => line.push_str(&format!(" {name}={value}")),
        }
    }
    for (list, items) in lists {
        // No list has an order that means anything.
        let mut items: Vec<String> = items.into_values().map(|item| item.join(",")).collect();
        items.sort();
        line.push_str(&format!(" {list}=[{}]", items.join(" ")));
    }
    format!("{line} -> {outcome}")
}

/// `Tag.1.Key` is member `Key` of item `1` of the list `Tag`.
fn list_item(name: &str) -> Option<(String, String, String)> {
    let mut parts = name.split('.');
    let list = parts.next()?;
    let number = parts.next()?;
    number.parse::<u32>().ok()?;
    let member: Vec<&str> = parts.collect();
    let member = match member.as_slice() {
        [] => String::new(),
        parts => format!("{}:", parts.join(".")),
    };
    Some((list.to_owned(), number.to_owned(), member))
}

fn value_of(name: &str, value: &str) -> String {
    if name == "ClientToken" {
        return "<token>".to_owned();
    }
    if name == "BackendServers"
        && let Ok(Value::Array(servers)) = serde_json::from_str(value)
    {
        let mut servers: Vec<String> = servers
            .into_iter()
            .map(|server| server.to_string())
            .collect();
        servers.sort();
        return format!("[{}]", servers.join(","));
    }
    value.to_owned()
}

/// What a call touches. Calls that touch the same thing stay in their order; others come in the order
/// of what they touch, since the real one makes them at the same time.
pub fn lane(sent: &BTreeMap<String, String>, names: &Names) -> String {
    let param = |name: &str| sent.get(name).filter(|value| !value.is_empty());
    let action = sent.get("Action").map_or("", String::as_str);
    let id = |name: &str| param(name).map(|id| names.plain(id));
    let made = ["VServerGroupName", "ServerGroupName"]
        .iter()
        .find_map(|name| id(name));
    let group = ["VServerGroupId", "ServerGroupId"]
        .iter()
        .find_map(|name| id(name));
    let listener =
        param("ListenerDescription").map(|said| format!("<listener {}>", names.plain(said)));
    let listener = listener
        .or_else(|| id("ListenerId"))
        .or_else(|| id("DomainExtensionId"));
    match (action, made, listener.or_else(|| id("ListenerPort")), group) {
        ("CreateLoadBalancer", ..) => "1".to_owned(),
        ("DeleteLoadBalancer", ..) => "9".to_owned(),
        (_, Some(name), ..) => format!("3 <group {name}>"),
        (_, _, Some(listener), _) => format!("4 {listener}"),
        ("DeleteVServerGroup" | "DeleteServerGroup", _, _, Some(group)) => format!("6 {group}"),
        (_, _, _, Some(group)) => format!("3 {group}"),
        _ => "2".to_owned(),
    }
}
