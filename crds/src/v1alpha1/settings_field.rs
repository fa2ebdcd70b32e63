//! Makes the enumeration of the fields of a kind of settings: a class opens them to bindings one by
//! one, and several bindings that share a gateway hold them, each on its own.

/// Defines an enumeration of fields, in the order in which they are merged, reported and written, and
/// what can be done with each, so that none is forgotten.
macro_rules! settings_fields {
    (
        $(#[$doc:meta])*
        $Field:ident of $Settings:ident in $block:literal
        { $($variant:ident $member:ident $name:literal)* }
    ) => {
        $(#[$doc])*
        #[derive(
            Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum $Field {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
            /// Every field, also those that later versions add.
            #[serde(rename = "*")]
            All,
        }

        impl $Field {
            /// Every single field, in the order in which they are merged, reported and written.
            pub const EACH: &[Self] = &[$(Self::$variant),*];

            /// Path of the field in a binding's spec.
            #[must_use]
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($block, ".", $name),)*
                    Self::All => $block,
                }
            }

            /// Whether settings have it.
            #[must_use]
            pub fn is_set(self, settings: &$Settings) -> bool {
                match self {
                    $(Self::$variant => settings.$member.is_some(),)*
                    Self::All => *settings != $Settings::default(),
                }
            }

            /// Whether two settings say the same about it.
            #[must_use]
            pub fn agrees(self, one: &$Settings, other: &$Settings) -> bool {
                match self {
                    $(Self::$variant => one.$member == other.$member,)*
                    Self::All => one == other,
                }
            }

            /// Copies it.
            pub fn copy(self, into: &mut $Settings, from: &$Settings) {
                match self {
                    $(Self::$variant => into.$member.clone_from(&from.$member),)*
                    Self::All => into.clone_from(from),
                }
            }

            /// Its value as text, if it is set: a word as it is, anything else as JSON.
            #[must_use]
            pub fn value(self, settings: &$Settings) -> Option<String> {
                let value = match self {
                    $(Self::$variant => settings.$member.as_ref().map(serde_json::to_value),)*
                    Self::All => None,
                };
                match value?.ok()? {
                    Value::String(word) => Some(word),
                    value => Some(value.to_string()),
                }
            }

            /// Sets it to the value that a text says; what the text does not say right is left unset.
            pub fn read(self, into: &mut $Settings, text: &str) {
                let word = || Value::String(text.to_owned());
                match self {
                    $(
                        Self::$variant => {
                            into.$member = serde_json::from_str(text)
                                .ok()
                                .or_else(|| serde_json::from_value(word()).ok());
                        }
                    )*
                    Self::All => {}
                }
            }
        }

        impl LoadBalancerSettings for $Settings {
            type Field = $Field;
        }

        impl SettingsField for $Field {
            type Settings = $Settings;
            const EACH: &'static [Self] = Self::EACH;

            fn path(self) -> &'static str {
                self.path()
            }

            fn is_set(self, settings: &$Settings) -> bool {
                self.is_set(settings)
            }

            fn agrees(self, one: &$Settings, other: &$Settings) -> bool {
                self.agrees(one, other)
            }

            fn copy(self, into: &mut $Settings, from: &$Settings) {
                self.copy(into, from);
            }

            fn value(self, settings: &$Settings) -> Option<String> {
                self.value(settings)
            }

            fn read(self, into: &mut $Settings, text: &str) {
                self.read(into, text);
            }
        }
    };
}
pub(super) use settings_fields;

/// The settings of one kind of load balancer, for what is done in the same way for every kind.
pub trait LoadBalancerSettings: Clone + Default + PartialEq + 'static {
    /// Names one of them.
    type Field: SettingsField<Settings = Self>;
}

/// The fields of a kind of settings, for what is done in the same way for every kind.
pub trait SettingsField: Copy + PartialEq + Sized + 'static {
    /// What they are fields of.
    type Settings: Clone + Default + PartialEq;

    /// Every single field, in the order in which they are merged, reported and written.
    const EACH: &'static [Self];

    /// Path of the field in a binding's spec.
    fn path(self) -> &'static str;

    /// Whether settings have it.
    fn is_set(self, settings: &Self::Settings) -> bool;

    /// Whether two settings say the same about it.
    fn agrees(self, one: &Self::Settings, other: &Self::Settings) -> bool;

    /// Copies it.
    fn copy(self, into: &mut Self::Settings, from: &Self::Settings);

    /// Its value as text, if it is set: a word as it is, anything else as JSON.
    fn value(self, settings: &Self::Settings) -> Option<String>;

    /// Sets it to the value that a text says; what the text does not say right is left unset.
    fn read(self, into: &mut Self::Settings, text: &str);
}
