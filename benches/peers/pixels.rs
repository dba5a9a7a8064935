//! The numbers that all programs of the comparison begin with (README.md).

/// Number `j` of the sequence `seed`: a hash (MurmurHash3's finalizer) scaled to [0, 1).
pub fn uniform(seed: u32, j: usize) -> f64 {
    let mut h = (j as u32).wrapping_add(seed.wrapping_mul(0x9e37_79b9));
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    f64::from(h ^ (h >> 16)) / 4_294_967_296.0
}

/// The pixels of images of this shape, `[images, channels, height, width]`: sequence 0.
pub fn pixels(shape: [usize; 4]) -> Vec<f32> {
    (0..shape.iter().product()).map(|j| uniform(0, j) as f32).collect()
}
