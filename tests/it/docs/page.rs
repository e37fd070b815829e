//! A Markdown file as GitHub and mdBook read it: headings, blocks, links, what stands in backticks.

use std::ops::Range;

use pulldown_cmark::{BrokenLink, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::anchor::Anchors;
use super::chinese::is_chinese;

/// Something on a page, with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) line: usize,
    pub(super) it: T,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) level: usize,
    pub(super) text: String,
    pub(super) anchor: String,
}

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The words behind the fence: language and mark; none where the block is merely indented.
    pub(super) info: Option<String>,
    pub(super) text: String,
}

impl Block {
    pub(super) fn language(&self) -> &str {
        self.info.as_deref().and_then(|info| info.split_whitespace().next()).unwrap_or_default()
    }

    /// What stands behind the language.
    pub(super) fn mark(&self) -> &str {
        let info = self.info.as_deref().unwrap_or_default().trim();
        info.split_once(char::is_whitespace).map_or("", |(_, mark)| mark.trim())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: String,
    pub(super) text: String,
    pub(super) is_image: bool,
    /// How deep in lists it stands.
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) struct Page {
    /// The path from the repository's root.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) headings: Vec<At<Heading>>,
    pub(super) blocks: Vec<At<Block>>,
    /// What stands in backticks outside blocks.
    pub(super) spans: Vec<At<String>>,
    pub(super) links: Vec<At<Link>>,
    /// `[text][name]` where no line says what `name` is.
    pub(super) undefined: Vec<At<String>>,
    /// The names that raw HTML gives to places: `<a id="...">`.
    pub(super) named: Vec<String>,
    /// Rows and columns of each table.
    pub(super) tables: Vec<At<(usize, usize)>>,
    /// Where a line breaks between two Chinese characters.
    pub(super) broken: Vec<At<String>>,
}

impl Page {
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let mut reader = Reader::new(name, text);
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_FOOTNOTES;
        let mut undefined = Vec::new();
        let mut note = |link: BrokenLink<'_>| {
            // `[text]` alone is plain brackets, in prose as in TOML.
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push((link.span, link.reference.into_string()));
            }
            None
        };
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
        for (event, range) in parser.into_offset_iter() {
            reader.read(event, range);
        }
        let mut page = reader.page;
        let lines = Lines::of(text);
        page.undefined =
            undefined.into_iter().map(|(span, it)| At { line: lines.at(span.start), it }).collect();
        page
    }

    /// `name:line: what`, as every finding is told.
    pub(super) fn tell(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.name)
    }

    pub(super) fn has_anchor(&self, anchor: &str) -> bool {
        self.headings.iter().any(|heading| heading.it.anchor == anchor)
            || self.named.iter().any(|name| name == anchor)
    }

    /// The folder that the page's links begin at.
    pub(super) fn folder(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The number of the line, from 1.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|begin| *begin <= offset)
    }
}

/// Fills a page from the parser's events.
struct Reader {
    page: Page,
    lines: Lines,
    anchors: Anchors,
    heading: Option<At<Heading>>,
    block: Option<At<Block>>,
    open: Vec<At<Link>>,
    table: Option<At<(usize, usize)>>,
    lists: usize,
    /// Raw HTML that isn't at its end.
    html: Option<At<String>>,
    /// The words before a line break, if only words were before it.
    before: Option<String>,
    is_broken: bool,
}

impl Reader {
    fn new(name: &str, text: &str) -> Self {
        Self {
            page: Page {
                name: name.to_owned(),
                text: text.to_owned(),
                headings: Vec::new(),
                blocks: Vec::new(),
                spans: Vec::new(),
                links: Vec::new(),
                undefined: Vec::new(),
                named: Vec::new(),
                tables: Vec::new(),
                broken: Vec::new(),
            },
            lines: Lines::of(text),
            anchors: Anchors::default(),
            heading: None,
            block: None,
            open: Vec::new(),
            table: None,
            lists: 0,
            html: None,
            before: None,
            is_broken: false,
        }
    }

    fn read(&mut self, event: Event<'_>, range: Range<usize>) {
        let line = self.lines.at(range.start);
        match event {
            Event::Start(tag) => self.start(&tag, line),
            Event::End(end) => self.end(end),
            Event::Text(text) => self.words(&text, line),
            Event::Code(text) => {
                self.say(&text);
                self.before = None;
                self.is_broken = false;
                self.page.spans.push(At { line, it: text.into_string() });
            }
            Event::Html(html) => match &mut self.html {
                Some(begun) => begun.it.push_str(&html),
                None => self.elements(&html, line),
            },
            Event::InlineHtml(html) => self.elements(&html, line),
            Event::SoftBreak => self.is_broken = true,
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, line: usize) {
        match tag {
            Tag::Paragraph => (self.before, self.is_broken) = (None, false),
            Tag::Heading { level, .. } => {
                let it = Heading { level: *level as usize, text: String::new(), anchor: String::new() };
                self.heading = Some(At { line, it });
            }
            Tag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.to_string()),
                    CodeBlockKind::Indented => None,
                };
                self.block = Some(At { line, it: Block { info, text: String::new() } });
            }
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                let is_image = matches!(tag, Tag::Image { .. });
                let (target, text) = (dest_url.to_string(), String::new());
                self.open.push(At { line, it: Link { target, text, is_image, depth: self.lists } });
            }
            Tag::List(_) => self.lists += 1,
            Tag::HtmlBlock => self.html = Some(At { line, it: String::new() }),
            Tag::Table(columns) => self.table = Some(At { line, it: (0, columns.len()) }),
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.it.0 += 1;
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Heading(_) => {
                if let Some(mut heading) = self.heading.take() {
                    heading.it.anchor = self.anchors.of(&heading.it.text);
                    self.page.headings.push(heading);
                }
            }
            TagEnd::CodeBlock => self.page.blocks.extend(self.block.take()),
            TagEnd::Link | TagEnd::Image => self.page.links.extend(self.open.pop()),
            TagEnd::List(_) => self.lists -= 1,
            TagEnd::HtmlBlock => {
                if let Some(At { line, it }) = self.html.take() {
                    self.elements(&it, line);
                }
            }
            TagEnd::Table => self.page.tables.extend(self.table.take()),
            _ => {}
        }
    }

    fn words(&mut self, text: &str, line: usize) {
        if let Some(block) = &mut self.block {
            block.it.text.push_str(text);
            return;
        }
        self.say(text);
        if std::mem::take(&mut self.is_broken)
            && let (Some(last), Some(first)) =
                (self.before.as_ref().and_then(|before| before.chars().last()), text.chars().next())
            && is_chinese(last)
            && is_chinese(first)
        {
            self.page.broken.push(At { line: line - 1, it: format!("{last}|{first}") });
        }
        self.before = Some(text.to_owned());
    }

    /// Adds to the heading and the links that the text stands in.
    fn say(&mut self, text: &str) {
        if let Some(heading) = &mut self.heading {
            heading.it.text.push_str(text);
        }
        for link in &mut self.open {
            link.it.text.push_str(text);
        }
    }

    fn elements(&mut self, html: &str, line: usize) {
        for (number, element) in html.split('<').enumerate().skip(1) {
            let line =
                line + html.split('<').take(number).map(|text| text.matches('\n').count()).sum::<usize>();
            let is_image = !element.starts_with('a');
            let text = attribute(element, "alt").unwrap_or_default();
            for name in ["href", "src", "srcset"] {
                let Some(target) = attribute(element, name) else { continue };
                // The picture for dark pages has its words in the one beside it.
                let text = if element.starts_with("source") { name } else { text };
                let it = Link { target: target.into(), text: text.into(), is_image, depth: self.lists };
                self.page.links.push(At { line, it });
            }
            let names = ["id", "name"].into_iter().filter_map(|name| attribute(element, name));
            self.page.named.extend(names.map(str::to_owned));
        }
    }
}

/// The value in `name="value"`.
fn attribute<'t>(element: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = element.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

#[test]
fn a_page_is_read_as_it_is_shown() {
    let text = "# One `two`\n\nSee [*the* page](a.md#b) and ![a picture](p.png), `code`.\n\n\
        ```sh run\necho '```'\n# Two\n```\n\n- a\n  - [deep](d.md)\n\n    ~~~toml  parsed\n    [a]\n    ~~~\n\n\
        | a | b |\n| - | - |\n| 1 | `2` |\n\n<img\n  src=\"i.png\" alt=\"i\"><a id=\"here\"></a>\n\n[x][y] [z] [r]\n\n[r]: r.md\n";
    let page = Page::parse("p/a.md", text);
    assert_eq!(page.headings.len(), 1);
    assert_eq!(page.headings[0].it.text, "One two");
    assert_eq!(page.headings[0].it.anchor, "one-two");
    let blocks: Vec<_> = page
        .blocks
        .iter()
        .map(|block| (block.line, block.it.language(), block.it.mark(), &*block.it.text))
        .collect();
    assert_eq!(blocks, [(5, "sh", "run", "echo '```'\n# Two\n"), (13, "toml", "parsed", "[a]\n")]);
    let links: Vec<_> = page.links.iter().map(|link| (link.line, &*link.it.target, link.it.depth)).collect();
    assert_eq!(
        links,
        [(3, "a.md#b", 0), (3, "p.png", 0), (11, "d.md", 2), (21, "i.png", 0), (24, "r.md", 0)]
    );
    assert_eq!(page.links[0].it.text, "the page");
    assert_eq!(page.undefined, [At { line: 24, it: "y".to_owned() }]);
    assert_eq!(page.tables, [At { line: 17, it: (2, 2) }]);
    let spans: Vec<_> = page.spans.iter().map(|span| &*span.it).collect();
    assert_eq!(spans, ["two", "code", "2"]);
    assert!(page.has_anchor("here") && !page.has_anchor("two"));
    assert_eq!(page.folder(), "p");
}
