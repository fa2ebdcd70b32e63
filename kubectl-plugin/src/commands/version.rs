//! `version`: of plugin, API and server.

use super::print;
use crate::args::Connection;
use crate::cluster::Cluster;
use crate::error::PluginError;

pub(super) async fn version(connection: &Connection, client: bool) -> Result<(), PluginError> {
    let api = format!("{}/{}", crds::GROUP, crds::VERSION);
    print(&format!(
        "plugin {}\nAPI    {api}\n",
        env!("CARGO_PKG_VERSION")
    ))?;
    if !client {
        let server = Cluster::connect(connection).await?.version().await?;
        print(&format!("server {server}\n"))?;
    }
    Ok(())
}
