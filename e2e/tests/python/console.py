"""What the article clicks at the API gateway's console, done by the vendor's own SDK.

    console.py 127.0.0.1:18080 <region> <access key id> <access key secret> <id of the load balancer>

Prints, as one JSON object, the ids of what it made, the group's host and the app's code.
"""

import json
import sys

from alibabacloud_cloudapi20160714 import models as api
from alibabacloud_cloudapi20160714.client import Client as ApiGateway
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as Networks

STAGE = "RELEASE"
REQUEST = {
    "requestProtocol": "HTTP,HTTPS",
    "requestHttpMethod": "ANY",
    "requestPath": "/*",
    "requestMode": "MAPPING_PASSTHROUGH",
    "bodyFormat": "",
}
SERVICE = {
    "serviceProtocol": "HTTP",
    "serviceAddress": "",
    "serviceHttpMethod": "ANY",
    "servicePath": "/*",
    "serviceTimeout": 10000,
    "mock": "FALSE",
    "serviceVpcEnable": "TRUE",
    "vpcConfig": {"name": "knative-test", "vpcScheme": ""},
}
CONSTANTS = [
    {"serviceParameterName": "Host", "location": "HEAD", "constantValue": "helloworld.default.example.com"}
]


def main(endpoint, region, key, secret, balancer):
    config = Config(
        access_key_id=key, access_key_secret=secret, region_id=region, endpoint=endpoint, protocol="http"
    )
    gateway, networks = ApiGateway(config), Networks(config)

    group = gateway.create_api_group(api.CreateApiGroupRequest(group_name="knative_test")).body
    gateway.modify_api_group_network_policy(
        api.ModifyApiGroupNetworkPolicyRequest(group_id=group.group_id, inner_domain_enable=True)
    )

    network = networks.describe_vpcs(vpc.DescribeVpcsRequest(region_id=region)).body.vpcs.vpc[0]
    gateway.set_vpc_access(
        api.SetVpcAccessRequest(name="knative-test", vpc_id=network.vpc_id, instance_id=balancer, port=80)
    )
    accesses = gateway.describe_vpc_accesses(api.DescribeVpcAccessesRequest()).body.vpc_access_attributes

    made = gateway.create_api(
        api.CreateApiRequest(
            group_id=group.group_id,
            api_name="helloworld",
            visibility="PRIVATE",
            auth_type="APP",
            app_code_auth_type="HEADER_QUERY",
            request_config=json.dumps(REQUEST),
            service_config=json.dumps(SERVICE),
            constant_parameters=json.dumps(CONSTANTS),
        )
    ).body
    gateway.deploy_api(
        api.DeployApiRequest(
            api_id=made.api_id, group_id=group.group_id, stage_name=STAGE, description="by hand"
        )
    )

    app = gateway.create_app(api.CreateAppRequest(app_name="by_hand")).body.app_id
    security = gateway.describe_app_security(api.DescribeAppSecurityRequest(app_id=app)).body
    gateway.set_apps_authorities(
        api.SetAppsAuthoritiesRequest(api_id=made.api_id, app_ids=str(app), stage_name=STAGE)
    )

    limits = "unit: MINUTE\napiDefault: 1000\n"
    plugin = gateway.create_plugin(
        api.CreatePluginRequest(plugin_name="by_hand", plugin_type="trafficControl", plugin_data=limits)
    ).body.plugin_id
    gateway.attach_plugin(api.AttachPluginRequest(plugin_id=plugin, api_id=made.api_id, stage_name=STAGE))

    ids = {
        "host": group.sub_domain,
        "group": group.group_id,
        "api": made.api_id,
        "app": str(app),
        "code": security.app_code,
        "plugin": plugin,
        "access": accesses.vpc_access_attribute[0].vpc_access_id,
    }
    print(json.dumps(ids))


main(*sys.argv[1:])
