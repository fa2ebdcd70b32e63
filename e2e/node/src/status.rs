//! The status of a Pod, from its containers.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, HostIP, PodCondition, PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::container::{Container, State};

/// The status of a Pod whose containers have been started.
pub(crate) fn of(
    containers: &[Container],
    address: Ipv4Addr,
    gateway: Ipv4Addr,
    before: &PodStatus,
) -> PodStatus {
    let ready = containers.iter().all(|container| container.ready);
    PodStatus {
        phase: Some("Running".to_owned()),
        pod_ip: Some(address.to_string()),
        pod_ips: Some(vec![PodIP {
            ip: address.to_string(),
        }]),
        host_ip: Some(gateway.to_string()),
        host_ips: Some(vec![HostIP {
            ip: gateway.to_string(),
        }]),
        start_time: before
            .start_time
            .clone()
            .or_else(|| Some(Time(Timestamp::now()))),
        conditions: Some(conditions(ready, before)),
        container_statuses: Some(containers.iter().map(container_status).collect()),
        ..PodStatus::default()
    }
}

/// The status of a Pod that cannot be run.
pub(crate) fn refused(
    names: impl Iterator<Item = (String, String)>,
    why: &str,
    before: &PodStatus,
) -> PodStatus {
    let waiting = |(name, image)| ContainerStatus {
        name,
        image,
        state: Some(ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some("CreateContainerConfigError".to_owned()),
                message: Some(why.to_owned()),
            }),
            ..ContainerState::default()
        }),
        ..ContainerStatus::default()
    };
    PodStatus {
        phase: Some("Pending".to_owned()),
        conditions: Some(conditions(false, before)),
        container_statuses: Some(names.map(waiting).collect()),
        ..PodStatus::default()
    }
}

fn conditions(ready: bool, before: &PodStatus) -> Vec<PodCondition> {
    let word = |truth| if truth { "True" } else { "False" }.to_owned();
    let states = [
        ("PodScheduled", true),
        ("Initialized", true),
        ("ContainersReady", ready),
        ("Ready", ready),
    ];
    let condition = |(type_, truth): (&str, bool)| {
        let mut known = before.conditions.iter().flatten();
        let same = known.find(|known| known.type_ == type_ && known.status == word(truth));
        let since = same.and_then(|known| known.last_transition_time.clone());
        PodCondition {
            type_: type_.to_owned(),
            status: word(truth),
            last_transition_time: since.or_else(|| Some(Time(Timestamp::now()))),
            ..PodCondition::default()
        }
    };
    states.into_iter().map(condition).collect()
}

fn container_status(container: &Container) -> ContainerStatus {
    let image = container.spec.image.clone().unwrap_or_default();
    let running = matches!(container.state, State::Running { .. });
    ContainerStatus {
        name: container.spec.name.clone(),
        image_id: image.clone(),
        image,
        ready: container.ready,
        started: Some(running),
        restart_count: container.restarts,
        state: Some(state(&container.state)),
        ..ContainerStatus::default()
    }
}

fn state(state: &State) -> ContainerState {
    match state {
        State::Running { since, .. } => ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(Time(*since)),
            }),
            ..ContainerState::default()
        },
        State::Ended { status, at, .. } => ContainerState {
            terminated: Some(ContainerStateTerminated {
                exit_code: status.code().unwrap_or(-1),
                finished_at: Some(Time(*at)),
                reason: Some(
                    if status.success() {
                        "Completed"
                    } else {
                        "Error"
                    }
                    .to_owned(),
                ),
                ..ContainerStateTerminated::default()
            }),
            ..ContainerState::default()
        },
    }
}
