//! Floats of 8 bits, which are read as f32: each of their numbers is one of f32.
//!
//! Micikevicius et al., 2022, "FP8 formats for deep learning".

/// A kind of floats of 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float8 {
    /// Four bits of exponent, three of mantissa; without infinity, up to 448. PyTorch's `float8_e4m3fn`.
    E4M3,
    /// Five bits of exponent, two of mantissa, as the upper half of f16. PyTorch's `float8_e5m2`.
    E5M2,
}

impl Float8 {
    /// The kind by the name of PyTorch's `torch.dtype`.
    #[cfg(feature = "pytorch")]
    pub fn of_pytorch(name: &str) -> Option<Self> {
        match name {
            "float8_e4m3fn" => Some(Self::E4M3),
            "float8_e5m2" => Some(Self::E5M2),
            _ => None,
        }
    }

    /// The number of which `bits` are the bits.
    pub fn value(self, bits: u8) -> f32 {
        let (mantissa_bits, bias) = match self {
            Self::E4M3 => (3, 7),
            Self::E5M2 => (2, 15),
        };
        let sign = if bits & 0x80 == 0 { 1.0 } else { -1.0 };
        let magnitude = bits & 0x7f;
        match (self, magnitude) {
            (Self::E4M3, 0x7f) | (Self::E5M2, 0x7d..) => return f32::NAN,
            (Self::E5M2, 0x7c) => return sign * f32::INFINITY,
            _ => {}
        }
        let exponent = i32::from(magnitude >> mantissa_bits);
        let fraction = f32::from(magnitude & ((1 << mantissa_bits) - 1));
        let one = f32::from(1u8 << mantissa_bits);
        let significand = if exponent == 0 { fraction / one } else { 1.0 + fraction / one };
        sign * significand * 2f32.powi(exponent.max(1) - bias)
    }

    /// The bytes of f32 of the numbers of which these are the bits.
    pub fn widened(self, bits: &[u8]) -> Vec<u8> {
        bits.iter().flat_map(|bits| self.value(*bits).to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_eight_bits_is_the_one_that_pytorch_has() {
        // import torch, zlib
        // for t in [torch.float8_e4m3fn, torch.float8_e5m2]:
        //     x = torch.arange(256).to(torch.uint8).view(t).float()
        //     nan = int(x.isnan().sum())
        //     x[x.isnan()] = 0.0
        //     print(nan, hex(zlib.crc32(x.numpy().tobytes())))
        for (kind, nan, checksum) in
            [(Float8::E4M3, 2, 0xbcca_99f4), (Float8::E5M2, 6, 0xd73d_f2ea)]
        {
            let values: Vec<f32> = (0..=255).map(|bits| kind.value(bits)).collect();
            assert_eq!(values.iter().filter(|value| value.is_nan()).count(), nan);
            let numbers = values.into_iter().map(|value| if value.is_nan() { 0.0 } else { value });
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            let mut sum = flate2::Crc::new();
            sum.update(&bytes);
            assert_eq!(sum.sum(), checksum, "{kind:?}");
        }
    }
}
