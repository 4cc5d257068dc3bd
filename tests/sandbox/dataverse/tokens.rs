//! How an application gets in: by secret, by certificate, and what it is told when it does not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use leadgen::sandbox::dataverse::{CLIENT_ID, DOMAIN, DataverseSettings, TENANT};
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Bench, Reply, bench, token_form};
use crate::support::noon;

const CERTIFICATE: &str = include_str!("application_certificate.pem");
const KEY: &str = include_str!("application_key.pem");

async fn ask(bench: &Bench, tenant: &str, form: &[(&'static str, String)]) -> Reply {
    let url = format!("{}/{tenant}/oauth2/v2.0/token", bench.sandbox.url());
    Reply::of(bench.http.post(url).form(form).send().await.unwrap()).await
}

fn with(
    mut form: Vec<(&'static str, String)>,
    name: &'static str,
    value: &str,
) -> Vec<(&'static str, String)> {
    form.retain(|(known, _)| *known != name);
    form.push((name, value.to_owned()));
    form
}

/// Status, word and number of a refusal.
fn denied(reply: &Reply) -> (u16, String, i64) {
    let body = reply.json();
    let number = body["error_codes"][0].as_i64().unwrap();
    let words = body["error_description"].as_str().unwrap();
    assert!(words.starts_with(&format!("AADSTS{number}: ")), "{words}");
    (
        reply.status,
        body["error"].as_str().unwrap().to_owned(),
        number,
    )
}

#[tokio::test]
async fn an_application_signs_in_with_its_secret() {
    let bench = bench(DataverseSettings::default()).await;
    for tenant in [TENANT, DOMAIN] {
        let reply = ask(&bench, tenant, &token_form(&bench.sandbox)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let body = reply.json();
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&json!("Bearer"), &json!(3599))
        );
    }
    let reply = bench.get("WhoAmI").await;
    assert_eq!((reply.status, reply.header("odata-version")), (200, "4.0"));
    let who = reply.json();
    assert!(who["UserId"].is_string() && who["OrganizationId"].is_string());
    assert_eq!(bench.get("WhoAmI()").await.json()["UserId"], who["UserId"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_grant_has_its_number() {
    let bench = bench(DataverseSettings::default()).await;
    let form = || token_form(&bench.sandbox);
    for (tenant, form, expected) in [
        (
            TENANT,
            with(form(), "client_secret", "other"),
            (401, "invalid_client", 7_000_215),
        ),
        (
            TENANT,
            with(form(), "client_id", TENANT),
            (400, "unauthorized_client", 700_016),
        ),
        ("fabrikam.example", form(), (400, "invalid_request", 90_002)),
        (
            TENANT,
            with(form(), "scope", "https://elsewhere.example/.default"),
            (400, "invalid_resource", 500_011),
        ),
        (
            TENANT,
            with(form(), "scope", &bench.sandbox.url()),
            (400, "invalid_scope", 1_002_012),
        ),
        (
            TENANT,
            with(form(), "grant_type", "password"),
            (400, "unsupported_grant_type", 70_003),
        ),
    ] {
        let reply = ask(&bench, tenant, &form).await;
        let (status, word, number) = denied(&reply);
        assert_eq!((status, word.as_str(), number), expected);
    }
    bench.sandbox.set_settings(DataverseSettings {
        secret_expired: true,
        ..DataverseSettings::default()
    });
    let reply = ask(&bench, TENANT, &form()).await;
    assert_eq!(denied(&reply).2, 7_000_222);
}

fn assertion(scheme: SignatureScheme, algorithm: &str, claims: &Value) -> String {
    let der = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&der));
    let header = json!({ "alg": algorithm, "typ": "JWT", "x5t#S256": thumbprint });
    let signed = [header.to_string(), claims.to_string()]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let signer = key.choose_scheme(&[scheme]).unwrap();
    let signature = signer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn an_application_signs_in_with_the_key_of_a_certificate_that_is_registered() {
    let bench = bench(DataverseSettings::default()).await;
    let now = noon().timestamp();
    let claims = json!({
        "aud": format!("{}/{TENANT}/oauth2/v2.0/token", bench.sandbox.url()),
        "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": "1", "nbf": now, "iat": now, "exp": now + 300,
    });
    let form = |assertion: String| {
        let mut form = token_form(&bench.sandbox);
        form.retain(|(name, _)| *name != "client_secret");
        form.push((
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
        ));
        form.push(("client_assertion", assertion));
        form
    };
    let pss = assertion(SignatureScheme::RSA_PSS_SHA256, "PS256", &claims);
    let unknown = ask(&bench, TENANT, &form(pss.clone())).await;
    assert_eq!(denied(&unknown).2, 700_027);

    bench
        .sandbox
        .trust_application_certificate(CERTIFICATE)
        .unwrap();
    let pkcs = assertion(SignatureScheme::RSA_PKCS1_SHA256, "RS256", &claims);
    for good in [&pss, &pkcs] {
        let reply = ask(&bench, TENANT, &form(good.clone())).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let (signed, _) = pss.rsplit_once('.').unwrap();
    let forged = ask(&bench, TENANT, &form(format!("{signed}.AAAA"))).await;
    assert_eq!(denied(&forged).2, 700_027);
    bench.sandbox.advance(TimeDelta::minutes(6));
    let late = ask(&bench, TENANT, &form(pss)).await;
    assert_eq!(denied(&late).2, 700_024);
    assert!(bench.sandbox.trust_application_certificate("no").is_err());
}

#[tokio::test]
async fn a_request_without_a_standing_token_is_told_where_to_get_one() {
    let mut bench = bench(DataverseSettings::default()).await;
    bench.sandbox.advance(TimeDelta::minutes(61));
    let reply = bench.get("WhoAmI").await;
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer authorization_uri=https://localhost:")
            && challenge.contains(&format!("resource_id={}/", bench.sandbox.url())),
        "{challenge}"
    );
    bench.sign_in().await;
    assert_eq!(bench.get("WhoAmI").await.status, 200);
}

#[tokio::test]
async fn an_application_without_a_user_is_no_member() {
    let settings = DataverseSettings {
        member: false,
        ..DataverseSettings::default()
    };
    let bench = bench(settings).await;
    let refusal = bench.get("WhoAmI").await.refusal();
    assert_eq!(refusal, (403, "0x80072560".to_owned()));
}

#[tokio::test]
async fn the_documents_of_the_tenant_lead_to_its_token_endpoint() {
    let bench = bench(DataverseSettings::default()).await;
    let base = bench.sandbox.url();
    let document = bench
        .get(&format!(
            "{base}/{DOMAIN}/v2.0/.well-known/openid-configuration"
        ))
        .await
        .json();
    assert_eq!(document["issuer"], format!("{base}/{TENANT}/v2.0"));
    assert_eq!(
        document["token_endpoint"],
        format!("{base}/{TENANT}/oauth2/v2.0/token")
    );
    let instance = bench
        .get(&format!("{base}/common/discovery/instance?api-version=1.1"))
        .await
        .json();
    assert!(instance["tenant_discovery_endpoint"].is_string());
}
