//! Switching Knative over to a gateway, and back: whose turn it is, what the keys have to have, and
//! what is to be written and given back.

pub mod config;
pub mod switch;
pub mod turn;
