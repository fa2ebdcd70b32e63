//! The commands of the command line, one file each.

mod crd;
mod import;
mod plan;
mod ram_policy;
mod run;
mod version;

use std::io::{ErrorKind, Write};

use anyhow::Context;

pub use self::crd::crd;
pub use self::import::import;
pub use self::plan::plan;
pub use self::ram_policy::ram_policy;
pub use self::run::run;
pub use self::version::version;

/// Writes to standard output. A reader that has seen enough, like `head`, is not an error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
