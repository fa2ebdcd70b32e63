//! The APIs of an inventory, found by what identifies them: their id, their name, their path, or
//! whose they are. Thousands of bindings look theirs up in every sweep, so none of it is a search.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::Index;
use std::sync::Arc;

use equivalent::{Comparable, Equivalent};
use imbl::{OrdMap, OrdSet};

use super::model::{Api, ApiId, GroupId, Method, Path};

/// A set of APIs. A copy shares what it has in common with the original.
#[derive(Clone, Debug, Default)]
pub struct Apis {
    by_id: OrdMap<ApiId, Arc<Api>>,
    by_name: OrdSet<By<Name>>,
    by_place: OrdSet<By<Place>>,
    by_owner: OrdSet<By<Owner>>,
}

impl Apis {
    /// The API of this id.
    pub fn get(&self, id: &ApiId) -> Option<&Api> {
        self.by_id.get(id).map(AsRef::as_ref)
    }

    /// Whether there is an API of this id.
    pub fn contains_key(&self, id: &ApiId) -> bool {
        self.by_id.contains_key(id)
    }

    /// All of them, in the order of their ids.
    pub fn values(&self) -> impl Iterator<Item = &Api> {
        self.by_id.values().map(AsRef::as_ref)
    }

    /// All ids, in order.
    pub fn keys(&self) -> impl Iterator<Item = &ApiId> {
        self.by_id.keys()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Those of a group.
    pub fn of_group(&self, group: &GroupId) -> impl Iterator<Item = &Api> {
        all(&self.by_name, |api| group.cmp(&api.group))
    }

    /// The one of this name in a group.
    pub fn named(&self, group: &GroupId, name: &str) -> Option<&Api> {
        let probe = |api: &Api| group.cmp(&api.group).then_with(|| name.cmp(&api.name));
        all(&self.by_name, probe).next()
    }

    /// The one that holds a method and path in a group.
    pub fn at(&self, group: &GroupId, method: Method, path: &Path) -> Option<&Api> {
        let probe = |api: &Api| (group, method, path).cmp(&(&api.group, api.method, &api.path));
        all(&self.by_place, probe).next()
    }

    /// Those whose marker names this owner, in whatever cluster.
    pub fn of_owner(&self, owner: &str) -> impl Iterator<Item = &Api> {
        all(&self.by_owner, move |api| Some(owner).cmp(&owner_of(api)))
    }

    /// Adds an API, in place of the one of its id.
    pub fn insert(&mut self, api: Api) {
        let api = Arc::new(api);
        self.remove(&api.id);
        self.by_name.insert(By::new(&api));
        self.by_place.insert(By::new(&api));
        if api.marker.is_some() {
            self.by_owner.insert(By::new(&api));
        }
        self.by_id.insert(api.id.clone(), api);
    }

    /// Takes an API out.
    pub fn remove(&mut self, id: &ApiId) {
        if let Some(api) = self.by_id.remove(id) {
            self.by_name.remove(&By::new(&api));
            self.by_place.remove(&By::new(&api));
            self.by_owner.remove(&By::new(&api));
        }
    }

    /// Changes an API; returns whether there is one of this id.
    pub fn amend(&mut self, id: &ApiId, change: impl FnOnce(&mut Api)) -> bool {
        let Some(api) = self.get(id) else {
            return false;
        };
        let mut api = api.clone();
        change(&mut api);
        self.remove(id);
        self.insert(api);
        true
    }
}

impl PartialEq for Apis {
    fn eq(&self, other: &Self) -> bool {
        self.by_id == other.by_id
    }
}

impl Eq for Apis {}

impl FromIterator<Api> for Apis {
    fn from_iter<T: IntoIterator<Item = Api>>(apis: T) -> Self {
        let mut set = Self::default();
        apis.into_iter().for_each(|api| set.insert(api));
        set
    }
}

impl Index<&ApiId> for Apis {
    type Output = Api;

    fn index(&self, id: &ApiId) -> &Api {
        &self.by_id[id]
    }
}

/// An order in which APIs are kept.
trait Order {
    fn compare(a: &Api, b: &Api) -> Ordering;
}

#[derive(Clone, Debug)]
struct Name;

impl Order for Name {
    fn compare(a: &Api, b: &Api) -> Ordering {
        (&a.group, &a.name).cmp(&(&b.group, &b.name))
    }
}

#[derive(Clone, Debug)]
struct Place;

impl Order for Place {
    fn compare(a: &Api, b: &Api) -> Ordering {
        (&a.group, a.method, &a.path).cmp(&(&b.group, b.method, &b.path))
    }
}

#[derive(Clone, Debug)]
struct Owner;

impl Order for Owner {
    fn compare(a: &Api, b: &Api) -> Ordering {
        owner_of(a).cmp(&owner_of(b))
    }
}

fn owner_of(api: &Api) -> Option<&str> {
    api.marker.as_ref().map(|marker| marker.owner.as_str())
}

/// An API in an order, and by its id among those that are equal in it.
#[derive(Clone, Debug)]
struct By<O>(Arc<Api>, PhantomData<O>);

impl<O> By<O> {
    fn new(api: &Arc<Api>) -> Self {
        Self(api.clone(), PhantomData)
    }
}

impl<O: Order> Ord for By<O> {
    fn cmp(&self, other: &Self) -> Ordering {
        O::compare(&self.0, &other.0).then_with(|| self.0.id.cmp(&other.0.id))
    }
}

impl<O: Order> PartialOrd for By<O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<O: Order> PartialEq for By<O> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<O: Order> Eq for By<O> {}

/// The place before the first item that a probe finds equal to what it looks for: where a range
/// begins.
pub(super) struct Before<F>(pub(super) F);

impl<T, F: Fn(&T) -> Ordering> Comparable<T> for Before<F> {
    fn compare(&self, item: &T) -> Ordering {
        (self.0)(item).then(Ordering::Less)
    }
}

impl<T, F: Fn(&T) -> Ordering> Equivalent<T> for Before<F> {
    fn equivalent(&self, _: &T) -> bool {
        false
    }
}

/// The APIs that a probe finds equal to what it looks for. It must go by the order of the set.
fn all<O: Order>(
    set: &OrdSet<By<O>>,
    probe: impl Fn(&Api) -> Ordering + Copy,
) -> impl Iterator<Item = &Api> {
    let from = Before(move |api: &By<O>| probe(&api.0));
    let found = set.range(from..).map(|api| &*api.0);
    found.take_while(move |api| probe(api) == Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::model::Marker;

    fn api(id: &str, group: &str, name: &str, path: &str, owner: Option<&str>) -> Api {
        Api {
            id: id.into(),
            group: group.into(),
            name: name.to_owned(),
            method: Method::Any,
            path: Path::Prefix(path.to_owned()),
            modified: String::new(),
            spec: None,
            deployments: Default::default(),
            marker: owner.map(|owner| Marker {
                cluster: "c".to_owned(),
                owner: owner.to_owned(),
            }),
        }
    }

    fn ids<'a>(apis: impl Iterator<Item = &'a Api>) -> Vec<&'a str> {
        apis.map(|api| api.id.as_str()).collect()
    }

    fn some() -> Apis {
        let apis = [
            api("1", "g", "b", "/b", Some("x")),
            api("2", "g", "a", "/a", Some("y")),
            api("3", "h", "a", "/a", Some("x")),
            api("4", "g", "c", "/c", None),
        ];
        apis.into_iter().collect()
    }

    fn at<'a>(apis: &'a Apis, group: &str, path: &str) -> Option<&'a str> {
        let path = Path::Prefix(path.to_owned());
        let found = apis.at(&group.into(), Method::Any, &path);
        found.map(|api| api.id.as_str())
    }

    #[test]
    fn apis_are_found_by_group_name_path_and_owner() {
        let apis = some();
        assert_eq!(ids(apis.values()), ["1", "2", "3", "4"]);
        assert_eq!(ids(apis.of_group(&"g".into())), ["2", "1", "4"]);
        assert_eq!(ids(apis.of_group(&"i".into())), [] as [&str; 0]);
        assert_eq!(ids(apis.named(&"h".into(), "a").into_iter()), ["3"]);
        assert_eq!(apis.named(&"h".into(), "b"), None);
        assert_eq!(at(&apis, "g", "/a"), Some("2"));
        assert_eq!(at(&apis, "h", "/b"), None);
        assert_eq!(ids(apis.of_owner("x")), ["1", "3"]);
    }

    #[test]
    fn what_changes_or_goes_is_not_found_where_it_was() {
        let mut apis = some();
        let before = apis.clone();
        let id = ApiId::from("1");
        assert!(apis.amend(&id, |api| {
            api.name = "z".to_owned();
            api.path = Path::Prefix("/z".to_owned());
            api.marker = None;
        }));
        assert!(!apis.amend(&"9".into(), |_| {}));
        assert_eq!(ids(apis.of_group(&"g".into())), ["2", "4", "1"]);
        assert_eq!(
            (at(&apis, "g", "/b"), at(&apis, "g", "/z")),
            (None, Some("1"))
        );
        assert_eq!(ids(apis.of_owner("x")), ["3"]);
        apis.remove(&id);
        assert_eq!(ids(apis.of_group(&"g".into())), ["2", "4"]);
        assert_eq!((apis.len(), at(&apis, "g", "/z")), (3, None));
        assert_eq!(before, some(), "a copy is not touched");
    }
}
