//! Reading many: filters, orders, pages and counts.

use std::collections::BTreeSet;

use leadgen::sandbox::dataverse::DataverseSettings;
use serde_json::{Value, json};

use super::{Bench, bench};

async fn seeded() -> Bench {
    let bench = bench(DataverseSettings::default()).await;
    for (first, last, email, employees, source) in [
        ("Ana", "Ruiz", Some("ana@ex.test"), Some(10), 8),
        ("Bo", "O'Hara", Some("BO@ex.test"), Some(200), 8),
        ("Chi", "Ng", None, None, 1),
        ("Dee", "Ruiz", Some("dee@other.test"), Some(50), 10),
    ] {
        bench
            .lead(json!({
                "firstname": first, "lastname": last, "emailaddress1": email,
                "numberofemployees": employees, "leadsourcecode": source,
            }))
            .await;
    }
    bench
}

fn names(body: &Value) -> Vec<&str> {
    body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lead| lead["firstname"].as_str().unwrap())
        .collect()
}

async fn found(bench: &Bench, filter: &str) -> String {
    let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("leads?$select=firstname&$orderby=firstname&$filter={filter}");
    let reply = bench.get(&path).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    names(&reply.json()).join(" ")
}

#[tokio::test]
async fn filters_find_what_the_service_would_find() {
    let bench = seeded().await;
    for (filter, expected) in [
        ("emailaddress1 eq 'ANA@ex.test'", "Ana"),
        ("emailaddress1 eq 'bo@EX.test '", "Bo"),
        ("emailaddress1 eq null", "Chi"),
        ("emailaddress1 ne null and lastname eq 'ruiz'", "Ana Dee"),
        ("lastname eq 'O''Hara' or leadsourcecode eq 1", "Bo Chi"),
        (
            "numberofemployees gt 10 and numberofemployees le 200",
            "Bo Dee",
        ),
        ("not (leadsourcecode eq 8)", "Chi Dee"),
        ("contains(emailaddress1,'EX.')", "Ana Bo"),
        ("startswith(emailaddress1,'dee@')", "Dee"),
        (
            "endswith(emailaddress1,'.test') and firstname lt 'c'",
            "Ana Bo",
        ),
        ("createdon ge 2026-11-20T12:00:00Z", "Ana Bo Chi Dee"),
        ("createdon lt 2026-11-20", ""),
        (
            "statecode eq 0 and (firstname eq 'Ana' or firstname eq 'Chi')",
            "Ana Chi",
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='emailaddress1',PropertyValues=[\"ana@ex.test\",\"dee@other.test\"])",
            "Ana Dee",
        ),
    ] {
        assert_eq!(found(&bench, filter).await, expected, "{filter}");
    }
    let aliased = "leads?$select=firstname&$filter=Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)&@p1='leadsourcecode'&@p2=[\"1\",\"10\"]&$orderby=firstname";
    assert_eq!(names(&bench.get(aliased).await.json()), ["Chi", "Dee"]);
    let plus = "leads?$select=firstname&$filter=lastname+eq+'Ng'";
    assert_eq!(names(&bench.get(plus).await.json()), ["Chi"]);
}

#[tokio::test]
async fn a_query_that_cannot_be_is_refused() {
    let bench = seeded().await;
    for query in [
        "$select=nonsense",
        "$filter=nonsense eq 1",
        "$filter=lastname eq 5",
        "$filter=leadsourcecode eq 'Web'",
        "$filter=lastname eq 'x",
        "$filter=lastname in ('a')",
        "$filter=toupper(lastname) eq 'X'",
        "$skip=5",
        "$orderby=nonsense",
        "$skiptoken=nonsense",
    ] {
        let reply = bench.get(&format!("leads?{query}")).await;
        assert_eq!(reply.refusal(), (400, "0x80060888".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let bench = bench(DataverseSettings::default()).await;
    for number in 0..23 {
        bench
            .lead(json!({ "firstname": format!("{number:02}"), "companyname": "Even" }))
            .await;
    }
    for (query, orderly) in [
        ("$select=firstname", false),
        ("$select=firstname&$orderby=firstname%20desc", true),
        (
            "$select=firstname&$filter=companyname eq 'even'&$count=true",
            false,
        ),
    ] {
        let mut next = Some(format!("leads?{query}"));
        let mut seen = Vec::new();
        let mut pages = 0;
        while let Some(address) = next {
            let sized = [("prefer", "odata.maxpagesize=5")];
            let body = bench.send("GET", &address, None, &sized).await.json();
            seen.extend(names(&body).into_iter().map(str::to_owned));
            next = body["@odata.nextLink"].as_str().map(str::to_owned);
            pages += 1;
            if query.contains("$count") {
                assert_eq!(body["@odata.count"], 23);
            }
        }
        assert_eq!((pages, seen.len()), (5, 23), "{query}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 23);
        if orderly {
            assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
        }
    }
    let top = bench.get("leads?$top=3&$select=firstname").await.json();
    assert_eq!(names(&top).len(), 3);
    assert!(top["@odata.nextLink"].is_null());
    assert_eq!(bench.get("leads/$count").await.text, "23");
}
