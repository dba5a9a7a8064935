//! Learning curves, transfer curves and confusion matrices, as SVG and as PNG.
//!
//! | to draw | use |
//! |---|---|
//! | loss and accuracy by epoch, for one run or several | [`history()`] |
//! | loss and accuracy by the share of training images | [`curve()`] |
//! | the loss by the learning rate, to choose one | [`learning_rate()`] |
//! | which class was taken for which | [`confusion()`] |
//! | keep it | [`Picture::save`], [`Picture::to_svg`], [`Picture::to_png`] |
//!
//! Axes, lines, bands, markers, legends and colour scales are those of [kuva](https://docs.rs/kuva).
//! The colours are those of Okabe and Ito (*Color Universal Design*, 2008), which people with any kind
//! of colour vision can tell apart; series differ in their markers, and training and validation in
//! their dashes, as well. PNG files are drawn with a font that comes with the library, so that a
//! machine without fonts draws the same picture. SVG files name that font, DejaVu Sans, and others
//! that are no wider. The same data give the same bytes.
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
//! let picture = plot::history("Does the network learn? Yes.", &[("small network", &run)]);
//!
//! let folder = tempfile::tempdir()?;
//! picture.save(folder.path().join("history.svg"))?;
//! picture.save(folder.path().join("history.png"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod confusion;
mod curve;
mod dash;
mod history;
mod learning_rate;
mod page;
mod panel;
mod picture;
mod style;
#[cfg(test)]
mod testing;

pub use confusion::{MOST_CLASSES, confusion};
pub use curve::{CurvePoint, CurveSeries, curve};
pub use history::history;
pub use learning_rate::learning_rate;
pub use picture::{Picture, PlotError};
