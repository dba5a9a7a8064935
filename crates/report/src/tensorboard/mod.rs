//! Event files that [TensorBoard](https://www.tensorflow.org/tensorboard) shows.
//!
//! ```
//! use selvedge_report::tensorboard::{EventWriter, RunStatus};
//!
//! # let runs = tempfile::tempdir()?;
//! # let folder = runs.path().join("birds");
//! // folder = "runs/birds"
//! let mut events = EventWriter::create(&folder)?;
//! let hparams = [("learning_rate", 0.001.into()), ("optimizer", "adam".into())];
//! events.hparams(&hparams, &["validation/accuracy"])?;
//! events.text("config", 0, "| setting | value |\n|---|---|\n| epochs | 2 |")?;
//! for (epoch, accuracy) in [(1, 0.61), (2, 0.74)] {
//!     events.scalar("validation/accuracy", epoch, accuracy)?;
//!     events.histogram("fc1.weight", epoch, [0.5, -0.25, 0.125])?;
//! }
//! events.image("first image", 2, [1, 2, 2], &[0, 85, 170, 255])?;
//! events.end(RunStatus::Success)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`TensorBoard`] does this for a run. Then `tensorboard --logdir runs` shows it, also while the run goes on.
//!
//! A file is a sequence of `TFRecord`s, each a protobuf message `Event`. Scalars, histograms and images
//! are written as PyTorch's `SummaryWriter` writes them, because every version of TensorBoard reads
//! that; texts and hyperparameters have no other form than that of their plugins.

mod error;
mod graph;
mod histogram;
mod hparams;
mod image;
mod observer;
mod proto;
mod record;
mod writer;
mod written;

pub use error::EventError;
pub use hparams::{HParam, RunStatus};
pub use observer::TensorBoard;
pub use writer::{EventOptions, EventWriter};
