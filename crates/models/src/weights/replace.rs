//! Putting a file in the place of another.

use std::io;
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
pub(crate) fn replace(
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
    let mut file = new_file_beside(&target)?;
    let permissions = file.as_file().metadata()?.permissions();
    write(&mut file)?;
    std::fs::set_permissions(file.path(), permissions)?;
    file.persist(&target).map_err(|e| e.error).map(drop)
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

/// Temporary files are private by default; weights should be as readable as any other new file.
fn new_file_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
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
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::{Init, TransferCnn};
    use burn::tensor::Device;

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
    fn weights_are_as_readable_as_any_other_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let network = TransferCnn::new(5).architecture();
        let network = network.init(Init::PyTorch, 0, &Device::flex()).unwrap();
        fs::write(path("other"), "").unwrap();
        network.save_safetensors(path("net.safetensors")).unwrap();
        network.save_burnpack(path("net.bpk")).unwrap();
        network.save_onnx(path("net.onnx")).unwrap();
        let mode = |name: &str| path(name).metadata().unwrap().permissions().mode();
        for name in ["net.safetensors", "net.bpk", "net.onnx"] {
            assert_eq!(mode(name), mode("other"), "{name}");
        }
    }
}
