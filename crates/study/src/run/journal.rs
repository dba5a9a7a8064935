//! The journal of a study as Optuna keeps one: JSON lines that `optuna-dashboard` opens.
//!
//! The form is that of `optuna.storages.journal.JournalFileBackend` of Optuna 4: a line that makes the study, and a
//! line a trial that is complete from the beginning, as `create_trial` writes it.

use serde_json::{Map, Value, json};

use super::StudyResults;
use crate::config::{Dimension, Part, Values};
use crate::trial::{Ending, TrialRecord};

/// The operations of the journal that are used.
const CREATE_STUDY: u8 = 0;
const SET_STUDY_USER_ATTRIBUTE: u8 = 2;
const CREATE_TRIAL: u8 = 4;

/// States of a trial.
const COMPLETE: u8 = 1;
const PRUNED: u8 = 2;
const FAIL: u8 = 3;

/// Who wrote it.
const WORKER: &str = "selvedge";

/// The journal of what is finished.
pub(super) fn of(results: &StudyResults) -> String {
    let metric = &results.study.metric;
    let question = match results.study.question.as_str() {
        "" => "study",
        question => question,
    };
    let mut lines = vec![
        json!({
            "op_code": CREATE_STUDY,
            "worker_id": WORKER,
            "study_name": question,
            "directions": [if metric.is_loss() { 1 } else { 2 }],
        }),
        json!({
            "op_code": SET_STUDY_USER_ATTRIBUTE,
            "worker_id": WORKER,
            "study_id": 0,
            "user_attr": { "metric": metric.to_string() },
        }),
    ];
    for variant in &results.variants {
        let (mut params, mut distributions) = (Map::new(), Map::new());
        for dimension in &results.study.vary {
            let name = dimension.name();
            let found = variant.variant.settings.iter().find(|(key, _)| *key == name);
            let parameter = found.and_then(|(_, value)| parameter(dimension, value));
            let Some((param, distribution)) = parameter else { continue };
            params.insert(name.clone(), param);
            // Optuna keeps a distribution as JSON within JSON.
            distributions.insert(name, distribution.to_string().into());
        }
        for trial in variant.trials.iter().flatten() {
            lines.push(line(results, &variant.variant.name, trial, &params, &distributions));
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn line(
    results: &StudyResults,
    name: &str,
    trial: &TrialRecord,
    params: &Map<String, Value>,
    distributions: &Map<String, Value>,
) -> Value {
    let metric = &results.study.metric;
    let curve = trial.curve(metric.part(), metric.column()).unwrap_or_default();
    let (state, value) = match trial.ending {
        Ending::Complete {} => (COMPLETE, trial.value(metric)),
        // Optuna gives these the value of their last step.
        Ending::Pruned { .. } => (PRUNED, curve.last().copied()),
        Ending::Diverged { .. } => (FAIL, None),
    };
    let value = value.filter(|value| value.is_finite());
    let state = if value.is_none() { FAIL } else { state };
    let finite = curve.iter().enumerate().filter(|(_, value)| value.is_finite());
    let steps: Map<String, Value> =
        finite.map(|(epoch, &value)| ((epoch + 1).to_string(), value.into())).collect();
    let mut attributes = Map::new();
    attributes.insert("variant".into(), name.into());
    attributes.insert("seed".into(), trial.seed.into());
    attributes.insert("best_epoch".into(), trial.best_epoch.into());
    if let Some(epoch) = trial.pruned_after() {
        attributes.insert("ending".into(), format!("pruned after epoch {epoch}").into());
    }
    for (column, &value) in trial.scores.get(&Part::Test).into_iter().flatten() {
        if value.is_finite() {
            attributes.insert(format!("test {column}"), value.into());
        }
    }
    // When a trial was is not kept: it follows from settings and seed alone. Its duration is.
    json!({
        "op_code": CREATE_TRIAL,
        "worker_id": WORKER,
        "study_id": 0,
        "datetime_start": moment(0.0),
        "datetime_complete": moment(trial.seconds),
        "state": state,
        "value": value,
        "params": params,
        "distributions": distributions,
        "user_attrs": attributes,
        "system_attrs": {},
        "intermediate_values": steps,
    })
}

/// The value as Optuna keeps it, and what it was chosen from.
fn parameter(dimension: &Dimension, value: &toml::Value) -> Option<(Value, Value)> {
    match &dimension.values {
        Values::List(values) => {
            let choices: Vec<Value> = values.iter().map(choice).collect();
            let index = values.iter().position(|other| other == value)?;
            let distribution =
                json!({ "name": "CategoricalDistribution", "attributes": { "choices": choices } });
            Some((index.into(), distribution))
        }
        Values::Range(range) if range.integer => {
            let distribution = json!({ "name": "IntDistribution", "attributes": {
                "log": range.log, "step": 1, "low": range.min as i64, "high": range.max as i64 } });
            Some((value.as_integer()?.into(), distribution))
        }
        Values::Range(range) => {
            let distribution = json!({ "name": "FloatDistribution", "attributes": {
                "step": null, "low": range.min, "high": range.max, "log": range.log } });
            Some((value.as_float()?.into(), distribution))
        }
    }
}

/// A choice that Optuna takes: what is no number, text or truth is text.
fn choice(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(is) => (*is).into(),
        other => other.to_string().into(),
    }
}

/// So many seconds after the beginning of 1970, in the form of Python's `isoformat`.
fn moment(seconds: f64) -> String {
    const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let micros = (seconds.clamp(0.0, LONGEST) * 1e6) as u64;
    let whole = micros / 1_000_000;
    let (mut day, mut month) = (whole / 86_400, 0);
    while day >= MONTHS[month] {
        day -= MONTHS[month];
        month += 1;
    }
    let [hour, minute, second] = [whole / 3600 % 24, whole / 60 % 60, whole % 60];
    let micros = micros % 1_000_000;
    format!("1970-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}", month + 1, day + 1)
}

/// Longer trials, in seconds, are shown as this long: within the year.
const LONGEST: f64 = 364.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_a_calendar() {
        // Expected: datetime.utcfromtimestamp(s).isoformat(timespec="microseconds")
        assert_eq!(moment(0.0), "1970-01-01T00:00:00.000000");
        assert_eq!(moment(5_097_599.5), "1970-02-28T23:59:59.500000");
        assert_eq!(moment(5_097_600.0), "1970-03-01T00:00:00.000000");
        assert_eq!(moment(1e12), moment(LONGEST));
    }
}
