//! What a page asks for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::{StudyResults, VariantResults};
use super::Measure;
use crate::config::printable;

/// A part of a page that is made from the records of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The study file, as the page names it.
    pub study: PathBuf,
    /// Changes of it, as on a command line.
    pub changes: Vec<String>,
    /// The device of its trials.
    pub device: String,
    /// The line of its page that the study stands in, from 1.
    pub line: usize,
    pub(super) items: Vec<Item>,
}

/// What is put into a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Grid,
    Best,
    Number,
    Answer,
    Confused,
    Curves,
    Setting,
    Intervals,
    Confusion,
}

/// One thing to put into a page, with its options.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub kind: Kind,
    /// How many lines below that of the study.
    pub line: usize,
    pub by: Option<String>,
    pub values: Vec<Measure>,
    pub columns: Vec<String>,
    pub rows: Option<usize>,
    pub only: Vec<String>,
    /// Trials are missing on purpose: nothing is said about them.
    pub is_partial: bool,
    /// In the order of the study, and not the best first.
    pub as_in_study: bool,
    pub title: Option<String>,
    pub name: Option<String>,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Table,
        Self::Grid,
        Self::Best,
        Self::Number,
        Self::Answer,
        Self::Confused,
        Self::Curves,
        Self::Setting,
        Self::Intervals,
        Self::Confusion,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Grid => "grid",
            Self::Best => "best",
            Self::Number => "number",
            Self::Answer => "answer",
            Self::Confused => "confused",
            Self::Curves => "curves",
            Self::Setting => "setting",
            Self::Intervals => "intervals",
            Self::Confusion => "confusion",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Table => &["columns", "rows", "order", "only"],
            Self::Grid => &["by", "value", "only"],
            Self::Best => &["by", "value"],
            Self::Number => &["value", "only"],
            Self::Answer => &[],
            Self::Confused => &["rows", "only"],
            Self::Curves => &["value", "rows", "only", "title", "name"],
            Self::Setting => &["by", "value", "only", "title", "name"],
            Self::Intervals => &["value", "rows", "only", "title", "name"],
            Self::Confusion => &["only", "title", "name"],
        }
    }
}

impl Block {
    /// Reads what stands behind `study:`.
    pub(super) fn read(text: &str) -> Result<Self, At<String>> {
        let mut items = items(text)?.into_iter();
        let (line, first) = items.next().ok_or((0, "it names no study file".to_owned()))?;
        let mut words = first.into_iter();
        let study = PathBuf::from(words.next().unwrap_or_default());
        if study.extension().is_none_or(|ending| ending != "toml") {
            let message = format!(
                "`{}` is no study file: expected NAME.toml",
                printable(&study.to_string_lossy())
            );
            return Err((line, message));
        }
        let (changes, items_of) = (Vec::new(), Vec::new());
        let mut block = Self { study, changes, device: "flex".into(), line: 1, items: items_of };
        let mut is_partial = false;
        let mut known = BTreeSet::new();
        for word in words {
            let option = word.split_once('=').map(|(key, _)| key);
            if let Some(key @ ("device" | "missing")) = option {
                once(&mut known, key).map_err(|message| (line, message))?;
            }
            match word.split_once('=') {
                Some(("device", name)) => block.device = name.into(),
                Some(("missing", "planned")) => is_partial = true,
                Some(("missing", other)) => {
                    let message = format!("missing is `{}`, expected `planned`", printable(other));
                    return Err((line, message));
                }
                _ => block.changes.push(word),
            }
        }
        for (at, words) in items {
            let item = Item::read(&words).map_err(|message| (at, message))?;
            block.items.push(Item { line: at - line, ..item });
        }
        if block.items.is_empty() {
            block.items.push(Item::new(Kind::Table));
        }
        block.items.iter_mut().for_each(|item| item.is_partial = is_partial);
        Ok(block)
    }

    /// Whether all that it puts into its page fits into a line.
    pub(super) fn is_inline(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item.kind, Kind::Number | Kind::Answer | Kind::Confused))
    }

    /// The name of a figure that has none of its own: `a1_curves_train_loss`.
    pub(super) fn figure_name(&self, item: &Item) -> String {
        let study = self.study.file_stem().unwrap_or_default().to_string_lossy();
        let of_value = item.values.first().map(|value| format!("_{value}")).unwrap_or_default();
        let name = format!("{study}_{}{of_value}", item.kind.name());
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    }
}

impl Item {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            line: 0,
            by: None,
            values: Vec::new(),
            columns: Vec::new(),
            rows: None,
            only: Vec::new(),
            is_partial: false,
            as_in_study: false,
            title: None,
            name: None,
        }
    }

    fn read(words: &[String]) -> Result<Self, String> {
        let (name, options) = words.split_first().ok_or("it is empty")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("`{}` is unknown: there are {names}", printable(name))
        })?;
        let mut item = Self::new(kind);
        let mut known = BTreeSet::new();
        for option in options {
            let (key, value) = option.split_once('=').ok_or_else(|| {
                format!("`{}` is no option: expected NAME=VALUE", printable(option))
            })?;
            if !kind.options().contains(&key) {
                let (name, known) = (kind.name(), kind.options().join(", "));
                let known =
                    if known.is_empty() { "it has none".into() } else { format!("it has {known}") };
                return Err(format!("{name} has no `{}`: {known}", printable(key)));
            }
            if key != "only" {
                once(&mut known, key).map_err(|message| format!("{}: {message}", kind.name()))?;
            }
            item.set(key, value).map_err(|message| format!("{}: {message}", kind.name()))?;
        }
        Ok(item)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong =
            |expected: &str| format!("{key} is `{}`, expected {expected}", printable(value));
        match key {
            "by" => self.by = Some(value.into()),
            "value" => {
                self.values = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "columns" => self.columns = value.split(',').map(String::from).collect(),
            "rows" => {
                let rows = value.parse().ok().filter(|rows| *rows > 0);
                self.rows = Some(rows.ok_or_else(|| wrong("a whole number of at least 1"))?);
            }
            "order" if value == "study" => self.as_in_study = true,
            "order" => return Err(wrong("`study`")),
            "only" => self.only.push(value.into()),
            "title" => self.title = Some(value.into()),
            _ => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                if value.is_empty() || !value.chars().all(allowed) {
                    return Err(wrong("letters, digits, `-` and `_`"));
                }
                self.name = Some(value.into());
            }
        }
        Ok(())
    }

    /// The one value that it is about.
    pub fn value(&self) -> Result<&Measure, String> {
        match self.values.as_slice() {
            [value] => Ok(value),
            _ => Err("it needs `value`, such as test.accuracy".into()),
        }
    }

    /// Whether a variant is one of those that it is about.
    pub fn has(&self, results: &VariantResults) -> bool {
        let variant = &results.variant;
        self.only.is_empty()
            || self.only.iter().any(|name| *name == variant.name || *name == variant.arm)
    }

    /// Whether it is about all variants of an arm.
    pub fn has_arm(&self, arm: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == arm)
    }

    /// The variants that it is about, in the order of the study.
    pub fn variants<'a>(
        &self,
        results: &'a StudyResults,
    ) -> Result<Vec<&'a VariantResults>, String> {
        for name in &self.only {
            let is = |of: &&VariantResults| *name == of.variant.name || *name == of.variant.arm;
            if !results.variants.iter().any(|of| is(&of)) {
                return Err(format!("no variant or arm is called `{}`", printable(name)));
            }
        }
        Ok(results.variants.iter().filter(|variant| self.has(variant)).collect())
    }
}

/// Refuses an option that is there already: which of both was meant is not known.
fn once(known: &mut BTreeSet<String>, key: &str) -> Result<(), String> {
    match known.insert(key.into()) {
        true => Ok(()),
        false => Err(format!("`{}` stands there twice", printable(key))),
    }
}

/// Something with the line that it is in, from 0.
type At<T> = (usize, T);

/// The words of each item. Items end with a line or a `;`.
fn items(text: &str) -> Result<Vec<At<Vec<String>>>, At<String>> {
    let mut items = Vec::new();
    for (line, text) in text.split('\n').enumerate() {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
        for c in text.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), c) => word.get_or_insert_default().push(c),
                (None, '\'' | '"') => {
                    word.get_or_insert_default();
                    quote = Some(c);
                }
                (None, ';') => {
                    words.extend(word.take());
                    items.push((line, std::mem::take(&mut words)));
                }
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                (None, c) => word.get_or_insert_default().push(c),
            }
        }
        if quote.is_some() {
            return Err((line, "a quotation mark is not closed".into()));
        }
        words.extend(word.take());
        items.push((line, words));
    }
    items.retain(|(_, words)| !words.is_empty());
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_study_its_changes_and_what_to_put_there() {
        let text = " a2.toml seeds=2 'lr=choice(1e-3, 1e-2)' device=wgpu missing=planned; table rows=3 order=study\n\
                    curves value=train.loss,validation.loss only=\"a; b\" only=c title='How fast?'\n";
        let block = Block::read(text).unwrap();
        assert_eq!((block.study.to_str(), block.device.as_str()), (Some("a2.toml"), "wgpu"));
        assert_eq!(block.changes, ["seeds=2", "lr=choice(1e-3, 1e-2)"]);
        let [table, curves] = block.items.as_slice() else { panic!("{block:?}") };
        assert_eq!((table.kind, table.rows, table.as_in_study), (Kind::Table, Some(3), true));
        assert!(table.is_partial && curves.is_partial);
        assert_eq!((curves.kind, curves.values.len()), (Kind::Curves, 2));
        assert_eq!(curves.only, ["a; b", "c"]);
        assert_eq!(curves.title.as_deref(), Some("How fast?"));
        assert_eq!(block.figure_name(curves), "a2_curves_train_loss");
        assert_eq!(Block::read("a1.toml").unwrap().items, [Item::new(Kind::Table)]);
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_what_there_is() {
        for (text, line, expected) in [
            ("", 0, "it names no study file"),
            ("a1", 0, "`a1` is no study file: expected NAME.toml"),
            ("a.toml device=flex device=wgpu", 0, "`device` stands there twice"),
            ("a.toml\ntable rows=1 rows=2", 1, "table: `rows` stands there twice"),
            ("a.toml\n\nnumber value=test.loss value=test.accuracy", 2, "number: `value` stands"),
            ("a.toml missing=yes", 0, "missing is `yes`, expected `planned`"),
            ("a.toml\n\ntabel", 2, "`tabel` is unknown: there are table, grid,"),
            ("a.toml\ntable by=x", 1, "table has no `by`: it has columns, rows, order, only"),
            ("a.toml\nanswer rows=1", 1, "answer has no `rows`: it has none"),
            ("a.toml\ntable rows", 1, "`rows` is no option: expected NAME=VALUE"),
            (
                "a.toml\ntable rows=0",
                1,
                "table: rows is `0`, expected a whole number of at least 1",
            ),
            ("a.toml\ngrid value=loss", 1, "grid: `loss` is no value: expected one such as"),
            ("a.toml\ncurves name=../x", 1, "curves: name is `../x`, expected letters, digits,"),
            ("a.toml\ntable only='x", 1, "a quotation mark is not closed"),
        ] {
            let (place, message) = Block::read(text).unwrap_err();
            assert!(place == line && message.starts_with(expected), "{text}: {place}: {message}");
        }
    }
}
