//! Sends mail over SMTP; a leaf client that knows nothing of ours.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where mail goes out, checked.
#[derive(Debug, Clone)]
pub struct MailSettings {
    url: SecretString,
    from: Mailbox,
    server: String,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Checks the address of an SMTP server.
///
/// # Errors
/// A sentence without the address, which may hold a password.
pub fn check_url(text: &str) -> Result<(), String> {
    let advice = "write it like smtps://user:password@mail.example.com, or smtp://…?tls=required";
    let url = Url::parse(text).map_err(|_| format!("not a URL; {advice}"))?;
    if !matches!(url.scheme(), "smtp" | "smtps") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!(
            "must begin with smtp:// or smtps:// and name a host; {advice}"
        ));
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let is_known = pairs.iter().all(|(name, value)| {
        name == "tls"
            && url.scheme() == "smtp"
            && matches!(value.as_str(), "required" | "opportunistic")
    });
    if !is_known || pairs.len() > 1 {
        return Err("the only parameter is tls=required or tls=opportunistic, with smtp://".into());
    }
    let is_plain = url.scheme() == "smtp" && !pairs.iter().any(|(_, value)| value == "required");
    if is_plain && url.password().is_some() && !is_loopback(&url) {
        return Err(
            "would send the password unencrypted; use smtps:// or add ?tls=required".into(),
        );
    }
    AsyncSmtpTransport::<Tokio1Executor>::from_url(text)
        .map(|_| ())
        .map_err(|_| format!("cannot be used; {advice}"))
}

/// Checks a sender: an address, or a name with an address in angle brackets.
///
/// # Errors
/// A sentence.
pub fn check_from(text: &str) -> Result<(), String> {
    text.parse::<Mailbox>().map(|_| ()).map_err(|_| {
        "write an e-mail address, or a name and one: Leadgen <leadgen@example.com>".to_owned()
    })
}

impl MailSettings {
    /// From what [`check_url`] and [`check_from`] accepted.
    ///
    /// # Errors
    /// A sentence.
    pub fn new(url: SecretString, from: &str) -> Result<Self, String> {
        check_url(url.expose_secret())?;
        check_from(from)?;
        let parsed = Url::parse(url.expose_secret()).map_err(|error| error.to_string())?;
        let host = parsed.host_str().unwrap_or_default();
        let server = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            url,
            from: from.parse::<Mailbox>().map_err(|error| error.to_string())?,
            server,
        })
    }

    /// Host and port, without credentials.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Who the mail comes from.
    #[must_use]
    pub fn from(&self) -> String {
        self.from.to_string()
    }
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct MailError {
    /// For people; holds no address.
    pub words: String,
    /// Whether trying again is of no use.
    pub is_permanent: bool,
}

impl MailError {
    fn permanent(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            is_permanent: true,
        }
    }
}

/// What a failure of SMTP means. The server's own words may repeat addresses, so only its number is told.
impl From<SmtpError> for MailError {
    fn from(error: SmtpError) -> Self {
        let words = if let Some(code) = error.status() {
            if error.is_permanent() {
                format!("The mail server refused the message (code {code}).")
            } else {
                format!("The mail server asked to try again later (code {code}).")
            }
        } else if error.is_timeout() {
            "The mail server took too long to answer.".to_owned()
        } else if error.is_tls() {
            "No encrypted connection to the mail server could be made.".to_owned()
        } else if error.is_client() {
            "The mail server does not offer what the settings ask for.".to_owned()
        } else {
            "The mail server cannot be reached.".to_owned()
        };
        Self {
            words,
            is_permanent: error.is_permanent(),
        }
    }
}

/// Sends mail through one server. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer([REDACTED])")
    }
}

impl Mailer {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A sentence when the settings cannot be used.
    pub fn new(settings: &MailSettings) -> Result<Self, String> {
        let transport =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.url.expose_secret())
                .map_err(|_| "the mail server’s address cannot be used".to_owned())?
                .timeout(Some(TIMEOUT))
                .build();
        Ok(Self {
            transport,
            from: settings.from.clone(),
        })
    }

    /// Sends one text to one person. `id` makes a repeated mail recognisable as the same.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn send(
        &self,
        id: &str,
        to: &str,
        subject: &str,
        text: String,
    ) -> Result<(), MailError> {
        let address = to
            .parse()
            .map_err(|_| MailError::permanent("Mail cannot be sent to this address."))?;
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(subject)
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|_| MailError::permanent("The message cannot be written."))?;
        self.transport.send(message).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_checked_and_never_repeated() {
        for good in [
            "smtps://user:pa%40ss@mail.example.com",
            "smtp://user:secret@mail.example.com:587?tls=required",
            "smtp://mail.example.com?tls=opportunistic",
            "smtp://127.0.0.1:2525",
            "smtp://user:secret@localhost:25",
            "smtp://[::1]:25",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtps://mail.example.com?tls=required",
            "smtp://mail.example.com?tls=never",
            "smtp://mail.example.com?x=1",
            "smtp://user:secret@mail.example.com",
            "smtp://user:secret@mail.example.com?tls=opportunistic",
        ] {
            let problem = check_url(bad).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn senders_are_addresses_with_or_without_a_name() {
        for good in ["leads@example.com", "Leadgen Connector <leads@example.com>"] {
            assert_eq!(check_from(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "leads",
            "Leadgen <leads>",
            "a@example.com\r\nBcc: b@example.com",
        ] {
            assert!(check_from(bad).is_err(), "{bad}");
        }
    }
}
