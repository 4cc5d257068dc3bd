//! The connect flow: each way in which it can go wrong has its own error and leaves the profile as it was.

use chrono::TimeDelta;
use leadgen::sandbox::{Decision, Fault, FaultKind};
use leadgen::sync::connect::{CallbackQuery, ConnectError};

use crate::stage::{SESSION, Stage};

/// What must not change.
fn profile(stage: &Stage) -> Vec<String> {
    stage.texts(
        "SELECT authorization_status || '|' || sync_status || '|' || COALESCE(CAST(authorized_at AS TEXT), '') FROM linkedin_user_profiles",
    )
}

async fn complete(stage: &Stage, session: &str, query: CallbackQuery) -> ConnectError {
    stage
        .app
        .connector()
        .complete(&stage.seller, session, query)
        .await
        .expect_err("it is refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_wrong_states_leave_the_profile_as_it_was() {
    for is_expired in [false, true] {
        let stage = Stage::new(10).await;
        if is_expired {
            stage.connect().await;
            stage.run().await;
            stage.advance(TimeDelta::days(61));
            stage.run_again().await;
        }
        let before = profile(&stage);
        for (decision, expected) in [
            (Decision::CancelSignIn, "did not sign in"),
            (Decision::CancelConsent, "did not allow"),
        ] {
            // A member who consented before is not asked a second time.
            if is_expired && decision == Decision::CancelConsent {
                stage.sandbox.withdraw_all();
            }
            let query = stage.visit(&stage.profile, 0, decision).await;
            let error = complete(&stage, SESSION, query).await.to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(profile(&stage), before);
        }

        let good = stage.visit(&stage.profile, 0, Decision::Allow).await;
        let with_state = |state: Option<&str>| CallbackQuery {
            state: state.map(str::to_owned),
            ..good.clone()
        };
        for state in [None, Some("")] {
            let error = complete(&stage, SESSION, with_state(state)).await;
            assert!(matches!(error, ConnectError::StateMissing), "{error:?}");
        }
        let error = complete(&stage, SESSION, with_state(Some("another"))).await;
        assert!(matches!(error, ConnectError::StateWrong), "{error:?}");
        // Another session's, and another person's: not even used up by trying.
        let error = complete(&stage, "another session", good.clone()).await;
        assert!(matches!(error, ConnectError::StateWrong), "{error:?}");
        let error = stage
            .app
            .connector()
            .complete(&stage.admin, SESSION, good.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::StateWrong), "{error:?}");
        // A code that LinkedIn does not know uses the state up.
        let forged = CallbackQuery {
            code: Some("AQforged".to_owned()),
            ..good.clone()
        };
        let error = complete(&stage, SESSION, forged).await;
        assert!(
            matches!(error, ConnectError::CodeNotExchanged { .. }),
            "{error:?}"
        );
        let error = complete(&stage, SESSION, good).await;
        assert!(matches!(error, ConnectError::StateReused), "{error:?}");
        assert_eq!(profile(&stage), before);

        let late = stage.visit(&stage.profile, 0, Decision::Allow).await;
        stage.advance(TimeDelta::minutes(31));
        let error = complete(&stage, SESSION, late).await;
        assert!(matches!(error, ConnectError::StateExpired), "{error:?}");
        assert_eq!(profile(&stage), before);

        for (kind, away) in [
            (FaultKind::Status500, true),
            (FaultKind::Html, true),
            (FaultKind::Hang, true),
            (FaultKind::InvalidGrant, false),
        ] {
            let query = stage.visit(&stage.profile, 0, Decision::Allow).await;
            stage
                .sandbox
                .add_fault(Fault::new(kind).on("/oauth/v2/accessToken").seconds(60));
            let error = complete(&stage, SESSION, query).await;
            stage.sandbox.clear_faults();
            assert_eq!(
                matches!(error, ConnectError::LinkedInAway { .. }),
                away,
                "{kind:?}: {error:?}"
            );
            assert_eq!(profile(&stage), before);
        }
        assert!(matches!(
            stage.confirm(&stage.profile).await,
            Err(ConnectError::NothingPending)
        ));
        assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 0);

        // And after all of that it simply works.
        stage.connect().await;
        stage.run().await;
        stage.assert_complete();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_app_lacks_is_named() {
    let stage = Stage::new(0).await;
    stage.sandbox.change_settings(|settings| {
        settings.unauthorized_scopes = vec!["r_marketing_leadgen_automation".to_owned()];
    });
    let before = profile(&stage);
    let query = stage.visit(&stage.profile, 0, Decision::Allow).await;
    let error = complete(&stage, SESSION, query).await;
    match error {
        ConnectError::ScopeNotAuthorized { description, .. } => {
            assert!(
                description.contains("r_marketing_leadgen_automation"),
                "{description}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(profile(&stage), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_any_account_is_told_so() {
    let stage = Stage::new(10).await;
    stage.connect_profile(&stage.profile, 2).await;
    stage.run().await;
    assert_eq!(
        stage.texts("SELECT sync_status FROM linkedin_user_profiles"),
        ["no_accounts_available"]
    );
    assert_eq!(stage.number("SELECT count(*) FROM linkedin_accounts"), 0);
}

/// Goes to LinkedIn and back through a process with other settings.
async fn complete_through(stage: &Stage, settings: &[(&str, &str)]) -> ConnectError {
    let app = stage.process_with(settings);
    let query = stage
        .visit_through(&app, &stage.profile, 0, Decision::Allow)
        .await;
    app.connector()
        .complete(&stage.seller, SESSION, query)
        .await
        .expect_err("it is refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_without_the_scopes_that_reading_leads_needs_names_them_and_keeps_no_token() {
    let stage = Stage::new(10).await;
    let before = profile(&stage);
    for (asked, lacking) in [
        ("r_ads", vec!["r_marketing_leadgen_automation"]),
        ("openid", vec!["r_ads", "r_marketing_leadgen_automation"]),
    ] {
        let error = complete_through(&stage, &[("LEADGEN_LINKEDIN_SCOPES", asked)]).await;
        let ConnectError::ScopesMissing {
            mut missing,
            profile: of,
        } = error
        else {
            panic!("{asked}: {error:?}");
        };
        missing.sort();
        assert_eq!(missing, lacking, "{asked}");
        assert_eq!(of, stage.profile);
        assert_eq!(profile(&stage), before, "{asked}");
        assert_eq!(stage.number("SELECT count(*) FROM linkedin_tokens"), 0);
    }
    // The next one, with all of them, goes through.
    stage.connect().await;
    stage.run().await;
    stage.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_secret_is_told_as_such_and_the_right_one_goes_through() {
    let stage = Stage::new(10).await;
    let before = profile(&stage);
    let error = complete_through(&stage, &[("LEADGEN_LINKEDIN_CLIENT_SECRET", "wrong")]).await;
    assert!(
        matches!(&error, ConnectError::AppRefused { profile } if *profile == stage.profile),
        "{error:?}"
    );
    assert_eq!(profile(&stage), before);
    stage.connect().await;
    stage.run().await;
    stage.assert_complete();
}
