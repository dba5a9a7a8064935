//! Changes of a study on the command line, as Hydra writes them.

use toml::{Table, Value};

use super::study::toml_message;
use super::tree::read;
use super::trial::{TrialConfig, expanded, set};
use super::vary::path_of;
use super::{ConfigError, StudyConfig};

/// Short names that people know from elsewhere.
pub(super) const SHORT: [(&str, &str); 4] =
    [("lr", "learning_rate"), ("wd", "weight_decay"), ("bs", "batch_size"), ("seed", "seeds")];

/// The settings of `[study]`.
const HEAD: [&str; 7] = ["question", "metric", "seeds", "search", "budget", "pruner", "baseline"];

impl StudyConfig {
    /// The same, changed by arguments of a command line:
    ///
    /// | argument | what it does |
    /// |---|---|
    /// | `epochs=5` | sets a setting of the base, which no longer varies |
    /// | `lr=0.1,0.01` or `lr=choice(0.1,0.01)` | varies a setting over these values |
    /// | `batch_size=range(32,129,32)` | over the integers from 32 below 129, in steps of 32 |
    /// | `lr=interval(1e-4,1e-1)`, `lr=log(1e-4,1e-1)` | over all numbers between, equally far apart or by ratio |
    /// | `seed=range(0,6)` or `seeds=6` | the seeds |
    /// | `metric=validation.accuracy` | a setting of `[study]`; so for `question`, `search`, `budget`, `pruner`, `baseline` |
    /// | `~model.dropout` | a setting no longer varies, or has its default again; so for those of `[study]` |
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the argument.
    ///
    /// ```
    /// use selvedge_study::StudyConfig;
    ///
    /// let study: StudyConfig = "[base]\nepochs = 3".parse()?;
    /// let study = study.overridden(["lr=1e-3,1e-2", "seed=range(0,6)", "model.dropout=0.25"])?;
    /// assert_eq!((study.variants()?.len(), study.seeds.len()), (2, 6));
    /// # Ok::<(), selvedge_study::ConfigError>(())
    /// ```
    pub fn overridden<T: AsRef<str>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        for argument in arguments {
            let argument = argument.as_ref();
            self = self.apply(argument).map_err(|message| of(argument, message))?;
        }
        self.check()?;
        Ok(self)
    }

    fn apply(mut self, argument: &str) -> Result<Self, String> {
        if let Some(name) = argument.strip_prefix('~') {
            let name = name.trim();
            if HEAD.contains(&long(name.strip_prefix("study.").unwrap_or(name))) {
                return self.reset_head(long(name.strip_prefix("study.").unwrap_or(name)));
            }
            let path = path_of(long(name)).map_err(|wrong| wrong.to_string())?;
            let before = self.vary.len();
            self.vary.retain(|dimension| dimension.path != path);
            let removed = remove(&mut self.base, &path);
            return match removed || self.vary.len() < before {
                true => Ok(self),
                false => Err("there is no such setting to take away".into()),
            };
        }
        let (key, value) = argument.split_once('=').ok_or("expected setting=value, or ~setting")?;
        let key = key.trim().trim_start_matches('+');
        let sections = ["base.", "vary.", "study."];
        let key = long(sections.iter().find_map(|s| key.strip_prefix(s)).unwrap_or(key));
        match (key, value.trim()) {
            ("baseline", "") => return Ok(Self { baseline: None, ..self }),
            ("baseline", text) => return Ok(Self { baseline: Some(text.into()), ..self }),
            ("pruner", "") => return Ok(Self { pruner: None, ..self }),
            ("question", text) => return Ok(Self { question: text.into(), ..self }),
            _ => {}
        }
        if let Some(too_large) = too_large(value.trim()) {
            return Err(too_large);
        }
        let values = sweep(value.trim())?;
        for section in ["base", "vary", "study"] {
            // The lines of the file would be those of other values.
            let path = [section].into_iter().chain(key.split('.')).map(String::from);
            self.lines.forget(&path.collect::<Vec<_>>());
            self.lines.forget(&[section.to_string(), key.to_string()]);
        }
        if HEAD.contains(&key) {
            return self.set_head(key, values);
        }
        let path = path_of(key).map_err(|wrong| wrong.to_string())?;
        match values {
            Sweep::One(value) => {
                self.vary.retain(|dimension| dimension.path != path);
                let set = set(&mut self.base, &path, value);
                set.map_err(|wrong| wrong.to_string())?;
                Ok(self)
            }
            Sweep::Many(values) => self.vary_as(key, Value::Array(values)).map_err(|e| e.message),
            Sweep::Range(range) => self.vary_as(key, Value::Table(range)).map_err(|e| e.message),
        }
    }

    /// A setting of `[study]` is as where nothing is said.
    fn reset_head(self, key: &str) -> Result<Self, String> {
        let (before, usual) = (self.clone(), Self::new(&TrialConfig::default()));
        let mut study = match key {
            "question" => Self { question: usual.question, ..self },
            "metric" => Self { metric: usual.metric, ..self },
            "seeds" => Self { seeds: usual.seeds, ..self },
            "search" => Self { search: usual.search, ..self },
            "budget" => Self { budget: None, ..self },
            "pruner" => Self { pruner: None, ..self },
            _ => Self { baseline: None, ..self },
        };
        if study == before {
            return Err("there is no such setting to take away".into());
        }
        study.lines.forget(&["study".into(), key.into()]);
        Ok(study)
    }

    /// Sets a setting of `[study]`, by reading such a section with nothing else in it.
    fn set_head(mut self, key: &str, values: Sweep) -> Result<Self, String> {
        let value = match values {
            Sweep::One(value) => value,
            Sweep::Many(values) if key == "seeds" => Value::Array(values),
            _ => return Err("it takes one value".into()),
        };
        let head = Table::from_iter([(key.to_string(), value)]);
        // Whether they fit is known when all arguments were read: alone, a search lacks its budget.
        if let "search" | "pruner" = key {
            let value = expanded(head).remove(key).ok_or("it has no value")?;
            let wrong = |wrong: super::tree::Wrong| wrong.to_string();
            match key {
                "search" => self.search = read(value).map_err(wrong)?,
                _ => self.pruner = Some(read(value).map_err(wrong)?),
            }
            return Ok(self);
        }
        let text = Table::from_iter([("study".to_string(), Value::Table(head))]).to_string();
        let of_head: Self = text.parse().map_err(|error: ConfigError| error.message)?;
        match key {
            "metric" => self.metric = of_head.metric,
            "seeds" => self.seeds = of_head.seeds,
            _ => self.budget = of_head.budget,
        }
        Ok(self)
    }
}

fn of(argument: &str, message: String) -> ConfigError {
    ConfigError { file: None, line: None, setting: argument.into(), message }
}

fn long(key: &str) -> &str {
    SHORT.iter().find(|(short, _)| *short == key).map_or(key, |(_, long)| long)
}

fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(key).is_some(),
        [key, rest @ ..] => match table.get_mut(key) {
            Some(Value::Table(inner)) => remove(inner, rest),
            _ => false,
        },
    }
}

/// What stands behind the `=`.
enum Sweep {
    One(Value),
    Many(Vec<Value>),
    Range(Table),
}

fn sweep(text: &str) -> Result<Sweep, String> {
    if let Some((function, inner)) = call(text) {
        let parts = split(inner);
        let numbers = || -> Result<Vec<f64>, String> {
            let number =
                |part: &&str| part.trim().parse().map_err(|_| format!("`{part}` is no number"));
            parts.iter().map(number).collect()
        };
        return match function {
            "choice" => Ok(Sweep::Many(parts.into_iter().map(value).collect())),
            "range" => Ok(Sweep::Many(range(&numbers()?)?)),
            "interval" | "log" => match numbers()?[..] {
                [min, max] => Ok(Sweep::Range(Table::from_iter([
                    ("min".to_string(), min.into()),
                    ("max".to_string(), max.into()),
                    ("log".to_string(), (function == "log").into()),
                ]))),
                _ => Err(format!("{function} takes the smallest and the largest number")),
            },
            other => Err(format!("`{other}` is unknown, there are choice, range, interval, log")),
        };
    }
    Ok(match &split(text)[..] {
        [_] => Sweep::One(value(text)),
        many => Sweep::Many(many.iter().map(|part| value(part)).collect()),
    })
}

/// Integers from the first below the second, in steps of the third.
fn range(numbers: &[f64]) -> Result<Vec<Value>, String> {
    let (start, stop, step) = match *numbers {
        [stop] => (0.0, stop, 1.0),
        [start, stop] => (start, stop, 1.0),
        [start, stop, step] => (start, stop, step),
        _ => return Err("range takes where it begins, where it ends, and a step".into()),
    };
    let whole = |n: f64| n.fract() == 0.0 && n.abs() < 1e15;
    if !(whole(start) && whole(stop) && whole(step) && step > 0.0) {
        return Err("range is of integers, with a step above 0".into());
    }
    if (stop - start) / step > 10_000.0 {
        return Err("range has more than 10000 numbers".into());
    }
    let (start, stop, step) = (start as i64, stop as i64, step as usize);
    Ok((start..stop).step_by(step).map(Value::Integer).collect())
}

/// `name(inner)`.
fn call(text: &str) -> Option<(&str, &str)> {
    let (name, inner) = text.strip_suffix(')')?.split_once('(')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
    is_name.then_some((name, inner))
}

/// The parts between commas that are in no brackets and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_i32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// What is wrong with a value with a number that TOML does not have.
fn too_large(text: &str) -> Option<String> {
    let error = format!("x = {text}").parse::<Table>().err()?;
    Some(toml_message(&error)).filter(|message| message.starts_with("a number is too large"))
}

/// A value of TOML, or else a text.
fn value(text: &str) -> Value {
    let text = text.trim();
    let read = format!("x = {text}").parse::<Table>().ok();
    read.and_then(|mut table| (table.len() == 1).then(|| table.remove("x"))?)
        .unwrap_or_else(|| Value::String(text.into()))
}

#[cfg(test)]
mod tests {
    use super::super::{Pruner, Search};
    use super::*;

    fn study() -> StudyConfig {
        "[base]\nmodel = 'cnn2'\n[vary]\nlearning_rate = [0.1, 0.01]".parse().unwrap()
    }

    fn names(arguments: &[&str]) -> Vec<String> {
        let study = study().overridden(arguments).unwrap();
        study.variants().unwrap().into_iter().map(|variant| variant.name).collect()
    }

    #[test]
    fn settings_are_set_varied_and_taken_away() {
        assert_eq!(names(&["lr=0.5"]), ["base"]);
        assert_eq!(names(&["lr=1e-3,1"]), ["learning_rate=0.001", "learning_rate=1"]);
        assert_eq!(names(&["~lr"]), ["base"]);
        assert_eq!(
            names(&["~lr", "batch_size=range(32,97,32)"]),
            ["batch_size=32", "batch_size=64", "batch_size=96"]
        );
        assert_eq!(
            names(&["~lr", "optimizer=choice(adam,sgd)"]),
            ["optimizer=adam", "optimizer=sgd"]
        );
        assert_eq!(
            names(&["~lr", "dataset=mnist,fashion_mnist[fm1]", "model.dropout=0.25"]),
            ["dataset=mnist", "dataset=fashion_mnist[fm1]"]
        );
    }

    #[test]
    fn the_head_of_a_study_is_changed() {
        let change = |argument: &str| study().overridden([argument]).unwrap();
        assert_eq!(change("seed=range(0,6)").seeds, [0, 1, 2, 3, 4, 5]);
        assert_eq!(change("seeds=2").seeds, [0, 1]);
        assert_eq!(change("seeds=5,7").seeds, [5, 7]);
        assert_eq!(change("metric=validation.accuracy").metric.to_string(), "validation.accuracy");
        assert_eq!(change("budget=9").budget, Some(9));
        assert_eq!(change("search=one_at_a_time").search, Search::OneAtATime);
        let changes = [
            "lr=range(1,10)",
            "search={ name = 'tpe', seed = 3 }",
            "budget=9",
            "pruner={name='median',warmup=2}",
        ];
        let searched = study().overridden(changes).unwrap();
        assert_eq!(searched.search, Search::Tpe { seed: 3 });
        assert_eq!(searched.pruner, Some(Pruner::Median { startup: 5, warmup: 2 }));
        assert_eq!(searched.clone().overridden(["pruner="]).unwrap().pruner, None);
        assert_eq!(searched.overridden(["search=grid"]).unwrap().search, Search::Grid);
    }

    #[test]
    fn a_setting_of_the_head_is_taken_away() {
        let text = "[study]\nquestion = 'Why?'\nmetric = 'train.loss'\nseeds = 9\nsearch = 'tpe'\nbudget = 9\n\
                    pruner = 'median'\n[vary]\nlearning_rate = { min = 0.1, max = 0.2, points = 12 }";
        let searched: StudyConfig = text.parse().unwrap();
        assert_eq!(searched.clone().overridden(["~pruner"]).unwrap().pruner, None);
        let all = ["~question", "~metric", "~seed", "~search", "~study.budget", "~pruner"];
        let usual = searched.clone().overridden(all).unwrap();
        assert_eq!((usual.question.as_str(), usual.budget, usual.pruner), ("", None, None));
        assert_eq!(usual.metric.to_string(), "validation.loss");
        assert_eq!((usual.seeds, usual.search), (vec![0, 1, 2], Search::Grid));
        let message = searched.overridden(["~pruner", "~budget"]).unwrap_err().to_string();
        // The line of the file is no longer there.
        assert_eq!(message, "study.budget: a search needs to know how many variants it may try");
        let compared = study().overridden(["baseline=learning_rate=0.1"]).unwrap();
        assert_eq!(compared.overridden(["~baseline"]).unwrap().baseline, None);
    }

    #[test]
    fn a_setting_that_varies_keeps_its_place_and_sections_may_stand_before_it() {
        let text = "[vary]\nlearning_rate = [0.1, 0.01]\nbatch_size = [8, 16]";
        let study =
            |argument: &str| text.parse::<StudyConfig>().unwrap().overridden([argument]).unwrap();
        let first = |argument: &str| study(argument).variants().unwrap().remove(0).name;
        assert_eq!(first("lr=0.5,0.2"), "learning_rate=0.5, batch_size=8");
        assert_eq!(first("vary.batch_size=4,2"), "learning_rate=0.1, batch_size=4");
        assert_eq!(first("base.lr=0.3"), "batch_size=8");
        let baseline = "learning_rate=0.01, batch_size=8";
        assert_eq!(study(&format!("baseline={baseline}")).baseline.as_deref(), Some(baseline));
    }

    #[test]
    fn mistakes_name_the_argument() {
        for (argument, message) in [
            ("lr", "lr: expected setting=value, or ~setting"),
            ("lr=range(0,1,0.5)", "lr=range(0,1,0.5): range is of integers, with a step above 0"),
            ("lr=draw(1)", "lr=draw(1): `draw` is unknown, there are choice, range, interval, log"),
            ("~epochs", "~epochs: there is no such setting to take away"),
            ("~pruner", "~pruner: there is no such setting to take away"),
            (
                "budget=9223372036854775808",
                "budget=9223372036854775808: a number is too large: the largest is 9223372036854775807",
            ),
            ("search=tpee", "search=tpee: `tpee` is unknown; did you mean `tpe`?"),
            ("seeds=0", "seeds=0: there is none: at least one is needed"),
            (
                "metric=test.loss",
                "metric=test.loss: choices are made on validation images, the test images judge them: take `validation.…`",
            ),
            ("model=cnn2,cnn2", "model=cnn2,cnn2: \"cnn2\" is in the list twice"),
        ] {
            assert_eq!(study().overridden([argument]).unwrap_err().to_string(), message);
        }
        let message = study().overridden(["lerning_rate=1"]).unwrap_err().to_string();
        assert_eq!(
            message,
            "base.lerning_rate: `lerning_rate` is unknown; did you mean `learning_rate`?"
        );
    }
}
