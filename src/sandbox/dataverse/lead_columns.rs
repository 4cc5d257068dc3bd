//! The columns of the lead table (dataverse-api.md §3).

use super::columns::{
    Column, Kind, Required, choice, flag, formatted, lookup, memo, money, of_every_table,
    polymorphic, state, status, text, whole,
};

const INDUSTRIES: &[&str] = &[
    "Accounting",
    "Agriculture and Non-petrol Natural Resource Extraction",
    "Broadcasting Printing and Publishing",
    "Brokers",
    "Building Supply Retail",
    "Business Services",
    "Consulting",
    "Consumer Services",
    "Design, Direction and Creative Management",
    "Distributors, Dispatchers and Processors",
    "Doctor's Offices and Clinics",
    "Durable Manufacturing",
    "Eating and Drinking Places",
    "Entertainment Retail",
    "Equipment Rental and Leasing",
    "Financial",
    "Food and Tobacco Processing",
    "Inbound Capital Intensive Processing",
    "Inbound Repair and Services",
    "Insurance",
    "Legal Services",
    "Non-Durable Merchandise Retail",
    "Outbound Consumer Service",
    "Petrochemical Extraction and Distribution",
    "Service Retail",
    "SIG Affiliations",
    "Social Services",
    "Special Outbound Trade Contractors",
    "Specialty Realty",
    "Transportation",
    "Utility Creation and Distribution",
    "Vehicle Retail",
    "Wholesale",
];

/// The columns of `lead`, without the primary key and without what every table has.
pub(super) fn lead_columns() -> Vec<Column> {
    let mut columns = vec![
        text("subject", "Topic", 300).required(Required::Application),
        text("firstname", "First Name", 50).required(Required::Recommended),
        text("middlename", "Middle Name", 50),
        text("lastname", "Last Name", 50)
            .required(Required::Application)
            .indexed(),
        text("fullname", "Name", 160).read_only(),
        text("salutation", "Salutation", 100),
        text("companyname", "Company Name", 100)
            .required(Required::Recommended)
            .indexed(),
        text("jobtitle", "Job Title", 100),
        formatted("websiteurl", "Website", 200, "Url"),
        text("pager", "Pager", 20),
        text("sic", "SIC Code", 20),
        memo("description", "Description", 2000),
        memo("qualificationcomments", "Qualification Comments", 2000),
        whole("numberofemployees", "No. of Employees", 0, 1_000_000),
        money("revenue", "Annual Revenue", 1e14),
        money("budgetamount", "Budget Amount", 1e12),
        money("estimatedamount", "Est. Value", 1e12),
        Column::new("estimatedclosedate", "Est. Close Date", Kind::Date),
    ];
    for (name, label) in [
        ("emailaddress1", "Email"),
        ("emailaddress2", "Email Address 2"),
        ("emailaddress3", "Email Address 3"),
    ] {
        columns.push(formatted(name, label, 100, "Email").indexed());
    }
    for (name, label) in [
        ("telephone1", "Business Phone"),
        ("telephone2", "Home Phone"),
        ("telephone3", "Other Phone"),
        ("fax", "Fax"),
    ] {
        columns.push(formatted(name, label, 50, "Phone").indexed());
    }
    columns.push(formatted("mobilephone", "Mobile Phone", 20, "Phone").indexed());
    columns.extend(address("address1", "Address 1"));
    columns.extend(address("address2", "Address 2"));
    columns.extend(choices());
    for (name, label) in [
        ("donotemail", "Do not allow Emails"),
        ("donotbulkemail", "Do not allow Bulk Emails"),
        ("donotphone", "Do not allow Phone Calls"),
        ("donotfax", "Do not allow Faxes"),
        ("donotpostalmail", "Do not allow Mails"),
        ("donotsendmm", "Marketing Material"),
        ("followemail", "Follow Email Activity"),
    ] {
        columns.push(flag(name, label));
    }
    columns.extend([
        lookup("campaignid", "Source Campaign", "campaign"),
        lookup("parentaccountid", "Parent Account for lead", "account"),
        lookup("parentcontactid", "Parent Contact for lead", "contact"),
        lookup(
            "qualifyingopportunityid",
            "Qualifying Opportunity",
            "opportunity",
        ),
        lookup("transactioncurrencyid", "Currency", "transactioncurrency"),
        polymorphic("customerid", "Customer", &["account", "contact"]),
    ]);
    columns.extend(of_every_table());
    columns
}

fn address(prefix: &str, label: &str) -> Vec<Column> {
    [
        ("line1", "Street 1", 250),
        ("line2", "Street 2", 250),
        ("line3", "Street 3", 250),
        ("city", "City", 80),
        ("country", "Country/Region", 80),
        ("stateorprovince", "State/Province", 50),
        ("county", "County", 50),
        ("postalcode", "ZIP/Postal Code", 20),
        ("postofficebox", "Post Office Box", 20),
        ("name", "Name", 100),
    ]
    .into_iter()
    .map(|(name, part, max)| {
        text(
            &format!("{prefix}_{name}"),
            &format!("{label}: {part}"),
            max,
        )
    })
    .collect()
}

fn choices() -> Vec<Column> {
    let industries: Vec<(i64, &str)> = (1_i64..).zip(INDUSTRIES.iter().copied()).collect();
    vec![
        choice(
            "leadsourcecode",
            "Lead Source",
            &[
                (1, "Advertisement"),
                (2, "Employee Referral"),
                (3, "External Referral"),
                (4, "Partner"),
                (5, "Public Relations"),
                (6, "Seminar"),
                (7, "Trade Show"),
                (8, "Web"),
                (9, "Word of Mouth"),
                (10, "Other"),
            ],
        ),
        choice(
            "leadqualitycode",
            "Rating",
            &[(1, "Hot"), (2, "Warm"), (3, "Cold")],
        ),
        choice(
            "preferredcontactmethodcode",
            "Preferred Method of Contact",
            &[
                (1, "Any"),
                (2, "Email"),
                (3, "Phone"),
                (4, "Fax"),
                (5, "Mail"),
            ],
        ),
        choice("prioritycode", "Priority", &[(1, "Default Value")]),
        choice(
            "salesstagecode",
            "Sales Stage Code",
            &[(1, "Default Value")],
        ),
        choice("salesstage", "Sales Stage", &[(0, "Qualify")]),
        choice(
            "budgetstatus",
            "Budget",
            &[
                (0, "No Committed Budget"),
                (1, "May Buy"),
                (2, "Can Buy"),
                (3, "Will Buy"),
            ],
        ),
        choice(
            "need",
            "Need",
            &[
                (0, "Must have"),
                (1, "Should have"),
                (2, "Good to have"),
                (3, "No need"),
            ],
        ),
        choice(
            "initialcommunication",
            "Initial Communication",
            &[(0, "Contacted"), (1, "Not Contacted")],
        ),
        choice(
            "purchaseprocess",
            "Purchase Process",
            &[(0, "Individual"), (1, "Committee"), (2, "Unknown")],
        ),
        choice(
            "purchasetimeframe",
            "Purchase Timeframe",
            &[
                (0, "Immediate"),
                (1, "This Quarter"),
                (2, "Next Quarter"),
                (3, "This Year"),
                (4, "Unknown"),
            ],
        ),
        choice("industrycode", "Industry", &industries),
        state(&[(0, "Open"), (1, "Qualified"), (2, "Disqualified")]),
        status(&[
            (1, "New", 0),
            (2, "Contacted", 0),
            (3, "Qualified", 1),
            (4, "Lost", 2),
            (5, "Cannot Contact", 2),
            (6, "No Longer Interested", 2),
            (7, "Canceled", 2),
        ]),
    ]
}
