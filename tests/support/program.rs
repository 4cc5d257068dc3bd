//! The real `leadgen` program, run as a child with an environment of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// One call of the program. Nothing of this process's `LEADGEN_` environment reaches it.
#[derive(Clone, Default)]
pub struct Program {
    arguments: Vec<std::ffi::OsString>,
    environment: BTreeMap<String, std::ffi::OsString>,
    stdin: Vec<u8>,
    folder: Option<std::path::PathBuf>,
}

/// What a call left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; `None`: ended by a signal.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Outcome {
    /// Goes on when the program ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code\n-- stdout\n{}\n-- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Its output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.stdout))
    }
}

impl Program {
    /// `leadgen` with these arguments.
    pub fn new<I: IntoIterator<Item = S>, S: Into<std::ffi::OsString>>(arguments: I) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// One more environment variable.
    pub fn env(mut self, name: &str, value: impl Into<std::ffi::OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// What it reads from standard input.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = text.as_ref().to_vec();
        self
    }

    /// The folder it works in; by default a temporary one, so that nothing lands in the tree.
    pub fn folder(mut self, folder: &std::path::Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// The command, ready to spawn.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadgen"));
        command
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| {
                !name.to_string_lossy().starts_with("LEADGEN_") && name != "RUST_LOG"
            }))
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Runs it to its end; kills it and fails after a minute.
    #[track_caller]
    pub fn run(&self) -> Outcome {
        self.run_within(Duration::from_mins(1))
    }

    /// Runs it to its end; kills it and fails after `limit`.
    #[track_caller]
    pub fn run_within(&self, limit: Duration) -> Outcome {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = self.command();
        if self.folder.is_none() {
            command.current_dir(scratch.path());
        }
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin.clone();
        // The program may end without reading: a broken pipe is no failure of the test.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let (sender, receiver) = std::sync::mpsc::channel();
        let id = child.id();
        let waiter = std::thread::spawn(move || {
            let _receiver_is_gone = sender.send(child.wait_with_output());
        });
        let output = match receiver.recv_timeout(limit) {
            Ok(output) => output.unwrap(),
            Err(_) => {
                signal(id, "KILL");
                waiter.join().unwrap();
                let said = receiver.recv().unwrap().unwrap();
                panic!(
                    "{:?} did not end within {limit:?}\n-- stdout\n{}\n-- stderr\n{}",
                    self.arguments,
                    String::from_utf8_lossy(&said.stdout),
                    String::from_utf8_lossy(&said.stderr)
                );
            }
        };
        writer.join().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Sends a signal (`KILL`, `STOP`, `CONT`, `TERM`) to a process this test started.
pub fn signal(process: u32, name: &str) {
    let _already_gone = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .stderr(Stdio::null())
        .status()
        .unwrap();
}
