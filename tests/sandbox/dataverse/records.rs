//! Records: created, changed, upserted and deleted, and what is refused.

use leadgen::sandbox::dataverse::DataverseSettings;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ana, bench};

fn code(refusal: (u16, String), status: u16, code: &str) {
    assert_eq!(refusal, (status, code.to_owned()));
}

#[tokio::test]
async fn a_lead_is_created_read_changed_and_deleted() {
    let bench = bench(DataverseSettings::default()).await;
    let id = bench.lead(ana()).await;
    let address = format!("leads({id})");
    let lead = bench.get(&address).await.json();
    assert_eq!(lead["fullname"], "Ana Ruiz");
    assert_eq!(
        (&lead["statecode"], &lead["statuscode"], &lead["donotemail"]),
        (&json!(0), &json!(1), &json!(false))
    );
    assert_eq!(lead["createdon"], "2026-11-20T12:00:00Z");
    assert!(lead["_ownerid_value"].is_string() && lead["jobtitle"].is_null());

    let changed = bench
        .patch(
            &address,
            json!({ "lastname": "Ruiz Gil" }),
            &[("if-match", "*")],
        )
        .await;
    assert_eq!(changed.status, 204);
    let selected = bench.get(&format!("{address}?$select=fullname")).await;
    let body = selected.json();
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["@odata.context", "@odata.etag", "fullname", "leadid"]
    );
    assert_eq!(body["fullname"], "Ana Ruiz Gil");
    assert_ne!(body["@odata.etag"], lead["@odata.etag"]);

    assert_eq!(bench.send("DELETE", &address, None, &[]).await.status, 204);
    code(bench.get(&address).await.refusal(), 404, "0x80040217");
}

#[tokio::test]
async fn the_representation_comes_when_it_is_preferred() {
    let bench = bench(DataverseSettings::default()).await;
    let id = Uuid::from_u128(7).to_string();
    let mut lead = ana();
    lead["leadid"] = json!(id);
    let prefer = [("prefer", "return=representation")];
    let path = "leads?$select=subject";
    let reply = bench.send("POST", path, Some(lead.clone()), &prefer).await;
    assert_eq!(
        (
            reply.status,
            reply.header("preference-applied"),
            reply.header("odata-entityid")
        ),
        (201, "return=representation", "")
    );
    assert_eq!(reply.json()["leadid"], json!(id));
    code(bench.post("leads", lead).await.refusal(), 412, "0x80040237");
}

#[tokio::test]
async fn an_upsert_by_id_keeps_to_its_condition() {
    let bench = bench(DataverseSettings::default()).await;
    let address = format!("leads({})", Uuid::from_u128(9));
    let absent = [("if-none-match", "*")];
    let present = [("if-match", "*")];
    code(
        bench.patch(&address, ana(), &present).await.refusal(),
        404,
        "0x80040217",
    );
    assert_eq!(bench.patch(&address, ana(), &absent).await.status, 204);
    code(
        bench.patch(&address, ana(), &absent).await.refusal(),
        412,
        "0x80040237",
    );
    let breaker = [("if-none-match", "null")];
    assert_eq!(bench.patch(&address, ana(), &breaker).await.status, 204);

    let etag = bench.get(&address).await.json()["@odata.etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let unchanged = bench
        .send("GET", &address, None, &[("if-none-match", &etag)])
        .await;
    assert_eq!(unchanged.status, 304);
    let by_version = [("if-match", etag.as_str())];
    assert_eq!(bench.patch(&address, ana(), &by_version).await.status, 204);
    code(
        bench.patch(&address, ana(), &by_version).await.refusal(),
        412,
        "0x80060882",
    );
    assert_eq!(bench.sandbox.count("lead"), 1);
}

#[tokio::test]
async fn bad_values_are_refused_with_the_codes_of_the_service() {
    let bench = bench(DataverseSettings::default()).await;
    let long = "x".repeat(301);
    for (body, status, expected) in [
        (json!({ "subject": long }), 400, "0x80044331"),
        (json!({ "mobilephone": "1".repeat(21) }), 400, "0x80044331"),
        (json!({ "leadsourcecode": 99 }), 400, "0x8004431a"),
        (json!({ "numberofemployees": -1 }), 400, "0x8004431a"),
        (json!({ "leadsourcecode": "Web" }), 400, "0x80048d19"),
        (json!({ "nonsense": 1 }), 400, "0x80048d19"),
        (
            json!({ "ownerid": Uuid::nil().to_string() }),
            400,
            "0x80048d19",
        ),
        (
            json!({ "statecode": 2, "statuscode": 1 }),
            400,
            "0x80048408",
        ),
        (
            json!({ "campaignid@odata.bind": format!("/campaigns({})", Uuid::nil()) }),
            404,
            "0x80040217",
        ),
        (
            json!({ "campaignid@odata.bind": format!("/systemusers({})", Uuid::nil()) }),
            400,
            "0x80048d19",
        ),
    ] {
        let reply = bench.post("leads", body.clone()).await;
        assert_eq!(reply.refusal(), (status, expected.to_owned()), "{body}");
    }
    code(bench.get("leadz").await.refusal(), 404, "0x80060888");
    assert_eq!(bench.sandbox.count("lead"), 0);
}

#[tokio::test]
async fn a_lead_without_a_topic_is_accepted_and_its_state_brings_its_reason() {
    let bench = bench(DataverseSettings::default()).await;
    let address = format!("leads({})", bench.lead(json!({})).await);
    let state = |state: i64| json!({ "statecode": state });
    assert_eq!(bench.patch(&address, state(2), &[]).await.status, 204);
    assert_eq!(bench.get(&address).await.json()["statuscode"], 4);
    let reopened = json!({ "statecode": 0, "statuscode": 2 });
    assert_eq!(bench.patch(&address, reopened, &[]).await.status, 204);
    assert_eq!(bench.get(&address).await.json()["statuscode"], 2);
}

#[tokio::test]
async fn lookups_are_bound_read_with_their_annotations_and_cleared() {
    let bench = bench(DataverseSettings::default()).await;
    let campaigns = bench.get("campaigns?$select=name").await.json();
    let campaign = campaigns["value"][0]["campaignid"]
        .as_str()
        .unwrap()
        .to_owned();
    let teams = bench
        .get("teams?$filter=name eq 'inbound SALES'")
        .await
        .json();
    let team = teams["value"][0]["teamid"].as_str().unwrap().to_owned();
    let id = bench
        .lead(json!({
            "campaignid@odata.bind": format!("/campaigns({campaign})"),
            "ownerid@odata.bind": format!("teams({team})"),
            "leadsourcecode": 8,
        }))
        .await;
    let address = format!("leads({id})");
    let annotated = [("prefer", "odata.include-annotations=\"*\"")];
    let lead = bench.send("GET", &address, None, &annotated).await.json();
    assert_eq!(lead["_campaignid_value"], campaign.as_str());
    assert_eq!(
        lead["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"],
        "team"
    );
    assert_eq!(
        lead["_ownerid_value@OData.Community.Display.V1.FormattedValue"],
        "Inbound sales"
    );
    assert_eq!(
        lead["leadsourcecode@OData.Community.Display.V1.FormattedValue"],
        "Web"
    );
    let cleared = bench
        .send("DELETE", &format!("{address}/campaignid/$ref"), None, &[])
        .await;
    assert_eq!(cleared.status, 204, "{}", cleared.text);
    assert_eq!(
        bench.get(&address).await.json()["_campaignid_value"],
        Value::Null
    );
}

#[tokio::test]
async fn single_values_are_set_read_and_cleared() {
    let bench = bench(DataverseSettings::default()).await;
    let address = format!("leads({})/jobtitle", bench.lead(ana()).await);
    let set = bench
        .send("PUT", &address, Some(json!({ "value": "CTO" })), &[])
        .await;
    assert_eq!(set.status, 204);
    assert_eq!(bench.get(&address).await.json()["value"], "CTO");
    assert_eq!(bench.send("DELETE", &address, None, &[]).await.status, 204);
    assert_eq!(bench.get(&address).await.status, 204);
}

#[tokio::test]
async fn each_privilege_can_be_missing() {
    let bench = bench(DataverseSettings::default()).await;
    let address = format!("leads({})", bench.lead(ana()).await);
    let users = bench.get("systemusers?$select=systemuserid").await.json();
    let user = users["value"][0]["systemuserid"]
        .as_str()
        .unwrap()
        .to_owned();
    let owned = json!({ "ownerid@odata.bind": format!("/systemusers({user})") });
    for (privilege, method, path, body) in [
        ("prvCreateLead", "POST", "leads", Some(ana())),
        ("prvReadLead", "GET", address.as_str(), None),
        ("prvReadLead", "GET", "leads", None),
        ("prvWriteLead", "PATCH", address.as_str(), Some(ana())),
        ("prvAssignLead", "POST", "leads", Some(owned)),
        ("prvDeleteLead", "DELETE", address.as_str(), None),
    ] {
        bench.sandbox.set_settings(DataverseSettings {
            missing_privileges: [privilege.to_owned()].into(),
            ..DataverseSettings::default()
        });
        let reply = bench.send(method, path, body, &[]).await;
        assert_eq!(
            reply.refusal(),
            (403, "0x80040220".to_owned()),
            "{privilege}"
        );
        assert!(reply.text.contains(privilege));
    }
}

#[tokio::test]
async fn the_duplicate_rule_is_asked_on_demand() {
    let bench = bench(DataverseSettings::default()).await;
    bench.lead(ana()).await;
    let same = json!({ "emailaddress1": "ANA@ex.test" });
    let asked = [("mscrm.suppressduplicatedetection", "false")];
    let reply = bench
        .send("POST", "leads", Some(same.clone()), &asked)
        .await;
    code(reply.refusal(), 500, "0x80040333");
    assert_eq!(bench.post("leads", same).await.status, 204);
}
