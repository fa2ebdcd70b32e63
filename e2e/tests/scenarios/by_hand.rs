//! The article's morning of console clicks, without the operator: proves that the chain from the
//! API gateway to the Knative Service carries traffic along the objects only.

use alicloud_emulator::api::Product;
use e2e::world::{Expect, Target, World};
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::{PATIENCE, helloworld, world};

/// The Service of the article, word for word as far as it matters.
const INTRANET: &str = r#"
apiVersion: v1
kind: Service
metadata:
  annotations:
    service.beta.kubernetes.io/alicloud-loadbalancer-address-type: "intranet"
  labels: {app: istio-ingressgateway, istio: ingressgateway}
  name: istio-ingressgateway-intranet
  namespace: istio-system
spec:
  externalTrafficPolicy: Cluster
  ports:
  - {name: status-port, port: 15020, protocol: TCP, targetPort: 15020}
  - {name: http2, port: 80, protocol: TCP, targetPort: 80}
  - {name: https, port: 443, protocol: TCP, targetPort: 443}
  - {name: tls, port: 15443, protocol: TCP, targetPort: 15443}
  selector: {app: istio-ingressgateway, istio: ingressgateway}
  sessionAffinity: None
  type: LoadBalancer
"#;

pub(super) async fn call(
    world: &World,
    product: Product,
    action: &str,
    params: &[(&str, &str)],
) -> Value {
    world
        .cloud
        .call(&world.options().console_keys, product, action, params)
        .await
        .unwrap()
}

pub(super) async fn api(world: &World, action: &str, params: &[(&str, &str)]) -> Value {
    call(world, Product::CloudApi, action, params).await
}

pub(super) fn text(answer: &Value, name: &str) -> String {
    match &answer[name] {
        Value::String(text) => text.clone(),
        Value::Null => panic!("no {name} in {answer}"),
        other => other.to_string(),
    }
}

/// The id of the load balancer that CCM made for the Service.
pub(super) async fn load_balancer(world: &World) -> String {
    world.apply(INTRANET).await.unwrap();
    let target = Target::of::<Service>(Some("istio-system"), "istio-ingressgateway-intranet");
    let has_address = Expect::that("with an address", |service| {
        let address = service.data.pointer("/status/loadBalancer/ingress/0/ip");
        address
            .map(drop)
            .ok_or_else(|| format!("its status is {}", service.data["status"]))
    });
    let service = world
        .wait_for(&target, &has_address, PATIENCE)
        .await
        .unwrap();
    let id = &service.metadata.labels.unwrap()["service.k8s.alibaba/loadbalancer-id"];
    id.clone()
}

/// Group, VPC authorization, API, publication: the group's host and the API's id.
pub(super) async fn publish(world: &World, balancer: &str, host: &str) -> (String, String) {
    let group = text(
        &api(world, "CreateApiGroup", &[("GroupName", "knative_test")]).await,
        "GroupId",
    );
    api(
        world,
        "ModifyApiGroupNetworkPolicy",
        &[("GroupId", &group), ("InnerDomainEnable", "true")],
    )
    .await;
    let details = api(world, "DescribeApiGroup", &[("GroupId", &group)]).await;
    let vpcs = call(
        world,
        Product::Vpc,
        "DescribeVpcs",
        &[("RegionId", &world.options().region)],
    )
    .await;
    let vpc = text(&vpcs["Vpcs"]["Vpc"][0], "VpcId");
    let access = [
        ("Name", "knative-test"),
        ("VpcId", vpc.as_str()),
        ("InstanceId", balancer),
        ("Port", "80"),
    ];
    api(world, "SetVpcAccess", &access).await;
    let request = json!({"requestProtocol": "HTTP,HTTPS", "requestHttpMethod": "ANY", "requestPath": "/*",
        "requestMode": "MAPPING_PASSTHROUGH", "bodyFormat": ""});
    let service = json!({"serviceProtocol": "HTTP", "serviceAddress": "", "serviceHttpMethod": "ANY", "servicePath": "/*",
        "serviceTimeout": 10000, "mock": "FALSE", "serviceVpcEnable": "TRUE", "vpcConfig": {"name": "knative-test", "vpcScheme": ""}});
    let constants =
        json!([{"serviceParameterName": "Host", "location": "HEAD", "constantValue": host}]);
    let (request, service, constants) = (
        request.to_string(),
        service.to_string(),
        constants.to_string(),
    );
    let made = api(
        world,
        "CreateApi",
        &[
            ("GroupId", group.as_str()),
            ("ApiName", "helloworld"),
            ("Visibility", "PRIVATE"),
            ("AuthType", "APP"),
            ("AppCodeAuthType", "HEADER_QUERY"),
            ("RequestConfig", &request),
            ("ServiceConfig", &service),
            ("ConstantParameters", &constants),
        ],
    )
    .await;
    let id = text(&made, "ApiId");
    api(
        world,
        "DeployApi",
        &[
            ("ApiId", &id),
            ("StageName", "RELEASE"),
            ("Description", "by hand"),
        ],
    )
    .await;
    (text(&details, "SubDomain"), id)
}

/// An app: its id and AppCode.
pub(super) async fn app(world: &World, name: &str) -> (String, String) {
    let id = text(
        &api(world, "CreateApp", &[("AppName", name)]).await,
        "AppId",
    );
    let code = text(
        &api(world, "DescribeAppSecurity", &[("AppId", &id)]).await,
        "AppCode",
    );
    (id, code)
}

#[tokio::test]
async fn the_articles_steps_by_hand_lead_to_the_knative_service() {
    let world = world().await;
    helloworld(&world, "default", "helloworld", "").await;
    let balancer = load_balancer(&world).await;
    let (host, api_id) = publish(&world, &balancer, "helloworld.default.example.com").await;
    let (granted, code) = app(&world, "knative").await;
    let (_, other) = app(&world, "other").await;
    let grant = [
        ("ApiId", api_id.as_str()),
        ("AppIds", &granted),
        ("StageName", "RELEASE"),
    ];
    api(&world, "SetAppsAuthorities", &grant).await;

    // CCM adds the servers in its own time.
    let authorization = format!("APPCODE {code}");
    let headers = [("authorization", authorization.as_str())];
    let get = || world.cloud.curl(&host, "/", &headers);
    let answer = world
        .wait_for_answer("200", PATIENCE, get, |answer| answer.status == 200)
        .await
        .unwrap();
    assert_eq!(answer.body, "Hello World!\n");
    let below = world
        .cloud
        .curl(&host, &format!("/any/path?AppCode={code}"), &[])
        .await
        .unwrap();
    assert_eq!(below.status, 200, "{below:?}");

    let refused = async |headers: &[(&str, &str)]| {
        let answer = world.cloud.curl(&host, "/", headers).await.unwrap();
        (
            answer.status,
            answer
                .headers
                .get("x-ca-error-code")
                .cloned()
                .unwrap_or_default(),
        )
    };
    assert_eq!(refused(&[]).await, (400, "A400MA".to_owned()));
    assert_eq!(
        refused(&[("authorization", "APPCODE wrong")]).await,
        (400, "A400AC".to_owned())
    );
    assert_eq!(
        refused(&[("authorization", &format!("APPCODE {other}"))])
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn a_constant_host_that_is_not_the_routes_is_the_gateways_404() {
    let world = world().await;
    helloworld(&world, "default", "helloworld", "").await;
    let balancer = load_balancer(&world).await;
    let (host, api_id) = publish(&world, &balancer, "helloworld.other.example.com").await;
    let (granted, code) = app(&world, "knative").await;
    let grant = [
        ("ApiId", api_id.as_str()),
        ("AppIds", &granted),
        ("StageName", "RELEASE"),
    ];
    api(&world, "SetAppsAuthorities", &grant).await;
    let authorization = format!("APPCODE {code}");
    let headers = [("authorization", authorization.as_str())];
    let get = || world.cloud.curl(&host, "/", &headers);
    let from_gateway = |answer: &e2e::world::Answer| {
        answer.status == 404 && !answer.headers.contains_key("x-ca-error-code")
    };
    world
        .wait_for_answer("404 of the Knative gateway", PATIENCE, get, from_gateway)
        .await
        .unwrap();
}
