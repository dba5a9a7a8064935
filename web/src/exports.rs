//! What the page calls: the whole of the interface between JavaScript and WebAssembly.
//!
//! The page asks for room for a request by `room`, writes it there (JSON, then bytes) and calls `answer`. What it finds
//! at the address that `answer` gives is the answer: the length of its JSON and of its bytes, each as four bytes, then
//! both. After a trap it finds at `failure` why, and starts anew.

use std::cell::RefCell;

use crate::Session;

/// What is between the page and the session.
#[derive(Default)]
struct Desk {
    session: Session,
    request: Vec<u8>,
    answer: Vec<u8>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
    static FAILURE: RefCell<Vec<u8>> = RefCell::default();
}

/// Room for a request of so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    DESK.with_borrow_mut(|desk| {
        // Not resized: a large picture that was here before would be copied.
        desk.request = Vec::new();
        desk.request = vec![0; bytes];
        desk.request.as_mut_ptr()
    })
}

/// Answers the request, whose first bytes, so many, are JSON.
#[unsafe(no_mangle)]
pub extern "C" fn answer(text: usize) -> *const u8 {
    std::panic::set_hook(Box::new(|panic| {
        FAILURE.with_borrow_mut(|failure| *failure = framed(&panic.to_string(), &[]));
    }));
    DESK.with_borrow_mut(|desk| {
        let request = std::mem::take(&mut desk.request);
        let (text, bytes) = request.split_at(text.min(request.len()));
        let answer = desk.session.answer(text, bytes);
        desk.answer = framed(&answer.text, &answer.bytes);
        desk.answer.as_ptr()
    })
}

/// Why the last call trapped, framed as an answer.
#[unsafe(no_mangle)]
pub extern "C" fn failure() -> *const u8 {
    FAILURE.with_borrow_mut(|failure| {
        if failure.is_empty() {
            *failure = framed("out of memory", &[]);
        }
        failure.as_ptr()
    })
}

fn framed(text: &str, bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(8 + text.len() + bytes.len());
    for part in [text.len(), bytes.len()] {
        framed.extend((part as u32).to_le_bytes());
    }
    framed.extend(text.as_bytes());
    framed.extend(bytes);
    framed
}
