//! An error with its causes, in one line.

use std::error::Error;

/// The error's message and those of its causes, joined by `: `. A cause is left out if the message
/// before it ends with its text, as many libraries repeat their source.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_follow_and_are_said_once() {
        let layers = [
            "refused",
            "connect: refused",
            "connect: refused",
            "lease not read",
        ];
        let stack = layers
            .into_iter()
            .fold(None, |source, text| Some(Box::new(Layer { text, source })));
        let text = chain(&*stack.unwrap());
        assert_eq!(text, "lease not read: connect: refused");
    }
}
