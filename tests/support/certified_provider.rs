//! The certified OpenID Connect provider `oidc-provider` (tests/oidc), as a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the portal is called at the provider.
pub const CLIENT_ID: &str = "leadgen";
/// What it proves itself with.
pub const CLIENT_SECRET: &str = "certified provider's secret: 100% & more";

/// The running provider; ends when dropped.
pub struct CertifiedProvider {
    /// Its issuer.
    pub issuer: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl CertifiedProvider {
    /// Starts it; it answers once [`CertifiedProvider::knows`] was called.
    pub fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "oidc-provider is not installed: run tests/run, it installs it"
        );
        let mut child = Command::new("node")
            .arg(folder.join("provider.mjs"))
            .args([CLIENT_ID, CLIENT_SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is not installed: run tests/run, it installs it");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut provider = Self {
            issuer: String::new(),
            child,
            input,
            output,
        };
        provider.issuer = provider.line();
        provider
    }

    /// What it says next; its warnings about a development set-up go there, too.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the provider ended: {:?}", self.child.try_wait());
            if !line.starts_with("oidc-provider") {
                return line.trim().to_owned();
            }
        }
    }

    /// From now on it answers, for the portal at this address.
    pub fn knows(&mut self, portal: &str) {
        writeln!(self.input, "{portal}").unwrap();
        assert_eq!(self.line(), "ready");
    }

    /// The settings of a portal that signs people in here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LEADGEN_OIDC_ISSUER", self.issuer.clone()),
            ("LEADGEN_OIDC_CLIENT_ID", CLIENT_ID.to_owned()),
            ("LEADGEN_OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("LEADGEN_OIDC_NAME", "Certified ID".to_owned()),
            (
                "LEADGEN_OIDC_SCOPES",
                "openid profile email roles".to_owned(),
            ),
        ]
    }
}

impl Drop for CertifiedProvider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}
