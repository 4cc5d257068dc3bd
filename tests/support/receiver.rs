//! A program that receives webhooks over HTTPS with a certificate of its own, checks their signatures, and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// One message as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub id: String,
    pub kind: String,
    pub body: Value,
    /// The headers of the signature, to be checked.
    headers: HashMap<String, String>,
    raw: Vec<u8>,
}

impl Received {
    /// Whether a program with this secret believes the message: worked out as the specification says, not by the library
    /// that signed it.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let timestamp = &self.headers["webhook-timestamp"];
        mac.update(format!("{}.{timestamp}.", self.id).as_bytes());
        mac.update(&self.raw);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"]
            .split(' ')
            .any(|signature| signature == expected)
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: VecDeque<(u16, Option<&'static str>)>,
}

/// The running receiver; stops when dropped.
pub struct Receiver {
    state: Arc<Mutex<State>>,
    handle: actix_web::dev::ServerHandle,
    pub url: String,
    certificate: tempfile::NamedTempFile,
}

async fn receive(
    request: HttpRequest,
    body: web::Bytes,
    state: web::Data<Arc<Mutex<State>>>,
) -> HttpResponse {
    let headers: HashMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                value.to_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let value: Value = serde_json::from_slice(&body).unwrap();
    let mut state = state.lock().unwrap();
    state.received.push(Received {
        id: headers["webhook-id"].clone(),
        kind: value["type"].as_str().unwrap().to_owned(),
        body: value,
        headers,
        raw: body.to_vec(),
    });
    let (status, retry_after) = state.answers.pop_front().unwrap_or((204, None));
    let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    if let Some(after) = retry_after {
        answer.insert_header(("retry-after", after));
    }
    if status == 302 {
        answer.insert_header(("location", "https://127.0.0.1/elsewhere"));
    }
    answer.finish()
}

impl Receiver {
    pub fn start() -> Self {
        super::install_crypto_provider();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(certificate.path(), made.cert.pem()).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/hooks/leads", listener.local_addr().unwrap());
        let data = web::Data::new(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen_rustls_0_23(listener, tls)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            state,
            handle,
            url,
            certificate,
        }
    }

    /// The file with the certificate that the portal is to believe.
    pub fn certificate(&self) -> &str {
        self.certificate.path().to_str().unwrap()
    }

    /// What the next messages are answered; afterwards 204.
    pub fn answers(&self, answers: &[(u16, Option<&'static str>)]) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// What came since the last look.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().received)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
