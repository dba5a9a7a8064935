//! Whether images and labels are those published, and whose they are if not.

use std::path::Path;

use selvedge_files::Hasher;

use super::{PublishedFile, PublishedPart, PublishedSet, SETS};
use crate::error::FileRepr;
use crate::formats::idx::{IdxType, header};
use crate::{DataError, ImageDataset};

/// A file whose content is not the published one.
pub(super) struct Changed {
    /// Its position in [`PublishedPart::files`].
    pub(super) position: usize,
    pub(super) file: PublishedFile,
    /// SHA-256 of what is there instead, in hexadecimal, or "none".
    pub(super) found: String,
}

/// The first file of a part whose content, rebuilt from memory, is not the published one.
pub(super) fn first_changed(part: &PublishedPart, data: Option<&ImageDataset>) -> Option<Changed> {
    let PublishedPart::Idx { images, labels } = *part;
    let pixels = || {
        data.map(|data| {
            let shape = match data.shape() {
                [1, height, width] => vec![data.len(), height, width],
                [channels, height, width] => vec![data.len(), channels, height, width],
            };
            digest(&shape, data.images())
        })
    };
    let classes = || {
        data.and_then(|data| {
            // A label that no byte can hold is none of those published.
            let bytes = data.labels().iter().map(|&label| u8::try_from(label).ok());
            let bytes: Option<Vec<u8>> = bytes.collect();
            Some(digest(&[data.len()], &bytes?))
        })
    };
    let contents: [(_, &dyn Fn() -> Option<String>); 2] = [(images, &pixels), (labels, &classes)];
    contents.into_iter().enumerate().find_map(|(position, (file, content))| {
        let found = content().unwrap_or_else(|| "none".to_owned());
        (found != file.sha256).then_some(Changed { position, file, found })
    })
}

/// SHA-256 of the IDX file of these bytes.
fn digest(shape: &[usize], bytes: &[u8]) -> String {
    let mut hasher = Hasher::new();
    hasher.update(&header(IdxType::U8.code(), shape));
    hasher.update(bytes);
    hasher.finish()
}

impl PublishedSet {
    /// Refuses a part that was read from these files, in the order of [`PublishedPart::files`], if it
    /// is not the published one. Files of a set in the table are called by their names.
    pub(crate) fn check_part<P: AsRef<Path>>(
        &self,
        part: &PublishedPart,
        data: &ImageDataset,
        paths: &[P],
    ) -> Result<(), DataError> {
        let Some(Changed { position, file, found }) = first_changed(part, Some(data)) else {
            return Ok(());
        };
        let path = paths[position].as_ref().to_owned();
        let is_found = |other: &PublishedFile| other.sha256 == found;
        if let Some(other) = self.files().into_iter().find(is_found) {
            let (found, expected) = (other.name, file.name.to_owned());
            let found = format!("this is {found} of {}", self.display_name);
            return Err(FileRepr::OtherFile { path, found, expected }.into());
        }
        if let Some(other) = SETS.iter().find(|set| set.files().iter().any(is_found)) {
            let found = format!("these are {}'s files", other.display_name);
            let expected = format!("{}'s", self.display_name);
            return Err(FileRepr::OtherFile { path, found, expected }.into());
        }
        let (name, expected) = (self.display_name.to_owned(), file.sha256.to_owned());
        Err(FileRepr::Changed { path, name, expected, found }.into())
    }
}
