//! What a GatewayConsumer may say.

use crate::check::{Patch, accepted, every_rule_is_broken_by, refused};

const KIND: &str = "GatewayConsumer";

const REFUSED: &[(&str, Patch, &str)] = &[
    (
        "a long name",
        "metadata: {name: a123456789b123456789c123456789d123456789e123456789f123456789abcd}",
        "at most 63 characters",
    ),
    (
        "a selector for its own namespace",
        "spec: {allowedNamespaces: {from: Same, selector: {matchLabels: {a: b}}}}",
        "selector must be given",
    ),
    (
        "no selector for some namespaces",
        "spec: {allowedNamespaces: {from: Selector}}",
        "selector must be given",
    ),
    (
        "two generated credentials in one Secret",
        "spec: {credentials: [{name: a, type: Generated, kinds: [APIKey], secretRef: {name: s}}, {name: b, type: Generated, kinds: [KeyPair], secretRef: {name: s}}]}",
        "must not be named by another credential",
    ),
    (
        "a generated credential in the Secret of an imported one",
        "spec: {credentials: [{name: a, type: Generated, kinds: [APIKey], secretRef: {name: s}}, {name: b, type: Imported, kinds: [KeyPair], secretRef: {name: s}}]}",
        "must not be named by another credential",
    ),
    (
        "keys of a generated credential",
        "spec: {credentials: [{name: a, type: Generated, kinds: [APIKey], secretRef: {name: s}, keys: {apiKey: k}}]}",
        "keys may be given with type: Imported only",
    ),
    (
        "the entry of an API key that is not wanted",
        "spec: {credentials: [{name: a, type: Imported, kinds: [KeyPair], secretRef: {name: s}, keys: {apiKey: k}}]}",
        "keys.apiKey needs APIKey",
    ),
    (
        "the entry of a key id that is not wanted",
        "spec: {credentials: [{name: a, type: Imported, kinds: [APIKey], secretRef: {name: s}, keys: {keyId: k}}]}",
        "keys.keyId and keys.keySecret need KeyPair",
    ),
    (
        "the entry of a key secret that is not wanted",
        "spec: {credentials: [{name: a, type: Imported, kinds: [APIKey], secretRef: {name: s}, keys: {keySecret: k}}]}",
        "keys.keyId and keys.keySecret need KeyPair",
    ),
];

const MALFORMED: &[(&str, Patch, &str)] = &[
    (
        "an unknown field",
        "spec: {className: production}",
        "className",
    ),
    ("an unknown state", "spec: {state: Inactive}", "/spec/state"),
    (
        "an unknown choice of namespaces",
        "spec: {allowedNamespaces: {from: None}}",
        "/from",
    ),
    ("no credentials", "spec: {credentials: null}", "credentials"),
    (
        "an empty list of credentials",
        "spec: {credentials: []}",
        "/spec/credentials",
    ),
    (
        "an unknown type of credential",
        "spec: {credentials: [{name: a, type: Manual, kinds: [APIKey], secretRef: {name: s}}]}",
        "/type",
    ),
    (
        "an unknown kind of credential",
        "spec: {credentials: [{name: a, type: Generated, kinds: [JWT], secretRef: {name: s}}]}",
        "/kinds/0",
    ),
    (
        "a credential of no kind",
        "spec: {credentials: [{name: a, type: Generated, kinds: [], secretRef: {name: s}}]}",
        "/kinds",
    ),
    (
        "a Secret in another namespace",
        "spec: {credentials: [{name: a, type: Imported, kinds: [APIKey], secretRef: {namespace: b, name: s}}]}",
        "namespace",
    ),
    (
        "an existing consumer without a region",
        "spec: {existing: [{accountId: \"1\", id: \"110\"}]}",
        "regionId",
    ),
    (
        "an existing consumer of an account with a name",
        "spec: {existing: [{accountId: shop, regionId: cn-beijing, id: \"110\"}]}",
        "/accountId",
    ),
    (
        "a list of no existing consumer",
        "spec: {existing: []}",
        "/existing",
    ),
    (
        "an end without zone",
        "spec: {credentials: [{name: a, type: Generated, kinds: [APIKey], secretRef: {name: s}, until: \"2027-01-01\"}]}",
        "/until",
    ),
];

#[test]
fn what_breaks_a_rule_is_refused() {
    refused(KIND, REFUSED);
}

#[test]
fn what_has_the_wrong_shape_is_refused() {
    refused(KIND, MALFORMED);
}

#[test]
fn every_rule_has_a_case() {
    every_rule_is_broken_by(KIND, REFUSED.iter().map(|case| case.2));
}

#[test]
fn what_is_legal_is_accepted() {
    accepted(
        KIND,
        &[
            ("the first scenario", "{}"),
            (
                "its own namespace",
                "spec: {allowedNamespaces: {from: Same}}",
            ),
            ("all namespaces", "spec: {allowedNamespaces: {from: All}}"),
            (
                "some namespaces",
                "spec: {allowedNamespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: Exists}]}}}",
            ),
            ("disabled", "spec: {state: Disabled}"),
            (
                "existing in two regions",
                "spec: {existing: [{accountId: \"1\", regionId: cn-beijing, id: \"110\"}, {accountId: \"1\", regionId: cn-hangzhou, id: \"111\"}]}",
            ),
            (
                "two imported credentials from one Secret",
                "spec: {credentials: [{name: a, type: Imported, kinds: [APIKey], secretRef: {name: s}, keys: {apiKey: k}}, {name: b, type: Imported, kinds: [KeyPair], secretRef: {name: s}, keys: {keyId: i, keySecret: j}}]}",
            ),
            (
                "two generated credentials in two Secrets",
                "spec: {credentials: [{name: a, type: Generated, kinds: [APIKey], secretRef: {name: s}}, {name: b, type: Generated, kinds: [APIKey], secretRef: {name: t}}]}",
            ),
        ],
    );
}
