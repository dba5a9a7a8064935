//! The shape after an operation, or why there is none.

use super::padding::Padding;
use crate::{Layer, Op, Shape};

impl Op {
    /// The shape after this operation, or why there is none.
    pub(crate) fn apply(&self, input: Shape) -> Result<Shape, String> {
        let output = self.output(input)?;
        match output {
            Shape::Images(sides) => elements(&sides),
            Shape::Features(n) => elements(&[n]),
        }?;
        Ok(output)
    }

    /// The shape in which its input reaches its paths.
    pub(crate) fn inside(&self, input: Shape) -> Result<Shape, String> {
        path_shape(self.paths().0, input)
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        use Shape::{Features, Images};
        self.check()?;
        match (self, input) {
            (op, _) if op.is_pointwise() => Ok(input),
            (Self::BatchNorm2d { .. } | Self::ChannelDropout { .. }, Images(_)) => Ok(input),
            (Self::BatchNorm1d { .. }, Features(_)) => Ok(input),
            (Self::LayerNorm { .. } | Self::StochasticDepth { .. }, _) => Ok(input),
            (&Self::GroupNorm { groups, .. }, _) => {
                divides(groups, input.as_images()[0])?;
                Ok(input)
            }
            (
                &Self::Conv2d { out_channels, kernel, stride, padding, dilation, groups, .. },
                Images([c, h, w]),
            ) => {
                divides(groups, c)?;
                divides(groups, out_channels)?;
                let Padding { top, bottom, left, right } = padding;
                let along = |size, kernel, stride, around| {
                    windows(size, dilated(kernel, dilation)?, stride, around)
                };
                elements(&[out_channels, c / groups, kernel.height, kernel.width])?;
                let rows = along(h, kernel.height, stride.height, [top, bottom])?;
                let columns = along(w, kernel.width, stride.width, [left, right])?;
                Ok(Images([out_channels, rows, columns]))
            }
            (&Self::ConvTranspose2d { out_channels, kernel, groups, .. }, Images([c, h, w])) => {
                divides(groups, c)?;
                divides(groups, out_channels)?;
                elements(&[c, out_channels / groups, kernel.height, kernel.width])?;
                Ok(Images([out_channels, self.spread(h, 0)?, self.spread(w, 1)?]))
            }
            (
                &Self::MaxPool2d { kernel, stride, padding, ceil_mode }
                | &Self::AvgPool2d { kernel, stride, padding, ceil_mode, .. },
                Images([c, h, w]),
            ) => {
                let along = |size, axis: usize| {
                    let [kernel, stride, padding] =
                        [kernel, stride, padding].map(|sides| sides.each()[axis]);
                    let whole = windows(size, kernel, stride, [padding; 2])?;
                    // PyTorch's rule: the last window begins within the image or its padding on the left.
                    let padded = size.saturating_add(padding.saturating_mul(2));
                    let reaches_over = !(padded - kernel).is_multiple_of(stride);
                    let begins = whole.saturating_mul(stride) < size.saturating_add(padding);
                    Ok::<usize, String>(whole + usize::from(ceil_mode && reaches_over && begins))
                };
                Ok(Images([c, along(h, 0)?, along(w, 1)?]))
            }
            (&Self::AdaptiveAvgPool2d { size }, Images([c, _, _])) => Ok(Images([c, size, size])),
            (&Self::Upsample { scale }, Images([c, h, w])) => {
                elements(&[h, w, scale, scale])?;
                Ok(Images([c, h * scale, w * scale]))
            }
            (Self::Flatten, Images(_)) => Ok(Features(input.size())),
            (&Self::Linear { out_features, .. }, Features(n)) => {
                elements(&[out_features, n])?;
                Ok(Features(out_features))
            }
            (Self::Residual { .. } | Self::Concat { .. } | Self::Gate { .. }, _) => {
                let reaches = self.inside(input)?;
                let (_, paths) = self.paths();
                let ends = paths.into_iter().map(|path| path_shape(path, reaches));
                self.joined(input, &ends.collect::<Result<Vec<Shape>, String>>()?)
            }
            (op, shape) => Err(format!("`{}` cannot follow {shape}", op.kind())),
        }
    }

    /// Whether it is a function of single values that is not the identity.
    pub(crate) fn is_activation(&self) -> bool {
        matches!(
            self,
            Self::Relu
                | Self::Relu6
                | Self::LeakyRelu { .. }
                | Self::Gelu { .. }
                | Self::Silu
                | Self::HardSwish
                | Self::HardSigmoid
                | Self::Sigmoid
                | Self::Tanh
        )
    }

    /// Whether it acts on single values, of images or of features.
    fn is_pointwise(&self) -> bool {
        let plain = matches!(self, Self::Identity | Self::Scale { .. } | Self::Dropout { .. });
        self.is_activation() || plain
    }

    /// What its paths, which end with these shapes, make together of the input.
    fn joined(&self, input: Shape, ends: &[Shape]) -> Result<Shape, String> {
        match (self, ends) {
            (Self::Residual { .. }, &[main, shortcut]) => {
                ensure(main == shortcut, || format!("the paths give {main} and {shortcut}"))?;
                Ok(main)
            }
            (Self::Gate { .. }, &[gate]) => {
                let a_channel = match input {
                    Shape::Images([c, ..]) => Shape::Images([c, 1, 1]),
                    features => features,
                };
                ensure(gate == input || gate == a_channel, || {
                    format!("the path gives {gate}, but {input} or {a_channel} are needed")
                })?;
                Ok(input)
            }
            (Self::Concat { .. }, [first, others @ ..]) => {
                others.iter().try_fold(*first, |sum, next| match (sum, *next) {
                    (Shape::Images([a, h, w]), Shape::Images([b, y, x])) if [h, w] == [y, x] => {
                        Ok(Shape::Images([a.saturating_add(b), h, w]))
                    }
                    (Shape::Features(a), Shape::Features(b)) => {
                        Ok(Shape::Features(a.saturating_add(b)))
                    }
                    (sum, next) => Err(format!("a path gives {next}, those before it {sum}")),
                })
            }
            _ => Err("it has no paths".into()),
        }
    }

    /// A side of `size` pixels, the height, 0, or the width, 1, after a transposed convolution.
    fn spread(&self, size: usize, axis: usize) -> Result<usize, String> {
        let &Self::ConvTranspose2d { kernel, stride, padding, output_padding, dilation, .. } = self
        else {
            return Ok(size);
        };
        let [kernel, stride, padding, output_padding] =
            [kernel, stride, padding, output_padding].map(|sides| sides.each()[axis]);
        let kernel = dilated(kernel, dilation)?;
        let beyond = || format!("a side of {size} becomes too large");
        let grown = size.saturating_sub(1).checked_mul(stride).ok_or_else(beyond)?;
        let grown = grown.checked_add(kernel).ok_or_else(beyond)?;
        let grown = grown.checked_add(output_padding).ok_or_else(beyond)?;
        let cut = padding.checked_mul(2).ok_or_else(beyond)?;
        match grown.checked_sub(cut) {
            None | Some(0) => Err(format!("padding {padding} leaves nothing of {grown} pixels")),
            Some(size) => Ok(size),
        }
    }

    /// Refuses settings that are wrong whatever comes in.
    fn check(&self) -> Result<(), String> {
        match *self {
            Self::Dropout { probability: p } | Self::ChannelDropout { probability: p } => {
                ensure((0.0..1.0).contains(&p), || {
                    format!("dropout probability {p} is not in [0, 1)")
                })
            }
            Self::StochasticDepth { probability: p } => ensure((0.0..1.0).contains(&p), || {
                format!("the probability {p} of stochastic depth is not in [0, 1)")
            }),
            Self::Conv2d { out_channels: n, .. } => {
                ensure(n > 0, || "a convolution needs at least one output channel".into())
            }
            Self::ConvTranspose2d {
                out_channels: n,
                kernel,
                stride,
                output_padding,
                dilation,
                ..
            } => {
                ensure(n > 0, || "a convolution needs at least one output channel".into())?;
                let is_some = |sides: [usize; 2]| !sides.contains(&0);
                ensure(is_some(kernel.each()), || "its kernel must be at least 1".into())?;
                ensure(is_some(stride.each()), || "its stride must be at least 1".into())?;
                let is_less =
                    |axis: usize| output_padding.each()[axis] < stride.each()[axis].max(dilation);
                ensure(is_less(0) && is_less(1), || {
                    let than = format!(
                        "output_padding {output_padding} is not less than the stride, {stride}"
                    );
                    if dilation > 1 { format!("{than}, or the dilation, {dilation}") } else { than }
                })
            }
            Self::BatchNorm2d { epsilon, momentum } | Self::BatchNorm1d { epsilon, momentum } => {
                ensure((0.0..=1.0).contains(&momentum), || {
                    format!("momentum {momentum} is not in [0, 1]")
                })?;
                positive(epsilon)
            }
            Self::GroupNorm { epsilon, .. } | Self::LayerNorm { epsilon } => positive(epsilon),
            Self::Linear { out_features: n, .. } => {
                ensure(n > 0, || "a linear layer needs at least one output feature".into())
            }
            Self::LeakyRelu { negative_slope: slope } => {
                ensure(slope.is_finite(), || format!("slope {slope} is not a finite number"))
            }
            Self::Scale { factor } => {
                ensure(factor.is_finite(), || format!("factor {factor} is not a finite number"))
            }
            Self::MaxPool2d { kernel, padding, .. } | Self::AvgPool2d { kernel, padding, .. } => {
                let is_most = |axis: usize| padding.each()[axis] <= kernel.each()[axis] / 2;
                ensure(is_most(0) && is_most(1), || {
                    format!("padding {padding} is more than half the window, {kernel}")
                })
            }
            Self::AdaptiveAvgPool2d { size: n } | Self::Upsample { scale: n } => {
                ensure(n > 0, || "its size must be at least 1".into())
            }
            _ => Ok(()),
        }
    }
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn positive(epsilon: f64) -> Result<(), String> {
    // What f32 takes for 0 would divide by it.
    ensure(epsilon.is_finite() && epsilon as f32 > 0.0, || {
        format!("epsilon {epsilon} is not above 0 and finite")
    })
}

fn divides(groups: usize, channels: usize) -> Result<(), String> {
    ensure(groups > 0 && channels.is_multiple_of(groups), || {
        format!("{channels} channels cannot be divided into {groups} groups")
    })
}

/// The pixels that a kernel spans whose entries are `dilation` pixels apart.
fn dilated(kernel: usize, dilation: usize) -> Result<usize, String> {
    ensure(dilation > 0, || "its dilation must be at least 1".into())?;
    let between = kernel.saturating_sub(1).saturating_mul(dilation);
    Ok(if kernel == 0 { 0 } else { between.saturating_add(1) })
}

/// The shape at the end of a path.
fn path_shape(layers: &[Layer], input: Shape) -> Result<Shape, String> {
    layers.iter().try_fold(input, |shape, layer| {
        layer.op.apply(shape).map_err(|reason| format!("layer `{}`: {reason}", layer.name))
    })
}

/// Refuses tensors that no memory holds, so that the sizes of others can be computed.
pub(super) fn elements(sides: &[usize]) -> Result<(), String> {
    let count = sides.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    ensure(count.is_some_and(|count| count <= isize::MAX as usize / size_of::<f32>()), || {
        let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
        format!("{} values are more than any memory holds", sides.join(" × "))
    })
}

/// How many windows of `kernel` fit into `size` with what is added before and after it, at every
/// `stride`.
fn windows(size: usize, kernel: usize, stride: usize, around: [usize; 2]) -> Result<usize, String> {
    let size = size.saturating_add(around[0]).saturating_add(around[1]);
    match (kernel, stride) {
        (0, _) | (_, 0) => Err(format!("kernel {kernel} and stride {stride} must be at least 1")),
        _ if kernel > size => {
            Err(format!("kernel {kernel} is larger than the padded input, {size}"))
        }
        _ => Ok((size - kernel) / stride + 1),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Architecture, AvgPool, BatchNorm, Conv, ConvTranspose, MaxPool, ModelError, Op, Padding,
        Shape,
    };

    fn net() -> Architecture {
        Architecture::new("a", [4, 9, 8])
    }

    fn refusal(op: impl Into<Op>) -> String {
        let net = net().layer("x", op);
        let ModelError::Layer { reason, .. } = net.shapes().unwrap_err() else {
            panic!("the layer is refused")
        };
        reason
    }

    #[test]
    fn settings_that_make_no_operation_are_refused() {
        let path = |path: Architecture| path.layers;
        for (op, reason) in [
            (Conv::new(6, 3).groups(3).into(), "4 channels cannot be divided into 3 groups"),
            (Conv::new(6, 3).groups(4).into(), "6 channels cannot be divided into 4 groups"),
            (Conv::new(6, 3).groups(0).into(), "4 channels cannot be divided into 0 groups"),
            (Conv::new(6, 3).dilation(0).into(), "its dilation must be at least 1"),
            (Conv::new(6, 3).dilation(4).into(), "kernel 9 is larger than the padded input, 8"),
            (ConvTranspose::new(6, 3).stride(0).into(), "its stride must be at least 1"),
            (
                ConvTranspose::new(6, 3).stride(2).output_padding(2).into(),
                "output_padding 2 is not less than the stride, 2",
            ),
            (ConvTranspose::new(6, 3).padding(9).into(), "padding 9 leaves nothing of 11 pixels"),
            (
                ConvTranspose::new(6, 3).dilation(3).output_padding([0, 3]).into(),
                "output_padding 0 × 3 is not less than the stride, 1, or the dilation, 3",
            ),
            (ConvTranspose::new(6, 3).dilation(0).into(), "its dilation must be at least 1"),
            (ConvTranspose::new(6, [0, 3]).into(), "its kernel must be at least 1"),
            (
                ConvTranspose::new(6, 3).groups(4).into(),
                "6 channels cannot be divided into 4 groups",
            ),
            (Conv::new(6, [3, 9]).into(), "kernel 9 is larger than the padded input, 8"),
            (Conv::new(6, 3).stride([1, 0]).into(), "kernel 3 and stride 0 must be at least 1"),
            (
                MaxPool::new([3, 2]).padding([1, 2]).into(),
                "padding 1 × 2 is more than half the window, 3 × 2",
            ),
            (BatchNorm::new().epsilon(0.0).into(), "epsilon 0 is not above 0 and finite"),
            (BatchNorm::new().epsilon(f64::NAN).into(), "epsilon NaN is not above 0 and finite"),
            (BatchNorm::new().momentum(1.5).into(), "momentum 1.5 is not in [0, 1]"),
            (BatchNorm::new().of_features(), "`bn` cannot follow images of 4 × 9 × 8"),
            (
                Op::GroupNorm { groups: 3, epsilon: 1e-5 },
                "4 channels cannot be divided into 3 groups",
            ),
            (Op::LayerNorm { epsilon: -1.0 }, "epsilon -1 is not above 0 and finite"),
            (Op::LeakyRelu { negative_slope: f64::INFINITY }, "slope inf is not a finite number"),
            (Op::Scale { factor: f64::NAN }, "factor NaN is not a finite number"),
            (
                Op::StochasticDepth { probability: 1.0 },
                "the probability 1 of stochastic depth is not in [0, 1)",
            ),
            (AvgPool::new(2).padding(2).into(), "padding 2 is more than half the window, 2"),
            (AvgPool::new(2).stride(0).into(), "kernel 2 and stride 0 must be at least 1"),
            (Op::Concat { branches: vec![] }, "it has no paths"),
            (
                Op::Concat { branches: vec![vec![], path(net().flatten())] },
                "a path gives 288 features, those before it images of 4 × 9 × 8",
            ),
            (
                Op::Gate { path: path(net().adaptive_avg_pool(2)) },
                "the path gives images of 4 × 2 × 2, but images of 4 × 9 × 8 or images of 4 × 1 × 1 \
                 are needed",
            ),
        ] {
            assert_eq!(refusal(op), reason);
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let huge = usize::MAX;
        let sides = Padding { top: huge, bottom: huge, left: 0, right: huge };
        for op in [
            Conv::new(4, 3).padding(sides).into(),
            Conv::new(4, huge).dilation(huge).into(),
            Conv::new(huge, 1).into(),
            ConvTranspose::new(4, huge).stride(huge).into(),
            ConvTranspose::new(4, 2).stride(huge).output_padding(huge - 1).into(),
            ConvTranspose::new(4, 2).padding(huge).into(),
            ConvTranspose::new(4, huge).dilation(huge).into(),
            MaxPool::new([huge, 1]).padding([huge / 2, 0]).stride([1, huge]).ceil_mode().into(),
            Op::from(AvgPool::new(huge).padding(huge / 2).ceil_mode()),
        ] {
            let text = format!("{op:?}");
            // No more than that nothing panics: some of these are one window over all.
            if let Ok(shape) = op.apply(Shape::Images([4, 9, 8])) {
                assert_eq!(shape, Shape::Images([4, 1, 1]), "{text}");
            }
        }
    }

    #[test]
    fn settings_that_most_do_not_have_are_left_out_of_files() {
        // As files were before there were these settings.
        let net = net().conv("c", 2, 3, 1).batch_norm("bn").relu().flatten().linear("fc", 3);
        let net = net.residual("b", |main| main.layer("r", Op::Relu), |shortcut| shortcut);
        let text = serde_json::to_string(&net.layers).unwrap();
        let expected = concat!(
            r#"[{"name":"c","op":"conv2d","out_channels":2,"kernel":3,"stride":1,"padding":1,"bias":true},"#,
            r#"{"name":"bn","op":"batch_norm2d"},{"name":"relu1","op":"relu"},"#,
            r#"{"name":"flatten1","op":"flatten"},{"name":"fc","op":"linear","out_features":3},"#,
            r#"{"name":"b","op":"residual","main":[{"name":"r","op":"relu"}],"shortcut":[]}]"#,
        );
        assert_eq!(text, expected);
        let up = serde_json::to_string(&Op::from(ConvTranspose::new(2, 3))).unwrap();
        assert_eq!(up, r#"{"op":"conv_transpose2d","out_channels":2,"kernel":3}"#);
        let pool = serde_json::to_string(&Op::from(MaxPool::new(3).stride([2, 1]))).unwrap();
        assert_eq!(pool, r#"{"op":"max_pool2d","kernel":3,"stride":[2,1],"padding":0}"#);
    }
}
