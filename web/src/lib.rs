//! What the page computes: a trained classifier that is shown pictures and looked into, and the training of a small one.
//!
//! | to | use | in |
//! |---|---|---|
//! | answer what the page asks | [`Session`], [`Request`] | `session` |
//! | bring a picture of any size to what a network takes | [`Picture`] | `picture` |
//! | name the class of a picture, and look at what the network sees in it | [`Classifier`] | `classifier` |
//! | train a network a few steps at a time | [`Trainer`] | `trainer` |
//! | know what is refused, and why | [`PageError`] | `error` |
//!
//! Nothing here knows of the browser: all of it is tested as it is on any computer. Compiled to WebAssembly there are
//! three functions more (`exports`), by which the page hands over a request and gets its answer; `wasm-bindgen` is not
//! needed. `README.md` beside this crate says how the page is built.

mod classifier;
mod error;
#[cfg(target_family = "wasm")]
mod exports;
mod picture;
mod session;
mod trainer;

pub use classifier::{Classified, Classifier, Description, LayerLine, Map, Maps};
pub use error::PageError;
pub use picture::{Background, Picture};
pub use session::{Answer, Request, Session};
pub use trainer::{EpochEnd, Progress, Settings, Trainer};
