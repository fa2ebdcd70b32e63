use super::*;

fn service(yaml: &str) -> KnativeService {
    serde_saphyr::from_str(yaml).unwrap()
}

fn helloworld() -> KnativeService {
    service(
        r#"
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: helloworld
  namespace: default
  uid: service-uid
  generation: 1
  labels: {team: shop}
  annotations:
    example.com/note: kept
    kubectl.kubernetes.io/last-applied-configuration: "{}"
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/min-scale: "1"}}
    spec:
      containers: [{image: ghcr.io/knative/helloworld-go, env: [{name: TARGET, value: World}]}]
"#,
    )
}

fn made(mut configuration: Configuration) -> Configuration {
    configuration.metadata.generation = Some(1);
    configuration.metadata.uid = Some("configuration-uid".to_owned());
    configuration
}

fn to(revision: &str) -> TrafficTarget {
    TrafficTarget {
        revision_name: Some(revision.to_owned()),
        percent: Some(100),
        ..TrafficTarget::default()
    }
}

#[test]
fn children_are_owned_labelled_and_annotated_as_knative_does() {
    let configuration = made(configuration(&helloworld()));
    assert_eq!(
        configuration.labels()["serving.knative.dev/service"],
        "helloworld"
    );
    assert_eq!(
        configuration.labels()["serving.knative.dev/serviceUID"],
        "service-uid"
    );
    assert_eq!(configuration.labels()["team"], "shop");
    assert_eq!(configuration.annotations()["example.com/note"], "kept");
    assert!(
        !configuration
            .annotations()
            .contains_key(names::LAST_APPLIED)
    );
    let owner = &configuration.owner_references()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.uid.as_str(), owner.controller),
        ("Service", "service-uid", Some(true))
    );
    assert_eq!(owner.api_version, "serving.knative.dev/v1");

    let revision = revision(&configuration);
    assert_eq!(revision.name_any(), "helloworld-00001");
    assert_eq!(
        revision.labels()["serving.knative.dev/configurationGeneration"],
        "1"
    );
    assert_eq!(
        revision.annotations()["autoscaling.knative.dev/min-scale"],
        "1"
    );
    assert_eq!(revision.spec.pod["timeoutSeconds"], 300);
    assert_eq!(revision.spec.pod["containers"][0]["name"], "user-container");
    assert_eq!(
        revision.spec.pod["containers"][0]["image"],
        "ghcr.io/knative/helloworld-go"
    );
}

#[test]
fn the_ingress_has_one_rule_of_three_local_hosts_and_one_of_the_public_host() {
    let ingress = ingress(
        &route(&helloworld()),
        &[to("helloworld-00001")],
        "example.com",
    );
    let rules: Vec<_> = ingress
        .spec
        .rules
        .iter()
        .map(|rule| (rule.hosts.join(" "), rule.visibility.as_deref().unwrap()))
        .collect();
    assert_eq!(
        rules,
        [
            (
                "helloworld.default helloworld.default.svc helloworld.default.svc.cluster.local"
                    .to_owned(),
                "ClusterLocal"
            ),
            ("helloworld.default.example.com".to_owned(), "ExternalIP"),
        ]
    );
    let split = &ingress.spec.rules[1].http.as_ref().unwrap().paths[0].splits[0];
    assert_eq!(
        (split.service_name.as_str(), split.percent),
        ("helloworld-00001", 100)
    );
    assert_eq!(
        split.append_headers["Knative-Serving-Revision"],
        "helloworld-00001"
    );
    assert_eq!(split.append_headers["Knative-Serving-Namespace"], "default");
    assert_eq!(
        ingress.annotations()["networking.knative.dev/ingress.class"],
        "istio.ingress.networking.knative.dev"
    );
    assert_eq!(
        ingress.labels()["serving.knative.dev/routeNamespace"],
        "default"
    );
    assert_eq!(ingress.owner_references()[0].kind, "Route");
}

#[test]
fn a_cluster_local_service_has_no_public_rule() {
    let mut service = helloworld();
    service.labels_mut().insert(
        names::VISIBILITY.to_owned(),
        names::CLUSTER_LOCAL.to_owned(),
    );
    let route = route(&service);
    let ingress = ingress(&route, &[to("helloworld-00001")], "example.com");
    assert!(
        ingress
            .spec
            .rules
            .iter()
            .all(|rule| rule.visibility.as_deref() == Some("ClusterLocal"))
    );
    assert_eq!(
        url(&route, None, "example.com"),
        "http://helloworld.default.svc.cluster.local"
    );
}

#[test]
fn a_tag_has_hosts_of_its_own_and_is_listed_in_the_annotation() {
    let mut service = helloworld();
    service.spec.traffic = vec![
        to("helloworld-00002"),
        TrafficTarget {
            tag: Some("old".to_owned()),
            percent: None,
            ..to("helloworld-00001")
        },
    ];
    let route = route(&service);
    let ingress = ingress(&route, &route.spec.traffic, "example.com");
    assert_eq!(
        ingress.spec.rules[3].hosts,
        ["old-helloworld.default.example.com"]
    );
    assert_eq!(
        ingress.annotations()[names::TAG_TO_HOST],
        r#"{"old":["old-helloworld.default.example.com"]}"#
    );
    let placeholder = placeholder_service(&route, Some("old"), None, "example.com");
    assert_eq!(placeholder.name_any(), "old-helloworld");
}

#[test]
fn the_placeholder_leads_to_the_gateway_once_there_is_one() {
    let route = route(&helloworld());
    let external_name = |gateway| {
        placeholder_service(&route, None, gateway, "example.com")
            .spec
            .unwrap()
            .external_name
            .unwrap()
    };
    assert_eq!(external_name(None), "helloworld.default.example.com");
    let gateway = "knative-local-gateway.istio-system.svc.cluster.local";
    assert_eq!(external_name(Some(gateway)), gateway);
}
