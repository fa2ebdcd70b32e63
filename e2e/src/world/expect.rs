//! What an object is waited for to be.

use std::{fmt, sync::Arc};

use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

type Check = dyn Fn(Option<&DynamicObject>) -> Result<(), String> + Send + Sync;

/// A named expectation; the check says what is missing.
#[derive(Clone)]
pub struct Expect {
    name: String,
    check: Arc<Check>,
}

impl fmt::Debug for Expect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Expect {
    /// The object exists and passes the check, which otherwise says what is missing.
    pub fn that(
        name: impl Into<String>,
        check: impl Fn(&DynamicObject) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let check = move |object: Option<&DynamicObject>| match object {
            Some(object) => check(object),
            None => Err("it does not exist".to_owned()),
        };
        Self {
            name: name.into(),
            check: Arc::new(check),
        }
    }

    /// It exists.
    pub fn exists() -> Self {
        Self::that("exists", |_| Ok(()))
    }

    /// It is gone.
    pub fn gone() -> Self {
        let check = |object: Option<&DynamicObject>| match object {
            None => Ok(()),
            Some(object) if object.metadata.deletion_timestamp.is_some() => Err(format!(
                "it is being deleted and held by the finalizers {:?}",
                object.finalizers()
            )),
            Some(_) => Err("it is there and not being deleted".to_owned()),
        };
        Self {
            name: "gone".to_owned(),
            check: Arc::new(check),
        }
    }

    /// A condition has this status, for the object's current generation.
    pub fn condition(type_: &str, status: &str) -> Self {
        let (type_, status) = (type_.to_owned(), status.to_owned());
        Self::that(format!("{type_}={status}"), move |object| {
            has_condition(object, &type_, &status, None)
        })
    }

    /// A condition has this status and reason, for the object's current generation.
    pub fn condition_with_reason(type_: &str, status: &str, reason: &str) -> Self {
        let (type_, status, reason) = (type_.to_owned(), status.to_owned(), reason.to_owned());
        Self::that(
            format!("{type_}={status} with reason {reason}"),
            move |object| has_condition(object, &type_, &status, Some(&reason)),
        )
    }

    /// Nothing if it holds, else what is missing.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, object: Option<&DynamicObject>) -> Result<(), String> {
        (self.check)(object)
    }
}

fn has_condition(
    object: &DynamicObject,
    type_: &str,
    status: &str,
    reason: Option<&str>,
) -> Result<(), String> {
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let of_type = |condition: &&Value| text(condition, "type") == type_;
    let Some(condition) = conditions.and_then(|all| all.iter().find(of_type)) else {
        return Err(format!("it has no condition {type_}"));
    };
    // Kubernetes' conditions have it each; Knative's have one for the whole status.
    let observed = condition
        .get("observedGeneration")
        .or_else(|| object.data.pointer("/status/observedGeneration"));
    let generation = object.metadata.generation;
    if let (Some(observed), Some(generation)) = (observed.and_then(Value::as_i64), generation)
        && observed != generation
    {
        return Err(format!(
            "{type_} speaks of generation {observed}, the object is at {generation}"
        ));
    }
    let (is, because) = (text(condition, "status"), text(condition, "reason"));
    if is == status && reason.is_none_or(|reason| reason == because) {
        return Ok(());
    }
    Err(format!(
        "{type_} is {is}, reason {because:?}: {}",
        text(condition, "message")
    ))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> DynamicObject {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_condition_of_an_older_generation_does_not_count() {
        let expect = Expect::condition("Ready", "True");
        let with = |observed: i64| {
            object(&format!(
                "{{metadata: {{name: a, generation: 2}}, status: {{conditions: [{{type: Ready, status: 'True', observedGeneration: {observed}}}]}}}}"
            ))
        };
        assert_eq!(expect.check(Some(&with(2))), Ok(()));
        assert!(
            expect
                .check(Some(&with(1)))
                .unwrap_err()
                .contains("generation 1")
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let failing = object(
            "{metadata: {name: a}, status: {conditions: [{type: Ready, status: 'False', reason: Broken, message: no such class}]}}",
        );
        let missing = Expect::condition("Ready", "True")
            .check(Some(&failing))
            .unwrap_err();
        assert_eq!(missing, "Ready is False, reason \"Broken\": no such class");
        assert_eq!(
            Expect::condition_with_reason("Ready", "False", "Broken").check(Some(&failing)),
            Ok(())
        );
        assert!(
            Expect::condition_with_reason("Ready", "False", "Other")
                .check(Some(&failing))
                .is_err()
        );
        assert_eq!(
            Expect::exists().check(None).unwrap_err(),
            "it does not exist"
        );
        assert_eq!(Expect::gone().check(None), Ok(()));
        assert!(Expect::gone().check(Some(&failing)).is_err());
    }
}
