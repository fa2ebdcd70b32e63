//! Annotations of a Service: the current key form beats the legacy one, even when empty.

use k8s_openapi::api::core::v1::Service;

const PREFIX: &str = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
const LEGACY_PREFIX: &str = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// Read access to the annotations of one Service.
#[derive(Clone, Copy)]
pub(super) struct Annotations<'a>(&'a Service);

impl<'a> Annotations<'a> {
    pub(super) fn of(service: &'a Service) -> Self {
        Self(service)
    }

    /// An annotation by its whole key.
    pub(super) fn exact(self, key: &str) -> Option<&'a str> {
        let annotations = self.0.metadata.annotations.as_ref()?;
        annotations
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A load balancer setting by its suffix; empty counts as unset.
    pub(super) fn get(self, suffix: &str) -> Option<&'a str> {
        self.present(suffix).filter(|value| !value.is_empty())
    }

    /// A setting that is said, be it empty.
    pub(super) fn present(self, suffix: &str) -> Option<&'a str> {
        let annotations = self.0.metadata.annotations.as_ref()?;
        let value = annotations
            .get(&format!("{PREFIX}{suffix}"))
            .or_else(|| annotations.get(&format!("{LEGACY_PREFIX}{suffix}")))?;
        Some(value)
    }

    /// A setting that must be a whole number; the error is what Go says.
    pub(super) fn whole(self, suffix: &str) -> Result<Option<i64>, (&'a str, String)> {
        let text = self.get(suffix);
        text.map(|text| whole_number(text).map_err(|why| (text, why)))
            .transpose()
    }

    /// Whether it names a load balancer, which then is not CCM's.
    pub(super) fn names_balancer(self) -> bool {
        self.get("id").is_some()
    }
}

/// A whole number as Go's `strconv.Atoi` reads it, in its words.
pub(super) fn whole_number(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let wrong = |why: &str| format!("strconv.Atoi: parsing {text:?}: {why}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    text.parse().map_err(|_| wrong("value out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(annotations: &[(&str, &str)]) -> Service {
        let mut service = Service::default();
        let pairs = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        service.metadata.annotations = Some(pairs.collect());
        service
    }

    #[test]
    fn the_new_key_wins_even_when_it_is_empty() {
        let new = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-spec";
        let old = "service.beta.kubernetes.io/alicloud-loadbalancer-spec";
        let both = service(&[(new, "slb.s1.small"), (old, "slb.s2.small")]);
        assert_eq!(Annotations::of(&both).get("spec"), Some("slb.s1.small"));
        let masked = service(&[(new, ""), (old, "slb.s2.small")]);
        assert_eq!(Annotations::of(&masked).get("spec"), None);
        let legacy = service(&[(old, "slb.s2.small")]);
        assert_eq!(Annotations::of(&legacy).get("spec"), Some("slb.s2.small"));
    }

    #[test]
    fn numbers_must_be_whole() {
        assert_eq!(whole_number("+5"), Ok(5));
        assert_eq!(
            whole_number("1s"),
            Err("strconv.Atoi: parsing \"1s\": invalid syntax".to_owned())
        );
        assert_eq!(
            whole_number("99999999999999999999"),
            Err("strconv.Atoi: parsing \"99999999999999999999\": value out of range".to_owned())
        );
    }
}
