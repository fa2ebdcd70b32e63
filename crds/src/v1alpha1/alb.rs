//! Application load balancers (ALB) as the gateway of Knative.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Existing;

/// Value of the class annotation of the Knative Ingresses that are served, unless a class names
/// another one.
pub const ALB_INGRESS_CLASS: &str = "alb.ingress.networking.knative.dev";

/// Value of the class annotation of the Knative Ingresses that Kourier serves, unless a class names
/// another one.
pub const KOURIER_INGRESS_CLASS: &str = "kourier.ingress.networking.knative.dev";

/// Namespace of Kourier's gateway, unless a class names another one.
pub const KOURIER_NAMESPACE: &str = "kourier-system";

/// Application load balancers that serve Knative. The operator turns each Knative Ingress of the
/// ingress class into Ingresses of the ALB Ingress controller.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.internet) && has(self.internet.albConfig) ? self.internet.albConfig : 'knative-internet') != (has(self.intranet) && has(self.intranet.albConfig) ? self.intranet.albConfig : 'knative-intranet')")
    .message("internet and intranet need two different AlbConfigs: one load balancer has one kind of address")
    .reason(Reason::FieldValueInvalid).field_path(".intranet"))]
#[x_kube(validation = Rule::new("(has(self.hop) && has(self.hop.ingressClass) ? self.hop.ingressClass : 'kourier.ingress.networking.knative.dev') != (has(self.ingressClass) ? self.ingressClass : 'alb.ingress.networking.knative.dev')")
    .message("the hop needs an ingress class of its own: that of the controller in the cluster, not the one that ALB serves")
    .reason(Reason::FieldValueInvalid).field_path(".hop"))]
pub struct AlbGateway {
    /// The Knative Ingresses that are served: those whose annotation
    /// networking.knative.dev/ingress.class has exactly this value. Name another one where the
    /// cluster runs another controller for the default. Default: alb.ingress.networking.knative.dev.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub ingress_class: Option<String>,

    /// The load balancers with a public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internet: Option<AlbInstance>,

    /// The load balancers that only the VPC reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intranet: Option<AlbInstance>,

    /// Where the names of a service that only the cluster is to use are served: Strict keeps them on
    /// the intranet load balancers, Combined puts all names of a service that has a public one on the
    /// internet load balancer, where anybody reaches the cluster's names by setting Host. Default:
    /// Strict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AlbVisibility")]
    pub visibility: Option<AlbVisibility>,

    /// The way that requests take where ALB cannot split them by itself, since one of the revisions may
    /// be scaled to zero: through Kourier in the cluster, for as long as it is so. Default: Kourier in
    /// the namespace kourier-system; where it is not, such a split is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop: Option<AlbHop>,

    /// Forwarding rules that are put on one load balancer before the next one is made. The account's
    /// quota is 100 for a Standard one and 40 for a Basic one unless it was raised. Default: 100, or
    /// 40 for edition Basic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200))]
    pub max_rules: Option<i32>,

    /// Load balancers of each kind of address that are made at the most: the first one is named by
    /// albConfig, the others by it with -2, -3 and so on. Each costs money. Default: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub max_instances: Option<i32>,

    /// Settings of the load balancers that the operator makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<AlbSettings>,

    /// The settings that bindings may give in their own alb block: zoneMappings, or "*" alone for all.
    /// Default: none. Since load balancers are shared, only the oldest binding with a value is heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("!self.exists(f, f == '*') || self.size() == 1")
            .message("\"*\" stands for all settings of alb and must stand alone")
    )]
    pub bindings_may_set: Option<Vec<AlbField>>,
}

impl AlbGateway {
    /// The class annotation of the Knative Ingresses that are served.
    #[must_use]
    pub fn ingress_class(&self) -> &str {
        self.ingress_class.as_deref().unwrap_or(ALB_INGRESS_CLASS)
    }

    /// Where the cluster's names are served.
    #[must_use]
    pub fn visibility(&self) -> AlbVisibility {
        self.visibility.unwrap_or_default()
    }

    /// The namespace of the gateway in the cluster through which splits may go; none if they are not to.
    #[must_use]
    pub fn hop_namespace(&self) -> Option<&str> {
        let hop = self.hop.as_ref();
        if hop.and_then(|hop| hop.through) == Some(AlbHopThrough::Nothing) {
            return None;
        }
        let namespace = hop.and_then(|hop| hop.namespace.as_deref());
        Some(namespace.unwrap_or(KOURIER_NAMESPACE))
    }

    /// The class annotation of the Knative Ingresses that this gateway serves.
    #[must_use]
    pub fn hop_ingress_class(&self) -> &str {
        let class = self
            .hop
            .as_ref()
            .and_then(|hop| hop.ingress_class.as_deref());
        class.unwrap_or(KOURIER_INGRESS_CLASS)
    }

    /// Forwarding rules on one load balancer at the most.
    #[must_use]
    pub fn max_rules(&self) -> usize {
        let edition = self.settings.as_ref().and_then(|settings| settings.edition);
        let quota = if edition == Some(AlbEdition::Basic) {
            40
        } else {
            100
        };
        count(self.max_rules).unwrap_or(quota)
    }

    /// Load balancers of each kind of address at the most.
    #[must_use]
    pub fn max_instances(&self) -> usize {
        count(self.max_instances).unwrap_or(4)
    }

    /// Whether a binding may give this setting.
    #[must_use]
    pub fn binding_may_set(&self, field: AlbField) -> bool {
        let mut open = self.bindings_may_set.iter().flatten();
        open.any(|open| *open == field || *open == AlbField::All)
    }
}

fn count(field: Option<i32>) -> Option<usize> {
    field.and_then(|count| usize::try_from(count).ok())
}

/// Where the names that only the cluster is to use are served.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlbVisibility {
    /// On the intranet load balancers only.
    #[default]
    Strict,
    /// On the internet load balancer, with the public names of the service.
    Combined,
}

/// The way in the cluster that requests take where ALB cannot split them by itself.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.through) || has(self.namespace) || has(self.ingressClass)")
    .message("hop says nothing: give through, namespace or ingressClass, or leave the whole block out")
    .reason(Reason::FieldValueRequired))]
pub struct AlbHop {
    /// What such a split goes through: Kourier, or Nothing to have it refused. Default: Kourier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AlbHopThrough")]
    pub through: Option<AlbHopThrough>,

    /// Namespace of Kourier's Service kourier-internal. Default: kourier-system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub namespace: Option<String>,

    /// The class annotation of the Knative Ingresses that Kourier serves. Default:
    /// kourier.ingress.networking.knative.dev.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub ingress_class: Option<String>,
}

/// What a split goes through.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlbHopThrough {
    /// Knative's networking layer Kourier.
    Kourier,
    /// Nothing: it is refused.
    Nothing,
}

/// The load balancers of one kind of address.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlbInstance {
    /// Name of the AlbConfig. It is made when the first Ingress needs it; one that somebody else made
    /// is used as it is. Default: knative-internet or knative-intranet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub alb_config: Option<String>,

    /// Name of the load balancer in the cloud console: 2 to 128 letters, digits, and the characters
    /// - . _ beginning with a letter. Default: the name of the AlbConfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 120),
        regex(pattern = "^[A-Za-z][-._A-Za-z0-9]+$")
    )]
    pub name: Option<String>,

    /// A load balancer that is there already and is to be used. The ALB Ingress controller takes its
    /// listeners over as far as it needs them. Default: one is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,

    /// The name of a Service of the cluster that leads to the load balancer, which is published as
    /// domainInternal beside the load balancer's own name in the status of Knative Ingresses. Knative
    /// then sends the cluster's requests there, and the public conformance suite dials it. Example:
    /// alb-internet.ingress.svc.cluster.local. Default: only the load balancer's own name is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 253), regex(pattern = crate::schema::DNS_SUBDOMAIN))]
    pub domain_internal: Option<String>,
}

/// Settings of application load balancers.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.zoneMappings) || has(self.edition) || has(self.accessLog) || has(self.deletionProtection) || has(self.resourceGroupId) || has(self.tags)")
    .message("no setting of alb is given: name at least one, or leave the whole block out")
    .reason(Reason::FieldValueRequired))]
pub struct AlbSettings {
    /// The vswitches that the load balancers get their addresses from, in two zones at least. Default:
    /// those of a binding, else vswitch-ids in Knative's ConfigMap config-network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["vswitchId".into()]),
        validation = Rule::new("self.all(a, self.all(b, a == b || !has(a.zoneId) || !has(b.zoneId) || a.zoneId != b.zoneId))")
            .message("two vswitches are in one zone: name one vswitch for each of two zones or more")
    )]
    pub zone_mappings: Option<Vec<AlbZoneMapping>>,

    /// Edition of the load balancers: Basic, Standard, or StandardWithWaf for one with a web application
    /// firewall. Default: Standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AlbEdition")]
    pub edition: Option<AlbEdition>,

    /// Where access logs go. Default: none are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AlbAccessLog>,

    /// Enabled makes the cloud refuse to delete the load balancers, Disabled lets them be deleted.
    /// Default: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AlbDeletionProtection")]
    pub deletion_protection: Option<AlbDeletionProtection>,

    /// Id of the resource group of the load balancers. Example: rg-acfmzawhxxc. Default: the account's
    /// default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64), regex(pattern = "^rg-[a-z0-9]+$"))]
    pub resource_group_id: Option<String>,

    /// Tags of the load balancers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".into()]))]
    pub tags: Option<Vec<AlbTag>>,
}

/// A vswitch of a load balancer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlbZoneMapping {
    /// Id of the vswitch. Example: vsw-2zeqgkyib34gw1fxxxxxx.
    #[schemars(length(min = 5, max = 64), regex(pattern = "^vsw-[a-z0-9]+$"))]
    pub vswitch_id: String,

    /// Its zone, so that a vswitch in a wrong one is noticed. Example: cn-beijing-g. Default: the one
    /// the vswitch is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = crate::schema::REGION_OR_ZONE))]
    pub zone_id: Option<String>,
}

/// Edition of an application load balancer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlbEdition {
    /// The least.
    Basic,
    /// The usual one.
    Standard,
    /// With a web application firewall.
    StandardWithWaf,
}

/// Whether the cloud refuses to delete a load balancer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlbDeletionProtection {
    /// It refuses.
    Enabled,
    /// It does not.
    Disabled,
}

/// Where access logs go.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct AlbAccessLog {
    /// Project of the Simple Log Service.
    #[schemars(length(min = 3, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub project: String,

    /// Its log store. Its name begins with alb_.
    #[schemars(length(min = 5, max = 63), regex(pattern = "^alb_[-_a-z0-9]+$"))]
    pub log_store: String,
}

/// A tag.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlbTag {
    /// Its key.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[-_./:=+@A-Za-z0-9]+$"))]
    pub key: String,

    /// Its value.
    #[schemars(length(max = 128), regex(pattern = "^[-_./:=+@A-Za-z0-9 ]*$"))]
    pub value: String,
}

/// A setting of `AlbSettings` that bindings may give, or all of them.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[serde(rename_all = "camelCase")]
pub enum AlbField {
    /// `zoneMappings`
    ZoneMappings,
    /// Every field, also those that later versions add.
    #[serde(rename = "*")]
    All,
}

/// What a binding asks of application load balancers.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.zoneMappings) || has(self.revisionRules)")
    .message("alb asks for nothing: give revisionRules or zoneMappings, or leave the whole block out")
    .reason(Reason::FieldValueRequired))]
pub struct BindingAlb {
    /// The vswitches that the load balancers get their addresses from, in two zones at least, where
    /// the class leaves that open. Default: those of the class, else vswitch-ids in Knative's ConfigMap
    /// config-network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["vswitchId".into()]),
        validation = Rule::new("self.all(a, self.all(b, a == b || !has(a.zoneId) || !has(b.zoneId) || a.zoneId != b.zoneId))")
            .message("two vswitches are in one zone: name one vswitch for each of two zones or more")
    )]
    pub zone_mappings: Option<Vec<AlbZoneMapping>>,

    /// Requests that go to a certain revision, whatever the split of the Knative Service. The first rule
    /// that matches wins; what no rule matches follows the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self.all(rule, self.exists_one(other, other.name == rule.name))")
            .message("two revisionRules have the same name")
    )]
    pub revision_rules: Option<Vec<RevisionRule>>,
}

/// Requests that go to a certain revision.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.revision) != has(self.tag)")
    .message("a revision rule needs revision or tag, and not both")
    .reason(Reason::FieldValueInvalid))]
#[x_kube(validation = Rule::new("has(self.headers) || has(self.cookies)")
    .message("a revision rule needs headers or cookies")
    .reason(Reason::FieldValueRequired))]
#[x_kube(validation = Rule::new("(has(self.headers) ? size(self.headers) : 0) + (has(self.cookies) ? size(self.cookies) : 0) <= 7")
    .message("a revision rule has at most 7 headers and cookies together: ALB takes 10 values in all, and host and path count")
    .reason(Reason::FieldValueInvalid))]
pub struct RevisionRule {
    /// Name of the rule. Example: testers.
    #[schemars(length(min = 1, max = 50), regex(pattern = crate::schema::DNS_LABEL))]
    pub name: String,

    /// Name of the revision. Example: helloworld-go-00002.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub revision: Option<String>,

    /// Tag of the revision in the traffic of the Knative Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = crate::schema::DNS_LABEL))]
    pub tag: Option<String>,

    /// Headers that a request must have, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Option<Vec<RuleHeader>>,

    /// Cookies that a request must have, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub cookies: Option<Vec<RuleCookie>>,
}

/// A header that a request must have.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(self.name.lowerAscii() in ['host', 'cookie'])")
    .message("Host cannot be matched by a header, and Cookie not but by cookies")
    .reason(Reason::FieldValueInvalid).field_path(".name"))]
pub struct RuleHeader {
    /// Its name: letters, digits, - and _.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[-_A-Za-z0-9]+$"))]
    pub name: String,

    /// Its whole value, without the wildcards * and ?.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[ -)+->@-~]+$"))]
    pub value: String,
}

/// A cookie that a request must have.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RuleCookie {
    /// Its name: ALB takes no capital letters.
    #[schemars(length(min = 1, max = 100), regex(pattern = "^[-!$%'+.^_`~0-9a-z]+$"))]
    pub name: String,

    /// Its whole value: no capital letters, spaces or any of ;#[]{}|<>&\\ and none of the wildcards * and ?, as ALB
    /// (CreateRule, CookieConfig) has it.
    #[schemars(
        length(min = 1, max = 100),
        regex(pattern = "^[!\"$%'()+,./0-9:=@^_`a-z~-]+$")
    )]
    pub value: String,
}
