//! The forms of the seeded world: each is there for something that LinkedIn is known to send.

use super::forms::{DE_DE, EN_US, ES_ES, Form, FormConsent, FormLocale, FormVersion, Questions};
use super::seeded::below;
use super::seeding::{BEYOND_DOUBLE, DAY_MS, HISTORY_DAYS};
use super::world::{OwnerKey, World};

impl World {
    fn add_form(
        &mut self,
        owner: OwnerKey,
        name: &str,
        locale: FormLocale,
        state: &'static str,
        questions: impl Fn(Questions) -> Questions,
    ) {
        let position = self.forms.len() as u64;
        // The first form of all has an id that no JavaScript number can hold.
        let id = if position == 0 {
            BEYOND_DOUBLE + below(self.seed, 940, 0, 1 << 40) as i64
        } else {
            7_000_000 + position as i64 * 10_000 + below(self.seed, 941, position, 10_000) as i64
        };
        let created = self.started_ms - (HISTORY_DAYS + 20) * DAY_MS;
        let version = FormVersion {
            version: 1,
            modified: created + 3_600_000,
            headline: name.to_owned(),
            questions: questions(Questions::of(id, locale)).done(),
            consents: Vec::new(),
            hidden: Vec::new(),
        };
        self.forms.push(Form {
            id,
            owner,
            name: name.to_owned(),
            state,
            locale,
            created,
            versions: vec![version],
        });
    }

    fn last_version(&mut self, change: impl FnOnce(&mut FormVersion)) {
        if let Some(version) = self
            .forms
            .last_mut()
            .and_then(|form| form.versions.last_mut())
        {
            change(version);
        }
    }

    /// A second version of the last form; `questions` replace the first version's.
    fn second_version(&mut self, questions: impl Fn(Questions) -> Questions) {
        let modified = self.started_ms - HISTORY_DAYS * 2 / 5 * DAY_MS;
        if let Some(form) = self.forms.last_mut()
            && let Some(first) = form.versions.first()
        {
            let mut version = first.clone();
            version.version = 2;
            version.modified = modified;
            version.questions = questions(Questions::of(form.id, form.locale)).done();
            form.versions.push(version);
        }
    }

    pub(super) fn add_forms(&mut self) {
        let (europe, americas, fabrikam, contoso) = (
            self.account_key(0),
            self.account_key(1),
            self.account_key(2),
            self.account_key(3),
        );
        let (northwind, fabrikam_page) = (self.page_key(0), self.page_key(1));
        let person = |q: Questions| q.field("FIRST_NAME").field("LAST_NAME").field("EMAIL");
        let consent = |id, required, text: &str| FormConsent {
            id,
            required,
            text: text.to_owned(),
        };

        self.add_form(
            europe,
            "Whitepaper: Data platforms",
            EN_US,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("COMPANY_NAME")
                    .field("JOB_TITLE")
                    .custom_choice(
                        "Which topic interests you most?",
                        &[(0, "Warehouses"), (1, "Streaming"), (2, "Governance")],
                        false,
                    )
                    .labelled("topic")
                    .custom_text("What would you like to know?")
            },
        );
        self.second_version(|q| {
            person(q)
                .field("COMPANY_NAME")
                .field("JOB_TITLE")
                .custom_choice(
                    "Which topic interests you most?",
                    &[
                        (0, "Machine learning"),
                        (1, "Warehouses"),
                        (2, "Streaming"),
                        (3, "Governance"),
                    ],
                    false,
                )
                .labelled("topic")
                .custom_text("What would you like to know?")
                .field("PHONE_NUMBER")
        });
        if let Some(form) = self.forms.last_mut() {
            for version in &mut form.versions {
                version.hidden = vec![
                    ("source_code".to_owned(), format!("WP-{}", version.version)),
                    (
                        "utm_campaign".to_owned(),
                        "data & \"platforms\" <2026>".to_owned(),
                    ),
                ];
                version.consents = vec![
                    consent(0, true, "I agree to be contacted"),
                    consent(1, false, "Send me the newsletter, too"),
                ];
            }
        }
        self.add_form(europe, "Angebot anfordern", DE_DE, "PUBLISHED", |q| {
            q.field("FIRST_NAME")
                .field("LAST_NAME")
                .field("WORK_EMAIL")
                .field("PHONE_NUMBER")
                .field("CITY")
                .field("JOB_FUNCTION")
                .custom_choice(
                    "Für welche Leistungen interessieren Sie sich?",
                    &[(0, "Beratung"), (1, "Schulung"), (2, "Betrieb")],
                    true,
                )
                .custom_text("Ihre Nachricht")
        });
        self.last_version(|version| {
            version.consents = vec![consent(0, true, "Ich stimme der Kontaktaufnahme zu")]
        });
        self.add_form(europe, "Newsletter", EN_US, "PUBLISHED", |q| {
            person(q).field("COUNTRY")
        });
        self.add_form(americas, "Demo request", EN_US, "PUBLISHED", |q| {
            q.field("FIRST_NAME")
                .field("LAST_NAME")
                .field("EMAIL")
                .field("WORK_EMAIL")
                .field("PHONE_NUMBER")
                .field("COMPANY_NAME")
                .field("COMPANY_SIZE")
                .field("STATE")
                .field("ZIP_CODE")
                .field("COUNTRY")
                .field("INDUSTRY")
                .field("SENIORITY")
                .field("PRONOUNS_2027")
                .custom_text("Anything else?")
        });
        self.last_version(|version| {
            version.hidden = vec![("region".to_owned(), "AMER".to_owned())]
        });
        self.add_form(
            americas,
            "Webinar (nobody answered yet)",
            EN_US,
            "PUBLISHED",
            person,
        );
        self.add_form(
            americas,
            "Draft of next year's form",
            EN_US,
            "DRAFT",
            person,
        );
        self.add_form(
            fabrikam,
            "Candidatura espontánea",
            ES_ES,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("JOB_FUNCTION")
                    .field("SENIORITY")
                    .field("SCHOOL")
                    .field("DEGREE")
                    .field("FIELD_OF_STUDY")
                    .field("START_DATE")
                    .field("GRADUATION_DATE")
                    .field("LINKEDIN_PROFILE_LINK")
                    .field("GENDER")
                    .custom_text("¿Por qué nosotros?")
            },
        );
        self.add_form(contoso, "Out of reach", EN_US, "PUBLISHED", person);
        self.add_form(
            northwind,
            "Data Summit registration",
            EN_US,
            "PUBLISHED",
            |q| {
                person(q)
                    .field("COMPANY_NAME")
                    .custom_text("Dietary requirements")
            },
        );
        self.last_version(|version| {
            version.consents = vec![consent(0, true, "Photos will be taken")]
        });
        self.add_form(northwind, "Contact us (page)", EN_US, "PUBLISHED", |q| {
            person(q).custom_text("Your message")
        });
        self.add_form(northwind, "Product information", EN_US, "PUBLISHED", |q| {
            person(q).field("COMPANY_NAME")
        });
        self.add_form(fabrikam_page, "Kontakt (Seite)", DE_DE, "PUBLISHED", |q| {
            person(q).custom_text("Ihre Nachricht")
        });
        self.add_form(
            fabrikam_page,
            "Open day (events: not for analysts)",
            EN_US,
            "PUBLISHED",
            person,
        );
    }
}
