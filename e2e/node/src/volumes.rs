//! The volumes of a container: folders of this machine, each seen by it under a path of its own.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapVolumeSource, Container, Pod};
use kube::{Api, Client, ResourceExt as _};

use crate::pod::PodError;

/// Writes the volumes of a container below `folder`, and what is to be seen where into a file, whose path
/// it tells. The token of a ServiceAccount is not among them: every container has it.
pub(crate) async fn write(
    client: &Client,
    pod: &Pod,
    container: &Container,
    folder: &Path,
) -> Result<PathBuf, PodError> {
    let mut mounts = String::new();
    for mount in container.volume_mounts.iter().flatten() {
        let unknown = || PodError::Unsupported(format!("the volume {}", mount.name));
        let mut volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        let volume = volumes.find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(unknown)?;
        if volume.projected.is_some() && volume.name.starts_with("kube-api-access-") {
            continue;
        }
        let source = volume.config_map.as_ref().ok_or_else(unknown)?;
        if source.items.is_some() || mount.sub_path.is_some() {
            return Err(unknown());
        }
        let content = folder.join("volumes").join(&volume.name);
        config_map(client, pod, source, &content).await?;
        mounts.push_str(&format!("{}\t{}\n", content.display(), mount.mount_path));
    }
    let file = folder.join(format!("{}.mounts", container.name));
    std::fs::write(&file, mounts).map_err(PodError::at("write a file"))?;
    Ok(file)
}

/// Writes the keys of a ConfigMap as it is now; what changes later is not seen.
async fn config_map(
    client: &Client,
    pod: &Pod,
    source: &ConfigMapVolumeSource,
    folder: &Path,
) -> Result<(), PodError> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let map = maps.get(&source.name).await?;
    std::fs::create_dir_all(folder).map_err(PodError::at("create a folder"))?;
    for (key, text) in map.data.unwrap_or_default() {
        std::fs::write(folder.join(key), text).map_err(PodError::at("write a file"))?;
    }
    Ok(())
}
