//! The policy document.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Feature, PERMISSIONS, Permission};

/// A policy as RAM takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    /// Of the policy language.
    pub version: &'static str,
    /// What is allowed.
    pub statement: Vec<Statement>,
}

/// Some actions that are allowed on the same things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// `Allow`.
    pub effect: &'static str,
    /// The actions, for example `apigateway:CreateApi`.
    pub action: Vec<String>,
    /// ARNs of what they are allowed on.
    pub resource: Vec<String>,
}

/// Where features are used. What is not known is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The account.
    pub account_id: Option<String>,
    /// The region.
    pub region_id: Option<String>,
}

/// The least policy for the features that are used in each place. `read_only` leaves out what
/// changes anything: what `plan` needs.
///
/// Statements come by feature; one that would allow nothing is not there.
pub fn policy(uses: &BTreeMap<Place, BTreeSet<Feature>>, read_only: bool) -> Policy {
    let mut statements: BTreeMap<(Feature, Vec<String>), Vec<String>> = BTreeMap::new();
    for permission in PERMISSIONS {
        let operation = permission.operation;
        let Some(feature) = permission.feature else {
            continue;
        };
        if read_only && operation.mutating() {
            continue;
        }
        let places: Vec<&Place> = uses
            .iter()
            .filter(|(_, features)| features.contains(&feature))
            .map(|(place, _)| place)
            .collect();
        if let (false, Some(action)) = (places.is_empty(), operation.ram_action()) {
            let key = (feature, resources(permission, &places));
            statements.entry(key).or_default().push(action);
        }
    }
    Policy {
        version: "1",
        statement: statements
            .into_iter()
            .map(|((_, resource), action)| Statement {
                effect: "Allow",
                action,
                resource,
            })
            .collect(),
    }
}

fn resources(permission: &Permission, places: &[&Place]) -> Vec<String> {
    if permission.resources.is_empty() {
        return vec!["*".to_owned()];
    }
    let any = |id: &Option<String>| id.clone().unwrap_or_else(|| "*".to_owned());
    let arns: BTreeSet<String> = places
        .iter()
        .flat_map(|place| {
            let (region, account) = (any(&place.region_id), any(&place.account_id));
            let kinds = permission.resources.iter();
            kinds.map(move |kind| kind.arn(&region, &account))
        })
        .collect();
    arns.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(account: &str, region: &str) -> Place {
        Place {
            account_id: Some(account.to_owned()),
            region_id: Some(region.to_owned()),
        }
    }

    fn granted(policy: &Policy) -> BTreeMap<&str, &[String]> {
        let statements = policy.statement.iter();
        statements
            .flat_map(|statement| {
                let resource = statement.resource.as_slice();
                statement
                    .action
                    .iter()
                    .map(move |action| (action.as_str(), resource))
            })
            .collect()
    }

    #[test]
    fn only_what_the_features_need_is_granted() {
        let uses = BTreeMap::from([(Place::default(), BTreeSet::from([Feature::LoadBalancers]))]);
        let policy = policy(&uses, false);
        let actions = [
            "slb:DescribeLoadBalancerAttribute",
            "slb:DescribeLoadBalancerListeners",
            "slb:DescribeLoadBalancers",
        ];
        let balancers = &["acs:slb:*:*:loadbalancer/*".to_owned()][..];
        assert_eq!(
            granted(&policy),
            BTreeMap::from(actions.map(|action| (action, balancers)))
        );
    }

    #[test]
    fn each_place_gets_its_own_features() {
        let uses = BTreeMap::from([
            (place("1", "r1"), BTreeSet::from(Feature::ALL)),
            (place("2", "r2"), BTreeSet::from([Feature::LoadBalancers])),
        ]);
        let policy = policy(&uses, false);
        let granted = granted(&policy);
        let balancers = granted["slb:DescribeLoadBalancerAttribute"];
        assert_eq!(
            balancers,
            ["acs:slb:r1:1:loadbalancer/*", "acs:slb:r2:2:loadbalancer/*"]
        );
        assert_eq!(
            granted["apigateway:SetAppsAuthorities"],
            [
                "acs:apigateway:r1:1:apigroup/*",
                "acs:apigateway:r1:1:app/*"
            ]
        );
        assert_eq!(granted["apigateway:RemoveVpcAccess"], ["*"]);
    }

    #[test]
    fn read_only_changes_nothing() {
        let uses = BTreeMap::from([(Place::default(), BTreeSet::from(Feature::ALL))]);
        let policy = policy(&uses, true);
        let granted = granted(&policy);
        assert!(granted.contains_key("apigateway:DescribeApis"));
        for action in granted.keys() {
            let verb = action.split_once(':').map_or("", |(_, verb)| verb);
            let reads = ["Describe", "List", "Get"];
            assert!(reads.iter().any(|word| verb.starts_with(word)), "{action}");
        }
    }

    #[test]
    fn the_whole_fits_into_one_policy_of_ram() {
        let uses = BTreeMap::from([(
            place("1234567890123456", "cn-zhangjiakou"),
            BTreeSet::from(Feature::ALL),
        )]);
        let text = serde_json::to_string(&policy(&uses, false)).unwrap();
        // The limit of a custom policy, without spaces.
        assert!(text.len() <= 6144, "{} characters", text.len());
    }
}
