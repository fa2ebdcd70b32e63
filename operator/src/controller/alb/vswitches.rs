//! Looks at the vswitches of an AlbConfig that has to be made, in the cloud. Where it cannot be asked the
//! AlbConfig is made all the same: this layer needs no credentials.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use crds::v1alpha1::{AlbGateway, GatewayBindingClass, Reason};
use kube::{Resource, ResourceExt};
use tokio::time::{sleep, timeout};

use super::serving::class_of;
use crate::controller::cloud::Trouble;
use crate::controller::context::Context;
use crate::core::alb::refusal::Refusal;
use crate::core::alb::vswitches::{Shown, Verdict, Vswitches, judge};
use crate::core::problem::Problem;
use crate::events::{Happening, Severity};

/// How long an answer is good: long enough for all Ingresses that come together.
const FRESH: Duration = Duration::from_secs(60);
/// How long the cloud may take for one vswitch.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon an account that is just being opened is asked again.
const AGAIN: Duration = Duration::from_millis(250);

/// What the cloud said of vswitches lately. Who needs it meanwhile waits, so that it is asked once.
#[derive(Default)]
pub struct Answers(tokio::sync::Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// By class and vswitch.
    answers: HashMap<(String, String), Answer>,
    /// What was told is not told again.
    told: HashSet<String>,
}

struct Answer {
    at: Instant,
    /// What it is, if it is shown; else why it could not be asked.
    said: Result<Option<Shown>, String>,
}

/// Whether an AlbConfig may be made with these vswitches.
pub(super) async fn check(
    gateway: &AlbGateway,
    instance: &str,
    vswitches: &Vswitches,
    context: &Context,
) -> Result<(), Refusal> {
    let Some(class) = class_of(gateway, context) else {
        return Ok(());
    };
    let region = class.spec.cloud.as_ref();
    let region = region.map_or("", |cloud| cloud.region_id.as_str());
    let ids = vswitches.without_zone();
    let mut memory = context.alb.vswitches.0.lock().await;
    let why = match memory.ask(&class, &ids, context).await {
        Ok(shown) => match judge(instance, vswitches, &shown, region) {
            Verdict::Fit => return Ok(()),
            Verdict::Unfit(refusal) => return Err(refusal),
            Verdict::Unseen => format!("the cloud shows none of them in region {region}."),
        },
        Err(why) => why,
    };
    let note = format!(
        "AlbConfig \"{instance}\" is made without a look at the zones of vswitches {}: {why} If they are not in two zones or more, the ALB Ingress controller says so.",
        ids.join(", ")
    );
    memory.tell(&class, note, context);
    Ok(())
}

impl Memory {
    /// Those of the vswitches that the cloud shows, or why it could not be asked.
    async fn ask(
        &mut self,
        class: &GatewayBindingClass,
        ids: &[&str],
        context: &Context,
    ) -> Result<BTreeMap<String, Shown>, String> {
        self.answers.retain(|_, answer| answer.at.elapsed() < FRESH);
        let mut shown = BTreeMap::new();
        for id in ids {
            let key = (class.name_any(), (*id).to_owned());
            let said = match self.answers.get(&key) {
                Some(answer) => answer.said.clone(),
                None => {
                    let said = look(class, id, context).await;
                    let said = said.map_err(|trouble| trouble.problem.message);
                    let (at, keep) = (Instant::now(), said.clone());
                    self.answers.insert(key, Answer { at, said: keep });
                    said
                }
            };
            if let Some(seen) = said? {
                shown.insert((*id).to_owned(), seen);
            }
        }
        Ok(shown)
    }

    fn tell(&mut self, class: &GatewayBindingClass, note: String, context: &Context) {
        if !self.told.insert(note.clone()) {
            return;
        }
        tracing::warn!(class = class.name_any(), message = note, "not checked");
        let happening = Happening {
            severity: Severity::Warning,
            reason: "VswitchesUnchecked".to_owned(),
            action: "CheckVswitches".to_owned(),
            note,
        };
        let events = &context.runtime.events;
        events.publish(&class.object_ref(&()), happening);
    }
}

async fn look(
    class: &GatewayBindingClass,
    id: &str,
    context: &Context,
) -> Result<Option<Shown>, Trouble> {
    let asking = async {
        let until = Instant::now() + PATIENCE / 2;
        let account = loop {
            match context.clouds.of(class).await {
                Err(trouble) if trouble.paused && Instant::now() < until => sleep(AGAIN).await,
                opened => break opened?,
            }
        };
        account.vswitch(id).await.map_err(Trouble::from)
    };
    let found = timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
        let words = "the cloud did not answer in time.";
        Err(Problem::retry(Reason::CloudUnreachable, words).into())
    })?;
    Ok(found.map(|vswitch| Shown {
        zone: vswitch.zone_id,
        vpc: vswitch.vpc_id,
    }))
}
