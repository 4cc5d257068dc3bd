//! An HTTP client that behaves like a browser without JavaScript: keeps cookies, fills in forms, follows redirects.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Method;
use url::Url;

use super::html;

/// The client. Cookies are kept by host and port, `Secure` ones are sent to 127.0.0.1 too, as Chromium does.
pub struct Browserlike {
    http: reqwest::Client,
    base: Url,
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// Where it came from.
    pub url: Url,
    /// Its headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body; empty when it is no text.
    pub body: String,
    /// Its body as it came.
    pub bytes: Vec<u8>,
}

impl Page {
    /// Goes on when the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "status of {}{}\n{}",
            self.url,
            self.location()
                .map(|to| format!(" (to {to})"))
                .unwrap_or_default(),
            self.text_or_body()
        );
        self
    }

    /// Goes on when a person reads this on the page.
    #[track_caller]
    pub fn expect_text(self, wanted: &str) -> Self {
        let text = self.text_or_body();
        assert!(
            text.contains(wanted),
            "`{wanted}` is not on {}\n{text}",
            self.url
        );
        self
    }

    /// Goes on when nobody reads this on the page.
    #[track_caller]
    pub fn expect_no_text(self, unwanted: &str) -> Self {
        let text = self.text_or_body();
        assert!(
            !text.contains(unwanted),
            "`{unwanted}` is on {}\n{text}",
            self.url
        );
        self
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        html::visible_text(&self.body)
    }

    fn text_or_body(&self) -> String {
        if self.is_html() {
            self.text()
        } else {
            self.body.chars().take(2000).collect()
        }
    }

    /// Whether it is an HTML page.
    pub fn is_html(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Where a redirect points.
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// All forms.
    pub fn forms(&self) -> Vec<html::Form> {
        html::forms(&self.body)
    }

    /// The form whose action holds this text or which has a button with this text.
    #[track_caller]
    pub fn form(&self, wanted: &str) -> html::Form {
        let forms = self.forms();
        let by_button = forms
            .iter()
            .find(|form| form.buttons.iter().any(|(_, _, text)| text == wanted));
        by_button
            .or_else(|| forms.iter().find(|form| form.action.contains(wanted)))
            .cloned()
            .unwrap_or_else(|| {
                panic!(
                    "no form `{wanted}` on {} (status {}): {:?}\n{}",
                    self.url,
                    self.status,
                    forms
                        .iter()
                        .map(|form| (&form.action, &form.buttons))
                        .collect::<Vec<_>>(),
                    self.text_or_body()
                )
            })
    }

    /// The address of the first link whose text is this, or whose address holds it.
    #[track_caller]
    pub fn link(&self, wanted: &str) -> String {
        let links = html::links(&self.body);
        links
            .iter()
            .find(|(_, text)| text == wanted)
            .or_else(|| links.iter().find(|(href, _)| href.contains(wanted)))
            .map(|(href, _)| href.clone())
            .unwrap_or_else(|| panic!("no link `{wanted}` on {}: {links:?}", self.url))
    }

    /// The CSRF token of the first form that has one.
    pub fn csrf_token(&self) -> Option<String> {
        self.forms().into_iter().find_map(|form| {
            form.fields
                .into_iter()
                .find(|(name, _)| name == "csrf_token")
                .map(|(_, value)| value)
        })
    }
}

impl Browserlike {
    /// A fresh browser whose paths are relative to `base`.
    pub fn new(base: &str) -> Self {
        super::install_crypto_provider();
        Self {
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(std::time::Duration::from_secs(60))
                .build()
                .unwrap(),
            base: Url::parse(base).unwrap(),
            cookies: Mutex::default(),
        }
    }

    /// The address that paths are relative to.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The cookies kept for the portal: name → value.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        let here = origin(&self.base);
        self.cookies
            .lock()
            .unwrap()
            .iter()
            .filter(|((host, _), _)| *host == here)
            .map(|((_, name), value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Puts a cookie in by hand.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies
            .lock()
            .unwrap()
            .insert((origin(&self.base), name.to_owned()), value.to_owned());
    }

    /// Forgets all cookies.
    pub fn forget_cookies(&self) {
        self.cookies.lock().unwrap().clear();
    }

    /// One request as it stands: no redirect is followed. `headers` come on top of what a browser sends.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Page {
        let url = self.base.join(path).unwrap();
        let mut request = self
            .http
            .request(method, url.clone())
            .header("accept", "text/html,application/xhtml+xml");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self
            .cookies
            .lock()
            .unwrap()
            .iter()
            .filter(|((host, _), _)| *host == origin(&url))
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("no answer from {url}: {error:?}"));
        let status = answer.status().as_u16();
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        self.keep_cookies(&url, &headers);
        let bytes = answer.bytes().await.unwrap().to_vec();
        Page {
            status,
            url,
            headers,
            body: String::from_utf8(bytes.clone()).unwrap_or_default(),
            bytes,
        }
    }

    fn keep_cookies(&self, url: &Url, headers: &[(String, String)]) {
        let mut cookies = self.cookies.lock().unwrap();
        for (_, line) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let is_removal = value.is_empty()
                || parts.any(|part| {
                    part.eq_ignore_ascii_case("max-age=0")
                        || part.split_once('=').is_some_and(|(key, age)| {
                            key.eq_ignore_ascii_case("max-age") && age.starts_with('-')
                        })
                });
            let key = (origin(url), name.to_owned());
            if is_removal {
                cookies.remove(&key);
            } else {
                cookies.insert(key, value.to_owned());
            }
        }
    }

    /// GET, no redirect followed.
    pub async fn get(&self, path: &str) -> Page {
        self.request(Method::GET, path, &[], None).await
    }

    /// GET, and on wherever it redirects, to another origin too (ten times at most).
    pub async fn visit(&self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// Goes where an answer redirects to, ten times at most.
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            if !matches!(page.status, 301 | 302 | 303 | 307 | 308) {
                return page;
            }
            let to = page
                .location()
                .expect("a redirect says where to")
                .to_owned();
            let to = page.url.join(&to).unwrap();
            page = self.get(to.as_str()).await;
        }
        panic!("redirected for ever, last to {}", page.url);
    }

    /// POST of exactly these fields, as a browser on the portal's own page sends it; no redirect followed.
    pub async fn post_raw(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let to = self.base.join(path).unwrap();
        self.post_from(&origin_header(&to), &to, fields).await
    }

    async fn post_from(&self, from: &str, to: &Url, fields: &[(&str, &str)]) -> Page {
        let site = if *from == origin_header(to) {
            "same-origin"
        } else {
            "cross-site"
        };
        self.request(
            Method::POST,
            to.as_str(),
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("origin", from),
                ("sec-fetch-site", site),
            ],
            Some(encode(fields).into_bytes()),
        )
        .await
    }

    /// POST of these fields with the CSRF token of `token_page`; no redirect followed.
    pub async fn post_with_token_of(
        &self,
        token_page: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let token = self
            .get(token_page)
            .await
            .csrf_token()
            .unwrap_or_else(|| panic!("{token_page} has no form with a csrf_token"));
        let mut all = vec![("csrf_token", token.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &all).await
    }

    /// Fills in the form `wanted` (see [`Page::form`]) of a page and sends it; no redirect followed. `changes` replace the
    /// page's own values; a name that the form does not have fails the test, a value `None` unticks.
    pub async fn submit(
        &self,
        page: &Page,
        wanted: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Page {
        let form = page.form(wanted);
        let mut fields = form.fields.clone();
        for (name, value) in changes {
            assert!(
                form.names.iter().any(|known| known == name),
                "the form `{wanted}` of {} has no `{name}`: {:?}",
                page.url,
                form.names
            );
            fields.retain(|(known, _)| known != name);
            if let Some(value) = value {
                fields.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        if let Some((name, value, _)) = form
            .buttons
            .iter()
            .find(|(name, _, text)| !name.is_empty() && (text == wanted || form.buttons.len() == 1))
        {
            fields.push((name.clone(), value.clone()));
        }
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let to = if form.action.is_empty() {
            page.url.clone()
        } else {
            page.url.join(&form.action).unwrap()
        };
        if form.method == "post" {
            self.post_from(&origin_header(&page.url), &to, &fields)
                .await
        } else {
            let mut to = to;
            to.set_query(Some(&encode(&fields)));
            self.get(to.as_str()).await
        }
    }

    /// As [`Browserlike::submit`], then on to where it redirects.
    pub async fn submit_and_follow(
        &self,
        page: &Page,
        wanted: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Page {
        let answer = self.submit(page, wanted, changes).await;
        self.follow(answer).await
    }

    /// Signs in by the real form; leaves the browser on the page it leads to.
    pub async fn sign_in(&self, email: &str, password: &str) -> Page {
        let page = self.get("/sign-in").await.expect(200);
        let answer = self
            .submit(
                &page,
                "Sign in",
                &[("email", Some(email)), ("password", Some(password))],
            )
            .await
            .expect(303);
        self.follow(answer).await
    }
}

/// Fields as a browser writes them into a form's body.
pub fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn origin(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap(),
        url.port_or_known_default().unwrap()
    )
}

fn origin_header(url: &Url) -> String {
    url.origin().ascii_serialization()
}
