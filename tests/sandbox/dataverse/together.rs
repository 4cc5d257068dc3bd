//! Many records in one request: bulk messages, batches and change sets; and what a qualified lead leaves behind.

use leadgen::sandbox::dataverse::{DataverseFault, DataverseFaultKind, DataverseSettings};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, Reply, ana, bench};

fn target(extra: Value) -> Value {
    let mut target = ana();
    let object = target.as_object_mut().unwrap();
    object.insert(
        "@odata.type".to_owned(),
        json!("Microsoft.Dynamics.CRM.lead"),
    );
    object.extend(extra.as_object().unwrap().clone());
    target
}

const BULK: &str = "leads/Microsoft.Dynamics.CRM.";

#[tokio::test]
async fn bulk_messages_write_all_rows_or_none() {
    let bench = bench(DataverseSettings::default()).await;
    let both = json!({ "Targets": [target(json!({})), target(json!({ "firstname": "Bo" }))] });
    let made = bench.post(&format!("{BULK}CreateMultiple"), both).await;
    assert_eq!(made.json()["Ids"].as_array().unwrap().len(), 2);

    let id = made.json()["Ids"][0].as_str().unwrap().to_owned();
    let bad = json!({ "Targets": [
        target(json!({ "leadid": id, "lastname": "Changed" })),
        target(json!({ "leadid": Uuid::nil().to_string() })),
    ] });
    let refused = bench.post(&format!("{BULK}UpdateMultiple"), bad).await;
    assert_eq!(refused.refusal(), (404, "0x80040217".to_owned()));
    let lead = bench.get(&format!("leads({id})")).await.json();
    assert_eq!(lead["lastname"], "Ruiz");

    let upsert = json!({ "Targets": [
        target(json!({ "@odata.id": format!("leads({id})"), "lastname": "Changed" })),
        target(json!({ "@odata.id": format!("leads({})", Uuid::from_u128(5)) })),
    ] });
    let done = bench.post(&format!("{BULK}UpsertMultiple"), upsert).await;
    assert_eq!((done.status, done.text.as_str()), (204, ""));
    assert_eq!(bench.sandbox.count("lead"), 3);
    let untyped = json!({ "Targets": [ana()] });
    let refused = bench.post(&format!("{BULK}CreateMultiple"), untyped).await;
    assert_eq!(refused.status, 400);
}

async fn batch(bench: &Bench, parts: &str, prefer: &str, line_end: &str) -> Reply {
    let body = format!("--batch_1{line_end}{parts}--batch_1--{line_end}");
    let mut request = bench
        .http
        .post(format!("{}/api/data/v9.2/$batch", bench.sandbox.url()))
        .bearer_auth(&bench.token)
        .header("content-type", "multipart/mixed; boundary=\"batch_1\"")
        .body(body);
    if !prefer.is_empty() {
        request = request.header("prefer", prefer);
    }
    Reply::of(request.send().await.unwrap()).await
}

fn part(request: &str, body: &Value, line_end: &str) -> String {
    [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        request,
        "Content-Type: application/json; type=entry",
        "",
        &body.to_string(),
        "",
    ]
    .join(line_end)
}

fn statuses(text: &str) -> Vec<u16> {
    text.lines()
        .filter_map(|line| line.strip_prefix("HTTP/1.1 "))
        .map(|line| line[..3].parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_stops_at_the_first_failure_unless_it_is_told_to_go_on() {
    let bench = bench(DataverseSettings::default()).await;
    let good = "POST /api/data/v9.2/leads HTTP/1.1";
    let bad = json!({ "leadsourcecode": 99 });
    for line_end in ["\r\n", "\n"] {
        let parts = [
            part(good, &ana(), line_end),
            part(good, &bad, line_end),
            part("POST leads HTTP/1.1", &ana(), line_end),
        ]
        .join(&format!("--batch_1{line_end}"));
        let stopped = batch(&bench, &parts, "", line_end).await;
        assert_eq!(stopped.status, 400);
        assert_eq!(statuses(&stopped.text), [204, 400]);
        let whole = batch(&bench, &parts, "odata.continue-on-error", line_end).await;
        assert_eq!(whole.status, 200);
        assert_eq!(statuses(&whole.text), [204, 400, 204]);
        assert!(
            whole
                .header("content-type")
                .starts_with("multipart/mixed; boundary=")
        );
    }
    assert_eq!(bench.sandbox.count("lead"), 6);
    let malformed = batch(&bench, "nonsense\r\n", "", "\r\n").await;
    assert_eq!(malformed.status, 400);
    assert!(malformed.json()["error"]["code"].is_string());
}

#[tokio::test]
async fn one_part_of_a_batch_is_throttled_and_the_others_are_carried_out() {
    let bench = bench(DataverseSettings::default()).await;
    let good = part("POST leads HTTP/1.1", &ana(), "\r\n");
    let parts = [good.clone(), good.clone(), good].join("--batch_1\r\n");
    let fault = DataverseFault::new(DataverseFaultKind::ThrottledPart)
        .after(1)
        .times(1)
        .seconds(9);
    bench.sandbox.add_fault(fault);
    // Outside of a batch it strikes nothing, and does not wear off.
    bench.lead(ana()).await;
    let whole = batch(&bench, &parts, "odata.continue-on-error", "\r\n").await;
    assert_eq!(whole.status, 200);
    assert_eq!(statuses(&whole.text), [204, 429, 204]);
    assert!(whole.text.contains("Retry-After: 9"), "{}", whole.text);
    assert!(whole.text.contains("0x80072322"), "{}", whole.text);
    assert_eq!(bench.sandbox.count("lead"), 3);
    let again = batch(&bench, &parts, "", "\r\n").await;
    assert_eq!(statuses(&again.text), [204, 204, 204]);
}

fn change_set(parts: &[String]) -> String {
    let mut text = "Content-Type: multipart/mixed; boundary=changeset_1\r\n\r\n".to_owned();
    for (number, part) in parts.iter().enumerate() {
        text.push_str(&format!(
            "--changeset_1\r\nContent-ID: {}\r\n{part}",
            number + 1
        ));
    }
    text.push_str("--changeset_1--\r\n");
    text
}

#[tokio::test]
async fn a_change_set_is_whole_and_refers_to_what_it_made() {
    let bench = bench(DataverseSettings::default()).await;
    let create = part(
        "POST /api/data/v9.2/accounts HTTP/1.1",
        &json!({ "name": "Ruiz SL" }),
        "\r\n",
    );
    let linked = part(
        "POST /api/data/v9.2/leads HTTP/1.1",
        &json!({ "lastname": "Ruiz", "parentaccountid@odata.bind": "$1" }),
        "\r\n",
    );
    let update = part("PATCH $2 HTTP/1.1", &json!({ "firstname": "Ana" }), "\r\n");
    let whole = change_set(&[create.clone(), linked, update]);
    let reply = batch(&bench, &whole, "", "\r\n").await;
    assert_eq!(
        (reply.status, statuses(&reply.text)),
        (200, vec![204, 204, 204]),
        "{}",
        reply.text
    );
    assert!(reply.text.contains("Content-ID: 3") && reply.text.contains("changesetresponse_"));
    let leads = bench.sandbox.records("lead");
    assert_eq!(leads[0]["fullname"], "Ana Ruiz");
    assert!(leads[0]["_parentaccountid_value"].is_string());

    let bad = part(
        "POST /api/data/v9.2/leads HTTP/1.1",
        &json!({ "mobilephone": "1".repeat(30) }),
        "\r\n",
    );
    let forward = part("PATCH $9 HTTP/1.1", &json!({ "firstname": "Ana" }), "\r\n");
    for (failing, code) in [
        (bad, "0x80044331"),
        (forward, "does not exist in the batch context"),
    ] {
        let reply = batch(&bench, &change_set(&[create.clone(), failing]), "", "\r\n").await;
        assert_eq!(statuses(&reply.text), [400]);
        assert!(reply.text.contains(code), "{}", reply.text);
    }
    assert_eq!(
        (bench.sandbox.count("account"), bench.sandbox.count("lead")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_lead_is_qualified_once_and_leaves_what_was_asked_for() {
    let bench = bench(DataverseSettings::default()).await;
    let id = bench.lead(ana()).await;
    let address = format!("leads({id})");
    let action = format!("{address}/Microsoft.Dynamics.CRM.QualifyLead");
    let asked = |account: bool, contact: bool, opportunity: bool, status: i64| {
        json!({
            "CreateAccount": account, "CreateContact": contact,
            "CreateOpportunity": opportunity, "Status": status,
        })
    };
    // A reason that does not belong to the state, and a user who may not make what is asked for: nothing is made.
    let wrong = bench.post(&action, asked(true, true, true, 7)).await;
    assert_eq!(wrong.status, 400);
    let lacks = |privilege: &str| DataverseSettings {
        missing_privileges: [privilege.to_owned()].into(),
        ..DataverseSettings::default()
    };
    for privilege in ["prvCreateOpportunity", "prvWriteLead"] {
        bench.sandbox.set_settings(lacks(privilege));
        let refused = bench.post(&action, asked(true, true, true, 3)).await;
        assert_eq!(refused.refusal(), (403, "0x80040220".to_owned()));
        assert_eq!(bench.sandbox.count("account"), 0, "{privilege}");
    }
    bench.sandbox.set_settings(DataverseSettings::default());
    let reply = bench.post(&action, asked(true, true, true, 3)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let made: Vec<Value> = reply.json()["value"].as_array().unwrap().clone();
    let kinds: Vec<_> = made.iter().map(|one| one["@odata.type"].clone()).collect();
    assert_eq!(
        kinds,
        ["account", "contact", "opportunity"].map(|kind| format!("#Microsoft.Dynamics.CRM.{kind}"))
    );
    let lead = bench.get(&address).await.json();
    assert_eq!(
        (&lead["statecode"], &lead["statuscode"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(lead["_parentcontactid_value"], made[1]["contactid"]);
    let opportunity = &bench.sandbox.records("opportunity")[0];
    assert_eq!(opportunity["_originatingleadid_value"], id);
    let again = bench.post(&action, asked(false, true, false, 3)).await;
    assert_eq!(again.status, 400);
    assert_eq!(bench.sandbox.count("contact"), 1);

    // Nothing asked for, and the usual reason: only the state changes.
    let other = bench.lead(ana()).await;
    let action = format!("leads({other})/Microsoft.Dynamics.CRM.QualifyLead");
    let reply = bench.post(&action, asked(false, false, false, -1)).await;
    assert_eq!(reply.json()["value"], json!([]));
    let lead = bench.get(&format!("leads({other})")).await.json();
    assert_eq!(lead["statuscode"], 3);
    assert_eq!(bench.sandbox.count("contact"), 1);
}
