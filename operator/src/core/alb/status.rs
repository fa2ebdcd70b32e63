//! The status of a Knative Ingress as Knative's own controllers write it: all of it in one write,
//! `Ready` only for the generation that is served, one address in each list.

use crds::v1alpha1::Reason;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::kingress::KIngress;
use super::refusal::Refusal;

/// Condition: the load balancers were told.
const NETWORK: &str = "NetworkConfigured";
/// Condition: the load balancers do it.
const LOAD_BALANCER: &str = "LoadBalancerReady";
/// Condition: summary.
const READY: &str = "Ready";
/// Condition that `Ready` does not depend on: every host is served.
const ALL_HOSTS: &str = "AllHostsServed";

/// Where a Knative Ingress stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What was told to the load balancers.
    pub told: Told,
    /// Address of the public load balancer.
    pub public: Option<Address>,
    /// Address of the private load balancer.
    pub private: Option<Address>,
    /// Hosts that are not served.
    pub left_out: Vec<String>,
}

/// Where a load balancer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its own name.
    pub domain: String,
    /// Name of a Service of the cluster that leads to it.
    pub internal: Option<String>,
}

impl Address {
    fn entry(&self) -> Value {
        let mut entry = json!({"domain": self.domain});
        if let Some(internal) = &self.internal {
            entry["domainInternal"] = json!(internal);
        }
        entry
    }
}

/// What was told to the load balancers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing new, since it cannot be served as it is.
    Refused(Refusal),
    /// Everything, and they do not do it yet. With the words of their controller if it failed.
    Waiting(Option<String>),
    /// Everything, and they do it.
    Served,
}

impl Refusal {
    /// Whether it passes when something else comes.
    pub fn waits(&self) -> bool {
        matches!(
            self.reason,
            Reason::ServiceNotFound
                | Reason::ServiceInvalid
                | Reason::SecretNotFound
                | Reason::Pending
                | Reason::PermissionDenied
                | Reason::InternalError
        )
    }
}

/// The new status.
pub fn status(ingress: &KIngress, standing: &Standing, now: Timestamp) -> Value {
    let mut status = match &ingress.status {
        Value::Object(status) => status.clone(),
        _ => Map::new(),
    };
    status.insert(
        "observedGeneration".to_owned(),
        json!(ingress.metadata.generation),
    );
    let mut conditions = match status.remove("conditions") {
        Some(Value::Array(conditions)) => conditions,
        _ => Vec::new(),
    };
    let (network, load_balancer) = judge(&standing.told);
    let ready = if network["status"] == "True" {
        load_balancer.clone()
    } else {
        network.clone()
    };
    set(&mut conditions, NETWORK, network, now);
    set(&mut conditions, LOAD_BALANCER, load_balancer, now);
    set(&mut conditions, READY, ready, now);
    if standing.left_out.is_empty() {
        conditions.retain(|condition| condition["type"] != ALL_HOSTS);
    } else {
        let message = format!(
            "Not served under the short names {}, which ALB does not take: its hosts end in a label of letters. The longer names are served.",
            standing.left_out.join(", ")
        );
        let said = json!({"status": "False", "severity": "Info", "reason": "Unsupported", "message": message});
        set(&mut conditions, ALL_HOSTS, said, now);
    }
    conditions.sort_by_key(|condition| condition["type"].as_str().map(str::to_owned));
    status.insert("conditions".to_owned(), Value::from(conditions));
    // One that is only here or there is reached in both ways.
    let any = standing.public.as_ref().or(standing.private.as_ref());
    let any = any.filter(|_| standing.told == Told::Served);
    for (list, address) in [
        ("publicLoadBalancer", standing.public.as_ref().or(any)),
        ("privateLoadBalancer", standing.private.as_ref().or(any)),
    ] {
        // An address stays while the load balancer is changed.
        if let Some(address) = address {
            status.insert(list.to_owned(), json!({"ingress": [address.entry()]}));
        }
    }
    Value::Object(status)
}

fn judge(told: &Told) -> (Value, Value) {
    let good = json!({"status": "True"});
    let waiting = json!({
        "status": "Unknown",
        "reason": "Uninitialized",
        "message": "Waiting for load balancer to be ready",
    });
    match told {
        Told::Served => (good.clone(), good),
        Told::Waiting(None) => (good, waiting),
        Told::Waiting(Some(words)) => {
            let failed = json!({"status": "False", "reason": Reason::IngressFailed.as_str(), "message": words});
            (good, failed)
        }
        Told::Refused(refusal) => {
            let status = if refusal.waits() { "Unknown" } else { "False" };
            let said = json!({"status": status, "reason": refusal.reason.as_str(), "message": refusal.message});
            (said, waiting)
        }
    }
}

/// The time moves only when something else does.
fn set(conditions: &mut Vec<Value>, name: &str, mut said: Value, now: Timestamp) {
    said["type"] = json!(name);
    let known = conditions.iter_mut().find(|known| known["type"] == name);
    let moved = |known: &Value| {
        let mut known = known.clone();
        if let Value::Object(known) = &mut known {
            known.remove("lastTransitionTime");
        }
        known != said
    };
    match known {
        Some(known) if !moved(known) => {}
        known => {
            let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            said["lastTransitionTime"] = json!(now);
            match known {
                Some(known) => *known = said,
                None => conditions.push(said),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ingress(generation: i64, status: Value) -> KIngress {
        let mut ingress = KIngress {
            status,
            ..KIngress::default()
        };
        ingress.metadata.generation = Some(generation);
        ingress
    }

    fn standing(told: Told) -> Standing {
        Standing {
            told,
            public: Some(Address {
                domain: "alb-1.example.com".to_owned(),
                internal: None,
            }),
            private: None,
            left_out: Vec::new(),
        }
    }

    fn of<'a>(status: &'a Value, name: &str) -> &'a Value {
        let conditions = status["conditions"].as_array().unwrap();
        conditions.iter().find(|one| one["type"] == name).unwrap()
    }

    #[test]
    fn what_is_served_is_ready_with_one_address_in_each_list() {
        let served = standing(Told::Served);
        let status = status(&ingress(3, Value::Null), &served, at(0));
        assert_eq!(status["observedGeneration"], 3);
        for name in ["Ready", "NetworkConfigured", "LoadBalancerReady"] {
            let wanted = json!({"type": name, "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"});
            assert_eq!(*of(&status, name), wanted);
        }
        for list in ["publicLoadBalancer", "privateLoadBalancer"] {
            assert_eq!(
                status[list],
                json!({"ingress": [{"domain": "alb-1.example.com"}]})
            );
        }
        assert!(ingress(3, status.clone()).is_ready());
        assert!(!ingress(4, status).is_ready());
    }

    #[test]
    fn a_service_that_leads_to_a_load_balancer_is_told_beside_its_own_name() {
        let mut served = standing(Told::Served);
        let private = Address {
            domain: "alb-2.example.com".to_owned(),
            internal: Some("alb.ingress.svc.cluster.local".to_owned()),
        };
        served.private = Some(private);
        let first = status(&ingress(1, Value::Null), &served, at(0));
        assert_eq!(
            first["privateLoadBalancer"]["ingress"],
            json!([{"domain": "alb-2.example.com", "domainInternal": "alb.ingress.svc.cluster.local"}])
        );
        assert_eq!(
            first["publicLoadBalancer"]["ingress"],
            json!([{"domain": "alb-1.example.com"}])
        );
    }

    #[test]
    fn nothing_moves_while_nothing_changes() {
        let first = status(&ingress(1, Value::Null), &standing(Told::Served), at(0));
        let second = status(&ingress(1, first.clone()), &standing(Told::Served), at(9));
        assert_eq!(first, second);
        let third = status(
            &ingress(2, second.clone()),
            &standing(Told::Waiting(None)),
            at(9),
        );
        assert_eq!(
            of(&third, "NetworkConfigured"),
            of(&first, "NetworkConfigured")
        );
        assert_eq!(of(&third, "Ready")["status"], "Unknown");
        assert_eq!(of(&third, "Ready")["reason"], "Uninitialized");
        assert_eq!(
            of(&third, "Ready")["lastTransitionTime"],
            "1970-01-01T00:00:09Z"
        );
    }

    #[test]
    fn a_refusal_is_told_and_the_address_stays() {
        let first = status(&ingress(1, Value::Null), &standing(Told::Served), at(0));
        let refusal = Refusal::unsupported("no.".to_owned());
        let refused = Standing {
            public: None,
            ..standing(Told::Refused(refusal))
        };
        let second = status(&ingress(2, first), &refused, at(1));
        for name in ["Ready", "NetworkConfigured"] {
            let said = of(&second, name);
            assert_eq!(
                (&said["status"], &said["reason"], &said["message"]),
                (&json!("False"), &json!("Unsupported"), &json!("no."))
            );
        }
        assert_eq!(
            second["publicLoadBalancer"]["ingress"][0]["domain"],
            "alb-1.example.com"
        );
        assert_eq!(second["observedGeneration"], 2);
    }

    #[test]
    fn the_controller_s_words_are_told() {
        let failed = standing(Told::Waiting(Some("FailedBuildModel: x".to_owned())));
        let status = status(&ingress(1, Value::Null), &failed, at(0));
        assert_eq!(of(&status, "Ready")["reason"], "IngressFailed");
        assert_eq!(
            of(&status, "LoadBalancerReady")["message"],
            "FailedBuildModel: x"
        );
    }

    #[test]
    fn names_that_are_left_out_are_told_without_hurting_ready() {
        let some = Standing {
            left_out: vec!["hello.team-1".to_owned()],
            ..standing(Told::Served)
        };
        let first = status(&ingress(1, Value::Null), &some, at(0));
        assert_eq!(of(&first, "Ready")["status"], "True");
        assert_eq!(of(&first, "AllHostsServed")["severity"], "Info");
        assert!(
            of(&first, "AllHostsServed")["message"]
                .as_str()
                .unwrap()
                .contains("hello.team-1")
        );
        let second = status(&ingress(1, first), &standing(Told::Served), at(1));
        assert_eq!(second["conditions"].as_array().unwrap().len(), 3);
    }
}
