//! How weights are written: as floats, or in eight bits.

use std::fmt;
use std::str::FromStr;

use super::float_type::FloatType;
use crate::ModelError;

/// How weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightType {
    /// All of them as floats.
    Float(FloatType),
    /// Weights of layers as whole numbers of 8 bits with one scale for each slice of their first axis, which is that of the
    /// output channels but in transposed convolutions, and the rest as `f32`: a quarter of the size. Only this library reads such a file as the network that it is.
    Int8,
}

impl WeightType {
    /// The floats that are written: `f32` beside whole numbers.
    pub(super) fn float_type(self) -> FloatType {
        match self {
            Self::Float(float_type) => float_type,
            Self::Int8 => FloatType::F32,
        }
    }
}

impl Default for WeightType {
    /// `f32`.
    fn default() -> Self {
        Self::Float(FloatType::default())
    }
}

impl From<FloatType> for WeightType {
    fn from(float_type: FloatType) -> Self {
        Self::Float(float_type)
    }
}

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(float_type) => float_type.fmt(f),
            Self::Int8 => f.write_str("int8"),
        }
    }
}

impl FromStr for WeightType {
    type Err = ModelError;

    /// The type that is shown as this text.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for any other text than `f32`, `f16`, `bf16` and `int8`.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        match (text, text.parse::<FloatType>()) {
            ("int8", _) => Ok(Self::Int8),
            (_, Ok(float_type)) => Ok(Self::Float(float_type)),
            (_, Err(_)) => Err(ModelError::Setting {
                name: "type of the weights",
                value: crate::error::printable(text),
                expected: "f32, f16, bf16 or int8".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_they_are_shown_and_others_are_refused_with_those_that_there_are() {
        let floats = FloatType::ALL.map(WeightType::from);
        for weight_type in floats.into_iter().chain([WeightType::Int8]) {
            assert_eq!(weight_type.to_string().parse::<WeightType>().unwrap(), weight_type);
        }
        let message = "int4".parse::<WeightType>().unwrap_err().to_string();
        assert!(message.contains("f32, f16, bf16 or int8"), "{message}");
    }
}
