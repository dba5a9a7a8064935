//! Programs, layer by layer.

use std::collections::HashSet;

use super::conv::{Conv, Geometry, Weight, per_channel};
use super::depthwise::Depthwise;
use super::planes::Planes;
use super::pointwise::{Function, Join};
use super::pool::{Counted, Sliding, Windows};
use super::program::Program;
use super::step::{Layer, NO_LIMITS, Place, Step};
use super::upsampled::Upsampled;
use crate::cpu::simd::Isa;

/// An image between two layers of a program that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(Place);

/// A convolution of a program.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a> {
    /// `[out_channels, in_channels / groups, kernel height, kernel width]`.
    pub weight: &'a [f32],
    /// One a channel that comes out.
    pub bias: Option<&'a [f32]>,
    /// Channels that come out.
    pub out_channels: usize,
    /// Height and width.
    pub kernel: [usize; 2],
    /// Steps of the kernel, in pixels.
    pub stride: [usize; 2],
    /// Rows above and below, columns to the left and to the right of zeros.
    pub padding: [usize; 4],
    /// Distance between the pixels that neighbouring entries of the kernel meet.
    pub dilation: usize,
    /// Into how many groups the channels are divided.
    pub groups: usize,
}

impl Convolution<'_> {
    /// Panics if it does not make `output` of images of the shape `input`.
    fn check(&self, input: [usize; 3], output: [usize; 2]) {
        let [in_channels, height, width] = input;
        let Convolution { kernel, stride, padding, dilation, groups, out_channels, .. } = *self;
        let is_some = ![kernel[0], kernel[1], stride[0], stride[1], dilation, groups, out_channels]
            .contains(&0);
        assert!(is_some, "a side of 0 in {kernel:?}, {stride:?}, {dilation}, {groups}");
        let divides = in_channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups);
        assert!(divides, "{groups} groups of {in_channels} and {out_channels} channels");
        let terms = in_channels / groups * kernel[0] * kernel[1];
        assert_eq!(self.weight.len(), out_channels * terms, "elements of the weight");
        assert!(self.bias.is_none_or(|bias| bias.len() == out_channels), "a bias a channel");
        let along = |axis: usize, side: usize| {
            let padded = side + padding[2 * axis] + padding[2 * axis + 1];
            padded
                .checked_sub(dilation * (kernel[axis] - 1) + 1)
                .map(|rest| rest / stride[axis] + 1)
        };
        let expected = [along(0, height), along(1, width)];
        assert_eq!(output.map(Some), expected, "height and width of the result");
    }
}

/// The windows of a pool of a program.
#[derive(Clone, Copy, Debug)]
pub struct PoolWindows {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Steps, in pixels.
    pub stride: [usize; 2],
    /// Rows and columns on both sides.
    pub padding: [usize; 2],
    /// Height and width of the result.
    pub output: [usize; 2],
}

impl PoolWindows {
    fn sliding(&self) -> Sliding {
        Sliding { kernel: self.kernel, stride: self.stride, padding: self.padding }
    }
}

/// Builds a [`Program`]: every layer takes values and gives a new one.
///
/// Methods give `None` for what no kernel computes, such as groups of channels that are no whole vectors.
///
/// # Panics
///
/// Methods panic if sizes do not fit one another, or are 0: kernels read and write by them without a further look.
pub struct Builder {
    isa: Isa,
    pub(super) planes: Vec<Planes>,
    pub(super) steps: Vec<Step>,
}

impl Builder {
    /// A program for images `[channels, height, width]`, and those images.
    pub fn new(input: [usize; 3]) -> (Self, Value) {
        Self::with(Isa::current(), input)
    }

    pub(super) fn with(isa: Isa, input: [usize; 3]) -> (Self, Value) {
        assert!(!input.contains(&0), "images of {input:?}");
        (Self { isa, planes: vec![Planes::new(input, 1)], steps: Vec::new() }, Value(0))
    }

    /// `[channels, height, width]` of a value.
    pub fn shape(&self, value: Value) -> [usize; 3] {
        self.planes[value.0].shape
    }

    fn lanes(&self) -> usize {
        self.isa.lanes()
    }

    fn push(&mut self, layer: Layer, inputs: Vec<Place>, planes: Planes) -> Value {
        self.planes.push(planes);
        self.steps.push(Step { layer, inputs, output: self.planes.len() - 1 });
        Value(self.planes.len() - 1)
    }

    /// The value in blocks of as many channels as a vector has lanes.
    fn in_blocks(&mut self, x: Value) -> Value {
        let planes = self.planes[x.0];
        match planes.lanes == self.lanes() {
            true => x,
            false => {
                let planes = Planes::new(planes.shape, self.lanes());
                self.push(Layer::Copy { scale: 1 }, vec![x.0], planes)
            }
        }
    }

    /// A convolution, whose results are of that height and width.
    pub fn conv(&mut self, x: Value, conv: Convolution, output: [usize; 2]) -> Option<Value> {
        let channels = [self.shape(x)[0], conv.out_channels];
        let Convolution { weight, bias, kernel, stride, dilation, groups, .. } = conv;
        conv.check(self.shape(x), output);
        let padding = [conv.padding[0], conv.padding[2]];
        let shape = [conv.out_channels, output[0], output[1]];
        if groups == channels[0] && groups == channels[1] && groups > 1 {
            let x = self.in_blocks(x);
            let weights = Depthwise::pack(self.isa, weight, groups);
            let bias = per_channel(self.lanes(), groups, bias);
            let limits = NO_LIMITS;
            let layer = Depthwise { kernel, stride, dilation, padding, weights, bias, limits };
            return Some(self.push(
                Layer::Depthwise(layer),
                vec![x.0],
                Planes::new(shape, self.lanes()),
            ));
        }
        let x = if groups > 1 { self.in_blocks(x) } else { x };
        let lanes = self.planes[x.0].lanes;
        let geometry = Geometry { channels, kernel, stride, dilation, padding, groups, lanes };
        if !geometry.can_compute(self.lanes()) {
            return None;
        }
        let step = [weight.len() / conv.out_channels, 1];
        let weight = Weight { values: weight, step };
        let planes = Planes::new(shape, self.lanes());
        let layer = Conv::new(self.isa, geometry, output, weight, bias);
        if let Some((before, scale)) = self.repeated(x)
            && stride == [1, 1]
            && dilation == 1
            && groups == 1
            && output.iter().all(|side| side.is_multiple_of(scale))
        {
            let [cost, interleaved] = layer.costs(output, self.lanes());
            let convs = Upsampled::new(self.isa, geometry, scale, weight, bias, interleaved);
            if convs.costs(&planes)[0] < cost {
                return Some(self.push(Layer::Upsampled(convs), vec![before], planes));
            }
        }
        Some(self.push(Layer::Conv(layer), vec![x.0], planes))
    }

    /// The image whose pixels a value repeats, and how often, if it is such a value.
    fn repeated(&self, x: Value) -> Option<(Place, usize)> {
        let step = self.steps.iter().find(|step| step.output == x.0)?;
        match step.layer {
            Layer::Copy { scale } if scale > 1 => Some((step.inputs[0], scale)),
            _ => None,
        }
    }

    /// A linear layer of all values of an image, `weight` of which is `[channels · height · width, out_features]`.
    pub fn linear(&mut self, x: Value, weight: &[f32], bias: Option<&[f32]>) -> Value {
        let [channels, height, width] = self.shape(x);
        let out_features = weight.len() / (channels * height * width);
        let whole = out_features * channels * height * width;
        assert!(whole > 0 && weight.len() == whole, "a weight of {}", weight.len());
        assert!(bias.is_none_or(|bias| bias.len() == out_features), "a bias a feature");
        let geometry = Geometry {
            channels: [channels, out_features],
            kernel: [height, width],
            stride: [1, 1],
            dilation: 1,
            padding: [0, 0],
            groups: 1,
            lanes: self.planes[x.0].lanes,
        };
        let weight = Weight { values: weight, step: [1, out_features] };
        let layer = Conv::new(self.isa, geometry, [1, 1], weight, bias);
        let planes = Planes::new([out_features, 1, 1], self.lanes());
        self.push(Layer::Conv(layer), vec![x.0], planes)
    }

    /// Every channel times a factor, and a shift.
    pub fn affine(&mut self, x: Value, factor: &[f32], shift: &[f32]) -> Value {
        let [channels, height, width] = self.shape(x);
        assert_eq!([factor.len(), shift.len()], [channels; 2], "a factor and a shift a channel");
        let x = self.in_blocks(x);
        let layer = Depthwise {
            kernel: [1, 1],
            stride: [1, 1],
            dilation: 1,
            padding: [0, 0],
            weights: Depthwise::pack(self.isa, factor, channels),
            bias: per_channel(self.lanes(), channels, Some(shift)),
            limits: NO_LIMITS,
        };
        let planes = Planes::new([channels, height, width], self.lanes());
        self.push(Layer::Depthwise(layer), vec![x.0], planes)
    }

    /// A function of every value.
    pub fn function(&mut self, x: Value, function: Function) -> Value {
        let planes = Planes { frame: [0; 4], ..self.planes[x.0] };
        self.push(Layer::Join(Join::Function(function)), vec![x.0], planes)
    }

    /// The largest value of each window.
    pub fn max_pool(&mut self, x: Value, windows: PoolWindows) -> Value {
        self.pool(x, Windows::Max(windows.sliding()), windows.output)
    }

    /// The mean of each window; of pixels in the padding, too, if they count.
    pub fn avg_pool(&mut self, x: Value, windows: PoolWindows, counts_padding: bool) -> Value {
        let counted = if counts_padding { Counted::Padded } else { Counted::Image };
        self.pool(x, Windows::Mean(windows.sliding(), counted), windows.output)
    }

    /// The means of `size` × `size` windows that cover the image.
    pub fn adaptive_avg_pool(&mut self, x: Value, size: usize) -> Value {
        self.pool(x, Windows::Cover, [size; 2])
    }

    fn pool(&mut self, x: Value, windows: Windows, output: [usize; 2]) -> Value {
        assert!(!output.contains(&0), "a pool that gives {output:?}");
        let x = self.in_blocks(x);
        let planes = Planes::new([self.shape(x)[0], output[0], output[1]], self.lanes());
        self.push(Layer::Pool(windows), vec![x.0], planes)
    }

    /// Every pixel `scale` times in both directions.
    pub fn upsample(&mut self, x: Value, scale: usize) -> Value {
        assert!(scale > 0, "upsampling by 0");
        let x = self.in_blocks(x);
        let [channels, height, width] = self.shape(x);
        let planes = Planes::new([channels, height * scale, width * scale], self.lanes());
        self.push(Layer::Copy { scale }, vec![x.0], planes)
    }

    /// The sum of two values of one shape.
    pub fn sum(&mut self, a: Value, b: Value) -> Value {
        assert_eq!(self.shape(a), self.shape(b), "a sum of two shapes");
        self.join(Join::Sum, a, b)
    }

    /// The product of two values of one shape, or with a value a channel.
    pub fn product(&mut self, a: Value, b: Value) -> Value {
        let ([channels, ..], b_shape) = (self.shape(a), self.shape(b));
        let fits = b_shape == self.shape(a) || b_shape == [channels, 1, 1];
        assert!(fits, "a product of {:?} and {b_shape:?}", self.shape(a));
        self.join(Join::Product, a, b)
    }

    fn join(&mut self, join: Join, a: Value, b: Value) -> Value {
        let [a, b] = [a, b].map(|x| self.in_blocks(x));
        let planes = Planes::new(self.shape(a), self.lanes());
        self.push(Layer::Join(join), vec![a.0, b.0], planes)
    }

    /// The channels of several values of one size, one behind the other.
    pub fn concat(&mut self, values: &[Value]) -> Option<Value> {
        let (last, others) = values.split_last()?;
        let size = self.shape(*last)[1..].to_vec();
        let is_alike = |x: &Value| self.shape(*x)[1..] == size;
        assert!(others.iter().all(is_alike), "images of several sizes");
        let is_whole = |x: &Value| self.shape(*x)[0].is_multiple_of(self.lanes());
        if !others.iter().all(is_whole) {
            return None;
        }
        let inputs: Vec<Place> = values.iter().map(|x| self.in_blocks(*x).0).collect();
        let channels = inputs.iter().map(|x| self.planes[*x].shape[0]).sum();
        let [_, height, width] = self.planes[inputs[0]].shape;
        let planes = Planes::new([channels, height, width], self.lanes());
        Some(self.push(Layer::Copy { scale: 1 }, inputs, planes))
    }

    /// The program that gives `output`.
    pub fn finish(mut self, output: Value) -> Program {
        self.drop_unread(output.0);
        let last = self.fuse(output.0);
        self.join_bottlenecks(last);
        for step in &self.steps {
            let y = self.planes[step.output];
            let x = &mut self.planes[step.inputs[0]];
            let needed = match &step.layer {
                Layer::Depthwise(layer) => layer.frame(x, &y),
                Layer::Bottleneck(layer) => layer.frame(x),
                Layer::Conv(conv) => conv.frame(x, &y),
                Layer::Upsampled(convs) => convs.frame(x, &y),
                _ => [0; 4],
            };
            x.frame = std::array::from_fn(|side| x.frame[side].max(needed[side]));
        }
        Program::new(self.isa, self.planes, self.steps, last)
    }

    /// Drops the copies that nobody reads, since a convolution reads what was copied.
    fn drop_unread(&mut self, output: Place) {
        let read: HashSet<Place> =
            self.steps.iter().flat_map(|step| &step.inputs).copied().collect();
        let is_read = |step: &Step| step.output == output || read.contains(&step.output);
        self.steps.retain(|step| !matches!(step.layer, Layer::Copy { .. }) || is_read(step));
    }
}
