//! File formats of images and labels: bytes on one side, arrays and data sets on the other.
//!
//! | format | module |
//! |---|---|
//! | IDX, raw or gzip (MNIST and its successors) | [`idx`] |

pub mod idx;
