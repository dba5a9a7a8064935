//! Points that fill a space evenly.

use selvedge_data::SplitMix64;

use super::tried::Tried;
use super::{Observation, Point, Space, Strategy, check};
use crate::StudyError;
use selvedge_train::require;

/// Keeps these draws apart from whatever else is drawn from the same seed ("sobolseq").
const SOBOL: u64 = 0x736F_626F_6C73_6571;

/// Of so many dimensions there are direction numbers here.
const MOST: usize = DIRECTIONS.len() + 1;

/// The Sobol sequence (I. Sobol, 1967, with the direction numbers of S. Joe and F. Kuo, *Constructing Sobol
/// sequences with better two-dimensional projections*, 2008), scrambled by random matrices and a random shift
/// (J. Matoušek, *On the L2-discrepancy for anchored boxes*, 1998), as `scipy.stats.qmc.Sobol` does it.
///
/// It leaves smaller gaps than [`Random`](super::Random), most evenly after 2ᵏ trials. At most 32 dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sobol;

impl Strategy for Sobol {
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError> {
        check(space, history)?;
        let dimensions = space.dimensions().len();
        require(
            dimensions <= MOST,
            "number of dimensions of a Sobol search",
            dimensions,
            "at most 32",
        )?;
        let sequence = Sequence::scrambled(dimensions, seed);
        let mut tried = Tried::new(space, history);
        let trials = history.len()..history.len().saturating_add(count);
        let draw = |trial: usize| space.at(&sequence.at(trial as u32));
        Ok(trials.map_while(|trial| tried.fresh(|_| draw(trial))).collect())
    }
}

/// Direction numbers of each dimension, the highest bit standing for a half.
struct Sequence {
    directions: Vec<[u32; 32]>,
    shifts: Vec<u32>,
}

impl Sequence {
    fn plain(dimensions: usize) -> Self {
        Self { directions: (0..dimensions).map(directions).collect(), shifts: vec![0; dimensions] }
    }

    fn scrambled(dimensions: usize, seed: u64) -> Self {
        let mut sequence = Self::plain(dimensions);
        for (dimension, (directions, shift)) in
            sequence.directions.iter_mut().zip(&mut sequence.shifts).enumerate()
        {
            let mut rng = SplitMix64::stream(seed ^ SOBOL, dimension as u64);
            // Each bit becomes the sum of itself and of a random choice of the higher ones.
            let rows: [u32; 32] = std::array::from_fn(|bit| {
                let own = 0x8000_0000_u32 >> bit;
                let higher = !(u32::MAX >> bit);
                own | (rng.next_u64() >> 32) as u32 & higher
            });
            for direction in directions {
                let bit = |row: &u32| (row & *direction).count_ones() % 2;
                *direction = rows.iter().fold(0, |mixed, row| mixed << 1 | bit(row));
            }
            *shift = (rng.next_u64() >> 32) as u32;
        }
        sequence
    }

    /// The point of that number: 0 to below 1 in each dimension.
    fn at(&self, index: u32) -> Vec<f64> {
        let gray = index ^ index >> 1;
        let dimension = |(directions, &shift): (&[u32; 32], &u32)| {
            let bits = (0..32).filter(|bit| gray >> bit & 1 == 1);
            let place = bits.fold(shift, |place, bit| place ^ directions[bit]);
            f64::from(place) / 2.0_f64.powi(32)
        };
        self.directions.iter().zip(&self.shifts).map(dimension).collect()
    }
}

/// The direction numbers of one dimension, by the recurrence of its polynomial.
fn directions(dimension: usize) -> [u32; 32] {
    let Some(&(degree, coefficients, first)) =
        dimension.checked_sub(1).and_then(|place| DIRECTIONS.get(place))
    else {
        return std::array::from_fn(|bit| 0x8000_0000 >> bit);
    };
    let mut directions = [0_u32; 32];
    for bit in 0..32 {
        directions[bit] = match first.get(bit) {
            Some(number) => number << (31 - bit),
            None => {
                let before = directions[bit - degree];
                let mixed = (1..degree)
                    .filter(|k| coefficients >> (degree - 1 - k) & 1 == 1)
                    .fold(0, |mixed, k| mixed ^ directions[bit - k]);
                before ^ before >> degree ^ mixed
            }
        };
    }
    directions
}

/// Degree and inner coefficients of the polynomial, and the first numbers, of the second dimension and those after
/// it: the first lines of S. Joe and F. Kuo's table `new-joe-kuo-6.21201`.
const DIRECTIONS: [(usize, u32, &[u32]); 31] = [
    (1, 0, &[1]),
    (2, 1, &[1, 3]),
    (3, 1, &[1, 3, 1]),
    (3, 2, &[1, 1, 1]),
    (4, 1, &[1, 1, 3, 3]),
    (4, 4, &[1, 3, 5, 13]),
    (5, 2, &[1, 1, 5, 5, 17]),
    (5, 4, &[1, 1, 5, 5, 5]),
    (5, 7, &[1, 1, 7, 11, 19]),
    (5, 11, &[1, 1, 5, 1, 1]),
    (5, 13, &[1, 1, 1, 3, 11]),
    (5, 14, &[1, 3, 5, 5, 31]),
    (6, 1, &[1, 3, 3, 9, 7, 49]),
    (6, 13, &[1, 1, 1, 15, 21, 21]),
    (6, 16, &[1, 3, 1, 13, 27, 49]),
    (6, 19, &[1, 1, 1, 15, 7, 5]),
    (6, 22, &[1, 3, 1, 15, 13, 25]),
    (6, 25, &[1, 1, 5, 5, 19, 61]),
    (7, 1, &[1, 3, 7, 11, 23, 15, 103]),
    (7, 4, &[1, 3, 7, 13, 13, 15, 69]),
    (7, 7, &[1, 1, 3, 13, 7, 35, 63]),
    (7, 8, &[1, 3, 5, 9, 1, 25, 53]),
    (7, 14, &[1, 3, 1, 13, 9, 35, 107]),
    (7, 19, &[1, 3, 1, 5, 27, 61, 31]),
    (7, 21, &[1, 1, 5, 11, 19, 41, 61]),
    (7, 28, &[1, 3, 5, 3, 3, 13, 69]),
    (7, 31, &[1, 1, 7, 13, 1, 19, 1]),
    (7, 32, &[1, 3, 7, 5, 13, 19, 59]),
    (7, 37, &[1, 1, 3, 9, 25, 29, 41]),
    (7, 41, &[1, 3, 5, 13, 23, 1, 55]),
    (7, 42, &[1, 3, 7, 3, 13, 59, 17]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Dimension;

    // Expected: q = scipy.stats.qmc.Sobol(32, scramble=False, bits=32).random(4096) (SciPy 1.17.1);
    // q[i, [0, 1, 2, 7, 20, 31]]
    #[test]
    fn points_without_scrambling_are_those_of_scipy() {
        let sequence = Sequence::plain(32);
        let found = |index| {
            let point = sequence.at(index);
            [0, 1, 2, 7, 20, 31].map(|dimension: usize| point[dimension])
        };
        assert_eq!(found(0), [0.0; 6]);
        assert_eq!(found(5), [0.875, 0.875, 0.125, 0.375, 0.625, 0.625]);
        assert_eq!(found(37), [0.921875, 0.640625, 0.578125, 0.796875, 0.953125, 0.140625]);
        assert_eq!(
            found(4095),
            [
                0.000_244_140_625,
                0.941_162_109_375,
                0.334_228_515_625,
                0.390_869_140_625,
                0.225_830_078_125,
                0.087_646_484_375
            ]
        );
    }

    // A net: however scrambled, each of 64 parts of a side, and each of the 8 × 8 squares of the first two
    // dimensions, has its share of the first 64 points.
    #[test]
    fn scrambled_points_fill_each_part_of_each_side_once() {
        for seed in 0..5 {
            let sequence = Sequence::scrambled(32, seed);
            let points: Vec<Vec<f64>> = (0..64).map(|index| sequence.at(index)).collect();
            for dimension in 0..32 {
                let mut parts: Vec<usize> =
                    points.iter().map(|point| (point[dimension] * 64.0) as usize).collect();
                parts.sort_unstable();
                assert!(parts.into_iter().eq(0..64), "seed {seed}, dimension {dimension}");
            }
            let mut squares: Vec<usize> =
                points.iter().map(|p| (p[0] * 8.0) as usize * 8 + (p[1] * 8.0) as usize).collect();
            squares.sort_unstable();
            assert!(squares.into_iter().eq(0..64), "seed {seed}");
        }
        assert_ne!(Sequence::scrambled(2, 0).at(3), Sequence::scrambled(2, 1).at(3));
    }

    #[test]
    fn more_dimensions_than_direction_numbers_are_refused() {
        let space =
            |count| Space::new(vec![Dimension::Float { low: 0.0, high: 1.0 }; count]).unwrap();
        assert!(Sobol.propose(&space(32), &[], 0, 1).is_ok());
        let message = Sobol.propose(&space(33), &[], 0, 1).unwrap_err().to_string();
        assert_eq!(message, "number of dimensions of a Sobol search is 33, but must be at most 32");
    }
}
