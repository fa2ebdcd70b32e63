//! What Knative's ConfigMap `config-network` says that concerns this layer.

use std::collections::BTreeMap;

/// Namespace of the ConfigMap.
pub const NAMESPACE: &str = "knative-serving";
/// Name of the ConfigMap.
pub const NAME: &str = "config-network";

/// The keys of the class for Ingresses that name none, the new spelling first.
const INGRESS_CLASS: [&str; 2] = ["ingress-class", "ingress.class"];

/// What the ConfigMap says. Keys that nobody set are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The class of Knative Ingresses that name none.
    pub ingress_class: Option<String>,
    /// Vswitches of load balancers that have to be made.
    pub vswitch_ids: Vec<String>,
    /// An AlbConfig that is there already, for public addresses.
    pub alb_config: Option<String>,
}

impl Network {
    /// Reads the ConfigMap's data. Of two spellings of a key the new one counts, as in Serving.
    pub fn read(data: &BTreeMap<String, String>) -> Self {
        let text = |key: &&str| data.get(*key).map(|text| text.trim().to_owned());
        let given = |text: &String| !text.is_empty();
        let vswitches = ["vswitch-ids", "vswitchIds"];
        let ids = vswitches.iter().find_map(text).unwrap_or_default();
        let ids = ids.split(',').map(|id| id.trim().to_owned()).filter(given);
        Self {
            ingress_class: INGRESS_CLASS.iter().find_map(text).filter(given),
            vswitch_ids: ids.collect(),
            alb_config: text(&"albconfig").filter(given),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Network {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Network::read(&pairs.iter().map(owned).collect())
    }

    #[test]
    fn the_article_s_configmap_is_read() {
        let found = read(&[
            ("ingress.class", "alb.ingress.networking.knative.dev"),
            (
                "vswitch-ids",
                "vsw-2zeqgkyib34gw1fxxx, vsw-2zefv5qwao4prxxx",
            ),
            ("_example", "ingress-class: none"),
        ]);
        let wanted = Network {
            ingress_class: Some("alb.ingress.networking.knative.dev".to_owned()),
            vswitch_ids: vec![
                "vsw-2zeqgkyib34gw1fxxx".to_owned(),
                "vsw-2zefv5qwao4prxxx".to_owned(),
            ],
            alb_config: None,
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn the_new_spelling_counts() {
        let found = read(&[
            ("ingress.class", "old"),
            ("ingress-class", "new"),
            ("albconfig", "mine"),
        ]);
        assert_eq!(found.ingress_class.as_deref(), Some("new"));
        assert_eq!(found.alb_config.as_deref(), Some("mine"));
        assert_eq!(read(&[]), Network::default());
        assert_eq!(read(&[("vswitch-ids", " , ")]), Network::default());
    }
}
