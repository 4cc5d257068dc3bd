//! Lead Gen forms: list, and one with its versions.

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::{self, Described, Group};
use super::input::{self, Id, Parameters};
use super::{ApiAnswer, output};
use crate::domain::form::{FormStatus, FormVersion, Question, QuestionKind};
use crate::domain::ids::{AccountId, FormId, FormVersionId};
use crate::store::StoreError;
use crate::store::forms::{self, Form, FormCounts, FormFilter};
use crate::web::Portal;

/// The order of the list, for its cursors.
const ORDER: &str = "first_seen";

/// A Lead Gen form.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Form)]
pub struct FormBody {
    id: FormId,
    /// LinkedIn's number.
    linkedin_id: i64,
    /// Its name at LinkedIn.
    name: String,
    account_id: AccountId,
    status: FormStatus,
    /// LinkedIn's own state.
    linkedin_state: Option<String>,
    /// Two letters, lower case.
    language: Option<String>,
    /// Two letters, upper case.
    country: Option<String>,
    /// LinkedIn's number of the newest version.
    current_version: Option<i64>,
    /// Versions that are known.
    version_count: i64,
    /// Submissions, test leads included.
    submission_count: i64,
    /// When LinkedIn last saw it changed.
    linkedin_modified_at: Option<DateTime<Utc>>,
    /// When its submissions were last read.
    last_synchronized_at: Option<DateTime<Utc>>,
    /// When it was first seen.
    created_at: DateTime<Utc>,
}

impl FormBody {
    fn new(form: Form, counts: FormCounts) -> Self {
        Self {
            id: form.id,
            linkedin_id: form.linkedin_id,
            name: form.name,
            account_id: form.account.0,
            status: form.sync_status,
            linkedin_state: form.linkedin_state,
            language: form.language,
            country: form.country,
            current_version: form.current_version_number,
            version_count: counts.versions,
            submission_count: counts.submissions,
            linkedin_modified_at: form.linkedin_modified_at,
            last_synchronized_at: form.last_synchronized_at,
            created_at: form.created_at,
        }
    }
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionType {
    /// Free text; every predefined question is of this kind.
    Text,
    /// One or several of the options.
    MultipleChoice,
    /// A kind that is not known yet.
    Unknown,
}

/// One option of a multiple choice question.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuestionOption {
    /// LinkedIn's number, from 0; it may mean another text in another version.
    id: i64,
    /// What the member read.
    text: String,
}

/// A question of a form version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Question)]
pub struct QuestionBody {
    /// LinkedIn's number.
    id: i64,
    /// The name in the language of the form's author.
    name: String,
    /// The text that the member read.
    text: String,
    /// A short name, unique in the form.
    label: Option<String>,
    /// LinkedIn's predefined field, such as `FIRST_NAME`.
    predefined_field: Option<String>,
    r#type: QuestionType,
    /// The options of a multiple choice question.
    options: Vec<QuestionOption>,
    is_required: bool,
}

impl From<Question> for QuestionBody {
    fn from(question: Question) -> Self {
        let (r#type, options) = match question.kind {
            QuestionKind::Text { .. } => (QuestionType::Text, Vec::new()),
            QuestionKind::MultipleChoice { options } => (QuestionType::MultipleChoice, options),
            QuestionKind::Unknown => (QuestionType::Unknown, Vec::new()),
        };
        Self {
            id: question.id,
            name: question.name,
            text: question.text,
            label: question.label,
            predefined_field: question.predefined_field,
            r#type,
            options: options
                .into_iter()
                .map(|option| QuestionOption {
                    id: option.id,
                    text: option.text,
                })
                .collect(),
            is_required: question.required,
        }
    }
}

/// A fixed name and value that the form's author attached to a version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HiddenField)]
pub struct HiddenFieldBody {
    name: String,
    value: String,
}

/// A consent checkbox under a form.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consent)]
pub struct ConsentBody {
    /// LinkedIn's number, from 0.
    id: i64,
    /// What the member read.
    text: String,
    /// Whether the form can be submitted only with it.
    is_required: bool,
}

/// A version of a form.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FormVersion)]
pub struct FormVersionBody {
    id: FormVersionId,
    /// LinkedIn's number, from 1.
    number: i64,
    name: String,
    /// In the order of the form.
    questions: Vec<QuestionBody>,
    hidden_fields: Vec<HiddenFieldBody>,
    consents: Vec<ConsentBody>,
}

impl From<FormVersion> for FormVersionBody {
    fn from(version: FormVersion) -> Self {
        Self {
            id: version.id,
            number: version.number,
            name: version.name,
            questions: version
                .questions
                .into_iter()
                .map(QuestionBody::from)
                .collect(),
            hidden_fields: version
                .hidden_fields
                .into_iter()
                .map(|field| HiddenFieldBody {
                    name: field.name,
                    value: field.value,
                })
                .collect(),
            consents: version
                .consents
                .into_iter()
                .map(|consent| ConsentBody {
                    id: consent.id,
                    text: consent.text,
                    is_required: consent.check_required,
                })
                .collect(),
        }
    }
}

/// A form with its versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FormWithVersions)]
pub struct FormDetailBody {
    #[serde(flatten)]
    form: FormBody,
    /// Newest first, at most 100.
    versions: Vec<FormVersionBody>,
}

/// The filters of the page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FormsParameters {
    /// Words that the name holds.
    q: Option<String>,
    /// Only of this account.
    account: Option<AccountId>,
    /// Only in this state.
    status: Option<FormStatus>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// GET /forms, in the document.
pub fn describe_index() -> Described {
    Described::new(Group::LinkedIn, "listForms", "List Lead Gen forms")
        .filters::<FormsParameters>()
        .sends_list::<FormBody>(&document::form())
}

/// GET /forms
///
/// # Errors
/// `BadParameter`, or as the database.
pub async fn index(
    portal: Data<Portal>,
    Parameters(asked): Parameters<FormsParameters>,
) -> ApiAnswer {
    let limit = input::limit(asked.limit)?;
    let start = input::start(ORDER, asked.cursor.as_deref())?;
    let filter = FormFilter {
        search: asked.q,
        account_id: asked.account,
        sync_status: asked.status,
    };
    let (page, mut counts) = portal
        .store
        .read(move |conn| {
            let page = forms::page(conn, &filter, &start, limit)?;
            let ids: Vec<&FormId> = page.rows.iter().map(|form| &form.id).collect();
            let counts = forms::counts(conn, &ids)?;
            Ok::<_, StoreError>((page, counts))
        })
        .await?;
    let rows = page
        .rows
        .into_iter()
        .map(|form| {
            let counted = counts.remove(form.id.as_str()).unwrap_or_default();
            FormBody::new(form, counted)
        })
        .collect();
    let next = page.older.map(|place| input::encode_cursor(ORDER, &place));
    Ok(output::list(rows, next))
}

/// GET /forms/{id}, in the document.
pub fn describe_show() -> Described {
    Described::new(Group::LinkedIn, "getForm", "Get a form with its versions")
        .record::<FormId>()
        .sends::<FormDetailBody>(200, "The form with its versions.", document::form_detail())
}

/// GET /forms/{id}
///
/// # Errors
/// `NotFound`, or as the database.
pub async fn show(portal: Data<Portal>, Id(id): Id<FormId>) -> ApiAnswer {
    let form = portal
        .store
        .read(move |conn| {
            let form = forms::get(conn, &id)?;
            let counts = forms::counts(conn, &[&id])?.remove(id.as_str());
            let versions = forms::versions(conn, &id)?;
            Ok::<_, StoreError>(FormDetailBody {
                form: FormBody::new(form, counts.unwrap_or_default()),
                versions: versions.into_iter().map(FormVersionBody::from).collect(),
            })
        })
        .await?;
    Ok(output::record(&form))
}
