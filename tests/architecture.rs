//! The walls of the house: which room may use which, and a few rules that lints cannot keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Room → what it may use of ours. `room::module` allows that one module only. What is not listed is forbidden.
const ARROWS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("domain", &[]),
    ("http_answer", &[]),
    ("linkedin", &["http_answer"]),
    ("destination_address", &[]),
    ("dataverse", &["destination_address", "http_answer"]),
    ("oidc", &[]),
    ("mail", &[]),
    ("store", &["domain", "clock"]),
    // The fault matrix and the tests speak the wire; the sandbox knows nothing of what we make of it.
    ("sandbox", &["linkedin::wire", "clock"]),
    ("telemetry", &["settings"]),
    (
        "settings",
        &[
            "mail",
            "store::DatabaseUrl",
            "auth::secret_key",
            "domain::connections",
            "domain::normalise",
            "destination_address",
            // What an issuer is.
            "oidc",
        ],
    ),
    ("auth", &["store", "domain", "clock", "settings", "oidc"]),
    (
        "sync",
        &[
            "mail",
            "store",
            "domain",
            "linkedin",
            "http_answer",
            "dataverse",
            "clock",
            "settings",
            "telemetry",
            // Tokens are opened where they are used.
            "auth::secret_key",
            "destination_address",
        ],
    ),
    (
        "web",
        &[
            "mail::MailSettings",
            "auth",
            "store",
            "domain",
            "clock",
            "settings",
            "telemetry",
            "sync",
            "destination_address",
            "oidc",
        ],
    ),
    (
        "app",
        &[
            "mail",
            "web",
            "sync",
            "auth",
            "store",
            "domain",
            "linkedin",
            "dataverse",
            "oidc",
            "clock",
            "settings",
            "telemetry",
            "destination_address",
        ],
    ),
    (
        "commands",
        &[
            "app",
            "web",
            "sync",
            "auth",
            "store",
            "domain",
            "linkedin",
            "clock",
            "settings",
            "telemetry",
            "sandbox",
            // The demonstration lets the portal reach the sandbox beside it.
            "destination_address",
        ],
    ),
    ("main", &["commands", "telemetry"]),
    ("lib", &[]),
];

/// Crate → rooms that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("diesel", &["store"]),
    ("diesel_migrations", &["store"]),
    ("r2d2", &["store"]),
    ("askama", &["web", "sandbox"]),
    ("actix_session", &["auth", "web"]),
    ("actix_web", &["web", "auth", "sandbox", "app", "telemetry"]),
    ("oauth2", &["linkedin", "oidc"]),
    ("lettre", &["mail"]),
    ("utoipa", &["web"]),
    (
        "reqwest",
        &[
            "linkedin",
            "oidc",
            "dataverse",
            // Messages to webhooks have no wire but HTTP.
            "sync",
            "commands",
            "app",
            "sandbox",
            // What destinations may be is kept by the HTTP client.
            "destination_address",
            "http_answer",
            "settings",
        ],
    ),
    ("clap", &["main", "commands"]),
];

/// All that the domain may use of others: no input, no output, no clock.
const CRATES_OF_THE_DOMAIN: &[&str] = &[
    "std",
    "core",
    "alloc",
    "chrono",
    "chrono_tz",
    "serde",
    "serde_json",
    "thiserror",
    "uuid",
    "phonenumber",
    "unicode_normalization",
    "email_address",
    "url",
    "proptest",
];

struct Source {
    path: PathBuf,
    /// Path below `src`, for messages.
    name: String,
    /// First module: `store`, or `main` and `lib` for those files.
    room: String,
    /// Module path: `["store", "leads"]`.
    module: Vec<String>,
    text: String,
    /// The text without comments and the insides of literals.
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path, ending));
        } else if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let base = root().join("src");
    files_below(&base, "rs")
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&base).unwrap();
            let mut module: Vec<String> = relative
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            Source {
                name: format!("src/{}", relative.display()),
                room: module[0].clone(),
                code: without_comments_and_literals(&text),
                module,
                text,
                path,
            }
        })
        .collect()
}

/// Blanks out comments, strings and characters, so that only code is read.
fn without_comments_and_literals(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let peek = |at: usize| characters.get(at).copied().unwrap_or('\0');
    while at < characters.len() {
        let current = characters[at];
        if current == '/' && peek(at + 1) == '/' {
            while at < characters.len() && characters[at] != '\n' {
                at += 1;
            }
        } else if current == '/' && peek(at + 1) == '*' {
            let mut depth = 0;
            while at < characters.len() {
                if characters[at] == '/' && peek(at + 1) == '*' {
                    depth += 1;
                    at += 2;
                } else if characters[at] == '*' && peek(at + 1) == '/' {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    at += 1;
                }
            }
        } else if current == 'r'
            && (peek(at + 1) == '"' || peek(at + 1) == '#' && matches!(peek(at + 2), '"' | '#'))
            && !code.ends_with(|last: char| last.is_alphanumeric() || last == '_')
        {
            let mut hashes = 0;
            at += 1;
            while peek(at) == '#' {
                hashes += 1;
                at += 1;
            }
            at += 1;
            while at < characters.len()
                && !(characters[at] == '"' && (0..hashes).all(|step| peek(at + 1 + step) == '#'))
            {
                at += 1;
            }
            at += 1 + hashes;
            code.push_str("\"\"");
        } else if current == '"' {
            at += 1;
            while at < characters.len() && characters[at] != '"' {
                at += if characters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
            code.push_str("\"\"");
        } else if current == '\'' && peek(at + 1) == '\\' {
            at += 3;
            while at < characters.len() && characters[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if current == '\'' && peek(at + 2) == '\'' {
            at += 3;
        } else {
            code.push(current);
            at += 1;
        }
    }
    code
}

/// Every path below `head::` in the code, two segments long: `crate::{a::b, c}` gives `a::b` and `c`.
fn paths_below(code: &str, head: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let needle = format!("{head}::");
    let mut rest = code;
    let mut before = ' ';
    while let Some(at) = rest.find(&needle) {
        let previous = rest[..at].chars().next_back().unwrap_or(before);
        rest = &rest[at + needle.len()..];
        before = ':';
        if previous.is_alphanumeric() || previous == '_' || previous == ':' && head != "super" {
            continue;
        }
        found.extend(heads(rest));
    }
    found
}

/// The first two segments of what stands at the beginning of `text`, or of each member of a group.
fn heads(text: &str) -> Vec<String> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 1;
        let mut members = vec![String::new()];
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => members.push(String::new()),
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if !(character == ',' && depth == 1) {
                members.last_mut().unwrap().push(character);
            }
        }
        return members.iter().flat_map(|member| heads(member)).collect();
    }
    let identifier = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let first = identifier(text);
    if first.is_empty() {
        return Vec::new();
    }
    match text[first.len()..].strip_prefix("::") {
        Some(rest) if rest.trim_start().starts_with('{') => heads(rest)
            .into_iter()
            .map(|second| format!("{first}::{}", second.split("::").next().unwrap()))
            .collect(),
        Some(rest) => {
            let second = identifier(rest);
            vec![if second.is_empty() {
                first
            } else {
                format!("{first}::{second}")
            }]
        }
        None => vec![first],
    }
}

/// What of ours a file uses: `room::module`.
fn uses(source: &Source, rooms: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = paths_below(&source.code, "crate");
    found.extend(paths_below(&source.code, "leadgen"));
    // From inside of `room::module`, as many `super` as there are modules lead to the root.
    let climb = vec!["super"; source.module.len()].join("::");
    found.extend(paths_below(&source.code, &climb));
    found.retain(|path| rooms.contains(path.split("::").next().unwrap()));
    found
}

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let sources = sources();
    let rooms: BTreeSet<String> = sources.iter().map(|source| source.room.clone()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut problems = Vec::new();
    for source in &sources {
        let Some(allowed) = arrows.get(source.room.as_str()) else {
            problems.push(format!(
                "{}: the room `{}` has no arrows in tests/architecture.rs",
                source.name, source.room
            ));
            continue;
        };
        for path in uses(source, &rooms) {
            let room = path.split("::").next().unwrap();
            let is_allowed =
                room == source.room || allowed.iter().any(|arrow| *arrow == room || *arrow == path);
            if !is_allowed {
                problems.push(format!(
                    "{} uses crate::{path}: `{}` may use {:?}",
                    source.name, source.room, allowed
                ));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn each_crate_is_named_only_in_its_rooms() {
    let mut problems = Vec::new();
    for source in sources() {
        for (name, rooms) in CRATES {
            if !rooms.contains(&source.room.as_str()) && mentions_crate(&source.code, name) {
                problems.push(format!(
                    "{} names the crate {name}: only {rooms:?} may",
                    source.name
                ));
            }
        }
    }
    fail_on(&problems);
}

fn mentions_crate(code: &str, name: &str) -> bool {
    let needle = format!("{name}::");
    code.match_indices(&needle).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        // `::diesel::` is the crate, `crate::diesel::` would be ours.
        let is_longer_name = before.is_alphanumeric() || before == '_';
        let is_ours = code[..at].ends_with("crate::") || code[..at].ends_with("self::");
        !is_longer_name && !is_ours
    })
}

#[test]
fn the_domain_is_pure() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|source| source.room == "domain") {
        for line in source.code.lines().map(str::trim) {
            let Some(rest) = line
                .strip_prefix("use ")
                .or_else(|| line.strip_prefix("pub use "))
            else {
                continue;
            };
            let head: String = rest
                .trim_start_matches("::")
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            // A capital begins a type that is here already (`use MatchingStatus as Status`).
            let is_ours = matches!(head.as_str(), "super" | "self" | "crate")
                || head.starts_with(char::is_uppercase);
            let is_local_module = source.text.contains(&format!("mod {head};"))
                || source.text.contains(&format!("mod {head} "))
                || source.text.contains(&format!("enum {head}"));
            if !is_ours && !is_local_module && !CRATES_OF_THE_DOMAIN.contains(&head.as_str()) {
                problems.push(format!("{}: `{line}`", source.name));
            }
        }
        for forbidden in [
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "tokio::",
            "async fn",
        ] {
            if source.code.contains(forbidden) {
                problems.push(format!("{}: {forbidden}", source.name));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn only_the_clock_asks_for_the_time() {
    let mut problems = Vec::new();
    for source in sources() {
        for call in ["Utc::now", "Local::now", "SystemTime::now"] {
            if source.name != "src/clock.rs" && source.code.contains(call) {
                problems.push(format!("{}: {call}", source.name));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn only_settings_and_commands_read_the_environment() {
    let mut problems = Vec::new();
    for source in sources() {
        for call in ["env::var(", "env::vars(", "env::var_os(", "env::vars_os("] {
            if !matches!(source.room.as_str(), "settings" | "commands" | "main")
                && source.code.contains(call)
            {
                problems.push(format!("{}: {call}", source.name));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut problems = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            problems.push(format!("{} does not begin with //!", source.name));
        }
    }
    for path in files_below(&root().join("tests"), "rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            problems.push(format!("{} does not begin with //!", path.display()));
        }
    }
    fail_on(&problems);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let empty = [
        "util", "utils", "helper", "helpers", "common", "manager", "service", "services", "info",
        "misc",
    ];
    let problems: Vec<String> = sources()
        .iter()
        .filter(|source| {
            source
                .module
                .iter()
                .any(|part| empty.contains(&part.as_str()))
        })
        .map(|source| source.path.display().to_string())
        .collect();
    fail_on(&problems);
}

#[test]
fn templates_trust_nothing_and_hold_no_inline_code() {
    let mut problems = Vec::new();
    for path in files_below(&root().join("templates"), "html") {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let folded: String = line
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect::<String>()
                .to_lowercase();
            let has_handler = line.split_whitespace().any(|word| {
                word.strip_prefix("on")
                    .and_then(|rest| rest.split_once("=\""))
                    .is_some_and(|(event, _)| event.chars().all(|c| c.is_ascii_lowercase()))
            });
            if folded.contains("|safe")
                || folded.contains("escape=\"none\"")
                || folded.contains("<style")
                || folded.contains("<script>")
                || folded.contains("javascript:")
                || line.contains(" style=")
                || has_handler
            {
                problems.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn nothing_outside_of_the_tree_is_loaded_by_a_page() {
    let mut problems = Vec::new();
    for ending in ["html", "css", "js"] {
        for folder in ["templates", "static"] {
            for path in files_below(&root().join(folder), ending) {
                let text = std::fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    let loads = [
                        "src=\"http",
                        "src=\"//",
                        "@import",
                        "url(http",
                        "url(//",
                        "fetch(\"http",
                        "<link rel=\"stylesheet\" href=\"http",
                    ];
                    if loads.iter().any(|load| line.contains(load)) {
                        problems.push(format!(
                            "{}:{}: {}",
                            path.display(),
                            number + 1,
                            line.trim()
                        ));
                    }
                }
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn the_reader_of_this_test_sees_what_it_should() {
    let code = without_comments_and_literals(
        "// use crate::web\nuse crate::{domain::ids, store};\nlet a = \"crate::sync\"; crate::linkedin::wire::X; r#\"crate::app\"#; 'c'; &'a str",
    );
    assert_eq!(
        paths_below(&code, "crate").into_iter().collect::<Vec<_>>(),
        ["domain::ids", "linkedin::wire", "store"]
    );
    assert!(mentions_crate("use diesel::prelude;", "diesel"));
    assert!(!mentions_crate("use crate::diesel::prelude;", "diesel"));
    assert!(!mentions_crate("my_diesel::x", "diesel"));
}
