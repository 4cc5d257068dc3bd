//! An OpenID Connect provider of the tests' own, over real HTTP, that misbehaves when told to.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use leadgen::clock::Clock;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// What the portal is called at the provider.
pub const CLIENT_ID: &str = "leadgen";
/// What it proves itself with.
pub const CLIENT_SECRET: &str = "oidc client secret";

/// What the provider does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    WrongNonce,
    Expired,
    FromTheFuture,
    WrongAudience,
    SeveralAudiences,
    WrongIssuer,
    NoSubject,
    NoneAlgorithm,
    HmacWithThePublicKey,
    WrongSignature,
    UnpublishedKey,
    NoIdToken,
    NoAuthTime,
    StaleSignIn,
    SignedInLater,
    RefusesTheClient,
    RefusesTheCode,
    Away,
    Unreadable,
}

struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .unwrap();
        Self {
            id: id.to_owned(),
            pair,
        }
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

/// A click that was answered, waiting for its code to be exchanged.
struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    /// Whether the token must tell when the person signed in.
    tells_auth_time: bool,
}

struct State {
    issuer: String,
    clock: Clock,
    key: Key,
    claims: Value,
    userinfo: Option<Value>,
    fault: Option<Fault>,
    grants: BTreeMap<String, Grant>,
    key_requests: usize,
}

/// The running provider; stops when dropped.
pub struct OidcProvider {
    pub issuer: String,
    state: Arc<Mutex<State>>,
    handle: actix_web::dev::ServerHandle,
}

impl OidcProvider {
    /// A provider that behaves, by this clock, and knows one person.
    pub fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            issuer: issuer.clone(),
            clock,
            key: Key::new("first"),
            claims: json!({
                "sub": "person-1", "email": "grace@example.com", "email_verified": true,
                "name": "Grace Hopper",
            }),
            userinfo: None,
            fault: None,
            grants: BTreeMap::new(),
            key_requests: 0,
        }));
        let shared = web::Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route(
                    "/.well-known/openid-configuration",
                    web::get().to(description),
                )
                .route("/keys", web::get().to(keys))
                .route("/token", web::post().to(token))
                .route("/userinfo", web::get().to(userinfo))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            issuer,
            state,
            handle,
        }
    }

    /// The settings of a portal that signs people in here.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("LEADGEN_OIDC_ISSUER", self.issuer.clone()),
            ("LEADGEN_OIDC_CLIENT_ID", CLIENT_ID.to_owned()),
            ("LEADGEN_OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("LEADGEN_OIDC_NAME", "Example ID".to_owned()),
        ]
    }

    /// From now on it does this wrong, or nothing.
    pub fn misbehave(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().fault = fault;
    }

    /// Who signs in next: claims of the ID token, beside those about the token itself.
    pub fn person(&self, claims: Value) {
        self.state.lock().unwrap().claims = claims;
    }

    /// What the userinfo endpoint says, if it says anything.
    pub fn userinfo(&self, claims: Value) {
        self.state.lock().unwrap().userinfo = Some(claims);
    }

    /// Moves its clock.
    pub fn advance(&self, by: chrono::TimeDelta) {
        self.state.lock().unwrap().clock.advance(by);
    }

    /// From now on another key signs and is published.
    pub fn rotate(&self, id: &str) {
        self.state.lock().unwrap().key = Key::new(id);
    }

    /// How often the keys were asked for.
    pub fn key_requests(&self) -> usize {
        self.state.lock().unwrap().key_requests
    }

    /// The person signs in at the provider: from the address that the portal sent the browser to, to the path and query
    /// that the provider sends it back to.
    pub fn sign_in_at(&self, address: &str) -> String {
        let url = Url::parse(address).unwrap();
        assert_eq!(url.path(), "/authorize", "{address}");
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["response_type"], "code");
        assert_eq!(query["client_id"], CLIENT_ID);
        assert_eq!(query["code_challenge_method"], "S256");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", state.grants.len());
        let redirect_uri = query["redirect_uri"].clone();
        state.grants.insert(
            code.clone(),
            Grant {
                nonce: query["nonce"].clone(),
                challenge: query["code_challenge"].clone(),
                redirect_uri: redirect_uri.clone(),
                tells_auth_time: query.contains_key("max_age"),
            },
        );
        let mut back = Url::parse(&redirect_uri).unwrap();
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &query["state"])
            .append_pair("iss", &state.issuer);
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    /// The person cancels at the provider; answers the way back.
    pub fn cancel_at(&self, address: &str) -> String {
        let back = self.sign_in_at(address);
        let (path, query) = back.split_once('?').unwrap();
        let (_code, rest) = query.split_once('&').unwrap();
        format!("{path}?error=access_denied&{rest}")
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

fn unwell(state: &State) -> Option<HttpResponse> {
    match state.fault {
        Some(Fault::Away) => Some(HttpResponse::ServiceUnavailable().body("away")),
        Some(Fault::Unreadable) => Some(HttpResponse::Ok().body("<html>hello</html>")),
        _ => None,
    }
}

async fn description(state: web::Data<Mutex<State>>) -> HttpResponse {
    let state = state.lock().unwrap();
    if let Some(answer) = unwell(&state) {
        return answer;
    }
    let issuer = &state.issuer;
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/end-session"),
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(state: web::Data<Mutex<State>>) -> HttpResponse {
    let mut state = state.lock().unwrap();
    state.key_requests += 1;
    if let Some(answer) = unwell(&state) {
        return answer;
    }
    // A key of a kind that nobody knows must not be in the way.
    HttpResponse::Ok().json(json!({ "keys": [{ "kty": "unheard-of" }, state.key.public()] }))
}

async fn userinfo(state: web::Data<Mutex<State>>, request: HttpRequest) -> HttpResponse {
    let state = state.lock().unwrap();
    let bearer = request.headers().get("authorization").unwrap();
    assert_eq!(bearer, "Bearer an access token");
    match &state.userinfo {
        Some(claims) => HttpResponse::Ok().json(claims),
        None => HttpResponse::Ok().json(json!({ "sub": state.claims["sub"] })),
    }
}

async fn token(
    state: web::Data<Mutex<State>>,
    request: HttpRequest,
    form: web::Form<BTreeMap<String, String>>,
) -> HttpResponse {
    let mut state = state.lock().unwrap();
    if let Some(answer) = unwell(&state) {
        return answer;
    }
    let refuse = |error: &str| HttpResponse::BadRequest().json(json!({ "error": error }));
    let secret = CLIENT_SECRET.replace(' ', "+");
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{secret}")));
    let is_known = request
        .headers()
        .get("authorization")
        .is_some_and(|sent| sent == basic.as_str());
    if !is_known || state.fault == Some(Fault::RefusesTheClient) {
        return HttpResponse::Unauthorized().json(json!({ "error": "invalid_client" }));
    }
    // A code is good once.
    let Some(grant) = state.grants.remove(&form["code"]) else {
        return refuse("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    if challenge != grant.challenge
        || form["redirect_uri"] != grant.redirect_uri
        || form["grant_type"] != "authorization_code"
        || state.fault == Some(Fault::RefusesTheCode)
    {
        return refuse("invalid_grant");
    }
    let mut answer = json!({
        "access_token": "an access token", "token_type": "Bearer", "expires_in": 300,
    });
    if state.fault != Some(Fault::NoIdToken) {
        answer["id_token"] = id_token(&state, &grant).into();
    }
    HttpResponse::Ok().json(answer)
}

fn id_token(state: &State, grant: &Grant) -> String {
    let now = state.clock.now().timestamp();
    let mut claims = state.claims.clone();
    claims["iss"] = json!(state.issuer);
    claims["aud"] = json!(CLIENT_ID);
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 300);
    claims["nonce"] = json!(grant.nonce);
    if grant.tells_auth_time && state.fault != Some(Fault::NoAuthTime) {
        claims["auth_time"] = json!(now);
    }
    let mut header = json!({ "alg": "ES256", "kid": state.key.id });
    match state.fault {
        Some(Fault::WrongNonce) => claims["nonce"] = json!("another nonce"),
        Some(Fault::Expired) => claims["exp"] = json!(now - 61),
        Some(Fault::FromTheFuture) => claims["iat"] = json!(now + 61),
        Some(Fault::StaleSignIn) => claims["auth_time"] = json!(now - 61),
        Some(Fault::SignedInLater) => claims["auth_time"] = json!(now + 61),
        Some(Fault::WrongAudience) => claims["aud"] = json!("somebody else"),
        Some(Fault::SeveralAudiences) => claims["aud"] = json!([CLIENT_ID, "somebody else"]),
        Some(Fault::WrongIssuer) => claims["iss"] = json!("https://elsewhere.example.com"),
        Some(Fault::NoSubject) => claims["sub"] = json!(""),
        Some(Fault::NoneAlgorithm) => header["alg"] = json!("none"),
        Some(Fault::HmacWithThePublicKey) => header["alg"] = json!("HS256"),
        Some(Fault::UnpublishedKey) => header["kid"] = json!("unpublished"),
        _ => {}
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = match state.fault {
        Some(Fault::NoneAlgorithm) => Vec::new(),
        Some(Fault::HmacWithThePublicKey) => {
            let secret = state.key.public().to_string();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
        }
        Some(Fault::WrongSignature) => vec![7; 64],
        _ => {
            let signed = state
                .key
                .pair
                .sign(&SystemRandom::new(), message.as_bytes());
            signed.unwrap().as_ref().to_vec()
        }
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
