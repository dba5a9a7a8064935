//! Files that somebody has published: found on this machine, or downloaded, and known by their checksums.
//!
//! | to | use |
//! |---|---|
//! | say where to look, and whether to download | [`Source`] |
//! | say what is looked for | [`Wanted`], [`Held`], [`RemoteFile`] |
//! | know a file by its published digest | [`Checksum`] |
//! | read a part of a zip or tar archive where it lies | [`Archive`] |
//! | read what may be compressed by gzip | [`MaybeGzip`] |
//!
//! The search itself knows nothing of data sets or weights: it goes through the places of a [`Source`], asks in
//! each what it holds, and downloads what is nowhere.
//!
//! ```
//! use selvedge_fetch::{Held, Source, Wanted, file_in};
//!
//! let notes = Wanted {
//!     name: "the notes",
//!     folders: &["notes"],
//!     loose: &[""],
//!     variable: "NOTES",
//!     workspace: "texts",
//!     others: &[],
//!     spellings: "as plain text",
//! };
//! let look = |folder: &std::path::Path| {
//!     Ok(match file_in(folder, "notes.txt")? {
//!         Some(path) => Held::All(path),
//!         None => Held::Nothing { first: folder.join("notes.txt") },
//!     })
//! };
//! let error = Source::folder("/no/such/folder").find(&notes, &look, &[]).unwrap_err();
//! assert_eq!(error.to_string(), "data folder /no/such/folder is not a folder");
//! ```
//!
//! # Features
//!
//! - `download`: downloads what is not found on this machine.
//! - `https`: allows `https` addresses.
//! - `testing`: the `Server` of the tests.

mod archive;
mod checksum;
#[cfg(feature = "download")]
mod download;
mod error;
mod gzip;
mod search;
mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use archive::Archive;
pub use checksum::{Checksum, Digest};
pub use error::FetchError;
pub use gzip::MaybeGzip;
pub use search::{Environment, Held, Wanted, file_in};
pub use source::{RemoteFile, Source};
