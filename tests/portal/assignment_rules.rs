//! Assignment Rules over HTTP.

use leadgen::domain::access::Role;

use crate::settings_pages::{
    NO_CHOICES, STRANGE_TEXTS, audited_changes, four_thousand, refuse, refuse_mangled, seeded,
};
use crate::support::{a_form, a_user, an_account};

const INDEX: &str = "/settings/assignment-rules";

#[tokio::test]
async fn rules_are_added_moved_and_deleted() {
    let (portal, browser) = seeded().await;
    let mut conn = portal.database.conn();
    let account = an_account().name("Contoso Ads").insert(&mut conn);
    let form = a_form().name("Spring fair").of(&account).insert(&mut conn);
    let olga = portal.add(a_user().name("Olga").role(Role::Salesperson));
    let page = browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("No assignment rules yet");
    let owner = ("owner", Some(olga.as_str()));
    let by_country = [
        ("field", Some("country")),
        ("value", Some(" Germany ")),
        owner,
    ];
    let page = browser
        .submit_and_follow(&page, "Add rule", &by_country)
        .await
        .expect(200);
    let page = page.expect_text("Country is “Germany”");
    let by_account = [
        ("kind", Some("account")),
        ("account", Some(account.as_str())),
        owner,
    ];
    let page = browser
        .submit_and_follow(&page, "Add rule", &by_account)
        .await
        .expect(200);
    let by_form = [("kind", Some("form")), ("form", Some(form.as_str())), owner];
    let page = browser
        .submit_and_follow(&page, "Add rule", &by_form)
        .await
        .expect(200);
    let page = page.expect_text("Form is “Spring fair”");
    browser
        .submit(&page, "Add rule", &by_form)
        .await
        .expect(422)
        .expect_text("There is a rule with this condition already");
    let page = browser
        .submit_and_follow(&page, "Up: Form is “Spring fair”", &[])
        .await
        .expect(200);
    let text = page.text();
    let place = |words: &str| text.find(words).unwrap();
    assert!(place("Country is") < place("Form is “") && place("Form is “") < place("Account is “"));
    let page = browser
        .submit_and_follow(&page, "Delete: Country is “Germany”", &[])
        .await
        .expect(200)
        .expect_text("The rule was deleted.");
    // Its name stands in the history only.
    assert!(!page.text().contains("Delete: Country is “Germany”"));
    assert_eq!(
        audited_changes(&portal),
        [
            "assignment_rule.created",
            "assignment_rule.created",
            "assignment_rule.created",
            "assignment_rule.moved",
            "assignment_rule.deleted"
        ]
    );
}

#[tokio::test]
async fn bad_input_is_told_at_its_field_and_nothing_is_saved() {
    let (portal, browser) = seeded().await;
    let olga = portal.add(a_user().name("Olga").role(Role::Salesperson));
    let gone = portal.add(a_user().name("Gone").disabled());
    let long = four_thousand();
    let good = [
        ("kind", "field_equals"),
        ("field", "country"),
        ("value", "Germany"),
        ("account", ""),
        ("form", ""),
        ("campaign", ""),
        ("owner", olga.as_str()),
    ];
    for choice in NO_CHOICES {
        for name in ["kind", "field", "owner"] {
            refuse(&browser, INDEX, "Add rule", &good, name, choice, name).await;
        }
    }
    for (name, value) in [
        ("value", ""),
        ("value", "  "),
        ("value", long.as_str()),
        ("owner", gone.as_str()),
        ("owner", "00000000-0000-7000-8000-000000000009"),
    ] {
        refuse(&browser, INDEX, "Add rule", &good, name, value, name).await;
    }
    for kind in ["account", "form", "campaign"] {
        let of_kind = [("kind", kind), ("owner", olga.as_str())];
        for value in ["", "x", "00000000-0000-7000-8000-000000000009"] {
            refuse(&browser, INDEX, "Add rule", &of_kind, kind, value, kind).await;
        }
    }
    refuse_mangled(&browser, INDEX, &good, INDEX).await;
    for id in ["x", "00000000-0000-7000-8000-000000000009", "%00"] {
        for (rest, fields) in [
            ("position", vec![("direction", "up")]),
            ("deletion", vec![]),
        ] {
            browser
                .post_with_token_of(INDEX, &format!("{INDEX}/{id}/{rest}"), &fields)
                .await
                .expect(404);
        }
    }
    browser
        .post_with_token_of(
            INDEX,
            &format!("{INDEX}/00000000-0000-7000-8000-000000000009/position"),
            &[("direction", "sideways")],
        )
        .await
        .expect(400);
    assert_eq!(
        portal
            .database
            .number("SELECT count(*) FROM assignment_rules"),
        0
    );
}

#[tokio::test]
async fn a_rule_can_compare_any_text() {
    let (portal, browser) = seeded().await;
    let olga = portal.add(a_user().name("<b>Olga</b>").role(Role::Salesperson));
    for text in STRANGE_TEXTS {
        let page = browser.get(INDEX).await.expect(200);
        let rule = [("value", Some(*text)), ("owner", Some(olga.as_str()))];
        let page = browser
            .submit_and_follow(&page, "Add rule", &rule)
            .await
            .expect(200);
        let page = page.expect_text(&format!("Country is “{}”", text.trim()));
        for markup in ["<script>alert", "<img src=x", "<b>Olga"] {
            assert!(!page.body.contains(markup), "{markup}");
        }
    }
}
