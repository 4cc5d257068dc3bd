//! A real Chromium, driven as a person would: by the words on labels, links and buttons.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

/// How long a page may take to show what is expected of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// One browser with a fresh profile; closed when dropped.
pub struct Chromium {
    client: Client,
    driver: Child,
    address: String,
    session: String,
    base: String,
    /// The browser's profile.
    _folder: tempfile::TempDir,
}

fn installed(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return path.into();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain([PathBuf::from("/usr/lib/chromium-browser")])
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{} is not on this machine: run tests/run, it installs Chromium",
                names[0]
            )
        })
}

impl Chromium {
    /// Starts ChromeDriver on a free port and a browser. Paths are relative to `base`.
    pub async fn start(base: &str) -> Self {
        Self::start_with(base, true).await
    }

    /// A browser whose user has switched JavaScript off.
    pub async fn start_without_scripts(base: &str) -> Self {
        Self::start_with(base, false).await
    }

    async fn start_with(base: &str, has_scripts: bool) -> Self {
        let browser = installed(
            "LEADGEN_TEST_CHROMIUM",
            &["chromium", "chromium-browser", "google-chrome"],
        );
        let driver = installed(
            "LEADGEN_TEST_CHROMEDRIVER",
            &["chromedriver", "chromium.chromedriver"],
        );
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver starts: run tests/run, it installs Chromium");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .find_map(|line| {
                let line = line.ok()?;
                line.contains("started successfully on port")
                    .then(|| line.rsplit(' ').next()?.trim_end_matches('.').parse().ok())?
            })
            .expect("ChromeDriver says its port");
        // Nobody reads on, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("http://127.0.0.1:{port}");
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--window-size=1280,1000".to_owned(),
            "--disable-gpu".to_owned(),
            // Containers have a small /dev/shm.
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--lang=en-US".to_owned(),
            format!("--user-data-dir={}", folder.path().display()),
        ];
        if is_root() {
            // Chromium refuses to run as root with its sandbox.
            arguments.push("--no-sandbox".to_owned());
        }
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "goog:chromeOptions".into(),
            json!({
                "binary": browser,
                "args": arguments,
                // 2 blocks the scripts of pages; ChromeDriver's own go on.
                "prefs": { "profile.managed_default_content_settings.javascript": if has_scripts { 1 } else { 2 } },
            }),
        );
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&address)
            .await
            .expect("Chromium starts");
        let session = client.session_id().await.unwrap().unwrap();
        Self {
            client,
            driver,
            address,
            session,
            base: base.trim_end_matches('/').to_owned(),
            _folder: folder,
        }
    }

    /// The WebDriver client, for what has no word here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a path of the portal.
    pub async fn open(&self, path: &str) {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        self.client.goto(&url).await.unwrap();
    }

    /// Signs in by the form, from wherever it is.
    pub async fn sign_in(&self, email: &str) {
        self.open("/sign-in").await;
        self.fill("E-mail address", email).await;
        self.fill("Password", super::installation::PASSWORD).await;
        self.click("Sign in").await;
        self.expect("Sign out").await;
    }

    /// Ticks the first `count` boxes of the list.
    pub async fn tick_rows(&self, count: usize) {
        let boxes = self
            .client
            .find_all(Locator::Css("main tbody input[type=checkbox]"))
            .await
            .unwrap();
        for field in boxes.iter().take(count) {
            field.click().await.unwrap();
        }
    }

    /// Puts a long text into the field with this label at once; typing it would take minutes.
    pub async fn paste(&self, label: &str, text: &str) {
        let field = self.control_of(label).await;
        self.client
            .execute(
                "arguments[0].value = arguments[1]",
                vec![serde_json::to_value(field).unwrap(), json!(text)],
            )
            .await
            .unwrap();
    }

    /// What the portal answers to a GET that a link of this page would make, such as a file to download.
    pub async fn download(&self, path: &str) -> String {
        let answer = self
            .client
            .execute_async(
                "const done = arguments[1]; fetch(arguments[0]).then(r => r.text()).then(done)",
                vec![json!(path)],
            )
            .await
            .unwrap();
        answer.as_str().unwrap().to_owned()
    }

    /// Where the link with these words leads.
    pub async fn link(&self, words: &str) -> String {
        let link = self
            .wait_for(
                &format!("link `{words}`"),
                &format!("//a[normalize-space()={}]", quoted(words)),
            )
            .await;
        link.attr("href").await.unwrap().unwrap()
    }

    /// Where the browser is, without scheme and host when it is in the portal.
    pub async fn place(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// Opens the page it is on again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// What a person reads on the page.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            // Between two pages there is none.
            Err(_) => String::new(),
        }
    }

    /// Waits until a person reads this.
    #[track_caller]
    pub fn expect(&self, wanted: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                let text = self.text().await;
                if text.contains(wanted) {
                    return;
                }
                if begun.elapsed() > PATIENCE {
                    self.screenshot("failed").await;
                    panic!(
                        "{caller}: `{wanted}` did not appear on {}\n{text}",
                        self.place().await
                    );
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Opens the page again and again until a person reads this: for what the synchronization brings.
    #[track_caller]
    pub fn expect_after_reloads(&self, wanted: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                let text = self.text().await;
                if text.contains(wanted) {
                    return;
                }
                if begun.elapsed() > 3 * PATIENCE {
                    self.screenshot("failed").await;
                    panic!(
                        "{caller}: `{wanted}` did not appear on {} though reloaded\n{text}",
                        self.place().await
                    );
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.reload().await;
            }
        }
    }

    async fn wait_for(&self, what: &str, xpath: &str) -> fantoccini::elements::Element {
        let begun = Instant::now();
        loop {
            for element in self
                .client
                .find_all(Locator::XPath(xpath))
                .await
                .unwrap_or_default()
            {
                if element.is_displayed().await.unwrap_or(false) {
                    return element;
                }
            }
            if begun.elapsed() > PATIENCE {
                self.screenshot("failed").await;
                panic!("no {what} on {}\n{}", self.place().await, self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Clicks what this finds; finds it once more where the page was drawn anew in between.
    async fn click_on(&self, what: &str, xpath: &str) {
        let begun = Instant::now();
        loop {
            match self.wait_for(what, xpath).await.click().await {
                Ok(()) => return,
                Err(error) => assert!(
                    is_drawn_anew(&error) && begun.elapsed() < PATIENCE,
                    "{what}: {error}"
                ),
            }
        }
    }

    /// Presses the button or follows the link with these words.
    pub async fn click(&self, words: &str) {
        let text = quoted(words);
        self.click_on(
            &format!("button or link `{words}`"),
            &format!(
                "//button[normalize-space()={text}] | //a[normalize-space()={text}] | //input[@type='submit' and @value={text}] | //summary[normalize-space()={text}]"
            ),
        )
        .await;
    }

    /// Follows the link with these words inside of the element with this CSS selector.
    pub async fn click_in(&self, css: &str, words: &str) {
        let begun = Instant::now();
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await
                && let Ok(control) = element
                    .find(Locator::XPath(&format!(
                        ".//*[(self::a or self::button) and normalize-space()={}]",
                        quoted(words)
                    )))
                    .await
            {
                match control.click().await {
                    Ok(()) => return,
                    Err(error) => assert!(is_drawn_anew(&error), "`{words}` in {css}: {error}"),
                }
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no `{words}` in {css} on {}\n{}",
                self.place().await,
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Presses the button or follows the link with these words in the row of a table that holds `row`.
    pub async fn click_in_row(&self, row: &str, words: &str) {
        self.click_on(
            &format!("`{words}` in the row of `{row}`"),
            &format!(
                "//tr[contains(normalize-space(), {})]//*[(self::a or self::button) and normalize-space()={}]",
                quoted(row),
                quoted(words)
            ),
        )
        .await;
    }

    async fn control_of(&self, label: &str) -> fantoccini::elements::Element {
        let text = quoted(label);
        // A label may carry a hint or a mark such as “(required)” after its words.
        self.wait_for(
            &format!("field `{label}`"),
            &format!(
                "//*[(self::input or self::select or self::textarea) and (@id = //label[starts-with(normalize-space(), {text})]/@for or ancestor::label[starts-with(normalize-space(), {text})])]"
            ),
        )
        .await
    }

    /// Types into the field with this label, instead of what stands there.
    pub async fn fill(&self, label: &str, value: &str) {
        let field = self.control_of(label).await;
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Chooses the option with these words in the list with this label.
    pub async fn choose(&self, label: &str, option: &str) {
        let list = self.control_of(label).await;
        list.select_by(Locator::XPath(&format!(
            ".//option[normalize-space()={}]",
            quoted(option)
        )))
        .await
        .unwrap_or_else(|error| panic!("no option `{option}` in `{label}`: {error}"));
        // A person's choice makes this event, too; the driver's makes only `change`.
        self.client
            .execute(
                "arguments[0].dispatchEvent(new Event('input', { bubbles: true }))",
                vec![serde_json::to_value(list).unwrap()],
            )
            .await
            .unwrap();
    }

    /// Presses keys wherever the focus is, one after the other.
    pub async fn press(&self, keys: &str) {
        self.client
            .active_element()
            .await
            .unwrap()
            .send_keys(keys)
            .await
            .unwrap();
    }

    /// Waits until the browser is at this path of the portal.
    pub async fn expect_place(&self, wanted: &str) {
        let begun = Instant::now();
        while self.place().await != wanted {
            if begun.elapsed() > PATIENCE {
                self.screenshot("failed").await;
                panic!("not at {wanted} but at {}", self.place().await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ticks or unticks the box with this label.
    pub async fn tick(&self, label: &str, wanted: bool) {
        let field = self.control_of(label).await;
        if field.is_selected().await.unwrap() != wanted {
            field.click().await.unwrap();
        }
    }

    /// Writes `target/screenshots/{name}.png`.
    pub async fn screenshot(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let Ok(picture) = self.client.screenshot().await else {
            return;
        };
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Gives Chromium a command of its DevTools protocol, such as another width or theme.
    pub async fn cdp(&self, command: &str, parameters: serde_json::Value) {
        super::install_crypto_provider();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http
            .post(format!(
                "{}/session/{}/goog/cdp/execute",
                self.address, self.session
            ))
            .json(&json!({ "cmd": command, "params": parameters }))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{command}");
    }

    /// What the browser complained about since the last time: blocked scripts, styles and forms, missing files, errors.
    pub async fn complaints(&self) -> Vec<String> {
        super::install_crypto_provider();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer: serde_json::Value = http
            .post(format!("{}/session/{}/se/log", self.address, self.session))
            .json(&json!({ "type": "browser" }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["value"]
            .as_array()
            .expect("ChromeDriver gives its log")
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Runs a script in the page, for measuring only.
    pub async fn measure(&self, script: &str) -> serde_json::Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // By hand and blocking: the runtime may be gone. Ending the session closes the browser; then the driver goes.
        let host = self.address.trim_start_matches("http://").to_owned();
        if let Ok(mut stream) = std::net::TcpStream::connect(&host) {
            use std::io::{Read as _, Write as _};
            let _timeout = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _sent = stream.write_all(
                format!(
                    "DELETE /session/{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
                    self.session
                )
                .as_bytes(),
            );
            let _answer = stream.read(&mut [0; 1024]);
        }
        let _killed = self.driver.kill();
        let _ended = self.driver.wait();
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some("0"))
    })
}

/// Whether a click met nothing because the page was drawn anew after its target was found.
fn is_drawn_anew(error: &fantoccini::error::CmdError) -> bool {
    let text = error.to_string();
    ["stale element", "click intercepted"]
        .iter()
        .any(|words| text.contains(words))
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{text}\"")
    } else {
        format!("'{text}'")
    }
}
