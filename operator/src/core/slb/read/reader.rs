//! Reads annotations of either kind of load balancer one by one, and notes what is the matter with them.

use std::collections::{BTreeMap, BTreeSet};

use crds::v1alpha1::{OnDelete, SettingsField, Switch};
use serde::de::DeserializeOwned;

use super::Finding;
use crate::core::slb::check::Fault;
use crate::core::slb::table::{Annotation, Level, Unwritten};
use crate::core::slb::{BACKEND_TYPE, LEGACY_PREFIX, key, name};

/// Annotations, as they are read off.
pub(in crate::core) struct Reader<'a> {
    annotations: &'a BTreeMap<String, String>,
    /// Names that nobody has asked for yet.
    rest: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(in crate::core) fn of(annotations: &'a BTreeMap<String, String>) -> Self {
        let mut reader = Self {
            annotations,
            rest: BTreeSet::new(),
            findings: Vec::new(),
        };
        for (key, value) in annotations {
            let (name, older) = match (name(key), key.strip_prefix(LEGACY_PREFIX)) {
                (Some(name), _) => (name, annotations.get(&format!("{LEGACY_PREFIX}{name}"))),
                (None, Some(name)) => (name, None),
                (None, None) => continue,
            };
            reader.rest.insert(name);
            if let Some(older) = older.filter(|older| *older != value) {
                reader.note(name, &format!("it is said twice: \"{value}\" counts, and masks \"{older}\" under the older key {LEGACY_PREFIX}{name}, which would come back if the current key were removed."));
            }
        }
        reader
    }

    /// Something to know of an annotation that is read.
    pub(in crate::core) fn note(&mut self, name: &str, why: &str) {
        self.find(name, why, false);
    }

    /// Why an annotation is left out.
    pub(in crate::core) fn leave(&mut self, name: &str, why: &str) {
        self.find(name, why, true);
    }

    fn find(&mut self, name: &str, why: &str, left_out: bool) {
        self.findings.push(Finding {
            name: name.to_owned(),
            why: why.to_owned(),
            left_out,
        });
    }

    /// What is said, if it says anything. The current form is read first, even if it says nothing.
    pub(in crate::core) fn take(&mut self, name: &str) -> Option<&'a str> {
        self.rest.remove(name);
        self.peek(name)
    }

    pub(in crate::core) fn peek(&self, name: &str) -> Option<&'a str> {
        let current = self.annotations.get(&key(name));
        let older = || {
            let has_older = name != BACKEND_TYPE.0;
            let key = format!("{LEGACY_PREFIX}{name}");
            self.annotations.get(&key).filter(|_| has_older)
        };
        let said = current.or_else(older)?;
        (!said.is_empty()).then_some(said.as_str())
    }

    /// One of some words.
    pub(in crate::core) fn one_of<T: Copy>(
        &mut self,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let said = self.take(name)?;
        let found = words.iter().find(|(word, _)| *word == said);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.leave(name, &format!("\"{said}\" is none of {}. The cloud controller manager does not check it: the API refuses it, or it is ignored.", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A word that the API has as well.
    pub(in crate::core) fn word<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let said = self.take(name)?;
        let read = serde_json::from_value(said.into()).ok();
        if read.is_none() {
            self.leave(name, &format!("\"{said}\" is nothing that the API knows."));
        }
        read
    }

    pub(in crate::core) fn switch(&mut self, name: &str) -> Option<Switch> {
        let words = [("on", Switch::Enabled), ("off", Switch::Disabled)];
        self.one_of(name, &words)
    }

    pub(in crate::core) fn number(&mut self, name: &str) -> Option<i32> {
        let said = self.take(name)?;
        let read = said.parse().ok();
        if read.is_none() {
            self.leave(name, &format!("\"{said}\" is no number, and keeps the cloud controller manager from doing anything for the Service, backends included."));
        }
        read
    }

    /// The load balancer of others that is named, and whether its listeners are taken over.
    pub(in crate::core) fn named(&mut self) -> Option<(String, bool)> {
        let overrides = self.take("force-override-listeners");
        let id = self.take("id").map(str::to_owned);
        let name = "force-override-listeners";
        match (overrides, &id) {
            (Some("true"), Some(_)) => self.note(name, "listeners of the same ports are taken over, whoever made them, and are deleted with the Service."),
            (Some("true"), None) => self.leave(name, "it only counts with id: the load balancer of the Service is its own."),
            (Some(other), _) => self.leave(name, &format!("\"{other}\" is not true: only \"true\" is.")),
            (None, _) => {}
        }
        Some((id?, overrides == Some("true")))
    }

    /// What is set of a load balancer that others made is set with consent, and what cannot be is left
    /// out. Gives whether the load balancer itself is changed.
    pub(in crate::core) fn consented<F: SettingsField>(
        &mut self,
        settings: &mut F::Settings,
        rows: &[Annotation<F>],
        overrides: bool,
    ) -> bool {
        let mut manages = false;
        for field in F::EACH.iter().copied() {
            let mut of = rows.iter().filter(|row| row.field == field).peekable();
            let level = of.peek().map(|row| row.level());
            let names: Vec<&str> = of
                .filter(|row| self.peek(row.key).is_some())
                .map(|row| row.key)
                .collect();
            if !field.is_set(settings) {
                continue;
            }
            match level {
                Some(Level::Instance) if !names.is_empty() => {
                    for name in names {
                        self.note(name, "it changes a load balancer that others made.");
                    }
                    manages = true;
                }
                Some(Level::Listener) if !overrides => {
                    for name in names {
                        self.leave(name, "it is dead: without force-override-listeners no listener of a load balancer that others made is touched.");
                    }
                    field.copy(settings, &F::Settings::default());
                }
                _ => {}
            }
        }
        manages
    }

    pub(in crate::core) fn tags(&mut self) -> Option<BTreeMap<String, String>> {
        let name = "additional-resource-tags";
        let said = self.take(name)?;
        self.note(name, "the cloud controller manager removes every tag of the load balancer that it does not name.");
        Some(self.pairs(name, said)).filter(|pairs| !pairs.is_empty())
    }

    /// `k1=v1,k2=v2`, as the cloud controller manager reads it.
    pub(super) fn pairs(&mut self, name: &str, said: &str) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        for pair in said.split(',') {
            let mut parts = pair.split('=').map(str::trim);
            let key = parts.next().unwrap_or_default();
            let value = parts.next().unwrap_or_default();
            if parts.next().is_some() {
                self.note(
                    name,
                    &format!("of \"{pair}\" only \"{key}={value}\" is read."),
                );
            }
            if !key.is_empty() {
                pairs.insert(key.to_owned(), value.to_owned());
            }
        }
        pairs
    }

    pub(in crate::core) fn on_delete(&mut self) -> Option<OnDelete> {
        let name = "preserve-lb-on-delete";
        let said = self.take(name)?;
        if said != "true" {
            self.note(
                name,
                &format!("\"{said}\" preserves as well: any value does."),
            );
        }
        Some(OnDelete::Preserve)
    }

    /// What no setting of this kind of load balancer is about.
    pub(in crate::core) fn rest(&mut self, unwritten: &[Unwritten], kind: &str) {
        for name in std::mem::take(&mut self.rest) {
            let unwritten = unwritten.iter().find(|one| one.key == name);
            let unread = || {
                format!(
                    "the cloud controller manager (v2.14.0) does not read it for a {kind} load balancer."
                )
            };
            let why = unwritten.map_or_else(unread, |one| one.why.to_owned());
            self.leave(name, &why);
        }
    }

    /// What does not go together is left out, one after the other. What is missing is missing to
    /// listeners.
    pub(in crate::core) fn contradictions<F: SettingsField>(
        &mut self,
        settings: &mut F::Settings,
        rows: &[Annotation<F>],
        listeners: F,
        check: impl Fn(&F::Settings) -> Option<Fault>,
    ) {
        while let Some(fault) = check(settings) {
            let of = |field: &&F| {
                fault.path == field.path() || fault.path.starts_with(&format!("{}.", field.path()))
            };
            let mut fields = F::EACH
                .iter()
                .filter(of)
                .chain([&listeners])
                .filter(|field| field.is_set(settings));
            let Some(field) = fields.next() else {
                return;
            };
            field.copy(settings, &F::Settings::default());
            let names: Vec<&str> = rows
                .iter()
                .filter(|row| row.field == *field && self.peek(row.key).is_some())
                .map(|row| row.key)
                .collect();
            for name in names {
                self.leave(name, &fault.why);
            }
        }
    }

    /// All that was found, in order.
    pub(in crate::core) fn findings(self) -> Vec<Finding> {
        let mut findings = self.findings;
        findings.sort_by(|a, b| (&a.name, &a.why).cmp(&(&b.name, &b.why)));
        findings
    }
}
