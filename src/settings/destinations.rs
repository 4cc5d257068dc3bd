//! How destinations outside are reached: whether they may be inside the network, and which certificates are believed.

use reqwest::Certificate;

use super::reader::Reader;
use crate::destination_address::Reach;

/// How destinations (Dynamics 365 organizations, webhooks) are reached.
#[derive(Debug, Clone, Default)]
pub struct DestinationSettings {
    /// Whether only public addresses may be reached.
    pub reach: Reach,
    /// Certificates of authorities that are believed beside the system's.
    pub authorities: Vec<Certificate>,
}

/// Reads the variables; problems are noted at the reader.
pub(super) fn read(reader: &mut Reader<'_>) -> DestinationSettings {
    let reach = reader.parse(
        "LEADGEN_ALLOW_PRIVATE_DESTINATIONS",
        Reach::Public,
        |text| match text {
            "false" => Ok(Reach::Public),
            "true" => Ok(Reach::Anywhere),
            _ => Err("write true or false".to_owned()),
        },
    );
    let authorities = reader.parse("LEADGEN_DESTINATION_CA_FILE", Vec::new(), |path| {
        if path.is_empty() {
            return Ok(Vec::new());
        }
        let text = std::fs::read(path)
            .map_err(|error| format!("the file cannot be read ({})", error.kind()))?;
        match Certificate::from_pem_bundle(&text) {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err("the file holds no certificate in PEM form".to_owned()),
        }
    });
    DestinationSettings { reach, authorities }
}
