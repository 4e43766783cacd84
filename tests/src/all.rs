//! One binary of tests that use the product as it is: real images, real processes, real HTTP.

mod answering;
mod api;
mod ask;
mod bad_input;
mod canary;
mod cli;
mod command_images;
mod eval;
mod eval_api;
mod formats;
mod hostile;
mod isolation;
mod layers;
mod live_sessions;
mod media;
mod models;
mod obedient;
mod planner;
mod programs;
mod replay;
mod script;
mod session_cli;
mod sessions;
mod tenancy;
