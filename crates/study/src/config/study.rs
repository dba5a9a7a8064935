use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;
use toml::{Table, Value};

use super::lines::Lines;
use super::tree::{Wrong, read};
use super::trial::{TrialConfig, expanded};
use super::vary::Dimension;
use super::{ConfigError, Metric, Pruner, Search, Variant};

/// The largest study file, in bytes.
const LARGEST: u64 = 1 << 20;

/// A question to be answered by many trials.
///
/// Read from a file by [`read`](Self::read), or made of values:
///
/// ```
/// use selvedge_study::{StudyConfig, TrialConfig};
/// use selvedge_train::FitConfig;
///
/// let base = TrialConfig { fit: FitConfig { epochs: 2, ..FitConfig::default() }, ..TrialConfig::default() };
/// let study = StudyConfig::new(&base)
///     .with_question("Which learning rate is best?")
///     .vary("learning_rate", [0.1, 0.01])?
///     .with_seeds([1, 2, 3]);
/// assert_eq!(study.variants()?.len(), 2);
/// # Ok::<(), selvedge_study::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StudyConfig {
    /// What is asked, for the head of the report.
    pub question: String,
    /// What decides.
    pub metric: Metric,
    /// Every variant is trained once with each of them.
    pub seeds: Vec<u64>,
    /// How variants are found.
    pub search: Search,
    /// How many variants at most; what a search that is not a grid proposes.
    pub budget: Option<usize>,
    /// How trials that are worse than most are ended early; none is, if left out.
    pub pruner: Option<Pruner>,
    /// The name of the variant that others are compared with; the best one, if left out.
    pub baseline: Option<String>,
    /// The settings that all variants share.
    pub base: Table,
    /// What varies, in the order of the file.
    pub vary: Vec<Dimension>,
    /// Settings that change together, by name.
    pub variant: Vec<(String, Table)>,
    /// Whether it is a check that everything works: see [`quick`](Self::quick).
    pub(crate) is_quick: bool,
    pub(super) lines: Lines,
}

/// `[study]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Head {
    question: String,
    metric: Metric,
    seeds: Seeds,
    search: Search,
    budget: Option<usize>,
    pruner: Option<Pruner>,
    baseline: Option<String>,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            question: String::new(),
            metric: Metric::default(),
            seeds: Seeds::Count(3),
            search: Search::Grid,
            budget: None,
            pruner: None,
            baseline: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number of seeds is expected, or a list of them")]
enum Seeds {
    Count(u64),
    List(Vec<u64>),
}

/// The sections of a file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    study: Table,
    base: Table,
    vary: Table,
    variant: Vec<Table>,
}

impl StudyConfig {
    /// A study of one variant, with the seeds 0, 1 and 2.
    ///
    /// # Panics
    ///
    /// Panics if a number of the settings is 2⁶³ or more.
    pub fn new(base: &TrialConfig) -> Self {
        Self {
            question: String::new(),
            metric: Metric::default(),
            seeds: vec![0, 1, 2],
            search: Search::Grid,
            budget: None,
            pruner: None,
            baseline: None,
            base: base.to_table(),
            vary: Vec::new(),
            variant: Vec::new(),
            is_quick: false,
            lines: Lines::default(),
        }
    }

    /// The same, with what is asked.
    #[must_use]
    pub fn with_question(self, question: impl Into<String>) -> Self {
        Self { question: question.into(), ..self }
    }

    /// The same, with another metric.
    #[must_use]
    pub fn with_metric(self, metric: Metric) -> Self {
        Self { metric, ..self }
    }

    /// The same, with these seeds.
    #[must_use]
    pub fn with_seeds(self, seeds: impl Into<Vec<u64>>) -> Self {
        Self { seeds: seeds.into(), ..self }
    }

    /// The same, with variants found in another way, at most `budget` of them.
    #[must_use]
    pub fn with_search(self, search: Search, budget: usize) -> Self {
        Self { search, budget: Some(budget), ..self }
    }

    /// The same, with trials that are worse than most ended early.
    #[must_use]
    pub fn with_pruner(self, pruner: Pruner) -> Self {
        Self { pruner: Some(pruner), ..self }
    }

    /// The same, and a setting, such as `model.dropout`, has each of these values.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a list that is empty or a path that is none.
    pub fn vary<T: Into<Value>>(
        self,
        setting: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let values = Value::Array(values.into_iter().map(Into::into).collect());
        self.vary_as(setting, values)
    }

    /// The same, and a setting varies as a file would say it.
    pub(super) fn vary_as(mut self, setting: &str, values: Value) -> Result<Self, ConfigError> {
        let dimension = Dimension::read(setting, values)
            .map_err(|wrong| ConfigError::at(&self.lines, &["vary", setting], wrong))?;
        // In its place, so that names of variants stay as they are.
        match self.vary.iter_mut().find(|other| other.path == dimension.path) {
            Some(other) => *other = dimension,
            None => self.vary.push(dimension),
        }
        Ok(self)
    }

    /// A check that everything works, in a minute: six variants with two seeds, one epoch on a fiftieth of the training
    /// images each, measured on a twentieth of the others, and the same of what is trained before. Its figures say
    /// nothing.
    #[must_use]
    pub fn quick(self) -> Self {
        let seeds = self.seeds.iter().copied().take(2).collect();
        let budget = self.budget.map(|budget| budget.min(super::variants::QUICK));
        Self { seeds, budget, is_quick: true, baseline: None, ..self }
    }

    /// Reads a study file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a file that cannot be read, is no TOML, or has a section, key or value that is not
    /// known or out of range.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let failed = |message: String| ConfigError {
            file: Some(path.into()),
            line: None,
            setting: String::new(),
            message,
        };
        let found = path.metadata().map_err(|error| failed(error.to_string()))?;
        if !found.is_file() {
            return Err(failed("it is not a regular file".into()));
        }
        if found.len() > LARGEST {
            return Err(failed(format!("it has {} bytes, the largest {LARGEST}", found.len())));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut study: Self = text.parse().map_err(|error: ConfigError| error.in_file(path))?;
        study.lines.file = Some(path.into());
        Ok(study)
    }

    /// Checks all that can be known before the images are: that there are seeds, and that every variant of a grid
    /// has settings in their range.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        self.checked().map(drop)
    }

    /// The variants, once all was checked.
    pub(crate) fn checked(&self) -> Result<Vec<Variant>, ConfigError> {
        let wrong = |key: &str, message: String| {
            Err(ConfigError::at(&self.lines, &["study"], Wrong::other(&[key], message)))
        };
        if self.seeds.is_empty() {
            return wrong("seeds", "there is none: at least one is needed".into());
        }
        for (i, seed) in self.seeds.iter().enumerate() {
            if self.seeds[..i].contains(seed) {
                return wrong("seeds", format!("{seed} is there twice"));
            }
            if i64::try_from(*seed).is_err() {
                return wrong("seeds", format!("{seed} is too large: the largest is {}", i64::MAX));
            }
        }
        let searched = !self.search.is_listed();
        match self.budget {
            Some(0) => return wrong("budget", "it is 0: nothing would be trained".into()),
            None if self.search.needs_budget() => {
                let message = "a search needs to know how many variants it may try";
                return wrong("budget", message.into());
            }
            _ => {}
        }
        if let Some(Pruner::Median { startup, .. }) = self.pruner {
            if let Err(message) = self.search.can_prune() {
                return wrong("pruner", message.into());
            }
            if startup == 0 {
                return wrong("pruner", "startup is 0, but must be at least 1".into());
            }
        }
        if searched && self.baseline.is_some() {
            return wrong(
                "baseline",
                "a search has none: its variants are not known before".into(),
            );
        }
        if searched && self.vary.is_empty() {
            return wrong("search", "nothing varies: there is no [vary]".into());
        }
        if let Search::SuccessiveHalving { smallest, eta, .. }
        | Search::Hyperband { smallest, eta, .. } = self.search
        {
            if self.vary.iter().any(|dimension| dimension.name() == "epochs") {
                return wrong("search", "halving chooses the epochs: they cannot vary, too".into());
            }
            let largest = self.largest_epochs()?;
            if !(1..=largest).contains(&smallest) {
                let message = format!(
                    "smallest is {smallest}, but must be from 1 to the base's {largest} epochs"
                );
                return wrong("search", message);
            }
            if eta < 2 {
                return wrong("search", format!("eta is {eta}, but must be at least 2"));
            }
        }
        let variants = self.variants()?;
        if let Some(name) = &self.baseline
            && !variants.iter().any(|variant| variant.name == *name)
        {
            let names: Vec<_> = variants.iter().map(|v| format!("\"{}\"", v.name)).collect();
            return wrong("baseline", format!("\"{name}\" is none of {}", names.join(", ")));
        }
        // The one epoch of a quick study always comes to its end.
        if let Some(pruner) = self.pruner.filter(|_| !self.is_quick)
            && let Some(message) = pruner.idle(self, &variants)
        {
            return wrong("pruner", message);
        }
        Ok(variants)
    }
}

impl StudyConfig {
    /// The epochs of the base.
    pub(crate) fn largest_epochs(&self) -> Result<u64, ConfigError> {
        if self.is_quick {
            return Ok(1);
        }
        let base = TrialConfig::from_table(self.base.clone());
        let base = base.map_err(|wrong| ConfigError::at(&self.lines, &["base"], wrong))?;
        Ok(base.fit.epochs as u64)
    }
}

/// What TOML says is wrong with a text.
pub(super) fn toml_message(error: &toml::de::Error) -> String {
    let message = error.message();
    // Its words for integers that have no place in 64 bits.
    let is_too_large = message == "u64 value was too large"
        || message.starts_with("invalid type: integer") && message.contains("128");
    match is_too_large {
        true => format!("a number is too large: the largest is {}", i64::MAX),
        false => message.into(),
    }
}

impl FromStr for StudyConfig {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError {
            file: None,
            line: error.span().map(|span| Lines::of(text).line_at(span.start)),
            setting: String::new(),
            message: toml_message(&error),
        })?;
        let lines = Lines::of(text);
        let at = |above: &[&str], wrong| ConfigError::at(&lines, above, wrong);
        let Sections { study, base, vary, variant } =
            read(Value::Table(table)).map_err(|wrong| at(&[], wrong))?;
        let head: Head =
            read(Value::Table(expanded(study))).map_err(|wrong| at(&["study"], wrong))?;
        let mut dimensions = Vec::new();
        for (key, value) in vary {
            if let Value::Table(table) = &value
                && !["min", "max", "values", "when"].iter().any(|known| table.contains_key(*known))
                && let Some(inner) = table.keys().next()
            {
                let message =
                    format!("a setting within a table is written in quotes: \"{key}.{inner}\"");
                return Err(at(&["vary", &key], Wrong::other(&[], message)));
            }
            let place = lines.offset(&["vary".into(), key.clone()]);
            let read = Dimension::read(&key, value);
            dimensions.push((place, read.map_err(|wrong| at(&["vary", &key], wrong))?));
        }
        dimensions.sort_by_key(|(place, _)| *place);
        let mut variants: Vec<(String, Table)> = Vec::new();
        for (i, mut table) in variant.into_iter().enumerate() {
            let place = i.to_string();
            let wrong = |message: &str| at(&["variant", &place], Wrong::other(&[], message));
            let name = match table.remove("name") {
                Some(Value::String(name)) if name.chars().any(char::is_control) => {
                    return Err(wrong("its `name` has control characters"));
                }
                Some(Value::String(name)) if !name.trim().is_empty() => name.trim().to_owned(),
                Some(_) => return Err(wrong("its `name` is no text")),
                None => return Err(wrong("it has no `name`")),
            };
            if variants.iter().any(|(other, _)| *other == name) {
                return Err(wrong("another variant has its name"));
            }
            variants.push((name, table));
        }
        let study = Self {
            question: head.question,
            metric: head.metric,
            seeds: match head.seeds {
                Seeds::Count(n) if n > 10_000 => {
                    let message = format!("{n} are too many: the most is 10000");
                    return Err(at(&["study"], Wrong::other(&["seeds"], message)));
                }
                Seeds::Count(n) => (0..n).collect(),
                Seeds::List(seeds) => seeds,
            },
            search: head.search,
            budget: head.budget,
            pruner: head.pruner,
            baseline: head.baseline,
            base,
            vary: dimensions.into_iter().map(|(_, dimension)| dimension).collect(),
            variant: variants,
            is_quick: false,
            lines,
        };
        study.check()?;
        Ok(study)
    }
}
