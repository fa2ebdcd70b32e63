//! `ram-policy`: prints the least permissions that the operator needs in the cloud.

mod uses;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use cloud_adapter::ram::{self, Feature, PERMISSIONS, Place};

use self::uses::Uses;
use super::plan::manifests;
use crate::args::{RamPolicyArgs, RamPolicyFormat};
use crate::chain::chain;

/// Prints the policy for what manifests use, or for named features.
///
/// # Errors
///
/// If manifests cannot be read or are not valid, nothing in them needs a permission, or standard
/// output cannot be written.
pub fn ram_policy(args: &RamPolicyArgs) -> anyhow::Result<()> {
    let Uses { places, notes } = if args.files.is_empty() {
        Uses::default()
    } else {
        of_files(args)?
    };
    for note in notes {
        eprintln!("note: {note}");
    }
    let uses = chosen(places, args);
    if uses.values().all(BTreeSet::is_empty) {
        bail!(
            "nothing in the files needs a permission in the cloud, and RAM takes no empty policy. Name files with a class and bindings, or the features with --features."
        );
    }
    super::print(&match args.output {
        RamPolicyFormat::Json => {
            serde_json::to_string_pretty(&ram::policy(&uses, args.read_only))? + "\n"
        }
        RamPolicyFormat::Table => table(&uses, args.read_only),
    })
}

fn of_files(args: &RamPolicyArgs) -> anyhow::Result<Uses> {
    match manifests::load(&args.files) {
        Ok(manifests) => Ok(uses::of(&manifests)),
        Err(errors) => {
            for error in &errors {
                eprintln!("error: {}", chain(error));
            }
            bail!("no policy is printed: the files have errors")
        }
    }
}

/// Features that are named count in every place of the files, or anywhere.
fn chosen(
    mut places: BTreeMap<Place, BTreeSet<Feature>>,
    args: &RamPolicyArgs,
) -> BTreeMap<Place, BTreeSet<Feature>> {
    let named: BTreeSet<Feature> = args.features.iter().copied().collect();
    if args.files.is_empty() {
        let all = BTreeSet::from(Feature::ALL);
        let features = if named.is_empty() { all } else { named };
        return BTreeMap::from([(Place::default(), features)]);
    }
    if !named.is_empty() {
        for features in places.values_mut() {
            features.clone_from(&named);
        }
    }
    places
}

/// Every permission of the policy: what needs it, what it can be narrowed to, how well that is
/// known.
fn table(uses: &BTreeMap<Place, BTreeSet<Feature>>, read_only: bool) -> String {
    let used: BTreeSet<Feature> = uses.values().flatten().copied().collect();
    let mut text = "| Permission | For | Changes something | On | How well that is known |\n|---|---|---|---|---|\n".to_owned();
    for permission in PERMISSIONS {
        let operation = permission.operation;
        let (Some(feature), Some(action)) = (permission.feature, operation.ram_action()) else {
            continue;
        };
        if !used.contains(&feature) || (read_only && operation.mutating()) {
            continue;
        }
        let on: Vec<String> = permission
            .resources
            .iter()
            .map(|resource| format!("`{}`", resource.arn("REGION", "ACCOUNT")))
            .collect();
        let on = if on.is_empty() {
            "everything: `*`".to_owned()
        } else {
            on.join(" and ")
        };
        let changes = if operation.mutating() { "yes" } else { "no" };
        let known = permission.known.name();
        text.push_str(&format!(
            "| `{action}` | {feature} | {changes} | {on} | {known} |\n"
        ));
    }
    text
}
