//! A real SMTP server (aiosmtpd) on loopback, in a virtual environment that is made once and kept in `target/`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

const NO_PYTHON: &str =
    "this test needs python3 with venv: apt-get install python3 python3-venv (tests/run does it)";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtp_server")
}

/// Made under another name first, because several tests may want it at once.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = target.join("aiosmtpd-1.4.6");
    let python = environment.join("bin/python");
    let works = |python: &Path| {
        Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if works(&python) {
        return python;
    }
    let fresh = tempfile::Builder::new()
        .prefix("aiosmtpd-")
        .tempdir_in(target)
        .unwrap();
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(fresh.path())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{NO_PYTHON}");
    let installed = Command::new(fresh.path().join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(["--no-deps", "-r"])
        .arg(folder().join("requirements.txt"))
        .status();
    assert!(
        installed.is_ok_and(|status| status.success()),
        "pip could not install tests/support/smtp_server/requirements.txt: this test needs PyPI (or a mirror set in pip's configuration)"
    );
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

/// A running server; ends when dropped.
pub struct SmtpServer {
    child: Child,
    port: u16,
    messages: Receiver<Value>,
}

impl SmtpServer {
    pub fn start() -> Self {
        let mut child = Command::new(python())
            .arg(folder().join("server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            port,
            messages,
        }
    }

    /// What `LEADGEN_SMTP_URL` says.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// The next message that it took.
    pub fn message(&self) -> Value {
        self.messages
            .recv_timeout(Duration::from_secs(10))
            .expect("the SMTP server took a message")
    }

    /// Whether it took nothing more.
    pub fn is_silent(&self) -> bool {
        self.messages.try_recv().is_err()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
