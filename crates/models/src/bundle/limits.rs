//! Architectures that come from a file: nothing is computed with their sizes before they are known to be
//! small enough for it.

use crate::{Architecture, Layer, Op, Shape, Sides};

/// The most layers of a network. ResNet-1001 has 3000 with its normalizations.
const MOST_LAYERS: usize = 10_000;

/// The longest name of a layer, in bytes: paths within blocks, and their beginnings, are made of it.
const LONGEST_NAME: usize = 255;

/// The largest side of an image or kernel, and the most channels.
const LARGEST_SIDE: usize = 1 << 16;

/// The most features, and the most values of a layer's output for one image: 1 GiB.
const MOST_VALUES: usize = 1 << 28;

/// `Ok` for a sound architecture whose sizes can be computed with.
pub(super) fn check(architecture: &Architecture) -> Result<(), String> {
    let mut layers = 0;
    walk(&architecture.layers, checked(Shape::Images(architecture.input))?, &mut layers)?;
    architecture.shapes().map(drop).map_err(|error| error.to_string())
}

/// The shape at the end of a path.
fn walk(path: &[Layer], input: Shape, layers: &mut usize) -> Result<Shape, String> {
    path.iter().try_fold(input, |shape, layer| {
        *layers += 1;
        if *layers > MOST_LAYERS {
            return Err(format!("the architecture has more than {MOST_LAYERS} layers"));
        }
        if layer.name.len() > LONGEST_NAME {
            return Err(format!("the name of a layer has more than {LONGEST_NAME} bytes"));
        }
        let at = |reason| format!("layer `{}`: {reason}", layer.name);
        let [sides, values] = sizes(&layer.op);
        if sides.iter().any(|side| *side > LARGEST_SIDE) {
            return Err(at(format!("it has a size above {LARGEST_SIDE}")));
        }
        if values.iter().any(|count| *count > MOST_VALUES) {
            return Err(at(format!("it has more than {MOST_VALUES} features")));
        }
        // The paths first: the block computes with their sizes.
        let (before, paths) = layer.op.paths();
        let reaches = walk(before, shape, layers)?;
        for path in paths {
            walk(path, reaches, layers)?;
        }
        if let (Op::Upsample { scale }, Shape::Images([_, height, width])) = (&layer.op, shape) {
            // On 32 bits the product of the largest two is one too many.
            let fits = |side: usize| side.checked_mul(*scale).is_some_and(|s| s <= LARGEST_SIDE);
            if !fits(height) || !fits(width) {
                return Err(at(format!("an image with a side above {LARGEST_SIDE}")));
            }
        }
        checked(layer.op.apply(shape).map_err(at)?).map_err(at)
    })
}

/// The sides and channels, and the counts of features, that an operation has.
fn sizes(op: &Op) -> [Vec<usize>; 2] {
    let sides = match *op {
        Op::Conv2d { out_channels, kernel, stride, padding, dilation, groups, .. } => {
            let sides = [kernel, stride].into_iter().flat_map(Sides::each);
            sides.chain([out_channels, dilation, groups]).chain(padding.sides()).collect()
        }
        Op::ConvTranspose2d {
            out_channels,
            kernel,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            ..
        } => {
            let sides = [kernel, stride, padding, output_padding].into_iter().flat_map(Sides::each);
            sides.chain([out_channels, dilation, groups]).collect()
        }
        Op::MaxPool2d { kernel, stride, padding, .. }
        | Op::AvgPool2d { kernel, stride, padding, .. } => {
            [kernel, stride, padding].into_iter().flat_map(Sides::each).collect()
        }
        Op::GroupNorm { groups, .. } => vec![groups],
        Op::AdaptiveAvgPool2d { size } => vec![size],
        Op::Upsample { scale } => vec![scale],
        Op::Linear { out_features, .. } => return [Vec::new(), vec![out_features]],
        _ => Vec::new(),
    };
    [sides, Vec::new()]
}

/// The shape, if an image of it is not too large.
fn checked(shape: Shape) -> Result<Shape, String> {
    let (sides, values) = match shape {
        Shape::Images(sides) => (sides.to_vec(), sides.iter().map(|side| *side as u64).collect()),
        Shape::Features(features) => (Vec::new(), vec![features as u64]),
    };
    let values: Vec<u64> = values;
    if let Some(side) = sides.iter().find(|side| **side > LARGEST_SIDE) {
        return Err(format!("an image with a side of {side}, the largest is of {LARGEST_SIDE}"));
    }
    match values.iter().try_fold(1u64, |product, value| product.checked_mul(*value)) {
        Some(values) if values <= MOST_VALUES as u64 => Ok(shape),
        _ => Err(format!("more than {MOST_VALUES} values for an image")),
    }
}
