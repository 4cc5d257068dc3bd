//! The rest of the table: what people would use instead, on the same pages, and what growing to a million costs.
//!
//! The other programs are Python: `LEADGEN_BENCH_PYTHON` names an interpreter that has `requests`, `psycopg2-binary` and
//! `dlt[sqlalchemy]` (a virtual environment outside this folder).

use std::path::Path;
use std::process::Command;

use crate::{Figures, Options, databases, measured, median, run, server};

/// A program of ours in this folder, run by Python.
fn python(script: &str, arguments: &[&str]) -> Option<Figures> {
    let interpreter = std::env::var_os("LEADGEN_BENCH_PYTHON")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sync");
    Some(run(Command::new(interpreter)
        .arg(folder.join(script))
        .args(arguments)))
}

fn medians(all: &[Figures]) -> (f64, f64, f64) {
    let of = |figure: fn(&Figures) -> f64| median(all.iter().map(figure).collect());
    (of(|f| f.wall), of(|f| f.cpu), of(|f| f.peak))
}

/// The whole job beside a weekend script and dlt, with both page sizes.
pub fn compare(options: &Options) {
    let server = server(options.responses, 0);
    let folder = tempfile::tempdir().unwrap();
    println!(
        "{} responses of 8 answers, medians of {} runs; the other programs store the raw response and one row a lead, nothing else",
        options.responses, options.runs
    );
    println!(
        "| what | database | a page | wall s | CPU s | peak MiB | ÷ the whole job (wall, CPU) |"
    );
    println!("|---|---|---|---|---|---|---|");
    for page in ["100", "1000"] {
        for (system, url) in databases(folder.path()) {
            let mut ours: Vec<Figures> = Vec::new();
            let mut weekend: Vec<Figures> = Vec::new();
            for number in 0..options.runs {
                let name = |what: &str| url(&format!("{what}_{page}_{number}"));
                ours.push(measured(&["job", &name("ours"), &server.1, page]));
                weekend.extend(python("weekend.py", &[&name("weekend"), &server.1, page]));
            }
            // One run: it takes minutes, and the difference does not hang on a few seconds.
            let dlt: Vec<Figures> = (system == "SQLite" && page == "1000")
                .then(|| python("dlt_job.py", &[&url("dlt"), &server.1, page]))
                .flatten()
                .into_iter()
                .collect();
            let job = medians(&ours);
            for (what, all) in [
                ("**the whole job**", &ours),
                ("weekend script", &weekend),
                ("dlt, one run", &dlt),
            ] {
                if all.is_empty() {
                    continue;
                }
                let (wall, cpu, peak) = medians(all);
                println!(
                    "| {what} | {system} | {page} | {wall:.2} | {cpu:.2} | {peak:.0} | {:.1}, {:.1} |",
                    wall / job.0,
                    cpu / job.1
                );
            }
        }
    }
}

/// Memory while `--responses` come in, and the cost of ten thousand more beside the cost of ten thousand in a small table.
/// The pages of the second ten thousand hold no known response, so both measure new ones only.
pub fn growth(options: &Options) {
    const MORE: usize = 10_000;
    let page = options.page_size.to_string();
    let folder = tempfile::tempdir().unwrap();
    for (system, url) in databases(folder.path()) {
        let mut costs: Vec<(usize, f64, f64)> = Vec::new();
        for before in [MORE, options.responses] {
            let database = url(&format!("growth_{before}"));
            let job = measured(&["job", &database, &server(before, 0).1, &page]);
            println!(
                "{system}, {before} responses: {:.1} s, {:.1} CPU s, peak {:.0} MiB, resident after 10 %, 50 %, 100 % of the time: {:.0}, {:.0}, {:.0} MiB",
                job.wall, job.cpu, job.peak, job.resident[0], job.resident[1], job.resident[2]
            );
            let mut more: Vec<Figures> = Vec::new();
            for number in 0..3 {
                let server = server(MORE, before + number * MORE);
                more.push(measured(&["again", &database, &server.1, &page]));
            }
            let (wall, cpu, _) = medians(&more);
            println!("{system}, {MORE} more, median of 3: {wall:.2} s, {cpu:.2} CPU s");
            costs.push((before, wall, cpu));
        }
        println!(
            "{system}: cost per response in the large table ÷ in the small one = {:.2} (wall), {:.2} (CPU)",
            costs[1].1 / costs[0].1,
            costs[1].2 / costs[0].2
        );
    }
}
