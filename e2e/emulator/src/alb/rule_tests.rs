//! What is refused of rules, and what the call log learns of them.

use super::Effect;
use super::testing::{Sent, Stage, owned, text, with};

/// Each refusal of a single rule, by what is put over a good one.
#[test]
fn rules_are_refused_for_what_they_ask_and_do() {
    let mut stage = Stage::new();
    let group = stage.group.clone();
    let tuple = "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.ServerGroupId";
    let host = "RuleConditions.1.HostConfig.Values.1";
    let cases: [(Sent<'_>, &str); 21] = [
        (&[("ListenerId", "lsn-none")], "ResourceNotFound.Listener"),
        (&[("RuleName", "1")], "IllegalParam.RuleName"),
        (&[("RuleName", "")], "MissingParam.RuleName"),
        (&[("Priority", "0")], "IllegalParam.Priority"),
        (&[("Priority", "10001")], "IllegalParam.Priority"),
        (
            &[("RuleConditions.1.Type", "Hosts")],
            "IllegalParam.RuleConditions.Type",
        ),
        (
            &[("RuleConditions.1.Type", "header")],
            "IllegalParam.RuleConditions.Type",
        ),
        (&[(host, "")], "MissingParam.HostConfig"),
        (&[(host, "hello.team-1")], "IllegalParam.HostConfig"),
        (&[(host, "localhost")], "IllegalParam.HostConfig"),
        (
            &[("RuleConditions.1.HostConfig.Values.2", "h1.example.com")],
            "IllegalParam.HostConfig",
        ),
        (&[(tuple, "")], "MissingParam.ForwardGroupConfig"),
        (&[(tuple, "sgp-none")], "ResourceNotFound.ServerGroup"),
        (&[("RuleActions.1.Order", "")], "MissingParam.Order"),
        (
            &[("RuleActions.1.Type", "forward")],
            "IllegalParam.RuleActions.Type",
        ),
        (
            &[
                (
                    "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight",
                    "50",
                ),
                (
                    "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.2.ServerGroupId",
                    &group,
                ),
            ],
            "MissingParam.Weight",
        ),
        (
            &[(
                "RuleActions.1.ForwardGroupConfig.ServerGroupTuples.1.Weight",
                "101",
            )],
            "IllegalParam.Weight",
        ),
        (
            &[
                ("RuleActions.2.Type", "FixedResponse"),
                ("RuleActions.2.Order", "2"),
                ("RuleActions.2.FixedResponseConfig.HttpCode", "404"),
            ],
            "IllegalParam.RuleActions",
        ),
        (
            &[
                ("RuleActions.2.Type", "RemoveHeader"),
                ("RuleActions.2.Order", "2"),
                ("RuleActions.2.RemoveHeaderConfig.Key", "x"),
            ],
            "IllegalParam.RuleActions",
        ),
        (
            &[
                ("RuleActions.2.Type", "RemoveHeader"),
                ("RuleActions.2.Order", "1"),
                ("RuleActions.2.RemoveHeaderConfig.Key", "x"),
            ],
            "IllegalParam.RuleActions.Order",
        ),
        (
            &[
                ("RuleActions.1.Type", "Redirect"),
                ("RuleActions.1.RedirectConfig.HttpCode", "302"),
            ],
            "IllegalParam.RedirectConfig",
        ),
    ];
    for (over, code) in cases {
        let sent = stage.rule_params(1, over);
        assert_eq!(stage.refused("CreateRule", &sent), code, "{over:?}");
    }
    assert!(stage.world.alb.rules.is_empty());
}

/// A second condition of each kind, good and bad.
#[test]
fn each_kind_of_condition_has_its_rules() {
    let mut stage = Stage::new();
    let cases: [(&str, Sent<'_>, bool); 19] = [
        ("Header", &[("Key", "Tag"), ("Values.1", "x*")], true),
        ("Header", &[("Key", "Host"), ("Values.1", "x")], false),
        ("Header", &[("Key", "cookie"), ("Values.1", "x")], false),
        ("Header", &[("Key", "a b"), ("Values.1", "x")], false),
        ("Header", &[("Key", "a"), ("Values.1", " x")], false),
        ("Header", &[("Values.1", "x")], false),
        (
            "Cookie",
            &[("Values.1.Key", "demo"), ("Values.1.Value", "always")],
            true,
        ),
        (
            "Cookie",
            &[("Values.1.Key", "demo"), ("Values.1.Value", "Always")],
            false,
        ),
        ("Cookie", &[("Values.1.Value", "always")], false),
        (
            "QueryString",
            &[("Values.1.Key", "q"), ("Values.1.Value", "1")],
            true,
        ),
        (
            "QueryString",
            &[("Values.1.Key", "q"), ("Values.1.Value", "a b")],
            false,
        ),
        ("Path", &[("Values.1", "/a*")], true),
        ("Path", &[("Values.1", "a")], false),
        ("Method", &[("Values.1", "GET")], true),
        ("Method", &[("Values.1", "TRACE")], false),
        ("SourceIp", &[("Values.1", "10.0.0.0/8")], true),
        ("SourceIp", &[("Values.1", "ten")], false),
        ("ResponseStatusCode", &[("Values.1", "500")], true),
        ("ResponseStatusCode", &[("Values.1", "99")], false),
    ];
    for (number, (kind, members, good)) in cases.into_iter().enumerate() {
        let mut sent = stage.rule_params(u32::try_from(number).expect("small") + 1, &[]);
        sent.push(("RuleConditions.2.Type".to_owned(), kind.to_owned()));
        for (name, value) in members {
            let name = format!("RuleConditions.2.{kind}Config.{name}");
            sent.push((name, (*value).to_owned()));
        }
        let outcome = stage.call("CreateRule", &sent);
        assert_eq!(outcome.is_ok(), good, "{kind} {members:?}: {outcome:?}");
    }
}

#[test]
fn inserted_headers_are_not_the_load_balancers_own() {
    let mut stage = Stage::new();
    let with_header = |key: &'static str, value: &'static str, kind: &'static str| {
        [
            ("RuleActions.1.Order", "2"),
            ("RuleActions.3.Order", "1"),
            ("RuleActions.3.Type", "InsertHeader"),
            ("RuleActions.3.InsertHeaderConfig.Key", key),
            ("RuleActions.3.InsertHeaderConfig.Value", value),
            ("RuleActions.3.InsertHeaderConfig.ValueType", kind),
        ]
    };
    stage.rule(
        1,
        &with_header("Knative-Serving-Revision", "r-1", "UserDefined"),
    );
    let long = "x".repeat(129);
    let long: &'static str = Box::leak(long.into_boxed_str());
    let bad = [
        ("Host", "a.b", "UserDefined"),
        ("x-forwarded-for", "a", "UserDefined"),
        ("a", long, "UserDefined"),
        ("a", "Other", "SystemDefined"),
        ("a", "Upper-Case", "ReferenceHeader"),
    ];
    for (key, value, kind) in bad {
        let sent = stage.rule_params(2, &with_header(key, value, kind));
        let code = stage.refused("CreateRule", &sent);
        assert_eq!(code, "IllegalParam.InsertHeaderConfig", "{key}");
    }
    let mut twice = stage.rule_params(2, &with_header("A", "1", "UserDefined"));
    twice = with(
        twice,
        &[
            ("RuleActions.1.Order", "3"),
            ("RuleActions.4.Order", "2"),
            ("RuleActions.4.Type", "InsertHeader"),
            ("RuleActions.4.InsertHeaderConfig.Key", "a"),
            ("RuleActions.4.InsertHeaderConfig.Value", "2"),
            ("RuleActions.4.InsertHeaderConfig.ValueType", "UserDefined"),
        ],
    );
    let code = stage.refused("CreateRule", &twice);
    assert_eq!(code, "IllegalParam.InsertHeaderConfig");
}

#[test]
fn rewriting_needs_somewhere_to_forward_to() {
    let mut stage = Stage::new();
    let rewrite = [
        ("RuleActions.1.Order", "2"),
        ("RuleActions.2.Order", "1"),
        ("RuleActions.2.Type", "Rewrite"),
        ("RuleActions.2.RewriteConfig.Host", "other.example.com"),
    ];
    stage.rule(1, &rewrite);
    let sent = stage.rule_params(2, &rewrite);
    let fixed = with(
        sent,
        &[
            ("RuleActions.1.Type", "FixedResponse"),
            ("RuleActions.1.FixedResponseConfig.HttpCode", "404"),
        ],
    );
    let code = stage.refused("CreateRule", &fixed);
    assert_eq!(code, "OperationDenied.RewriteMissingForwardGroup");
}

fn conditions(count: usize) -> Vec<(String, String)> {
    let numbers = 2..=count;
    numbers
        .flat_map(|number| {
            let prefix = format!("RuleConditions.{number}");
            [
                (format!("{prefix}.Type"), "Header".to_owned()),
                (format!("{prefix}.HeaderConfig.Key"), format!("h{number}")),
                (format!("{prefix}.HeaderConfig.Values.1"), "*".to_owned()),
            ]
        })
        .collect()
}

#[test]
fn conditions_wildcards_actions_and_groups_are_limited() {
    let mut stage = Stage::new();
    let more = |stage: &Stage, extra: Vec<(String, String)>| {
        let mut sent = stage.rule_params(1, &[]);
        sent.extend(extra);
        sent
    };
    let sent = more(&stage, conditions(11));
    assert_eq!(
        stage.refused("CreateRule", &sent),
        "QuotaExceeded.RuleMatchEvaluationsNum"
    );
    let mut sent = more(&stage, conditions(10));
    sent = with(
        sent,
        &[("RuleConditions.1.HostConfig.Values.1", "*.*.example.com")],
    );
    assert_eq!(
        stage.refused("CreateRule", &sent),
        "QuotaExceeded.RuleWildcardsNum"
    );
    let headers: Vec<(String, String)> = (2..=6)
        .flat_map(|number| {
            let prefix = format!("RuleActions.{number}");
            [
                (format!("{prefix}.Order"), number.to_string()),
                (format!("{prefix}.Type"), "RemoveHeader".to_owned()),
                (
                    format!("{prefix}.RemoveHeaderConfig.Key"),
                    format!("h{number}"),
                ),
            ]
        })
        .collect();
    let sent = with(more(&stage, headers), &[("RuleActions.1.Order", "9")]);
    assert_eq!(
        stage.refused("CreateRule", &sent),
        "QuotaExceeded.RuleActionsNum"
    );
    let groups: Vec<String> = (0..6)
        .map(|number| stage.group_named(&format!("g{number}")))
        .collect();
    let tuples: Vec<(String, String)> = groups
        .iter()
        .zip(1..)
        .flat_map(|(id, number)| {
            let prefix = format!("RuleActions.1.ForwardGroupConfig.ServerGroupTuples.{number}");
            [
                (format!("{prefix}.ServerGroupId"), id.clone()),
                (format!("{prefix}.Weight"), "10".to_owned()),
            ]
        })
        .collect();
    let mut sent = stage.rule_params(1, &[]);
    sent.retain(|(name, _)| !name.contains("ServerGroupTuples"));
    sent.extend(tuples);
    assert_eq!(
        stage.refused("CreateRule", &sent),
        "IllegalParam.ServerGroupTuples"
    );
}

#[test]
fn a_load_balancer_has_a_hundred_rules_and_no_more() {
    let mut stage = Stage::new();
    for priority in 1..=100 {
        stage.rule(priority, &[]);
    }
    let sent = stage.rule_params(101, &[]);
    let code = stage.refused("CreateRule", &sent);
    assert_eq!(code, "ResourceQuotaExceeded.LoadBalancerRulesNum");
    assert_eq!(stage.world.alb.rules.len(), 100);
}

#[test]
fn priorities_are_unique_when_the_call_is_through() {
    let mut stage = Stage::new();
    let one = stage.rule(1, &[]);
    let two = stage.rule(2, &[]);
    let sent = stage.rule_params(1, &[("RuleName", "again")]);
    assert_eq!(stage.refused("CreateRule", &sent), "Conflict.Priority");
    stage.rule(1, &[("RuleName", "other-way"), ("Direction", "Response")]);
    let swap = owned(&[
        ("Rules.1.RuleId", &one),
        ("Rules.1.Priority", "2"),
        ("Rules.2.RuleId", &two),
        ("Rules.2.Priority", "1"),
    ]);
    stage.ok("UpdateRulesAttribute", &swap);
    let clash = owned(&[("RuleId", &one), ("Priority", "1")]);
    assert_eq!(
        stage.refused("UpdateRuleAttribute", &clash),
        "Conflict.Priority"
    );
}

#[test]
fn a_batch_is_ten_rules_and_all_or_nothing() {
    let mut stage = Stage::new();
    let batch = |stage: &Stage, numbers: std::ops::RangeInclusive<u32>| {
        let mut sent = owned(&[("ListenerId", &stage.listener)]);
        for number in numbers {
            let rule = stage.rule_params(number, &[("ListenerId", "")]);
            let rule = rule.into_iter();
            sent.extend(rule.map(|(name, value)| (format!("Rules.{number}.{name}"), value)));
        }
        sent
    };
    let sent = batch(&stage, 1..=11);
    assert_eq!(stage.refused("CreateRules", &sent), "IllegalParam.Rules");
    let sent = with(batch(&stage, 1..=3), &[("Rules.3.Priority", "2")]);
    assert_eq!(stage.refused("CreateRules", &sent), "Conflict.Priority");
    assert!(stage.world.alb.rules.is_empty(), "none of them");
    let sent = batch(&stage, 1..=3);
    let made = stage.ok("CreateRules", &sent);
    assert_eq!(made["RuleIds"].as_array().map(Vec::len), Some(3));
    let shown = stage.ok("ListRules", &owned(&[("ListenerIds.1", &stage.listener)]));
    let priorities: Vec<_> = shown["Rules"].as_array().expect("a list").iter().collect();
    assert_eq!(priorities[0]["Priority"], 1);
    let ids = owned(&[
        ("RuleIds.1", &text(priorities[0], "RuleId")),
        ("RuleIds.2", "rule-none"),
    ]);
    assert_eq!(stage.refused("DeleteRules", &ids), "ResourceNotFound.Rule");
    assert_eq!(stage.world.alb.rules.len(), 3);
}

#[test]
fn the_log_tells_a_change_from_a_rule_written_as_it_was() {
    let mut stage = Stage::new();
    let id = stage.rule(1, &[]);
    let effects = |stage: &Stage| -> Vec<Effect> {
        let writes = stage.world.alb.rule_writes.iter();
        writes.map(|write| write.effect).collect()
    };
    assert_eq!(effects(&stage), [Effect::Created]);
    let rule = stage.rule_params(1, &[("ListenerId", "")]);
    let same: Vec<(String, String)> = rule
        .into_iter()
        .map(|(name, value)| (format!("Rules.1.{name}"), value))
        .collect();
    let same = with(same, &[("Rules.1.RuleId", &id)]);
    stage.ok("UpdateRulesAttribute", &same);
    assert_eq!(effects(&stage), [Effect::Identical]);
    let other = with(
        same,
        &[(
            "Rules.1.RuleConditions.1.HostConfig.Values.1",
            "new.example.com",
        )],
    );
    stage.ok("UpdateRulesAttribute", &other);
    assert_eq!(effects(&stage), [Effect::Changed]);
    let hosts = &stage.world.alb.rule_writes[0].hosts;
    assert_eq!(hosts, &["h1.example.com", "new.example.com"]);
    stage.ok("DeleteRule", &owned(&[("RuleId", &id)]));
    assert_eq!(effects(&stage), [Effect::Deleted]);
}
