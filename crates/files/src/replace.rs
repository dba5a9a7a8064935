//! Putting a file in the place of another.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::scratch::Scratch;

/// As many links are followed from one to the next before they are taken for a circle, as on Linux.
const MOST_LINKS: usize = 40;

/// Lets `write` write a new file beside `path`, and puts it in its place once it is whole: whatever
/// goes wrong, what is at `path` stays as it was. A symbolic link is followed.
///
/// `write` may write to the file or put another one in its place.
///
/// # Errors
///
/// If there is something at `path` that is not a regular file, such as a folder or a device, or if
/// the file cannot be written.
pub fn replace(path: &Path, write: impl FnOnce(&mut NewFile) -> io::Result<()>) -> io::Result<()> {
    let target = follow(path);
    match target.metadata() {
        Ok(found) if found.is_dir() => {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        Ok(found) if !found.is_file() => {
            let reason = "it is not a regular file, and is not replaced";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = NewFile::new_in(folder_of(&target))?;
    let permissions = file.as_file().metadata()?.permissions();
    write(&mut file)?;
    std::fs::set_permissions(file.path(), permissions)?;
    file.persist(&target)
}

/// As [`replace`], with a content that exists already.
///
/// # Errors
///
/// As [`replace`].
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    replace(path.as_ref(), |file| file.write_all(content.as_ref()))
}

/// Brings a file to the disk. Windows wants a handle that may write.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.sync_all()
}

/// Without it, a crash of the machine could undo the renaming. A folder that cannot be opened or synced, as
/// some network file systems do not, is no error: the file is in its place.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only there can a folder be opened like a file.
    if cfg!(unix) {
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Err(error) if !cannot_sync(error.kind()) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn cannot_sync(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
    )
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Where `path` leads. The last link may point to nothing; the file is then made there.
fn follow(path: &Path) -> PathBuf {
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = target.read_link() else { break };
        target = target.parent().unwrap_or(Path::new("")).join(next);
    }
    target
}

/// A new file that is not complete yet. It has a temporary name, and is removed when this is dropped or,
/// if the process is killed, by the next one that writes to the folder. It is as readable as any other
/// new file.
#[derive(Debug)]
pub struct NewFile {
    /// Dropped before the folder that it is in.
    file: File,
    path: PathBuf,
    scratch: Scratch,
}

impl NewFile {
    /// Makes one that can take its place in `folder`.
    ///
    /// # Errors
    ///
    /// If no file can be made there.
    pub fn new_in(folder: &Path) -> io::Result<Self> {
        let scratch = Scratch::new_in(folder)?;
        let path = scratch.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, scratch })
    }

    /// Its temporary name, for a writer that opens the file itself. Errors should name the file whose
    /// place it will take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Puts the file in the place of `path`, which is in the folder that it was made for, once it is on
    /// the disk.
    ///
    /// # Errors
    ///
    /// If the file cannot be brought to the disk, or not be renamed; then it is removed.
    pub fn persist(self, path: &Path) -> io::Result<()> {
        // Another file may have been put in the place of the one that is open.
        sync_file(&self.path)?;
        let Self { file, path: new, scratch } = self;
        // Windows renames no file that is open.
        drop(file);
        std::fs::rename(new, path)?;
        drop(scratch);
        sync_folder(folder_of(path))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Writes `text` to `path`.
    fn put(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn what_is_not_a_regular_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, link, circle] =
            ["socket", "link", "circle"].map(|name| folder.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink("socket", &link).unwrap();
        symlink("circle", &circle).unwrap();
        for (path, reason) in [
            (socket.as_path(), "not a regular file"),
            (&link, "not a regular file"),
            (folder.path(), "it is a folder"),
            (&circle, "symbolic links"),
        ] {
            let message = put(path, "new").unwrap_err().to_string();
            assert!(message.contains(reason), "no `{reason}` in: {message}");
        }
        let kind = fs::symlink_metadata(&socket).unwrap().file_type();
        assert!(!kind.is_file() && link.is_symlink() && circle.is_symlink());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("inner")).unwrap();
        fs::write(path("inner/file"), "old").unwrap();
        symlink("inner/second", path("first")).unwrap();
        symlink("file", path("inner/second")).unwrap();
        symlink("inner/none", path("dangling")).unwrap();
        put(&path("first"), "new").unwrap();
        put(&path("dangling"), "made").unwrap();
        assert!(["first", "inner/second", "dangling"].iter().all(|name| path(name).is_symlink()));
        assert_eq!(fs::read_to_string(path("inner/file")).unwrap(), "new");
        assert_eq!(fs::read_to_string(path("inner/none")).unwrap(), "made");
    }

    #[test]
    fn the_old_file_stays_if_the_new_one_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_is_as_readable_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("other"), "").unwrap();
        write(path("new"), "content").unwrap();
        let mode = |name: &str| path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("new"), mode("other"));
    }

    #[test]
    fn a_file_that_takes_the_place_of_the_temporary_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |file| {
            fs::remove_file(file.path())?;
            fs::write(file.path(), "another")
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    }
}
