//! How old something is, as kubectl has it.

use jiff::Timestamp;

/// `27s`, `5m3s`, `3h5m`, `4d`: the fewer parts the older.
pub(super) fn age(created: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(created.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let parts = |large: i64, unit: char, small: i64, below: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{below}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => parts(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => parts(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => parts(days, 'd', hours % 24, 'h'),
        _ if days < 730 => format!("{days}d"),
        _ => parts(days / 365, 'y', days % 365, 'd'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_the_coarser() {
        let of = |seconds: i64| {
            let now = Timestamp::from_second(2_000_000_000).unwrap();
            age(
                Timestamp::from_second(2_000_000_000 - seconds).unwrap(),
                now,
            )
        };
        for (seconds, expected) in [
            (-5, "0s"),
            (119, "119s"),
            (120, "2m"),
            (303, "5m3s"),
            (5400, "90m"),
            (11_100, "3h5m"),
            (86_400, "24h"),
            (280_800, "3d6h"),
            (86_400 * 30, "30d"),
            (86_400 * 800, "2y70d"),
        ] {
            assert_eq!(of(seconds), expected, "{seconds}");
        }
    }
}
