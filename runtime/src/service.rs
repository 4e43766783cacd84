//! Services: what a guest may ask of its host with `glovebox.call` (guest-images/CONTRACT.md).
//!
//! The runtime hands requests on and knows none of them. It keeps the guest's books: a service is told how much room
//! there is for files, and says what it took.

use std::pin::Pin;

use serde::{Deserialize, Serialize};
use wasmtime::{AsContextMut, Caller};

use crate::guest::{State, split};

/// Longest request and longest answer, in bytes.
const MAX_CALL: usize = 4 << 20;

/// What is left of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Bytes of all new files.
    pub bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files.
    pub files: u64,
}

/// What a service did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// For the guest, in JSON.
    pub body: String,
    /// Bytes that the workspace has more; negative if it has fewer.
    pub bytes: i64,
    /// Files that the workspace has more.
    pub files: u64,
}

/// A service's work; dropping it ends the work.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Option<Answer>> + Send + 'a>>;

/// Answers the calls of a guest. One call is under way at a time.
pub trait Services: Send + Sync {
    /// Does what the request says, in JSON. `None`: refused, or not known.
    fn call(&self, request: String, room: Room) -> Answering<'_>;
}

/// The import `glovebox.call`: the answer's place and length, or -1.
pub(crate) async fn call(mut caller: Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<i64> {
    let (memory, state) = split(&mut caller)?;
    let Some(services) = state.services.clone() else { return Ok(-1) };
    let wiggle::GuestMemory::Unshared(bytes) = memory else { return Ok(-1) };
    let (at, length) = (at as usize, length as usize);
    let request = bytes.get(at..at.saturating_add(length)).filter(|request| request.len() <= MAX_CALL);
    let request = request.ok_or_else(|| wasmtime::format_err!("a call of {length} bytes at {at} is out of bounds"))?;
    let Ok(request) = String::from_utf8(request.to_vec()) else { return Ok(-1) };
    let room = state.wasi.ledger.room();
    let wish = state.wasi.clock.wish.clone();
    let mut answer = None;
    // Whoever wants to interrupt the guest interrupts its call as well.
    wish.or(async { answer = services.call(request, room).await }).await;
    let (memory, state) = split(&mut caller)?;
    if let (Some(words), wiggle::GuestMemory::Unshared(bytes)) = (wish.take(), memory) {
        words.write(bytes);
    }
    let Some(answer) = answer.filter(|answer| answer.body.len() <= MAX_CALL) else { return Ok(-1) };
    state.wasi.ledger.changed(answer.bytes, answer.files);
    let Some(alloc) = caller.get_export("gb_alloc").and_then(wasmtime::Extern::into_func) else { return Ok(-1) };
    let alloc = alloc.typed::<u32, u32>(&caller)?;
    let size = u32::try_from(answer.body.len())?;
    let place = alloc.call_async(caller.as_context_mut(), size).await?;
    if place == 0 {
        return Ok(-1);
    }
    let (memory, _) = split(&mut caller)?;
    let wiggle::GuestMemory::Unshared(bytes) = memory else { return Ok(-1) };
    let target = bytes.get_mut(place as usize..place as usize + answer.body.len());
    target
        .ok_or_else(|| wasmtime::format_err!("gb_alloc gave a place out of bounds"))?
        .copy_from_slice(answer.body.as_bytes());
    Ok((i64::from(place) << 32) | i64::from(size))
}
