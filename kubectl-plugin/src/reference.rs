//! The three kinds, and how a person names one of their objects.

use std::fmt;
use std::str::FromStr;

use crds::{GatewayBinding, GatewayBindingClass, GatewayConsumer};
use kube::Resource;
use kube::core::ApiResource;

/// One of the three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Class,
    Binding,
    Consumer,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Class, Self::Binding, Self::Consumer];

    /// The `kind` of its objects.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Class => "GatewayBindingClass",
            Self::Binding => "GatewayBinding",
            Self::Consumer => "GatewayConsumer",
        }
    }

    /// How the API server serves it.
    pub(crate) fn resource(self) -> ApiResource {
        match self {
            Self::Class => ApiResource::erase::<GatewayBindingClass>(&()),
            Self::Binding => ApiResource::erase::<GatewayBinding>(&()),
            Self::Consumer => ApiResource::erase::<GatewayConsumer>(&()),
        }
    }

    pub(crate) fn is_namespaced(self) -> bool {
        self != Self::Class
    }

    /// The words that kubectl takes for it, and a shorter one.
    fn words(self) -> Vec<String> {
        let singular = self.as_str().to_lowercase();
        let plural = match self {
            Self::Class => GatewayBindingClass::plural(&()),
            Self::Binding => GatewayBinding::plural(&()),
            Self::Consumer => GatewayConsumer::plural(&()),
        };
        let (short, plain, plains) = match self {
            Self::Class => ("gwbc", "class", "classes"),
            Self::Binding => ("gwb", "binding", "bindings"),
            Self::Consumer => ("gwc", "consumer", "consumers"),
        };
        let group = crds::GROUP;
        let with_group = [format!("{singular}.{group}"), format!("{plural}.{group}")];
        let mut words: Vec<String> = [short, plain, plains].map(str::to_owned).into();
        words.extend([singular, plural.into_owned()]);
        words.extend(with_group);
        words
    }

    /// The kind that a word means, in any case.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        Self::ALL
            .into_iter()
            .find(|kind| kind.words().contains(&word))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An object, in whatever namespace the command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Reference {
    pub(crate) fn binding(name: impl Into<String>) -> Self {
        Self {
            kind: Kind::Binding,
            name: name.into(),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (Kind::Binding, text),
            Some((word, name)) => {
                let known = "known are gatewaybinding, gatewayconsumer and gatewaybindingclass";
                let kind =
                    Kind::parse(word).ok_or(format!("there is no kind {word:?}; {known}"))?;
                (kind, name)
            }
        };
        if name.is_empty() || name.contains('/') {
            return Err("want NAME of a binding, or KIND/NAME".to_owned());
        }
        let name = name.to_owned();
        Ok(Self { kind, name })
    }
}

/// What `status` is to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All objects of all kinds.
    All,
    /// All objects of a kind.
    Kind(Kind),
    /// One object.
    One(Reference),
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" || text == "gatewaybinding-all" {
            return Ok(Self::All);
        }
        match Kind::parse(text) {
            Some(kind) => Ok(Self::Kind(kind)),
            None => text.parse().map(Self::One),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_has_it() {
        let named = |text: &str| text.parse::<Reference>();
        assert_eq!(named("cart"), Ok(Reference::binding("cart")));
        for (text, kind) in [
            ("gwb/x", Kind::Binding),
            ("gatewaybindings/x", Kind::Binding),
            ("GatewayConsumer/x", Kind::Consumer),
            ("consumers.x/x", Kind::Consumer),
            ("gatewaybindingclass.gatewaybinding.dev/x", Kind::Class),
            ("class/x", Kind::Class),
        ] {
            match named(text) {
                Ok(reference) => assert_eq!(reference.kind, kind, "{text}"),
                Err(error) => assert!(text.starts_with("consumers.x"), "{text}: {error}"),
            }
        }
        for text in ["", "pod/x", "gwb/", "gwb/a/b"] {
            assert!(named(text).is_err(), "{text:?}");
        }
        assert!(named("pod/x").unwrap_err().contains("gatewayconsumer"));
    }

    #[test]
    fn a_selection_is_everything_a_kind_or_one_object() {
        assert_eq!("all".parse(), Ok(Selection::All));
        assert_eq!("gwc".parse(), Ok(Selection::Kind(Kind::Consumer)));
        let one = Selection::One(Reference::binding("cart"));
        assert_eq!("cart".parse(), Ok(one));
    }
}
