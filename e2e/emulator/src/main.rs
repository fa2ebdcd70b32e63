//! The `alicloud-emulator` command.

fn main() {}
