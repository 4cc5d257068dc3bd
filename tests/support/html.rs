//! A small reader of our own pages: forms, links, visible text. It reads well-formed HTML and fails loudly on other.

use std::collections::BTreeMap;

/// A piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// `<name attribute="value">`
    Open(String, BTreeMap<String, String>),
    /// `</name>`
    Close(String),
    /// What stands between tags, entities resolved.
    Text(String),
}

/// A form with what a browser would send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it goes; empty: to the page itself.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// Names and values as they stand on the page, in order; buttons are not among them.
    pub fields: Vec<(String, String)>,
    /// Every control's name, unticked boxes and empty selects included.
    pub names: Vec<String>,
    /// Buttons: name (may be empty), value, text.
    pub buttons: Vec<(String, String, String)>,
    /// Values of the options of each select.
    pub options: BTreeMap<String, Vec<(String, String)>>,
}

/// Cuts a page into pieces.
pub fn pieces(html: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        if start > 0 {
            pieces.push(Piece::Text(unescape(&rest[..start])));
        }
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("<!--") {
            let end = after.find("-->").expect("a comment ends");
            rest = &after[end + 3..];
        } else if rest.starts_with("<!") {
            rest = &rest[rest.find('>').expect("a declaration ends") + 1..];
        } else if let Some(after) = rest.strip_prefix("</") {
            let end = after.find('>').expect("a closing tag ends");
            pieces.push(Piece::Close(after[..end].trim().to_ascii_lowercase()));
            rest = &after[end + 1..];
        } else {
            let (name, attributes, after) = open_tag(&rest[1..]);
            rest = after;
            let raw = matches!(name.as_str(), "script" | "style");
            pieces.push(Piece::Open(name.clone(), attributes));
            if raw {
                let close = format!("</{name}");
                let end = rest.find(&close).expect("a script or style ends");
                rest = &rest[end..];
            }
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(unescape(rest)));
    }
    pieces
}

fn open_tag(text: &str) -> (String, BTreeMap<String, String>, &str) {
    let name_end = text
        .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .expect("a tag ends");
    let name = text[..name_end].to_ascii_lowercase();
    let mut attributes = BTreeMap::new();
    let mut rest = &text[name_end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        let key_end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
            .expect("an attribute ends");
        let key = rest[..key_end].to_ascii_lowercase();
        rest = rest[key_end..].trim_start();
        let value = if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            match after.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let end = after[1..].find(quote).expect("a quoted value ends") + 1;
                    rest = &after[end + 1..];
                    unescape(&after[1..end])
                }
                _ => {
                    let end = after
                        .find(|c: char| c.is_whitespace() || c == '>')
                        .expect("a value ends");
                    rest = &after[end..];
                    unescape(&after[..end])
                }
            }
        } else {
            String::new()
        };
        attributes.entry(key).or_insert(value);
    }
}

/// Resolves the entities that our templates and the browser's own escaping use.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let resolved = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let name = &rest[1..end];
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, end + 1))
        });
        match resolved {
            Some((character, length)) => {
                plain.push(character);
                rest = &rest[length..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// What a person reads: all text outside of the head, white space folded.
pub fn visible_text(html: &str) -> String {
    let mut text = String::new();
    let mut is_head = false;
    for piece in pieces(html) {
        match piece {
            Piece::Open(name, _) => {
                is_head |= name == "head";
                text.push(' ');
            }
            Piece::Close(name) => {
                is_head &= name != "head";
                text.push(' ');
            }
            Piece::Text(piece) if !is_head => text.push_str(&piece),
            Piece::Text(_) => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Links: address and text.
pub fn links(html: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut open: Option<(String, String)> = None;
    for piece in pieces(html) {
        match piece {
            Piece::Open(name, attributes) if name == "a" => {
                open = attributes
                    .get("href")
                    .map(|href| (href.clone(), String::new()));
            }
            Piece::Close(name) if name == "a" => {
                if let Some((href, text)) = open.take() {
                    links.push((href, text.split_whitespace().collect::<Vec<_>>().join(" ")));
                }
            }
            Piece::Text(piece) => {
                if let Some((_, text)) = &mut open {
                    text.push_str(&piece);
                }
            }
            _ => {}
        }
    }
    links
}

/// All forms of a page, with what a browser would send if nobody touched them.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut is_inside = false;
    let mut select: Option<(String, bool)> = None;
    let mut option: Option<(Option<String>, bool, String)> = None;
    let mut textarea: Option<(String, String)> = None;
    let mut button: Option<(String, String, String)> = None;
    for piece in pieces(html) {
        let form = forms.last_mut().filter(|_| is_inside);
        match piece {
            Piece::Open(name, attributes) => {
                let value_of = |key: &str| attributes.get(key).cloned();
                match (name.as_str(), form) {
                    ("form", _) => {
                        is_inside = true;
                        forms.push(Form {
                            action: value_of("action").unwrap_or_default(),
                            method: value_of("method")
                                .unwrap_or_else(|| "get".into())
                                .to_ascii_lowercase(),
                            ..Form::default()
                        });
                    }
                    ("input", Some(form)) => {
                        let kind = value_of("type").unwrap_or_else(|| "text".into());
                        let field = value_of("name").unwrap_or_default();
                        let is_disabled = attributes.contains_key("disabled");
                        if matches!(kind.as_str(), "submit" | "button" | "image" | "reset") {
                            let value = value_of("value").unwrap_or_default();
                            form.buttons.push((field, value.clone(), value));
                        } else if !field.is_empty() && !is_disabled {
                            form.names.push(field.clone());
                            let is_box = matches!(kind.as_str(), "checkbox" | "radio");
                            if !is_box || attributes.contains_key("checked") {
                                let fallback = if is_box { "on" } else { "" };
                                form.fields.push((
                                    field,
                                    value_of("value").unwrap_or_else(|| fallback.into()),
                                ));
                            }
                        }
                    }
                    ("select", Some(form)) => {
                        let field = value_of("name").unwrap_or_default();
                        form.names.push(field.clone());
                        form.options.entry(field.clone()).or_default();
                        select = Some((field, false));
                    }
                    ("option", Some(_)) => {
                        option = Some((
                            value_of("value"),
                            attributes.contains_key("selected"),
                            String::new(),
                        ));
                    }
                    ("textarea", Some(form)) => {
                        let field = value_of("name").unwrap_or_default();
                        form.names.push(field.clone());
                        textarea = Some((field, String::new()));
                    }
                    ("button", Some(_)) => {
                        button = Some((
                            value_of("name").unwrap_or_default(),
                            value_of("value").unwrap_or_default(),
                            String::new(),
                        ));
                    }
                    _ => {}
                }
            }
            Piece::Text(piece) => {
                if let Some((_, _, text)) = &mut option {
                    text.push_str(&piece);
                } else if let Some((_, text)) = &mut textarea {
                    text.push_str(&piece);
                } else if let Some((_, _, text)) = &mut button {
                    text.push_str(&piece);
                }
            }
            Piece::Close(name) => match (name.as_str(), form) {
                ("form", _) => is_inside = false,
                ("option", Some(form)) => {
                    let (value, is_selected, text) = option.take().expect("an option is open");
                    let text = text.trim().to_owned();
                    let value = value.unwrap_or_else(|| text.clone());
                    // An option outside of a select belongs to a datalist, which sends nothing.
                    let Some((field, has_selected)) = select.as_mut() else {
                        continue;
                    };
                    let options = form.options.entry(field.clone()).or_default();
                    // Without a selected option a browser sends the first one.
                    if is_selected || options.is_empty() {
                        if !*has_selected {
                            form.fields.retain(|(name, _)| name != field);
                        }
                        form.fields.push((field.clone(), value.clone()));
                        *has_selected |= is_selected;
                    }
                    options.push((value, text));
                }
                ("select", _) => select = None,
                ("textarea", Some(form)) => {
                    let (field, text) = textarea.take().expect("a textarea is open");
                    // A browser drops the first line break.
                    let text = text.strip_prefix('\n').unwrap_or(&text).to_owned();
                    form.fields.push((field, text));
                }
                ("button", Some(form)) => {
                    let (name, value, text) = button.take().expect("a button is open");
                    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    form.buttons.push((name, value, text));
                }
                _ => {}
            },
        }
    }
    forms
}
