//! The tables as Diesel sees them, one list for SQLite and PostgreSQL; `tests/store` compares it with both databases.
#![allow(missing_docs, reason = "the migrations say what each table is for")]

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
        email_key -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        is_enabled -> Bool,
        time_zone -> Text,
        last_sign_in_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
        appearance -> Text,
        has_shortcuts -> Bool,
    }
}

diesel::table! {
    user_roles (user_id, role) {
        user_id -> Text,
        role -> Text,
    }
}

diesel::table! {
    sessions (id_hash) {
        id_hash -> Text,
        user_id -> Nullable<Text>,
        state -> Text,
        created_at -> Timestamp,
        last_seen_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    groups (id) {
        id -> Text,
        name -> Text,
        name_key -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    group_members (group_id, user_id) {
        group_id -> Text,
        user_id -> Text,
        added_at -> Timestamp,
        added_by -> Nullable<Text>,
    }
}

diesel::table! {
    group_additions (id) {
        id -> Text,
        group_id -> Text,
        origin -> Text,
        created_at -> Timestamp,
        applied_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    group_addition_rows (addition_id, row_number) {
        addition_id -> Text,
        row_number -> BigInt,
        entry -> Text,
        email_key -> Nullable<Text>,
        outcome -> Text,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text,
        name -> Text,
        url -> Text,
        events -> Text,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_secret_until -> Nullable<Timestamp>,
        disabled_at -> Nullable<Timestamp>,
        disabled_reason -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    delivery_lanes (id) {
        id -> Text,
        organization_id -> Nullable<Text>,
        webhook_id -> Nullable<Text>,
        is_enabled -> Bool,
        paused_at -> Nullable<Timestamp>,
        paused_by_name -> Nullable<Text>,
        not_before -> Timestamp,
        trouble -> Nullable<Text>,
        trouble_detail -> Nullable<Text>,
        trouble_since -> Nullable<Timestamp>,
        trouble_count -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_expires_at -> Nullable<Timestamp>,
        lease_term -> BigInt,
        created_at -> Timestamp,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Text,
        lane_id -> Text,
        event -> Text,
        lead_id -> Nullable<Text>,
        submission_id -> Nullable<Text>,
        state -> Text,
        attempts -> BigInt,
        retried_from -> BigInt,
        next_attempt_at -> Timestamp,
        reason -> Nullable<Text>,
        detail -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    delivery_attempts (delivery_id, attempt) {
        delivery_id -> Text,
        attempt -> BigInt,
        started_at -> Timestamp,
        duration_ms -> BigInt,
        status -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        code -> Nullable<Text>,
        message -> Nullable<Text>,
    }
}

diesel::joinable!(group_members -> groups (group_id));
diesel::joinable!(group_members -> users (user_id));
diesel::joinable!(group_additions -> groups (group_id));
diesel::joinable!(group_addition_rows -> group_additions (addition_id));

diesel::table! {
    sign_in_throttles (throttle_key) {
        throttle_key -> Text,
        failures -> BigInt,
        blocked_until -> Timestamp,
        last_failure_at -> Timestamp,
    }
}

diesel::table! {
    audit_entries (id) {
        id -> Text,
        created_at -> Timestamp,
        actor_kind -> Text,
        user_id -> Nullable<Text>,
        actor_name -> Text,
        action -> Text,
        object_kind -> Text,
        object_id -> Text,
        object_name -> Text,
        before_state -> Nullable<Text>,
        after_state -> Nullable<Text>,
        request_id -> Nullable<Text>,
        address -> Nullable<Text>,
        actor_roles -> Nullable<Text>,
        chain_number -> Nullable<BigInt>,
        entry_hash -> Nullable<Text>,
    }
}

diesel::table! {
    audit_chain (id) {
        id -> BigInt,
        last_number -> BigInt,
        last_hash -> Text,
        pruned_number -> BigInt,
        pruned_hash -> Text,
    }
}

diesel::table! {
    organizations (id) {
        id -> Text,
        name -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
        kind -> Text,
    }
}

diesel::table! {
    dataverse_organizations (organization_id) {
        organization_id -> Text,
        address -> Text,
        tenant -> Text,
        client_id -> Text,
        credential_kind -> Text,
        credential -> Binary,
        credential_hint -> Text,
        credential_set_at -> Timestamp,
        is_enabled -> Bool,
        checked_at -> Nullable<Timestamp>,
        check_step -> Nullable<Text>,
        check_trouble -> Nullable<Text>,
        check_detail -> Nullable<Text>,
        missing_privileges -> Nullable<Text>,
        lead_columns -> Nullable<Text>,
        columns_read_at -> Nullable<Timestamp>,
        column_mapping -> Nullable<Text>,
        qualification -> Text,
        service_id -> Nullable<Text>,
        service_address -> Nullable<Text>,
        key_state -> Nullable<Text>,
    }
}

diesel::table! {
    organization_reads (organization_id) {
        organization_id -> Text,
        link -> Nullable<Text>,
        modified_since -> Nullable<Timestamp>,
        next_read_at -> Timestamp,
        read_at -> Nullable<Timestamp>,
        trouble -> Nullable<Text>,
        trouble_detail -> Nullable<Text>,
        trouble_since -> Nullable<Timestamp>,
        trouble_count -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_expires_at -> Nullable<Timestamp>,
        lease_term -> BigInt,
    }
}

diesel::table! {
    organization_lead_states (organization_id, lead_id) {
        organization_id -> Text,
        lead_id -> Text,
        statecode -> BigInt,
        statuscode -> Nullable<BigInt>,
        owner_id -> Nullable<Text>,
        owner_name -> Nullable<Text>,
        sent_owner_id -> Nullable<Text>,
        modified_at -> Nullable<Timestamp>,
        is_unsure -> Bool,
        seen_at -> Timestamp,
    }
}

diesel::table! {
    organization_leads (organization_id, lead_id) {
        organization_id -> Text,
        lead_id -> Text,
        state -> Text,
        record_id -> Nullable<Text>,
        sent -> Text,
        misfits -> Nullable<Text>,
        candidates -> Nullable<Text>,
        delivered_at -> Nullable<Timestamp>,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    linkedin_user_profiles (id) {
        id -> Text,
        name -> Text,
        name_key -> Text,
        user_id -> Text,
        organization_id -> Nullable<Text>,
        authorization_status -> Text,
        sync_status -> Text,
        failure_reason -> Nullable<Text>,
        failure_detail -> Nullable<Text>,
        member_urn -> Nullable<Text>,
        member_name -> Nullable<Text>,
        authorized_by -> Nullable<Text>,
        authorized_at -> Nullable<Timestamp>,
        organization_confirmed_at -> Nullable<Timestamp>,
        last_synchronized_at -> Nullable<Timestamp>,
        next_sync_at -> Nullable<Timestamp>,
        lease_owner -> Nullable<Text>,
        lease_term -> BigInt,
        lease_expires_at -> Nullable<Timestamp>,
        failure_streak -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    linkedin_tokens (profile_id) {
        profile_id -> Text,
        access_token -> Binary,
        access_token_expires_at -> Timestamp,
        refresh_token -> Nullable<Binary>,
        refresh_token_expires_at -> Nullable<Timestamp>,
        scopes -> Text,
        issued_at -> Timestamp,
        token_version -> BigInt,
        refresh_lease_expires_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    pending_authorizations (profile_id) {
        profile_id -> Text,
        user_id -> Text,
        access_token -> Binary,
        access_token_expires_at -> Timestamp,
        refresh_token -> Nullable<Binary>,
        refresh_token_expires_at -> Nullable<Timestamp>,
        scopes -> Text,
        member_urn -> Nullable<Text>,
        member_name -> Nullable<Text>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    oauth_states (state_hash) {
        state_hash -> Text,
        session_binding -> Text,
        user_id -> Text,
        profile_id -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        consumed_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    linkedin_accounts (id) {
        id -> Text,
        owner_type -> Text,
        linkedin_id -> BigInt,
        name -> Text,
        currency -> Nullable<Text>,
        linkedin_status -> Nullable<Text>,
        is_test -> Bool,
        page_linkedin_id -> Nullable<BigInt>,
        page_name -> Nullable<Text>,
        is_sync_enabled -> Bool,
        default_lead_owner_id -> Nullable<Text>,
        form_sync_status -> Text,
        campaign_sync_status -> Text,
        failure_reason -> Nullable<Text>,
        failure_detail -> Nullable<Text>,
        last_form_sync_at -> Nullable<Timestamp>,
        last_campaign_sync_at -> Nullable<Timestamp>,
        last_synchronized_at -> Nullable<Timestamp>,
        next_sync_at -> Nullable<Timestamp>,
        requested_trigger -> Nullable<Text>,
        lease_owner -> Nullable<Text>,
        lease_term -> BigInt,
        lease_expires_at -> Nullable<Timestamp>,
        failure_streak -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
        notified_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    profile_accounts (profile_id, account_id) {
        profile_id -> Text,
        account_id -> Text,
        account_role -> Nullable<Text>,
        page_roles -> Text,
        last_seen_at -> Timestamp,
    }
}

diesel::table! {
    campaigns (id) {
        id -> Text,
        account_id -> Text,
        linkedin_id -> BigInt,
        campaign_group_linkedin_id -> Nullable<BigInt>,
        campaign_group_name -> Nullable<Text>,
        name -> Text,
        campaign_type -> Nullable<Text>,
        linkedin_status -> Nullable<Text>,
        objective -> Nullable<Text>,
        starts_at -> Nullable<Timestamp>,
        ends_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    creatives (id) {
        id -> Text,
        account_id -> Text,
        linkedin_id -> BigInt,
        campaign_linkedin_id -> Nullable<BigInt>,
        name -> Nullable<Text>,
        intended_status -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    lead_forms (id) {
        id -> Text,
        account_id -> Text,
        linkedin_id -> BigInt,
        name -> Text,
        linkedin_state -> Nullable<Text>,
        sync_status -> Text,
        language -> Nullable<Text>,
        country -> Nullable<Text>,
        current_version_number -> Nullable<BigInt>,
        linkedin_created_at -> Nullable<Timestamp>,
        linkedin_modified_at -> Nullable<Timestamp>,
        last_synchronized_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    lead_form_versions (id) {
        id -> Text,
        form_id -> Text,
        version_number -> BigInt,
        content -> Text,
        raw -> Binary,
        created_at -> Timestamp,
    }
}

diesel::table! {
    integration_settings (id) {
        id -> BigInt,
        on_match_fail -> Text,
        several_match -> Text,
        closed_lead -> Text,
        no_match_answer -> Text,
        test_leads -> Text,
        always_create_lead -> Bool,
        default_country -> Nullable<Text>,
        fallback_owner_id -> Nullable<Text>,
        seeded_at -> Nullable<Timestamp>,
        updated_at -> Timestamp,
        lock_version -> BigInt,
        member_deletion -> Text,
    }
}

diesel::table! {
    field_mappings (id) {
        id -> Text,
        name -> Text,
        form_id -> Nullable<Text>,
        source_kind -> Text,
        source_key -> Text,
        target_field -> Text,
        write_policy -> Text,
        transforms -> Text,
        position -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    matching_strategies (id) {
        id -> Text,
        name -> Text,
        name_key -> Text,
        is_active -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    matching_strategy_fields (strategy_id, field) {
        strategy_id -> Text,
        field -> Text,
        position -> BigInt,
    }
}

diesel::table! {
    assignment_rules (id) {
        id -> Text,
        position -> BigInt,
        condition_kind -> Text,
        condition_key -> Text,
        condition_value -> Text,
        owner_id -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    leads (id) {
        id -> Text,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        email -> Nullable<Text>,
        work_email -> Nullable<Text>,
        phone -> Nullable<Text>,
        mobile_phone -> Nullable<Text>,
        company_name -> Nullable<Text>,
        job_title -> Nullable<Text>,
        job_function -> Nullable<Text>,
        seniority -> Nullable<Text>,
        industry -> Nullable<Text>,
        company_size -> Nullable<Text>,
        city -> Nullable<Text>,
        state -> Nullable<Text>,
        country -> Nullable<Text>,
        postal_code -> Nullable<Text>,
        website -> Nullable<Text>,
        linkedin_profile_url -> Nullable<Text>,
        school -> Nullable<Text>,
        degree -> Nullable<Text>,
        field_of_study -> Nullable<Text>,
        start_date -> Nullable<Text>,
        graduation_date -> Nullable<Text>,
        description -> Nullable<Text>,
        custom_values -> Nullable<Text>,
        topic -> Text,
        status -> Text,
        owner_id -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    lead_origins (lead_id) {
        lead_id -> Text,
        source -> Text,
        account_id -> Nullable<Text>,
        form_id -> Nullable<Text>,
        campaign_id -> Nullable<Text>,
        member_urn -> Nullable<Text>,
        first_submission_id -> Nullable<Text>,
        latest_submission_id -> Nullable<Text>,
        latest_submitted_at -> Nullable<Timestamp>,
        submission_count -> BigInt,
        provenance -> Text,
        active_at -> Timestamp,
        name_key -> Text,
        search_words -> Nullable<Text>,
    }
}

diesel::table! {
    lead_match_keys (field, match_key, lead_id) {
        field -> Text,
        match_key -> Text,
        lead_id -> Text,
        is_alias -> Bool,
    }
}

diesel::table! {
    form_submissions (id) {
        id -> Text,
        response_id -> Text,
        account_id -> Text,
        form_id -> Nullable<Text>,
        form_version_id -> Nullable<Text>,
        form_linkedin_id -> Nullable<BigInt>,
        form_version_number -> Nullable<BigInt>,
        campaign_id -> Nullable<Text>,
        campaign_linkedin_id -> Nullable<BigInt>,
        creative_linkedin_id -> Nullable<BigInt>,
        lead_type -> Text,
        submitter_urn -> Nullable<Text>,
        submitted_at -> Timestamp,
        received_at -> Timestamp,
        is_test -> Bool,
        name -> Text,
        matching_status -> Text,
        processing_state -> Text,
        reason -> Nullable<Text>,
        reason_detail -> Nullable<Text>,
        flag_count -> BigInt,
        lead_id -> Nullable<Text>,
        attempts -> BigInt,
        processed_at -> Nullable<Timestamp>,
        content_hash -> Binary,
        revision -> BigInt,
        search_words -> Nullable<Text>,
        ignored_at -> Nullable<Timestamp>,
        ignored_by -> Nullable<Text>,
        ignored_reason -> Nullable<Text>,
    }
}

diesel::table! {
    submission_contents (submission_id) {
        submission_id -> Text,
        raw -> Binary,
        decision -> Nullable<Text>,
    }
}

diesel::table! {
    submission_acts (id) {
        id -> Text,
        submission_id -> Text,
        user_id -> Text,
        kind -> Text,
        reason -> Nullable<Text>,
        lead_id -> Nullable<Text>,
        lead_lock_version -> Nullable<BigInt>,
        before_state -> Nullable<Text>,
        created_at -> Timestamp,
        undone_at -> Nullable<Timestamp>,
        actor_name -> Nullable<Text>,
    }
}

diesel::table! {
    lead_changes (id) {
        id -> Text,
        lead_id -> Text,
        submission_id -> Nullable<Text>,
        user_id -> Nullable<Text>,
        kind -> Text,
        changes -> Text,
        created_at -> Timestamp,
        import_id -> Nullable<Text>,
        actor_name -> Nullable<Text>,
    }
}

diesel::table! {
    lead_imports (id) {
        id -> Text,
        file_name -> Text,
        format -> Text,
        state -> Text,
        user_id -> Nullable<Text>,
        user_name -> Text,
        headers -> Text,
        plan -> Nullable<Text>,
        row_count -> BigInt,
        next_row -> BigInt,
        created_count -> BigInt,
        updated_count -> BigInt,
        skipped_count -> BigInt,
        invalid_count -> BigInt,
        removed_count -> BigInt,
        restored_count -> BigInt,
        kept_count -> BigInt,
        failure -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        finished_at -> Nullable<Timestamp>,
        undone_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    lead_import_rows (import_id, row_number) {
        import_id -> Text,
        row_number -> BigInt,
        cells -> Text,
        match_key -> Nullable<Text>,
        outcome -> Nullable<Text>,
        reason -> Nullable<Text>,
        lead_id -> Nullable<Text>,
        changes -> Nullable<Text>,
        undo_outcome -> Nullable<Text>,
        undo_reason -> Nullable<Text>,
    }
}

diesel::table! {
    lead_notifications (id) {
        id -> Text,
        response_id -> Text,
        action -> Text,
        occurred_at -> Timestamp,
        account_id -> Nullable<Text>,
        received_at -> Timestamp,
        handled_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    notification_subscriptions (account_id, lead_type) {
        account_id -> Text,
        lead_type -> Text,
        state -> Text,
        linkedin_id -> Nullable<Text>,
        webhook -> Text,
        failure_reason -> Nullable<Text>,
        failure_detail -> Nullable<Text>,
        attempts -> BigInt,
        next_attempt_at -> Nullable<Timestamp>,
        checked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    account_streams (account_id, lead_type, is_test) {
        account_id -> Text,
        lead_type -> Text,
        is_test -> Bool,
        watermark_at -> Nullable<Timestamp>,
        window_start_at -> Nullable<Timestamp>,
        window_end_at -> Nullable<Timestamp>,
        window_offset -> BigInt,
        window_touched_at -> Nullable<Timestamp>,
        last_sweep_at -> Nullable<Timestamp>,
        failure_reason -> Nullable<Text>,
    }
}

diesel::table! {
    endpoint_blocks (endpoint, profile_id) {
        endpoint -> Text,
        profile_id -> Text,
        blocked_until -> Timestamp,
        reason -> Text,
    }
}

diesel::table! {
    sync_runs (id) {
        id -> Text,
        kind -> Text,
        profile_id -> Nullable<Text>,
        account_id -> Nullable<Text>,
        trigger_kind -> Text,
        status -> Text,
        lease_owner -> Text,
        lease_term -> BigInt,
        started_at -> Timestamp,
        finished_at -> Nullable<Timestamp>,
        pages -> BigInt,
        responses -> BigInt,
        submissions_new -> BigInt,
        submissions_known -> BigInt,
        leads_created -> BigInt,
        leads_updated -> BigInt,
        match_failed -> BigInt,
        processing_failed -> BigInt,
        failure_reason -> Nullable<Text>,
        failure_detail -> Nullable<Text>,
        next_attempt_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    custom_fields (name) {
        name -> Text,
        label -> Text,
        kind -> Text,
        choices -> Text,
        is_retired -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    lead_notes (id) {
        id -> Text,
        lead_id -> Text,
        user_id -> Nullable<Text>,
        body -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    lead_views (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        name_key -> Text,
        query -> Text,
        is_shared -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    lead_merges (id) {
        id -> Text,
        merged_id -> Text,
        merged_name -> Text,
        survivor_id -> Text,
        survivor_version -> BigInt,
        merged_lead -> Text,
        survivor_before -> Text,
        moved -> Text,
        changes -> Text,
        user_id -> Nullable<Text>,
        created_at -> Timestamp,
        undone_at -> Nullable<Timestamp>,
        undone_by -> Nullable<Text>,
    }
}

diesel::table! {
    dismissed_questions (form_id, question_id) {
        form_id -> Text,
        question_id -> BigInt,
        dismissed_by -> Nullable<Text>,
        dismissed_at -> Timestamp,
    }
}

diesel::table! {
    report_lead_groups (id) {
        id -> BigInt,
        source -> Text,
        campaign_id -> Text,
        form_id -> Text,
        owner_id -> Text,
        status -> Text,
    }
}

diesel::table! {
    report_leads (lead_id) {
        lead_id -> Text,
        seen_at -> Timestamp,
        lock_version -> BigInt,
        group_id -> Nullable<BigInt>,
        slot -> BigInt,
    }
}

diesel::table! {
    report_submission_groups (id) {
        id -> BigInt,
        source -> Text,
        campaign_id -> Text,
        form_id -> Text,
        owner_id -> Text,
        status -> Text,
        outcome -> Text,
        delay -> BigInt,
    }
}

diesel::table! {
    report_submissions (submission_id) {
        submission_id -> Text,
        seen_at -> Timestamp,
        revision -> BigInt,
        outcome -> Text,
        group_id -> Nullable<BigInt>,
        slot -> BigInt,
    }
}

diesel::table! {
    report_queue (stream, id) {
        stream -> Text,
        id -> Text,
    }
}

diesel::table! {
    report_progress (stream) {
        stream -> Text,
        followed_to -> Timestamp,
    }
}

diesel::table! {
    connection_settings (id) {
        id -> BigInt,
        setting -> Text,
        selected_group_id -> Nullable<Text>,
        updated_at -> Timestamp,
        lock_version -> BigInt,
    }
}

diesel::table! {
    consent_entries (id) {
        id -> Text,
        user_id -> Text,
        created_at -> Timestamp,
        act -> Text,
        reason -> Text,
        text_version -> BigInt,
        setting -> Text,
        actor_name -> Text,
    }
}

diesel::table! {
    access_reviews (id) {
        id -> Text,
        created_at -> Timestamp,
        reviewer_id -> Text,
        reviewer_name -> Text,
        note -> Text,
        setting -> Text,
        allowed_people -> BigInt,
        consented_people -> BigInt,
    }
}

diesel::table! {
    active_consents (user_id) {
        user_id -> Text,
        text_version -> BigInt,
        given_at -> Timestamp,
    }
}

diesel::table! {
    token_revocations (id) {
        id -> Text,
        profile_id -> Text,
        source_table -> Text,
        access_token -> Binary,
        refresh_token -> Nullable<Binary>,
        attempts -> BigInt,
        next_attempt_at -> Timestamp,
        created_at -> Timestamp,
    }
}

diesel::table! {
    account_pauses (account_id) {
        account_id -> Text,
        paused_at -> Timestamp,
        paused_by -> Nullable<Text>,
        paused_by_name -> Text,
        reason -> Text,
    }
}

diesel::table! {
    synchronization_resets (id) {
        id -> Text,
        requested_at -> Timestamp,
        requested_by_name -> Text,
        accounts -> BigInt,
    }
}

diesel::table! {
    api_calls (day, endpoint, profile_id) {
        day -> Text,
        endpoint -> Text,
        profile_id -> Text,
        calls -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    app_credential_checks (client_id) {
        client_id -> Text,
        fingerprint -> Text,
        outcome -> Text,
        detail -> Text,
        checked_at -> Timestamp,
    }
}

diesel::table! {
    processes (name) {
        name -> Text,
        version -> Text,
        has_portal -> Bool,
        has_scheduler -> Bool,
        started_at -> Timestamp,
        last_seen_at -> Timestamp,
        held_keys -> Nullable<Text>,
        sealing_key -> Nullable<Text>,
    }
}

diesel::table! {
    connector_records (source_table, record_key) {
        source_table -> Text,
        record_key -> Text,
        label -> Text,
        cells -> Text,
        file_name -> Text,
        outcome -> Text,
        explanation -> Text,
        uploaded_at -> Timestamp,
        response_tie -> Nullable<Text>,
    }
}

diesel::table! {
    connector_responses (response_id) {
        response_id -> Text,
        is_adopted -> Bool,
        brought_at -> Timestamp,
        matching_status -> Nullable<Text>,
    }
}

diesel::table! {
    secret_keys (id) {
        id -> Text,
        state -> Text,
        current_since -> Timestamp,
        retiring_since -> Nullable<Timestamp>,
        retired_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    signing_roots (name) {
        name -> Text,
        root_sealed -> Binary,
        created_at -> Timestamp,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Text,
        name -> Text,
        role -> Text,
        prefix -> Text,
        token_hash -> Text,
        created_at -> Timestamp,
        created_by -> Text,
        created_by_name -> Text,
        expires_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    account_links (user_id) {
        user_id -> Text,
        purpose -> Text,
        token_hash -> Text,
        created_at -> Timestamp,
        created_by_name -> Text,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    user_identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Text,
        created_at -> Timestamp,
        last_sign_in_at -> Timestamp,
        given_roles -> Text,
    }
}

diesel::table! {
    second_factors (user_id) {
        user_id -> Text,
        secret -> Binary,
        created_at -> Timestamp,
        confirmed_at -> Nullable<Timestamp>,
        last_step -> BigInt,
    }
}

diesel::table! {
    role_rules (id) {
        id -> Text,
        claim -> Text,
        value -> Text,
        role -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    sign_in_rules (id) {
        id -> BigInt,
        has_local_passwords -> Bool,
        break_glass_user_id -> Nullable<Text>,
        roles_come_only_from_provider -> Bool,
        updated_at -> Timestamp,
        lock_version -> BigInt,
        provider_checks_second_factor -> Bool,
    }
}

diesel::table! {
    oidc_attempts (state_hash) {
        state_hash -> Text,
        binding -> Text,
        next_path -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        consumed_at -> Nullable<Timestamp>,
        confirms_user_id -> Nullable<Text>,
    }
}

diesel::table! {
    recovery_codes (user_id, code_hash) {
        user_id -> Text,
        code_hash -> Text,
    }
}

diesel::table! {
    second_factor_roles (role) {
        role -> Text,
    }
}

diesel::table! {
    mails (id) {
        id -> Text,
        kind -> Text,
        user_id -> Text,
        state -> Text,
        link -> Nullable<Binary>,
        created_at -> Timestamp,
        attempts -> BigInt,
        next_attempt_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        problem -> Nullable<Text>,
    }
}

diesel::joinable!(mails -> users (user_id));
diesel::joinable!(second_factors -> users (user_id));
diesel::joinable!(recovery_codes -> users (user_id));
diesel::joinable!(account_links -> users (user_id));
diesel::joinable!(user_roles -> users (user_id));
diesel::joinable!(user_identities -> users (user_id));
diesel::joinable!(sign_in_rules -> users (break_glass_user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(linkedin_user_profiles -> organizations (organization_id));
diesel::joinable!(dataverse_organizations -> organizations (organization_id));
diesel::joinable!(linkedin_tokens -> linkedin_user_profiles (profile_id));
diesel::joinable!(pending_authorizations -> linkedin_user_profiles (profile_id));
diesel::joinable!(pending_authorizations -> users (user_id));
diesel::joinable!(consent_entries -> users (user_id));
diesel::joinable!(access_reviews -> users (reviewer_id));
diesel::joinable!(active_consents -> users (user_id));
diesel::joinable!(token_revocations -> linkedin_user_profiles (profile_id));
diesel::joinable!(oauth_states -> users (user_id));
diesel::joinable!(oauth_states -> linkedin_user_profiles (profile_id));
diesel::joinable!(linkedin_accounts -> users (default_lead_owner_id));
diesel::joinable!(profile_accounts -> linkedin_user_profiles (profile_id));
diesel::joinable!(profile_accounts -> linkedin_accounts (account_id));
diesel::joinable!(campaigns -> linkedin_accounts (account_id));
diesel::joinable!(creatives -> linkedin_accounts (account_id));
diesel::joinable!(lead_forms -> linkedin_accounts (account_id));
diesel::joinable!(lead_form_versions -> lead_forms (form_id));
diesel::joinable!(integration_settings -> users (fallback_owner_id));
diesel::joinable!(field_mappings -> lead_forms (form_id));
diesel::joinable!(dismissed_questions -> lead_forms (form_id));
diesel::joinable!(dismissed_questions -> users (dismissed_by));
diesel::joinable!(matching_strategy_fields -> matching_strategies (strategy_id));
diesel::joinable!(assignment_rules -> users (owner_id));
diesel::joinable!(leads -> users (owner_id));
diesel::joinable!(lead_origins -> leads (lead_id));
diesel::joinable!(lead_origins -> linkedin_accounts (account_id));
diesel::joinable!(lead_origins -> lead_forms (form_id));
diesel::joinable!(lead_origins -> campaigns (campaign_id));
diesel::joinable!(lead_match_keys -> leads (lead_id));
diesel::joinable!(lead_notes -> leads (lead_id));
diesel::joinable!(lead_notes -> users (user_id));
diesel::joinable!(lead_views -> users (user_id));
diesel::joinable!(form_submissions -> linkedin_accounts (account_id));
diesel::joinable!(form_submissions -> lead_forms (form_id));
diesel::joinable!(form_submissions -> lead_form_versions (form_version_id));
diesel::joinable!(form_submissions -> campaigns (campaign_id));
diesel::joinable!(form_submissions -> leads (lead_id));
diesel::joinable!(submission_contents -> form_submissions (submission_id));
diesel::joinable!(submission_acts -> form_submissions (submission_id));
diesel::joinable!(lead_changes -> leads (lead_id));
diesel::joinable!(lead_imports -> users (user_id));
diesel::joinable!(lead_import_rows -> lead_imports (import_id));
diesel::joinable!(lead_notifications -> linkedin_accounts (account_id));
diesel::joinable!(notification_subscriptions -> linkedin_accounts (account_id));
diesel::joinable!(account_streams -> linkedin_accounts (account_id));
diesel::joinable!(sync_runs -> linkedin_user_profiles (profile_id));
diesel::joinable!(sync_runs -> linkedin_accounts (account_id));
diesel::joinable!(organization_leads -> organizations (organization_id));
diesel::joinable!(organization_leads -> leads (lead_id));
diesel::joinable!(delivery_lanes -> organizations (organization_id));
diesel::joinable!(delivery_lanes -> webhooks (webhook_id));
diesel::joinable!(deliveries -> delivery_lanes (lane_id));
diesel::joinable!(deliveries -> leads (lead_id));
diesel::joinable!(deliveries -> form_submissions (submission_id));
diesel::joinable!(delivery_attempts -> deliveries (delivery_id));
diesel::joinable!(account_pauses -> linkedin_accounts (account_id));

diesel::table! {
    submission_counts (account_id, form_id, campaign_id, matching_status, processing_state, is_test, is_ignored_test) {
        account_id -> Text,
        form_id -> Text,
        campaign_id -> Text,
        matching_status -> Text,
        processing_state -> Text,
        is_test -> Bool,
        is_ignored_test -> Bool,
        submissions -> BigInt,
    }
}

diesel::table! {
    campaign_lead_counts (campaign_id) {
        campaign_id -> Text,
        leads -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    user_roles,
    user_identities,
    oidc_attempts,
    role_rules,
    sign_in_rules,
    sessions,
    groups,
    group_members,
    group_additions,
    group_addition_rows,
    sign_in_throttles,
    audit_entries,
    audit_chain,
    organizations,
    linkedin_user_profiles,
    linkedin_tokens,
    pending_authorizations,
    oauth_states,
    linkedin_accounts,
    profile_accounts,
    campaigns,
    creatives,
    lead_forms,
    lead_form_versions,
    integration_settings,
    field_mappings,
    matching_strategies,
    matching_strategy_fields,
    assignment_rules,
    leads,
    lead_origins,
    lead_match_keys,
    custom_fields,
    lead_notes,
    lead_views,
    lead_merges,
    form_submissions,
    submission_contents,
    submission_acts,
    lead_changes,
    lead_imports,
    lead_import_rows,
    lead_notifications,
    notification_subscriptions,
    account_streams,
    endpoint_blocks,
    sync_runs,
    dismissed_questions,
    report_lead_groups,
    report_leads,
    report_submission_groups,
    report_submissions,
    report_queue,
    report_progress,
    submission_counts,
    campaign_lead_counts,
    account_pauses,
    connection_settings,
    consent_entries,
    access_reviews,
    active_consents,
    token_revocations,
    synchronization_resets,
    api_calls,
    app_credential_checks,
    processes,
    connector_records,
    connector_responses,
    secret_keys,
    signing_roots,
    api_tokens,
    account_links,
    dataverse_organizations,
    organization_leads,
    second_factors,
    recovery_codes,
    second_factor_roles,
    mails,
    webhooks,
    delivery_lanes,
    deliveries,
    delivery_attempts,
    organization_reads,
    organization_lead_states,
);
