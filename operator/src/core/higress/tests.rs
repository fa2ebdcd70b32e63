//! From the spec of bindings to the plugins' objects.

use crds::v1alpha1::{
    BindingHigress, HigressAdapter, HigressGateway, HigressPlugin, NamespacedName, Reason,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::merge::{Merged, Offer, merge};
use super::render::{Caller, Credential, Known, MOST_BYTES, PluginObject, objects};
use super::rule::{Part, Rules};
use super::scope::Scope;
use super::translate::rules;

fn named(text: &str) -> NamespacedName {
    let (namespace, name) = text.split_once('/').unwrap();
    NamespacedName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn translated(wish: Value) -> Result<Rules, Reason> {
    let wish: BindingHigress = serde_json::from_value(wish).unwrap();
    rules(&wish, &named("default/hello"), HigressAdapter::KIngress)
        .map_err(|problem| problem.reason)
}

fn scope(name: &str) -> Scope {
    let host = format!("{name}.default.example.com");
    Scope::of_ingress(("default", name), [host.as_str()], "higress-system")
}

fn offer(binding: &str, created: i64, service: &str, wish: Value) -> Offer {
    Offer {
        binding: named(binding),
        created: Timestamp::from_second(created).unwrap(),
        wanted: Some(Part {
            scope: scope(service),
            rules: translated(wish).unwrap(),
        }),
        recorded: None,
    }
}

fn caller(created: i64, keys: &[&str]) -> Caller {
    Caller {
        created: Timestamp::from_second(created).unwrap(),
        credentials: keys
            .iter()
            .map(|key| Credential::Key((*key).into()))
            .collect(),
    }
}

fn known() -> Known {
    Known::from([
        (named("default/consumer1"), caller(1, &["key-1"])),
        (named("default/consumer2"), caller(2, &["key-2"])),
    ])
}

fn gateway() -> HigressGateway {
    serde_json::from_value(json!({"namespace": "higress-system", "adapter": "KIngress"})).unwrap()
}

fn rendered(merged: &Merged, known: &Known) -> Vec<PluginObject> {
    objects(merged, known, &gateway(), MOST_BYTES)
}

fn callers(allow: &[&str], deny: &[&str]) -> Value {
    let entries =
        |names: &[&str]| -> Vec<Value> { names.iter().map(|name| json!({"name": name})).collect() };
    let mut consumer =
        json!({"apiKey": {"in": ["Query"], "names": ["apikey"]}, "allow": entries(allow)});
    if !deny.is_empty() {
        consumer["deny"] = json!(entries(deny));
    }
    json!({"auth": {"consumer": consumer}})
}

fn limit(requests: u64) -> Value {
    json!({"throttling": {"limits": [{
        "name": "demo", "scope": "Header", "header": "x-ca-key", "value": "123456",
        "requests": requests, "per": "Minute",
    }]}})
}

#[test]
fn the_article_s_limit() {
    let merged = merge(&[offer("default/hello", 1, "hello", limit(2))]);
    let found = rendered(&merged, &Known::new());
    let config = json!({
        "limit_by_header": "x-ca-key", "limit_keys": [{"key": "123456", "query_per_minute": 2}],
    });
    let expected = json!({
        "url": "oci://higress-registry.cn-hangzhou.cr.aliyuncs.com/plugins/key-rate-limit:1.0.0",
        "imagePullPolicy": "IfNotPresent",
        "phase": "UNSPECIFIED_PHASE",
        "priority": 10,
        "failStrategy": "FAIL_CLOSE",
        "defaultConfigDisable": true,
        "matchRules": [
            {"ingress": ["default/hello"], "config": config, "configDisable": false},
            {
                "domain": ["hello.default.example.com", "hello.default.example.com:*"],
                "config": config, "configDisable": false,
            },
        ],
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].spec, expected);
}

#[test]
fn the_article_s_callers() {
    let wish = callers(&["consumer2"], &["consumer1"]);
    let found = rendered(
        &merge(&[offer("default/hello", 1, "hello", wish)]),
        &known(),
    );
    let [object] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(object.spec["failStrategy"], "FAIL_CLOSE");
    assert_eq!(
        object.spec["defaultConfig"],
        json!({
            "global_auth": false, "keys": ["apikey"], "in_query": true, "in_header": false,
            "consumers": [
                {"name": "default/consumer1", "credential": "key-1"},
                {"name": "default/consumer2", "credential": "key-2"},
            ],
        })
    );
    assert_eq!(
        object.spec["matchRules"][0]["config"],
        json!({"allow": ["default/consumer2"]})
    );
    assert!(
        !format!("{object:?}").contains("key-1"),
        "a credential is shown"
    );
}

#[test]
fn a_rule_whose_consumers_vanished_denies() {
    let merged = merge(&[offer(
        "default/hello",
        1,
        "hello",
        callers(&["consumer2"], &[]),
    )]);
    let found = rendered(&merged, &Known::new());
    let spec = &found[0].spec;
    let allowed = spec["matchRules"][0]["config"]["allow"].as_array().unwrap();
    assert_eq!(
        allowed.len(),
        1,
        "an empty list would be refused by the plugin"
    );
    let consumers = spec["defaultConfig"]["consumers"].as_array().unwrap();
    assert_eq!(consumers.len(), 1, "so would one without consumers");
    assert_ne!(consumers[0]["name"], allowed[0], "somebody could call");
}

#[test]
fn a_consumer_has_two_keys_while_one_is_replaced() {
    let merged = merge(&[offer(
        "default/hello",
        1,
        "hello",
        callers(&["consumer2"], &[]),
    )]);
    let known = Known::from([(named("default/consumer2"), caller(1, &["old", "new"]))]);
    let found = rendered(&merged, &known);
    assert_eq!(
        found[0].spec["defaultConfig"]["consumers"],
        json!([
            {"name": "default/consumer2", "credential": "new"},
            {"name": "default/consumer2", "credential": "old"},
        ])
    );
}

#[test]
fn a_credential_that_two_have_is_the_older_one_s() {
    let wish = callers(&["consumer1", "consumer2"], &[]);
    let merged = merge(&[offer("default/hello", 1, "hello", wish)]);
    let known = Known::from([
        (named("default/consumer1"), caller(9, &["same"])),
        (named("default/consumer2"), caller(2, &["same"])),
    ]);
    let found = rendered(&merged, &known);
    assert_eq!(
        found[0].spec["defaultConfig"]["consumers"],
        json!([{"name": "default/consumer2", "credential": "same"}])
    );
}

#[test]
fn on_one_host_the_oldest_wins_and_the_other_one_is_told() {
    let old = offer("default/z", 1, "hello", limit(2));
    let young = offer("default/a", 2, "hello", limit(1000));
    let merged = merge(&[young, old]);
    assert_eq!(merged.rules.len(), 1);
    assert_eq!(merged.rules[0].holder, named("default/z"));
    let lost = &merged.lost[&named("default/a")];
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].holder, named("default/z"));
    assert_eq!(lost[0].scope, scope("hello"));
}

#[test]
fn two_ways_of_knowing_callers_do_not_stand_on_one_host() {
    let keys = offer("default/old", 1, "hello", callers(&["consumer1"], &[]));
    let basic = json!({"auth": {"consumer": {"basic": {}, "allow": []}}});
    let open = json!({"auth": {"anonymous": {}}});
    for wish in [basic, open] {
        let merged = merge(&[keys.clone(), offer("default/young", 2, "hello", wish)]);
        assert_eq!(merged.rules[0].plugin, HigressPlugin::KeyAuth);
        assert!(merged.lost.contains_key(&named("default/young")));
    }
}

#[test]
fn equal_rules_agree() {
    let one = offer("default/a", 1, "hello", limit(2));
    let other = offer("default/b", 2, "hello", limit(2));
    let merged = merge(&[one, other]);
    assert_eq!((merged.rules.len(), merged.lost.len()), (1, 0));
}

#[test]
fn an_invalid_binding_keeps_its_last_good_rule() {
    let mut broken = offer("default/hello", 1, "hello", callers(&["consumer1"], &[]));
    broken.recorded = broken.wanted.take();
    let merged = merge(&[broken]);
    assert_eq!(merged.rules.len(), 1);
}

#[test]
fn hosts_are_compared_in_small_letters_and_without_a_port() {
    let hosts = [
        "Hello.Default.Example.COM:8080",
        "*.example.com",
        "a.example.com.",
    ];
    let scope = Scope::of_ingress(("higress-system", "hello"), hosts, "higress-system");
    assert_eq!(scope.routes, ["hello".to_owned()].into());
    let domains = [
        "a.example.com",
        "a.example.com:*",
        "hello.default.example.com",
        "hello.default.example.com:*",
    ];
    assert_eq!(scope.domains(), domains);
}

#[test]
fn what_no_plugin_can_do_is_refused() {
    let limit = |scope: &str| json!({"throttling": {"limits": [{"name": "a", "scope": scope, "requests": 1, "per": "Day"}]}});
    let header = |name: &str, header: &str, value: &str| {
        json!({
            "name": name, "scope": "Header", "header": header, "value": value, "requests": 1, "per": "Day",
        })
    };
    let consumer = |consumer: Value| json!({"auth": {"consumer": consumer}});
    let jwks = |jwks: &str| json!({"auth": {"jwt": {"issuers": [{"name": "a", "issuer": "b", "jwks": jwks}]}}});
    let cases = [
        (limit("API"), Reason::Unsupported),
        (limit("Account"), Reason::Unsupported),
        (limit("Consumer"), Reason::Unsupported),
        (
            json!({"throttling": {"limits": [header("a", "x", "1"), header("b", "y", "1")]}}),
            Reason::Unsupported,
        ),
        (
            json!({"throttling": {"limits": [header("a", "x", "1"), header("b", "x", "1")]}}),
            Reason::Unsupported,
        ),
        (
            consumer(json!({"signature": {}, "basic": {}, "allow": []})),
            Reason::Unsupported,
        ),
        (
            consumer(json!({"apiKey": {"in": ["Query", "Header"], "names": ["a"]}, "allow": []})),
            Reason::Unsupported,
        ),
        (
            consumer(json!({"apiKey": {"in": ["Query"]}, "allow": []})),
            Reason::InvalidSpec,
        ),
        (
            consumer(json!({"basic": {}, "allow": [{"name": "a"}], "deny": [{"name": "a"}]})),
            Reason::InvalidSpec,
        ),
        (
            consumer(
                json!({"basic": {}, "allow": [{"name": "a", "until": "2027-01-01T00:00:00Z"}]}),
            ),
            Reason::Unsupported,
        ),
        (jwks("no"), Reason::InvalidSpec),
        (jwks(r#"{"keys": []}"#), Reason::InvalidSpec),
        (
            jwks(r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#),
            Reason::InvalidSpec,
        ),
        (
            jwks(r#"{"keys": [{"kty": "RSA", "d": "AA"}]}"#),
            Reason::InvalidSpec,
        ),
        (
            json!({"clientAddresses": {"allow": ["10.0.0.0/33"]}}),
            Reason::InvalidSpec,
        ),
        (
            json!({"clientAddresses": {"deny": ["10.0.0"]}}),
            Reason::InvalidSpec,
        ),
    ];
    for (wish, reason) in cases {
        assert_eq!(translated(wish.clone()), Err(reason), "{wish}");
    }
}

#[test]
fn a_guard_that_could_be_slipped_past_is_refused() {
    let with_istio = |wish: Value| {
        let wish: BindingHigress = serde_json::from_value(wish).unwrap();
        rules(&wish, &named("default/hello"), HigressAdapter::IstioCRDs)
            .map_err(|problem| problem.reason)
    };
    assert_eq!(with_istio(limit(2)), Err(Reason::Unsupported));
    assert_eq!(with_istio(callers(&["a"], &[])), Err(Reason::Unsupported));
    assert!(with_istio(json!({"cors": {"origins": ["*"]}})).is_ok());
}

#[test]
fn a_thousand_bindings_are_one_object_for_each_plugin() {
    let offers: Vec<Offer> = (0..1000)
        .map(|index| {
            let mut wish = callers(&["consumer1"], &["consumer2"]);
            wish["throttling"] = limit(2)["throttling"].take();
            let service = format!("hello-{index}");
            offer(&format!("default/{service}"), index, &service, wish)
        })
        .collect();
    let found = rendered(&merge(&offers), &known());
    let plugins: Vec<HigressPlugin> = found.iter().map(|object| object.plugin).collect();
    assert_eq!(
        plugins,
        [HigressPlugin::KeyAuth, HigressPlugin::KeyRateLimit]
    );
}

#[test]
fn too_much_for_one_object_is_spread() {
    let offers: Vec<Offer> = (0..200)
        .map(|index| {
            let service = format!("hello-{index}");
            offer(&format!("default/{service}"), index, &service, limit(2))
        })
        .collect();
    let merged = merge(&offers);
    let most = 16 * 1024;
    let found = objects(&merged, &Known::new(), &gateway(), most);
    assert!(found.len() > 1);
    assert!(
        found
            .iter()
            .all(|object| object.spec.to_string().len() <= most)
    );
    let rules = |object: &PluginObject| object.spec["matchRules"].as_array().unwrap().len();
    assert_eq!(found.iter().map(rules).sum::<usize>(), 400);
    // One binding more moves no rule of another.
    let mut more = offers;
    more.push(offer("default/more", 1000, "more", limit(2)));
    let next = objects(&merge(&more), &Known::new(), &gateway(), most);
    let changed = next.iter().filter(|object| !found.contains(object)).count();
    assert_eq!(changed, 1);
}

fn wishes() -> impl Strategy<Value = Vec<Offer>> {
    let one = (0..4_i64, 0..4_u8, 0..3_u64, any::<bool>()).prop_map(
        |(created, service, requests, auth)| {
            let mut wish = limit(requests + 1);
            if auth {
                let name = format!("consumer{}", requests + 1);
                wish["auth"] = callers(&[&name], &[])["auth"].take();
            }
            (created, format!("hello-{service}"), wish)
        },
    );
    proptest::collection::vec(one, 0..8).prop_map(|wishes| {
        let wishes = wishes.into_iter().enumerate();
        wishes
            .map(|(index, (created, service, wish))| {
                offer(&format!("default/b{index}"), created, &service, wish)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn merging_does_not_depend_on_order(
        (offers, shuffled) in wishes().prop_flat_map(|offers| {
            (Just(offers.clone()), Just(offers).prop_shuffle())
        }),
    ) {
        let (one, other) = (merge(&offers), merge(&shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(rendered(&one, &known()), rendered(&other, &known()));
    }

    /// Each host that anybody asks a guard for has one, and only one.
    #[test]
    fn nobody_s_host_is_left_open(offers in wishes()) {
        let merged = merge(&offers);
        for offer in &offers {
            let part = offer.wanted.as_ref().unwrap();
            for plugin in part.rules.keys() {
                for route in &part.scope.routes {
                    let guards = merged.rules.iter();
                    let guards = guards.filter(|rule| rule.plugin == *plugin && rule.scope.routes.contains(route));
                    prop_assert_eq!(guards.count(), 1);
                }
            }
        }
    }
}
