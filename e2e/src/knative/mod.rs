//! A stand-in for Knative Serving.
//!
//! It makes the objects that Knative makes from a `serving.knative.dev/v1` Service (Configuration,
//! Revision, Route, the networking Ingress, the Kubernetes Services in front of and behind it),
//! with Knative's names, owners, labels and conditions, so that whatever reads those objects sees
//! what it sees in a real cluster. Three things differ from the real controllers, and a reader of
//! a test should know them:
//!
//! * Nothing runs in Pods. Revisions are always "scaled to zero": their Services lead to an
//!   in-process [`Activator`], which answers for the few images of [`images`]. A Revision of any
//!   other image is not Ready, with the reason Knative gives when an image cannot be pulled.
//!   Deployments, PodAutoscalers and ServerlessServices are not created.
//! * There is no webhook: what Knative would default in the user's object at admission is
//!   defaulted in the objects made from it.
//! * Changes of traffic take effect at once (`rollout-duration: 0`, Knative's own default).
//!
//! The networking layer, which turns the Ingress Ready, is [`crate::gateway`].

mod activator;
pub mod images;
pub mod names;
pub mod objects;
mod reconcile;
mod stand_in;
pub mod status;
pub mod traffic;
pub mod types;

pub use activator::Activator;
pub use reconcile::ReconcileError;
pub use stand_in::{KnativeOptions, KnativeStandIn, StandInError};
