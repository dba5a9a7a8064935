//! Weights of eight bits: whole numbers of -127 to 127, and a scale for each slice of the first axis, which is that of
//! the output channels of convolutions and linear layers, and of the input channels of transposed convolutions.
//!
//! A tensor `NAME` of two or more axes is written as `I8`, its scales as `F32` under `NAME_scale`; the text
//! `selvedge_weights` of the file says so. A value is the whole number times the scale of its slice. Biases, normalizations and
//! running statistics stay `f32`: they are few, and matter most.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{DType, TensorData};

use super::parameters::Collected;
use super::stored::{Stored, Values};

/// The text that says that weights are of this kind: of this library's own, since other programs store others.
const TEXT: (&str, &str) = ("selvedge_weights", "int8");

/// What follows the name of a tensor in that of its scales.
const SUFFIX: &str = "_scale";

/// The largest whole number; -128 is not used, so that a weight and its negative are equally exact.
const LARGEST: f32 = 127.0;

/// Says in the texts of a file whether its weights are of this kind.
#[cfg(feature = "files")]
pub(super) fn describe(metadata: &mut BTreeMap<String, String>, is_int8: bool) {
    match is_int8 {
        true => metadata.insert(TEXT.0.into(), TEXT.1.into()),
        false => metadata.remove(TEXT.0),
    };
}

/// Whether a tensor of that shape is written in eight bits.
pub(super) fn applies(shape: &[usize]) -> bool {
    shape.len() >= 2 && !shape.contains(&0)
}

/// Refuses tensors among which scales could not be told from other tensors.
#[cfg(feature = "files")]
pub(super) fn check(tensors: &[(&str, &Stored)]) -> Result<(), String> {
    let names: BTreeSet<_> = tensors.iter().map(|(name, _)| *name).collect();
    for (name, tensor) in tensors.iter().filter(|(_, tensor)| applies(&tensor.shape)) {
        let scales = format!("{name}{SUFFIX}");
        if tensor.dtype == DType::I8 {
            return Err(format!("`{name}` already is of whole numbers of eight bits"));
        }
        if tensor.dtype.is_float() && names.contains(scales.as_str()) {
            return Err(format!(
                "the scales of `{name}` would have the name of the tensor `{scales}`"
            ));
        }
    }
    Ok(())
}

/// A tensor whose `f32` values `read` gives, as the two that are written for it.
pub(super) fn collected<'a>(
    name: &str,
    shape: Vec<usize>,
    read: impl Fn() -> Result<TensorData, String> + Clone + 'a,
) -> [Collected<'a>; 2] {
    let slices = shape[0];
    let (for_scales, of_shape) = (read.clone(), shape.clone());
    // Read twice, so that no more than one tensor is in memory.
    let values = move || Ok(TensorData::new(quantized(&read()?, slices)?, of_shape));
    let scales = move || Ok(TensorData::new(scales(floats(&for_scales()?)?, slices), [slices]));
    [
        Collected::new(name.into(), shape, DType::I8, Box::new(values)),
        Collected::new(format!("{name}{SUFFIX}"), vec![slices], DType::F32, Box::new(scales)),
    ]
}

/// The values, all of which have to be finite.
fn floats(data: &TensorData) -> Result<&[f32], String> {
    let values = data.as_slice::<f32>().map_err(|e| e.to_string())?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(wrong) => Err(format!("it holds {wrong}, which int8 cannot hold")),
        None => Ok(values),
    }
}

/// The scale of each slice: its largest value is 127 of them.
fn scales(values: &[f32], slices: usize) -> Vec<f32> {
    let scale = |slice: &[f32]| {
        let scale = slice.iter().fold(0f32, |most, value| most.max(value.abs())) / LARGEST;
        // The largest of all floats, divided and multiplied again, would be infinite.
        if (scale * LARGEST).is_finite() { scale } else { scale.next_down() }
    };
    values.chunks_exact(values.len() / slices).map(scale).collect()
}

/// The whole numbers nearest to the values.
fn quantized(data: &TensorData, slices: usize) -> Result<Vec<i8>, String> {
    let values = floats(data)?;
    let mut whole = Vec::with_capacity(values.len());
    let in_slices = values.chunks_exact(values.len() / slices);
    for (slice, scale) in in_slices.zip(scales(values, slices)) {
        // Of zeros, and of numbers so small that the scale is 0, nothing is left.
        let nearest = |value: &f32| match scale {
            0.0 => 0,
            _ => (value / scale).round_ties_even().clamp(-LARGEST, LARGEST) as i8,
        };
        whole.extend(slice.iter().map(nearest));
    }
    Ok(whole)
}

/// The values of which these are the bytes and the scales, both as they lie in a file.
pub(super) fn values(whole: &[u8], scales: &[u8]) -> Vec<f32> {
    let scales = scales.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let slices = whole.chunks_exact(whole.len() / scales.len().max(1));
    let times = |(slice, scale): (&[u8], f32)| {
        slice.iter().map(move |byte| f32::from(*byte as i8) * scale).collect::<Vec<_>>()
    };
    slices.zip(scales).flat_map(times).collect()
}

/// Joins the tensors of a file of this kind with their scales, so that they read as `f32`.
pub(super) fn join(
    tensors: Vec<Stored>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<Stored>, String> {
    if metadata.get(TEXT.0).map(String::as_str) != Some(TEXT.1) {
        return Ok(tensors);
    }
    let is_whole = |tensor: &Stored| tensor.dtype == DType::I8 && applies(&tensor.shape);
    let scale_of = |tensor: &Stored| format!("{}{SUFFIX}", tensor.name);
    let scaled: BTreeSet<_> = tensors.iter().filter(|t| is_whole(t)).map(scale_of).collect();
    let (scales, others): (Vec<_>, Vec<_>) =
        tensors.into_iter().partition(|tensor| scaled.contains(&tensor.name));
    let mut scales: BTreeMap<_, _> = scales.into_iter().map(|s| (s.name.clone(), s)).collect();
    let joined = others.into_iter().map(|tensor| {
        if !is_whole(&tensor) {
            return Ok(tensor);
        }
        let name = scale_of(&tensor);
        let scale = scales.remove(&name);
        let scale = scale.ok_or_else(|| format!("`{}` has no scales `{name}`", tensor.name))?;
        let expected = [tensor.shape[0]];
        // Floats of 8 bits are read as f32, too.
        if scale.dtype != DType::F32 || scale.float8.is_some() || scale.shape != expected {
            let found = match scale.float8 {
                Some(_) => "floats of 8 bits".into(),
                None => format!("{:?} {:?}", scale.dtype, scale.shape),
            };
            return Err(format!("`{name}`: expected F32 {expected:?}, found {found}"));
        }
        let scales = match scale.values {
            Values::At { offset, bytes } => (offset, bytes),
            #[allow(unreachable_patterns)]
            _ => return Err(format!("`{name}` is not in the file itself")),
        };
        Ok(Stored { dtype: DType::F32, scales: Some(scales), ..tensor })
    });
    joined.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_value_comes_back_to_half_a_step_of_its_slice(
            values in prop::collection::vec(-3f32..3.0, 24),
            large in 1f32..1e6,
        ) {
            // The second slice has numbers of another size than the first.
            let all: Vec<f32> = values.iter().enumerate().map(|(i, v)| if i < 12 { *v } else { v * large }).collect();
            let whole = quantized(&TensorData::new(all.clone(), [2, 3, 4]), 2).unwrap();
            let scales = scales(&all, 2);
            let bytes: Vec<u8> = whole.iter().map(|w| *w as u8).collect();
            let scale_bytes: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
            for (at, (value, found)) in all.iter().zip(super::values(&bytes, &scale_bytes)).enumerate() {
                prop_assert!((value - found).abs() <= scales[at / 12] * 0.5001, "{} {}", value, found);
            }
        }
    }

    #[test]
    fn the_largest_of_all_floats_stays_finite() {
        let values = vec![f32::MAX, 1.0];
        assert!((scales(&values, 1)[0] * 127.0).is_finite());
        assert_eq!(quantized(&TensorData::new(values, [1, 2]), 1).unwrap(), [127, 0]);
    }

    #[test]
    fn a_slice_of_zeros_stays_zero_and_the_largest_value_is_exact() {
        let values = vec![0f32, 0.0, -2.54, 1.27];
        assert_eq!(scales(&values, 2), [0.0, 0.02]);
        assert_eq!(quantized(&TensorData::new(values, [2, 2]), 2).unwrap(), [0, 0, -127, 64]);
        let error = quantized(&TensorData::new(vec![1.0, f32::NAN], [1, 2]), 1).unwrap_err();
        assert_eq!(error, "it holds NaN, which int8 cannot hold");
    }
}
