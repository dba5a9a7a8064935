use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

/// The line of every key of a TOML text, from 1, and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lines {
    /// The file that the text is of, if it is of one.
    pub file: Option<PathBuf>,
    offsets: BTreeMap<Vec<String>, usize>,
    /// Keys that are not as in the text any more.
    changed: Vec<Vec<String>>,
    /// Offsets of the beginnings of lines.
    starts: Vec<usize>,
}

impl Lines {
    /// Those of a text; none if it is no TOML.
    pub fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let mut lines = Self { starts, ..Self::default() };
        if let Ok(table) = DeTable::parse(text) {
            lines.add(&mut Vec::new(), table.get_ref());
        }
        lines
    }

    fn add(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.offsets.insert(path.clone(), key.span().start);
            match value.get_ref() {
                DeValue::Table(table) => self.add(path, table),
                DeValue::Array(items) => {
                    for (i, item) in items.iter().enumerate() {
                        path.push(i.to_string());
                        self.offsets.insert(path.clone(), item.span().start);
                        if let DeValue::Table(table) = item.get_ref() {
                            self.add(path, table);
                        }
                        path.pop();
                    }
                }
                _ => {}
            }
            path.pop();
        }
    }

    /// Forgets where a key stands, and what is below it: it was changed.
    pub fn forget(&mut self, path: &[String]) {
        self.offsets.retain(|other, _| !other.starts_with(path));
        self.changed.push(path.to_vec());
    }

    /// Where a key stands; `None` if it is not in the text.
    pub fn offset(&self, path: &[String]) -> Option<usize> {
        self.offsets.get(path).copied()
    }

    /// The line of the nearest key on the way to `path` that is in the text.
    pub fn line(&self, path: &[String]) -> Option<usize> {
        if self.changed.iter().any(|changed| path.starts_with(changed)) {
            return None;
        }
        let found = (1..=path.len()).rev().find_map(|len| self.offset(&path[..len]))?;
        Some(self.line_at(found))
    }

    /// The line of a place in the text.
    pub fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_lists_and_under_the_nearest_that_there_is() {
        let lines =
            Lines::of("a = 1\n[b]\nc = { d = 2 }\n'x.y' = [1,\n 2]\n[[e]]\nf = 1\n[[e]]\nf = 2\n");
        let line =
            |path: &[&str]| lines.line(&path.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(line(&["a"]), Some(1));
        assert_eq!(line(&["b", "c", "d"]), Some(3));
        assert_eq!(line(&["b", "c", "missing"]), Some(3));
        assert_eq!(line(&["b", "x.y", "1"]), Some(5));
        assert_eq!(line(&["e", "1", "f"]), Some(9));
        assert_eq!(line(&["missing"]), None);
    }
}
