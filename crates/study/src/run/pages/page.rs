//! Blocks within the text of a page.

use std::error::Error;

use super::Block;
use super::marks::{end, open};

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
    /// The comment that ends it.
    end: String,
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

const CLOSE: &str = "-->";

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
        while let Some(mark) = open(rest, parts.is_empty()) {
            line += newlines(&rest[..mark.start]);
            let wrong = |line: usize, message: &str| PageError { line, message: message.into() };
            let inside = &rest[mark.end..];
            let closed = inside.find(CLOSE);
            let closed =
                closed.ok_or_else(|| wrong(line, "the comment is not closed with `-->`"))?;
            let study_line = line + newlines(&rest[mark.clone()]);
            let mut block = Block::read(&inside[..closed])
                .map_err(|(offset, message)| PageError { line: study_line + offset, message })?;
            block.line =
                study_line + newlines(&inside[..closed - inside[..closed].trim_start().len()]);
            let after = &inside[closed + CLOSE.len()..];
            let last = end(after).filter(|end| open(&after[..end.start], false).is_none());
            let last = last.ok_or_else(|| wrong(line, "there is no `<!-- end -->` behind it"))?;
            let content = last.start;
            let is_inline = !after[..content].contains('\n') && content > 0
                || block.is_inline() && content == 0;
            if is_inline && !block.is_inline() {
                return Err(wrong(
                    line,
                    "what it asks for does not fit into a line: put the end into another one",
                ));
            }
            let whole = mark.end + closed + CLOSE.len();
            parts.push(Part {
                text: rest[..mark.start].into(),
                comment: rest[mark.start..whole].into(),
                block,
                line,
                content: after[..content].into(),
                end: after[last.clone()].into(),
                is_inline,
            });
            let used = whole + last.end;
            line += newlines(&rest[mark.start..used]);
            rest = &rest[used..];
        }
        Ok(Self { parts, end: rest.into() })
    }

    /// The page with what `content` gives for each block; `None` leaves one as it is.
    ///
    /// # Errors
    ///
    /// [`PageError`] as `content` gives it, or else with the line of the block that it fails for.
    pub fn with_contents<E: Into<Box<dyn Error>>>(
        &self,
        mut content: impl FnMut(&Block) -> Result<Option<String>, E>,
    ) -> Result<String, PageError> {
        let mut text = String::new();
        for part in &self.parts {
            let made = content(&part.block);
            let made = made.map_err(|error| match error.into().downcast::<PageError>() {
                Ok(error) => *error,
                Err(error) => PageError { line: part.line, message: error.to_string() },
            })?;
            text += &part.text;
            text += &part.comment;
            match made {
                None => text += &part.content,
                Some(made) if part.is_inline => text += &made,
                Some(made) => text += &format!("\n\n{}\n\n", made.trim()),
            }
            text += &part.end;
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
    fn comments_have_any_spaces_and_those_in_code_fences_are_text() {
        let text = "<!--study: a.toml-->\n<!--end-->\n```text\n<!-- study: b.toml -->\n```\n\
                    ~~~~\n```\n~~~\n<!-- study: no block\n~~~~\n<!--\n study: c.toml\n-->\n<!-- end  -->\n";
        let page = Page::read(text).unwrap();
        let name = |block: &Block| Ok::<_, String>(Some(block.study.display().to_string()));
        let made = text.replace("-->\n<!--end-->", "-->\n\na.toml\n\n<!--end-->");
        let made = made.replace("-->\n<!-- end  -->", "-->\n\nc.toml\n\n<!-- end  -->");
        assert_eq!(page.with_contents(name).unwrap(), made);
        assert_eq!(page.parts.iter().map(|part| part.block.line).collect::<Vec<_>>(), [1, 12]);
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
            ("<!--\nstudy: a.toml\nx\n-->\n<!-- end -->", "line 3: `x` is unknown"),
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
