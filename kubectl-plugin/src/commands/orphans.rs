//! `orphans`: what belongs to nobody, from the status of classes.

use super::{Outcome, outcome, print};
use crate::args::{Check, Format};
use crate::cluster::Cluster;
use crate::error::PluginError;
use crate::object::Object;
use crate::reference::{Kind, Reference};
use crate::render::orphans::{ClassOrphans, text};
use crate::render::{Items, machine};

pub(super) async fn orphans(
    cluster: &Cluster,
    class: Option<String>,
    format: Format,
    check: Check,
) -> Result<Outcome, PluginError> {
    let kind = Kind::Class;
    let objects = match class {
        Some(name) => vec![cluster.get(&Reference { kind, name }).await?],
        None => cluster.list(kind, None).await?,
    };
    let classes = objects.iter().filter_map(|object| match object {
        Object::Class(class) => Some(ClassOrphans::of(class)),
        Object::Binding(_) | Object::Consumer(_) => None,
    });
    let classes: Vec<ClassOrphans> = classes.collect();
    let shown = match format.output {
        Some(format) => machine("OrphansList", &Items { items: &classes }, format)?,
        None => text(&classes),
    };
    print(&shown)?;
    let some = classes.iter().any(|class| !class.orphans.is_empty());
    Ok(outcome(some, check))
}
