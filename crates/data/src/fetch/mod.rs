//! Where the files of published data sets are: looked for on this machine, or downloaded.

#[cfg(feature = "download")]
mod download;
mod load;
mod search;
mod source;

pub use source::Source;
