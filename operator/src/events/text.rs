//! The API server's limits on the texts of an Event.

/// Longest note in bytes; beyond it the API server rejects the Event.
pub(super) const NOTE_MAX: usize = 1024;

/// Longest reason, action and reporting instance in bytes.
pub(super) const NAME_MAX: usize = 128;

/// Put where a text was cut.
const ELLIPSIS: &str = "…";

/// `text`, or as much of it as fits into `max` bytes together with an ellipsis.
pub(super) fn truncated(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(ELLIPSIS.len());
    let kept = (0..=room).rev().find_map(|end| text.get(..end));
    let kept = kept.unwrap_or_default();
    format!("{kept}{ELLIPSIS}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(truncated("", 8), "");
        assert_eq!(truncated("12345678", 8), "12345678");
        assert_eq!(truncated("123456789", 8), "12345…");
        assert_eq!(truncated("网关绑定", 8), "网…");
    }

    proptest! {
        #[test]
        fn the_limit_holds_for_any_text(text in "\\PC{0,60}", max in 3usize..100) {
            let cut = truncated(&text, max);
            prop_assert!(cut.len() <= max);
            let kept = cut.strip_suffix(ELLIPSIS).unwrap_or(&cut);
            prop_assert!(text.starts_with(kept));
        }
    }
}
