use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Take};

use flate2::bufread::MultiGzDecoder;

/// Bytes read from the input at once.
const BUFFER: usize = 1 << 16;

/// The first bytes, read to see what the input is, followed by the rest.
type Whole<R> = Chain<Take<Cursor<[u8; 2]>>, BufReader<R>>;

/// An input that is decompressed if, and only if, it begins like gzip.
///
/// ```
/// use std::io::Read;
///
/// let mut text = String::new();
/// selvedge_fetch::MaybeGzip::new(&b"raw"[..])?.read_to_string(&mut text)?;
/// assert_eq!(text, "raw");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MaybeGzip<R: Read>(Kind<R>);

enum Kind<R: Read> {
    Raw(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
}

impl<R: Read> MaybeGzip<R> {
    /// Reads the first two bytes, which tell.
    ///
    /// # Errors
    ///
    /// Those of the input.
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let mut start = [0; 2];
        let mut found = 0;
        while found < start.len() {
            let available = match input.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if available.is_empty() {
                break;
            }
            let taken = available.len().min(start.len() - found);
            start[found..found + taken].copy_from_slice(&available[..taken]);
            input.consume(taken);
            found += taken;
        }
        let whole = Cursor::new(start).take(found as u64).chain(input);
        Ok(Self(if start == [0x1F, 0x8B] {
            Kind::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else {
            Kind::Raw(whole)
        }))
    }

    /// Whether the input begins like gzip.
    pub fn is_gzip(&self) -> bool {
        matches!(self.0, Kind::Gzip(_))
    }
}

impl<R: Read> Read for MaybeGzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Raw(input) => input.read(buffer),
            Kind::Gzip(input) => input.read(buffer),
        }
    }
}
