//! One binary of tests that use the product as it is: real images, real processes, real HTTP.

mod api;
mod ask;
mod bad_input;
mod cli;
mod isolation;
mod programs;
mod replay;
