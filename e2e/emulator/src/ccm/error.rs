//! Why a Service could not be brought in line.

/// An error as CCM words it. What wraps it comes before it, as far as CCM wraps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyncError {
    /// What CCM itself refuses, or cannot read.
    #[error("{0}")]
    Said(String),
    /// What went wrong where.
    #[error("{what}: {cause}")]
    Within {
        /// What was being done.
        what: String,
        /// The cause.
        cause: Box<SyncError>,
    },
    /// A refusal of the cloud, in the form in which CCM passes it on.
    #[error("[SDKError] ErrorCode: {code}, Message: {message}")]
    Cloud {
        /// The code, for CCM's own decisions.
        code: String,
        /// The message.
        message: String,
    },
    /// The cloud could not be reached or answered nonsense.
    #[error("{0}")]
    Transport(String),
    /// The API server refused.
    #[error("{0}")]
    Kubernetes(#[from] kube::Error),
}

impl SyncError {
    pub(crate) fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// The same, with what was being done before it.
    pub(crate) fn within(self, what: impl Into<String>) -> Self {
        Self::Within {
            what: what.into(),
            cause: Box::new(self),
        }
    }

    /// What an event says of it: of a refusal of the cloud, no more than its message.
    pub(super) fn told(&self) -> String {
        let text = self.to_string();
        let refusal = text.split("[SDKError]").nth(1);
        let mut lines = refusal.into_iter().flat_map(str::lines);
        let message = lines.find_map(|line| Some(&line[line.rfind("Message:")?..]));
        message.map(str::to_owned).unwrap_or(text)
    }
}

/// Puts what was being done before an error.
pub(super) trait Within<T> {
    fn within(self, what: &str) -> Result<T, SyncError>;
}

impl<T> Within<T> for Result<T, SyncError> {
    fn within(self, what: &str) -> Result<T, SyncError> {
        self.map_err(|error| error.within(what))
    }
}

/// Several at once: one stands alone, and more are a list in which none comes twice.
pub(super) fn all(errors: Vec<SyncError>) -> Result<(), SyncError> {
    let mut texts: Vec<String> = Vec::new();
    for text in errors.iter().map(SyncError::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let mut errors = errors;
    match texts.as_slice() {
        [] => Ok(()),
        [_] => errors.pop().map_or(Ok(()), Err),
        several => Err(SyncError::Said(format!("[{}]", several.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> SyncError {
        SyncError::Cloud {
            code: "C".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn of_a_refusal_the_message_is_told_and_of_else_all() {
        let refusal = refused("No.").within("create slb error");
        assert_eq!(refusal.told(), "Message: No.");
        let own = SyncError::said("x").within("apply model error");
        assert_eq!(own.told(), "apply model error: x");
    }

    #[test]
    fn one_stands_alone_and_several_are_a_list() {
        assert!(all(Vec::new()).is_ok());
        let alone = all(vec![SyncError::said("a"), SyncError::said("a")]);
        assert_eq!(alone.expect_err("one").to_string(), "a");
        let both = all(vec![
            SyncError::said("a"),
            refused("No."),
            SyncError::said("b"),
        ]);
        let both = both.expect_err("three");
        assert_eq!(both.told(), "Message: No., b]");
    }
}
