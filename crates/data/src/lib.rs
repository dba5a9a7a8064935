//! Images for small classification studies: from bytes on disk to batches on a device.
//!
//! | step | types |
//! |---|---|
//! | bytes: the IDX format, raw or gzip | [`IdxReader`], [`IdxArray`], [`IdxError`] |
//! | where data sets are kept, or downloaded from | [`Source`] |
//! | records: images in one buffer, with labels | [`ImageDataset`], [`FashionMnist`], [`Mnist`] |
//! | a choice of them: classes, ranges, fractions | [`View`], [`ClassSubset`], [`Split`] |
//! | numbers for a model | [`Normalization`], [`BatchLoader`], [`Batch`] |
//!
//! Everything random takes a seed and follows an algorithm fixed in this crate
//! ([`SplitMix64`]); everything that comes from outside is checked and gives a [`DataError`] of
//! one line.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use selvedge_data::{BatchLoader, ClassSubset, FashionMnist, Normalization, Source, Split};
//!
//! let data = FashionMnist::load(&Source::default())?;
//! let split = Split::official(&data.train, &data.test)?.select(&ClassSubset::fm1())?;
//! let few = split.train.stratified_fraction(0.05, 1)?;
//! assert_eq!(few.len(), 1_249);
//!
//! let scaling = Normalization::standardized(&split.train);
//! let loader = BatchLoader::new(few, 128, &scaling, &Device::flex())?.with_shuffle(1);
//! for batch in loader.epoch(0) {
//!     assert_eq!(batch.images.dims(), [batch.len(), 1, 28, 28]);
//! }
//! # Ok::<(), selvedge_data::DataError>(())
//! ```
//!
//! # Features
//!
//! - `download` (default): downloads data sets that are not found on this machine.
//! - `https`: allows `https` addresses in [`Source::with_urls`]. The official hosts speak plain
//!   `http`; what is downloaded is checked against a SHA-256 that is part of this crate.

mod batch;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod error;
mod fashion_mnist;
mod fraction;
pub mod idx;
mod mnist;
mod normalize;
mod published;
mod rng;
mod search;
mod source;
mod split;
mod subset;
#[cfg(test)]
mod test_data;
mod view;

pub use batch::{Batch, BatchLoader, Batches, epoch_order};
pub use dataset::ImageDataset;
pub use error::DataError;
pub use fashion_mnist::FashionMnist;
pub use idx::{IdxArray, IdxData, IdxError, IdxReader, IdxType};
pub use mnist::Mnist;
pub use normalize::Normalization;
pub use rng::SplitMix64;
pub use source::Source;
pub use split::Split;
pub use subset::ClassSubset;
pub use view::View;
