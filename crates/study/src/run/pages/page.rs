//! Blocks within the text of a page.

use super::Block;

/// A page: text with blocks in it.
#[derive(Clone, Debug)]
pub struct Page {
    parts: Vec<Part>,
    end: String,
}

/// Text, and the block behind it.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    /// The comment that opens the block.
    comment: String,
    block: Block,
    /// The line that it begins in, from 1.
    line: usize,
    /// What stands there.
    content: String,
    is_inline: bool,
}

/// What is wrong in a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PageError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

const OPEN: &str = "<!-- study:";
const CLOSE: &str = "-->";
const END: &str = "<!-- end -->";

impl Page {
    /// Finds the blocks of a page.
    ///
    /// # Errors
    ///
    /// [`PageError`] for a block that does not end, or asks for what there is not.
    ///
    /// ```
    /// use selvedge_study::pages::Page;
    ///
    /// let page = Page::read("# A\n<!-- study: a.toml seeds=2 -->\nold\n<!-- end -->\n")?;
    /// let made = page.with_contents(|block| Ok::<_, String>(Some(block.changes.join(" "))))?;
    /// assert_eq!(made, "# A\n<!-- study: a.toml seeds=2 -->\n\nseeds=2\n\n<!-- end -->\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, PageError> {
        let (mut parts, mut rest, mut line) = (Vec::new(), text, 1);
        while let Some(at) = rest.find(OPEN) {
            line += newlines(&rest[..at]);
            let wrong = |line: usize, message: &str| PageError { line, message: message.into() };
            let inside = &rest[at + OPEN.len()..];
            let closed = inside.find(CLOSE);
            let closed =
                closed.ok_or_else(|| wrong(line, "the comment is not closed with `-->`"))?;
            let block = Block::read(&inside[..closed])
                .map_err(|(offset, message)| PageError { line: line + offset, message })?;
            let after = &inside[closed + CLOSE.len()..];
            let content = after.find(END).filter(|end| !after[..*end].contains(OPEN));
            let content =
                content.ok_or_else(|| wrong(line, "there is no `<!-- end -->` behind it"))?;
            let is_inline = !after[..content].contains('\n') && content > 0
                || block.is_inline() && content == 0;
            if is_inline && !block.is_inline() {
                return Err(wrong(
                    line,
                    "what it asks for does not fit into a line: put the end into another one",
                ));
            }
            let whole = OPEN.len() + closed + CLOSE.len();
            parts.push(Part {
                text: rest[..at].into(),
                comment: rest[at..at + whole].into(),
                block,
                line,
                content: after[..content].into(),
                is_inline,
            });
            let used = at + whole + content + END.len();
            line += newlines(&rest[at..used]);
            rest = &rest[used..];
        }
        Ok(Self { parts, end: rest.into() })
    }

    /// The page with what `content` gives for each block; `None` leaves one as it is.
    ///
    /// # Errors
    ///
    /// [`PageError`] with the line of the block that `content` fails for.
    pub fn with_contents<E: ToString>(
        &self,
        mut content: impl FnMut(&Block) -> Result<Option<String>, E>,
    ) -> Result<String, PageError> {
        let mut text = String::new();
        for part in &self.parts {
            let made = content(&part.block);
            let made =
                made.map_err(|error| PageError { line: part.line, message: error.to_string() })?;
            text += &part.text;
            text += &part.comment;
            match made {
                None => text += &part.content,
                Some(made) if part.is_inline => text += &made,
                Some(made) => text += &format!("\n\n{}\n\n", made.trim()),
            }
            text += END;
        }
        Ok(text + &self.end)
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n\nIt is <!-- study: a.toml; number value=test.accuracy -->old<!-- end --> %.\n\n\
                        <!-- study: b.toml\ntable rows=3\n-->\nold\n<!-- end -->\nend\n";

    #[test]
    fn contents_are_replaced_and_the_text_around_them_stays() {
        let page = Page::read(PAGE).unwrap();
        let name = |block: &Block| Ok::<_, String>(Some(format!("[{}]", block.study.display())));
        let made = page.with_contents(name).unwrap();
        let expected = "# A\n\nIt is <!-- study: a.toml; number value=test.accuracy -->[a.toml]<!-- end --> %.\n\n\
                        <!-- study: b.toml\ntable rows=3\n-->\n\n[b.toml]\n\n<!-- end -->\nend\n";
        assert_eq!(made, expected);
        assert_eq!(Page::read(&made).unwrap().with_contents(name).unwrap(), expected);
        let none = |_: &Block| Ok::<_, String>(None);
        assert_eq!(page.with_contents(none).unwrap(), PAGE);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, expected) in [
            ("\n<!-- study: a.toml\n", "line 2: the comment is not closed with `-->`"),
            ("<!-- study: a.toml -->\n", "line 1: there is no `<!-- end -->` behind it"),
            (
                "<!-- study: a.toml -->\n<!-- study: b.toml -->\n<!-- end -->",
                "line 1: there is no `<!-- end -->` behind it",
            ),
            ("\n\n<!-- study: a.toml\ntable\nx\n-->\n<!-- end -->", "line 5: `x` is unknown"),
            (
                "<!-- study: a.toml -->x<!-- end -->",
                "line 1: what it asks for does not fit into a line",
            ),
        ] {
            let message = Page::read(text).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
        let page = Page::read(PAGE).unwrap();
        let fails = |block: &Block| match block.study.to_str() {
            Some("b.toml") => Err("no"),
            _ => Ok(None),
        };
        assert_eq!(page.with_contents(fails).unwrap_err().to_string(), "line 5: no");
    }
}
