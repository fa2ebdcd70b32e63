//! A Knative gateway: what the `istio-ingressgateway` Pods with net-istio are in a cluster.
//!
//! [`Gateway`] listens on a real address, takes its routes from the networking Ingresses and its
//! backends from Services and EndpointSlices, and sends each request where Knative says by its
//! `Host`. [`istio`] puts the Node, Pods and Service of the Istio gateway into the API server,
//! with the address it listens on, so that EndpointSlices of every Service that selects those Pods
//! lead to it.
//!
//! It is a gateway for public hosts over plain HTTP: rules that are cluster-local have a port of
//! their own on a real gateway (8081), and are not served here. What it answers itself is what
//! Envoy answers: 404 for an unknown host, 400 for a request without one, 503 without a healthy
//! backend.

mod backends;
mod controller;
pub mod istio;
mod proxy;
mod routes;
mod server;

pub use backends::Backends;
pub use routes::{PathRoute, Routes, Upstream};
pub use server::{Gateway, GatewayError};
