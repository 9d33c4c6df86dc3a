//! HTML of a mail: made safe for staff, and as plain text.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ammonia::Builder;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts, states::RawKind,
};

/// HTML above this many bytes is only shown as text: the tree builder's worst case grows faster than its input.
const LARGEST_BYTES: usize = 1024 * 1024;

/// Blocks nested deeper than this are taken for one.
const DEEPEST_BLOCKS: usize = 256;

/// The HTML with nothing in it that runs, loads or submits: no script, no style, no form, and pictures only by `cid:`.
pub(crate) fn sanitise(html: &str) -> Option<String> {
    if html.len() > LARGEST_BYTES || deepest(html) > DEEPEST_TREE {
        return None;
    }
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .add_tags(["font"])
        .add_tag_attributes("font", ["color"])
        .rm_tags(["map", "area"])
        .link_rel(Some("noopener noreferrer nofollow"))
        .tag_attributes(tag_attributes())
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            // A picture from elsewhere tells its sender who read the mail and when.
            (_, "src") => value.trim_start().to_lowercase().starts_with("cid:").then(|| value.into()),
            (_, "background" | "srcset" | "poster") => None,
            ("a", "href") => (!value.trim_start().to_lowercase().starts_with("cid:")).then(|| value.into()),
            _ => Some(value.into()),
        });
    Some(builder.clean(html).to_string())
}

/// The HTML as [`sanitise`] makes it, but with pictures: those of the mail itself by content id, and from elsewhere if asked
/// for. Also says how many are from elsewhere.
pub(crate) fn sanitise_for_view(
    html: &str,
    pictures: HashMap<String, String>,
    remote: bool,
) -> Option<(String, usize)> {
    if html.len() > LARGEST_BYTES || deepest(html) > DEEPEST_TREE {
        return None;
    }
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&elsewhere);
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid", "data"]))
        .add_tags(["font"])
        .rm_tags(["map", "area"])
        .link_rel(Some("noopener noreferrer nofollow"))
        .tag_attributes(tag_attributes())
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(move |element, attribute, value| {
            let address = value.trim().to_lowercase();
            match (element, attribute) {
                ("img", "src") => {
                    if let Some(id) = address.strip_prefix("cid:") {
                        return pictures.get(id).map(|data| data.clone().into());
                    }
                    let from_elsewhere = address.starts_with("http://") || address.starts_with("https://");
                    if from_elsewhere {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    (from_elsewhere && remote).then(|| value.into())
                }
                (_, "src" | "background" | "srcset" | "poster") => None,
                ("a", "href") => (!address.starts_with("cid:") && !address.starts_with("data:")).then(|| value.into()),
                _ => Some(value.into()),
            }
        });
    let clean = builder.clean(html).to_string();
    Some((clean, elsewhere.load(Ordering::Relaxed)))
}

/// Bytes as a `data:` address (RFC 2397).
pub(crate) fn data_url(media_type: &str, bytes: &[u8]) -> String {
    use base64::Engine as _;
    format!("data:{media_type};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Elements nested deeper than this come from no mailer; the tree builder takes time by the square of the depth.
const DEEPEST_TREE: usize = 200;

/// How deep open elements stand in each other, those left aside that close each other or hold nothing.
fn deepest(html: &str) -> usize {
    #[derive(Default)]
    struct Depth(Cell<(usize, usize)>);

    impl TokenSink for Depth {
        type Handle = ();

        fn process_token(&self, token: Token, _line_number: u64) -> TokenSinkResult<()> {
            if let Token::TagToken(tag) = token
                && !NOT_NESTING.contains(&&*tag.name)
            {
                let (now, most) = self.0.get();
                let now = if tag.kind == TagKind::StartTag { now + 1 } else { now.saturating_sub(1) };
                self.0.set((now, most.max(now)));
            }
            TokenSinkResult::Continue
        }
    }

    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Depth::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.get().1
}

/// Elements that hold nothing, or that the next of their kind closes.
const NOT_NESTING: [&str; 26] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p",
    "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "tfoot", "colgroup",
];

/// Attributes that carry neither style nor addresses, but for links and pictures.
fn tag_attributes() -> HashMap<&'static str, HashSet<&'static str>> {
    HashMap::from([
        ("a", HashSet::from(["href"])),
        ("img", HashSet::from(["src", "alt", "width", "height"])),
        ("font", HashSet::from(["color"])),
        ("td", HashSet::from(["colspan", "rowspan", "align"])),
        ("th", HashSet::from(["colspan", "rowspan", "align"])),
        ("ol", HashSet::from(["start"])),
    ])
}

/// The HTML as text: blocks and line breaks become lines, cited blocks get `> ` before each line.
///
/// What is not displayed is left out, such as the preview lines of newsletters, unless nothing else is there.
pub(crate) fn to_text(html: &str) -> String {
    let text = render(html, false);
    if text.trim().is_empty() { render(html, true) } else { text }
}

fn render(html: &str, everything: bool) -> String {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let tokenizer =
        Tokenizer::new(Rendition(RefCell::new(Page { everything, ..Page::default() })), TokenizerOpts::default());
    // The sink never asks for a pause, so that one call takes it all.
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.finish()
}

struct Rendition(RefCell<Page>);

#[derive(Default)]
struct Page {
    text: String,
    line: String,
    blank_lines: usize,
    space: bool,
    preformatted: usize,
    quote_depth: usize,
    /// For each open `blockquote` or `div` whether it raised the quote depth.
    open: Vec<(bool, bool)>,
    /// Whether elements that are not displayed are rendered too.
    everything: bool,
    hidden: Option<String>,
    /// How many elements of the hidden one's name are open within it.
    hidden_depth: usize,
    row_began: bool,
}

impl Page {
    fn words(&mut self, text: &str) {
        for character in text.chars() {
            if self.preformatted > 0 {
                if character == '\n' {
                    self.end_line(true);
                } else if character != '\r' {
                    self.line.push(character);
                }
            } else if character.is_ascii_whitespace() {
                self.space = true;
            } else {
                if self.space && !self.line.is_empty() && !self.line.ends_with(' ') {
                    self.line.push(' ');
                }
                self.space = false;
                self.line.push(if character == '\u{a0}' { ' ' } else { character });
            }
        }
    }

    /// Ends the line; an empty one counts only when it was asked for by `br` or a line end in `pre`.
    fn end_line(&mut self, forced: bool) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_end();
        self.space = false;
        if line.is_empty() {
            if forced && self.blank_lines < 1 && !self.text.is_empty() {
                self.push_prefix();
                self.text.push('\n');
                self.blank_lines += 1;
            }
            return;
        }
        self.push_prefix();
        self.text.push_str(line);
        self.text.push('\n');
        self.blank_lines = 0;
    }

    fn push_prefix(&mut self) {
        self.text.extend(std::iter::repeat_n("> ", self.quote_depth.min(8)));
    }

    fn paragraph(&mut self) {
        self.end_line(false);
        self.end_line(true);
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if let Some(hidden) = &self.hidden {
            if hidden == name {
                match (tag.kind, self.hidden_depth) {
                    (TagKind::StartTag, depth) => self.hidden_depth = depth + usize::from(!tag.self_closing),
                    (TagKind::EndTag, 0) => self.hidden = None,
                    (TagKind::EndTag, depth) => self.hidden_depth = depth - 1,
                }
            }
            return TokenSinkResult::Continue;
        }
        let start = tag.kind == TagKind::StartTag;
        if start && !tag.self_closing && !self.everything && HIDEABLE.contains(&name) && not_displayed(tag) {
            self.hidden = Some(name.to_owned());
            self.hidden_depth = 0;
            return TokenSinkResult::Continue;
        }
        match name {
            "script" | "style" | "title" | "noscript" | "template" | "textarea" if start && !tag.self_closing => {
                self.hidden = Some(name.to_owned());
                self.hidden_depth = 0;
                match name {
                    "script" => return TokenSinkResult::RawData(RawKind::ScriptData),
                    "style" | "noscript" => return TokenSinkResult::RawData(RawKind::Rawtext),
                    "title" | "textarea" => return TokenSinkResult::RawData(RawKind::Rcdata),
                    _ => {}
                }
            }
            "br" => {
                let empty = self.line.trim().is_empty();
                self.end_line(empty);
            }
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl" | "table" => self.paragraph(),
            "hr" if start => {
                self.end_line(false);
                self.line.push_str("----------");
                self.end_line(false);
            }
            "li" if start => {
                self.end_line(false);
                self.line.push_str("- ");
            }
            "tr" => {
                self.end_line(false);
                self.row_began = start;
            }
            "td" | "th" if start => {
                let first = std::mem::take(&mut self.row_began);
                self.line.push_str(if first || self.line.is_empty() { "" } else { "\t" });
            }
            "pre" => {
                self.end_line(false);
                self.preformatted = if start { self.preformatted + 1 } else { self.preformatted.saturating_sub(1) };
            }
            "img" if start => {
                let alt = tag
                    .attrs
                    .iter()
                    .find(|attribute| &*attribute.name.local == "alt")
                    .map(|attribute| attribute.value.to_string());
                if let Some(alt) = alt.filter(|alt| !alt.trim().is_empty()) {
                    self.words(&alt);
                }
            }
            "blockquote" | "div" => self.block(name == "blockquote", start, tag),
            "section" | "article" | "header" | "footer" | "li" | "dt" | "dd" | "address" | "center" | "form"
            | "body" => self.end_line(false),
            _ => {}
        }
        TokenSinkResult::Continue
    }

    fn block(&mut self, blockquote: bool, start: bool, tag: &Tag) {
        self.end_line(false);
        if start {
            let cited = blockquote && !tag.attrs.iter().any(indents);
            // Depth is bounded, so that looking for the opening tag stays cheap on hostile nesting.
            if self.open.len() < DEEPEST_BLOCKS {
                self.quote_depth += usize::from(cited);
                self.open.push((blockquote, cited));
            }
        } else if let Some(place) = self.open.iter().rposition(|(quote, _)| *quote == blockquote) {
            let closed = self.open.split_off(place);
            let cited = closed.iter().filter(|(_, cited)| *cited).count();
            self.quote_depth = self.quote_depth.saturating_sub(cited);
        }
    }
}

/// Whether an attribute says that a `blockquote` only indents what its writer wrote: word processors name it so, and Gmail
/// and Apple Mail take every border away from it. Those that mailers cite with have a border, or no style at all.
fn indents(attribute: &html5ever::Attribute) -> bool {
    let value = attribute.value.to_lowercase();
    match &*attribute.name.local {
        "class" => value.contains("indent"),
        "style" => {
            let style: String = value.split_whitespace().collect();
            style.contains("border:none") && style.contains("margin:") && !style.contains("border-left:")
        }
        _ => false,
    }
}

/// Elements that are always closed, so that hiding them cannot hide what follows.
const HIDEABLE: [&str; 5] = ["div", "span", "table", "section", "center"];

fn not_displayed(tag: &Tag) -> bool {
    tag.attrs.iter().any(|attribute| match &*attribute.name.local {
        "hidden" => true,
        "style" => {
            let style: String = attribute
                .value
                .chars()
                .filter(|character| !character.is_whitespace())
                .collect::<String>()
                .to_lowercase();
            style.split(';').any(|rule| matches!(rule, "display:none" | "display:none!important"))
        }
        _ => false,
    })
}

impl TokenSink for Rendition {
    type Handle = ();

    fn process_token(&self, token: Token, _line_number: u64) -> TokenSinkResult<()> {
        let mut page = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) => page.tag(&tag),
            Token::CharacterTokens(text) => {
                if page.hidden.is_none() {
                    page.words(&text);
                }
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

impl Rendition {
    fn finish(self) -> String {
        let mut page = self.0.into_inner();
        page.end_line(false);
        page.text.truncate(page.text.trim_end().len());
        page.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_runs_and_nothing_loads() {
        let dirty = r#"<p onclick="x()" style="background:url(http://t.example/p)">路灯<script>alert(1)</script>
            <img src="http://t.example/pixel.gif" alt="p"><img src="cid:photo1@x" onerror="x()">
            <a href="javascript:x()">a</a><a href="https://city.example/">b</a>
            <iframe src="https://evil.example"></iframe><form action="https://evil.example"><input name=a></form>
            <link rel=stylesheet href="https://evil.example/s.css"><style>p{background:url(//evil.example)}</style>
            <table background="http://t.example/b.png"><tr><td>c</td></tr></table>
            <svg><image href="http://t.example/x"/></svg><video poster="http://t.example/v" src="http://t.example/v"></video></p>"#;
        let safe = sanitise(dirty).expect("small enough");
        for bad in [
            "t.example",
            "evil.example",
            "script",
            "onclick",
            "onerror",
            "style",
            "javascript",
            "<form",
            "<input",
            "<iframe",
        ] {
            assert!(!safe.contains(bad), "{bad} stands in {safe}");
        }
        for good in ["路灯", "cid:photo1@x", "https://city.example/", "<td>c</td>"] {
            assert!(safe.contains(good), "{good} is missing in {safe}");
        }
    }

    #[test]
    fn text_renditions() {
        for (html, text) in [
            ("<p>一</p><p>二</p>", "一\n\n二"),
            ("a<br>b<br><br>c", "a\nb\n\nc"),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
            ("a &amp; b&nbsp;c &#36335;&#28783;", "a & b c 路灯"),
            ("<head><title>t</title><style>p{}</style></head><body>x<script>if(a<b){}</script>y</body>", "xy"),
            ("<ul><li>一<li>二</ul>", "- 一\n- 二"),
            ("<table><tr><td>a<td>b<tr><td>c</table>", "a\tb\nc"),
            ("answer<blockquote type=cite>asked<br>twice</blockquote>", "answer\n> asked\n> twice"),
            (
                "a<blockquote style=\"margin: 0 0 0 40px; border: none; padding: 0px\">indented</blockquote>b",
                "a\nindented\nb",
            ),
            ("a<blockquote style=\"margin:0 0 0 .8ex;border-left:1px #ccc solid\">cited</blockquote>", "a\n> cited"),
            ("<pre>a\n  b</pre>", "a\n  b"),
            ("<b>unclosed <i>tags", "unclosed tags"),
            ("plain\ntext", "plain text"),
            ("<div style='color:red; display: none;'>preview<div>more</div>s</div><p>lamp</p>", "lamp"),
            ("<div style='display:none'>all there is</div>", "all there is"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn hostile_depth_is_shown_as_text_only() {
        let deep = format!("{}x", "<div><blockquote>".repeat(2000));
        assert_eq!(sanitise(&deep), None);
        assert!(to_text(&deep).ends_with('x'));
        let sloppy = "<p>a<br><li>b<td>c".repeat(500);
        assert!(sanitise(&sloppy).is_some());
    }

    proptest! {
        #[test]
        fn no_html_panics(html in "(<[a-z/!]{0,10}|>|\\PC|&[a-z#0-9]{0,5};){0,60}") {
            let _ = to_text(&html);
            let _ = sanitise(&html);
        }
    }
}
