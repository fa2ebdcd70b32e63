//! Scenarios on a real control plane and the emulated cloud. One binary, so that what they share
//! is compiled once.

#[cfg(test)]
mod scenarios;
