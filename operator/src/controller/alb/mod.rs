//! The networking layer of Knative on ALB. It starts when a class with an ALB is there, and serves the
//! Knative Ingresses of that class' ingress class.

mod children;
mod complaints;
mod concerns;
mod endpoints;
mod facts;
mod hop;
mod instances;
mod leave;
mod left_over;
mod lighten;
mod pass;
mod places;
mod secrets;
mod serving;
pub mod signals;
pub mod state;
pub mod users;
mod vswitches;
mod watch;

pub use watch::spawn;

/// Kind in metrics, backoff and logs.
pub const KIND: &str = "KnativeIngress";
