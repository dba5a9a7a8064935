//! Files of images as people have them: photos, scans, drawings, of any size and colour.

mod decode;
mod jpeg;
mod resize;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::DataError;
use crate::error::shown;
use crate::transform::require;

pub use resize::Resize;

/// Reads PNG, JPEG, BMP, WebP, GIF and TIFF as images of one shape.
///
/// The format is told by the content, whatever the file is called. Then:
///
/// | what | becomes |
/// |---|---|
/// | orientation (EXIF) | applied, so that up is up: as fastai does, and as torchvision does only by `exif_transpose` |
/// | alpha | dropped, as torchvision's `ImageFolder` does by `convert("RGB")`: nothing is put behind the image |
/// | palette | its colours |
/// | CMYK (JPEG) | RGB, without a colour profile; profiles are not looked at in other files either |
/// | 16 bit a channel | its upper 8 bits, as PIL does for RGB |
/// | floating point (TIFF) | refused: there is no white to go by |
/// | several images (GIF, WebP, TIFF) | the first |
/// | colour, for 1 channel | luma (299 R + 587 G + 114 B) / 1000 of ITU-R 601-2, as PIL's `convert("L")` |
/// | grey, for 3 channels | three times the same |
///
/// At last it is [resized](Resize). A JPEG that ends before its image does is refused, as by PIL.
///
/// Files come from anywhere, and small ones can claim to be huge: an image of more than 100 million
/// pixels, of a side above 65,535, or whose decoding takes more than 512 MiB is refused before it is
/// decoded, and a file of more than 512 MiB before it is read.
///
/// ```
/// use selvedge_data::{ImageReader, Resize};
///
/// // As torchvision's evaluation of ImageNet's networks: shorter side to 256, the middle 224 × 224.
/// let reader = ImageReader::new([3, 224, 224])?.with_resize(Resize::ShorterSide(256))?;
/// let error = reader.read("no/such.png").unwrap_err();
/// assert!(error.to_string().starts_with("cannot open no/such.png: "));
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageReader {
    shape: [usize; 3],
    resize: Resize,
    max_pixels: u64,
    max_bytes: u64,
}

/// The longest side of an image, before and after.
const LONGEST_SIDE: u32 = 65_535;

impl ImageReader {
    /// The endings of the names of the files that are taken for images, in small letters.
    pub const EXTENSIONS: &[&str] =
        &["bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

    /// Whether the file's name has one of the [`EXTENSIONS`](Self::EXTENSIONS), in any case.
    pub fn takes(path: &Path) -> bool {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        extension.is_some_and(|extension| Self::EXTENSIONS.contains(&extension.as_str()))
    }

    /// Images of `shape = [channels, height, width]`, with 1 or 3 channels: the shorter side becomes
    /// the longer one of the shape, and what is beyond it is cut off on both sides alike.
    ///
    /// # Errors
    ///
    /// If there are other channels, or a side is 0 or above 65,535.
    pub fn new(shape: [usize; 3]) -> Result<Self, DataError> {
        let [channels, height, width] = shape;
        let possible = |side: usize| (1..=LONGEST_SIDE as usize).contains(&side);
        let holds = matches!(channels, 1 | 3) && possible(height) && possible(width);
        let expected = format!("1 or 3 channels and sides of 1 to {LONGEST_SIDE}");
        require(holds, "shape of images from files", &expected, format_args!("{shape:?}"))?;
        let resize = Resize::ShorterSide(height.max(width));
        Ok(Self { shape, resize, max_pixels: 100_000_000, max_bytes: 512 << 20 })
    }

    /// The same, resized in this way.
    ///
    /// # Errors
    ///
    /// If a shorter side is smaller than the image that is cut out of it, or above 65,535.
    pub fn with_resize(self, resize: Resize) -> Result<Self, DataError> {
        let [_, height, width] = self.shape;
        if let Resize::ShorterSide(side) = resize {
            let least = height.max(width);
            let holds = (least..=LONGEST_SIDE as usize).contains(&side);
            let expected = format!("{least} to {LONGEST_SIDE} for images of {height} × {width}");
            require(holds, "shorter side", &expected, side)?;
        }
        Ok(Self { resize, ..self })
    }

    /// The same, with another limit of the pixels of an image as it is in its file.
    #[must_use]
    pub fn with_max_pixels(self, max_pixels: u64) -> Self {
        Self { max_pixels, ..self }
    }

    /// The same, with another limit of the bytes of a file, and of those that decoding it takes. Each
    /// thread that reads takes up to three times as many.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// The shape that images get: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// How images are resized.
    pub fn resize(&self) -> Resize {
        self.resize
    }

    /// The pixels of the image in a file, `[channel, row, column]` row-major.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is none of the formats, is damaged or cut off, or is beyond the
    /// limits. The error names the file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, DataError> {
        let path = path.as_ref();
        let bytes = self.bytes(path)?;
        self.decode(&bytes).map_err(|reason| DataError::in_file(path, reason))
    }

    /// As [`read`](Self::read), of the bytes of a file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); without a file to name.
    pub fn read_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
        self.decode(bytes).map_err(|reason| {
            DataError::new(crate::DataErrorKind::Format, format!("image: {reason}"))
        })
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        // What a decoder should have refused must not end a run over thousands of files.
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decoded(bytes)));
        let decoded = decoded.unwrap_or_else(|_| Err("damaged: its decoder failed".into()));
        // A decoder may say several lines, and repeat what is in the file.
        decoded.map_err(|reason| shown(&reason))
    }

    fn decoded(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let image = decode::decode(bytes, self.shape[0], self.max_pixels, self.max_bytes)?;
        resize::resized(image, self.shape, self.resize)
    }

    /// The file's bytes, if it is a file and not too long.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let open = |error| DataError::io("open", path, error);
        // Before it is opened: to open a pipe is to wait for somebody who writes.
        let length = match fs::metadata(path).map_err(open)? {
            about if about.is_file() => about.len(),
            about if about.is_dir() => return Err(open(io::ErrorKind::IsADirectory.into())),
            _ => return Err(DataError::in_file(path, "not a file")),
        };
        let too_long =
            || DataError::in_file(path, format!("longer than {} bytes, the limit", self.max_bytes));
        if length > self.max_bytes {
            return Err(too_long());
        }
        let mut bytes = Vec::with_capacity(length as usize);
        let file = File::open(path).map_err(open)?;
        // Some files, such as those of /proc, are longer than they say.
        file.take(self.max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| DataError::io("read", path, error))?;
        if bytes.len() as u64 > self.max_bytes { Err(too_long()) } else { Ok(bytes) }
    }
}
