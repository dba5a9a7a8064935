//! What can go wrong between a file on disk and a batch on a device.

mod file;
mod repr;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use selvedge_fetch::FetchError;

pub(crate) use file::FileRepr;
pub(crate) use repr::Repr;

/// What can go wrong between a file on disk and a batch on a device.
///
/// Its text is one line that says everything, the system's answer included: what was expected, what was
/// found, and where. [`kind`](Self::kind) is for programs that act upon it.
///
/// ```
/// use selvedge_data::published::FASHION_MNIST;
/// use selvedge_data::{DataErrorKind, Source};
///
/// let error = FASHION_MNIST.load(&Source::folder("no/such/folder")).unwrap_err();
/// assert_eq!(error.kind(), DataErrorKind::NotFound);
/// assert_eq!(error.to_string(), "data folder no/such/folder is not a folder");
/// ```
pub struct DataError {
    repr: Box<Repr>,
}

/// What a program can do about a [`DataError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// A file, folder or data set is not where it was looked for: name another place, or allow the
    /// download.
    NotFound,
    /// The operating system refused to open, read, create, lock or rename something.
    Io,
    /// A file is not what it should be: cut off, damaged, or of another type, shape or number.
    /// [`DataError::path`] and [`DataError::offset`] say where.
    Format,
    /// The content of a data set is not the published one.
    Checksum,
    /// A file could be downloaded from no host.
    Download,
    /// It was asked to stop, see [`Source::with_interrupt`](crate::Source::with_interrupt).
    Interrupted,
    /// What was handed over does not fit: an argument is out of range, or two of them disagree.
    InvalidInput,
    /// What a program says itself, by [`DataError::other`].
    Other,
}

impl DataError {
    /// An error of a program's own, with its own message, which should be one line.
    ///
    /// ```
    /// use selvedge_data::{DataError, DataErrorKind};
    ///
    /// let error = DataError::other("camera 3 is off");
    /// assert_eq!(error.to_string(), "camera 3 is off");
    /// assert_eq!(error.kind(), DataErrorKind::Other);
    /// ```
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(DataErrorKind::Other, message)
    }

    /// An error of a program's own, of a kind.
    pub fn new(kind: DataErrorKind, message: impl Into<String>) -> Self {
        Repr::Custom { kind, message: message.into(), path: None }.into()
    }

    /// A file that is not what it should be: its path, and what is wrong with it.
    ///
    /// ```
    /// use selvedge_data::DataError;
    ///
    /// let error = DataError::in_file("birds/17.png", "expected 3 channels, found 1");
    /// assert_eq!(error.to_string(), "birds/17.png: expected 3 channels, found 1");
    /// ```
    pub fn in_file(path: impl Into<PathBuf>, message: impl fmt::Display) -> Self {
        let path = path.into();
        let message = format!("{}: {message}", path.display());
        Repr::Custom { kind: DataErrorKind::Format, message, path: Some(path) }.into()
    }

    /// What can be done about it.
    pub fn kind(&self) -> DataErrorKind {
        match &*self.repr {
            Repr::File(file) => file.kind(),
            Repr::Custom { kind, .. } => *kind,
            _ => DataErrorKind::InvalidInput,
        }
    }

    /// The file or folder that it is about, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        match &*self.repr {
            Repr::File(file) => file.path(),
            Repr::Custom { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// The byte of the file's (decompressed) content at which the defect is, if it is in one.
    pub fn offset(&self) -> Option<u64> {
        match &*self.repr {
            Repr::File(file) => file.offset(),
            _ => None,
        }
    }

    /// The same, with the place that leads to the file before it.
    #[cfg(feature = "images")]
    pub(crate) fn after(self, place: &str) -> Self {
        let (kind, path) = (self.kind(), self.path().map(Path::to_owned));
        Repr::Custom { kind, message: format!("{place}: {self}"), path }.into()
    }

    /// What was handed over does not fit.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(DataErrorKind::InvalidInput, message)
    }

    pub(crate) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        FetchError::Io { action, path: path.to_owned(), error }.into()
    }
}

impl From<Repr> for DataError {
    fn from(repr: Repr) -> Self {
        Self { repr: Box::new(repr) }
    }
}

impl From<FetchError> for DataError {
    fn from(error: FetchError) -> Self {
        FileRepr::Fetch(error).into()
    }
}

impl From<FileRepr> for DataError {
    fn from(file: FileRepr) -> Self {
        Repr::File(file).into()
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.repr.to_string()))
    }
}

impl fmt::Debug for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.repr, f)
    }
}

/// `text` without what would steer a terminal: names of files can hold any character. Control
/// characters, and those that turn the direction of writing, become escapes such as `\u{1b}`.
pub(crate) fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut printed = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) {
            true => printed.extend(c.escape_debug()),
            false => printed.push(c),
        }
    }
    printed
}

/// The beginning of a text of a file, in one line.
#[cfg_attr(not(feature = "images"), expect(dead_code, reason = "no texts of files"))]
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    let line: String = text.chars().take(MOST).map(|c| if c == '\n' { ' ' } else { c }).collect();
    let more = if line.len() < text.len() { "…" } else { "" };
    printable(&line) + more
}

/// A number of many digits in scientific notation, `1e300`; any other text as it is. For messages: Rust writes the
/// largest numbers with 309 digits.
pub fn short_number(text: String) -> String {
    const MOST: usize = 24;
    match text.parse::<f64>() {
        Ok(number) if text.len() > MOST => format!("{number:e}"),
        _ => text,
    }
}

/// The text says what an underlying error says, so that there is no source.
impl std::error::Error for DataError {}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::IdxError;

    #[test]
    fn an_underlying_error_is_said_once() {
        let error = DataError::io("open", Path::new("a/b"), io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "cannot open a/b: disk on fire");
        assert!(error.source().is_none());
    }

    #[test]
    fn names_that_would_steer_a_terminal_are_escaped() {
        let error = DataError::in_file("a\u{1b}[2J\n.png", "cut off");
        assert_eq!(error.to_string(), "a\\u{1b}[2J\\n.png: cut off");
    }

    #[test]
    fn no_number_is_said_with_hundreds_of_digits() {
        for (number, expected) in [
            (1e300, "1e300"),
            (-1e300, "-1e300"),
            (1e-300, "1e-300"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "NaN"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(short_number(number.to_string()), expected);
        }
        let text = "two numbers from 0 to 1".to_owned();
        assert_eq!(short_number(text.clone()), text);
    }

    #[test]
    fn a_missing_file_is_told_from_one_that_cannot_be_read() {
        let kind = |kind: io::ErrorKind| DataError::io("open", Path::new("x"), kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::NotFound), DataErrorKind::NotFound);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), DataErrorKind::Io);
        let idx = |error| DataError::from(FileRepr::Idx { path: "x".into(), error });
        let unreadable = IdxError::Io { offset: 7, error: io::Error::other("disk on fire") };
        assert_eq!(idx(unreadable).kind(), DataErrorKind::Io);
        let damaged = idx(IdxError::NoDimensions);
        assert_eq!(damaged.kind(), DataErrorKind::Format);
        assert_eq!((damaged.path(), damaged.offset()), (Some(Path::new("x")), Some(3)));
    }
}
