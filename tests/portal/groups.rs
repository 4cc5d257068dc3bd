//! Groups of users over HTTP: make, rename, delete, members one by one, by paste, by file, from the list of users, export.

use leadgen::domain::access::Role;

use crate::start::TestPortal;
use crate::support::{Browserlike, Page, a_user};

const INDEX: &str = "/settings/groups";

async fn portal() -> (TestPortal, Browserlike) {
    let portal = TestPortal::start().await;
    for (email, name) in [
        ("ada@example.com", "Ada"),
        ("bob@example.com", "Bob <b>B</b>"),
        ("cid@example.com", "=Cid"),
    ] {
        let mut user = a_user().email(email).name(name);
        if name == "Ada" {
            user = user.role(Role::Administrator);
        }
        portal.add(user);
    }
    let browser = portal.sign_in("ada@example.com").await;
    (portal, browser)
}

async fn make(browser: &Browserlike, name: &str) -> Page {
    let page = browser.get("/settings/groups/new").await.expect(200);
    browser
        .submit_and_follow(&page, "Create group", &[("name", Some(name))])
        .await
}

/// The address of the only group.
fn path(portal: &TestPortal) -> String {
    format!(
        "{INDEX}/{}",
        portal.database.texts("SELECT id FROM groups")[0]
    )
}

fn members(portal: &TestPortal) -> Vec<String> {
    portal.database.texts(
        "SELECT users.email FROM group_members JOIN users ON users.id = group_members.user_id ORDER BY users.email",
    )
}

/// Sends a list as a browser does.
async fn send(browser: &Browserlike, group: &str, text: &str, file: Option<&[u8]>) -> Page {
    let token = browser.get(group).await.expect(200).csrf_token().unwrap();
    let mut body = format!(
        "--xXx\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{token}\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n\
         --xXx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: text/csv\r\n\r\n",
        if file.is_some() { "people.csv" } else { "" }
    )
    .into_bytes();
    body.extend_from_slice(file.unwrap_or_default());
    body.extend_from_slice(b"\r\n--xXx--\r\n");
    let origin = browser.base().origin().ascii_serialization();
    let headers = [
        ("content-type", "multipart/form-data; boundary=xXx"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let path = format!("{group}/additions");
    browser
        .request(reqwest::Method::POST, &path, &headers, Some(body))
        .await
}

#[tokio::test]
async fn a_group_is_made_renamed_and_deleted_with_its_history_kept() {
    let (portal, browser) = portal().await;
    browser
        .get(INDEX)
        .await
        .expect(200)
        .expect_text("No groups yet");
    make(&browser, " LinkedIn <i>users</i> ")
        .await
        .expect(200)
        .expect_text("The group “LinkedIn <i>users</i>” was created.")
        .expect_text("Nobody is in this group yet");
    for (name, message) in [
        ("", "Enter a name for the group."),
        (
            "linkedin <I>USERS</I>",
            "Another group has this name already.",
        ),
        (&"x".repeat(101), "at most 100 characters"),
    ] {
        make(&browser, name).await.expect(422).expect_text(message);
    }
    let page = browser.get(&path(&portal)).await.expect(200);
    browser
        .submit_and_follow(&page, "Rename", &[("name", Some(""))])
        .await
        .expect(422)
        .expect_text("Enter a name for the group.");
    let renamed = browser
        .submit_and_follow(&page, "Rename", &[("name", Some("Europe"))])
        .await
        .expect(200);
    drop(renamed.expect_text("The group is called “Europe” now."));
    // The page of before knows an old version.
    browser
        .submit(&page, "Rename", &[("name", Some("Asia"))])
        .await
        .expect(409);
    let page = browser
        .get(&format!("{}/deletion", path(&portal)))
        .await
        .expect(200);
    browser
        .submit_and_follow(&page, "Delete group", &[])
        .await
        .expect(200)
        .expect_text("The group “Europe” was deleted.")
        .expect_text("No groups yet");
    assert_eq!(portal.database.number("SELECT count(*) FROM groups"), 0);
    let audit = portal.audit();
    for action in ["group.created", "group.renamed", "group.deleted"] {
        assert!(audit.contains(&action.to_owned()), "{audit:?}");
    }
}

#[tokio::test]
async fn members_are_added_by_address_found_and_removed() {
    let (portal, browser) = portal().await;
    make(&browser, "Europe").await;
    let group = path(&portal);
    let add = async |email: &str| {
        let page = browser.get(&group).await.expect(200);
        browser
            .submit_and_follow(&page, "Add member", &[("email", Some(email))])
            .await
    };
    add(" BOB@example.com ")
        .await
        .expect(200)
        .expect_text("Bob <b>B</b> was added to the group.");
    add("bob@example.com")
        .await
        .expect(200)
        .expect_text("is a member already");
    add("cid@example.com").await.expect(200);
    add("nobody@example.com")
        .await
        .expect(422)
        .expect_text("Nobody here has this address.");
    add("no address")
        .await
        .expect(422)
        .expect_text("Enter an e-mail address");
    assert_eq!(members(&portal), ["bob@example.com", "cid@example.com"]);
    browser
        .get(&format!("{group}?q=CID"))
        .await
        .expect(200)
        .expect_text("1 of 2 members")
        .expect_no_text("bob@example.com");
    browser
        .get(&format!("{group}?q=zzz"))
        .await
        .expect(200)
        .expect_text("No member matches");
    let csv = browser
        .get(&format!("{group}/members.csv"))
        .await
        .expect(200);
    assert!(
        csv.body.contains("'=Cid,cid@example.com,Enabled,"),
        "{}",
        csv.body
    );
    let user = &portal
        .database
        .texts("SELECT id FROM users WHERE email = 'bob@example.com'")[0];
    let removal = format!("{group}/members/{user}/removal");
    for _ in 0..2 {
        browser
            .post_with_token_of(&group, &removal, &[])
            .await
            .expect(303);
    }
    assert_eq!(members(&portal), ["cid@example.com"]);
    browser
        .get(&group)
        .await
        .expect(200)
        .expect_text("Member removed");
    let removals = portal.audit();
    let count = removals.iter().filter(|a| *a == "group.member_removed");
    assert_eq!(count.count(), 1);
    browser
        .get(&format!(
            "{INDEX}/018f2a3c-0000-7000-8000-0000000000ab/members.csv"
        ))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_pasted_list_shows_a_result_for_every_row_and_is_applied_once() {
    let (portal, browser) = portal().await;
    make(&browser, "Europe").await;
    let group = path(&portal);
    browser
        .post_with_token_of(
            &group,
            &format!("{group}/members"),
            &[("email", "ada@example.com")],
        )
        .await
        .expect(303);
    let text = "ada@example.com\nBob <BOB@example.com>; bob@example.com, x@example.com\n<script>";
    let sent = send(&browser, &group, text, None).await.expect(303);
    let page = browser
        .follow(sent)
        .await
        .expect(200)
        .expect_text("Already a member")
        .expect_text("Will be added")
        .expect_text("Unknown user")
        .expect_text("Invalid")
        .expect_text("Duplicate")
        .expect_text("1 user will be added");
    assert_eq!(members(&portal), ["ada@example.com"], "only looked up");
    let list = page.url.path().to_owned();
    browser
        .get(&format!("{list}?outcome=invalid"))
        .await
        .expect(200)
        .expect_text("<script>")
        .expect_no_text("x@example.com");
    browser
        .submit_and_follow(&page, "Add 1 member", &[])
        .await
        .expect(200)
        .expect_text("1 user was added")
        .expect_text("Applied");
    browser
        .submit_and_follow(&page, "Add 1 member", &[])
        .await
        .expect(200)
        .expect_text("Nobody had to be added.");
    assert_eq!(members(&portal), ["ada@example.com", "bob@example.com"]);
    browser
        .get(&group)
        .await
        .expect(200)
        .expect_text("Members added");
}

#[tokio::test]
async fn csv_files_as_people_have_them_are_read_and_others_refused_in_words() {
    let (portal, browser) = portal().await;
    make(&browser, "Europe").await;
    let group = path(&portal);
    for file in [
        "E-MAIL\nbob@example.com\ncid@example.com\n".as_bytes(),
        b"\xEF\xBB\xBFname,e-Mail\r\n\"B, Bob\",\"bob@example.com\"\r\nCid,CID@example.com\r\n",
        b"Name;Email Address\nBob;bob@example.com\nCid;cid@example.com",
        b"bob@example.com\ncid@example.com\n",
    ] {
        let sent = send(&browser, &group, "", Some(file)).await.expect(303);
        browser
            .follow(sent)
            .await
            .expect(200)
            .expect_text("2 users will be added")
            .expect_text("people.csv");
    }
    for (file, message) in [
        (&b""[..], "empty"),
        (b"Name,Town\nBob,Ulm\n", "No column is called “E-mail”"),
        (b"E-mail\n", "There is no e-mail address in it."),
        (b"PK\x03\x04xyz", "Excel"),
    ] {
        send(&browser, &group, "kept@example.com", Some(file))
            .await
            .expect(422)
            .expect_text(message)
            .expect_text("kept@example.com");
    }
    send(&browser, &group, " \n", None)
        .await
        .expect(422)
        .expect_text("Paste e-mail addresses, or choose a file.");
    assert!(members(&portal).is_empty());
}

#[tokio::test]
async fn ten_thousand_rows_are_looked_up_and_applied_in_seconds() {
    let (portal, browser) = portal().await;
    make(&browser, "Europe").await;
    let group = path(&portal);
    let mut file = "Name,E-mail\n".to_owned();
    for number in 0..9_999 {
        file.push_str(&format!("Person {number},person{number}@example.com\n"));
    }
    file.push_str("Bob,bob@example.com\n");
    let began = std::time::Instant::now();
    let sent = send(&browser, &group, "", Some(file.as_bytes()))
        .await
        .expect(303);
    let page = browser
        .follow(sent)
        .await
        .expect(200)
        .expect_text("9999")
        .expect_text("1 user will be added");
    browser
        .submit_and_follow(&page, "Add 1 member", &[])
        .await
        .expect(200);
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    assert_eq!(members(&portal), ["bob@example.com"]);
}

#[tokio::test]
async fn users_of_the_list_are_moved_to_a_new_group_or_to_one_that_is_there() {
    let (portal, browser) = portal().await;
    portal.add(a_user().email("dis@example.com").name("Dis").disabled());
    let list = "/settings/users?state=enabled";
    let page = browser
        .get(list)
        .await
        .expect(200)
        .expect_no_text("dis@example.com");
    let preview = "Look at the change";
    browser
        .submit_and_follow(&page, preview, &[("scope", Some("all"))])
        .await
        .expect(422)
        .expect_text("Choose a group, or name a new one.");
    browser
        .submit_and_follow(&page, preview, &[("new_group", Some("Europe"))])
        .await
        .expect(422)
        .expect_text("Tick the users");
    let wanted = [("scope", Some("all")), ("new_group", Some("Europe"))];
    let shown = browser
        .submit_and_follow(&page, preview, &wanted)
        .await
        .expect(200)
        .expect_text("3 users are what the filter finds")
        .expect_text("3 become members");
    assert_eq!(portal.database.number("SELECT count(*) FROM groups"), 0);
    // Somebody is added meanwhile: the number that was shown is no longer true.
    portal.add(a_user().email("eve@example.com").name("Eve"));
    let shown = browser
        .submit_and_follow(&shown, "Move to the group", &[])
        .await
        .expect(422)
        .expect_text("Users have changed meanwhile: it is 4 now.");
    let shown = browser
        .submit_and_follow(&shown, preview, &[])
        .await
        .expect(200);
    browser
        .submit_and_follow(&shown, "Move to the group", &[])
        .await
        .expect(200)
        .expect_text("4 users were added to the group.");
    assert_eq!(members(&portal).len(), 4);
    let group = portal.database.texts("SELECT id FROM groups").remove(0);
    let user = |email: &str| {
        let query = format!("SELECT id FROM users WHERE email = '{email}'");
        portal.database.texts(&query).remove(0)
    };
    let (dis, bob) = (user("dis@example.com"), user("bob@example.com"));
    let fields = [
        ("id", dis.as_str()),
        ("id", bob.as_str()),
        ("scope", "chosen"),
        ("group", group.as_str()),
    ];
    let shown = browser
        .post_with_token_of(list, "/settings/group-moves/preview", &fields)
        .await
        .expect(200)
        .expect_text("2 users are ticked")
        .expect_text("1 becomes a member; 1 is one already")
        .expect_text("1 of them may not sign in");
    browser
        .submit_and_follow(&shown, "Move to the group", &[])
        .await
        .expect(200)
        .expect_text("1 user was added to the group.");
    assert_eq!(members(&portal).len(), 5);
    let both = [
        ("id", bob.as_str()),
        ("group", group.as_str()),
        ("new_group", "X"),
    ];
    browser
        .post_with_token_of(list, "/settings/group-moves/preview", &both)
        .await
        .expect(422)
        .expect_text("not both");
    let taken = [("id", bob.as_str()), ("new_group", "EUROPE")];
    browser
        .post_with_token_of(list, "/settings/group-moves", &taken)
        .await
        .expect(422)
        .expect_text("Another group has this name already.");
}
