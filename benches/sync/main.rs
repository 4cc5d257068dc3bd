//! The sync benchmark: the whole job beside the limits measured in the same run, each in a process of its own.
//!
//! `cargo bench --bench sync` runs 100,000 responses on SQLite and, with `LEADGEN_TEST_DATABASE_URL`, on PostgreSQL;
//! `-- --responses N --runs N --page-size N` change the work. `-- others` runs what people would use instead, on the same
//! pages; `-- delivery` sends the leads on to Dynamics 365; `-- growth` shows memory and cost as the table grows to a million responses (see `others.rs`). Wall seconds, CPU seconds and peak memory are the
//! operating system's account of each process; the server of the pages is another process and counts nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]

mod delivery;
mod job;
mod others;
mod pages;
mod plain;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// What one process took.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Figures {
    /// Seconds on the wall.
    pub wall: f64,
    /// Seconds of user and system time.
    pub cpu: f64,
    /// Peak resident memory, MiB.
    pub peak: f64,
    /// Resident memory after a tenth, half and all of the time, MiB; zero where nobody looked.
    #[serde(default)]
    pub resident: [f64; 3],
    /// Records that were worked on; zero where nobody counted.
    #[serde(default)]
    pub records: usize,
}

struct Options {
    responses: usize,
    page_size: usize,
    runs: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => {
            return pages::serve(arguments[1].parse().unwrap(), arguments[2].parse().unwrap());
        }
        Some("job") => {
            return print(&job::whole(
                &arguments[1],
                &arguments[2],
                arguments[3].parse().unwrap(),
                false,
            ));
        }
        Some("again") => {
            return print(&job::whole(
                &arguments[1],
                &arguments[2],
                arguments[3].parse().unwrap(),
                true,
            ));
        }
        Some("fetch") => {
            return print(&job::fetch_and_parse(
                &arguments[1],
                arguments[2].parse().unwrap(),
            ));
        }
        Some("serve-dataverse") => return delivery::serve(&arguments[1]),
        Some("deliver") => {
            return print(&delivery::deliver(
                &arguments[1],
                &arguments[2],
                &arguments[3],
            ));
        }
        Some("plain") => return print(&plain::write(&arguments[1], &arguments[2])),
        _ => {}
    }
    let mut options = Options {
        responses: 100_000,
        page_size: 1_000,
        runs: 3,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = || {
            rest.clone()
                .next()
                .and_then(|v| v.parse().ok())
                .expect("a number after the option")
        };
        match name.as_str() {
            "--responses" => options.responses = value(),
            "--page-size" => options.page_size = value(),
            "--runs" => options.runs = value(),
            _ => {}
        }
    }
    match arguments.first().map(String::as_str) {
        Some("others") => others::compare(&options),
        Some("delivery") => delivery::compare(&options),
        Some("growth") => others::growth(&options),
        _ => compare(&options),
    }
}

fn print(figures: &Figures) {
    println!("{}", serde_json::to_string(figures).unwrap());
}

/// Runs this program again with other arguments and reads what it measured of itself.
fn measured(arguments: &[&str]) -> Figures {
    run(Command::new(std::env::current_exe().unwrap()).args(arguments))
}

/// Runs a program that prints its figures as the last line.
fn run(command: &mut Command) -> Figures {
    let output = command
        .env("LEADGEN_LOG", "warn")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Runs this program with other arguments; it prints its address.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self(child, line.trim().to_owned())
    }
}

/// Serves so many responses, from this number on.
fn server(responses: usize, first: usize) -> Server {
    Server::start(&["serve", &responses.to_string(), &first.to_string()])
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Makes the URL of a fresh database of this name.
type Fresh = Box<dyn Fn(&str) -> String>;

/// SQLite in this folder and, where the environment names a server, PostgreSQL.
fn databases(folder: &std::path::Path) -> Vec<(&'static str, Fresh)> {
    let folder = folder.to_path_buf();
    let mut databases: Vec<(&str, Fresh)> = vec![(
        "SQLite",
        Box::new(move |name| format!("sqlite://{}/{name}.db", folder.display())),
    )];
    if let Ok(url) = std::env::var("LEADGEN_TEST_DATABASE_URL") {
        databases.push((
            "PostgreSQL",
            Box::new(move |name| plain::fresh_postgres(&url, name)),
        ));
    }
    databases
}

fn compare(options: &Options) {
    let server = server(options.responses, 0);
    let page = options.page_size.to_string();
    let folder = tempfile::tempdir().unwrap();
    let databases = databases(folder.path());
    println!(
        "{} responses of 8 answers, 20 % repeat an e-mail address; {} a page; medians of {} runs",
        options.responses, page, options.runs
    );
    println!("| what | database | wall s | CPU s | peak MiB | responses/s |");
    println!("|---|---|---|---|---|---|");
    let row = |what: &str, database: &str, all: &[Figures]| {
        let (wall, cpu) = (
            median(all.iter().map(|f| f.wall).collect()),
            median(all.iter().map(|f| f.cpu).collect()),
        );
        let peak = median(all.iter().map(|f| f.peak).collect());
        println!(
            "| {what} | {database} | {wall:.2} | {cpu:.2} | {peak:.0} | {:.0} |",
            options.responses as f64 / wall
        );
    };
    let fetch: Vec<Figures> = (0..options.runs)
        .map(|_| measured(&["fetch", &server.1, &page]))
        .collect();
    row("limit: fetch and parse", "–", &fetch);
    for (system, url) in &databases {
        let mut figures: BTreeMap<&str, Vec<Figures>> = BTreeMap::new();
        for run in 0..options.runs {
            let job = url(&format!("job_{run}"));
            let plain = url(&format!("plain_{run}"));
            figures
                .entry("job")
                .or_default()
                .push(measured(&["job", &job, &server.1, &page]));
            figures
                .entry("plain")
                .or_default()
                .push(measured(&["plain", &job, &plain]));
            figures
                .entry("again")
                .or_default()
                .push(measured(&["again", &job, &server.1, &page]));
        }
        row(
            "limit: the same rows by prepared statements",
            system,
            &figures["plain"],
        );
        row("**the whole job**", system, &figures["job"]);
        row("**again, nothing changed**", system, &figures["again"]);
        let ratio = |a: &str, b: &[Figures], of: fn(&Figures) -> f64| {
            median(
                figures[a]
                    .iter()
                    .zip(b)
                    .map(|(a, b)| of(a) / of(b))
                    .collect(),
            )
        };
        println!(
            "ratios on {system}: whole job ÷ same rows = {:.2} (wall), {:.2} (CPU); again ÷ fetch and parse = {:.2} (wall), {:.2} (CPU)",
            ratio("job", &figures["plain"], |f| f.wall),
            ratio("job", &figures["plain"], |f| f.cpu),
            ratio("again", &fetch, |f| f.wall),
            ratio("again", &fetch, |f| f.cpu),
        );
    }
}

/// Measures what this process has used so far.
pub fn figures(begun: std::time::Instant, cpu_before: f64) -> Figures {
    Figures {
        wall: begun.elapsed().as_secs_f64(),
        cpu: cpu_seconds() - cpu_before,
        peak: memory("VmHWM:"),
        resident: [0.0; 3],
        records: 0,
    }
}

/// A line of the kernel's account of this process's memory, in MiB.
pub fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib: f64 = status
        .lines()
        .find_map(|text| text.strip_prefix(line))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap();
    kib / 1024.0
}

/// User and system time of this process, in seconds.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let rest = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = rest.split(' ').collect();
    // Clock ticks of 1/100 s on every Linux that Rust supports.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
