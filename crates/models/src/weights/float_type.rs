//! The types in which weights are written.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, Element, Shape, TensorData, bf16, f16};

use crate::ModelError;

/// A type of floats in which weights are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits, IEEE single precision.
    #[default]
    F32,
    /// 16 bits, IEEE half precision: 11 binary digits, up to 65504.
    F16,
    /// 16 bits with the range of 32: 8 binary digits.
    Bf16,
}

impl FloatType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    pub(super) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// The largest number of the type.
    fn largest(self) -> f64 {
        match self {
            Self::F32 => f32::MAX.into(),
            Self::F16 => f16::MAX.into(),
            Self::Bf16 => bf16::MAX.into(),
        }
    }

    /// The values in this type, rounded to the nearest, of two equally near to the even one, as PyTorch does. A
    /// number that would become infinite is an error; what is infinite or NaN already stays so.
    pub(super) fn convert(self, data: TensorData) -> Result<TensorData, String> {
        if data.dtype() == self.dtype() {
            return Ok(data);
        }
        let shape = data.shape().clone();
        // Whatever the type, f64 holds its numbers exactly, so that they are rounded once.
        let values = data.convert_dtype(DType::F64);
        let values = values.as_slice::<f64>().map_err(|e| e.to_string())?;
        match self {
            Self::F32 => self.rounded(values, shape, |value| value as f32, f32::is_infinite),
            Self::F16 => {
                self.rounded(values, shape, |value| f16::from_f32(odd(value)), f16::is_infinite)
            }
            Self::Bf16 => {
                self.rounded(values, shape, |value| bf16::from_f32(odd(value)), bf16::is_infinite)
            }
        }
    }

    /// What `round` makes of each value; an error for the first that it makes infinite.
    fn rounded<T: Element>(
        self,
        values: &[f64],
        shape: Shape,
        round: fn(f64) -> T,
        is_infinite: fn(T) -> bool,
    ) -> Result<TensorData, String> {
        let to: Vec<T> = values.iter().map(|value| round(*value)).collect();
        let overflow = |(from, to): &(&f64, &T)| from.is_finite() && is_infinite(**to);
        match values.iter().zip(&to).find(overflow) {
            None => Ok(TensorData::new(to, shape)),
            Some((value, _)) => {
                let largest = self.largest();
                Err(format!(
                    "it holds {value:e}, which {self} cannot hold: the largest is {largest:e}"
                ))
            }
        }
    }
}

/// The f32 from which a narrower type rounds to the same as from `value`: where f32 cannot hold it, the odd one of
/// the two beside it (Boldo and Melquiond, 2008). The narrower types of `half` themselves cut an f64 short first.
fn odd(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) == value || value.is_nan() {
        return near;
    }
    let is_larger = f64::from(near.abs()) > value.abs();
    f32::from_bits((near.to_bits() - u32::from(is_larger)) | 1)
}

impl fmt::Display for FloatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for FloatType {
    type Err = ModelError;

    /// The type that is shown as this text.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for any other text than `f32`, `f16` and `bf16`.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let found = Self::ALL.into_iter().find(|dtype| dtype.to_string() == text);
        found.ok_or_else(|| ModelError::Setting {
            name: "type of the weights",
            value: crate::error::printable(text),
            expected: "f32, f16 or bf16".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_as_pytorch_rounds_them() {
        // x = torch.tensor([1/3, 65519.0, 2.0**-25, 1.5*2.0**-24, 1.00048828125, 1.00390625, 1.01171875, -0.0])
        // for t in [torch.float16, torch.bfloat16]:
        //     print([hex(v & 0xffff) for v in x.to(t).view(torch.int16).tolist()])
        let two = |exponent| 2f32.powi(exponent);
        let ties = [1.0 + two(-11), 1.0 + two(-8), 1.0 + 3.0 * two(-8)];
        let values = [&[1.0 / 3.0, 65519.0, two(-25), 1.5 * two(-24)], &ties[..], &[-0.0]].concat();
        let data = || TensorData::new(values.clone(), [8]);
        let half = FloatType::F16.convert(data()).unwrap().try_to_vec::<f16>().unwrap();
        let half: Vec<u16> = half.into_iter().map(f16::to_bits).collect();
        assert_eq!(half, [0x3555, 0x7bff, 0x0, 0x2, 0x3c00, 0x3c04, 0x3c0c, 0x8000]);
        let brain = FloatType::Bf16.convert(data()).unwrap().try_to_vec::<bf16>().unwrap();
        let brain: Vec<u16> = brain.into_iter().map(bf16::to_bits).collect();
        assert_eq!(brain, [0x3eab, 0x4780, 0x3300, 0x33c0, 0x3f80, 0x3f80, 0x3f82, 0x8000]);
    }

    #[test]
    fn a_number_of_f64_is_rounded_once() {
        // By way of f32 it would become 1 + 2⁻¹¹, which lies between two numbers of f16, and then 1.
        let value = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        let half = FloatType::F16.convert(TensorData::new(vec![value], [1])).unwrap();
        assert_eq!(half.try_to_vec::<f16>().unwrap()[0].to_f64(), 1.0 + 2f64.powi(-10));
        for (value, expected) in [
            (1.0 + 2f64.powi(-8) + 2f64.powi(-40), 1.0 + 2f64.powi(-7)),
            (1.0 + 2f64.powi(-8) - 2f64.powi(-40), 1.0),
            (-1.0 - 2f64.powi(-8) - 2f64.powi(-40), -1.0 - 2f64.powi(-7)),
            (1e-300, 0.0),
        ] {
            let brain = FloatType::Bf16.convert(TensorData::new(vec![value], [1])).unwrap();
            assert_eq!(brain.try_to_vec::<bf16>().unwrap()[0].to_f64(), expected);
        }
    }

    #[test]
    fn what_would_become_infinite_is_refused_and_what_is_infinite_stays() {
        for (to, value, largest) in [
            (FloatType::F16, 65520.0, "6.5504e4"),
            (FloatType::Bf16, f64::from(f32::MAX), "3.3895313892515355e38"),
            (FloatType::F32, -1e300, "3.4028234663852886e38"),
        ] {
            let error = to.convert(TensorData::new(vec![0.0, value], [2])).unwrap_err();
            assert!(error.contains(&format!("{value:e}, which {to}")), "{error}");
            assert!(error.ends_with(largest), "{error}");
        }
        let data = TensorData::new(vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN], [3]);
        let half = FloatType::F16.convert(data).unwrap().try_to_vec::<f16>().unwrap();
        assert!(half[0].is_infinite() && half[1].is_infinite() && half[2].is_nan());
    }

    #[test]
    fn a_type_is_known_by_its_name() {
        for dtype in FloatType::ALL {
            assert_eq!(dtype.to_string().parse::<FloatType>().unwrap(), dtype);
        }
        let message = "f8".parse::<FloatType>().unwrap_err().to_string();
        assert_eq!(message, "type of the weights is f8, but must be f32, f16 or bf16");
    }
}
