//! What is left of this layer in a cluster where no class has an ALB any more, since that changed while no
//! operator ran: Knative Ingresses that are still held, and could never be deleted, and placeholders. If
//! there is something, the layer begins, and lets go of it as it does when a class loses its ALB.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ListParams, PartialObjectMeta, PostParams};
use kube::{Api, Resource, ResourceExt};

use super::serving::{gateways, is_of_another_shard};
use crate::controller::context::Context;
use crate::core::alb::kingress::{KIngress, PLACES};
use crate::core::alb::placeholder;

/// How soon a look that failed is taken again.
const AGAIN: Duration = Duration::from_secs(10);
/// How many are listed at a time.
const PAGE: u32 = 500;

/// Looks once, as soon as this process leads, and tells whether something is left. Where the rights to
/// list are missing it looks no further: whom they were taken from cannot let go of anything.
pub(super) async fn is_any(context: &Context) -> bool {
    context.runtime.leadership.until_leader().await;
    context.stores.ready().await;
    loop {
        // With an ALB the layer begins by itself.
        if !gateways(context).is_empty() {
            return false;
        }
        match look(context).await {
            Ok(found) => return found,
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_forbidden() => {
                return false;
            }
            Err(error) => {
                tracing::debug!(%error, "what is left of the ALB layer is looked for again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn look(context: &Context) -> Result<bool, kube::Error> {
    let may = may_list::<KIngress>(context).await? && may_list::<Ingress>(context).await?;
    Ok(may && (are_held(context).await? || are_placeholders(context).await?))
}

/// Most clusters have no ALB, and give no rights for it: nothing is asked there that is refused.
async fn may_list<K: Resource<DynamicType = ()>>(context: &Context) -> Result<bool, kube::Error> {
    let asked = ResourceAttributes {
        group: Some(K::group(&()).into_owned()),
        resource: Some(K::plural(&()).into_owned()),
        verb: Some("list".to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(asked),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(context.runtime.client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn are_held(context: &Context) -> Result<bool, kube::Error> {
    let api: Api<KIngress> = Api::all(context.runtime.client.clone());
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let found = api.list_metadata(&page).await?;
        if found.items.into_iter().any(|one| is_held(one, context)) {
            return Ok(true);
        }
        match found.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => page.continue_token = Some(next),
            None => return Ok(false),
        }
    }
}

fn is_held(found: PartialObjectMeta<KIngress>, context: &Context) -> bool {
    let ingress = KIngress {
        metadata: found.metadata,
        ..KIngress::default()
    };
    ingress.finalizers().iter().any(|held| held == PLACES)
        && !is_of_another_shard(&ingress, context)
}

async fn are_placeholders(context: &Context) -> Result<bool, kube::Error> {
    let api: Api<Ingress> = Api::all(context.runtime.client.clone());
    let ours = placeholder::selector(&context.runtime.args.shard);
    let one = ListParams::default().labels(&ours).limit(1);
    Ok(!api.list_metadata(&one).await?.items.is_empty())
}
