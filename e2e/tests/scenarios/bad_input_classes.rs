//! Bindings that come to nothing because of their class, and what these cases need to be there.

use alicloud_emulator::api::Product::CloudApi;
use e2e::world::{Expect, World};

use super::{
    PATIENCE,
    bad_input_cases::{AUTH, Case, NAMESPACE},
};

/// A class with one gateway and one group. `more` are members of its spec and its cloud.
fn class(name: &str, cloud: &str, more: &str) -> String {
    format!(
        "apiVersion: gatewaybinding.dev/v1alpha1
kind: GatewayBindingClass
metadata: {{name: {name}}}
spec:
  cloud: {{regionId: cn-beijing, clusterId: c1f0, {cloud}}}
  defaults: {{gateway: only, apiGateway: {{gateway: main, group: only-{name}}}}}
  apiGateways: [{{name: main, type: Classic, groups: [{{name: only-{name}}}]}}]
  gateways:
  - name: only
    slb:
      service: {{namespace: istio-system, name: {name}, createFrom: {{name: istio-ingressgateway}}}}
      settings: {{addressType: Intranet}}
{more}"
    )
}

const ENVIRONMENT: &str = "credentials: {type: Environment}";
const NOBODY: &str = "{from: Selector, selector: {matchLabels: {tenant: somebody-else}}}";

/// All classes of the cases.
pub(super) fn classes() -> String {
    let secret = |name: &str| {
        format!("credentials: {{type: Secret, secret: {{namespace: {NAMESPACE}, name: {name}}}}}")
    };
    let unreachable = format!(
        "{ENVIRONMENT}, endpoints: [{{product: STS, url: \"http://127.0.0.1:1\"}}, {{product: CloudAPI, url: \"http://127.0.0.1:1\"}}]"
    );
    let choosy = format!(
        "  - name: closed
    allowedNamespaces: {NOBODY}
    slb: {{service: {{namespace: istio-system, name: closed}}, settings: {{addressType: Intranet}}}}
  - name: untyped
    slb: {{service: {{namespace: istio-system, name: untyped, createFrom: {{name: istio-ingressgateway}}}}}}
  - name: no-source
    slb: {{service: {{namespace: istio-system, name: no-source, createFrom: {{name: ghost}}}}, settings: {{addressType: Intranet}}}}
  - name: no-service
    slb: {{service: {{namespace: istio-system, name: ghost}}, settings: {{addressType: Intranet}}}}
  - name: open
    slb:
      service: {{namespace: istio-system, name: open, createFrom: {{name: istio-ingressgateway}}}}
      settings: {{addressType: Intranet}}
      bindingsMaySet: [name]
"
    );
    let groups = format!(
        "  apiGateways:
  - name: main
    type: Classic
    groups:
    - {{name: only-choosy}}
    - {{name: closed, allowedNamespaces: {NOBODY}}}
    - {{name: somebody-elses}}
"
    );
    let own_groups =
        "  apiGateways: [{name: main, type: Classic, groups: [{name: only-choosy}]}]\n";
    let choosy = class("choosy", ENVIRONMENT, &choosy).replace(own_groups, &groups);
    [
        choosy,
        class(
            "unallowed",
            ENVIRONMENT,
            &format!("  allowedNamespaces: {NOBODY}\n"),
        ),
        class("wrong-secret", &secret("wrong-key"), ""),
        class("no-secret", &secret("ghost"), ""),
        class("half-secret", &secret("half-key"), ""),
        class(
            "other-account",
            &format!("{ENVIRONMENT}, accountId: \"9999999999999999\""),
            "",
        ),
        class("unreachable", &unreachable, ""),
    ]
    .join("\n---\n")
}

/// Services, consumers and Secrets of the cases.
pub(super) async fn prepared(world: &World) {
    super::helloworld(world, NAMESPACE, "hello", "").await;
    let key = &world.options().operator_keys.id;
    let yaml = format!(
        "{{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {{name: broken, namespace: {NAMESPACE}}}, \
          spec: {{template: {{spec: {{containers: [{{image: nginx}}]}}}}}}}}
---
{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {{name: private, namespace: {NAMESPACE}}}, \
  spec: {{credentials: [{{name: first, type: Generated, kinds: [APIKey], secretRef: {{name: private}}}}]}}}}
---
{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayConsumer, metadata: {{name: unmade, namespace: {NAMESPACE}}}, \
  spec: {{credentials: [{{name: first, type: Imported, kinds: [APIKey], secretRef: {{name: ghost}}}}]}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: wrong-key, namespace: {NAMESPACE}}}, \
  stringData: {{accessKeyId: {key}, accessKeySecret: not-the-secret-of-this-key}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: half-key, namespace: {NAMESPACE}}}, stringData: {{accessKeyId: {key}}}}}
---
{{apiVersion: gatewaybinding.dev/v1alpha1, kind: GatewayBinding, metadata: {{name: holder, namespace: default}}, \
  spec: {{className: choosy, gateway: open, serviceRef: {{kind: KnativeService, name: helloworld}}, slb: {{name: held-name}}}}}}
"
    );
    world.apply(&yaml).await.unwrap();
    let broken = Expect::condition("Ready", "False");
    world
        .wait_for(&super::ksvc(NAMESPACE, "broken"), &broken, PATIENCE)
        .await
        .unwrap();
}

/// A group that somebody made at the console, where names have no dashes.
pub(super) async fn by_hand(world: &World) {
    let keys = &world.options().console_keys;
    let name = [("GroupName", "somebody_elses")];
    let made = world.cloud.call(keys, CloudApi, "CreateApiGroup", &name);
    made.await.unwrap();
}

/// Cases that need a class of their own.
pub(super) fn class_cases() -> Vec<Case> {
    let mut cases = closed();
    cases.extend(gateways());
    cases.extend(accounts());
    cases
}

fn closed() -> Vec<Case> {
    let not_allowed = ("Accepted", "NamespaceNotAllowed");
    vec![
        Case::new(
            "closed-class",
            "className: unallowed",
            not_allowed,
            &[
                "namespace \"bad\"",
                "allowedNamespaces",
                "GatewayBindingClass \"unallowed\"",
                "Use another class",
            ],
        ),
        Case::new(
            "closed-gateway",
            "className: choosy\ngateway: closed",
            not_allowed,
            &[
                "namespace \"bad\"",
                "allowedNamespaces of gateway \"closed\"",
                "Use another gateway",
            ],
        ),
        Case::new(
            "closed-group",
            format!("className: choosy\napiGateway: {{group: closed, {AUTH}}}"),
            not_allowed,
            &[
                "namespace \"bad\"",
                "allowedNamespaces of group \"closed\"",
                "Use another group",
            ],
        ),
    ]
}

fn gateways() -> Vec<Case> {
    vec![
        Case::new(
            "no-address-type",
            "className: choosy\ngateway: untyped",
            ("Accepted", "InvalidSpec"),
            &["slb.addressType", "\"untyped\"", "Set Intranet or Internet"],
        ),
        Case::new(
            "no-source",
            "className: choosy\ngateway: no-source",
            ("ResolvedRefs", "ServiceNotFound"),
            &[
                "gateway \"no-source\"",
                "Service istio-system/ghost",
                "createFrom",
                "Create it",
            ],
        ),
        Case::new(
            "no-gateway-service",
            "className: choosy\ngateway: no-service",
            ("ResolvedRefs", "ServiceNotFound"),
            &[
                "gateway \"no-service\"",
                "Service istio-system/ghost",
                "Create it",
            ],
        ),
        Case::new(
            "foreign-group",
            format!("className: choosy\napiGateway: {{group: somebody-elses, {AUTH}}}"),
            ("Programmed", "NotOwned"),
            &[
                "API group \"somebody_elses\"",
                "carries no mark",
                "left alone",
                "Choose another name",
            ],
        ),
        Case::new(
            "other-name",
            "className: choosy\ngateway: open\nslb: {name: wanted-name}",
            ("Programmed", "Conflict"),
            &[
                "slb.name",
                "istio-system/open",
                "\"wanted-name\"",
                "\"held-name\"",
                "default/holder",
            ],
        ),
    ]
}

fn accounts() -> Vec<Case> {
    vec![
        Case::new(
            "wrong-secret",
            "className: wrong-secret",
            ("Programmed", "CredentialsInvalid"),
            &[
                "SignatureDoesNotMatch",
                "Check cloud.credentials of the class",
            ],
        ),
        Case::new(
            "no-secret",
            "className: no-secret",
            ("ResolvedRefs", "SecretNotFound"),
            &[
                "cloud.credentials.secret",
                "Secret bad/ghost",
                "accessKeyId and accessKeySecret",
            ],
        ),
        Case::new(
            "half-secret",
            "className: half-secret",
            ("ResolvedRefs", "SecretInvalid"),
            &[
                "cloud.credentials.secret",
                "Secret bad/half-key",
                "\"accessKeySecret\"",
                "Add it",
            ],
        ),
        Case::new(
            "other-account",
            "className: other-account",
            ("Programmed", "AccountMismatch"),
            &[
                "cloud.accountId is 9999999999999999",
                "1234567890123456",
                "Correct the credentials",
            ],
        ),
        Case::new(
            "unreachable",
            "className: unreachable",
            ("Programmed", "CloudUnreachable"),
            &[
                "GetCallerIdentity",
                "Connection refused",
                "tried again by itself",
            ],
        ),
    ]
}
