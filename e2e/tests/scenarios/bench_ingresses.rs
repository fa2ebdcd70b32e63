//! The benchmark of Knative Ingresses goes through all its stages; what it tells is nobody's goal here.

use std::{collections::BTreeMap, time::Duration};

use e2e::binaries;
use tokio::{process::Command, time::timeout};

/// Cells of the one layer's column, by row.
fn rows(table: &str) -> BTreeMap<&str, &str> {
    let cells = table.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some((cells.next()?, cells.next()?))
    });
    cells.collect()
}

#[tokio::test]
async fn a_benchmark_of_two_knative_ingresses_tells_what_they_took() {
    let programs = binaries::ensure(|_| ()).await.unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["ingresses", "--ingresses", "2", "--layers", "alb,net-istio"])
        .arg("--no-ready")
        .env("GATEWAYBINDING_OPERATOR_BIN", &programs.operator)
        .env("ALICLOUD_EMULATOR_BIN", &programs.emulator)
        .env_remove("NET_ISTIO_BIN")
        .kill_on_drop(true)
        .output();
    let output = timeout(Duration::from_secs(300), command).await;
    let output = output.expect("it ends within 5 minutes").unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let left_out = "net-istio is not measured: its module is not built here: set NET_ISTIO_BIN";
    assert!(told.contains(left_out), "{told}");
    let table = String::from_utf8(output.stdout).unwrap();
    let rows = rows(&table);
    let number = |row: &str| -> f64 {
        let number = rows[row].split(' ').next().unwrap();
        number.parse().unwrap_or_else(|_| panic!("{row}:\n{table}"))
    };
    assert_eq!(rows[""], "alb, 2 (Ingresses made)", "{table}");
    assert!(number("API server writes / Ingress") >= 2.0, "{table}");
    assert!(
        number("all made after") >= number("last Ingress applied after"),
        "{table}"
    );
    for row in ["peak memory", "restart: peak memory"] {
        assert!(number(row) > 1.0, "{table}");
    }
    assert!(rows.contains_key("restart: API server writes"), "{table}");
}
