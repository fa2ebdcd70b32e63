//! Which texts may stand where. From the vendor's API reference of `CreateRule` and
//! `CreateLoadBalancer`.

/// A name: 2 to 128 characters, a letter first; letters, digits and `._-`.
pub(crate) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().is_some_and(char::is_alphabetic);
    first
        && (2..=128).contains(&text.chars().count())
        && characters.all(|character| character.is_alphanumeric() || "._-".contains(character))
}

/// A host pattern: 3 to 128 characters with a period inside; the rightmost label has letters and
/// wildcards only, no label begins or ends with a hyphen. One that begins with `~` is a regular
/// expression.
pub(crate) fn is_host(text: &str) -> bool {
    const SIGNS: &str = "-.*=~_+\\^!$&|()[]?";
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || SIGNS.contains(character)
    };
    if !(3..=128).contains(&text.len()) || !text.chars().all(fits) {
        return false;
    }
    if text.starts_with('~') {
        return text.contains('.');
    }
    let labels: Vec<&str> = text.split('.').collect();
    let Some((last, others)) = labels.split_last() else {
        return false;
    };
    let rightmost = |character: char| character.is_ascii_lowercase() || "*?".contains(character);
    !others.is_empty()
        && !last.is_empty()
        && last.chars().all(rightmost)
        && others
            .iter()
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// A path pattern: 1 to 128 characters from a slash on, or a regular expression from `~` on.
pub(crate) fn is_path(text: &str) -> bool {
    let fits = |signs: &str| {
        text.chars()
            .all(|character| character.is_ascii_alphanumeric() || signs.contains(character))
    };
    let written = match text.chars().next() {
        Some('/') => fits("$-_.+/&~@:'*?"),
        Some('~') => fits(".-_/=?~^*$:()[]+|"),
        _ => false,
    };
    written && text.len() <= 128
}

/// The name of a header that a condition may ask for.
pub(crate) fn is_asked_header(text: &str) -> bool {
    is_header(text) && !["cookie", "host"].contains(&text.to_ascii_lowercase().as_str())
}

/// The name of a header that may be inserted or removed.
pub(crate) fn is_settable_header(text: &str) -> bool {
    const TAKEN: [&str; 17] = [
        "slb-id",
        "slb-ip",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-eip",
        "x-forwarded-port",
        "x-forwarded-client-srcport",
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "keep-alive",
        "te",
        "host",
        "cookie",
        "remoteip",
        "authority",
    ];
    is_header(text) && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

fn is_header(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The value of a header: 1 to 128 printable ASCII characters without a space at either end.
pub(crate) fn is_header_value(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| (32..127).contains(&byte))
        && text.trim_matches(' ').len() == text.len()
}

/// The value of an inserted header that refers to another.
pub(crate) fn is_reference(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

/// Name or value of a cookie, up to 100 characters: printable, letters in lower case.
pub(crate) fn is_cookie(text: &str) -> bool {
    is_plain(text, 100, ";#[]{}\\|<>&")
}

/// Name (up to 100) or value (up to 128) of a query string: printable, letters in lower case.
pub(crate) fn is_query(text: &str, most: usize) -> bool {
    is_plain(text, most, "#[]{}\\|<>&")
}

fn is_plain(text: &str, most: usize, barred: &str) -> bool {
    (1..=most).contains(&text.len())
        && text.chars().all(|character| {
            character.is_ascii_graphic()
                && !character.is_ascii_uppercase()
                && !barred.contains(character)
        })
}

/// How many wildcards a pattern has; a regular expression has none.
pub(crate) fn wildcards(text: &str) -> usize {
    match text.starts_with('~') {
        true => 0,
        false => text.matches(['*', '?']).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_need_a_period_and_letters_at_the_end() {
        for good in [
            "a.b",
            "*.example.com",
            "x-1.ns.example.com",
            "hello.default",
            "a.*",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "localhost",
            "a.",
            ".a.b",
            "hello.team-1",
            "hello.ns1",
            "-a.b",
            "a-.b",
            "A.example.com",
            "10.0.0.1",
            "",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
        assert!(!is_host(&format!("{}.com", "a".repeat(125))));
    }

    #[test]
    fn paths_begin_with_a_slash_or_are_regular_expressions() {
        for good in ["/", "/*", "/a-b_c.d/~x", "~*^/v[0-9]+/(a|b)$"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "a", "/a b", "/a%20", "/a#b", "~/{x}"] {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(!is_path(&format!("/{}", "a".repeat(128))));
    }

    #[test]
    fn some_headers_are_not_for_rules() {
        assert!(is_asked_header("Knative-Serving-Tag") && !is_asked_header("Cookie"));
        assert!(!is_asked_header("host") && !is_asked_header(&"a".repeat(41)));
        assert!(is_settable_header("Knative-Serving-Revision"));
        for taken in ["Host", "X-Forwarded-For", "connection", "te"] {
            assert!(!is_settable_header(taken), "{taken}");
        }
        assert!(is_header_value("a b") && !is_header_value(" a") && !is_header_value("\u{e9}"));
    }

    #[test]
    fn cookies_and_queries_are_in_lower_case() {
        assert!(is_cookie("always") && !is_cookie("Always") && !is_cookie("a b"));
        assert!(is_query("a;b", 128) && !is_query("a&b", 128) && !is_cookie("a;b"));
    }

    #[test]
    fn names_begin_with_a_letter() {
        assert!(is_name("rule-80-1") && is_name("k8s_a.b") && is_name("\u{89c4}\u{5219}"));
        assert!(!is_name("1a") && !is_name("a") && !is_name("a/b"));
    }
}
