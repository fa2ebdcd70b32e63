//! The newest version of objects that this process wrote itself. A store may lag behind our own
//! writes, and a decision on an old ledger would lose claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;

/// Newest versions by UID. Clones share them.
#[derive(Debug)]
pub struct Latest<K>(Arc<Mutex<HashMap<String, Arc<K>>>>);

impl<K> Clone for Latest<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Latest<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: ResourceExt> Latest<K> {
    /// Remembers what a write returned.
    pub fn wrote(&self, object: K) -> Arc<K> {
        let object = Arc::new(object);
        if let Some(uid) = object.uid() {
            self.lock().insert(uid, object.clone());
        }
        object
    }

    /// The newer of what a store has and what we wrote.
    pub fn newest(&self, stored: Arc<K>) -> Arc<K> {
        let Some(uid) = stored.uid() else {
            return stored;
        };
        let mut written = self.lock();
        match written.get(&uid) {
            Some(object) if version(object.as_ref()) > version(stored.as_ref()) => object.clone(),
            Some(_) => {
                // The store has caught up.
                written.remove(&uid);
                stored
            }
            None => stored,
        }
    }

    /// A store has this version: what we wrote is not needed any more, unless it is newer.
    pub fn caught_up(&self, stored: &K) {
        let Some(uid) = stored.uid() else { return };
        let mut written = self.lock();
        let known = written.get(&uid).map(|object| version(object.as_ref()));
        if known.is_some_and(|known| known <= version(stored)) {
            written.remove(&uid);
        }
    }

    /// An object that we wrote and that a store may not have yet.
    pub fn written(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let written = self.lock();
        let mut objects = written.values();
        let named = |object: &&Arc<K>| {
            object.meta().namespace.as_deref() == Some(namespace)
                && object.meta().name.as_deref() == Some(name)
        };
        objects.find(named).cloned()
    }

    /// Forgets everything: a store was filled anew.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<K>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resource versions of one object grow; the API server has documented them as comparable numbers
/// since Kubernetes 1.35, and etcd made them so before.
pub fn version(object: &impl ResourceExt) -> u64 {
    object
        .resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    fn object(version: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                uid: Some("u".into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    #[test]
    fn our_own_write_counts_until_the_store_has_it() {
        let latest = Latest::default();
        latest.wrote(object("10"));
        let newest = |version| latest.newest(Arc::new(object(version))).resource_version();
        assert_eq!(newest("9").as_deref(), Some("10"));
        assert_eq!(newest("11").as_deref(), Some("11"));
        assert_eq!(
            newest("9").as_deref(),
            Some("9"),
            "forgotten once the store caught up"
        );
        latest.wrote(object("12"));
        latest.caught_up(&object("11"));
        assert_eq!(newest("11").as_deref(), Some("12"));
        latest.caught_up(&object("12"));
        assert_eq!(newest("11").as_deref(), Some("11"));
    }
}
