//! File formats of images and labels: bytes on one side, arrays and data sets on the other.
//!
//! | format | module |
//! |---|---|
//! | IDX, raw or gzip (MNIST and its successors) | [`idx`] |
//! | the binary version of CIFAR-10 and CIFAR-100, raw or gzip | [`cifar`] |
//! | PNG, JPEG, BMP, WebP, GIF, TIFF, with the feature `images` | [`ImageReader`](crate::ImageReader) |

pub mod cifar;
pub mod idx;
#[cfg(feature = "images")]
pub(crate) mod image;
