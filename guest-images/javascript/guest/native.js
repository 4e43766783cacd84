// The functions in Rust (`src/natives.rs`); their global name is gone when scripts run.
export default globalThis.glovebox$native;
