//! The newest version of objects that this process wrote itself. A store may lag behind our own
//! writes, and a decision on an old ledger would lose claims.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;

/// Newest versions by UID. Clones share them.
#[derive(Debug)]
pub struct Latest<K>(Arc<Mutex<Known<K>>>);

/// By UID, and the UID of each by namespace and name.
#[derive(Debug)]
struct Known<K> {
    objects: HashMap<String, Arc<K>>,
    places: HashMap<(String, String), String>,
}

impl<K> Clone for Latest<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Latest<K> {
    fn default() -> Self {
        let (objects, places) = (HashMap::new(), HashMap::new());
        Self(Arc::new(Mutex::new(Known { objects, places })))
    }
}

impl<K: ResourceExt> Known<K> {
    fn insert(&mut self, uid: String, object: Arc<K>) {
        self.places.insert(place(&*object), uid.clone());
        self.objects.insert(uid, object);
    }

    fn remove(&mut self, uid: &str) {
        if let Some(object) = self.objects.remove(uid) {
            let place = place(&*object);
            // Another one of that name may have come since.
            if self.places.get(&place).is_some_and(|other| other == uid) {
                self.places.remove(&place);
            }
        }
    }
}

fn place(object: &impl ResourceExt) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
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
        match written.objects.get(&uid) {
            Some(object) if version(object.as_ref()) > version(stored.as_ref()) => object.clone(),
            Some(_) => {
                // The store has caught up.
                written.remove(&uid);
                stored
            }
            None => stored,
        }
    }

    /// A store has this version: what we wrote is not needed any more, unless it is newer. Tells whether
    /// this is the very version that we wrote.
    pub fn caught_up(&self, stored: &K) -> bool {
        let Some(uid) = stored.uid() else {
            return false;
        };
        let mut written = self.lock();
        let known = written.objects.get(&uid);
        let known = known.map(|object| version(object.as_ref()));
        let stored = version(stored);
        if known.is_some_and(|known| known <= stored) {
            written.remove(&uid);
        }
        known == Some(stored)
    }

    /// An object that we wrote and that a store may not have yet.
    pub fn written(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let written = self.lock();
        let uid = written
            .places
            .get(&(namespace.to_owned(), name.to_owned()))?;
        written.objects.get(uid).cloned()
    }

    /// Forgets everything: a store was filled anew.
    pub fn clear(&self) {
        let mut written = self.lock();
        written.objects.clear();
        written.places.clear();
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known<K>> {
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
        assert!(!latest.caught_up(&object("11")));
        assert_eq!(newest("11").as_deref(), Some("12"));
        assert!(latest.caught_up(&object("12")), "our own");
        assert!(!latest.caught_up(&object("12")), "known once");
        assert_eq!(newest("11").as_deref(), Some("11"));
    }

    #[test]
    fn what_a_store_may_lack_is_found_by_its_name_until_it_is_forgotten() {
        let latest = Latest::<ConfigMap>::default();
        let named = |uid: &str, version: &str| {
            let mut named = object(version);
            named.metadata.uid = Some(uid.into());
            named.metadata.namespace = Some("n".into());
            named.metadata.name = Some("o".into());
            named
        };
        let found = || latest.written("n", "o")?.uid();
        latest.wrote(named("old", "1"));
        latest.wrote(named("new", "2"));
        assert_eq!(found().as_deref(), Some("new"));
        latest.forget("old");
        assert_eq!(found().as_deref(), Some("new"));
        assert!(latest.written("n", "other").is_none());
        latest.forget("new");
        assert_eq!(found(), None);
    }
}
