//! The pages: a server that costs little, so that it is not what is measured. One ad account, one form, one campaign.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// LinkedIn's id of the one ad account.
pub const ACCOUNT: i64 = 512_345_678;
const FORM: i64 = 7_234_246;
/// The first submission: 21 January 2026.
const FIRST: i64 = 1_769_000_000_000;

fn form() -> String {
    let fields = [
        "FIRST_NAME",
        "LAST_NAME",
        "EMAIL",
        "PHONE_NUMBER",
        "COMPANY_NAME",
        "JOB_TITLE",
        "COUNTRY",
    ];
    let mut questions = String::new();
    for (index, field) in fields.iter().enumerate() {
        let _ = write!(
            questions,
            r#"{{"questionId":{},"name":"{field}","question":{{"localized":{{"en_US":"{field}"}}}},"predefinedField":"{field}","questionDetails":{{"textQuestionDetails":{{"maxResponseLength":300}}}}}},"#,
            index + 1
        );
    }
    format!(
        r#"{{"id":{FORM},"name":"Benchmark form","versionId":1,"state":"PUBLISHED","owner":{{"sponsoredAccount":"urn:li:sponsoredAccount:{ACCOUNT}"}},"created":1,"lastModified":1,"creationLocale":{{"country":"US","language":"en"}},"hiddenFields":[],"content":{{"headline":{{"localized":{{"en_US":"h"}}}},"questions":[{questions}{{"questionId":8,"name":"Custom","question":{{"localized":{{"en_US":"Colour?"}}}},"questionDetails":{{"multipleChoiceQuestionDetails":{{"options":[{{"id":0,"text":{{"localized":{{"en_US":"red"}}}}}},{{"id":1,"text":{{"localized":{{"en_US":"blue"}}}}}}]}}}}}}]}}}}"#
    )
}

/// One response; every fifth repeats the e-mail address of the one before it.
fn response(out: &mut String, index: usize) {
    let person = if index % 5 == 4 { index - 1 } else { index };
    let _ = write!(
        out,
        r#"{{"id":"249592fc-d272-44ba-a7db-{index:012x}-6","owner":{{"sponsoredAccount":"urn:li:sponsoredAccount:{ACCOUNT}"}},"leadType":"SPONSORED","submitter":"urn:li:person:p{person:08}","versionedLeadGenFormUrn":"urn:li:versionedLeadGenForm:(urn:li:leadGenForm:{FORM},1)","submittedAt":{},"testLead":false,"leadMetadata":{{"sponsoredLeadMetadata":{{"campaign":"urn:li:sponsoredCampaign:198356826"}}}},"associatedEntity":{{"associatedCreative":"urn:li:sponsoredCreative:241257736"}},"formResponse":{{"answers":["#,
        FIRST + index as i64 * 10
    );
    let answers = [
        format!("First{person}"),
        format!("Last{person}"),
        format!("person{person}@example.com"),
        format!("+1415555{:04}", person % 10_000),
        format!("Company {}", person % 5_000),
        format!("Engineer {}", index % 300),
        "United States".to_owned(),
    ];
    for (number, answer) in answers.iter().enumerate() {
        let _ = write!(
            out,
            r#"{{"questionId":{},"answerDetails":{{"textQuestionAnswer":{{"answer":"{answer}"}}}}}},"#,
            number + 1
        );
    }
    let _ = write!(
        out,
        r#"{{"questionId":8,"answerDetails":{{"multipleChoiceAnswer":{{"options":[{}]}}}}}}],"consentResponses":[]}}}}"#,
        index % 2
    );
}

/// Which responses are served: how many, and the number of the first.
#[derive(Clone, Copy)]
struct Served {
    total: usize,
    first: usize,
}

async fn answer(request: HttpRequest, served: web::Data<Served>) -> HttpResponse {
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.query_string().as_bytes())
            .into_owned()
            .collect();
    let number = |name: &str, default: usize| {
        query
            .get(name)
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let (start, count) = (number("start", 0), number("count", 10));
    let json = |body: String| {
        HttpResponse::Ok()
            .content_type("application/json")
            .body(body)
    };
    match request.path() {
        "/rest/leadForms" if start == 0 => {
            json(format!(r#"{{"paging":{{"start":0,"count":{count},"links":[],"total":1}},"elements":[{}]}}"#, form()))
        }
        path if path.ends_with("/adCampaigns") => json(
            r#"{"elements":[{"id":198356826,"name":"Q3 leads","status":"ACTIVE","type":"SPONSORED_UPDATES"}],"metadata":{}}"#.to_owned(),
        ),
        "/rest/leadFormResponses" if query.get("limitedToTestLeads").is_some_and(|test| test == "false") => {
            let end = (start + count).min(served.total);
            let mut body = String::with_capacity(1_400 * (end.saturating_sub(start)) + 100);
            let _ = write!(body, r#"{{"paging":{{"start":{start},"count":{count},"links":[],"total":{}}},"elements":["#, served.total);
            for index in start..end {
                if index > start {
                    body.push(',');
                }
                response(&mut body, served.first + index);
            }
            body.push_str("]}");
            json(body)
        }
        _ => json(format!(r#"{{"paging":{{"start":{start},"count":{count},"links":[],"total":0}},"elements":[],"metadata":{{}}}}"#)),
    }
}

/// Serves until killed; prints the address first.
pub fn serve(total: usize, first: usize) {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(Served { total, first }))
                .default_service(web::to(answer))
        })
        .workers(1)
        .tcp_nodelay(true)
        .bind("127.0.0.1:0")
        .unwrap();
        println!("http://{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}
