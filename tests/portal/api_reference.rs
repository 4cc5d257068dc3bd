//! The API reference: the document as a page, for everybody.

use std::collections::BTreeSet;

use leadgen::domain::access::Role;
use leadgen::web::api::document::{PATH, openapi};
use leadgen::web::api::routes::table;

use crate::start::TestPortal;
use crate::support::html::links;

const REFERENCE: &str = "/api/reference";

/// The values of an attribute on a page.
fn attributes<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    let rest = body.split(&begin).skip(1);
    rest.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn everybody_reads_each_operation_with_its_answers_and_an_example() {
    let portal = TestPortal::start_with(&[("LEADGEN_API_REQUESTS_PER_MINUTE", "321")]).await;
    let page = portal.browser().get(REFERENCE).await.expect(200);
    assert!(page.is_html());
    let text = page.text();
    for line in table() {
        let head = format!("{} {}", line.method, line.path);
        assert!(text.contains(&head), "{head}");
    }
    let operations = &openapi().paths.paths;
    let names: Vec<&str> = operations
        .values()
        .flat_map(|item| [&item.get, &item.post, &item.patch])
        .flatten()
        .map(|operation| operation.operation_id.as_deref().unwrap())
        .collect();
    assert_eq!(names.len(), table().len());
    let ids = attributes(&page.body, "id");
    for name in names {
        assert!(ids.contains(&name), "{name}");
    }
    for words in [
        "428 Precondition Required",
        "If-None-Match",
        "merge-patch+json",
        "321 requests a minute",
        "formResponse.answers[].questionId",
    ] {
        assert!(text.contains(words), "{words}");
    }
    let example = format!("{}/api/v1/leads?limit=100", portal.address);
    assert!(text.contains(&example), "{example}");
}

#[tokio::test]
async fn every_link_of_the_reference_leads_somewhere_and_no_place_stands_twice() {
    let portal = TestPortal::start().await;
    let browser = portal.browser();
    let page = browser.get(REFERENCE).await.expect(200);
    let ids = attributes(&page.body, "id");
    let places: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(places.len(), ids.len(), "an id stands twice");
    for (address, label) in links(&page.body) {
        match address.strip_prefix('#') {
            Some(place) => assert!(places.contains(place), "{label}: {address}"),
            None if address == PATH => {
                browser.get(PATH).await.expect(200);
            }
            None => {}
        }
    }
}

#[tokio::test]
async fn the_page_of_the_tokens_leads_to_the_reference_and_errors_there_are_pages() {
    let portal = TestPortal::start().await;
    let person = portal.sign_in_as(&[Role::Administrator]).await;
    let page = person.get("/settings/api-tokens").await.expect(200);
    let to_reference = |(address, _): &(String, String)| address == REFERENCE;
    assert!(links(&page.body).iter().any(to_reference));
    let page = person.get(REFERENCE).await.expect(200);
    let back = |(address, _): &(String, String)| address == "/settings/api-tokens";
    assert!(links(&page.body).iter().any(back));
    let page = portal
        .browser()
        .request(reqwest::Method::POST, REFERENCE, &[], None)
        .await;
    assert_eq!(page.status, 405);
    assert!(page.is_html());
}
