use std::fmt;
use std::path::PathBuf;

use super::lines::Lines;
use super::tree::Wrong;

/// What is wrong with a study, in one line that says where.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// The file, if the study was read from one.
    pub file: Option<PathBuf>,
    /// The line, from 1, if the mistake is in one.
    pub line: Option<usize>,
    /// The setting, such as `vary.learning_rate`; empty if it is of none.
    pub setting: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{}: ", printable(&self.setting))?;
        }
        f.write_str(&printable(&self.message))
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// A mistake below the keys `above`, whose lines are known.
    pub(crate) fn at(lines: &Lines, above: &[&str], wrong: Wrong) -> Self {
        let above = above.iter().map(ToString::to_string);
        let mut path: Vec<String> = above.chain(wrong.path.iter().cloned()).collect();
        path.retain(|key| !key.is_empty());
        let line = lines.line(&path);
        let file = lines.file.clone().filter(|_| line.is_some());
        Self { file, line, setting: path.join("."), message: wrong.to_string() }
    }

    /// The same, in that file.
    pub(crate) fn in_file(self, file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), ..self }
    }
}

/// At most four hundred characters, none of which moves the cursor.
pub(crate) fn printable(text: &str) -> String {
    const MOST: usize = 400;
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(MOST).map(visible).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
