//! What kubectl tells somebody who sees this for the first time.

use e2e::world::World;

use super::exposed::{exposed, helloworld, host, now};

/// Every word stands in the text.
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}

/// The cells of a table that kubectl printed: its header and first row.
fn cells(table: &str) -> Vec<(String, String)> {
    let mut lines = table.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let split = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim);
        cells
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (header, row) = (split(header), split(row));
    assert_eq!(header.len(), row.len(), "a cell is empty:\n{table}");
    header.into_iter().zip(row).collect()
}

#[tokio::test]
async fn kubectl_tells_a_newcomer_where_it_stands() {
    let world = exposed().await;
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=10s",
        "gatewaybinding/helloworld",
    ];
    has(&world.kubectl(&wait).await.unwrap(), &["condition met"]);
    tables(&world).await;
    description(&world).await;
    explanations(&world).await;
}

async fn tables(world: &World) {
    let binding = now(world, &helloworld()).await;
    let url = format!("https://{}/", host(&binding));
    let printed = world.kubectl(&["get", "gwb"]).await.unwrap();
    let cells = cells(&printed);
    let cell = |name: &str| {
        let found = cells.iter().find(|(header, _)| header == name);
        found.map(|(_, cell)| cell.as_str())
    };
    assert_eq!(cell("NAME"), Some("helloworld"), "{printed}");
    assert_eq!(cell("READY"), Some("True"), "{printed}");
    assert_eq!(cell("GATEWAY"), Some("intranet"), "{printed}");
    assert_eq!(cell("ADDRESS"), Some(url.as_str()), "{printed}");
    assert_eq!(cell("REASON"), Some("Ready"), "{printed}");
    assert!(cell("AGE").is_some(), "{printed}");

    let wide = world.kubectl(&["get", "gwb", "-o", "wide"]).await.unwrap();
    has(&wide, &["CLASS", "production"]);
    let all = ["get", "gatewaybinding-all", "-A"];
    let all = world.kubectl(&all).await.unwrap();
    has(&all, &["gatewaybinding.gatewaybinding.dev/helloworld"]);
    has(&all, &["gatewayconsumer.gatewaybinding.dev/knative"]);
    has(&all, &["gatewaybindingclass.gatewaybinding.dev/production"]);
    let classes = world.kubectl(&["get", "gwbc"]).await.unwrap();
    has(
        &classes,
        &["production", "True", "cn-beijing", "1234567890123456"],
    );
    let consumers = world.kubectl(&["get", "gwc"]).await.unwrap();
    has(&consumers, &["knative", "True", "Active"]);
}

async fn description(world: &World) {
    let describe = ["describe", "gwb", "helloworld"];
    let described = world.kubectl(&describe).await.unwrap();
    for type_ in ["Accepted", "ResolvedRefs", "Programmed", "Ready"] {
        has(&described, &[&format!("Type:                  {type_}\n")]);
    }
    has(&described, &["Load Balancer:", "Group Id:", "Ledger:"]);
    let events = described.split("Events:").nth(1).unwrap();
    has(
        events,
        &["Normal", "Applied", "gatewaybinding.dev/operator"],
    );
    has(events, &["Ready is True."]);
    assert!(!events.contains("Warning"), "nothing went wrong:\n{events}");
    let key = super::exposed::api_key(world, "default", "knative-caller").await;
    for kind in ["gwb", "gwc", "gwbc", "events"] {
        let all = world.kubectl(&["get", kind, "-A", "-o", "yaml"]).await;
        assert!(!all.unwrap().contains(&key), "an API key stands in {kind}");
    }
}

async fn explanations(world: &World) {
    let explain = async |field: &str| world.kubectl(&["explain", field]).await.unwrap();
    let auth = explain("gwb.spec.apiGateway.auth").await;
    has(
        &auth,
        &[
            "Who may call",
            "anonymous",
            "consumer",
            "without a credential",
        ],
    );
    let binding = explain("gwb").await;
    has(&binding, &["GatewayBinding", "DESCRIPTION"]);
    let limits = explain("gwb.spec.apiGateway.throttling.limits").await;
    has(
        &limits,
        &["-required-", "Number of requests in the unit of time"],
    );
    let slb = explain("gwbc.spec.gateways.slb.settings").await;
    has(&slb, &["enum: Intranet, Internet", "There is no default"]);
}
