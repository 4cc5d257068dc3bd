//! A real SMTP server (aiosmtpd) on loopback, in a virtual environment that is made once and kept in `target/`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::python::{below_tests, python};

/// A running server; ends when dropped.
pub struct SmtpServer {
    child: Child,
    port: u16,
    messages: Receiver<Value>,
}

impl SmtpServer {
    pub fn start() -> Self {
        let python = python(
            "aiosmtpd-1.4.6",
            "aiosmtpd",
            "support/smtp_server/requirements.txt",
        );
        let mut child = Command::new(python)
            .arg(below_tests("support/smtp_server/server.py"))
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
