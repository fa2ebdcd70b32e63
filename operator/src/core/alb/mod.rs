//! Application load balancers as Knative's networking layer: from a Knative Ingress to Ingresses of
//! the ALB Ingress controller, and from those to the status that Knative waits for.

pub mod binding;
pub mod gray;
pub mod hop;
pub mod instance;
pub mod kingress;
pub mod loose;
pub mod network;
pub mod pace;
mod pack;
pub mod placeholder;
pub mod plan;
pub mod reach;
pub mod refusal;
pub mod render;
pub mod rule;
pub mod seats;
pub mod stand_ins;
pub mod status;
pub mod translate;
pub mod vswitches;
