//! Definitions of tables, columns and keys; upserts by an alternate key; and what a user may do.

use chrono::TimeDelta;
use leadgen::sandbox::dataverse::DataverseSettings;
use serde_json::{Value, json};

use super::{Bench, ana, bench};

const LEAD: &str = "EntityDefinitions(LogicalName='lead')";

async fn values(bench: &Bench, path: &str) -> Vec<Value> {
    let reply = bench.get(path).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["value"].as_array().unwrap().clone()
}

fn named<'a>(all: &'a [Value], name: &str) -> &'a Value {
    all.iter().find(|one| one["LogicalName"] == name).unwrap()
}

#[tokio::test]
async fn columns_tell_their_lengths_ranges_and_options_by_their_class() {
    let bench = bench(DataverseSettings::default()).await;
    let select =
        "$select=LogicalName,AttributeType,RequiredLevel,IsValidForCreate,IsValidForUpdate";
    let all = values(&bench, &format!("{LEAD}/Attributes?{select}")).await;
    assert_eq!(
        named(&all, "lastname")["RequiredLevel"]["Value"],
        "ApplicationRequired"
    );
    assert_eq!(named(&all, "fullname")["IsValidForCreate"], false);
    assert!(named(&all, "lastname")["MaxLength"].is_null());
    assert!(named(&all, "lastname")["DisplayName"].is_null());

    let of = |class: &str| format!("{LEAD}/Attributes/Microsoft.Dynamics.CRM.{class}");
    let text = values(
        &bench,
        &of("StringAttributeMetadata?$select=LogicalName,MaxLength"),
    )
    .await;
    assert_eq!(named(&text, "mobilephone")["MaxLength"], 20);
    let choices = of(
        "PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)",
    );
    let choices = values(&bench, &choices).await;
    let options = &named(&choices, "leadsourcecode")["OptionSet"]["Options"];
    assert_eq!(options[7]["Value"], 8);
    assert_eq!(options[7]["Label"]["UserLocalizedLabel"]["Label"], "Web");
    let reasons = values(&bench, &of("StatusAttributeMetadata?$expand=OptionSet")).await;
    assert_eq!(reasons[0]["OptionSet"]["Options"][3]["State"], 2);

    let filtered = "EntityDefinitions?$select=EntitySetName&$filter=LogicalName eq 'lead'";
    assert_eq!(values(&bench, filtered).await[0]["EntitySetName"], "leads");
    let by_type = format!(
        "{LEAD}/Attributes?$select=LogicalName&$filter=AttributeType eq Microsoft.Dynamics.CRM.AttributeTypeCode'State'"
    );
    assert_eq!(values(&bench, &by_type).await.len(), 1);
    let unknown = bench.get("EntityDefinitions(LogicalName='nonsense')").await;
    assert_eq!(unknown.status, 404);
    let relations = values(&bench, &format!("{LEAD}/ManyToOneRelationships")).await;
    assert!(
        relations
            .iter()
            .any(|one| one["ReferencingEntityNavigationPropertyName"] == "customerid_account")
    );
}

async fn with_key(bench: &Bench) {
    let column = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "lb_ResponseKey",
        "MaxLength": 40, "FormatName": { "Value": "Text" },
        "DisplayName": { "LocalizedLabels": [{ "Label": "Response key", "LanguageCode": 1033 }] },
    });
    let reply = bench.post(&format!("{LEAD}/Attributes"), column).await;
    assert_eq!(reply.status, 204, "{}", reply.text);
    let key = json!({ "SchemaName": "lb_ResponseKey_key", "KeyAttributes": ["lb_responsekey"] });
    let reply = bench.post(&format!("{LEAD}/Keys"), key).await;
    assert_eq!(reply.status, 204, "{}", reply.text);
}

#[tokio::test]
async fn an_alternate_key_works_when_its_index_is_built() {
    let bench = bench(DataverseSettings {
        key_build_ms: 60_000,
        ..DataverseSettings::default()
    })
    .await;
    with_key(&bench).await;
    let status =
        async || values(&bench, &format!("{LEAD}/Keys")).await[0]["EntityKeyIndexStatus"].clone();
    assert_eq!(status().await, "Pending");
    let address = "leads(lb_responsekey='abc-1')";
    assert_eq!(bench.patch(address, ana(), &[]).await.status, 400);
    bench.sandbox.advance(TimeDelta::minutes(2));
    assert_eq!(status().await, "Active");

    let created = bench.patch(address, ana(), &[]).await;
    assert_eq!(created.status, 204);
    assert!(created.header("odata-entityid").ends_with(address));
    let prefer = [("prefer", "return=representation")];
    let path = format!("{address}?$select=leadid,lb_responsekey");
    let updated = bench
        .patch(&path, json!({ "lastname": "Gil" }), &prefer)
        .await;
    assert_eq!(
        (updated.status, updated.header("etag").is_empty()),
        (200, false)
    );
    assert_eq!(updated.json()["lb_responsekey"], "abc-1");
    let other = "leads(lb_responsekey='it''s')";
    assert_eq!(bench.patch(other, ana(), &prefer).await.status, 201);
    assert_eq!(bench.sandbox.count("lead"), 2);

    let doubled = bench
        .post("leads", json!({ "lb_responsekey": "ABC-1" }))
        .await;
    assert_eq!(doubled.refusal(), (412, "0x80060892".to_owned()));
    assert!(doubled.text.contains("lb_ResponseKey_key"));
    let absent = bench.get("leads(lb_responsekey='none')").await;
    assert_eq!(absent.refusal(), (404, "0x80060891".to_owned()));
    let urn = bench
        .patch("leads(lb_responsekey='urn%3Ali%3A1')", ana(), &[])
        .await;
    assert_eq!(urn.status, 400);
}

#[tokio::test]
async fn a_key_over_rows_that_are_not_unique_fails() {
    let bench = bench(DataverseSettings::default()).await;
    bench.lead(ana()).await;
    bench.lead(ana()).await;
    let key = json!({ "SchemaName": "lb_Email_key", "KeyAttributes": ["emailaddress1"] });
    assert_eq!(bench.post(&format!("{LEAD}/Keys"), key).await.status, 204);
    let keys = values(&bench, &format!("{LEAD}/Keys")).await;
    assert_eq!(keys[0]["EntityKeyIndexStatus"], "Failed");
}

#[tokio::test]
async fn a_user_learns_its_privileges() {
    let bench = bench(DataverseSettings {
        missing_privileges: ["prvDeleteLead".to_owned()].into(),
        ..DataverseSettings::default()
    })
    .await;
    let me = bench.get("WhoAmI").await.json()["UserId"]
        .as_str()
        .unwrap()
        .to_owned();
    let all = bench
        .get(&format!(
            "systemusers({me})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
        ))
        .await
        .json();
    let names: Vec<&str> = all["RolePrivileges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["PrivilegeName"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"prvCreateLead") && !names.contains(&"prvDeleteLead"));
    let lead = bench.lead(ana()).await;
    let access = bench
        .get(&format!(
            "systemusers({me})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)?@t={{'@odata.id':'leads({lead})'}}"
        ))
        .await
        .json();
    let rights = access["AccessRights"].as_str().unwrap();
    assert!(rights.contains("WriteAccess") && !rights.contains("DeleteAccess"));
}
