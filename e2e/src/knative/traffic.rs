//! Which Revision gets which share of a Route's traffic, under which hosts.

use std::collections::BTreeMap;

use super::types::TrafficTarget;

/// Why a Route's traffic cannot be assigned. Reason and message are Knative's
/// (`serving/pkg/reconciler/route/traffic/errors.go`).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrafficError {
    /// A named Revision does not exist.
    #[error("Revision \"{name}\" referenced in traffic not found.")]
    MissingRevision {
        /// As the traffic target names it.
        name: String,
    },
    /// A named Revision exists and is not Ready.
    #[error("Revision \"{name}\" failed to become ready.")]
    RevisionNotReady {
        /// As the traffic target names it.
        name: String,
    },
    /// The Configuration has no Revision that was ever Ready.
    #[error("Configuration \"{name}\" does not have any ready Revision.")]
    ConfigurationNotReady {
        /// The Configuration.
        name: String,
    },
}

impl TrafficError {
    /// The condition's reason, the same for all.
    pub const REASON: &str = "RevisionMissing";
}

/// What the Revisions of a Configuration look like, by name.
#[derive(Clone, Debug, Default)]
pub struct Revisions {
    /// Name → whether it is Ready.
    pub ready: BTreeMap<String, bool>,
    /// The newest one that is Ready.
    pub latest_ready: Option<String>,
}

/// The traffic of a Knative Service with Knative's defaults filled in: everything to the latest
/// Revision if nothing is said, `latestRevision` wherever no Revision is named.
pub fn with_defaults(targets: &[TrafficTarget], configuration: &str) -> Vec<TrafficTarget> {
    if targets.is_empty() {
        return vec![TrafficTarget {
            configuration_name: Some(configuration.to_owned()),
            latest_revision: Some(true),
            percent: Some(100),
            ..TrafficTarget::default()
        }];
    }
    targets
        .iter()
        .cloned()
        .map(|mut target| {
            let follows_latest = target.revision_name.is_none();
            if follows_latest {
                target.configuration_name = Some(configuration.to_owned());
            }
            target.latest_revision = Some(follows_latest);
            target
        })
        .collect()
}

/// The traffic as it is in force: each target with the Revision it stands for.
///
/// # Errors
/// [`TrafficError`] of the first target without a ready Revision.
pub fn resolve(
    targets: &[TrafficTarget],
    revisions: &Revisions,
) -> Result<Vec<TrafficTarget>, TrafficError> {
    targets
        .iter()
        .map(|target| resolve_one(target, revisions))
        .collect()
}

fn resolve_one(
    target: &TrafficTarget,
    revisions: &Revisions,
) -> Result<TrafficTarget, TrafficError> {
    let revision = match (&target.revision_name, &revisions.latest_ready) {
        (Some(name), _) => match revisions.ready.get(name) {
            Some(true) => name.clone(),
            Some(false) => return Err(TrafficError::RevisionNotReady { name: name.clone() }),
            None => return Err(TrafficError::MissingRevision { name: name.clone() }),
        },
        (None, Some(latest)) => latest.clone(),
        (None, None) => {
            let name = target.configuration_name.clone().unwrap_or_default();
            return Err(TrafficError::ConfigurationNotReady { name });
        }
    };
    Ok(TrafficTarget {
        revision_name: Some(revision),
        configuration_name: None,
        ..target.clone()
    })
}

/// A tag (none for the Route's own host) and the Revisions behind its host, with their percent.
pub type HostSplit = (Option<String>, Vec<(String, i64)>);

/// The splits of the Route's own host and of each tag: (tag, [(revision, percent)]), the main
/// host first. As in Knative a share of 0 % gives no split, and a tag's host has one at 100 %.
pub fn splits(targets: &[TrafficTarget]) -> Vec<HostSplit> {
    let mut main: Vec<(String, i64)> = Vec::new();
    let mut tags = BTreeMap::new();
    for target in targets {
        let Some(revision) = &target.revision_name else {
            continue;
        };
        let percent = target.percent.unwrap_or(0);
        if percent > 0 {
            // Targets of one Revision are consolidated.
            match main.iter_mut().find(|(name, _)| name == revision) {
                Some((_, sum)) => *sum += percent,
                None => main.push((revision.clone(), percent)),
            }
        }
        if let Some(tag) = target.tag.as_ref().filter(|tag| !tag.is_empty()) {
            tags.insert(tag.clone(), vec![(revision.clone(), 100)]);
        }
    }
    std::iter::once((None, main))
        .chain(tags.into_iter().map(|(tag, split)| (Some(tag), split)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions() -> Revisions {
        Revisions {
            ready: BTreeMap::from([
                ("a-00001".to_owned(), true),
                ("a-00002".to_owned(), true),
                ("a-00003".to_owned(), false),
            ]),
            latest_ready: Some("a-00002".to_owned()),
        }
    }

    fn named(revision: &str, percent: i64, tag: Option<&str>) -> TrafficTarget {
        TrafficTarget {
            revision_name: Some(revision.to_owned()),
            percent: Some(percent),
            tag: tag.map(str::to_owned),
            ..TrafficTarget::default()
        }
    }

    #[test]
    fn nothing_said_means_all_to_the_latest_ready_revision() {
        let resolved = resolve(&with_defaults(&[], "a"), &revisions()).unwrap();
        assert_eq!(
            splits(&resolved),
            [(None, vec![("a-00002".to_owned(), 100)])]
        );
    }

    #[test]
    fn a_tag_without_share_gets_its_own_host_only() {
        let targets = [
            named("a-00002", 100, None),
            named("a-00001", 0, Some("old")),
        ];
        let resolved = resolve(&with_defaults(&targets, "a"), &revisions()).unwrap();
        assert_eq!(
            splits(&resolved),
            [
                (None, vec![("a-00002".to_owned(), 100)]),
                (Some("old".to_owned()), vec![("a-00001".to_owned(), 100)])
            ]
        );
    }

    #[test]
    fn targets_without_a_ready_revision_are_named() {
        let refused = |target: TrafficTarget| resolve(&[target], &revisions()).unwrap_err();
        assert_eq!(
            refused(named("a-00009", 100, None)),
            TrafficError::MissingRevision {
                name: "a-00009".into()
            }
        );
        assert_eq!(
            refused(named("a-00003", 100, None)),
            TrafficError::RevisionNotReady {
                name: "a-00003".into()
            }
        );
        let none = resolve(&with_defaults(&[], "a"), &Revisions::default()).unwrap_err();
        assert_eq!(
            none,
            TrafficError::ConfigurationNotReady { name: "a".into() }
        );
    }
}
