//! Hyperparameters, as TensorBoard's HPARAMS tab reads them.

use prost::Message;

use super::proto::{
    AnyValue, Experiment, HParamInfo, HParamsData, MetricInfo, MetricName, SessionEnd,
    SessionStart, Value,
};

/// The value of a hyperparameter. Numbers, texts and truth values become one with `into`.
#[derive(Clone, Debug, PartialEq)]
pub enum HParam {
    /// A number. TensorBoard draws an axis of them, logarithmic if asked.
    Number(f64),
    /// A text: one of some names.
    Text(String),
    /// Yes or no.
    Bool(bool),
}

impl HParam {
    /// `DataType` of the plugin.
    fn data_type(&self) -> i32 {
        match self {
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::Number(_) => 3,
        }
    }

    fn value(&self) -> AnyValue {
        let none = AnyValue::default();
        match self {
            Self::Number(number) => AnyValue { number_value: Some(*number), ..none },
            Self::Text(text) => AnyValue { string_value: Some(text.clone()), ..none },
            Self::Bool(truth) => AnyValue { bool_value: Some(*truth), ..none },
        }
    }
}

impl From<f64> for HParam {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for HParam {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<bool> for HParam {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for HParam {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for HParam {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It did all that it was asked for.
    Success,
    /// Something went wrong.
    Failure,
}

/// What the run is made of, and which of its scalars judge it.
pub(super) fn start(params: &[(&str, HParam)], metrics: &[&str], seconds: f64) -> [Value; 2] {
    let hparam_infos = params
        .iter()
        .map(|(name, value)| HParamInfo { name: name.to_string(), data_type: value.data_type() })
        .collect();
    let metric_infos = metrics
        .iter()
        .map(|tag| MetricInfo { name: Some(MetricName { tag: tag.to_string() }) })
        .collect();
    let start = SessionStart {
        hparams: params.iter().map(|(name, value)| (name.to_string(), value.value())).collect(),
        start_time_secs: seconds,
    };
    let none = HParamsData::default();
    let experiment = Some(Experiment { hparam_infos, metric_infos });
    [
        value("experiment", HParamsData { experiment, ..none.clone() }),
        value("session_start_info", HParamsData { session_start_info: Some(start), ..none }),
    ]
}

pub(super) fn end(status: RunStatus, seconds: f64) -> Value {
    let status = match status {
        RunStatus::Success => 1,
        RunStatus::Failure => 2,
    };
    let end = Some(SessionEnd { status, end_time_secs: seconds });
    value("session_end_info", HParamsData { session_end_info: end, ..HParamsData::default() })
}

fn value(name: &str, data: HParamsData) -> Value {
    Value::of_plugin(&format!("_hparams_/{name}"), "hparams", data.encode_to_vec())
}
