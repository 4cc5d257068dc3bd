//! Charts drawn on the server: where bars and lines stand, with round numbers at the axis. `templates/components/charts.html`
//! draws them as SVG. Places across are percentages, so that a chart fills any width and its text keeps its size.

/// Height of the plot of a chart over time, in pixels; the words below it come on top.
const PLOT: f64 = 176.0;
/// Where the plot begins, so that the word at the highest line has room.
const TOP: f64 = 14.0;
/// Height of a row of a bar chart, as in `static/css/dashboard.css`.
const ROW: usize = 40;
/// At most so many words stand below a chart over time.
const WORDS: usize = 6;

/// Upright bars over time.
#[derive(Debug, Clone)]
pub struct ColumnChart {
    /// The identifier in the page, for title and description.
    pub id: &'static str,
    /// What is shown.
    pub title: String,
    /// The same in one sentence with the numbers that matter, for those who do not see it.
    pub description: String,
    /// Lines across with their numbers, the lowest first.
    pub lines: Vec<AxisLine>,
    /// The bars, from the left.
    pub columns: Vec<Column>,
    /// The line on which the bars stand.
    pub floor: String,
    /// Where the words below the bars stand.
    pub word_y: String,
    /// Whether a mark of the period before stands at the bars.
    pub has_marks: bool,
}

/// A line across with its number.
#[derive(Debug, Clone)]
pub struct AxisLine {
    /// Its height.
    pub y: String,
    /// Its number.
    pub label: String,
}

/// An upright bar.
#[derive(Debug, Clone)]
pub struct Column {
    /// Left edge of the place that answers the pointer.
    pub place_x: String,
    /// Its width.
    pub place_width: String,
    /// Left edge of the bar.
    pub x: String,
    /// Right edge of the bar, for the mark.
    pub right: String,
    /// Its width.
    pub width: String,
    /// Upper edge.
    pub y: String,
    /// Height.
    pub height: String,
    /// Height at which the mark of the period before stands.
    pub mark_y: Option<String>,
    /// The middle of the bar.
    pub middle: String,
    /// The words below, if there are any here.
    pub word: Option<Word>,
    /// What it says to those who point at it.
    pub tip: String,
    /// Where a click leads.
    pub path: String,
}

/// Words below a bar.
#[derive(Debug, Clone)]
pub struct Word {
    /// The words.
    pub text: String,
    /// `start`, `middle` or `end`: which end of the words stands at the place.
    pub anchor: &'static str,
    /// The place.
    pub x: String,
    /// Whether they are left out on narrow screens.
    pub is_minor: bool,
}

/// One value over time.
#[derive(Debug, Clone)]
pub struct Point {
    /// The words below the bar.
    pub word: String,
    /// What it says to those who point at it.
    pub tip: String,
    /// Where a click leads.
    pub path: String,
    /// The number.
    pub value: i64,
    /// The number of the period before at the same place.
    pub before: Option<i64>,
}

fn percent(part: f64) -> String {
    format!("{part:.3}%")
}

fn pixels(height: f64) -> String {
    format!("{height:.1}")
}

/// A ratio as a float; counts of leads are far below the precision of a float.
#[expect(clippy::cast_precision_loss, reason = "for drawing")]
fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    (part.max(0) as f64 / whole as f64).min(1.0)
}

/// The distance of round numbers (1, 2 or 5 times a power of ten) of which at most `lines` reach `highest`.
#[must_use]
pub fn step(highest: i64, lines: i64) -> i64 {
    let needed = highest.max(1).div_euclid(lines.max(1))
        + i64::from(highest.max(1).rem_euclid(lines.max(1)) > 0);
    let mut power: i64 = 1;
    loop {
        for times in [1, 2, 5] {
            match power.checked_mul(times) {
                Some(step) if step >= needed => return step,
                Some(_) => {}
                None => return needed,
            }
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return needed,
        }
    }
}

impl ColumnChart {
    /// Places the bars of `points`; `title` and `description` say what they show.
    #[must_use]
    pub fn new(id: &'static str, title: String, description: String, points: Vec<Point>) -> Self {
        let highest = points
            .iter()
            .flat_map(|point| [Some(point.value), point.before])
            .flatten()
            .max()
            .unwrap_or(0);
        let step = step(highest, 4);
        let top = step.saturating_mul(
            highest.max(1).div_euclid(step) + i64::from(highest.max(1).rem_euclid(step) > 0),
        );
        let y = |value: i64| TOP + PLOT * (1.0 - ratio(value, top));
        let count = points.len().max(1);
        let has_marks = points.iter().any(|point| point.before.is_some());
        Self {
            id,
            title,
            description,
            lines: (0..=top / step)
                .map(|line| AxisLine {
                    y: pixels(y(line * step)),
                    label: number(line * step),
                })
                .collect(),
            floor: pixels(TOP + PLOT),
            word_y: pixels(TOP + PLOT + 18.0),
            has_marks,
            columns: points
                .into_iter()
                .enumerate()
                .map(|(at, point)| column(at, count, point, &y))
                .collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 122 bars")]
fn column(at: usize, count: usize, point: Point, y: &impl Fn(i64) -> f64) -> Column {
    let place = 100.0 / count as f64;
    // A single bar is no wall.
    let width = (place * 0.72).min(12.0);
    let left = place * at as f64;
    let x = left + (place - width) / 2.0;
    let top = y(point.value);
    // Something is never drawn as nothing.
    let height = if point.value > 0 {
        (TOP + PLOT - top).max(1.5)
    } else {
        0.0
    };
    Column {
        place_x: percent(left),
        place_width: percent(place),
        x: percent(x),
        right: percent(x + width),
        width: percent(width),
        y: pixels(TOP + PLOT - height),
        height: pixels(height),
        mark_y: point
            .before
            .filter(|before| *before > 0)
            .map(|before| pixels(y(before))),
        middle: percent(left + place / 2.0),
        word: word(at, count, point.word, left, place),
        tip: point.tip,
        path: point.path,
    }
}

/// Words stand below the first bar, the last one, and some between them.
fn word(at: usize, count: usize, text: String, left: f64, place: f64) -> Option<Word> {
    let last = count.saturating_sub(1);
    let every = last.div_ceil(WORDS.saturating_sub(1)).max(1);
    let is_edge = at == 0 || at == last;
    // The one beside the last would run into it.
    let is_shown = is_edge || (at.is_multiple_of(every) && last - at >= every.div_ceil(2).max(1));
    let (anchor, x) = match at {
        _ if count <= WORDS => ("middle", left + place / 2.0),
        0 => ("start", left),
        at if at == last => ("end", left + place),
        _ => ("middle", left + place / 2.0),
    };
    is_shown.then(|| Word {
        text,
        anchor,
        x: percent(x),
        is_minor: !is_edge,
    })
}

/// Lying bars with their names above them.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// The identifier in the page, for title and description.
    pub id: &'static str,
    /// What is shown.
    pub title: String,
    /// The same in one sentence, for those who do not see it.
    pub description: String,
    /// The bars, from above.
    pub bars: Vec<Bar>,
}

/// A lying bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Where its row begins.
    pub y: String,
    /// What it stands for.
    pub label: String,
    /// Its number, as it is read.
    pub number: String,
    /// Its length.
    pub width: String,
    /// Where the mark of the period before stands.
    pub mark_x: Option<String>,
    /// What it says to those who point at it.
    pub tip: String,
    /// Where a click leads; a bar without stands for several things.
    pub path: Option<String>,
}

/// One value of a breakdown.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it stands for.
    pub label: String,
    /// What it says to those who point at it.
    pub tip: String,
    /// Where a click leads.
    pub path: Option<String>,
    /// The number.
    pub value: i64,
    /// The number of the period before.
    pub before: i64,
}

impl BarChart {
    /// Places the bars of `rows`: at most ten, as the style sheet knows the heights of ten rows.
    #[must_use]
    pub fn new(id: &'static str, title: String, description: String, rows: Vec<Row>) -> Self {
        let highest = rows
            .iter()
            .map(|row| row.value.max(row.before))
            .max()
            .unwrap_or(0);
        Self {
            id,
            title,
            description,
            bars: rows
                .into_iter()
                .take(10)
                .enumerate()
                .map(|(at, row)| Bar {
                    y: (at * ROW).to_string(),
                    number: number(row.value),
                    width: if row.value > 0 {
                        percent((ratio(row.value, highest) * 100.0).max(0.4))
                    } else {
                        "0".to_owned()
                    },
                    mark_x: (row.before > 0).then(|| percent(ratio(row.before, highest) * 100.0)),
                    label: row.label,
                    tip: row.tip,
                    path: row.path,
                })
                .collect(),
        }
    }
}

/// A count as people read it: `1,234`.
#[must_use]
pub fn number(count: impl std::borrow::Borrow<i64>) -> String {
    crate::store::columns::BoundedCount::exactly(*count.borrow()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_at_the_axis_are_round() {
        for (highest, expected) in [
            (0, 1),
            (1, 1),
            (4, 1),
            (5, 2),
            (9, 5),
            (37, 10),
            (81, 50),
            (1_000_000, 500_000),
            (i64::MAX, i64::MAX / 4 + 1),
        ] {
            let step = step(highest, 4);
            if highest < i64::MAX {
                assert_eq!(step, expected, "{highest}");
            } else {
                assert!(step >= expected);
            }
        }
    }

    fn points(values: &[i64]) -> Vec<Point> {
        values
            .iter()
            .map(|value| Point {
                word: value.to_string(),
                tip: String::new(),
                path: String::new(),
                value: *value,
                before: Some(value / 2),
            })
            .collect()
    }

    #[test]
    fn a_chart_of_nothing_has_a_floor_and_no_height() {
        let chart = ColumnChart::new("c", String::new(), String::new(), points(&[0, 0]));
        assert_eq!(chart.lines.len(), 2);
        assert!(chart.columns.iter().all(|column| column.height == "0.0"));
        let chart = ColumnChart::new("c", String::new(), String::new(), Vec::new());
        assert!(chart.columns.is_empty());
        assert!(
            BarChart::new("b", String::new(), String::new(), Vec::new())
                .bars
                .is_empty()
        );
    }

    #[test]
    fn bars_are_as_long_as_their_share_of_the_longest() {
        let row = |value, before| Row {
            label: String::new(),
            tip: String::new(),
            path: None,
            value,
            before,
        };
        let chart = BarChart::new(
            "b",
            String::new(),
            String::new(),
            vec![row(50, 100), row(0, 0)],
        );
        let bar = &chart.bars[0];
        assert_eq!(
            (bar.width.as_str(), bar.mark_x.as_deref()),
            ("50.000%", Some("100.000%"))
        );
        let bar = &chart.bars[1];
        assert_eq!((bar.width.as_str(), bar.mark_x.as_deref()), ("0", None));
    }

    fn value(text: &str) -> f64 {
        text.trim_end_matches('%').parse().unwrap()
    }

    proptest! {
        #[test]
        fn bars_stay_in_the_plot_in_order_and_few_words_stand_below(values in proptest::collection::vec(0_i64..5_000_000, 1..122)) {
            let chart = ColumnChart::new("c", String::new(), String::new(), points(&values));
            prop_assert!(chart.lines.len() <= 5);
            let mut right = 0.0;
            for (column, number) in chart.columns.iter().zip(&values) {
                prop_assert!(value(&column.x) >= right - 0.01);
                right = value(&column.x) + value(&column.width);
                prop_assert!(value(&column.y) >= TOP - 0.1);
                prop_assert!((value(&column.y) + value(&column.height) - TOP - PLOT).abs() < 0.2);
                prop_assert_eq!(value(&column.height) > 0.0, *number > 0);
            }
            prop_assert!(right <= 100.01);
            let words = chart.columns.iter().filter(|column| column.word.is_some()).count();
            prop_assert!((1..=WORDS + 1).contains(&words));
        }
    }
}
