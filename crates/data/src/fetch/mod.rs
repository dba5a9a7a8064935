//! Where the files of published data sets are, and how they are read from there.

#[cfg(test)]
mod download_tests;
mod find;
mod found;
mod load;
#[cfg(test)]
mod source_tests;

pub(crate) use found::FoundFile;
pub use selvedge_fetch::Source;
