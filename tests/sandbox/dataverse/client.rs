//! The portal's own client against the sandbox over HTTPS: what became of leads, who owns them, and their qualification.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use leadgen::dataverse::{
    Access, Credential, Dataverse, DataverseClient, DataverseError, DataverseOptions, LeadChange,
    Qualification,
};
use leadgen::destination_address::Reach;
use leadgen::sandbox::dataverse::{
    CLIENT_ID, CLIENT_SECRET, DataverseFault, DataverseFaultKind, DataverseHandle,
    DataverseSettings, TENANT,
};
use serde_json::json;
use uuid::Uuid;

use super::{Bench, ana, bench};
use crate::support::noon;

const PAGE: u32 = 2;

fn client(sandbox: &DataverseHandle) -> DataverseClient {
    let pem = sandbox.certificate_pem().as_bytes();
    let options = DataverseOptions {
        authority: sandbox.url(),
        authorities: vec![reqwest::Certificate::from_pem(pem).unwrap()],
        reach: Reach::Anywhere,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(30),
    };
    let dataverse = Dataverse::new(options, Arc::new(noon)).unwrap();
    dataverse.client(Access {
        address: sandbox.url().parse().unwrap(),
        tenant: TENANT.parse().unwrap(),
        client_id: CLIENT_ID.to_owned(),
        credential: Credential::Secret(CLIENT_SECRET.to_owned().into()),
    })
}

async fn three(bench: &Bench) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(bench.lead(ana()).await.parse().unwrap());
    }
    ids
}

fn ids(changes: &[LeadChange]) -> Vec<Uuid> {
    changes
        .iter()
        .map(|change| match change {
            LeadChange::Saved(state) => state.id,
            LeadChange::Deleted(id) => *id,
        })
        .collect()
}

fn change(bench: &Bench, id: Uuid, body: serde_json::Value) {
    let body = body.as_object().unwrap();
    bench.sandbox.person_changes("lead", id, body).unwrap();
}

#[tokio::test]
async fn tracked_changes_come_page_by_page_and_go_on_from_their_link() {
    let bench = bench(DataverseSettings::default()).await;
    let leads = three(&bench).await;
    let client = client(&bench.sandbox);
    assert!(client.tracks_leads().await.unwrap());
    let first = client.tracked_leads(PAGE).await.unwrap();
    assert_eq!(ids(&first.changes), leads[..2]);
    assert_eq!(first.delta_link, None);
    let next = first.next_link.unwrap();
    let second = client.follow_changes(&next, PAGE).await.unwrap();
    assert_eq!(ids(&second.changes), leads[2..]);
    let link = second.delta_link.unwrap();

    change(&bench, leads[0], json!({ "statecode": 2, "statuscode": 5 }));
    let jon = bench.sandbox.records("systemuser").into_iter();
    let jon = jon
        .filter(|user| user["fullname"] == "Jon Okafor")
        .collect::<Vec<_>>();
    let jon: Uuid = jon[0]["systemuserid"].as_str().unwrap().parse().unwrap();
    let bind = format!("/systemusers({jon})");
    change(&bench, leads[0], json!({ "ownerid@odata.bind": bind }));
    bench.sandbox.person_deletes("lead", leads[1]).unwrap();
    let page = client.follow_changes(&link, PAGE).await.unwrap();
    let [LeadChange::Saved(state), LeadChange::Deleted(gone)] = page.changes.as_slice() else {
        panic!("{page:?}");
    };
    assert_eq!((state.id, *gone), (leads[0], leads[1]));
    assert_eq!((state.state, state.status), (Some(2), Some(5)));
    let owner = state.owner.as_ref().unwrap();
    assert_eq!(
        (owner.id, owner.name.as_deref(), owner.is_team),
        (jon, Some("Jon Okafor"), false)
    );
    assert_eq!(state.modified_at, Some(noon()));

    // A fault passes nothing: the same link tells the same again.
    let fault = DataverseFault::new(DataverseFaultKind::Status503).times(1);
    bench.sandbox.add_fault(fault);
    let error = client.follow_changes(&link, PAGE).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(client.follow_changes(&link, PAGE).await.unwrap(), page);
}

#[tokio::test]
async fn an_old_link_says_that_everything_has_to_be_read_again_and_a_foreign_one_is_not_followed() {
    let bench = bench(DataverseSettings::default()).await;
    let client = client(&bench.sandbox);
    let link = client
        .tracked_leads(PAGE)
        .await
        .unwrap()
        .delta_link
        .unwrap();
    bench.sandbox.advance(TimeDelta::days(8));
    let error = client.follow_changes(&link, PAGE).await.unwrap_err();
    assert!(matches!(error, DataverseError::LinkExpired(_)), "{error:?}");
    bench.sandbox.clear_requests();
    let elsewhere = link.replace("https://localhost", "https://attacker.example");
    let error = client.follow_changes(&elsewhere, PAGE).await.unwrap_err();
    assert!(
        matches!(error, DataverseError::UnexpectedAnswer { .. }),
        "{error:?}"
    );
    assert!(bench.sandbox.requests().is_empty());
}

#[tokio::test]
async fn without_change_tracking_the_time_of_the_last_change_decides() {
    let off = DataverseSettings {
        change_tracking: false,
        ..DataverseSettings::default()
    };
    let bench = bench(off).await;
    let client = client(&bench.sandbox);
    let early = three(&bench).await;
    assert!(!client.tracks_leads().await.unwrap());
    let refused = client.tracked_leads(PAGE).await.unwrap_err();
    assert!(matches!(refused, DataverseError::Invalid(_)), "{refused:?}");
    bench.sandbox.advance(TimeDelta::minutes(1));
    let late = three(&bench).await;
    bench.sandbox.advance(TimeDelta::minutes(1));
    change(&bench, early[2], json!({ "firstname": "Changed" }));

    let since = noon() + TimeDelta::minutes(1);
    let mut page = client.leads_modified_since(since, PAGE).await.unwrap();
    let mut found = ids(&page.changes);
    while let Some(link) = page.next_link {
        page = client.follow_changes(&link, PAGE).await.unwrap();
        found.extend(ids(&page.changes));
    }
    assert_eq!(page.delta_link, None);
    assert_eq!(found.last(), Some(&early[2]));
    found.pop();
    found.sort_unstable();
    let mut late = late;
    late.sort_unstable();
    assert_eq!(found, late);
}

#[tokio::test]
async fn a_lead_is_qualified_and_a_closed_one_is_refused() {
    let bench = bench(DataverseSettings::default()).await;
    let client = client(&bench.sandbox);
    let id = three(&bench).await[0];
    let makes = Qualification {
        contact: true,
        ..Qualification::default()
    };
    client.qualify_lead(id, makes).await.unwrap();
    let lead = bench.sandbox.record("lead", id).unwrap();
    assert_eq!(
        (&lead["statecode"], &lead["statuscode"]),
        (&json!(1), &json!(3))
    );
    let made = ["account", "contact", "opportunity"].map(|table| bench.sandbox.count(table));
    assert_eq!(made, [0, 1, 0]);
    let again = client.qualify_lead(id, makes).await.unwrap_err();
    assert!(matches!(again, DataverseError::Invalid(_)), "{again:?}");
    let nobody = client
        .qualify_lead(Uuid::from_u128(7), makes)
        .await
        .unwrap_err();
    assert!(
        matches!(nobody, DataverseError::RecordNotFound(_)),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn users_are_found_by_their_address_and_by_their_id() {
    let bench = bench(DataverseSettings::default()).await;
    let client = client(&bench.sandbox);
    let mut wanted = vec![
        "Mara.Lind@contoso.example".to_owned(),
        "o'nobody@contoso.example".to_owned(),
    ];
    // More than one request's worth.
    wanted.extend((0..30).map(|number| format!("u{number}@contoso.example")));
    wanted.push("jon.okafor@contoso.example".to_owned());
    let found = client.users_by_email(&wanted).await.unwrap();
    let mut names: Vec<_> = found
        .iter()
        .filter_map(|user| user.name.as_deref())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Jon Okafor", "Mara Lind"]);
    let by_id = client
        .users(&[found[0].id, Uuid::from_u128(9)])
        .await
        .unwrap();
    assert_eq!(by_id, found[..1]);
    assert_eq!(client.users(&[]).await.unwrap(), []);
}
