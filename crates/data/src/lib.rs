//! Images for classification studies: from bytes on disk to batches on a device.
//!
//! Data flows from the top of this table to its end:
//!
//! | step | where | types |
//! |---|---|---|
//! | bytes: file formats | [`formats`] | [`IdxReader`], [`IdxArray`], [`IdxError`] |
//! | files of images, in a folder for each class or in a table | `folder` | [`ImageFolder`], [`ImageReader`], [`Resize`] |
//! | data sets that are published | [`published`] | [`PublishedSet`], [`FASHION_MNIST`], [`MNIST`] |
//! | where they are kept, or downloaded from | `fetch` | [`Source`] |
//! | records: images in one buffer, with labels | `dataset` | [`Dataset`], [`ImageDataset`] |
//! | a choice of them: classes, ranges, fractions | `view`, `subset`, `fraction` | [`View`], [`ClassSubset`] |
//! | parts to train, validate and test on | `split` | [`Split`] |
//! | random changes of an image's bytes | [`transform`] | [`Transforms`], [`Transform`](transform::Transform) |
//! | from bytes to values | `normalize` | [`Normalization`], [`NormalizationKind`] |
//! | batches for a model | `batch` | [`BatchSource`], [`BatchLoader`], [`Examples`], [`Sampling`], [`Mix`], [`Batch`], [`Targets`] |
//! | test images that are in the training set, nearly | `duplicates` | [`near_duplicates`], [`NearDuplicates`] |
//!
//! Everything random takes a seed and follows an algorithm fixed in this crate ([`SplitMix64`]);
//! everything that comes from outside is checked and gives a [`DataError`] of one line.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use selvedge_data::published::FASHION_MNIST;
//! use selvedge_data::{BatchLoader, ClassSubset, Normalization, Source};
//!
//! let data = FASHION_MNIST.load(&Source::default())?;
//! let split = data.split_official()?.select(&ClassSubset::fm1())?;
//! let few = split.train.stratified_fraction(0.05, 1)?;
//! assert_eq!(few.len(), 1_249);
//!
//! let normalization = Normalization::standardized(&split.train);
//! let loader = BatchLoader::new(few, 128, &normalization, &Device::flex())?.with_shuffle(1);
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     assert_eq!(batch.images.dims(), [batch.len(), 1, 28, 28]);
//! }
//! # Ok::<(), selvedge_data::DataError>(())
//! ```
//!
//! # What to extend
//!
//! - Another published data set is an entry of a table: [`PublishedSet`].
//! - Another change of images is a [`Transform`](transform::Transform).
//! - Examples that are not images in memory implement [`Examples`], and are batched by the same
//!   [`BatchLoader`]; batches that are made otherwise implement [`BatchSource`].
//!
//! # Features
//!
//! - `download` (on in the crate `selvedge`): downloads data sets that are not found on this machine.
//! - `https`: allows `https` addresses in [`Source::with_urls`], and those of the official hosts of EMNIST, QMNIST and
//!   CIFAR; the others speak plain `http`. What is downloaded is checked against a digest that is part of this crate.

mod batch;
mod dataset;
mod duplicates;
mod error;
mod fetch;
#[cfg(feature = "images")]
mod folder;
pub mod formats;
mod fraction;
mod normalize;
pub mod published;
mod rng;
mod split;
mod subset;
#[cfg(test)]
mod test_data;
pub mod transform;
mod view;

pub use batch::{
    Batch, BatchLoader, BatchSource, Batches, EpochSeed, Examples, ImageExamples, Mix, Prefetch,
    Sampling, Targets, epoch_order,
};
pub use dataset::{Dataset, ImageDataset, OfficialSplit};
pub use duplicates::{DuplicatePair, NearDuplicates, near_duplicates};
pub use error::{DataError, DataErrorKind, short_number};
pub use fetch::Source;
#[cfg(feature = "images")]
pub use folder::{Damaged, FolderImages, ImageFiles, ImageFolder};
pub use formats::idx::{IdxArray, IdxData, IdxError, IdxReader, IdxType, ImageLayout};
#[cfg(feature = "images")]
pub use formats::image::{ImageReader, Resize};
pub use normalize::{Normalization, NormalizationKind};
pub use published::{FASHION_MNIST, MNIST, PublishedSet};
pub use rng::SplitMix64;
pub use split::Split;
pub use subset::ClassSubset;
pub use transform::Transforms;
pub use view::View;
