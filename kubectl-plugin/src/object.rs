//! What all three kinds have in common.

use crds::{
    ConditionType, GatewayBinding, GatewayBindingClass, GatewayConsumer, Reason, UNOBSERVED,
    find_condition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::PluginError;
use crate::reference::{Kind, Reference};

/// An object of one of the three kinds.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Class(Box<GatewayBindingClass>),
    Binding(Box<GatewayBinding>),
    Consumer(Box<GatewayConsumer>),
}

impl Object {
    /// Reads what the API server sent.
    pub(crate) fn read(kind: Kind, value: Value) -> Result<Self, PluginError> {
        fn read<T: DeserializeOwned>(kind: Kind, value: Value) -> Result<Box<T>, PluginError> {
            let object = serde_json::from_value(value);
            let object = object.map_err(|source| PluginError::NotUnderstood { kind, source })?;
            Ok(Box::new(object))
        }
        Ok(match kind {
            Kind::Class => Self::Class(read(kind, value)?),
            Kind::Binding => Self::Binding(read(kind, value)?),
            Kind::Consumer => Self::Consumer(read(kind, value)?),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Class(_) => Kind::Class,
            Self::Binding(_) => Kind::Binding,
            Self::Consumer(_) => Kind::Consumer,
        }
    }

    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Class(class) => &class.metadata,
            Self::Binding(binding) => &binding.metadata,
            Self::Consumer(consumer) => &consumer.metadata,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.metadata().namespace.as_deref()
    }

    /// For commands that are shown.
    pub(crate) fn reference(&self) -> Reference {
        Reference {
            kind: self.kind(),
            name: self.name().to_owned(),
        }
    }

    /// `Kind namespace/name`, as messages of the operator have it.
    pub(crate) fn title(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{} {namespace}/{}", self.kind(), self.name()),
            None => format!("{} {}", self.kind(), self.name()),
        }
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        match self {
            Self::Class(class) => class.status.as_ref().map(|status| &status.conditions),
            Self::Binding(binding) => binding.status.as_ref().map(|status| &status.conditions),
            Self::Consumer(consumer) => consumer.status.as_ref().map(|status| &status.conditions),
        }
        .map_or(&[], Vec::as_slice)
    }

    fn observed_generation(&self) -> Option<i64> {
        match self {
            Self::Class(class) => class.status.as_ref()?.observed_generation,
            Self::Binding(binding) => binding.status.as_ref()?.observed_generation,
            Self::Consumer(consumer) => consumer.status.as_ref()?.observed_generation,
        }
    }

    /// Where it stands, in short.
    pub(crate) fn standing(&self) -> Standing {
        let ready = find_condition(self.conditions(), ConditionType::Ready);
        let observed = self.observed_generation();
        let Some(ready) = ready.filter(|_| !matches!(observed, None | Some(UNOBSERVED))) else {
            return Standing::unknown("the operator has not looked at it yet; is it running?");
        };
        if observed < self.metadata().generation {
            return Standing::unknown(
                "the operator has not looked at the latest change yet; is it running?",
            );
        }
        Standing {
            ready: ready.status.clone(),
            reason: Some(ready.reason.clone()),
            message: ready.message.clone(),
        }
    }
}

/// Where an object stands, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// True, False or Unknown.
    pub(crate) ready: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: String,
}

impl Standing {
    fn unknown(message: &str) -> Self {
        Self {
            ready: "Unknown".to_owned(),
            reason: Some(Reason::Pending.as_str().to_owned()),
            message: message.to_owned(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready == "True"
    }
}
