//! Guesses from the header of a column what it fills: our labels in several languages, LinkedIn's names, Dataverse's columns.

use super::ColumnTarget;
use crate::domain::lead::{CustomField, FieldKey, LeadField};
use crate::domain::normalise;

use LeadField as F;

/// Headers as [`folded`] writes them, beside our own words, labels and Dataverse columns.
const NAMES: &[(LeadField, &[&str])] = &[
    (
        F::FirstName,
        &[
            "givenname",
            "forename",
            "vorname",
            "prenom",
            "nombre",
            "nome",
            "voornaam",
            "fornavn",
            "fornamn",
            "imie",
            "名",
        ],
    ),
    (
        F::LastName,
        &[
            "surname",
            "familyname",
            "nachname",
            "familienname",
            "nom",
            "nomdefamille",
            "apellido",
            "apellidos",
            "cognome",
            "sobrenome",
            "achternaam",
            "efternavn",
            "efternamn",
            "nazwisko",
            "姓",
        ],
    ),
    (
        F::Email,
        &[
            "emailaddress",
            "mail",
            "mailaddress",
            "primaryemail",
            "emailadresse",
            "emailaddress1",
            "adresseemail",
            "courriel",
            "correo",
            "correoelectronico",
            "indirizzoemail",
            "endereçodeemail",
            "enderecodeemail",
            "emailadres",
            "epost",
            "電子メール",
        ],
    ),
    (
        F::WorkEmail,
        &[
            "workemailaddress",
            "businessemail",
            "companyemail",
            "geschaftlicheemail",
            "geschaftlicheemailadresse",
            "emailgeschaftlich",
            "emailprofessionnel",
            "correodetrabajo",
            "emailaziendale",
            "emailprofissional",
            "werkemail",
        ],
    ),
    (
        F::Phone,
        &[
            "phonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "businessphone",
            "workphone",
            "workphonenumber",
            "telefon",
            "telefonnummer",
            "rufnummer",
            "numerodetelephone",
            "telefono",
            "telefone",
            "telefoonnummer",
            "電話番号",
        ],
    ),
    (
        F::MobilePhone,
        &[
            "mobile",
            "cell",
            "cellphone",
            "mobilephonenumber",
            "mobilnummer",
            "mobiltelefon",
            "handy",
            "handynummer",
            "mobil",
            "portable",
            "telephoneportable",
            "movil",
            "telefonomovil",
            "cellulare",
            "celular",
            "mobiel",
        ],
    ),
    (
        F::CompanyName,
        &[
            "company",
            "organization",
            "organisation",
            "account",
            "accountname",
            "employer",
            "firma",
            "unternehmen",
            "firmenname",
            "unternehmensname",
            "entreprise",
            "societe",
            "nomdelentreprise",
            "empresa",
            "nombredelaempresa",
            "azienda",
            "nomeazienda",
            "bedrijf",
            "bedrijfsnaam",
            "företag",
            "foretag",
            "会社名",
        ],
    ),
    (
        F::JobTitle,
        &[
            "title",
            "position",
            "role",
            "jobposition",
            "berufsbezeichnung",
            "stellenbezeichnung",
            "fonction",
            "intituleduposte",
            "poste",
            "cargo",
            "puesto",
            "qualifica",
            "funktion",
            "functietitel",
        ],
    ),
    (
        F::JobFunction,
        &[
            "function",
            "department",
            "abteilung",
            "tatigkeitsbereich",
            "funcion",
            "funzione",
        ],
    ),
    (
        F::Seniority,
        &[
            "senioritylevel",
            "joblevel",
            "karrierestufe",
            "niveauhierarchique",
            "antiguedad",
        ],
    ),
    (
        F::Industry,
        &[
            "branche",
            "sector",
            "secteur",
            "secteurdactivite",
            "industrie",
            "settore",
            "setor",
            "bransch",
        ],
    ),
    (
        F::CompanySize,
        &[
            "employees",
            "numberofemployees",
            "noofemployees",
            "unternehmensgrosse",
            "unternehmensgroesse",
            "firmengrosse",
            "mitarbeiterzahl",
            "mitarbeiter",
            "tailledelentreprise",
            "effectif",
            "tamanodelaempresa",
            "dimensioneazienda",
            "bedrijfsgrootte",
        ],
    ),
    (
        F::City,
        &[
            "town", "stadt", "ort", "ville", "ciudad", "citta", "cidade", "stad", "plaats",
            "locality",
        ],
    ),
    (
        F::State,
        &[
            "province",
            "stateprovince",
            "stateorprovince",
            "region",
            "county",
            "bundesland",
            "kanton",
            "departement",
            "provincia",
            "estado",
            "provincie",
        ],
    ),
    (
        F::Country,
        &["countryregion", "land", "pays", "pais", "paese"],
    ),
    (
        F::PostalCode,
        &[
            "zip",
            "zipcode",
            "postcode",
            "zippostalcode",
            "plz",
            "postleitzahl",
            "codepostal",
            "codigopostal",
            "cap",
            "cep",
        ],
    ),
    (
        F::Website,
        &[
            "web",
            "url",
            "homepage",
            "companywebsite",
            "webseite",
            "siteweb",
            "sitioweb",
            "sitoweb",
            "site",
        ],
    ),
    (
        F::LinkedinProfileUrl,
        &[
            "linkedin",
            "linkedinprofile",
            "linkedinurl",
            "profileurl",
            "linkedinprofil",
            "linkedinprofillink",
        ],
    ),
    (
        F::School,
        &[
            "university",
            "college",
            "schule",
            "universitat",
            "ecole",
            "escuela",
            "scuola",
        ],
    ),
    (
        F::Degree,
        &["abschluss", "diplome", "titulo", "titolodistudio"],
    ),
    (
        F::FieldOfStudy,
        &["major", "studienfach", "studienrichtung", "domainedetudes"],
    ),
    (
        F::StartDate,
        &["startdatum", "datededebut", "fechadeinicio"],
    ),
    (
        F::GraduationDate,
        &["graduation", "abschlussdatum", "datedobtentiondudiplome"],
    ),
    (
        F::Description,
        &[
            "notes",
            "note",
            "comment",
            "comments",
            "remarks",
            "beschreibung",
            "notizen",
            "bemerkung",
            "bemerkungen",
            "kommentar",
            "commentaire",
            "descripcion",
            "descrizione",
            "descricao",
            "message",
        ],
    ),
];

const TOPICS: &[&str] = &[
    "topic", "subject", "thema", "betreff", "sujet", "asunto", "oggetto",
];
const STATUSES: &[&str] = &[
    "status",
    "leadstatus",
    "statuscode",
    "statut",
    "estado del lead",
];
const OWNERS: &[&str] = &[
    "owner",
    "leadowner",
    "ownerid",
    "owneremail",
    "besitzer",
    "inhaber",
    "proprietaire",
    "propietario",
];

/// A header without case, accents, white space and signs: “E-Mail Adresse” → `emailadresse`.
fn folded(header: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let text = normalise::text(header).unwrap_or_default();
    text.nfd().filter(|c| c.is_alphanumeric()).collect()
}

/// What a column with this header most likely fills.
#[must_use]
pub fn guess(header: &str, custom: &[CustomField]) -> Option<ColumnTarget> {
    let name = folded(header);
    if name.is_empty() {
        return None;
    }
    let is = |known: &str| folded(known) == name;
    let ours = LeadField::ALL.iter().find(|field| {
        is(field.as_str()) || is(field.label()) || field.dataverse_column().is_some_and(is)
    });
    if let Some(field) = ours {
        return Some(ColumnTarget::Field(FieldKey::Standard(*field)));
    }
    let defined = custom
        .iter()
        .find(|field| is(&field.name) || is(&field.label) || is(&format!("custom.{}", field.name)));
    if let Some(field) = defined {
        return Some(ColumnTarget::Field(FieldKey::Custom(field.name.clone())));
    }
    let listed = |names: &[&str]| names.iter().any(|known| is(known));
    if listed(TOPICS) {
        return Some(ColumnTarget::Topic);
    }
    if listed(STATUSES) {
        return Some(ColumnTarget::Status);
    }
    if listed(OWNERS) {
        return Some(ColumnTarget::Owner);
    }
    NAMES
        .iter()
        .find(|(_, names)| listed(names))
        .map(|(field, _)| ColumnTarget::Field(FieldKey::Standard(*field)))
}

/// A guess for each column; of two columns that would fill the same, the first does.
#[must_use]
pub fn guess_all(headers: &[String], custom: &[CustomField]) -> Vec<Option<ColumnTarget>> {
    let mut taken = std::collections::BTreeSet::new();
    headers
        .iter()
        .map(|header| guess(header, custom).filter(|target| taken.insert(target.clone())))
        .collect()
}
