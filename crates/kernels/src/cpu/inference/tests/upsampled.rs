//! Convolutions of images whose pixels are repeated.

use proptest::prelude::*;

use super::definition::{Image, assert_within, largest};
use crate::cpu::inference::step::Layer;
use crate::cpu::inference::{Builder, Convolution, Function, Program};
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values as values;

#[derive(Clone, Debug)]
struct Case {
    channels: [usize; 2],
    size: [usize; 2],
    scale: usize,
    kernel: [usize; 2],
    /// Rows above and columns to the left; the rest of those that keep the size are below and to the right.
    padding: [usize; 2],
    images: usize,
    /// Whether the repeated pixels are read by another layer, too.
    is_kept: bool,
}

impl Case {
    fn conv<'a>(&self, weight: &'a [f32], bias: &'a [f32]) -> Convolution<'a> {
        let [top, left] = self.padding;
        let [bottom, right] = [0, 1].map(|axis| self.kernel[axis] - 1 - self.padding[axis]);
        Convolution {
            weight,
            bias: Some(bias),
            out_channels: self.channels[1],
            kernel: self.kernel,
            stride: [1, 1],
            padding: [top, bottom, left, right],
            dilation: 1,
            groups: 1,
        }
    }

    fn large(&self) -> [usize; 2] {
        self.size.map(|side| side * self.scale)
    }

    fn program(&self, isa: Isa, conv: Convolution) -> Program {
        let [height, width] = self.size;
        let (mut b, x) = Builder::with(isa, [self.channels[0], height, width]);
        let large = b.upsample(x, self.scale);
        let y = b.conv(large, conv, self.large()).expect("there is a kernel");
        let y = b.function(y, Function::Relu);
        let y = if self.is_kept { b.sum(y, large) } else { y };
        b.finish(y)
    }

    fn check(&self, isa: Isa) {
        let ([inputs, outputs], [height, width]) = (self.channels, self.size);
        let weight = values(outputs * inputs * self.kernel[0] * self.kernel[1], 1);
        let bias = values(outputs, 2);
        let conv = self.conv(&weight, &bias);
        let images = values(self.images * inputs * height * width, 3);
        let found = self.program(isa, conv).run(&images);
        let (mut expected, mut size) = (Vec::new(), 0.0);
        for image in images.chunks_exact(inputs * height * width) {
            let x = Image::given([inputs, height, width], image);
            let [rows, columns] = self.large();
            let x = Image::new([inputs, rows, columns], |channel, y, column| {
                let (y, column) = (y / self.scale, column / self.scale);
                x.get(channel, y as isize, column as isize).expect("it is a pixel")
            });
            let mut y = x.conv(&conv, self.large());
            size = largest(&y.values).max(size);
            for (i, y) in y.values.iter_mut().enumerate() {
                *y = y.max(0.0) + if self.is_kept { x.values[i] } else { 0.0 };
            }
            expected.extend(y.values);
        }
        assert_within(&found, &expected, 2e-5 * size, &format!("{isa:?} {self:?}"));
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1..6usize, 14..35usize, Just(64)];
    let kernel = prop_oneof![1..6usize, Just(3)];
    let sizes = ([channels.clone(), channels], [1..9usize, 1..9usize], 2..4usize, 1..4usize);
    (sizes, [kernel.clone(), kernel], [0..6usize, 0..6usize], any::<bool>()).prop_map(
        |((mut channels, size, scale, images), kernel, padding, is_kept)| {
            channels[1] = if is_kept { channels[0] } else { channels[1] };
            let padding = [0, 1].map(|axis| padding[axis] % kernel[axis]);
            Case { channels, size, scale, kernel, padding, images, is_kept }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 200 }, ..Default::default() })]

    #[test]
    fn convolutions_of_repeated_pixels_are_those_of_the_definition(case in cases()) {
        for isa in Isa::available() {
            case.check(isa);
        }
    }
}

#[test]
fn repeated_pixels_are_not_made_where_only_a_convolution_reads_them() {
    let layers = |is_kept| {
        let case = Case {
            channels: [16, 16],
            size: [7, 7],
            scale: 2,
            kernel: [3, 3],
            padding: [1, 1],
            images: 1,
            is_kept,
        };
        let (weight, bias) = (values(16 * 16 * 9, 1), values(16, 2));
        let program = case.program(Isa::current(), case.conv(&weight, &bias));
        let is_copy = |layer: &&Layer| matches!(layer, Layer::Copy { scale } if *scale > 1);
        let is_folded = |layer: &&Layer| matches!(layer, Layer::Upsampled(..));
        let layers: Vec<_> = program.layers().collect();
        [
            layers.iter().filter(|l| is_copy(l)).count(),
            layers.iter().filter(|l| is_folded(l)).count(),
        ]
    };
    assert_eq!(layers(false), [0, 1]);
    assert_eq!(layers(true), [1, 1]);
}
