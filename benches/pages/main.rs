//! The page benchmark: the lists people look at all day over a large history, beside the same bytes served statically.
//!
//! `cargo bench --bench pages` lets the real program make 100,000 submissions on SQLite by its own sync; `-- --leads N`
//! changes that, `-- --requests N` how often each page is asked for, and `-- --database-url URL` where the history goes.
//! CPU is the operating system's account of the serving process for each request; the latencies are those of one
//! connection, first while nothing else happens, then while everything is read again from LinkedIn (a reset).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Paths, and what they show. `{word}` becomes a word of a name that the history holds once or twice.
const PAGES: &[(&str, &str)] = &[
    ("leads, newest 50", "/leads"),
    ("leads, search for a rare address", "/leads?q=omar.1"),
    ("leads, search for a common name", "/leads?q=ivanov"),
    ("leads, search for nothing there is", "/leads?q=zzzzqqqq"),
    (
        "leads, by status and source",
        "/leads?status=new&source=linkedin_sponsored_content",
    ),
    ("form submissions, newest 50", "/form-submissions"),
    (
        "form submissions, match failed",
        "/form-submissions?status=match_failed",
    ),
    ("form submissions, search", "/form-submissions?q=petrov"),
    ("sync status", "/sync-status"),
    ("accounts", "/linkedin-accounts"),
    ("forms", "/forms"),
    ("campaigns", "/campaigns"),
    ("dashboard, 30 days", "/dashboard"),
];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Options {
    leads: String,
    requests: usize,
    database_url: Option<String>,
}

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [mode, file] = arguments.as_slice()
        && mode == "static"
    {
        return serve_bytes(std::fs::read(file).unwrap());
    }
    let mut options = Options {
        leads: "100000".to_owned(),
        requests: 200,
        database_url: None,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().expect("a value after the option").clone();
        match name.as_str() {
            "--leads" => options.leads = value,
            "--requests" => options.requests = value.parse().unwrap(),
            "--database-url" => options.database_url = Some(value),
            other => panic!("unknown option {other}"),
        }
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(compare(&options));
}

/// Answers every request with these bytes, as actix does it.
fn serve_bytes(body: Vec<u8>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let body = actix_web::web::Bytes::from(body);
    actix_web::rt::System::new()
        .block_on(
            actix_web::HttpServer::new(move || {
                let body = body.clone();
                actix_web::App::new().default_service(actix_web::web::to(move || {
                    let body = body.clone();
                    async move {
                        actix_web::HttpResponse::Ok()
                            .content_type("text/html; charset=utf-8")
                            .body(body)
                    }
                }))
            })
            .workers(2)
            .tcp_nodelay(true)
            .listen(listener)
            .unwrap()
            .run(),
        )
        .unwrap();
}

/// The portal of `leadgen demo`, with what it printed: its address and the Administrator's password.
struct Portal {
    process: Running,
    address: String,
    password: String,
}

fn demo(options: &Options, folder: &std::path::Path) -> Portal {
    let url = options
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}/pages.db", folder.display()));
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_leadgen"))
        .args(["demo", "--leads", &options.leads, "--database-url", &url])
        .env("LEADGEN_BIND", format!("127.0.0.1:{port}"))
        .env("LEADGEN_PUBLIC_URL", format!("http://127.0.0.1:{port}"))
        .env("LEADGEN_LOG", "error")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut password = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in &mut lines {
        let line = line.unwrap();
        if line.contains("ada@") {
            password = line.split_whitespace().last().unwrap().to_owned();
        }
        if let Some(word) = ["Leads ", "Submissions ", "Seconds "]
            .into_iter()
            .find(|word| line.starts_with(word))
        {
            println!("{word}{}", line[word.len()..].trim());
        }
        if line.starts_with("Stop with") {
            break;
        }
    }
    std::thread::spawn(move || lines.for_each(drop));
    Portal {
        process: Running(child),
        address: format!("http://127.0.0.1:{port}"),
        password,
    }
}

fn token(html: &str) -> String {
    let after = html.split("name=\"csrf_token\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

async fn sign_in(portal: &Portal) -> (reqwest::Client, String) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(1)
        // The bytes served statically are not compressed either.
        .no_gzip()
        .build()
        .unwrap();
    let page = client
        .get(format!("{}/sign-in", portal.address))
        .send()
        .await
        .unwrap();
    let mut cookies = cookies_of(&page);
    let csrf = token(&page.text().await.unwrap());
    let answer = client
        .post(format!("{}/sign-in", portal.address))
        .header("cookie", &cookies)
        .header("sec-fetch-site", "same-origin")
        .form(&[
            ("csrf_token", csrf.as_str()),
            ("email", "ada@demo.example"),
            ("password", &portal.password),
        ])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303, "the Administrator signs in");
    let fresh = cookies_of(&answer);
    if !fresh.is_empty() {
        cookies = fresh;
    }
    (client, cookies)
}

fn cookies_of(answer: &reqwest::Response) -> String {
    answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next())
        .collect::<Vec<_>>()
        .join("; ")
}

struct Measured {
    /// Seconds, sorted.
    latencies: Vec<f64>,
    /// CPU seconds of the process for one request.
    cpu: f64,
    body: Vec<u8>,
}

impl Measured {
    fn at(&self, share: f64) -> f64 {
        let last = self.latencies.len() - 1;
        self.latencies[(share * last as f64).round() as usize] * 1_000.0
    }
}

async fn measure(
    client: &reqwest::Client,
    cookies: &str,
    url: &str,
    process: u32,
    requests: usize,
) -> Option<Measured> {
    let ask = || async {
        let answer = client
            .get(url)
            .header("cookie", cookies)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    };
    let (status, body) = ask().await;
    if status == 404 {
        return None;
    }
    assert_eq!(status, 200, "{url}");
    let cpu = cpu_seconds(process);
    let mut latencies = Vec::with_capacity(requests);
    for _ in 0..requests {
        let begun = Instant::now();
        assert_eq!(ask().await.0, 200, "{url}");
        latencies.push(begun.elapsed().as_secs_f64());
    }
    let cpu = (cpu_seconds(process) - cpu) / requests as f64;
    latencies.sort_by(f64::total_cmp);
    Some(Measured {
        latencies,
        cpu,
        body: body.to_vec(),
    })
}

fn serve_statically(body: &[u8], folder: &std::path::Path) -> (Running, String) {
    let file = folder.join("body.html");
    std::fs::write(&file, body).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("static")
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (Running(child), line.trim().to_owned())
}

async fn compare(options: &Options) {
    let folder = tempfile::tempdir().unwrap();
    let portal = demo(options, folder.path());
    let process = portal.process.0.id();
    let (client, cookies) = sign_in(&portal).await;
    let mut rows = Vec::new();
    for (name, path) in PAGES {
        let url = format!("{}{path}", portal.address);
        let Some(quiet) = measure(&client, &cookies, &url, process, options.requests).await else {
            continue;
        };
        let (server, address) = serve_statically(&quiet.body, folder.path());
        // The clock of the operating system counts hundredths of seconds: bytes need many requests.
        let bytes = measure(&client, "", &address, server.0.id(), options.requests * 20)
            .await
            .unwrap();
        eprintln!("{name}: p99 {:.1} ms", quiet.at(0.99));
        rows.push((name, url, quiet, bytes.cpu));
    }
    reset(&client, &cookies, &portal).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!(
        "| page | bytes | CPU ms | ÷ static | p50 ms | p99 ms | p99 ms while all is read again |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, url, quiet, bytes) in rows {
        let busy = measure(&client, &cookies, &url, process, options.requests)
            .await
            .unwrap();
        println!(
            "| {name} | {} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} |",
            quiet.body.len(),
            quiet.cpu * 1_000.0,
            quiet.cpu / bytes,
            quiet.at(0.5),
            quiet.at(0.99),
            busy.at(0.99),
        );
    }
}

/// Lets the portal read everything again, so that a sync runs beside the requests.
async fn reset(client: &reqwest::Client, cookies: &str, portal: &Portal) {
    let url = format!("{}/sync-status/resets", portal.address);
    let page = client
        .get(&url)
        .header("cookie", cookies)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let answer = client
        .post(&url)
        .header("cookie", cookies)
        .header("sec-fetch-site", "same-origin")
        .form(&[
            ("csrf_token", token(&page).as_str()),
            ("confirmation", "RESET"),
        ])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 303, "the reset begins");
}

/// User and system time of a process, in seconds.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let rest = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = rest.split(' ').collect();
    // Clock ticks of 1/100 s on every Linux that Rust supports.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
