//! Dashed lines.

use super::canvas::Point;

/// Cuts a line into dashes of `on` pixels, `off` pixels apart.
pub fn dashes(points: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut pieces = vec![Vec::from_iter(points.first().copied())];
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length);
            if drawing {
                pieces.last_mut().into_iter().for_each(|piece| piece.push(at));
            } else {
                pieces.push(vec![at]);
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length - done;
        if drawing {
            pieces.last_mut().into_iter().for_each(|piece| piece.push(pair[1]));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_have_the_asked_length_around_a_corner() {
        // 20 pixels right, then 20 down: dashes at 0..10, 15..25 and 30..40 along the way.
        let pieces = dashes(&[(0.0, 0.0), (20.0, 0.0), (20.0, 20.0)], 10.0, 5.0);
        let expected = [
            vec![(0.0, 0.0), (10.0, 0.0)],
            vec![(15.0, 0.0), (20.0, 0.0), (20.0, 5.0)],
            vec![(20.0, 10.0), (20.0, 20.0)],
        ];
        assert_eq!(pieces, expected);
    }
}
