//! Learning curves, transfer curves, confusion matrices and other pictures of how classifiers do, as SVG
//! and as PNG.
//!
//! | to draw | use |
//! |---|---|
//! | loss and accuracy by epoch, for one run or several | [`history()`] |
//! | whatever a run measures by epoch, from what its observers are told | [`rows()`] |
//! | one value by epoch or by a setting, of several variants with several seeds each | [`MeanCurves`] |
//! | means with their intervals, one below the other | [`Intervals`] |
//! | loss and accuracy by the share of training images | [`curve()`] |
//! | the loss by the learning rate, to choose one | [`learning_rate()`] |
//! | which class was taken for which | [`confusion()`] |
//! | each class against the rest, in a matrix each | [`one_vs_rest()`] |
//! | each class against the rest, by the threshold | [`roc()`], [`precision_recall()`] |
//! | whether a classifier is as often right as it is sure | [`reliability()`] |
//! | the images of greatest loss, or the first ones with what is predicted | [`worst_images()`], [`predicted_images()`] |
//! | any images with a caption each | [`sheet()`], [`grid()`] |
//! | loss and error by the training images that a run has seen | [`images_seen()`] |
//! | what layers make of images | [`FeatureMaps`] |
//! | images over their reconstructions, or from step to step | [`ImageRows`] |
//! | which pixels of images methods point at | [`ContactSheet`], [`MethodMaps`] |
//! | a map of features, coloured by class, with images as points | [`Scatter`] |
//! | images with those that a network takes for alike | [`neighbors()`] |
//! | the accuracy by the strength of noise, blur and the like | [`robustness_curves()`] |
//! | keep it | [`Picture::save`], [`Picture::save_as`], [`Picture::to_svg`], [`Picture::to_png`] |
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
//!     train: Metrics { loss, accuracy, macro_f1: accuracy },
//!     validation: None,
//!     learning_rate: 1e-3,
//!     seconds: 1.0,
//! };
//! let run = History { epochs: vec![epoch(1, 0.9, 0.7), epoch(2, 0.5, 0.8)] };
//! let picture = plot::history("Does the network learn? Yes.", &[("small network", &run)]);
//!
//! let folder = tempfile::tempdir()?;
//! picture.save_as(folder.path(), "history")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod confusion;
mod contact_sheet;
mod curve;
mod dash;
mod feature_maps;
mod history;
mod image_rows;
mod images_seen;
mod inset;
mod intervals;
mod learning_rate;
mod mean_curves;
mod neighbors;
mod number;
mod one_vs_rest;
mod page;
mod panel;
mod picture;
mod reliability;
mod robustness;
mod rows;
mod scatter;
mod sheet;
mod square;
mod style;
#[cfg(test)]
mod testing;
mod threshold;

pub use confusion::{MOST_CLASSES, confusion};
pub(crate) use confusion::{per_cent, shares};
pub use contact_sheet::{ContactSheet, MethodMaps};
pub use curve::{CurvePoint, CurveSeries, curve};
pub(crate) use feature_maps::require_drawable;
pub use feature_maps::{FeatureMaps, LayerMaps};
pub use history::history;
pub use image_rows::{ImageRow, ImageRows, ImageValues, pixels};
pub use images_seen::images_seen;
pub use intervals::{Emphasis, IntervalRow, Intervals};
pub use learning_rate::learning_rate;
pub(crate) use mean_curves::stroke;
pub use mean_curves::{MeanCurve, MeanCurves, Places, ValueAxis};
pub use neighbors::neighbors;
pub(crate) use number::number;
pub use one_vs_rest::one_vs_rest;
pub use picture::{Picture, PlotError};
pub use reliability::reliability;
pub use robustness::robustness_curves;
pub(crate) use rows::best;
pub use rows::rows;
pub use scatter::Scatter;
pub use sheet::{SheetImage, first_of_each_class, grid, predicted_images, sheet, worst_images};
pub(crate) use style::heat_colors;
pub use threshold::{precision_recall, roc};
