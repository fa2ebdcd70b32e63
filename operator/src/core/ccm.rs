//! What the cloud controller manager complains about in its Events, in our own words: a reason from the closed
//! set, and what to do. It drops the code of the cloud's error and keeps the message, so messages are what
//! can be told apart.
//!
//! Sources: cloud controller manager v2.14.0, `pkg/controller/helper/event.go` and the messages in its code;
//! the error codes of SLB CreateLoadBalancer (2014-05-15); ACK's documentation, "Service troubleshooting".

use crds::v1alpha1::Reason;

/// Event by which it says that all is as it should be.
pub const ENSURED: &str = "EnsuredLoadBalancer";

/// A Warning Event of it about a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// The reason of the Event.
    pub event: String,
    /// Its message.
    pub message: String,
}

/// Events whose messages tell what is the matter.
const TELLING: [&str; 2] = ["SyncLoadBalancerFailed", "CleanLoadBalancerFailed"];

/// The others, each of which means one thing.
const PLAIN: [(&str, Reason, &str); 9] = [
    ("UnAvailableLoadBalancer", Reason::NoBackends, NO_BACKENDS),
    ("FeatureNotSupported", Reason::Unsupported, UNSUPPORTED),
    ("FailedSetEIPAddress", Reason::EIPNotFound, EIP),
    ("FailedAddFinalizer", Reason::LoadBalancerFailed, CLUSTER),
    ("FailedRemoveFinalizer", Reason::LoadBalancerFailed, CLUSTER),
    ("FailedAddHash", Reason::LoadBalancerFailed, CLUSTER),
    ("FailedRemoveHash", Reason::LoadBalancerFailed, CLUSTER),
    ("FailedUpdateStatus", Reason::LoadBalancerFailed, CLUSTER),
    (
        "FailedUpdateReadinessGate",
        Reason::LoadBalancerFailed,
        CLUSTER,
    ),
];

const NO_BACKENDS: &str = "Look at the nodes and pods behind the gateway's Service: nodes have to be Ready and not excluded from load balancers; with backends.type Pods their addresses have to be of the VPC, and targetPort a number.";
const UNSUPPORTED: &str = "Take what it names out of the gateway's Service.";
const EIP: &str =
    "Bind an elastic address to the load balancer in the console, or remove publishedAddress.";
const CLUSTER: &str =
    "It could not write to the cluster: look at its log and at the rights of its ServiceAccount.";
const FOR_LIFE: &str = "Go back to what the load balancer has, or delete the gateway's Service: a new load balancer has a new address.";
const OTHER_BEFORE: &str = "A Service keeps the load balancer that it has: put the id of that one back, or make another Service.";
const REUSE: &str = "Name another load balancer, one that no cloud controller manager made.";
const LOST: &str = "Somebody deleted it, and it is not made anew: delete the gateway's Service, or correct the id in existing.";
const ANNOTATION: &str = "Correct or remove the annotation of the gateway's Service that it means: until then nothing of that Service is served anew.";
const PRIVATE_ONLY: &str = "This cluster makes no public load balancers (disablePublicSLB): set addressType: Intranet, or ask whoever runs the cluster.";
const PAY: &str = "Top up or settle the account in the console of expenses.";
const FULL: &str = "Name another vswitch with vswitchId (of a network load balancer in zoneMappings), or free addresses in this one.";
const NOT_SOLD: &str = "Choose what is still sold there: billing.instance PayByCLCU, other zones, or another region; an old cloud controller manager has to be updated.";
const NOT_BACK: &str = "Set billing.instance: PayByCLCU, and remove spec, traffic and bandwidthMbps: the cloud does not change that back.";
const CERTIFICATE: &str = "Upload the certificate in the region of the load balancer, or name one that is there and valid in certificate.";
const ACL: &str = "Make the access control list in the region of the load balancer, or correct its id in clientAddresses.";
const PROTECTED: &str = "Switch the protection off in the console if it is meant to go.";
const QUOTA: &str = "Raise the quota in the console, or delete what is not needed. Backends are fewest with externalTrafficPolicy: Local or backends.nodeLabels.";
const RIGHTS: &str = "It means the identity of the cloud controller manager, not that of the operator: grant its role what it asks for.";
const SLOWER: &str = "Nothing has to be done: it tries again by itself.";
const GROUP_IN_USE: &str = "A listener that somebody made in the console uses its server group: delete that listener, or give it another server group.";
const NETWORK: &str = "Name a load balancer of the cluster's VPC.";
const VSWITCH: &str = "Name a vswitch of the cluster's VPC.";

/// What a message has in it, all of it in small letters, and what that means. The first row counts.
#[rustfmt::skip]
const MESSAGES: &[(&[&str], Reason, &str)] = &[
    (&["service has been associated with ip"], Reason::LoadBalancerUnusable, OTHER_BEFORE),
    (&["can not be reused"], Reason::LoadBalancerUnusable, REUSE),
    (&["once created"], Reason::Immutable, FOR_LIFE),
    (&["cannot be changed"], Reason::Immutable, FOR_LIFE),
    (&["find loadbalancer"], Reason::LoadBalancerLost, LOST),
    (&["loadbalancerid does not exist"], Reason::LoadBalancerLost, LOST),
    (&["resourcenotfound.loadbalancer"], Reason::LoadBalancerLost, LOST),
    (&["must be integer"], Reason::AnnotationInvalid, ANNOTATION),
    (&["port protocol format"], Reason::AnnotationInvalid, ANNOTATION),
    (&["parametermissing"], Reason::AnnotationInvalid, ANNOTATION),
    (&["address slb is not allowed"], Reason::InternetRefused, PRIVATE_ONLY),
    (&["enough balance"], Reason::PaymentRequired, PAY),
    (&["balance is"], Reason::PaymentRequired, PAY),
    (&["arrearage"], Reason::PaymentRequired, PAY),
    (&["unpaid bills"], Reason::PaymentRequired, PAY),
    (&["no payment method"], Reason::PaymentRequired, PAY),
    (&["vswitch", "availabe ip"], Reason::VswitchFull, FULL),
    (&["vswitch", "available ip"], Reason::VswitchFull, FULL),
    (&["vswitchavailableipnotexist"], Reason::VswitchFull, FULL),
    (&["no subnet ip"], Reason::VswitchFull, FULL),
    (&["vswitch", "not exist"], Reason::LoadBalancerFailed, VSWITCH),
    (&["instancechargetype of loadbalancer is paybyclcu"], Reason::Immutable, NOT_BACK),
    (&["modify instancechargetype to spec"], Reason::Immutable, NOT_BACK),
    (&["discontinued"], Reason::NotSold, NOT_SOLD),
    (&["haltsales"], Reason::NotSold, NOT_SOLD),
    (&["resource limit of the specified"], Reason::NotSold, NOT_SOLD),
    (&["not supported in current region"], Reason::NotSold, NOT_SOLD),
    (&["zone id doesn t support"], Reason::NotSold, NOT_SOLD),
    (&["cert by id"], Reason::CertificateUnusable, CERTIFICATE),
    (&["cert", "expired"], Reason::CertificateUnusable, CERTIFICATE),
    (&["cert", "not exist"], Reason::CertificateUnusable, CERTIFICATE),
    (&["acl", "not exist"], Reason::ACLNotFound, ACL),
    (&["access control list", "not exist"], Reason::ACLNotFound, ACL),
    (&["deleteprotection"], Reason::DeletionProtected, PROTECTED),
    (&["delete protection"], Reason::DeletionProtected, PROTECTED),
    (&["deletion protection"], Reason::DeletionProtected, PROTECTED),
    (&["quota"], Reason::QuotaExceeded, QUOTA),
    (&["overlimit"], Reason::QuotaExceeded, QUOTA),
    (&["not authorized"], Reason::PermissionDenied, RIGHTS),
    (&["permission denied"], Reason::PermissionDenied, RIGHTS),
    (&["throttling"], Reason::CloudThrottled, SLOWER),
    (&["flow control"], Reason::CloudThrottled, SLOWER),
    (&["system is busy"], Reason::LoadBalancerFailed, SLOWER),
    (&["i/o timeout"], Reason::LoadBalancerFailed, SLOWER),
    (&["vips associating"], Reason::LoadBalancerFailed, GROUP_IN_USE),
    (&["networkconflict"], Reason::LoadBalancerUnusable, NETWORK),
    (&["no available nodes"], Reason::NoBackends, NO_BACKENDS),
    (&["providerid"], Reason::NoBackends, NO_BACKENDS),
    (&["can not find eniid"], Reason::NoBackends, NO_BACKENDS),
    (&["backend servers of eni"], Reason::NoBackends, NO_BACKENDS),
    (&["port must be between"], Reason::NoBackends, NO_BACKENDS),
];

/// The Events that are looked for: what it complains about, and that it does not any more.
pub fn events() -> Vec<&'static str> {
    let plain = PLAIN.iter().map(|(event, ..)| *event);
    TELLING.into_iter().chain(plain).chain([ENSURED]).collect()
}

/// Whether it says why the load balancer is not made. That there is nothing behind it does not keep the
/// cloud controller manager from making it.
pub fn is_in_the_way(complaint: &Complaint) -> bool {
    complaint.event != "UnAvailableLoadBalancer"
}

/// What a complaint means and what to do about it, without words where only the message tells.
pub fn meaning(complaint: &Complaint) -> (Reason, &'static str) {
    let plain = PLAIN.iter().find(|(event, ..)| *event == complaint.event);
    if let Some((_, reason, advice)) = plain {
        return (*reason, advice);
    }
    let message = complaint.message.to_lowercase();
    let has_all = |words: &[&str]| words.iter().all(|word| message.contains(word));
    let row = MESSAGES.iter().find(|(words, ..)| has_all(words));
    row.map_or((Reason::LoadBalancerFailed, ""), |(_, reason, advice)| {
        (*reason, advice)
    })
}

/// Its words without what differs from one try to the next: ids of requests, and the parameters of calls,
/// which nobody should read anyway.
pub fn words(message: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut after_request = false;
    for word in message.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let names = bare.eq_ignore_ascii_case("requestid")
            || (bare.eq_ignore_ascii_case("id")
                && kept
                    .last()
                    .is_some_and(|last| last.eq_ignore_ascii_case("request")));
        if names {
            if bare.eq_ignore_ascii_case("id") {
                kept.pop();
            }
            after_request = true;
            continue;
        }
        if std::mem::take(&mut after_request) {
            continue;
        }
        kept.push(match word.split_once('?') {
            Some((place, _)) if place.contains("://") => place,
            _ => word,
        });
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(message: &str) -> Reason {
        let complaint = Complaint {
            event: TELLING[0].to_owned(),
            message: format!("Error syncing load balancer [lb-x]: {message}"),
        };
        meaning(&complaint).0
    }

    /// As v2.14.0 was seen to say it.
    #[test]
    fn its_own_messages_are_told_apart() {
        let cases = [
            (
                Reason::Immutable,
                "apply model error: update lb attribute error: [alicloud: can not change LoadBalancer master zone id once created, alicloud: can not change LoadBalancer slave zone id once created, alicloud: can not change LoadBalancer AddressType once created. delete and retry]",
            ),
            (
                Reason::Immutable,
                "alicloud: can not change ResourceGroupId once created",
            ),
            (Reason::Immutable, "AddressIpVersion cannot be changed"),
            (
                Reason::LoadBalancerUnusable,
                "alicloud: the loadbalancer lb-x can not be reused, can not reuse loadbalancer created by kubernetes.",
            ),
            (
                Reason::LoadBalancerUnusable,
                "the loadbalancer lb-x can not be reused, service has been associated with ip [192.0.2.1], cannot be bound to ip [192.0.2.2]",
            ),
            (
                Reason::LoadBalancerLost,
                "alicloud: can not find loadbalancer, but it's defined in service [203.0.113.10] this may happen when you delete the loadbalancer",
            ),
            (
                Reason::LoadBalancerLost,
                "apply model error: alicloud: can not find loadbalancer by tag [kubernetes.do.not.delete:a1]",
            ),
            (
                Reason::LoadBalancerLost,
                "Message: The specified LoadBalancerId does not exist.",
            ),
            (
                Reason::AnnotationInvalid,
                "build lb local model error: bandwidth must be integer, got [abc]",
            ),
            (
                Reason::AnnotationInvalid,
                "Annotation PersistenceTimeout must be integer, but got [x]",
            ),
            (
                Reason::AnnotationInvalid,
                "port protocol format must be either [http|https|tcp|udp], protocol not supported wit [grpc]",
            ),
            (
                Reason::AnnotationInvalid,
                "build nlb attribute error: ParameterMissing, zone mappings are required",
            ),
            (
                Reason::InternetRefused,
                "create public address slb is not allowed",
            ),
            (Reason::CertificateUnusable, "can not found cert by id"),
            (
                Reason::CertificateUnusable,
                "can not update cert 12_34 because it is expired",
            ),
            (
                Reason::CertificateUnusable,
                "find more than 1 server cert by id",
            ),
            (
                Reason::NoBackends,
                "parse providerid: x expected: ${regionid}.${nodeid}",
            ),
        ];
        for (expected, message) in cases {
            assert_eq!(reason(message), expected, "{message}");
        }
    }

    /// As the product's documents have them.
    #[test]
    fn the_clouds_messages_are_told_apart() {
        let cases = [
            (
                Reason::PaymentRequired,
                "Your account does not have enough balance.",
            ),
            (
                Reason::PaymentRequired,
                "Your account balance is insufficient.",
            ),
            (Reason::PaymentRequired, "The account is arrearage."),
            (
                Reason::PaymentRequired,
                "The account has unpaid bills. Please pay your overdue bill first.",
            ),
            (
                Reason::VswitchFull,
                "The specified VSwitch has no availabe ip.",
            ),
            (
                Reason::VswitchFull,
                "The specified VSwitch has no available ip.",
            ),
            (Reason::VswitchFull, "No subnet IP addresses are available."),
            (
                Reason::LoadBalancerFailed,
                "The specified VSwitch does not exist.",
            ),
            (Reason::NotSold, "The share instance has been discontinued."),
            (
                Reason::NotSold,
                "The operation failed because of resource limit of the specified zone.",
            ),
            (
                Reason::Immutable,
                "The operation is not allowed because the instanceChargeType of loadbalancer is PayByCLCU.",
            ),
            (
                Reason::Immutable,
                "User does not have permission modify InstanceChargeType to spec.",
            ),
            (Reason::QuotaExceeded, "The Total is over the quota"),
            (
                Reason::QuotaExceeded,
                "The backend server number has reached to the quota limit of this load balancers",
            ),
            (Reason::ACLNotFound, "The specified AclId does not exist."),
            (
                Reason::CertificateUnusable,
                "The specified ServerCertificateId does not exist.",
            ),
            (
                Reason::DeletionProtected,
                "The operation is not allowed because DeleteProtection is on.",
            ),
            (
                Reason::PermissionDenied,
                "You are not authorized to do this action.",
            ),
            (
                Reason::CloudThrottled,
                "Request was denied due to user flow control.",
            ),
            (
                Reason::LoadBalancerFailed,
                "there are vips associating with this vServer group.",
            ),
            (
                Reason::NoBackends,
                "The specified Port must be between 1 and 65535.",
            ),
            (Reason::LoadBalancerFailed, "Something new."),
        ];
        for (expected, message) in cases {
            assert_eq!(
                reason(&format!("Message: {message}")),
                expected,
                "{message}"
            );
        }
    }

    #[test]
    fn every_row_is_reached_and_says_what_to_do() {
        for (words, expected, advice) in MESSAGES {
            let message = words.join(" the ");
            let complaint = Complaint {
                event: TELLING[0].to_owned(),
                message: message.to_uppercase(),
            };
            assert_eq!(meaning(&complaint), (*expected, *advice), "{message}");
            assert!(advice.ends_with('.'), "{advice}");
        }
    }

    #[test]
    fn other_events_mean_one_thing_and_good_news_none() {
        let said = |event: &str| Complaint {
            event: event.to_owned(),
            message: "quota".to_owned(),
        };
        let none = meaning(&said("UnAvailableLoadBalancer"));
        assert_eq!(none, (Reason::NoBackends, NO_BACKENDS));
        let told = meaning(&said("CleanLoadBalancerFailed"));
        assert_eq!(told, (Reason::QuotaExceeded, QUOTA));
        // It says so with each sync of a Service that is annotated so, as it should.
        assert!(!events().contains(&"PreservedOnDelete"));
        assert!(events().contains(&ENSURED));
    }

    #[test]
    fn nothing_that_changes_with_each_try_is_told() {
        let call = r#"Post "http://slb-vpc.aliyuncs.com/?AccessKeyId=x&Signature=y": dial tcp: i/o timeout"#;
        assert_eq!(
            words(call),
            r#"Post "http://slb-vpc.aliyuncs.com/ dial tcp: i/o timeout"#
        );
        let refused = "Message: code: 400, The quota is used up. request id: 1F2A-33 Data: {\"RequestId\": \"9\"}";
        assert_eq!(
            words(refused),
            "Message: code: 400, The quota is used up. Data:"
        );
        let plain = "Error syncing load balancer [lb-x]: Message: request refused.";
        assert_eq!(words(plain), plain);
    }
}
