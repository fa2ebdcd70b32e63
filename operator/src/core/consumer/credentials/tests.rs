use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-20T08:00:00Z";

fn spec(credentials: Value) -> GatewayConsumerSpec {
    serde_json::from_value(json!({ "credentials": credentials })).unwrap()
}

fn state(api_key: &str, key_id: &str, key_secret: &str) -> SecretState {
    let entry = |text: &str| Entry::read(Some(text.as_bytes()));
    SecretState::Present {
        api_key: entry(api_key),
        key_id: entry(key_id),
        key_secret: entry(key_secret),
    }
}

fn look(spec: &GatewayConsumerSpec, secrets: &[(&str, SecretState)]) -> Outlook {
    let secrets = secrets
        .iter()
        .map(|(name, state)| ((*name).to_owned(), state.clone()))
        .collect();
    outlook(spec, &secrets, NOW.parse().unwrap())
}

fn key(value: &str) -> Credential {
    Credential::ApiKey(value.into())
}

fn pair(id: &str, secret: &str) -> Credential {
    Credential::KeyPair {
        id: id.to_owned(),
        secret: secret.into(),
    }
}

/// Credentials as text, for comparing.
fn plain(credential: &Credential) -> String {
    match credential {
        Credential::ApiKey(key) => key.expose_secret().to_owned(),
        Credential::KeyPair { id, secret } => format!("{id}:{}", secret.expose_secret()),
    }
}

fn values(outlook: &Outlook) -> Vec<(String, String)> {
    let values = outlook.values.iter();
    values
        .map(|(slot, value)| (slot.credential.clone(), plain(value)))
        .collect()
}

fn reasons(outlook: &Outlook) -> Vec<Reason> {
    outlook
        .problems
        .iter()
        .map(|problem| problem.reason)
        .collect()
}

#[test]
fn values_come_from_the_secrets_and_a_trailing_line_break_is_not_one_of_their_characters() {
    let spec = spec(json!([
        {"name": "a", "type": "Imported", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": "s"}},
    ]));
    let outlook = look(&spec, &[("a", state("code\n", "id", "secret"))]);
    let expected = [("a", "code"), ("a", "id:secret")].map(|(n, v)| (n.into(), v.into()));
    assert_eq!(values(&outlook), expected);
    assert_eq!(reasons(&outlook), []);
}

#[test]
fn what_is_wrong_with_a_secret_names_secret_and_entry() {
    let imported = |keys: Value| {
        spec(
            json!([{"name": "a", "type": "Imported", "kinds": ["APIKey"], "secretRef": {"name": "s"}, "keys": keys}]),
        )
    };
    let generated = spec(
        json!([{"name": "a", "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": "s"}}]),
    );
    for (spec, state, reason, words) in [
        (
            imported(Value::Null),
            SecretState::Absent,
            Reason::SecretNotFound,
            "Create it with entry \"apiKey\"",
        ),
        (
            imported(json!({"apiKey": "token"})),
            state("", "i", "s"),
            Reason::SecretInvalid,
            "entry \"token\" of Secret \"s\" is missing or empty",
        ),
        (
            imported(Value::Null),
            state("two words", "", ""),
            Reason::SecretInvalid,
            "entry \"apiKey\" of Secret \"s\" has a space",
        ),
        (
            generated.clone(),
            SecretState::Foreign,
            Reason::SecretNotOwned,
            "was not made by the operator",
        ),
        (
            generated,
            state("two words", "", ""),
            Reason::SecretInvalid,
            "Remove the entry and it is made again",
        ),
    ] {
        let outlook = look(&spec, &[("a", state)]);
        assert_eq!(reasons(&outlook), [reason]);
        let message = &outlook.problems[0].message;
        assert!(message.contains(words), "{message}");
        assert!(!message.contains("two words"), "{message}");
        assert!(outlook.values.is_empty() && outlook.gaps.is_empty());
        assert_eq!(outlook.unclear, BTreeSet::from([CredentialKind::APIKey]));
    }
}

#[test]
fn a_generated_credential_is_made_where_its_secret_lacks_it() {
    let spec = spec(json!([
        {"name": "a", "type": "Generated", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": "s"}},
    ]));
    let gaps = |state| {
        let outlook = look(&spec, &[("a", state)]);
        assert_eq!(reasons(&outlook), []);
        outlook
            .gaps
            .iter()
            .map(|gap| gap.slot.kind)
            .collect::<Vec<_>>()
    };
    use CredentialKind::{APIKey, KeyPair};
    assert_eq!(gaps(SecretState::Absent), [APIKey, KeyPair]);
    assert_eq!(gaps(state("", "i", "s")), [APIKey]);
    assert_eq!(gaps(state("k", "i", "")), [KeyPair]);
    assert_eq!(gaps(state("k", "i", "s")), []);
}

#[test]
fn a_credential_past_its_end_is_known_but_not_valid() {
    let credential = |name: &str, until: &str| json!({"name": name, "type": "Generated", "kinds": ["APIKey"], "secretRef": {"name": name}, "until": until});
    let old = credential("old", "2026-11-20T08:00:00Z");
    let new = credential("new", "2026-11-20T08:00:01Z");
    let secrets = [("old", state("o", "", "")), ("new", state("n", "", ""))];
    let both = look(&spec(json!([old, new])), &secrets);
    assert_eq!(values(&both), [("new".to_owned(), "n".to_owned())]);
    assert_eq!(both.ended.iter().map(plain).collect::<Vec<_>>(), ["o"]);
    assert_eq!(both.next_end, Some("2026-11-20T08:00:01Z".parse().unwrap()));
    assert_eq!(reasons(&both), []);
    let only = look(&spec(json!([old])), &[]);
    assert_eq!(reasons(&only), [Reason::GrantExpired]);
    assert!(only.gaps.is_empty(), "what has ended is not made");
}

fn found(placed: Option<&[&str]>, credentials: Option<Vec<Credential>>) -> Found {
    let slots = |names: &[&str]| {
        let names = names.iter();
        names
            .map(|name| (CredentialKind::KeyPair, (*name).to_owned()))
            .collect()
    };
    Found {
        placed: placed.map(slots),
        credentials,
        adopted: false,
    }
}

#[test]
fn what_an_adopted_app_has_is_taken_over_in_its_order_and_the_rest_is_made() {
    let spec = spec(json!(["a", "b", "c"].map(
        |name| json!({"name": name, "type": "Generated", "kinds": ["KeyPair"], "secretRef": {"name": name}})
    )));
    let mut outlook = look(&spec, &[]);
    let app = Found {
        adopted: true,
        ..found(
            None,
            Some(vec![pair("k", "k"), key("code"), pair("l", "l")]),
        )
    };
    let mut taken = Vec::new();
    for gap in outlook.gaps.clone() {
        let text = match recover(&gap, &outlook, std::slice::from_ref(&app), true) {
            Recovery::Take(credential) => {
                outlook.close(gap.slot, credential.clone());
                plain(&credential)
            }
            Recovery::Make => "make".to_owned(),
            Recovery::Later => "later".to_owned(),
            Recovery::Missing => "missing".to_owned(),
            Recovery::LookAgain => "look again".to_owned(),
        };
        taken.push(text);
    }
    assert_eq!(taken, ["k:k", "l:l", "make"]);
    let later = Found {
        placed: Some(BTreeSet::from([(CredentialKind::KeyPair, "a".to_owned())])),
        ..app
    };
    let outlook = look(&spec, &[("a", state("", "k", "k"))]);
    let new = outlook.gaps.iter().find(|gap| gap.slot.credential == "b");
    assert!(
        matches!(
            recover(new.unwrap(), &outlook, &[later], false),
            Recovery::Make
        ),
        "one that is listed later is a new one"
    );
}

#[test]
fn a_lost_secret_is_taken_from_the_cloud_where_it_can_be_told_and_made_otherwise() {
    let pairs = |names: &[&str]| {
        let credentials: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "type": "Generated", "kinds": ["KeyPair"], "secretRef": {"name": name}}))
            .collect();
        spec(json!(credentials))
    };
    let kept = || ("kept", state("", "k", "k"));
    let both = || Some(vec![pair("k", "k"), pair("l", "l")]);
    let (take, make, later, missing) = ("l:l", "make", "later", "missing");
    let cases = [
        (
            "the only one left is it",
            vec![kept()],
            found(Some(&["kept", "lost"]), both()),
            take,
        ),
        (
            "a new one is not an old one",
            vec![kept()],
            found(Some(&["kept"]), both()),
            make,
        ),
        (
            "the ledger was lost as well",
            vec![kept()],
            found(None, both()),
            take,
        ),
        (
            "the cloud does not have it",
            vec![kept()],
            found(Some(&["kept", "lost"]), Some(vec![pair("k", "k")])),
            missing,
        ),
        (
            "two are left",
            vec![kept()],
            found(Some(&["lost"]), Some(vec![pair("l", "l"), pair("m", "m")])),
            make,
        ),
        (
            "two are lost",
            vec![],
            found(Some(&["kept", "lost"]), both()),
            make,
        ),
        (
            "the cloud cannot be asked",
            vec![kept()],
            found(Some(&["kept", "lost"]), None),
            later,
        ),
        (
            "half is left",
            vec![("lost", state("", "l", ""))],
            found(Some(&["kept", "lost"]), both()),
            take,
        ),
        (
            "half is left and is another's",
            vec![("lost", state("", "x", ""))],
            found(Some(&["lost"]), both()),
            missing,
        ),
        (
            "it was never put there",
            vec![kept()],
            found(Some(&["kept"]), Some(vec![pair("k", "k")])),
            make,
        ),
        (
            "nothing is known of what was put there",
            vec![kept()],
            found(None, Some(vec![pair("k", "k")])),
            missing,
        ),
    ];
    for (case, secrets, app, expected) in cases {
        let outlook = look(&pairs(&["kept", "lost"]), &secrets);
        let gap = outlook
            .gaps
            .iter()
            .find(|gap| gap.slot.credential == "lost");
        let recovered =
            |missed| match recover(gap.unwrap(), &outlook, std::slice::from_ref(&app), missed) {
                Recovery::Take(credential) => plain(&credential),
                Recovery::Make => make.to_owned(),
                Recovery::Later => later.to_owned(),
                Recovery::Missing => missing.to_owned(),
                Recovery::LookAgain => "look again".to_owned(),
            };
        assert_eq!(recovered(false), expected, "{case}");
        assert_eq!(recovered(true), expected, "{case}, missed before");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let spec = spec(json!([
        {"name": "a", "type": "Generated", "kinds": ["APIKey", "KeyPair"], "secretRef": {"name": "a"}},
        {"name": "b", "type": "Generated", "kinds": ["KeyPair"], "secretRef": {"name": "b"}},
    ]));
    let secrets = [
        ("a", state("hush-1", "id", "hush-2")),
        ("b", state("", "", "hush-3")),
    ];
    let outlook = look(&spec, &secrets);
    let app = found(None, Some(vec![key("hush-4"), pair("id", "hush-5")]));
    let recovery = recover(
        &outlook.gaps[0],
        &outlook,
        std::slice::from_ref(&app),
        false,
    );
    let shown = format!("{outlook:?} {secrets:?} {app:?} {recovery:?}");
    assert!(!shown.contains("hush"), "{shown}");
}
