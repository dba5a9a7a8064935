use std::path::{Path, PathBuf};

use kuva::RasterBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::render::Scene;

use super::dash::undashed;
use super::inset::{Inset, draw_on};

/// Pixels of a PNG for each unit of the drawing: text of 12 units is easy to read on any screen.
const SCALE: f32 = 2.0;

/// Why a picture is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The data have no picture.
    #[error("cannot draw the {picture}: {reason}")]
    Data {
        /// What was to be drawn.
        picture: &'static str,
        /// What is wrong with its data.
        reason: String,
    },
    /// The name of the file says no format that a picture can be written in.
    #[error("cannot write {}: the name of a picture ends in .svg or .png", path.display())]
    Format {
        /// Where the picture was to be.
        path: PathBuf,
    },
    /// The drawing library failed.
    #[error("cannot draw the picture: {reason}")]
    Draw {
        /// What the library said.
        reason: String,
    },
    /// The file cannot be written; nothing of it is left behind.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Where the picture was to be.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
}

/// A picture that has been drawn; it can be written in either format.
#[derive(Debug)]
pub struct Picture {
    pub(super) scene: Scene,
    /// Images on top of it.
    pub(super) insets: Vec<Inset>,
}

impl Picture {
    /// As SVG: for pages and print, at any size. Its text stays text.
    pub fn to_svg(&self) -> String {
        let mut svg = SvgBackend.render_scene(&self.scene);
        let images: String = self.insets.iter().map(Inset::to_svg).collect();
        let end = svg.rfind("</svg>").unwrap_or(svg.len());
        svg.insert_str(end, &images);
        svg
    }

    /// As the bytes of a PNG file, of [`size`](Self::size) pixels.
    ///
    /// # Errors
    ///
    /// [`PlotError::Draw`] if the picture cannot be compressed.
    pub fn to_png(&self) -> Result<Vec<u8>, PlotError> {
        let png = RasterBackend::new().with_scale(SCALE).render_scene(&undashed(&self.scene));
        let png = png.map_err(|reason| PlotError::Draw { reason })?;
        match self.insets[..] {
            [] => Ok(png),
            _ => draw_on(&png, &self.insets, f64::from(SCALE)),
        }
    }

    /// Width and height as PNG, in pixels.
    pub fn size(&self) -> (u32, u32) {
        let pixels = |length: f64| (length as f32 * SCALE).ceil() as u32;
        (pixels(self.scene.width), pixels(self.scene.height))
    }

    /// Writes the picture in the format that the name ends in, `.svg` or `.png`. The file is whole or
    /// it is not there.
    ///
    /// # Errors
    ///
    /// [`PlotError::Format`] if the name ends in something else, [`PlotError::Write`] if the file
    /// cannot be written, [`PlotError::Draw`] as for [`to_png`](Self::to_png).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        let content = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => self.to_svg().into_bytes(),
            Some("png") => self.to_png()?,
            _ => return Err(PlotError::Format { path: path.into() }),
        };
        selvedge_files::write(path, content)
            .map_err(|error| PlotError::Write { path: path.into(), error })
    }

    /// Writes the picture in both formats, as `name.svg` and `name.png` in a folder that is there.
    ///
    /// ```
    /// use selvedge_report::plot::{SheetImage, sheet};
    ///
    /// let dots = SheetImage { pixels: &[0, 255], shape: [1, 1, 2], caption: vec!["dots".into()] };
    /// let folder = tempfile::tempdir()?;
    /// sheet("Two dots", None, &[dots])?.save_as(folder.path(), "dots")?;
    /// assert!(folder.path().join("dots.svg").is_file() && folder.path().join("dots.png").is_file());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub fn save_as(&self, folder: impl AsRef<Path>, name: &str) -> Result<(), PlotError> {
        let folder = folder.as_ref();
        self.save(folder.join(format!("{name}.svg")))?;
        self.save(folder.join(format!("{name}.png")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { scene: Scene::new(30.0, 20.0), insets: Vec::new() }
    }

    #[test]
    fn a_saved_picture_has_the_format_of_its_name_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.png"), "old").unwrap();
        picture().save(path("a.png")).unwrap();
        picture().save(path("a.svg")).unwrap();
        let png = std::fs::read(path("a.png")).unwrap();
        // PNG specification, 5.2 and 11.2.2: signature, then length, type, width and height.
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(png[12..24], *b"IHDR\0\0\0\x3c\0\0\0\x28");
        assert_eq!(picture().size(), (60, 40));
        assert!(std::fs::read_to_string(path("a.svg")).unwrap().contains("<svg"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_name_of_another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "png", "a"] {
            let path = folder.path().join(name);
            let message = picture().save(&path).unwrap_err().to_string();
            let path = path.display();
            let expected =
                format!("cannot write {path}: the name of a picture ends in .svg or .png");
            assert_eq!(message, expected);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken.png");
        std::fs::create_dir(&taken).unwrap();
        for path in [folder.path().join("missing/a.png"), taken.clone()] {
            let error = picture().save(&path).unwrap_err();
            assert!(matches!(error, PlotError::Write { .. }));
            assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(taken).unwrap().count(), 0);
    }
}
