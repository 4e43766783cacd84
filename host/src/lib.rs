//! Glovebox's host: turns files and questions into runs and answers.

#![forbid(unsafe_code)]

mod ancestry;
pub mod api;
pub mod app;
mod archive;
mod asks;
pub mod audit;
pub mod backend;
mod backup;
mod checkpoints;
pub mod cli;
pub mod config;
mod connections;
mod direct;
pub mod engine;
pub mod error;
pub mod eval;
mod evals;
pub mod files;
pub mod images;
pub mod jail;
mod journal;
pub mod keys;
pub mod line;
pub mod links;
mod live;
pub mod llm;
pub mod log;
pub mod media;
mod metrics;
mod notice;
pub mod quota;
pub mod reload;
mod replay;
mod runs;
pub mod sampling;
pub mod server;
mod sessions;
mod shares;
pub mod storage;
pub mod tenants;
pub mod traces;
mod tree;
mod turns;
mod uploads;
pub mod workers;

pub use api::app;
pub use app::App;
