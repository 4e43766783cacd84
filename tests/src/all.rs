//! One binary of tests that use the product as it is: real images, real processes, real HTTP.

mod api;
mod ask;
mod bad_input;
mod canary;
mod cli;
mod command_images;
mod isolation;
mod layers;
mod live_sessions;
mod programs;
mod replay;
mod session_cli;
mod sessions;
