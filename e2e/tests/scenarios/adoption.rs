//! What was made in the console is adopted by its ids, carries traffic all the time, and is there as
//! before when the manifests are gone.

use std::time::Duration;

use crds::keys::consumer_secret;
use e2e::world::World;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    by_hand::{api, text},
    console::{Console, apply, everything, told},
    exposed::{api_key, binding, mutations, now, ready},
    plan_command,
};

fn helloworld() -> e2e::world::Target {
    binding("default", "helloworld")
}

/// Over some drift checks nothing is changed.
async fn stays_still(world: &World, when: &str) {
    world.cloud.reset_calls().await.unwrap();
    let operator = world.options().operator_keys.id.clone();
    let look = async || {
        let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
        let made = calls
            .iter()
            .filter(|call| call.access_key_id == operator && call.action == "DescribeApiGroups")
            .count();
        (made >= 4)
            .then_some(())
            .ok_or_else(|| format!("{made} of 4 checks"))
    };
    let patience = Duration::from_secs(60);
    let waited = world.wait_until("the drift check", "done four times", patience, look);
    waited.await.unwrap();
    assert_eq!(mutations(world).await, Vec::<String>::new(), "{when}");
}

/// The deployed definition.
async fn running(world: &World, console: &Console) -> Value {
    let params = [("ApiId", console.api.as_str()), ("StageName", "RELEASE")];
    api(world, "DescribeDeployedApi", &params).await
}

#[tokio::test]
async fn what_is_as_the_manifests_say_is_not_touched_from_the_first_to_the_last_call() {
    let (mut world, console) = Console::set_up().await;
    let before = everything(&world).await;
    world.cloud.reset_calls().await.unwrap();
    console.adopt(&world).await;
    let status = now(&world, &helloworld()).await.data["status"].clone();
    assert_eq!(status["apiGateway"]["groupId"], console.group.as_str());
    assert_eq!(
        status["apiGateway"]["routes"][0]["apis"][0]["id"],
        console.api.as_str()
    );
    assert!(
        status["urls"][0].as_str().unwrap().contains(&console.host),
        "{status}"
    );
    let ledger = status["ledger"].as_array().unwrap();
    for entry in ledger.iter().filter(|entry| entry["kind"] != "Service") {
        assert_eq!(entry["adopted"], true, "{entry}");
    }
    assert_eq!(
        api_key(&world, "default", "caller").await,
        console.code,
        "the Secret has the code that callers have"
    );
    console.answers(&world, 200).await;
    stays_still(&world, "at rest").await;

    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    world.start_operator(&options).await.unwrap();
    ready(&world, &helloworld()).await;
    stays_still(&world, "after kill -9").await;
    assert_eq!(everything(&world).await, before);

    console.let_go(&world).await;
    assert_eq!(everything(&world).await, before);
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    console.answers(&world, 200).await;
}

#[tokio::test]
async fn what_differs_is_planned_then_changed_and_the_rest_is_kept() {
    let (world, console) = Console::set_up().await;
    let before = everything(&world).await;
    let mut class = console.class();
    class["spec"]["apiGateways"][0]["groups"][0]["description"] = json!("Looked after in Git");
    let mut changed = console.binding();
    let api_gateway = &mut changed["spec"]["apiGateway"];
    api_gateway["backend"] = json!({"timeout": "20s"});
    api_gateway["protocols"] = json!(["HTTPS"]);
    api_gateway["environments"] = json!([{"name": "Release"}, {"name": "Test"}]);
    api_gateway["throttling"]["limits"] =
        json!([{"name": "all", "scope": "API", "requests": 500, "per": "Minute"}]);
    let manifests = [class, console.consumer(), changed];
    let file = world.folder().join("adopting.yaml");
    let documents: Vec<String> = manifests.iter().map(Value::to_string).collect();
    std::fs::write(&file, documents.join("\n---\n")).unwrap();

    world.cloud.reset_calls().await.unwrap();
    let output = plan_command::plan_of(&world, &file, &[]).await;
    let printed = plan_command::text(&output);
    for words in [
        "Made in the console, and never deleted:",
        "backend.timeoutMs: 10000 → 20000",
        "rules.throttling.api: 1000 → 500",
        "acts at once on every API that has this policy, whoever made it",
        "description:  → Looked after in Git",
        "replaces the running definition within seconds",
    ] {
        assert!(printed.contains(words), "no {words:?} in\n{printed}");
    }
    let output = plan_command::plan_of(&world, &file, &["-o", "json"]).await;
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    let adopted = planned["items"][0]["adopted"].as_array().unwrap();
    let names: Vec<&str> = adopted
        .iter()
        .map(|adopted| adopted["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["knative_test", "knative-test", "by_hand", "helloworld"]
    );
    assert_eq!(everything(&world).await, before);
    assert_eq!(mutations(&world).await, Vec::<String>::new());

    apply(&world, &manifests).await;
    ready(&world, &helloworld()).await;
    let after = running(&world, &console).await;
    assert_eq!(after["ServiceConfig"]["ServiceTimeout"], 20_000);
    assert_eq!(after["RequestConfig"]["RequestProtocol"], "HTTPS");
    let listed = api(&world, "DescribePlugins", &[("PluginId", &console.plugin)]).await;
    let plugin = &listed["Plugins"]["PluginAttribute"][0];
    assert_eq!(plugin["PluginName"], "by_hand");
    assert!(text(plugin, "PluginData").contains("500"), "{plugin}");
    let state = everything(&world).await;
    assert!(
        !state.to_string().contains("gatewaybinding.dev/owner"),
        "nothing is marked: {state}"
    );
    stays_still(&world, "after the change").await;

    // A hand edit of what the manifests speak of is undone, one of what they do not is kept.
    let params = [
        ("PluginId", console.plugin.as_str()),
        ("PluginData", "unit: MINUTE\napiDefault: 7\n"),
    ];
    api(&world, "ModifyPlugin", &params).await;
    let params = [("GroupId", console.group.as_str()), ("BasePath", "/v2")];
    api(&world, "ModifyApiGroup", &params).await;
    let look = async || {
        let id = ("PluginId", console.plugin.as_str());
        let listed = api(&world, "DescribePlugins", &[id]).await;
        let data = text(&listed["Plugins"]["PluginAttribute"][0], "PluginData");
        data.contains("500").then_some(()).ok_or(data)
    };
    let waited = world.wait_until("the plugin", "as the binding says", PATIENCE, look);
    waited.await.unwrap();
    let params = [("GroupId", console.group.as_str())];
    let group = api(&world, "DescribeApiGroup", &params).await;
    assert_eq!(group["BasePath"], "/v2");
    assert_eq!(group["Description"], "Looked after in Git");
    let params = [("GroupId", console.group.as_str()), ("BasePath", "/")];
    api(&world, "ModifyApiGroup", &params).await;

    console.let_go(&world).await;
    let left = everything(&world).await;
    for kind in [
        "groups",
        "vpcAccesses",
        "plugins",
        "apis",
        "apps",
        "grants",
        "apiPlugins",
    ] {
        let size = |state: &Value| match &state[kind] {
            Value::Array(all) => all.len(),
            other => other.as_object().unwrap().len(),
        };
        assert_eq!(size(&left), size(&before), "{kind}: {}", left[kind]);
    }
    let deployments = left["deployments"][&console.api].as_object().unwrap();
    let stages: Vec<&String> = deployments.keys().collect();
    assert_eq!(stages, ["RELEASE"], "where it was before");
    assert_eq!(left["grants"], before["grants"]);
    assert_eq!(left["apps"], before["apps"]);
    assert_eq!(
        running(&world, &console).await["ServiceConfig"],
        after["ServiceConfig"]
    );
}

#[tokio::test]
async fn without_existing_nothing_is_touched_and_the_message_names_the_way_out() {
    let (world, console) = Console::set_up().await;
    let before = everything(&world).await;
    let mut class = console.class();
    let api_gateway = class["spec"]["apiGateways"][0].as_object_mut().unwrap();
    api_gateway.remove("backends");
    api_gateway["groups"] = json!([{"name": "knative-test"}]);
    let mut own = console.binding();
    let api_gateway = own["spec"]["apiGateway"].as_object_mut().unwrap();
    api_gateway["routes"] = json!([{"name": "all", "path": {"prefix": "/"}}]);
    api_gateway["auth"] = json!({"anonymous": {}});
    api_gateway.remove("throttling");
    apply(&world, &[class, own]).await;
    let message = told(&world, &helloworld(), "NotOwned").await;
    for id in [&console.group, &console.access] {
        let way_out = format!("existing: {{id: {id}}}");
        assert!(message.contains(&way_out), "no {way_out:?} in {message:?}");
    }
    stays_still(&world, "not adopted").await;
    assert_eq!(everything(&world).await, before);

    // In the adopted group the API that holds the path is named.
    apply(&world, &[console.class()]).await;
    let look = async || {
        let message = told(&world, &helloworld(), "NotOwned").await;
        let way_out = format!("at the route, existing: {{id: {}}}", console.api);
        message.contains(&way_out).then_some(()).ok_or(message)
    };
    let waited = world.wait_until("the message", "about the API", PATIENCE, look);
    waited.await.unwrap();
    assert_eq!(everything(&world).await, before);
    console.answers(&world, 200).await;

    world.delete(&helloworld()).await.unwrap();
    super::exposed::gone(&world, &helloworld()).await;
    assert_eq!(everything(&world).await, before);
}

#[tokio::test]
async fn an_id_that_is_wrong_costs_nothing_and_consent_is_the_classs() {
    let (world, console) = Console::set_up().await;
    console.adopt(&world).await;
    let before = everything(&world).await;
    world.cloud.reset_calls().await.unwrap();
    let mut wrong = console.class();
    wrong["spec"]["apiGateways"][0]["groups"][0]["existing"]["id"] = json!("0000");
    apply(&world, &[wrong]).await;
    let message = told(&world, &helloworld(), "NotAdoptable").await;
    assert!(message.contains("there is no API group 0000"), "{message}");
    console.answers(&world, 200).await;
    let mut strict = console.class();
    strict["spec"]["adoptable"] = json!(["Policy"]);
    apply(&world, &[strict]).await;
    let refused =
        e2e::world::Expect::condition_with_reason("Accepted", "False", "NotAllowedByClass");
    world
        .wait_for(&helloworld(), &refused, PATIENCE)
        .await
        .unwrap();
    console.answers(&world, 200).await;
    assert_eq!(everything(&world).await, before);
    assert_eq!(mutations(&world).await, Vec::<String>::new());
    apply(&world, &[console.class()]).await;
    ready(&world, &helloworld()).await;
}

#[tokio::test]
async fn a_plugin_of_others_stays_until_it_is_adopted_or_taken_off() {
    let (world, console) = Console::set_up().await;
    let mut own_limits = console.binding();
    own_limits["spec"]["apiGateway"]["throttling"] =
        json!({"limits": [{"name": "all", "scope": "API", "requests": 500, "per": "Minute"}]});
    apply(&world, &[console.class(), console.consumer(), own_limits]).await;
    let message = told(&world, &helloworld(), "ForeignField").await;
    assert!(message.contains(&console.plugin), "{message}");
    stays_still(&world, "refused").await;
    let attached = async || {
        let params = [("PluginId", console.plugin.as_str())];
        let apis = api(&world, "DescribePluginApis", &params).await;
        apis["TotalCount"].as_u64().unwrap()
    };
    assert_eq!(attached().await, 1);
    let params = [
        ("ApiId", console.api.as_str()),
        ("PluginId", &console.plugin),
        ("StageName", "RELEASE"),
    ];
    api(&world, "DetachPlugin", &params).await;
    ready(&world, &helloworld()).await;
    assert_eq!(attached().await, 0, "ours is in effect");
    console.let_go(&world).await;
    let plugins = api(&world, "DescribePlugins", &[]).await;
    assert_eq!(plugins["TotalCount"], 1, "and gone again");
}

#[tokio::test]
async fn killed_between_a_change_and_its_publication_it_is_published_all_the_same() {
    let (mut world, console) = Console::set_up().await;
    console.adopt(&world).await;
    let plan = json!({"rules": [
        {"product": "CloudAPI", "action": "ModifyApi", "times": 1,
         "effect": {"type": "appliedButUnanswered", "loss": "hang"}},
    ]});
    world.cloud.faults(&plan).await.unwrap();
    // What runs does not tell where it looks for an API key.
    let mut changed = console.binding();
    changed["spec"]["apiGateway"]["auth"]["consumer"]["apiKey"] = json!({"in": ["Header"]});
    apply(&world, &[changed]).await;
    let look = async || {
        let draft = api(&world, "DescribeApi", &[("ApiId", &console.api)]).await;
        (draft["AppCodeAuthType"] == "HEADER")
            .then_some(())
            .ok_or_else(|| "not changed yet".to_owned())
    };
    let waited = world.wait_until("the draft", "changed", PATIENCE, look);
    waited.await.unwrap();
    let options = world.options().operator.clone().unwrap();
    world.operator.take().unwrap().kill().await.unwrap();
    let by_query = format!("/?AppCode={}", console.code);
    let answer = world.cloud.curl(&console.host, &by_query, &[]).await;
    assert_eq!(answer.unwrap().status, 200, "not published");
    world.start_operator(&options).await.unwrap();
    let get = async || world.cloud.curl(&console.host, &by_query, &[]).await;
    let refused = |answer: &e2e::world::Answer| answer.status == 400;
    world
        .wait_for_answer("400", PATIENCE, get, refused)
        .await
        .unwrap();
    ready(&world, &helloworld()).await;
    console.answers(&world, 200).await;
}

#[tokio::test]
async fn two_classes_cannot_have_the_same_group() {
    let (world, console) = Console::set_up().await;
    console.adopt(&world).await;
    let before = everything(&world).await;
    let mut other = console.class();
    other["metadata"] = json!({"name": "other"});
    let mut second = console.binding();
    second["metadata"]["name"] = json!("second");
    second["spec"]["className"] = json!("other");
    second["spec"]["apiGateway"]["routes"] =
        json!([{"name": "own", "path": {"prefix": "/second"}}]);
    second["spec"]["apiGateway"]["auth"] = json!({"anonymous": {}});
    second["spec"]["apiGateway"]
        .as_object_mut()
        .unwrap()
        .remove("throttling");
    apply(&world, &[other, second]).await;
    let target = binding("default", "second");
    let message = told(&world, &target, "NotAdoptable").await;
    for words in [
        &console.group,
        "GatewayBinding default/helloworld",
        "\"production\"",
    ] {
        assert!(message.contains(words), "no {words:?} in {message:?}");
    }
    assert_eq!(everything(&world).await, before);
    // It gets the group when the other one lets go.
    console.let_go(&world).await;
    ready(&world, &target).await;
    let key = consumer_secret::API_KEY;
    assert!(world.secret("default", "caller", key).await.is_err());
}

#[tokio::test]
async fn lists_that_fail_or_are_cut_never_mean_that_what_is_adopted_is_gone() {
    let (world, console) = Console::set_up().await;
    console.adopt(&world).await;
    let before = everything(&world).await;
    let lists = [
        "DescribeApiGroups",
        "DescribeApis",
        "DescribeVpcAccesses",
        "DescribePlugins",
        "DescribePluginApis",
        "DescribeAppAttributes",
        "DescribeAuthorizedApis",
    ];
    let operator = &world.options().operator_keys.id;
    for effect in ["emptyList", "serverError"] {
        world.cloud.reset_calls().await.unwrap();
        let rule = |action: &str| json!({"action": action, "accessKeyId": operator, "effect": {"type": effect}});
        let rules: Vec<Value> = lists.iter().map(|action| rule(action)).collect();
        world
            .cloud
            .faults(&json!({ "rules": rules }))
            .await
            .unwrap();
        let look = async || {
            let calls = world.cloud.calls().await.map_err(|e| e.to_string())?;
            let asked = calls
                .iter()
                .filter(|call| call.access_key_id == *operator && lists.contains(&&*call.action))
                .count();
            (asked >= 6)
                .then_some(())
                .ok_or_else(|| format!("{asked} of 6"))
        };
        let waited = world.wait_until("the lists", "asked for in vain", PATIENCE, look);
        waited.await.unwrap();
        assert_eq!(mutations(&world).await, Vec::<String>::new(), "{effect}");
        world.cloud.faults(&json!({"rules": []})).await.unwrap();
        ready(&world, &helloworld()).await;
    }
    assert_eq!(everything(&world).await, before);
    console.answers(&world, 200).await;
}

#[tokio::test]
async fn in_bad_weather_it_comes_to_the_same_and_leaves_the_same() {
    let (world, console) = Console::set_up().await;
    let before = everything(&world).await;
    let key = &world.options().operator_keys.id;
    let weather = json!({"seed": 7, "consistencyDelayMs": 1000, "rules": [
        {"accessKeyId": key, "probability": 0.2, "effect": {"type": "throttle", "retryAfterMs": 200}},
        {"accessKeyId": key, "probability": 0.07, "effect": {"type": "serverError"}},
        {"accessKeyId": key, "probability": 0.07, "effect": {"type": "appliedButUnanswered"}},
    ]});
    world.cloud.faults(&weather).await.unwrap();
    let mut more = console.binding();
    let api_gateway = &mut more["spec"]["apiGateway"];
    api_gateway["backend"] = json!({"timeout": "20s"});
    api_gateway["environments"] = json!([{"name": "Release"}, {"name": "Test"}]);
    let own = json!({"name": "own", "path": {"prefix": "/own"}});
    api_gateway["routes"].as_array_mut().unwrap().push(own);
    apply(&world, &[console.class(), console.consumer(), more]).await;
    let patience = Duration::from_secs(180);
    let is_ready = e2e::world::Expect::condition("Ready", "True");
    world
        .wait_for(&helloworld(), &is_ready, patience)
        .await
        .unwrap();
    assert_eq!(api_key(&world, "default", "caller").await, console.code);
    console.answers(&world, 200).await;
    for target in [
        helloworld(),
        super::exposed::consumer("default", "caller"),
        super::exposed::class("production"),
    ] {
        world.delete(&target).await.unwrap();
        let gone = e2e::world::Expect::gone();
        world.wait_for(&target, &gone, patience).await.unwrap();
    }
    let left = everything(&world).await;
    for kind in [
        "groups",
        "vpcAccesses",
        "plugins",
        "apps",
        "grants",
        "apiPlugins",
    ] {
        assert_eq!(left[kind], before[kind], "{kind}");
    }
    assert_eq!(left["apis"].as_object().unwrap().len(), 1);
    let stages = left["deployments"][&console.api].as_object().unwrap();
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["RELEASE"]);
    console.answers(&world, 200).await;
}
