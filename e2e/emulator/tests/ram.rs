//! Permissions: what a key's policy does not allow is refused, in the words of the cloud.

#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests fail the test, as tests do.

mod common;

use alicloud_emulator::ram::Policy;
use common::{CLOUDAPI, Client, KEY, REGION, STS, VPC, builder};
use reqwest::StatusCode;
use serde_json::{Value, json};

const ACCOUNT: &str = "1234567890123456";
const OTHER: (&str, &str) = ("otherid", "othersecret");

fn policy(statements: Value) -> Policy {
    let document = json!({"Version": "1", "Statement": statements}).to_string();
    Policy::parse(document.as_bytes()).expect("a policy")
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn arn(rest: &str) -> String {
    format!("acs:apigateway:{REGION}:{ACCOUNT}:{rest}")
}

#[tokio::test]
async fn a_key_may_do_what_its_policy_allows_and_nothing_else() {
    let groups = policy(json!([
        allow("apigateway:*ApiGroup*", &arn("apigroup/*")),
        allow("apigateway:CreateApp", &arn("app/*")),
    ]));
    let emulator = builder()
        .access_key(OTHER.0, OTHER.1)
        .ram_policy(KEY, groups)
        .start()
        .await
        .expect("the emulator starts");
    let client = Client::of(&emulator);
    let group = [("GroupName", "knative")];
    let made = client.call(CLOUDAPI, "CreateApiGroup", &group).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");

    for (version, action, params, missing) in [
        (CLOUDAPI, "DescribeApis", &[][..], "apigateway:DescribeApis"),
        (
            VPC,
            "DescribeVpcs",
            &[("RegionId", REGION)][..],
            "vpc:DescribeVpcs",
        ),
    ] {
        let refused = client.call(version, action, params).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
        assert_eq!(refused.code(), "Forbidden.RAM");
        let detail = &refused.body["AccessDeniedDetail"];
        assert_eq!(detail["AuthAction"], missing);
        assert_eq!(detail["NoPermissionType"], "ImplicitDeny");
        assert_eq!(detail["AuthPrincipalDisplayName"], KEY);
    }
    let who = client.call(STS, "GetCallerIdentity", &[]).await;
    assert_eq!(who.status, StatusCode::OK, "everybody may ask: {who:?}");
    let root = Client {
        key: OTHER.0.to_owned(),
        secret: OTHER.1.to_owned(),
        ..client
    };
    let all = root.call(CLOUDAPI, "DescribeApis", &[]).await;
    assert_eq!(all.status, StatusCode::OK, "no policy, no bounds: {all:?}");
}

/// A grant is about a group and about apps, and both have to be allowed.
#[tokio::test]
async fn each_thing_that_a_call_is_about_has_to_be_allowed() {
    let emulator = builder().start().await.expect("the emulator starts");
    let client = Client::of(&emulator);
    let set = async |statements: Value| {
        let url = format!("{}/_emulator/ram", client.url);
        let policies = json!({ KEY: {"Version": "1", "Statement": statements} });
        let answer = client.http().put(url).json(&policies).send().await;
        answer.expect("an answer").status()
    };
    let grant = async || {
        let params = [
            ("GroupId", "g1"),
            ("ApiId", "a1"),
            ("StageName", "RELEASE"),
            ("AppIds", "11,12"),
        ];
        let reply = client.call(CLOUDAPI, "SetAppsAuthorities", &params).await;
        reply.code().to_owned()
    };
    let on = |resources: Value| json!([{"Effect": "Allow", "Action": "apigateway:SetAppsAuthorities", "Resource": resources}]);
    for (resources, allowed) in [
        (json!([arn("apigroup/*")]), false),
        (json!([arn("app/*")]), false),
        (json!([arn("apigroup/g1"), arn("app/11")]), false),
        (json!([arn("apigroup/g1"), arn("app/1?")]), true),
        (json!(["acs:apigateway:*:*:*"]), true),
        (json!("*"), true),
    ] {
        assert_eq!(set(on(resources.clone())).await, StatusCode::NO_CONTENT);
        let code = grant().await;
        // Allowed, it is about an API that does not exist.
        assert_eq!(code != "Forbidden.RAM", allowed, "{resources}: {code}");
    }
    // An action without resources of its own is allowed on everything only.
    let remove = [("VpcId", "v"), ("InstanceId", "i"), ("Port", "80")];
    for (resource, allowed) in [("acs:apigateway:*:*:*", false), ("*", true)] {
        set(json!([allow("apigateway:RemoveVpcAccess", resource)])).await;
        let reply = client.call(CLOUDAPI, "RemoveVpcAccess", &remove).await;
        assert_eq!(reply.code() != "Forbidden.RAM", allowed, "{reply:?}");
    }
    let deny = json!({"Effect": "Deny", "Action": "*", "Resource": arn("apigroup/*")});
    set(json!([allow("*", "*"), deny])).await;
    let params = [("GroupId", "g1")];
    let refused = client.call(CLOUDAPI, "DeleteApiGroup", &params).await;
    let detail = &refused.body["AccessDeniedDetail"];
    assert_eq!(detail["NoPermissionType"], "ExplicitDeny", "{refused:?}");
    let unclear = json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}]);
    assert_eq!(set(unclear).await, StatusCode::BAD_REQUEST);
}
