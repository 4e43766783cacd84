//! Worker processes: where foreign code runs. One job at a time each, replaced when they die.
//!
//! Two threads of one process run fewer guests a second than one alone, because every mapping
//! interrupts the other core; two processes run twice as many. The process is also the wall behind
//! WebAssembly: a worker gets an empty environment, no descriptor but its pipes, and no secret, locks itself before it
//! sees a job (`jail::worker`), and serves one compartment in its life.
//! See `docs/decisions/0004-workers.md` and `0017-jailed-workers.md`.

mod compartment;
mod frame;
mod pool;
mod sessions;
mod trial;
mod turn;
mod worker;

pub use pool::{Pool, PoolConfig};
pub use trial::{Part, SERVICE, Trial, Tried};
pub use turn::{Kept, Turn, Turned};
pub use worker::{Setting, worker_main};
