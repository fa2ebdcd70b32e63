//! Paths of an Ingress as patterns of the load balancer.

use k8s_openapi::api::networking::v1::Ingress;

use super::failure::Unreadable;
use super::names::annotation;

/// The patterns of a path that is not empty.
pub(super) fn patterns(
    ingress: &Ingress,
    path: &str,
    path_type: &str,
) -> Result<Vec<String>, Unreadable> {
    let wild = path.contains(['*', '?']);
    let refused =
        |kind: &str| Unreadable::Error(format!("{kind} path shouldn't contain wildcards: {path}"));
    match path_type {
        "" | "ImplementationSpecific" => Ok(vec![path.to_owned()]),
        "Exact" if wild => Err(refused("exact")),
        "Exact" => Ok(vec![path.to_owned()]),
        "Prefix" if path == "/" => Ok(vec!["/*".to_owned()]),
        "Prefix" => {
            let other = |name| annotation(ingress, name).is_some_and(|value| value != path);
            if other("rewrite-target") || other("use-regex") {
                return Ok(vec![format!("~*{path}")]);
            }
            if wild {
                return Err(refused("prefix"));
            }
            let path = path.strip_suffix('/').unwrap_or(path);
            Ok(vec![path.to_owned(), format!("{path}/*")])
        }
        other => Err(Unreadable::Error(format!("unsupported pathType: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, kind: &str) -> Result<Vec<String>, Unreadable> {
        patterns(&Ingress::default(), path, kind)
    }

    #[test]
    fn paths_become_patterns_by_their_type() {
        assert_eq!(of("/", "Prefix").unwrap(), ["/*"]);
        assert_eq!(of("/a", "Prefix").unwrap(), ["/a", "/a/*"]);
        assert_eq!(of("/a/", "Prefix").unwrap(), ["/a", "/a/*"]);
        assert_eq!(of("/a", "Exact").unwrap(), ["/a"]);
        assert_eq!(of("/foo*", "ImplementationSpecific").unwrap(), ["/foo*"]);
    }

    #[test]
    fn wildcards_in_prefix_and_exact_paths_are_an_error() {
        for kind in ["Prefix", "Exact"] {
            assert!(
                matches!(of("/a*", kind), Err(Unreadable::Error(_))),
                "{kind}"
            );
        }
    }

    #[test]
    fn rewriting_makes_prefixes_regular_expressions() {
        let mut ingress = Ingress::default();
        let rewrite = "alb.ingress.kubernetes.io/rewrite-target".to_owned();
        ingress.metadata.annotations = Some([(rewrite, "/b".to_owned())].into());
        assert_eq!(patterns(&ingress, "/a", "Prefix").unwrap(), ["~*/a"]);
    }
}
