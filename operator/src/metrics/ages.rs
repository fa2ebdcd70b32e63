//! Values that are worked out at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::leader::Leadership;

/// How long ago each class was last compared with the cloud, by the local clock.
#[derive(Debug, Default)]
pub(super) struct Ages(Mutex<BTreeMap<String, Instant>>);

impl Ages {
    pub(super) fn touch(&self, class: &str) {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ages.insert(class.to_owned(), Instant::now());
    }

    pub(super) fn forget(&self, class: &str) {
        let mut ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ages.remove(class);
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let ages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ages.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(
            "drift_check_age",
            "Time since all of a class was last compared with the cloud",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for (class, checked) in ages.iter() {
            let age = ConstGauge::new(checked.elapsed().as_secs_f64());
            age.encode(family.encode_family(&[("class", class.as_str())])?)?;
        }
        Ok(())
    }
}

/// Whether this process leads, as its handle says at the moment of the scrape.
#[derive(Debug)]
pub(super) struct LeaderCollector(pub(super) Leadership);

impl Collector for LeaderCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let leads = ConstGauge::new(i64::from(self.0.is_leader()));
        leads.encode(encoder.encode_descriptor(
            "leader",
            "1 while this process holds the lease",
            None,
            MetricType::Gauge,
        )?)
    }
}
