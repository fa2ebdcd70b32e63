//! The commands of the command line, one file each.

mod crd;
mod plan;
mod run;
mod version;

pub use self::crd::crd;
pub use self::plan::plan;
pub use self::run::run;
pub use self::version::version;
