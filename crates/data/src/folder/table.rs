//! A table of paths and labels.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::files::count;
use super::{Entry, Found, Part};
use crate::DataError;
use crate::error::shown;

/// Names of columns, the usual ones first.
const PATHS: &[&str] =
    &["path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image"];
const LABELS: &[&str] =
    &["label", "class", "category", "target", "label_name", "class_name", "labels", "classes"];
const SPLITS: &[&str] = &["split", "set", "subset", "partition"];

/// The images that a table names. It takes up to about fifty times the file's bytes in memory.
pub(super) fn read(path: &Path) -> Result<Found, DataError> {
    let text = fs::read(path).map_err(|error| DataError::io("read", path, error))?;
    let delimiter = delimiter(&text);
    let bad = |error: csv::Error| DataError::in_file(path, shown(&error.to_string()));
    let mut table =
        ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).from_reader(&text[..]);
    let mut notes = Vec::new();
    let columns = Columns::of(table.headers().map_err(bad)?, &mut notes)
        .map_err(|reason| DataError::in_file(path, reason))?;
    let root = path.parent().map_or_else(PathBuf::new, Path::to_owned);

    // By label, in the order of the first ones, until the classes are known.
    let mut labels: HashMap<String, usize> = HashMap::new();
    let mut folders = Folders::of(&root);
    let mut lines = Lines { text: &text, at: 0, line: 1 };
    let mut seen: HashMap<(usize, String), (usize, Part, u32)> = HashMap::new();
    let mut rows: Vec<(String, usize, Part, u32)> = Vec::new();
    let (mut twice, mut has_split) = (0, [false; 3]);
    for record in table.into_records() {
        let record = record.map_err(bad)?;
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        let refuse =
            |reason: String| Err(DataError::in_file(path, format!("line {line}: {reason}")));
        let field = |column: usize| record.get(column).unwrap_or_default();
        let (file, label) = (field(columns.path), field(columns.label));
        if file.is_empty() || label.is_empty() {
            let what = if file.is_empty() { "path" } else { "label" };
            return refuse(format!("the {what} is empty"));
        }
        let part = match columns.split.map(field) {
            None => Part::Train,
            Some(split) => match Part::named(split) {
                Some(part) => part,
                None => {
                    let found = shown(split);
                    return refuse(format!("split: expected train, val or test, found `{found}`"));
                }
            },
        };
        let next = labels.len();
        let label = *labels.entry(label.to_owned()).or_insert(next);
        let key = folders.key(file);
        match seen.get(&key) {
            Some((other, other_part, _)) if (*other, *other_part) == (label, part) => twice += 1,
            Some((_, _, first)) => {
                let file = shown(file);
                return refuse(format!("`{file}` has another label or split than in line {first}"));
            }
            None => {
                seen.insert(key, (label, part, line));
                has_split[part as usize] = true;
                rows.push((file.to_owned(), label, part, line));
            }
        }
    }
    if rows.is_empty() {
        return Err(DataError::in_file(path, "a table without rows"));
    }
    let (classes, order) = classes(labels);
    if classes.len() > usize::from(u16::MAX) + 1 {
        let reason = format!("{} different labels, more than 65,536", classes.len());
        return Err(DataError::in_file(path, reason));
    }
    let mut parts = has_split.map(|there| there.then(Vec::new));
    for (file, label, part, line) in rows {
        if let Some(entries) = &mut parts[part as usize] {
            entries.push(Entry { path: file.into(), label: order[label] as u16, line });
        }
    }
    if twice > 0 {
        notes.push(format!(
            "{} a file again left out",
            count(twice, "row that names", "rows that name")
        ));
    }
    Ok(Found { root, classes, parts, notes })
}

/// Counts lines up to records, which come in their order. (The reader's own count is of where it looks for a record:
/// before empty lines, and before the second half of a line break of Windows.)
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    /// The line of the byte `at`, counted from 1.
    line: u32,
}

impl Lines<'_> {
    /// The line of the record that is found from this byte on.
    fn of(&mut self, byte: u64) -> u32 {
        let text = self.text;
        let mut to = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.at, text.len());
        to += text[to..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let breaks = text[self.at..to].iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.at = to;
        self.line
    }
}

/// Which folder a path is in, whatever its spelling: `a/1.png`, `./a/1.png`, `b/../a/1.png` and the absolute path
/// are of one.
///
/// The folders alone are looked at, once for each spelling: files are many. Two names of one file, by a link, are
/// two files.
struct Folders<'a> {
    root: &'a Path,
    /// By how they are spelled; those of one place have one number.
    spelled: HashMap<String, usize>,
    places: HashMap<PathBuf, usize>,
}

impl<'a> Folders<'a> {
    fn of(root: &'a Path) -> Self {
        Self { root, spelled: HashMap::new(), places: HashMap::new() }
    }

    /// What the spellings of a file have in common: its folder and its name.
    fn key(&mut self, file: &str) -> (usize, String) {
        let path = Path::new(file);
        let (folder, name) = match (path.parent(), path.file_name().and_then(|name| name.to_str()))
        {
            (Some(folder), Some(name)) => (folder.to_str().unwrap_or_default(), name),
            // No name of a file, such as `..`.
            _ => ("", file),
        };
        if let Some(&number) = self.spelled.get(folder) {
            return (number, name.to_owned());
        }
        let next = self.places.len();
        let number = *self.places.entry(self.place(Path::new(folder))).or_insert(next);
        self.spelled.insert(folder.to_owned(), number);
        (number, name.to_owned())
    }

    /// The one name of a folder; of one that is not there, what it says without `.`.
    fn place(&self, folder: &Path) -> PathBuf {
        let here = self.root.join(folder);
        let here = if here.as_os_str().is_empty() { Path::new(".") } else { &here };
        fs::canonicalize(here).unwrap_or_else(|_| {
            folder.components().filter(|part| *part != Component::CurDir).collect()
        })
    }
}

/// What divides the columns: the one of which the first line has most.
fn delimiter(start: &[u8]) -> u8 {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // The last of equals is taken: the comma.
    *b"\t;,".iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// Where the columns are.
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
}

impl Columns {
    /// The columns by their names; where others could be meant, too, `notes` say which are taken.
    fn of(headers: &StringRecord, notes: &mut Vec<String>) -> Result<Self, String> {
        let names: Vec<String> = headers
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_lowercase())
            .collect();
        let mut of = |what: &str, known: &[&str]| {
            let places = |name: &&str| {
                let places = names.iter().enumerate().filter(|(_, n)| n == name);
                places.map(|(place, _)| place).collect::<Vec<_>>()
            };
            let there = known.iter().map(|name| (name, places(name)));
            let mut there = there.filter(|(_, places)| !places.is_empty());
            let Some((name, places)) = there.next() else { return Ok(None) };
            if places.len() > 1 {
                return Err(format!(
                    "header: {} columns `{name}`: which one is meant?",
                    places.len()
                ));
            }
            let others: Vec<_> = there.map(|(name, _)| format!("`{name}`")).collect();
            if !others.is_empty() {
                let others = others.join(", ");
                notes.push(format!("{what} are taken from the column `{name}`, not from {others}"));
            }
            Ok(Some(places[0]))
        };
        let missing = |what: &str, known: &[&str]| {
            let found = shown(&names.join(", "));
            format!("header: expected a column of {what} ({}), found {found}", known.join(", "))
        };
        Ok(Self {
            path: of("paths", PATHS)?.ok_or_else(|| missing("paths", PATHS))?,
            label: of("labels", LABELS)?.ok_or_else(|| missing("labels", LABELS))?,
            split: of("splits", SPLITS)?,
        })
    }
}

/// The sorted names of the classes, and for each label of the order of the file its place among them.
fn classes(labels: HashMap<String, usize>) -> (Vec<String>, Vec<usize>) {
    let numbers = labels.keys().all(|label| label.parse::<u64>().is_ok());
    let key = |label: &str| if numbers { label.parse().unwrap_or(0) } else { 0u64 };
    let sorted: BTreeMap<(u64, String), usize> =
        labels.into_iter().map(|(label, first)| ((key(&label), label), first)).collect();
    let mut order = vec![0; sorted.len()];
    for (place, first) in sorted.values().enumerate() {
        order[*first] = place;
    }
    (sorted.into_keys().map(|(_, label)| label).collect(), order)
}
