//! The frame around the sandbox's pages: plain HTML, no script, labelled so that nobody takes it for LinkedIn.

/// Escapes text for element content and attribute values.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8a8f98;--ink:#1b1f24;--paper:#fff;--ground:#f1f3f6;--mark:#6b3fa0;--soft:#f3edfb}
@media (prefers-color-scheme:dark){:root{--ink:#eceef1;--paper:#1e2126;--ground:#14161a;--mark:#c9a6f5;--soft:#2a2338;--line:#868c96}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
.ribbon{background:var(--mark);color:var(--paper);padding:.5rem 1rem;text-align:center;font-weight:600}
main{max-width:44rem;margin:2rem auto;padding:1.5rem 2rem;background:var(--paper);border:1px solid var(--line);border-radius:.75rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
label{display:block;font-weight:600;margin:1rem 0 .25rem}fieldset{border:1px solid var(--line);border-radius:.5rem;margin:1rem 0}
fieldset label{font-weight:400;margin:.25rem 0}legend{font-weight:600}
input[type=text],input[type=email],input[type=password],textarea,select{width:100%;padding:.55rem .7rem;border:1px solid var(--line);border-radius:.4rem;background:var(--paper);color:inherit;font:inherit}
button,.button{display:inline-block;margin:1.25rem .75rem 0 0;padding:.6rem 1.4rem;min-height:2.75rem;border:2px solid var(--mark);border-radius:2rem;background:var(--mark);color:var(--paper);font:inherit;font-weight:600;cursor:pointer;text-decoration:none}
button.plain{background:transparent;color:var(--mark)}:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.note{background:var(--soft);border-left:4px solid var(--mark);padding:.75rem 1rem;border-radius:.25rem}
table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:.45rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
@media (min-width:40rem){td code{white-space:nowrap}}
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}a{color:var(--mark)}.hint{font-weight:400;font-size:.9em}
";

/// A whole page; `content` is HTML already.
pub(super) fn page(title: &str, content: &str) -> String {
    frame(
        title,
        "LinkedIn sandbox",
        "Sandbox: this is not LinkedIn. Everybody here is invented.",
        content,
    )
}

/// A page of another of the sandbox's services.
pub(super) fn frame(title: &str, service: &str, ribbon: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · {service}</title><style>{STYLE}</style></head><body>\
         <div class=\"ribbon\">{ribbon}</div><main><h1>{title}</h1>{content}</main></body></html>",
        title = escape(title)
    )
}
