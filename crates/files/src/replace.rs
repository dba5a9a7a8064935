//! Putting a file in the place of another.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
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
    let mut file = new_file_in(folder_of(&target))?;
    let permissions = file.as_file().metadata()?.permissions();
    write(&mut file)?;
    std::fs::set_permissions(file.path(), permissions)?;
    persist(file, &target)
}

/// As [`replace`], with a content that exists already.
///
/// # Errors
///
/// As [`replace`].
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    replace(path.as_ref(), |file| file.write_all(content.as_ref()))
}

/// Puts a temporary file in the place of `path`, which is in the same folder, once it is on the disk.
///
/// # Errors
///
/// If the file cannot be brought to the disk, or not be renamed; then it is removed.
pub fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    // Another file may have been put in the place of the one that is open.
    sync_file(file.path())?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder_of(path))
}

/// Brings a file to the disk. Windows wants a handle that may write.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.sync_all()
}

/// Brings the names in a folder to the disk: without it, a crash of the machine could undo a renaming. A
/// folder that cannot be opened or synced, as some network file systems do not, is no error: the file is in
/// its place.
///
/// # Errors
///
/// If the system refuses for another reason.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
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

/// A temporary file in `folder`, removed again when it is dropped. By default such files are private; this
/// one is as readable as any other new file.
///
/// # Errors
///
/// If no file can be made there.
pub fn new_file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes away what the user does not grant.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
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
