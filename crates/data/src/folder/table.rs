//! A table of paths and labels.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

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
    let file = File::open(path).map_err(|error| DataError::io("open", path, error))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|error| DataError::io("read", path, error))?;
    let delimiter = delimiter(start);
    let bad = |error: csv::Error| DataError::in_file(path, shown(&error.to_string()));
    let mut table = ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).from_reader(file);
    let columns = Columns::of(table.headers().map_err(bad)?)
        .map_err(|reason| DataError::in_file(path, reason))?;

    // By label, in the order of the first ones, until the classes are known.
    let mut labels: HashMap<String, usize> = HashMap::new();
    let mut seen: HashMap<String, (usize, Part, u64)> = HashMap::new();
    let mut rows: Vec<(String, usize, Part)> = Vec::new();
    let (mut twice, mut has_split) = (0, [false; 3]);
    for record in table.into_records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(0, csv::Position::line);
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
        match seen.get(file) {
            Some((other, other_part, _)) if (*other, *other_part) == (label, part) => twice += 1,
            Some((_, _, first)) => {
                let file = shown(file);
                return refuse(format!("`{file}` has another label or split than in line {first}"));
            }
            None => {
                seen.insert(file.to_owned(), (label, part, line));
                has_split[part as usize] = true;
                rows.push((file.to_owned(), label, part));
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
    for (file, label, part) in rows {
        if let Some(entries) = &mut parts[part as usize] {
            entries.push(Entry { path: file.into(), label: order[label] as u16 });
        }
    }
    let notes = match twice {
        0 => Vec::new(),
        n => vec![format!("{} that name a file again left out", count(n, "row", "rows"))],
    };
    let root = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    Ok(Found { root, classes, parts, notes })
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
    fn of(headers: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = headers
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_lowercase())
            .collect();
        let of = |known: &[&str]| known.iter().find_map(|k| names.iter().position(|n| n == k));
        let needed = |what: &str, known: &[&str]| {
            of(known).ok_or_else(|| {
                let found = shown(&names.join(", "));
                format!(
                    "header: expected a column {what} ({}), found {found}",
                    known[..4].join(", ")
                )
            })
        };
        Ok(Self {
            path: needed("of paths", PATHS)?,
            label: needed("of labels", LABELS)?,
            split: of(SPLITS),
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
