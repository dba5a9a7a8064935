//! A picture on disk: whole or not at all.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use plotters::prelude::{BitMapBackend, DrawingBackend};

use super::PlotError;
use super::canvas::{Canvas, DrawError, pixels};

/// Draws a picture of `size` pixels and writes it as PNG.
pub fn save(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Canvas) -> Result<(), DrawError>,
) -> Result<(), PlotError> {
    let failed = |e: DrawError| PlotError::Draw { path: path.into(), reason: e.to_string() };
    let picture = pixels(size, draw).map_err(failed)?;
    let write = |source| PlotError::Write { path: path.into(), source };
    write_png(path, size, &picture).map_err(write)
}

fn write_png(path: &Path, size: (u32, u32), picture: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Removed when dropped, unless it has been renamed.
    let temporary = temporary_in(folder)?;
    {
        let mut backend = BitMapBackend::new(&temporary, size);
        let result = backend.blit_bitmap((0, 0), size, picture);
        result.and_then(|()| backend.present()).map_err(io::Error::other)?;
    }
    check_complete(&temporary)?;
    temporary.persist(path).map_err(|e| e.error)
}

/// An empty file, as readable as any other new file: temporary ones are private by default.
fn temporary_in(folder: &Path) -> io::Result<tempfile::TempPath> {
    let mut builder = tempfile::Builder::new();
    // The encoder takes the format from the ending.
    builder.prefix(".picture-").suffix(".png");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes away what the user does not grant.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map(tempfile::NamedTempFile::into_temp_path)
}

/// The encoder drops the error of its last, buffered write: a full disk would leave half a picture.
fn check_complete(path: &Path) -> io::Result<()> {
    const LAST_CHUNK: [u8; 8] = *b"IEND\xae\x42\x60\x82";
    let mut file = std::fs::File::open(path)?;
    let mut end = [0; 8];
    let read = file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end));
    if read.is_err() || end != LAST_CHUNK {
        return Err(io::Error::new(io::ErrorKind::StorageFull, "the picture was cut short"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_saved_picture_is_a_png_of_its_size_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        std::fs::write(&path, "old").unwrap();
        save(&path, (30, 20), |_| Ok(())).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // PNG specification, 5.2 and 11.2.2: signature, then length, type, width and height.
        assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(bytes[12..24], *b"IHDR\0\0\0\x1e\0\0\0\x14");
        assert_eq!(entries(folder.path()), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_saved_picture_is_as_readable_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (picture, other) = (folder.path().join("picture.png"), folder.path().join("other"));
        save(&picture, (3, 2), |_| Ok(())).unwrap();
        std::fs::write(&other, "").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&picture), mode(&other));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [folder.path().join("missing/picture.png"), file.join("picture.png")] {
            let error = save(&path, (30, 20), |_| Ok(())).unwrap_err();
            assert!(matches!(error, PlotError::Write { .. }));
            assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())));
        }
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_path_that_is_a_folder_is_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(save(&path, (30, 20), |_| Ok(())), Err(PlotError::Write { .. })));
        assert_eq!((entries(folder.path()), entries(&path)), (1, 0));
    }

    #[test]
    fn a_picture_cut_short_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        save(&path, (30, 20), |_| Ok(())).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(check_complete(&path).is_ok());
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(check_complete(&path).is_err(), "cut to {length} bytes");
        }
    }
}
