//! Change tracking: the whole table at first, then what was changed and deleted; and what people in the organization do.

use chrono::TimeDelta;
use leadgen::sandbox::dataverse::DataverseSettings;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, Reply, ana, bench};

const TRACK: (&str, &str) = ("prefer", "odata.track-changes");
const FIRST: &str = "leads?$select=firstname,statecode";

async fn tracked(bench: &Bench, path: &str) -> Value {
    let reply = bench.send("GET", path, None, &[TRACK]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("preference-applied"), "odata.track-changes");
    reply.json()
}

fn delta_link(page: &Value) -> String {
    page["@odata.deltaLink"].as_str().unwrap().to_owned()
}

fn names(page: &Value) -> Vec<&str> {
    let rows = page["value"].as_array().unwrap().iter();
    rows.map(|row| row["firstname"].as_str().unwrap_or("gone"))
        .collect()
}

async fn named(bench: &Bench, name: &str) -> Uuid {
    let id = bench.lead(json!({ "firstname": name })).await;
    id.parse().unwrap()
}

#[tokio::test]
async fn a_delta_link_tells_what_was_changed_and_then_what_was_deleted() {
    let bench = bench(DataverseSettings::default()).await;
    for name in ["Ana", "Bo"] {
        named(&bench, name).await;
    }
    let dee = named(&bench, "Dee").await;
    let first = tracked(&bench, FIRST).await;
    assert_eq!(names(&first), ["Ana", "Bo", "Dee"]);
    let link = delta_link(&first);
    assert!(link.contains("$deltatoken="), "{link}");
    let nothing = tracked(&bench, &link).await;
    assert_eq!(names(&nothing), Vec::<&str>::new());

    let chi = named(&bench, "Chi").await;
    let ana = bench.sandbox.records("lead").into_iter();
    let ana = ana
        .filter(|lead| lead["firstname"] == "Ana")
        .collect::<Vec<_>>();
    let ana: Uuid = ana[0]["leadid"].as_str().unwrap().parse().unwrap();
    let lost = json!({ "statecode": 2, "statuscode": 4 });
    bench
        .sandbox
        .person_changes("lead", ana, lost.as_object().unwrap())
        .unwrap();
    bench.sandbox.person_deletes("lead", dee).unwrap();
    let page = tracked(&bench, &link).await;
    assert_eq!(names(&page), ["Chi", "Ana", "gone"]);
    assert_eq!(page["value"][1]["statecode"], 2);
    let context = page["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("/$delta"), "{context}");
    let gone = page["value"][2].as_object().unwrap();
    assert_eq!(gone["id"], dee.to_string());
    assert_eq!(gone["reason"], "deleted");
    let context = gone["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("$metadata#leads/$deletedEntity"));
    let count = link.replace("/leads?", "/leads/$count?");
    assert_eq!(bench.get(&count).await.text, "3");

    // The old link still tells the same; the new one nothing, and who made both changes is a person.
    assert_eq!(names(&tracked(&bench, &link).await), ["Chi", "Ana", "gone"]);
    let later = tracked(&bench, &delta_link(&page)).await;
    assert_eq!(names(&later), Vec::<&str>::new());
    let by = |id| bench.sandbox.record("lead", id).unwrap()["_modifiedby_value"].clone();
    assert_ne!(by(ana), by(chi));
}

#[tokio::test]
async fn pages_of_changes_lose_nothing_that_happens_between_them() {
    let bench = bench(DataverseSettings::default()).await;
    let mut ids = Vec::new();
    for name in ["Ana", "Bo", "Chi", "Dee"] {
        ids.push(named(&bench, name).await);
    }
    let prefer = ("prefer", "odata.track-changes,odata.maxpagesize=2");
    let read = async |path: &str| {
        let reply = bench.send("GET", path, None, &[prefer]).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    };
    let next = |page: &Value| page["@odata.nextLink"].as_str().unwrap().to_owned();
    let first = read(FIRST).await;
    assert_eq!(names(&first), ["Ana", "Bo"]);
    assert!(first.get("@odata.deltaLink").is_none());
    // Told already and then deleted; told already and then changed.
    bench.sandbox.person_deletes("lead", ids[0]).unwrap();
    let changed = json!({ "firstname": "Bo again" });
    bench
        .sandbox
        .person_changes("lead", ids[1], changed.as_object().unwrap())
        .unwrap();
    let second = read(&next(&first)).await;
    assert_eq!(names(&second), ["Chi", "Dee"]);
    let third = read(&next(&second)).await;
    assert_eq!(names(&third), ["Bo again", "gone"]);
    let end = match third["@odata.deltaLink"].as_str() {
        Some(link) => link.to_owned(),
        None => delta_link(&read(&next(&third)).await),
    };
    for id in &ids[1..] {
        bench.sandbox.person_deletes("lead", *id).unwrap();
    }
    let gone = read(&end).await;
    assert_eq!(names(&gone), ["gone", "gone"]);
    assert_eq!(names(&read(&next(&gone)).await), ["gone"]);
}

async fn refused(bench: &Bench, path: &str) -> (u16, String) {
    let reply: Reply = bench.send("GET", path, None, &[TRACK]).await;
    reply.refusal()
}

#[tokio::test]
async fn a_link_that_is_too_old_or_unknown_is_refused_and_so_is_what_cannot_be_tracked() {
    let bench = bench(DataverseSettings::default()).await;
    let link = delta_link(&tracked(&bench, FIRST).await);
    for option in ["$filter=firstname eq 'Ana'", "$orderby=firstname", "$top=1"] {
        let path = format!("{FIRST}&{option}");
        assert_eq!(refused(&bench, &path).await.0, 400, "{option}");
    }
    let (start, _) = link.split_once("$deltatoken=").unwrap();
    for token in ["nonsense", "99999999!11/20/2026 12:00:00"] {
        let unknown = format!("{start}$deltatoken={token}");
        assert_eq!(refused(&bench, &unknown).await.0, 400, "{token}");
    }
    bench.sandbox.advance(TimeDelta::minutes(50));
    let short = DataverseSettings {
        change_tracking_days: 0,
        ..DataverseSettings::default()
    };
    bench.sandbox.set_settings(short);
    assert_eq!(refused(&bench, &link).await, (400, "0x80044352".to_owned()));
    let off = DataverseSettings {
        change_tracking: false,
        ..DataverseSettings::default()
    };
    bench.sandbox.set_settings(off);
    assert_eq!(refused(&bench, FIRST).await.0, 400);
    assert_eq!(bench.get(FIRST).await.status, 200);
    let definition = bench
        .get("EntityDefinitions(LogicalName='lead')?$select=ChangeTrackingEnabled")
        .await;
    assert_eq!(definition.json()["ChangeTrackingEnabled"], false);
}

#[tokio::test]
async fn people_change_and_delete_records_over_the_controls() {
    let bench = bench(DataverseSettings::default()).await;
    let id = bench.lead(ana()).await;
    let address = format!("{}/sandbox/records/lead/{id}", bench.sandbox.url());
    let users = bench.sandbox.records("systemuser");
    let jon = users
        .iter()
        .find(|user| user["fullname"] == "Jon Okafor")
        .unwrap();
    let given = json!({ "ownerid@odata.bind": format!("/systemusers({})", jon["systemuserid"].as_str().unwrap()) });
    let done = bench.send("PATCH", &address, Some(given), &[]).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let lead = bench.get(&format!("leads({id})")).await.json();
    assert_eq!(lead["_ownerid_value"], jon["systemuserid"]);
    let wrong = json!({ "statecode": 1, "statuscode": 7 });
    assert_eq!(
        bench.send("PATCH", &address, Some(wrong), &[]).await.status,
        400
    );
    assert_eq!(bench.send("DELETE", &address, None, &[]).await.status, 200);
    assert_eq!(bench.send("DELETE", &address, None, &[]).await.status, 404);
    assert_eq!(bench.sandbox.count("lead"), 0);
}
