//! A scripted member: takes the sandbox's sign-in and consent pages as plain HTML forms, as a browser would.

use std::time::Duration;

/// What the member does on the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Signs in and allows.
    Allow,
    /// Cancels instead of signing in.
    CancelSignIn,
    /// Signs in and refuses.
    CancelConsent,
}

/// Why a walk ended without a way back.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// The sandbox could not be reached.
    #[error("the sandbox could not be reached")]
    Unreachable(#[from] reqwest::Error),
    /// A page that does not lead back to the app: its status and title.
    #[error("the sandbox showed a page that leads nowhere: HTTP {status}, {title}")]
    DeadEnd {
        /// HTTP status.
        status: u16,
        /// The page's heading.
        title: String,
    },
}

/// Walks from the authorization address to the redirect back to the app and gives that address, without visiting it.
///
/// # Errors
/// [`VisitError::DeadEnd`] for LinkedIn's own error page, or when the member is not known.
pub async fn visit(
    authorization_url: &str,
    email: &str,
    password: &str,
    decision: Decision,
) -> Result<String, VisitError> {
    // A second installation only says that the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()?;
    let base = url::Url::parse(authorization_url).map_err(|_| VisitError::DeadEnd {
        status: 0,
        title: "no address".to_owned(),
    })?;
    let step = |path: &str| base.join(path).map(String::from).unwrap_or_default();

    let sign_in = match arrive(browser.get(authorization_url).send().await?).await? {
        Step::Back(address) => return Ok(address),
        Step::Page(request) => request,
    };
    let action = if decision == Decision::CancelSignIn {
        "cancel"
    } else {
        "sign_in"
    };
    let form = [
        ("request", sign_in.as_str()),
        ("session_key", email),
        ("session_password", password),
        ("action", action),
    ];
    let answer = browser
        .post(step("/oauth/v2/sign-in"))
        .form(&form)
        .send()
        .await?;
    let consent = match arrive(answer).await? {
        Step::Back(address) => return Ok(address),
        Step::Page(request) => request,
    };
    let action = if decision == Decision::Allow {
        "allow"
    } else {
        "cancel"
    };
    let form = [("request", consent.as_str()), ("action", action)];
    let answer = browser
        .post(step("/oauth/v2/consent"))
        .form(&form)
        .send()
        .await?;
    match arrive(answer).await? {
        Step::Back(address) => Ok(address),
        Step::Page(_) => Err(VisitError::DeadEnd {
            status: 200,
            title: "the consent page again".to_owned(),
        }),
    }
}

enum Step {
    Back(String),
    Page(String),
}

async fn arrive(answer: reqwest::Response) -> Result<Step, VisitError> {
    let status = answer.status().as_u16();
    if let Some(location) = answer
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok())
    {
        return Ok(Step::Back(location.to_owned()));
    }
    let page = answer.text().await?;
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from)?;
        rest.split_once(to).map(|(text, _)| text.to_owned())
    };
    let is_form = status == 200 && !page.contains("role=\"alert\"");
    match between("name=\"request\" value=\"", "\"").filter(|_| is_form) {
        Some(request) => Ok(Step::Page(request)),
        None => Err(VisitError::DeadEnd {
            status,
            title: between("<h1>", "</h1>").unwrap_or_default(),
        }),
    }
}
