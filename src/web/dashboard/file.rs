//! The numbers of a figure as a CSV file.

use actix_web::HttpResponse;

use super::figures::Figure;
use crate::domain::report::{Days, share};
use crate::web::csv_export::{self, Chunk};

/// The file as a download: a row for each row of the figure, the ones that the table leaves out as well.
#[must_use]
pub fn answer(figure: &Figure, days: Days) -> HttpResponse {
    let counted = figure.chart.counted();
    let header = vec![
        figure.chart.of_what().to_owned(),
        counted.to_owned(),
        format!("{counted} in the period before"),
        "Difference".to_owned(),
        "Change in percent".to_owned(),
        "Share in percent".to_owned(),
    ];
    let rows: Vec<Vec<String>> = figure
        .rows
        .iter()
        .map(|row| {
            vec![
                row.label.clone(),
                row.count.now.to_string(),
                row.count.before.to_string(),
                row.count.difference().to_string(),
                row.count
                    .percent()
                    .map_or_else(String::new, |percent| percent.to_string()),
                share(row.count.now, figure.total.now)
                    .trim_end_matches(" %")
                    .replace('–', ""),
            ]
        })
        .collect();
    let name = format!("{}-{}-{}.csv", figure.chart.as_str(), days.first, days.last);
    csv_export::respond(&name, header, rows, |rows| async {
        Ok(Chunk { rows, next: None })
    })
}
