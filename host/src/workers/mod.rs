//! Worker processes: where foreign code runs. One job at a time each, replaced when they die.
//!
//! Two threads of one process run fewer guests a second than one alone, because every mapping
//! interrupts the other core; two processes run twice as many. The process is also the wall behind
//! WebAssembly: a worker gets an empty environment, no descriptor but its pipes, and no secret.
//! See `docs/decisions/0004-workers.md`.

mod frame;
mod pool;
mod sessions;
mod trial;
mod turn;
mod worker;

pub use pool::{Pool, PoolConfig};
pub use trial::{Part, SERVICE, Trial, Tried};
pub use turn::{Kept, Turn, Turned};
pub use worker::worker_main;
