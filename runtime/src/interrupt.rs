//! Interrupting a guest in the middle of a turn, so that its interpreter stays usable.
//!
//! CPython looks at a word of its thread's state, the "eval breaker", at every loop and call, and raises the exception
//! that waits beside it: what `PyThreadState_SetAsyncExc` does (Python/ceval_gil.c, `_Py_HandlePending`). The host writes
//! the same two words while the guest is suspended. Where they are is told by `_Py_DebugOffsets`, the table that CPython
//! 3.13 keeps for debuggers of other processes (Include/internal/pycore_runtime.h). Other interpreters are stopped hard.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use tokio::sync::Notify;

use crate::memory::{MemoryImage, Window};

/// Two words to write, at these places of the guest's memory: the exception, then the bit to be set in the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) exception: (usize, u32),
    pub(crate) breaker: (usize, u32),
}

const COOKIE: &[u8] = b"xdebugpy";
/// `_PY_ASYNC_EXCEPTION_BIT` of Include/internal/pycore_ceval.h, 3.13.
const ASYNC_EXCEPTION: u32 = 1 << 3;
/// Reference count of what is never freed, on 32-bit machines (Include/object.h, 3.13).
const IMMORTAL: u32 = 0x3fff_ffff;

impl Words {
    /// Finds them in the memory of an image; `None` if it is not CPython 3.13.
    pub(crate) fn find(memory: &[u8]) -> Option<Words> {
        let word = |at: usize| Some(u32::from_le_bytes(memory.get(at..at.checked_add(4)?)?.try_into().ok()?));
        let address = |at: usize| word(at).and_then(|value| usize::try_from(value).ok());
        let runtime = find(memory, COOKIE, 4)?;
        // Entries of eight bytes: version, free-threaded, then offsets by structure.
        let entry = |index: usize| address(runtime + COOKIE.len() + 8 * index);
        if entry(0)? >> 16 != 0x030d || entry(1)? != 0 {
            return None;
        }
        let interpreter = address(runtime + entry(4)?)?;
        let thread = address(interpreter + entry(8)?)?;
        // PyThreadState: prev, next, interp, eval_breaker …; async_exc, thread_id (Include/cpython/pystate.h, 3.13).
        if address(thread + entry(21)?)? != interpreter {
            return None;
        }
        let (breaker, exception) = (thread + entry(21)? + 4, thread + entry(23)?.checked_sub(4)?);
        let words = Words {
            exception: (exception, u32::try_from(type_named(memory, b"KeyboardInterrupt")?).ok()?),
            breaker: (breaker, ASYNC_EXCEPTION),
        };
        (word(exception)? == 0 && breaker % 4 == 0 && exception % 4 == 0).then_some(words)
    }

    /// Writes them. An exception that waits already keeps its reference.
    pub(crate) fn write(self, memory: &mut [u8]) {
        let ((exception, object), (breaker, bit)) = (self.exception, self.breaker);
        let word = |memory: &[u8], at: usize| memory.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        if word(memory, exception) == Some(0)
            && let Some(flags) = word(memory, breaker)
        {
            memory[exception..exception + 4].copy_from_slice(&object.to_le_bytes());
            memory[breaker..breaker + 4].copy_from_slice(&(flags | bit).to_le_bytes());
        }
    }
}

/// Address of the static type of that name: a reference count, a type, a size, and a pointer to the name.
fn type_named(memory: &[u8], name: &[u8]) -> Option<usize> {
    let text = [b"\0", name, b"\0"].concat();
    let mut from = 0;
    while let Some(at) = find(memory.get(from..)?, &text, 1).map(|at| at + from) {
        let pointer = u32::try_from(at + 1).ok()?.to_le_bytes();
        let mut place = 0;
        while let Some(found) = find(memory.get(place..)?, &pointer, 4).map(|found| found + place) {
            if found >= 12 && memory[found - 12..found - 8] == IMMORTAL.to_le_bytes() {
                return Some(found - 12);
            }
            place = found + 4;
        }
        from = at + 1;
    }
    None
}

/// The first place of `needle`, at a multiple of `align`.
fn find(memory: &[u8], needle: &[u8], align: usize) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + memory.get(from..)?.iter().position(|&byte| byte == first)?;
        if at % align == 0 && memory.get(at..at + needle.len()) == Some(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// A wish to interrupt, shared by the host's side of a turn and the guest's sleeping.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    sleeping: AtomicBool,
    words: Mutex<Option<Words>>,
    wake: Notify,
}

impl Wish {
    fn clear(&self) {
        self.0.asked.store(false, Ordering::Release);
        self.words().take();
    }

    /// Asks; a guest that sleeps wakes up.
    fn ask(&self, words: Words) {
        if !self.0.asked.swap(true, Ordering::AcqRel) {
            *self.words() = Some(words);
            self.0.wake.notify_waiters();
        }
    }

    /// What is to be written, once.
    pub(crate) fn take(&self) -> Option<Words> {
        self.words().take()
    }

    fn words(&self) -> MutexGuard<'_, Option<Words>> {
        self.0.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `sleep` or for the wish.
    pub(crate) async fn or(&self, sleep: impl Future<Output = ()>) {
        let woken = self.0.wake.notified();
        if self.0.asked.load(Ordering::Acquire) {
            return;
        }
        self.0.sleeping.store(true, Ordering::Release);
        tokio::select! {
            () = sleep => {}
            () = woken => {}
        }
        self.0.sleeping.store(false, Ordering::Release);
    }
}

/// Interrupts one turn.
pub(crate) struct Interrupt {
    wish: Wish,
    window: Window,
    image: Arc<MemoryImage>,
    /// Until when the guest may end by itself, once it was interrupted.
    until: Option<Pin<Box<tokio::time::Sleep>>>,
}

/// How long an interrupted guest may take to end its turn by itself.
const PATIENCE: Duration = Duration::from_secs(1);

impl Interrupt {
    pub(crate) fn new(wish: Wish, window: Window, image: Arc<MemoryImage>) -> Interrupt {
        wish.clear();
        Interrupt { wish, window, image, until: None }
    }

    /// The caller has cancelled, and the guest's future is pending on this thread. True while the guest may go on.
    pub(crate) fn go_on(&mut self, context: &mut Context<'_>) -> bool {
        let Some(words) = self.image.interrupt() else { return false };
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        if until.as_mut().poll(context).is_ready() {
            return false;
        }
        self.wish.ask(words);
        // A guest that sleeps is in a host call, which writes the words itself.
        if !self.wish.0.sleeping.load(Ordering::Acquire)
            && let Some(words) = self.wish.take()
        {
            // SAFETY: the guest is suspended on this thread, and as it is not in a host call that waits, it yielded at
            // an instruction of its own; its instance lives as long as its turn.
            unsafe { self.window.write(words) };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_cpython_has_no_words() {
        assert_eq!(Words::find(&[0; 4096]), None);
        let mut memory = vec![0xff; 4096];
        memory[8..16].copy_from_slice(COOKIE);
        assert_eq!(Words::find(&memory), None);
        memory[16..24].copy_from_slice(&0x030d_0ff0u64.to_le_bytes());
        memory[24..].fill(0);
        assert_eq!(Words::find(&memory), None);
        assert_eq!(Words::find(COOKIE), None);
    }
}
