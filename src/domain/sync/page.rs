//! When a page of submissions is the last one of its window.

/// Whether there is nothing after this page (linkedin-api.md §5.3).
///
/// `total` may be missing or wrong and a server may clamp the page size silently, so reading stops only at an empty page, or at
/// a page that is not full when the total agrees. `reported_count` is the page size that the answer names; it counts
/// where it is smaller than `requested`.
#[must_use]
pub fn is_last_page(
    received: usize,
    requested: i64,
    reported_count: Option<i64>,
    offset: i64,
    total: Option<i64>,
) -> bool {
    if received == 0 {
        return true;
    }
    let received = i64::try_from(received).unwrap_or(i64::MAX);
    let effective = reported_count
        .filter(|count| (1..=requested).contains(count))
        .unwrap_or(requested);
    received < effective && total.is_some_and(|total| offset.saturating_add(received) >= total)
}
