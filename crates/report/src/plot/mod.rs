//! Learning curves, transfer curves and confusion matrices as PNG files.
//!
//! | to draw | use |
//! |---|---|
//! | loss and accuracy by epoch, for one run or several | [`history()`] |
//! | loss and accuracy by the share of training images | [`curve()`] |
//! | which class was taken for which | [`confusion()`] |
//!
//! Every picture is whole or it is not there: it is written beside its final place and renamed when
//! complete. The font comes with the crate, so a machine without fonts draws the same picture. The
//! colours are those of Okabe and Ito (*Color Universal Design*, 2008), which people with any kind
//! of colour vision can tell apart.
//!
//! ```
//! use selvedge_report::plot;
//! use selvedge_train::{EpochRecord, History, Metrics};
//!
//! let epoch = |epoch, loss, accuracy| EpochRecord {
//!     epoch,
//!     train: Metrics { loss, accuracy },
//!     validation: Metrics { loss: loss + 0.1, accuracy: accuracy - 0.05 },
//!     seconds: 1.0,
//! };
//! let run = History { epochs: vec![epoch(1, 0.9, 0.7), epoch(2, 0.5, 0.8)] };
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("history.png");
//! plot::history(&path, "Does the network learn? Yes.", &[("small network", &run)])?;
//! assert!(path.exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
mod canvas;
mod color_scale;
mod confusion;
mod curve;
mod dash;
mod figure;
mod heat_map;
mod history;
mod legend;
mod palette;
mod panel;
mod save;
#[cfg(test)]
mod testing;
mod text;

use std::path::PathBuf;

pub use confusion::confusion;
pub use curve::{CurvePoint, CurveSeries, curve};
pub use history::history;

/// Why a picture is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The file could not be written; nothing of it is left behind.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where the picture was to be.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The drawing library failed.
    #[error("cannot draw {}: {reason}", path.display())]
    Draw {
        /// Where the picture was to be.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },
    /// The data have no picture.
    #[error("cannot draw {}: {reason}", path.display())]
    Data {
        /// Where the picture was to be.
        path: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}
