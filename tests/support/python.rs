//! Python programs that tests run: virtual environments with pinned packages, made once and kept in `target/`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const NO_PYTHON: &str =
    "this test needs python3 with venv: apt-get install python3 python3-venv (tests/run does it)";

/// A file or folder of the tests.
pub fn below_tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path)
}

/// The Python of a virtual environment of this name, with the packages of `requirements` (below `tests/`), by which `modules`
/// can be imported. Made under another name first, because several tests may want it at once.
pub fn python(name: &str, modules: &str, requirements: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = target.join(name);
    let python = environment.join("bin/python");
    let works = |python: &Path| {
        Command::new(python)
            .args(["-c", &format!("import {modules}")])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if works(&python) {
        return python;
    }
    let fresh = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(target)
        .unwrap();
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(fresh.path())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{NO_PYTHON}");
    install(fresh.path(), requirements);
    let fresh = fresh.keep();
    match std::fs::rename(&fresh, &environment) {
        Ok(()) => python,
        // Somebody else was quicker: theirs is as good.
        Err(_) if works(&python) => {
            std::fs::remove_dir_all(&fresh).unwrap();
            python
        }
        Err(error) => panic!("{}: {error}", environment.display()),
    }
}

fn install(environment: &Path, requirements: &str) {
    let installed = Command::new(environment.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
        ])
        .arg(below_tests(requirements))
        .status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "pip could not install tests/{requirements}: this test needs PyPI (or a mirror set in pip's configuration)"
    );
}

/// Runs a program, tells it `told` on its standard input, and waits for its end.
pub fn run(command: &mut Command, told: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(told.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}
