//! Invented people and what they type: names from many places, companies that do not exist, and hostile text.

use super::seeded::{mix, pick};

/// First names, Latin and not.
const FIRST: &[&str] = &[
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatima",
    "Grace",
    "Hiroshi",
    "Inés",
    "Jürgen",
    "Kwame",
    "Łucja",
    "Mei",
    "Nadia",
    "Omar",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomás",
    "Uma",
    "Viktor",
    "Wanjiru",
    "Ximena",
    "Yusuf",
    "Zoë",
    "李",
    "田中",
    "Ольга",
    "سارة",
    "Anne-Marie",
    "D'Arcy",
];
const LAST: &[&str] = &[
    "Lind",
    "Ångström",
    "Bianchi",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García Márquez",
    "Haddad",
    "Ivanov",
    "Jensen",
    "Kowalski",
    "Larsen",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quispe",
    "Rossi",
    "Schäfer",
    "Tanaka",
    "Usman",
    "van den Berg",
    "Weiß",
    "Xu",
    "Yılmaz",
    "Zielińska",
    "Okafor",
    "Novák",
    "Smith-Jones",
];
/// Plain spellings for addresses.
const FIRST_PLAIN: &[&str] = &[
    "ada",
    "bjorn",
    "chloe",
    "dmitri",
    "elif",
    "fatima",
    "grace",
    "hiroshi",
    "ines",
    "juergen",
    "kwame",
    "lucja",
    "mei",
    "nadia",
    "omar",
    "priya",
    "quentin",
    "rosa",
    "soren",
    "tomas",
    "uma",
    "viktor",
    "wanjiru",
    "ximena",
    "yusuf",
    "zoe",
    "li",
    "tanaka",
    "olga",
    "sara",
    "anne-marie",
    "darcy",
];
const COMPANIES: &[(&str, &str)] = &[
    ("Northwind Traders", "northwind.example"),
    ("Fabrikam AG", "fabrikam.example"),
    ("Contoso Ltd.", "contoso.example"),
    ("Adventure Works", "adventure-works.example"),
    ("Tailspin Toys", "tailspin.example"),
    ("Wide World Importers", "wideworld.example"),
    ("Proseware, Inc.", "proseware.example"),
    ("Müller & Söhne GmbH", "mueller-soehne.example"),
    ("Litware", "litware.example"),
    ("A. Datum Corporation", "adatum.example"),
    ("Trey Research", "treyresearch.example"),
    ("Lucerne Publishing", "lucerne.example"),
];
const TITLES: &[&str] = &[
    "Head of Marketing",
    "Data Engineer",
    "CTO",
    "Account Executive",
    "VP Sales",
    "Procurement Manager",
    "Student",
    "Founder & CEO",
    "Leiterin Einkauf",
    "Ingénieure logiciel",
    "IT Administrator",
    "Product Owner",
];
const CITIES: &[(&str, &str, &str, &str, &str)] = &[
    ("Berlin", "Berlin", "Germany", "10115", "+49 30 5550"),
    ("Stockholm", "Stockholm", "Sweden", "111 21", "+46 8 5550"),
    ("São Paulo", "SP", "Brazil", "01310-100", "+55 11 95550-"),
    ("Austin", "Texas", "United States", "73301", "(512) 555-"),
    (
        "London",
        "England",
        "United Kingdom",
        "EC1A 1BB",
        "020 7946 ",
    ),
    ("Toronto", "Ontario", "Canada", "M5H 2N2", "+1 416-555-"),
    ("Zürich", "ZH", "Switzerland", "8001", "044 555 "),
    ("Tokyo", "Tokyo", "Japan", "100-0001", "03-5550-"),
];
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("Engineering", "Ingenieurwesen", "Ingeniería"),
    ("Marketing", "Marketing", "Mercadotecnia"),
    ("Sales", "Vertrieb", "Ventas"),
    ("Purchasing", "Einkauf", "Compras"),
];
const SENIORITIES: &[(&str, &str, &str)] = &[
    ("Senior", "Senior", "Sénior"),
    ("Manager", "Manager", "Gerente"),
    ("CXO", "Geschäftsleitung", "Directivo"),
    ("Entry", "Berufseinstieg", "Principiante"),
];
const INDUSTRIES: &[(&str, &str, &str)] = &[
    (
        "Software Development",
        "Softwareentwicklung",
        "Desarrollo de software",
    ),
    ("Manufacturing", "Fertigung", "Manufactura"),
    ("Higher Education", "Hochschulen", "Educación superior"),
];
const SIZES: &[&str] = &[
    "1-10",
    "11-50",
    "51-200",
    "201-500",
    "501-1000",
    "1001-5000",
    "10001+",
];
const SCHOOLS: &[&str] = &[
    "Universidad de Ejemplo",
    "TU Beispielstadt",
    "Example State University",
];
const DEGREES: &[&str] = &["Licenciatura", "Master of Science", "PhD"];
const FIELDS: &[&str] = &["Informática", "Physics", "Business Administration"];

/// What a form may get from the outside world, each to be stored as it is and shown as text.
const HOSTILE: &[&str] = &[
    "<script>alert('lead')</script><img src=x onerror=alert(1)>",
    "Robert'); DROP TABLE leads;-- \" OR \"1\"=\"1",
    "=1+1",
    "@SUM(A1:A9)",
    "+cmd|' /C calc'!A0",
    "\u{202e}gnirts a fo dne eht\u{202c} مرحبا بالعالم שלום",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e\u{301}\u{323} Z\u{351}\u{36b}a\u{353}lgo",
    "left\u{200d}join\u{200b}er\u{feff}",
    "before\u{0}after",
    "tab\there\r\nand a second line\n\u{7}bell",
    "{{7*7}} ${7*7} <%= 7*7 %> %s%n \\u0041 \\",
    "javascript:alert(1)//http://127.0.0.1/%2e%2e/",
    "  leading and trailing blanks \u{a0}",
    "null",
];

/// A hostile text; the last kind is 4,000 characters long.
pub(super) fn hostile(number: u64) -> String {
    let kinds = HOSTILE.len() as u64 + 1;
    match HOSTILE.get((number % kinds) as usize) {
        Some(text) => (*text).to_owned(),
        None => "Wir wüßten gern: ¿cuánto cuesta? — "
            .chars()
            .cycle()
            .take(4000)
            .collect(),
    }
}

/// An invented person, all of it derived from one number.
pub(super) struct Person {
    number: u64,
    hash: u64,
}

/// The language that LinkedIn's own answers come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    Spanish,
}

impl Person {
    /// Person `number` of an owner (`salt`).
    pub(super) fn new(seed: u64, salt: u64, number: u64) -> Self {
        Self {
            number,
            hash: mix(seed, salt, number),
        }
    }

    fn part(&self, salt: u64) -> u64 {
        mix(self.hash, salt, 0)
    }

    fn first_index(&self) -> u64 {
        self.part(1) % FIRST.len() as u64
    }

    pub(super) fn first_name(&self) -> &'static str {
        pick(FIRST, self.first_index(), "Ada")
    }

    pub(super) fn last_name(&self) -> &'static str {
        pick(LAST, self.part(2), "Lind")
    }

    fn company(&self) -> (&'static str, &'static str) {
        pick(
            COMPANIES,
            self.part(3),
            ("Northwind Traders", "northwind.example"),
        )
    }

    fn city(
        &self,
    ) -> (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    ) {
        pick(
            CITIES,
            self.part(4),
            ("Berlin", "Berlin", "Germany", "10115", "+49 30 5550"),
        )
    }

    /// One address per person.
    pub(super) fn email(&self) -> String {
        format!(
            "{}.{}@mail.example",
            pick(FIRST_PLAIN, self.first_index(), "ada"),
            self.number
        )
    }

    fn work_email(&self) -> String {
        format!(
            "{}{}@{}",
            pick(FIRST_PLAIN, self.first_index(), "ada"),
            self.number,
            self.company().1
        )
    }

    fn phone(&self) -> String {
        format!("{}{:04}", self.city().4, self.part(5) % 10_000)
    }

    /// `urn:li:person:` key, pairwise per app.
    pub(super) fn member_key(&self) -> String {
        super::seeded::text(self.hash, 6, 0, 10)
    }

    /// The answer to one of LinkedIn's own questions; `None` for fields that this sandbox does not know.
    pub(super) fn predefined(&self, field: &str, language: Language) -> Option<String> {
        let localized = |list: &[(&'static str, &'static str, &'static str)], salt| {
            let (english, german, spanish) = pick(list, self.part(salt), ("", "", ""));
            match language {
                Language::English => english,
                Language::German => german,
                Language::Spanish => spanish,
            }
            .to_owned()
        };
        Some(match field {
            "FIRST_NAME" => self.first_name().to_owned(),
            "LAST_NAME" => self.last_name().to_owned(),
            "EMAIL" => self.email(),
            "WORK_EMAIL" => self.work_email(),
            "PHONE_NUMBER" => self.phone(),
            "WORK_PHONE_NUMBER" => format!("{} ext. {}", self.phone(), self.part(7) % 90 + 10),
            "COMPANY_NAME" => self.company().0.to_owned(),
            "JOB_TITLE" => pick(TITLES, self.part(8), "CTO").to_owned(),
            "JOB_FUNCTION" => localized(FUNCTIONS, 9),
            "SENIORITY" => localized(SENIORITIES, 10),
            "INDUSTRY" => localized(INDUSTRIES, 11),
            "COMPANY_SIZE" => pick(SIZES, self.part(12), "1-10").to_owned(),
            "CITY" => self.city().0.to_owned(),
            "STATE" => self.city().1.to_owned(),
            "COUNTRY" => self.city().2.to_owned(),
            "ZIP_CODE" => self.city().3.to_owned(),
            "LINKEDIN_PROFILE_LINK" => format!(
                "https://www.linkedin.com/in/{}-{}",
                pick(FIRST_PLAIN, self.first_index(), "ada"),
                self.number
            ),
            "SCHOOL" => pick(SCHOOLS, self.part(13), "TU Beispielstadt").to_owned(),
            "DEGREE" => pick(DEGREES, self.part(14), "PhD").to_owned(),
            "FIELD_OF_STUDY" => pick(FIELDS, self.part(15), "Physics").to_owned(),
            "START_DATE" => format!("{}-09", 2010 + self.part(16) % 12),
            "GRADUATION_DATE" => format!("{}-06", 2014 + self.part(17) % 12),
            "GENDER" => pick(
                &["Mujer", "Hombre", "Prefiero no decirlo"],
                self.part(18),
                "Mujer",
            )
            .to_owned(),
            "PRONOUNS_2027" => pick(
                &["she/her", "he/him", "they/them"],
                self.part(19),
                "they/them",
            )
            .to_owned(),
            _ => return None,
        })
    }
}
