//! What a class offers of a network load balancer, and what a binding makes of it.

use crds::v1alpha1::{GatewayBinding, NlbGateway, NlbSettings, Reason};

use super::check;
use crate::core::merge;
use crate::core::problem::Problem;
use crate::core::slb::over;

/// The settings of a class and of a binding, all of them open to it and sound together.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The class's settings.
    pub class_settings: NlbSettings,
    /// The binding's settings.
    pub settings: NlbSettings,
}

/// What a binding asks of a gateway, named with its class.
///
/// # Errors
/// If it asks for what the class does not leave open, or for what cannot be.
pub fn offered(
    binding: &GatewayBinding,
    offer: &NlbGateway,
    (gateway, class): (&str, &str),
) -> Result<Offered, Problem> {
    let spec = &binding.spec;
    let of_another_kind = [
        ("slb", spec.slb.is_some()),
        ("alb", spec.alb.is_some()),
        ("higress", spec.higress.is_some()),
    ];
    if let Some((block, _)) = of_another_kind.into_iter().find(|(_, given)| *given) {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "spec.{block}: gateway \"{gateway}\" of GatewayBindingClass \"{class}\" is a network load balancer. Use spec.nlb, or a gateway with {block}."
            ),
        ));
    }
    if spec.api_gateway.is_some() {
        return Err(Problem::rejected(
            Reason::Unsupported,
            format!(
                "spec.apiGateway: an API gateway reaches classic load balancers only, and gateway \"{gateway}\" is a network one. Remove spec.apiGateway, or use a gateway with slb."
            ),
        ));
    }
    let settings = spec.nlb.clone().unwrap_or_default();
    if let Some(path) = merge::not_open(&settings, |field| offer.binding_may_set(field)) {
        let field = path.trim_start_matches("nlb.");
        return Err(Problem::rejected(
            Reason::NotAllowedByClass,
            format!(
                "spec.{path}: GatewayBindingClass \"{class}\" does not let bindings set {field} on gateway \"{gateway}\". Remove the field, or ask for {field} in bindingsMaySet."
            ),
        ));
    }
    let class_settings = offer.settings.clone().unwrap_or_default();
    let together = over(&class_settings, &settings);
    if together.address_type.is_none() && together.existing.is_none() {
        return Err(Problem::rejected(
            Reason::InvalidSpec,
            format!(
                "nlb.addressType of gateway \"{gateway}\" is set neither in GatewayBindingClass \"{class}\" nor in the binding. Set Intranet or Internet: without it the cloud would make a public load balancer."
            ),
        ));
    }
    match check(&together) {
        Some(fault) => Err(Problem::rejected(
            fault.reason,
            format!("spec.{}: {}", fault.path, fault.why),
        )),
        None => Ok(Offered {
            class_settings,
            settings,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(offer: Value, spec: Value) -> Result<Offered, (Reason, String)> {
        let mut all = json!({"serviceRef": {"kind": "KnativeService", "name": "hello"}});
        for (name, value) in spec.as_object().unwrap() {
            all[name] = value.clone();
        }
        let binding = GatewayBinding::new("hello", serde_json::from_value(all).unwrap());
        let offer: NlbGateway = serde_json::from_value(offer).unwrap();
        let offered = offered(&binding, &offer, ("network", "platform"));
        offered.map_err(|problem| (problem.reason, problem.message))
    }

    fn offer(settings: Value) -> Value {
        json!({
            "service": {"namespace": "istio-system", "name": "network"},
            "settings": settings,
            "bindingsMaySet": ["name", "idleTimeout", "bandwidthPackageId"],
        })
    }

    fn zoned(address_type: &str) -> Value {
        json!({
            "addressType": address_type,
            "zoneMappings": [
                {"zoneId": "cn-b-g", "vswitchId": "vsw-a"},
                {"zoneId": "cn-b-h", "vswitchId": "vsw-b"},
            ],
        })
    }

    #[test]
    fn what_is_open_and_sound_is_offered() {
        let offered = asked(offer(zoned("Internet")), json!({"nlb": {"name": "hello"}}));
        let offered = offered.unwrap();
        assert_eq!(offered.settings.name.as_deref(), Some("hello"));
        assert!(offered.class_settings.zone_mappings.is_some());
    }

    #[test]
    fn what_is_not_is_refused_where_it_is_said() {
        let intranet = || offer(zoned("Intranet"));
        let api_gateway = json!({"gateway": "main", "group": "g", "auth": {"anonymous": {}}});
        let package = json!({"nlb": {"bandwidthPackageId": "cbwp-1"}});
        let cases = [
            (
                intranet(),
                json!({"slb": {"name": "a"}}),
                Reason::InvalidSpec,
                "spec.slb: ",
            ),
            (
                intranet(),
                json!({"apiGateway": api_gateway}),
                Reason::Unsupported,
                "spec.apiGateway: ",
            ),
            (
                intranet(),
                json!({"nlb": {"crossZone": "Disabled"}}),
                Reason::NotAllowedByClass,
                "spec.nlb.crossZone: ",
            ),
            (
                offer(json!({"crossZone": "Disabled"})),
                json!({}),
                Reason::InvalidSpec,
                "nlb.addressType of gateway",
            ),
            (
                offer(json!({"addressType": "Intranet"})),
                json!({}),
                Reason::InvalidSpec,
                "spec.nlb.zoneMappings: ",
            ),
            // Only together they cannot be.
            (
                intranet(),
                package,
                Reason::InvalidSpec,
                "spec.nlb.bandwidthPackageId: ",
            ),
        ];
        for (offer, spec, reason, begins) in cases {
            let (found, message) = asked(offer, spec.clone()).expect_err(begins);
            assert_eq!(found, reason, "{spec}: {message}");
            assert!(message.starts_with(begins), "{message}");
        }
    }
}
