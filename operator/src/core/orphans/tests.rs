//! What is an orphan, when it counts, and what it must not take along.

mod find;
mod going;
mod memory;
mod stage;
