//! What belongs to nobody.

use crds::{GatewayBindingClass, OrphanStatus};
use serde::Serialize;

use super::table::table;
use super::wrapped;

/// The orphans of a class.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClassOrphans {
    pub(crate) class: String,
    /// Report or Collect.
    pub(crate) policy: crds::OrphanPolicy,
    pub(crate) orphans: Vec<OrphanStatus>,
    /// How many more there are than a status shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) omitted: Option<i32>,
}

impl ClassOrphans {
    pub(crate) fn of(class: &GatewayBindingClass) -> Self {
        let status = class.status.as_ref();
        Self {
            class: class.metadata.name.clone().unwrap_or_default(),
            policy: class.spec.orphan_policy(),
            orphans: status.map_or_else(Vec::new, |status| status.orphans.clone()),
            omitted: status.and_then(|status| status.orphans_omitted),
        }
    }
}

/// A table, and what it means.
pub(crate) fn text(classes: &[ClassOrphans]) -> String {
    let rows: Vec<Vec<String>> = classes
        .iter()
        .flat_map(|class| class.orphans.iter().map(|orphan| row(&class.class, orphan)))
        .collect();
    if rows.is_empty() {
        return "No orphans.\n".to_owned();
    }
    let header = [
        "CLASS",
        "KIND",
        "NAME",
        "ID",
        "OWNER",
        "CAUSE",
        "CONFIRMED",
        "NEEDED BY",
    ];
    let mut out = table(&header, &rows);
    let mut notes = String::new();
    for class in classes {
        let name = &class.class;
        if let Some(omitted) = class.omitted {
            let note = format!("{omitted} more of class {name} are not shown in its status.");
            wrapped(&mut notes, "", &note);
        }
        if class.policy == crds::OrphanPolicy::Collect && !class.orphans.is_empty() {
            let note = format!(
                "Class {name} has orphans.policy Collect: what is OwnerLost and confirmed is removed \
                 once nothing needs it."
            );
            wrapped(&mut notes, "", &note);
        }
    }
    let left = "What stays is left to you: a new object of the owner's name takes it up again; \
                otherwise remove it in the cloud. CONFIRMED means that it was found without an owner \
                as many times as the class asks for.";
    wrapped(&mut notes, "", left);
    out.push('\n');
    out + &notes
}

fn row(class: &str, orphan: &OrphanStatus) -> Vec<String> {
    let confirmed = if orphan.confirmed { "yes" } else { "not yet" };
    vec![
        class.to_owned(),
        orphan.kind.clone(),
        orphan.name.clone(),
        orphan.id.clone(),
        orphan.owner.clone(),
        orphan.cause.as_str().to_owned(),
        confirmed.to_owned(),
        orphan.needed_by.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::class;

    #[test]
    fn orphans_stand_in_a_table() {
        insta::assert_snapshot!("orphans", text(&[ClassOrphans::of(&class())]));
        assert_eq!(text(&[]), "No orphans.\n");
    }
}
