//! Reads zip archives: their table of contents, and entries that are stored or deflated.
//!
//! Archives of PyTorch have a table of contents of ZIP64 always, but write its place and size into the short
//! table as well. Readers that take the short one alone, and look for the table where it would end, go astray
//! by the 76 bytes of the long one. Here the long one is used wherever there is one, as the specification says:
//! PKWARE's `APPNOTE.TXT` 6.3.10, 4.3.14 and 4.3.15.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::super::input::Input;

/// The end of the table of contents: its signature, its length without a comment, and the longest comment.
const END: (&[u8], usize, u64) = (b"PK\x05\x06", 22, 0xffff);

/// What says where the end of a table of ZIP64 is.
const LOCATOR: (&[u8], usize) = (b"PK\x06\x07", 20);

/// The end of a table of ZIP64.
const END64: (&[u8], usize) = (b"PK\x06\x06", 56);

/// An entry of the table.
const ENTRY: (&[u8], usize) = (b"PK\x01\x02", 46);

/// What stands before the content of an entry.
const LOCAL: (&[u8], usize) = (b"PK\x03\x04", 30);

/// An archive, whose entries are known.
#[derive(Debug)]
pub struct Archive {
    pub entries: Vec<Entry>,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    /// Bytes of the content, unpacked.
    pub size: u64,
    packed: u64,
    method: u16,
    is_encrypted: bool,
    checksum: u32,
    /// Where the local header is.
    header: u64,
}

/// Where the content of an entry is, and how it is packed.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub offset: u64,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes of the content.
    pub size: u64,
    pub is_deflated: bool,
    /// The CRC-32 of the content, where the program that wrote it computed one.
    pub checksum: Option<u32>,
}

impl Archive {
    /// Reads the table of contents, for which memory of a few times its size is taken.
    pub fn open(input: &Input<'_>) -> Result<Self, String> {
        let (start, size, count) = table(input)?;
        if count > size / ENTRY.1 as u64 {
            return Err(format!("its table of contents has no room for {count} entries"));
        }
        let table = read(input, start, size)?;
        let mut rest = &table[..];
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            entries.push(entry(&mut rest).ok_or("its table of contents is damaged")?);
        }
        Ok(Self { entries })
    }
}

impl Entry {
    /// Where the content is; checked against the size of the archive.
    pub fn place(&self, input: &Input<'_>) -> Result<Place, String> {
        let Self { name, packed, size, method, .. } = self;
        if self.is_encrypted {
            return Err(format!("`{name}` in it is encrypted"));
        }
        let is_deflated = match method {
            0 if packed == size => false,
            8 => true,
            0 => return Err(format!("`{name}` in it has two sizes, {packed} and {size}")),
            _ => return Err(format!("`{name}` in it is packed by method {method}, not read here")),
        };
        let local = read(input, self.header, LOCAL.1 as u64)?;
        if !local.starts_with(LOCAL.0) {
            return Err(format!("`{name}` is not where its table of contents says"));
        }
        let (name_length, extra) = (u16_at(&local, 26), u16_at(&local, 28));
        let offset = self.header + (LOCAL.1 + usize::from(name_length) + usize::from(extra)) as u64;
        if offset.checked_add(*packed).is_none_or(|end| end > input.length()) {
            return Err(format!("it is cut off: `{name}` in it takes {packed} bytes"));
        }
        // PyTorch writes 0 where it is told to compute none.
        let checksum = Some(self.checksum).filter(|sum| *sum != 0);
        Ok(Place { offset, packed: *packed, size: *size, is_deflated, checksum })
    }
}

impl Place {
    /// The whole content, held against its checksum.
    pub fn read(&self, input: &Input<'_>) -> Result<Vec<u8>, String> {
        let packed = read(input, self.offset, self.packed)?;
        let bytes = match self.is_deflated {
            false => packed,
            true => {
                // Never more than was said, whatever it unpacks to.
                let mut bytes = Vec::new();
                let mut unpacked = DeflateDecoder::new(&packed[..]).take(self.size + 1);
                unpacked.read_to_end(&mut bytes).map_err(|_| "what is packed in it is damaged")?;
                bytes
            }
        };
        if bytes.len() as u64 != self.size {
            return Err(format!("{} bytes were packed where {} were said", bytes.len(), self.size));
        }
        if self.checksum.is_some() {
            let mut sum = Crc::new();
            sum.update(&bytes);
            self.check(sum.sum())?;
        }
        Ok(bytes)
    }

    /// The first bytes of the content, at most `most` of them; nothing is held against the checksum.
    pub fn beginning(&self, input: &Input<'_>, most: usize) -> Result<Vec<u8>, String> {
        if !self.is_deflated {
            return read(input, self.offset, self.size.min(most as u64));
        }
        // What cannot be packed takes a little more than it is.
        let packed = read(input, self.offset, self.packed.min(2 * most as u64))?;
        let mut bytes = Vec::new();
        // An error is met again when the whole is read; the packed bytes may end in the middle of something here.
        let _ = DeflateDecoder::new(&packed[..]).take(most as u64).read_to_end(&mut bytes);
        Ok(bytes)
    }

    /// Reads the content for its checksum alone, a part at a time.
    pub fn verify(&self, input: &Input<'_>) -> Result<(), String> {
        if self.checksum.is_none() {
            return Ok(());
        }
        const PART: u64 = 1 << 20;
        let mut sum = Crc::new();
        let mut at = 0;
        while at < self.packed {
            let part = PART.min(self.packed - at);
            sum.update(&read(input, self.offset + at, part)?);
            at += part;
        }
        self.check(sum.sum())
    }

    fn check(&self, found: u32) -> Result<(), String> {
        match self.checksum {
            Some(expected) if expected != found => Err(format!(
                "the values were changed or damaged: their checksum is {found:08x} and not {expected:08x}"
            )),
            _ => Ok(()),
        }
    }
}

/// Where the table of contents begins, its size, and the number of its entries.
fn table(input: &Input<'_>) -> Result<(u64, u64, u64), String> {
    let length = input.length();
    let tail = length.min(END.1 as u64 + END.2);
    let bytes = read(input, length - tail, tail)?;
    // The comment after it reaches to the end of the file.
    let is_end = |at: &usize| {
        let end = &bytes[*at..];
        end.starts_with(END.0) && usize::from(u16_at(end, 20)) == end.len() - END.1
    };
    let last = bytes.len().checked_sub(END.1);
    let at = last.and_then(|last| (0..=last).rev().find(is_end));
    let at = at.ok_or("its table of contents, at the end, is missing")?;
    let end = &bytes[at..];
    let mut position = length - tail + at as u64;
    let mut table =
        (u64::from(u32_at(end, 16)), u64::from(u32_at(end, 12)), u64::from(u16_at(end, 10)));
    let locator = position.checked_sub(LOCATOR.1 as u64);
    if let Some(locator) = locator
        && let locator = read(input, locator, LOCATOR.1 as u64)?
        && locator.starts_with(LOCATOR.0)
    {
        position = u64_at(&locator, 8);
        let end = read(input, position, END64.1 as u64)?;
        if !end.starts_with(END64.0) {
            return Err("the end of its table of contents is damaged".into());
        }
        table = (u64_at(&end, 48), u64_at(&end, 40), u64_at(&end, 32));
    }
    let (start, size, _) = table;
    match start.checked_add(size) {
        Some(end) if end <= position => Ok(table),
        _ => Err("its table of contents is not where it says".into()),
    }
}

/// Takes the next entry from the rest of the table.
fn entry(rest: &mut &[u8]) -> Option<Entry> {
    let fixed = rest.get(..ENTRY.1).filter(|fixed| fixed.starts_with(ENTRY.0))?;
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let name_end = ENTRY.1 + name;
    let name = rest.get(ENTRY.1..name_end)?;
    let extra_end = name_end + extra;
    let extra = rest.get(name_end..extra_end)?;
    let [packed, size, header] = [20, 24, 42].map(|at| u64::from(u32_at(fixed, at)));
    let mut entry = Entry {
        name: String::from_utf8_lossy(name).into(),
        size,
        packed,
        method: u16_at(fixed, 10),
        is_encrypted: u16_at(fixed, 8) & 1 != 0,
        checksum: u32_at(fixed, 16),
        header,
    };
    long_numbers(&mut entry, extra)?;
    *rest = rest.get(extra_end + comment..)?;
    Some(entry)
}

/// Replaces the numbers that do not fit into 32 bits by those of the extra field for them.
fn long_numbers(entry: &mut Entry, mut extra: &[u8]) -> Option<()> {
    const ZIP64: u16 = 1;
    while extra.len() >= 4 {
        let (kind, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        // Padding of another kind may end early; it says nothing that is needed.
        let Some(mut field) = extra.get(4..4 + length) else { return Some(()) };
        if kind == ZIP64 {
            for number in [&mut entry.size, &mut entry.packed, &mut entry.header] {
                if *number == u64::from(u32::MAX) {
                    *number = u64_at(field.get(..8)?, 0);
                    field = &field[8..];
                }
            }
        }
        extra = &extra[4 + length..];
    }
    Some(())
}

fn read(input: &Input<'_>, offset: u64, length: u64) -> Result<Vec<u8>, String> {
    let length = usize::try_from(length).map_err(|_| "larger than this machine's memory")?;
    input.read(offset, length).map_err(|e| e.to_string())
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[at..at + N]);
    found
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}
