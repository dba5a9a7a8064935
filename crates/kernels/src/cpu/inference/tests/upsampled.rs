//! Convolutions of images whose pixels are repeated.

use proptest::prelude::*;

use super::definition::{Image, assert_within, largest, output};
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
    /// Rows above and below, columns to the left and to the right.
    padding: [usize; 4],
    images: usize,
    /// Whether the repeated pixels are read by another layer, too.
    is_kept: bool,
}

impl Case {
    fn conv<'a>(&self, weight: &'a [f32], bias: &'a [f32]) -> Convolution<'a> {
        Convolution {
            weight,
            bias: Some(bias),
            out_channels: self.channels[1],
            kernel: self.kernel,
            stride: [1, 1],
            padding: self.padding,
            dilation: 1,
            groups: 1,
        }
    }

    fn large(&self) -> [usize; 2] {
        self.size.map(|side| side * self.scale)
    }

    fn output(&self) -> Option<[usize; 2]> {
        output(&self.conv(&[], &[]), self.large())
    }

    fn program(&self, isa: Isa, conv: Convolution) -> Program {
        let [height, width] = self.size;
        let (mut b, x) = Builder::with(isa, [self.channels[0], height, width]);
        let large = b.upsample(x, self.scale);
        let y =
            b.conv(large, conv, self.output().expect("some pixels")).expect("there is a kernel");
        let y = b.function(y, Function::Relu);
        let y = if self.adds() { b.sum(y, large) } else { y };
        b.finish(y)
    }

    /// Whether the repeated pixels are added to the result.
    fn adds(&self) -> bool {
        self.is_kept && self.output() == Some(self.large()) && self.channels[0] == self.channels[1]
    }

    fn check(&self, isa: Isa) {
        let Some(output) = self.output() else { return };
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
            let mut y = x.conv(&conv, output);
            size = largest(&y.values).max(size);
            for (i, y) in y.values.iter_mut().enumerate() {
                *y = y.max(0.0) + if self.adds() { x.values[i] } else { 0.0 };
            }
            expected.extend(y.values);
        }
        assert_within(&found, &expected, 2e-5 * size, &format!("{isa:?} {self:?}"));
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1..6usize, 14..35usize, Just(64)];
    let kernel = prop_oneof![1..6usize, Just(3), Just(5)];
    let sizes = ([channels.clone(), channels], [1..9usize, 1..9usize], 2..4usize, 1..4usize);
    let padding = [0..6usize, 0..6usize, 0..6usize, 0..6usize];
    // The size stays, grows by a whole pixel before it was repeated, or is any.
    (sizes, [kernel.clone(), kernel], padding, 0..3usize, any::<bool>()).prop_map(
        |((mut channels, size, scale, images), kernel, mut padding, how, is_kept)| {
            channels[1] = if is_kept { channels[0] } else { channels[1] };
            for axis in 0..2 {
                let before = padding[2 * axis] % kernel[axis];
                match how {
                    0 => padding[2 * axis + 1] = kernel[axis] - 1 - before,
                    1 => padding[2 * axis + 1] = kernel[axis] - 1 - before + scale,
                    _ => continue,
                }
                padding[2 * axis] = before;
            }
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
    let layers = |case: &Case| {
        let len = case.channels[0] * case.channels[1] * case.kernel[0] * case.kernel[1];
        let (weight, bias) = (values(len, 1), values(case.channels[1], 2));
        let program = case.program(Isa::current(), case.conv(&weight, &bias));
        let is_copy = |layer: &&&Layer| matches!(layer, Layer::Copy { scale } if *scale > 1);
        let is_folded = |layer: &&&Layer| matches!(layer, Layer::Upsampled(..));
        let layers: Vec<_> = program.layers().collect();
        [layers.iter().filter(is_copy).count(), layers.iter().filter(is_folded).count()]
    };
    let mut case = Case {
        channels: [16, 16],
        size: [7, 7],
        scale: 2,
        kernel: [3, 3],
        padding: [1; 4],
        images: 1,
        is_kept: false,
    };
    assert_eq!(layers(&case), [0, 1]);
    case.is_kept = true;
    assert_eq!(layers(&case), [1, 1]);
    // The decoder of `conv_autoencoder`: transposed convolutions, which make the image larger.
    let decoder = |channels, side| Case {
        channels,
        size: [side; 2],
        kernel: [5, 5],
        padding: [4; 4],
        is_kept: false,
        ..case.clone()
    };
    assert_eq!(layers(&decoder([20, 10], 4)), [0, 1]);
    assert_eq!(layers(&decoder([10, 1], 12)), [0, 1]);
}
