//! The folders of `examples/`.

use std::{fs, path::Path};

use anyhow::Context as _;

use crate::world::{Target, World};

/// What cannot be shown here: vswitches have to be those of an account, nothing runs the Pods of a
/// Deployment, and Higress is not installed. Tests apply them all.
const LEFT_OUT: [&str; 4] = [
    "alb-gray-release",
    "api-gateway-own-slb",
    "higress-plugins",
    "network-load-balancer",
];

/// One example: its manifests in the order of their file names.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) name: String,
    pub(super) yaml: String,
}

impl Example {
    /// All examples, by name.
    pub(super) fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let mut examples = Vec::new();
        for path in sorted(folder)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let left_out = name.is_some_and(|name| LEFT_OUT.contains(&name));
            if path.is_dir() && !left_out {
                examples.push(Self::read(&path)?);
            }
        }
        anyhow::ensure!(
            !examples.is_empty(),
            "there is no example in {}",
            folder.display()
        );
        Ok(examples)
    }

    fn read(folder: &Path) -> anyhow::Result<Self> {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut yaml = String::new();
        for path in sorted(folder)? {
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
            {
                yaml += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                yaml += "\n---\n";
            }
        }
        anyhow::ensure!(
            !yaml.is_empty(),
            "there is no manifest in {}",
            folder.display()
        );
        Ok(Self { name, yaml })
    }

    /// Its GatewayBindings.
    pub(super) async fn bindings(&self, world: &World) -> anyhow::Result<Vec<Target>> {
        let targets = world.targets(&self.yaml).await?;
        Ok(targets
            .into_iter()
            .filter(|target| target.kind() == "GatewayBinding")
            .collect())
    }
}

fn sorted(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}
