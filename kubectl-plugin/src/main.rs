//! `kubectl gatewaybinding`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_gatewaybinding::main(std::env::args_os())
}
