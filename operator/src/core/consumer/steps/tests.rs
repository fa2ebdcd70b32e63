use cloud_adapter::gateway::model::ConsumerId;
use secrecy::ExposeSecret;

use super::*;
use crate::core::consumer::claims::{Claim, Location};
use CredentialKind::{APIKey, KeyPair};

fn key(value: &str) -> Credential {
    Credential::ApiKey(value.into())
}

fn pair(id: &str, secret: &str) -> Credential {
    Credential::KeyPair {
        id: id.to_owned(),
        secret: secret.into(),
    }
}

fn says(disabled: bool) -> ConsumerSpec {
    ConsumerSpec {
        name: "acme_1a2b3c4d".into(),
        description: "GatewayConsumer partners/acme".into(),
        disabled,
    }
}

fn listed(values: Vec<Credential>) -> Outlook {
    let kinds = values.iter().map(kind_of).collect();
    let values = values.into_iter().enumerate().map(|(index, value)| {
        let slot = Slot {
            credential: format!("c{index}"),
            kind: kind_of(&value),
        };
        (slot, value)
    });
    Outlook {
        values: values.collect(),
        kinds,
        ..Outlook::default()
    }
}

fn plain(credential: &Credential) -> String {
    match credential {
        Credential::ApiKey(key) => key.expose_secret().to_owned(),
        Credential::KeyPair { id, secret } => format!("{id}:{}", secret.expose_secret()),
    }
}

fn planned(outlook: &Outlook, kinds: &[CredentialKind], app: Option<&App>) -> Vec<String> {
    let wish = Wish {
        spec: says(false),
        outlook,
        kinds: outlook.kinds.iter().chain(kinds).copied().collect(),
        leaving: None,
    };
    let text = |step: &Step| match step {
        Step::Create(first) => {
            let first: Vec<String> = first.iter().map(|(_, value)| plain(value)).collect();
            format!("create {}", first.join(" "))
        }
        Step::Update => "update".to_owned(),
        Step::Add(slot, value) => format!("add {} {}", slot.credential, plain(value)),
        Step::Remove(value) => format!("remove {}", plain(value)),
    };
    steps(&wish, app).iter().map(text).collect()
}

fn app(disabled: bool, credentials: Vec<Credential>) -> App {
    App {
        spec: says(disabled),
        credentials: Some(credentials),
    }
}

#[test]
fn it_is_made_with_the_first_of_each_kind_and_not_without_any() {
    let outlook = listed(vec![key("k1"), key("k2"), pair("p", "s")]);
    assert_eq!(planned(&outlook, &[], None), ["create k1 p:s"]);
    assert_eq!(
        planned(&listed(vec![]), &[APIKey], None),
        Vec::<String>::new()
    );
}

#[test]
fn credentials_come_and_go_with_the_list() {
    let keys = |names: &[&str]| listed(names.iter().map(|name| key(name)).collect());
    let nothing = Vec::<String>::new();
    let made = || pair("made", "by the product");
    let mut unclear = keys(&["k1"]);
    unclear.unclear.insert(APIKey);
    let mut ended = keys(&["k1"]);
    ended.ended.push(key("k2"));
    ended.unclear.insert(APIKey);
    let cases = [
        (
            "all there",
            keys(&["k1"]),
            vec![],
            vec![key("k1"), made()],
            nothing.clone(),
        ),
        (
            "one more",
            keys(&["k1", "k2"]),
            vec![],
            vec![key("k1")],
            vec!["add c1 k2".to_owned()],
        ),
        (
            "one less",
            keys(&["k1"]),
            vec![],
            vec![key("k1"), key("k2")],
            vec!["remove k2".to_owned()],
        ),
        (
            "another",
            keys(&["k2"]),
            vec![],
            vec![key("k1")],
            vec!["add c0 k2".to_owned(), "remove k1".to_owned()],
        ),
        (
            "one value twice",
            keys(&["k1", "k1"]),
            vec![],
            vec![],
            vec!["add c0 k1".to_owned()],
        ),
        (
            "a kind that is no longer listed",
            keys(&["k1"]),
            vec![KeyPair],
            vec![key("k1"), made()],
            vec!["remove made:by the product".to_owned()],
        ),
        (
            "nothing is removed while one is unclear",
            unclear,
            vec![],
            vec![key("k1"), key("k2")],
            nothing.clone(),
        ),
        (
            "but what has ended is",
            ended,
            vec![],
            vec![key("k1"), key("k2"), key("k3")],
            vec!["remove k2".to_owned()],
        ),
        (
            "a new secret for an id makes room for itself",
            listed(vec![pair("p", "new"), pair("q", "q")]),
            vec![],
            vec![pair("x", "x"), pair("p", "old")],
            vec![
                "remove p:old".to_owned(),
                "add c0 p:new".to_owned(),
                "add c1 q:q".to_owned(),
                "remove x:x".to_owned(),
            ],
        ),
    ];
    for (case, outlook, kinds, present, expected) in cases {
        let found = planned(&outlook, &kinds, Some(&app(false, present)));
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn disabling_comes_first_and_needs_no_credentials() {
    let outlook = listed(vec![key("k1")]);
    let found = planned(&outlook, &[], Some(&app(true, vec![])));
    assert_eq!(found, ["update", "add c0 k1"]);
    let unread = App {
        spec: says(true),
        credentials: None,
    };
    assert_eq!(planned(&outlook, &[], Some(&unread)), ["update"]);
}

#[test]
fn what_is_planned_is_enough() {
    let outlook = listed(vec![pair("p", "new"), key("k1"), key("k2")]);
    let mut present = vec![pair("p", "old"), key("k0")];
    let wish = Wish {
        spec: says(false),
        outlook: &outlook,
        kinds: outlook.kinds.clone(),
        leaving: None,
    };
    for step in steps(&wish, Some(&app(false, present.clone()))) {
        match step {
            Step::Add(_, value) => present.push(value),
            Step::Remove(value) => present.retain(|found| !same(found, &value)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        planned(&outlook, &[], Some(&app(false, present))),
        Vec::<String>::new()
    );
}

#[test]
fn only_the_marker_proves_that_an_app_is_ours() {
    let marker = |owner: &str| Marker {
        cluster: "c1f0".into(),
        owner: owner.into(),
    };
    let owner = "GatewayConsumer/partners/acme";
    let location = Location {
        account: "1".into(),
        region: "r".into(),
    };
    let name = says(false).name;
    let app_key = AppKey { location, name };
    let holding = |name: &str, marker: Option<Marker>| {
        let id = ConsumerId::from("110");
        let spec = ConsumerSpec {
            name: name.into(),
            ..says(false)
        };
        let consumer = Consumer {
            id: id.clone(),
            spec,
            marker,
        };
        Inventory {
            consumers: [(id, consumer)].into_iter().collect(),
            ..Inventory::default()
        }
    };
    let mut claimed = Claims::default();
    claimed.claim(&Claim::App(app_key.clone()));
    let unclaimed = Claims::default();
    let refused = |severity| Err((Reason::NotOwned, severity));
    for (inventory, claims, expected) in [
        (
            holding(&app_key.name, Some(marker(owner))),
            &unclaimed,
            Ok(true),
        ),
        (
            holding("renamed", Some(marker(owner))),
            &unclaimed,
            Ok(true),
        ),
        (holding("other", None), &unclaimed, Ok(false)),
        (
            holding(&app_key.name, None),
            &unclaimed,
            refused(Severity::Terminal),
        ),
        (
            holding(&app_key.name, None),
            &claimed,
            refused(Severity::Retry),
        ),
        (
            holding(&app_key.name, Some(marker("GatewayConsumer/other/acme"))),
            &claimed,
            refused(Severity::Terminal),
        ),
    ] {
        let found = find(&inventory, &app_key, &marker(owner), claims)
            .map(|found| found.is_some())
            .map_err(|problem| (problem.reason, problem.severity));
        assert_eq!(found, expected, "{inventory:?}");
    }
}

#[test]
fn a_step_shows_no_secret() {
    let outlook = listed(vec![key("hush-1"), pair("id", "hush-2")]);
    let wish = Wish {
        spec: says(false),
        outlook: &outlook,
        kinds: BTreeSet::from([APIKey, KeyPair]),
        leaving: None,
    };
    let found = app(false, vec![key("hush-3")]);
    let shown = format!(
        "{:?} {:?} {found:?}",
        steps(&wish, None),
        steps(&wish, Some(&found))
    );
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn of_an_adopted_app_only_what_the_operator_added_goes() {
    let outlook = listed(vec![key("ours"), pair("p", "new")]);
    let wish = Wish {
        spec: says(false),
        outlook: &outlook,
        kinds: [APIKey, KeyPair].into(),
        leaving: Some(vec![key("added"), key("not there")]),
    };
    let there = vec![
        key("theirs"),
        key("added"),
        pair("q", "theirs"),
        pair("p", "old"),
    ];
    let app = app(false, there);
    let taken: Vec<String> = steps(&wish, Some(&app))
        .iter()
        .map(|step| match step {
            Step::Add(_, value) => format!("add {}", plain(value)),
            Step::Remove(value) => format!("remove {}", plain(value)),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        taken,
        ["remove p:old", "add ours", "add p:new", "remove added"],
        "a pair that the list names has the secret that the list has"
    );
}
